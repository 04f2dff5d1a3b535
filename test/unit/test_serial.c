/*
 * test_serial.c: serials: what an SOA record says, local edits, and merges: three nodes play edits and merges at random, and the
 * four properties of DESIGN hold after every step; a secondary that follows any of them ends with what they serve.
 */
#include <stdio.h>

#include "store/serial.h"

static int	tests = 0;
static int	failures = 0;

static void
ok(bool good, const char *what)
{
	tests++;
	if (!good)
		failures++;
	printf("%sok %d - %s\n", good ? "" : "not ", tests, what);
}

/* ---------------------------------------------------------------- SOA content */

static void
test_soa(void)
{
	static const struct
	{
		const char *content;
		bool		good;
		uint32_t	serial;
		const char *with_7;
	}			cases[] = {
		{"a. b. 5 6 7 8 9", true, 5, "a. b. 7 6 7 8 9"},
		{"  a.\tb.   2026112401 1 2 3 4", true, 2026112401, "  a.\tb.   7 1 2 3 4"},
		{"a b 4294967295", true, 4294967295u, "a b 7"},
		{"a b 0", true, 0, "a b 7"},
		{"a b 4294967296", false, 0, "a b 7"},
		{"a b 99999999999", false, 0, "a b 7"},
		{"a b x 1", false, 0, "a b 7 1"},
		{"a b", false, 0, "a b"},
		{"a b ", false, 0, "a b "},
		{"", false, 0, ""},
		{"   ", false, 0, "   "},
	};
	bool		all = true;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		uint32_t	serial = 0;
		uint8_t		out[64];
		size_t		len = strlen(cases[i].content);
		bool		good = soa_serial((const uint8_t *) cases[i].content, len, &serial);

		all &= good == cases[i].good && (!good || serial == cases[i].serial);
		len = soa_with_serial(out, (const uint8_t *) cases[i].content, len, 7);
		all &= len == strlen(cases[i].with_7) && memcmp(out, cases[i].with_7, len) == 0;
	}
	ok(all, "the serial in an SOA record's content is found and replaced");
}

/* ---------------------------------------------------------------- edits */

static void
test_edit(void)
{
	const uint64_t wrap = (uint64_t) 1 << 32;

	ok(serial_edit(0, 2026112401, true) == 2026112401, "the first serial is its author's");
	ok(serial_edit(0, 0, true) == 1, "if it is one");
	ok(serial_edit(5, 5, true) == 6, "an edit that forgets it raises it");
	ok(serial_edit(5, 5, false) == 5, "no edit, no serial");
	ok(serial_edit(5, 9, true) == 9, "who sets it ahead has it his way");
	ok(serial_edit(9, 5, true) == 10, "who sets it back does not");
	ok(serial_edit(wrap - 1, (uint32_t) (wrap - 1), true) == wrap + 1, "over the edge, without a low half of 0");
	ok(serial_edit(wrap - 5, 3, true) == wrap + 3, "ahead over the edge (RFC 1982)");
	ok(serial_edit(10, 10u + (1u << 31), true) == 11, "half way round is not ahead");
	ok(serial_edit(10, 9u + (1u << 31), true) == 9 + ((uint64_t) 1 << 31), "just below half is");
}

/* ---------------------------------------------------------------- merges */

static uint64_t
merge(SerialMerge m, bool *carry)
{
	return serial_merge(&m, carry);
}

