/*
 * Domain names: the stored form, order, subtree, limits, and what random octets do to it.
 *
 * #include "dns/name.h" links src/dns/name.c.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/name.h"

#define ROUNDS 20000

static int	tests;
static int	failures;

static void
check(bool good, const char *what)
{
	tests++;
	failures += !good;
	printf("%s %d - %s\n", good ? "ok" : "not ok", tests, what);
}

typedef struct Name
{
	uint8_t		stored[NAME_STORED_MAX];
	int			len;
} Name;

static Name
name_of(const char *text)
{
	Name		name;

	name.len = name_from_text(text, strlen(text), name.stored, NULL);
	return name;
}

static bool
prints(const char *given, const char *wanted)
{
	Name		name = name_of(given);
	char		text[NAME_TEXT_MAX];

	return name.len >= 0 && name_valid(name.stored, (size_t) name.len) &&
		name_to_text(name.stored, (size_t) name.len, text) == (int) strlen(wanted) && strcmp(text, wanted) == 0;
}

static bool
refused(const char *text, const char *reason)
{
	uint8_t		stored[NAME_STORED_MAX];
	char		said[NAME_REASON_MAX] = "";

	return name_from_text(text, strlen(text), stored, said) < 0 && strstr(said, reason) != NULL;
}

static int
order(const char *a, const char *b)
{
	Name		x = name_of(a);
	Name		y = name_of(b);
	int			result = name_compare(x.stored, (size_t) x.len, y.stored, (size_t) y.len);

	assert(x.len >= 0 && y.len >= 0);
	return (result > 0) - (result < 0);
}

static bool
below(const char *a, const char *b)
{
	Name		x = name_of(a);
	Name		y = name_of(b);

	return name_below(x.stored, (size_t) x.len, y.stored, (size_t) y.len);
}

static void
text_tests(void)
{
	char		longest[512] = "";
	Name		name;

	check(prints("WWW.Example.ORG.", "www.example.org"), "lower case, no final dot");
	check(prints(".", "."), "the root");
	check(name_of(".").len == 0, "the root is the empty string");
	check(prints("a\\.b\\\\c.\\000\\001\\255\\ x", "a\\.b\\\\c.\\000\\001\\255\\032x"), "escapes");
	check(refused("", "empty string") && refused("a..b", "Label 2 is empty") && refused(".a", "Label 1 is empty"), "empty labels");
	check(refused("a b", "white space") && refused("a\x7f", "control") && refused("\xc3\xbc", "ASCII"), "characters");
	check(refused("a\\", "backslash") && refused("a\\1", "digits") && refused("a\\300", "octet"), "bad escapes");
	for (int i = 0; i < 127; i++)
		strcat(longest, i == 0 ? "a" : ".a");
	name = name_of(longest);
	check(name.len == 254 && name_labels(name.stored, 254) == 127, "127 labels");
	strcat(longest, "b");
	check(refused(longest, "255"), "256 octets");
	memset(longest, 'x', 64);
	longest[63] = '\0';
	check(name_of(longest).len == 64, "a label of 63");
	longest[63] = 'x';
	longest[64] = '\0';
	check(refused(longest, "63"), "a label of 64");
}

static void
order_tests(void)
{
	/* RFC 4034 6.1, and what lies around octets 0 and 1. */
	static const char *const sorted[] = {
		".", "example", "a.example", "yljkjljk.a.example", "Z.a.example", "zABC.a.EXAMPLE", "a\\000.example", "a\\000\\000.example",
		"a\\000\\001.example", "a\\001.example", "a\\002.example", "ab.example", "z.example", "\\001.z.example", "*.z.example",
		"\\200.z.example", "example\\000", "org"
	};
	int			count = (int) (sizeof(sorted) / sizeof(sorted[0]));
	bool		good = true;

	for (int i = 0; i < count; i++)
		for (int j = 0; j < count; j++)
			good = good && order(sorted[i], sorted[j]) == (i > j) - (i < j);
	check(good, "canonical order");
	check(below("a.b", "b") && below("b", "b") && below("a.b", ".") && below(".", "."), "below");
	check(!below("b", "a.b") && !below("xb", "b") && !below("b\\000", "b") && !below("a.b\\.c", "c"), "not below");
}

static void
part_tests(void)
{
	Name		name = name_of("*.a\\.b.c");
	Name		parent = name_of("a\\.b.c");

	check(name_parent(name.stored, (size_t) name.len) == (size_t) parent.len, "the parent is a prefix");
	check(name_parent(name.stored, 0) == 0, "the root's parent");
	check(name_is_wildcard(name.stored, (size_t) name.len), "a wildcard");
	check(!name_is_wildcard(parent.stored, (size_t) parent.len) && !name_is_wildcard(name.stored, 0), "no wildcard");
	name = name_of("a*.b");
	check(!name_is_wildcard(name.stored, (size_t) name.len), "an asterisk elsewhere");
}

