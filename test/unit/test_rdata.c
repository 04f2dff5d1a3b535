/*
 * Rdata and records: what goes in comes out, and no text or octets bring ldns or us down.
 *
 * UNIT_LIBS: -lldns
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/bridge.h"
#include "dns/field.h"
#include "dns/name.h"
#include "dns/rdata.h"
#include "dns/record.h"
#include "dns/rrtype.h"
#include "dns/loc.h"
#include "dns/shape.h"

#define ROUNDS 20000

/* ldns loses a few octets at some kinds of bad text; that is not ours to report here. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

static int	tests;
static int	failures;

static void
check(bool good, const char *what)
{
	tests++;
	failures += !good;
	printf("%s %d - %s\n", good ? "ok" : "not ok", tests, what);
}

static uint16_t
type_of(const char *name)
{
	uint16_t	type = 0;

	rrtype_from_text(name, strlen(name), &type);
	return type;
}

/* The wire form of text, printed again; what is wrong with it, if it is. */
static const char *
printed(const char *type, const char *text)
{
	static RdataError err;
	static uint8_t copy[RDATA_MAX];
	const uint8_t *wire;
	int			len = rdata_from_text(type_of(type), text, strlen(text), &wire, &err);

	if (len < 0)
		return err.reason;
	memcpy(copy, wire, (size_t) len);
	return rdata_to_text(type_of(type), copy, (size_t) len);
}

static void
is(const char *type, const char *text, const char *wanted)
{
	const char *got = printed(type, text);
	bool		good = strcmp(got, wanted) == 0;

	check(good, text);
	if (!good)
		printf("# %s: got %s\n# wanted %s\n", type, got, wanted);
}

static void
text_tests(void)
{
	is("A", "192.0.2.1", "192.0.2.1");
	is("A", "192.0.2", "It is not an IPv4 address.");
	is("AAAA", "2001:DB8:0::1", "2001:db8::1");
	is("MX", "10 Mail.Example", "10 mail.example.");
	is("MX", "10", "The mail server is missing.");
	is("SOA", "A. b. 1 2 3 4 4294967296", "The minimum time is not a number from 0 to 4294967295.");
	is("TXT", "\"a b\" c \"\\\"\\000\"", "\"a b\" \"c\" \"\\\"\\000\"");
	is("TXT", "\"a", "The quote that opens string 1 is not closed.");
	is("TXT", "a\"b", "There is a quote inside string 1, which has none around it.");
	is("SRV", "1 2 65536 x", "The port is not a number from 0 to 65535.");
	is("CAA", "0 issue \"\"", "0 issue \"\"");
	is("CAA", "128 ISSUE \"ca; a=b\"", "128 ISSUE \"ca; a=b\"");
	is("RP", "a;b(c)d. e.", "a\\;b\\(c\\)d. e.");
	is("NAPTR", "1 2 \"a;b\" \"\" \"\" .", "1 2 \"a;b\" \"\" \"\" .");
	is("DS", "65536 8 2 00", "Field 1 is larger than 65535.");
	is("NSEC", "a. A TYPE65534 CAA", "a. A CAA TYPE65534");
	is("IPSECKEY", "10 2 0 2001:db8::1", "\\# 19 0a020020010db8000000000000000000000001");
	is("A", "\\# 4 c0000201", "192.0.2.1");
	is("TYPE65534", "\\# 0", "\\# 0");
	is("TYPE65534", "\\# 2 00 0G", "There is something else than hexadecimal digits.");
	is("WKS", "192.0.2.1 tcp smtp", "Data of this type can be given in the generic form only: \\# length hexadecimal (RFC 3597).");
	is("LUA", "a \"x\"", "A \"x\"");
	is("ALIAS", "X.y", "x.y.");
	is("HTTPS", "1 . alpn=h2 port=443", "1 . alpn=h2 port=443");
}

static void
record_tests(void)
{
	RecordError err;
	char		text[60000];

	check(record_check(RRTYPE_MX, false, 10, "a.b", 3, &err), "MX");
	check(!record_check(RRTYPE_MX, true, 0, "a.b", 3, &err) && err.part == RECORD_PRIO, "MX without priority");
	check(!record_check(RRTYPE_MX, false, 0, "a..b", 4, &err) && err.part == RECORD_CONTENT && err.field == 1, "the field, as content has it");
	check(!record_check(RRTYPE_SRV, false, 0, "0 70000 a", 9, &err) && err.field == 2, "SRV's port");
	check(!record_check(RRTYPE_ANY, false, 0, "x", 1, &err) && err.part == RECORD_TYPE, "ANY");
	check(record_check(RRTYPE_HTTPS, true, 0, "1 . ipv4hint=auto", 17, &err), "automatic hints");
	check(record_check(RRTYPE_TXT, true, 0, "a b\"", 3, &err), "TXT without quotes");
	check(!record_check(RRTYPE_TXT, true, 0, "\"a\" b", 5, &err) && err.field == 2, "TXT half in quotes");
	check(!record_check(RRTYPE_A, true, 0, "1.2.3.4\0", 8, &err), "a NUL");
	memset(text, 'A', sizeof(text));
	check(record_check(61, true, 0, text, sizeof(text), &err), "a large key");
	check(record_check(RRTYPE_TXT, true, 0, text, sizeof(text), &err), "a large text");
	check(!record_check(RRTYPE_NS, true, 0, text, sizeof(text), &err), "a large name");
}