static void
test_merge(void)
{
	bool		carry;

	ok(merge((SerialMerge) {0, 0, 7, 1, 2, 2, true, false}, &carry) == 7 && !carry, "a new zone takes the peer's");
	ok(merge((SerialMerge) {5, 0, 7, 1, 2, 2, true, false}, &carry) == 7 && !carry, "same content as the peer's: its serial");
	ok(merge((SerialMerge) {7, 0, 5, 1, 2, 2, true, false}, &carry) == 8 && carry, "never back, and up with the content");
	ok(merge((SerialMerge) {5, 0, 7, 1, 3, 2, true, false}, &carry) == 8 && carry, "content that neither had: above both");
	ok(merge((SerialMerge) {5, 0, 7, 1, 1, 2, true, false}, &carry) == 8 && carry, "the peer's content is discarded: above it");
	ok(merge((SerialMerge) {7, 0, 5, 1, 1, 2, true, false}, &carry) == 7 && !carry, "discarded below: nothing to do");
	ok(merge((SerialMerge) {5, 0, 7, 1, 1, 1, false, false}, &carry) == 7 && !carry, "only a serial came");
	ok(merge((SerialMerge) {5, 0, 7, 1, 1, 1, true, true}, &carry) == 7 + SERIAL_FALL_BACK && carry, "fallen back: a jump");
	ok(merge((SerialMerge) {1, 0, 3000000000u, 1, 2, 2, true, false}, &carry) > 3000000000u && carry, "too far for a secondary: a value ahead of both");
	ok(serial_ahead((uint32_t) merge((SerialMerge) {1, 0, 3000000000u, 1, 2, 2, true, false}, &carry), 1), "in the sense of RFC 1982");
	ok(merge((SerialMerge) {0, 0, 0, 1, 2, 2, true, false}, &carry) == 0 && !carry, "no serial anywhere: none");
}

/* ---------------------------------------------------------------- three nodes */

#define UNITS 3
#define NODES 3

typedef struct Node
{
	int			stamp[UNITS];	/* the last write wins: content is what the stamps are */
	int			carried;		/* the last version of the serial's own unit */
	uint64_t	serial;
} Node;

static uint64_t
content(const Node *n)
{
	uint64_t	c = 17;

	for (int i = 0; i < UNITS; i++)
		c = c * 1000003 + (uint64_t) n->stamp[i];
	return c;
}

/* Whether the secondary, which took `content` at `serial`, is led astray. */
typedef struct Secondary
{
	uint32_t	serial;
	uint64_t	content;
} Secondary;

static void
transfer(Secondary *s, const Node *n)
{
	if (s->content == 0 || serial_ahead((uint32_t) n->serial, s->serial))
		*s = (Secondary) {(uint32_t) n->serial, content(n)};
}

static bool
pull(Node *to, const Node *from, int *clock)
{
	uint64_t	before = content(to),
				was = to->serial;
	bool		fresh = false,
				carry;

	for (int i = 0; i < UNITS; i++)
		if (from->stamp[i] > to->stamp[i])
		{
			to->stamp[i] = from->stamp[i];
			fresh = true;
		}
	if (from->carried > to->carried)
		to->carried = from->carried;
	to->serial = merge((SerialMerge) {to->serial, 0, from->serial, before, content(to), content(from), fresh, false}, &carry);
	if (carry)
		to->carried = ++*clock;
	return to->serial >= was && (content(to) == before || to->serial > was);
}

static bool
play(unsigned seed)
{
	Node		node[NODES] = {{{0}}};
	Secondary	secondary = {0};
	int			clock = 0;

	srand(seed);
	for (int i = 0; i < NODES; i++)
		node[i].serial = 1;
	for (int step = 0; step < 60; step++)
	{
		int			a = rand() % NODES,
					b = rand() % NODES;

		if (rand() % 2)
		{
			node[a].stamp[rand() % UNITS] = ++clock;
			node[a].serial = serial_edit(node[a].serial, (uint32_t) node[a].serial + (rand() % 4 == 0 ? (uint32_t) (rand() % 100) : 0), true);
		}
		else if (a != b && !pull(&node[a], &node[b], &clock))
			return false;
		if (rand() % 3 == 0)
			transfer(&secondary, &node[rand() % NODES]);
	}
	for (int round = 0; round < 4; round++)
		for (int a = 0; a < NODES; a++)
			for (int b = 0; b < NODES; b++)
				if (a != b && !pull(&node[a], &node[b], &clock))
					return false;
	for (int a = 1; a < NODES; a++)
		if (node[a].serial != node[0].serial || content(&node[a]) != content(&node[0]))
			return false;
	transfer(&secondary, &node[0]);
	return secondary.content == content(&node[0]);
}

int
main(void)
{
	bool		all = true;

	test_soa();
	test_edit();
	test_merge();
	for (unsigned seed = 1; seed <= 20000 && all; seed++)
	{
		all = play(seed);
		if (!all)
			printf("# seed %u\n", seed);
	}
	ok(all, "20000 games of three nodes: serials never go back, rise with the content, end equal, and lead no secondary astray");
	printf("1..%d\n", tests);
	return failures != 0;
}