static void
wire_tests(void)
{
	static const uint8_t good[] = {1, 'A', 3, 0, 1, 2, 0};
	static const uint8_t pointer[] = {1, 'a', 0xc0, 0};
	uint8_t		stored[NAME_STORED_MAX];
	uint8_t		wire[NAME_STORED_MAX];
	int			len = name_from_wire(good, sizeof(good), stored, NULL);

	check(len == 2 + 6 && name_to_wire(stored, (size_t) len, wire) == (int) sizeof(good) &&
		  memcmp(wire, "\001a\003\0\001\002", sizeof(good)) == 0, "wire and back, in lower case");
	check(name_from_wire(good, sizeof(good) - 1, stored, NULL) < 0, "no root label");
	check(name_from_wire(good, 0, stored, NULL) < 0, "nothing");
	check(name_from_wire(pointer, sizeof(pointer), stored, NULL) < 0, "a compressed name");
	check(name_from_wire((const uint8_t *) "\0\0", 2, stored, NULL) < 0, "octets behind it");
}

/* A random name of few different octets, so that names meet; not longer than `room`. */
static Name
name_random(int room)
{
	static const uint8_t octets[] = {0, 1, 2, '.', '\\', '*', 'a', 'B', 0xff};
	uint8_t		wire[NAME_WIRE_MAX];
	Name		name;
	int			len = 0;

	while (rand() % 4 != 0)
	{
		int			label = rand() % 50 == 0 ? 63 : 1 + rand() % 3;

		if (len + label + 2 > room)
			break;
		wire[len++] = (uint8_t) label;
		for (int i = 0; i < label; i++)
			wire[len++] = octets[rand() % (int) sizeof(octets)];
	}
	wire[len++] = 0;
	name.len = name_from_wire(wire, (size_t) len, name.stored, NULL);
	assert(name.len >= 0 && name_valid(name.stored, (size_t) name.len));
	return name;
}

/* Below is by labels, from the wire forms: what name_below must agree with. */
static bool
below_by_wire(const Name *name, const Name *zone)
{
	uint8_t		a[NAME_STORED_MAX];
	uint8_t		b[NAME_STORED_MAX];
	int			alen = name_to_wire(name->stored, (size_t) name->len, a);
	int			blen = name_to_wire(zone->stored, (size_t) zone->len, b);

	for (int at = 0; at < alen; at += 1 + a[at])
		if (alen - at == blen && memcmp(a + at, b, (size_t) blen) == 0)
			return true;
	return false;
}

static void
random_tests(void)
{
	bool		texts = true;
	bool		ranges = true;
	bool		octets = true;

	srand(1);
	for (int i = 0; i < ROUNDS; i++)
	{
		Name		name = name_random(NAME_WIRE_MAX);
		Name		zone = name_random(i % 2 == 0 ? 8 : NAME_WIRE_MAX);
		uint8_t		again[NAME_STORED_MAX];
		uint8_t		end[NAME_STORED_MAX];
		char		text[NAME_TEXT_MAX];
		int			len = name_to_text(name.stored, (size_t) name.len, text);
		bool		inside;

		texts = texts && name_from_text(text, (size_t) len, again, NULL) == name.len &&
			memcmp(again, name.stored, (size_t) name.len) == 0;

		len = name_subtree_end(zone.stored, (size_t) zone.len, end);
		inside = name_compare(name.stored, (size_t) name.len, zone.stored, (size_t) zone.len) >= 0 &&
			name_compare(name.stored, (size_t) name.len, end, (size_t) len) < 0;
		ranges = ranges && inside == name_below(name.stored, (size_t) name.len, zone.stored, (size_t) zone.len) &&
			inside == below_by_wire(&name, &zone);
	}
	check(texts, "random names print as text that reads as the same");
	check(ranges, "below, by prefix, by range and by labels");

	/* Hostile octets, as wire and as stored form: what is accepted holds together. */
	for (int i = 0; i < ROUNDS * 5; i++)
	{
		uint8_t		in[300];
		uint8_t		stored[NAME_STORED_MAX];
		uint8_t		wire[NAME_STORED_MAX];
		int			size = rand() % (i % 10 == 0 ? 300 : 12);
		int			len;

		for (int j = 0; j < size; j++)
			in[j] = (uint8_t) (rand() % 3 == 0 ? rand() : rand() % 4);
		len = name_from_wire(in, (size_t) size, stored, NULL);
		octets = octets && (len < 0 || (name_valid(stored, (size_t) len) &&
										name_to_wire(stored, (size_t) len, wire) == size));
		if (name_valid(in, (size_t) size))
			octets = octets && name_from_wire(wire, (size_t) name_to_wire(in, (size_t) size, wire), stored, NULL) == size &&
				memcmp(stored, in, (size_t) size) == 0;
	}
	check(octets, "random octets");
}

int
main(void)
{
	text_tests();
	order_tests();
	part_tests();
	wire_tests();
	random_tests();
	printf("1..%d\n", tests);
	return failures > 0;
}