static const char *const seeds[] = {
	"100 10 \"u\" \"sip+E2U\" \"!^.*$!sip:x@e.com!i\" .", "51 56 0.123 N 5 54 22.000 E 4.00m 1.00m 10000.00m 10.00m",
	"0 issue \"letsencrypt.org\"", "1 2 aabbccdd", "3 1 1 aabb", "257 3 8 AwEAAb==", "1 . alpn=h2,h3 port=443 ipv4hint=1.2.3.4 ech=\"AAAA\"",
	"a.b. A NS TYPE123", "1 0 10 aabb 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG", "1:10.0.0.0/8 !2:::1/64",
	"10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==", "A 8 3 300 20260101000000 20250101000000 12345 e.org. aabb",
	"66 3 A NS", "1 -122.5 37.2", "10 1 \"https://x/\"", "00-00-5e-00-53-2a", "mb.e.org txt.e.org", "PKIX 0 0 AAAA", "10 0014:4fff:ff20:ee64",
	"2 200100107B9AA814D12B46A9F27D0F7B AwEAAbdx rvs.e.org", "\"a\" \"b\"", "2023 1 1 aabb", "10 x.e. y.e.", "\\# 4 01020304", "A \"x\"",
};

#define SEEDS ((int) (sizeof(seeds) / sizeof(seeds[0])))

/* Numbers of all known types, and now and then any. */
static uint16_t
type_random(void)
{
	static const uint16_t high[] = {256, 257, 258, 259, 260, 261, 262, 32768, 32769, 65400, 65401, 65402};

	switch (rand() % 8)
	{
		case 0:
			return high[rand() % (int) (sizeof(high) / sizeof(high[0]))];
		case 1:
			return (uint16_t) rand();
		default:
			return (uint16_t) (rand() % 110);
	}
}

/* What has been read can be printed and read again. */
static bool
round_trip(uint16_t type, const uint8_t *wire, int len)
{
	static uint8_t copy[RDATA_MAX];
	static char text[6 * RDATA_MAX];
	RdataError	err;

	memcpy(copy, wire, (size_t) len);
	snprintf(text, sizeof(text), "%s", rdata_to_text(type, copy, (size_t) len));
	if (rdata_from_text(type, text, strlen(text), &wire, &err) != len || memcmp(wire, copy, (size_t) len) != 0)
	{
		printf("# type %d, text %s: %s\n", type, text, err.reason);
		return false;
	}
	return rdata_from_wire(type, copy, (size_t) len, &wire, &err) == len && memcmp(wire, copy, (size_t) len) == 0;
}

static int
text_random(char *text)
{
	int			len = (int) strlen(strcpy(text, seeds[rand() % SEEDS]));

	for (int changes = rand() % 5; changes > 0; changes--)
	{
		int			at = rand() % len;
		int			more = rand() % 16;

		if (rand() % 3 == 0 && len + more < 250)
		{
			memmove(text + at + more, text + at, (size_t) (len - at));
			memset(text + at, text[rand() % len], (size_t) more);
			len += more;
		}
		else
			text[at] = rand() % 4 == 0 ? (char) rand() : " .\\\"=,:/0-9az;()@"[rand() % 17];
	}
	return len;
}

static void
random_tests(void)
{
	bool		texts = true;
	bool		octets = true;
	const uint8_t *wire;
	RdataError	err;
	RecordError record_err;

	srand(1);
	for (int i = 0; i < ROUNDS; i++)
	{
		char		text[256];
		uint8_t		data[64];
		uint16_t	type = type_random();
		int			size = text_random(text);
		int			len;

		record_check(type, i % 2 == 0, rand() % 70000, text, (size_t) size, &record_err);
		len = rdata_from_text(type, text, (size_t) size, &wire, &err);
		texts = texts && (len < 0 || round_trip(type, wire, len));

		/* Octets from nowhere, or a good record's, damaged. */
		size = rand() % (int) sizeof(data);
		for (int j = 0; j < size; j++)
			data[j] = (uint8_t) (rand() % 3 == 0 ? rand() : rand() % 20);
		if (len > 0 && len <= (int) sizeof(data) && i % 2 == 0)
		{
			memcpy(data, wire, (size_t) len);
			data[rand() % len] = (uint8_t) rand();
			size = len - rand() % 2;
		}
		len = rdata_from_wire(type, data, (size_t) size, &wire, &err);
		octets = octets && (len < 0 || round_trip(type, wire, len));
	}
	check(texts, "random texts");
	check(octets, "random octets");
}

int
main(void)
{
	text_tests();
	record_tests();
	random_tests();
	printf("1..%d\n", tests);
	return failures > 0;
}
