/*
 * Messages of anybody: compressed names, and octets that only look like a message.
 *
 * UNIT_LIBS: -lldns
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/bridge.h"
#include "dns/field.h"
#include "dns/loc.h"
#include "dns/message.h"
#include "dns/name.h"
#include "dns/rdata.h"
#include "dns/rrtype.h"
#include "dns/shape.h"

#define ROUNDS 50000

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

/* An answer: one question, then MX and SOA whose names are compressed, an A record in the additional section. */
static const uint8_t answer[] = {
	0x12, 0x34, 0x84, 0x00, 0, 1, 0, 2, 0, 0, 0, 1,
	7, 'E', 'x', 'a', 'm', 'p', 'l', 'e', 3, 'o', 'r', 'g', 0, 0, 255, 0, 1,
	0xc0, 12, 0, 15, 0, 1, 0, 0, 1, 0x2c, 0, 9, 0, 10, 4, 'm', 'a', 'i', 'l', 0xc0, 12,
	0xc0, 12, 0, 6, 0, 1, 0, 0, 1, 0x2c, 0, 28, 3, 'n', 's', '1', 0xc0, 12, 0xc0, 43,
	0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4,
	3, 'n', 's', '1', 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1,
};

static bool
rdata_is(const Message *m, const MessageRecord *r, const char *text)
{
	const uint8_t *wire,
			   *should;
	uint8_t		kept[512];
	RdataError	err;
	int			len = message_rdata(m, r, &wire, &err);

	if (len < 0 || len > (int) sizeof(kept))
		return false;
	memcpy(kept, wire, (size_t) len);
	return rdata_from_text(r->type, text, strlen(text), &should, &err) == len && memcmp(kept, should, (size_t) len) == 0;
}

static void
answer_tests(void)
{
	Message		m;
	MessageRecord r;
	char		text[NAME_TEXT_MAX];

	check(message_open(&m, answer, sizeof(answer)), "a message");
	check(m.id == 0x1234 && (m.flags & MESSAGE_QR) && (m.flags & MESSAGE_AA) && MESSAGE_OPCODE(m.flags) == OPCODE_QUERY && MESSAGE_RCODE(m.flags) == 0,
		  "its header");
	check(message_next(&m, &r) == 1 && r.section == 1 && r.type == RRTYPE_MX && r.ttl == 300 && rdata_is(&m, &r, "10 mail.example.org"), "a compressed name in rdata");
	(void) name_to_text(r.name, r.name_len, text);
	check(strcmp(text, "example.org") == 0, "and a compressed owner, in lower case");
	check(message_next(&m, &r) == 1 && r.type == RRTYPE_SOA && rdata_is(&m, &r, "ns1.example.org mail.example.org 7 1 2 3 4"), "two in an SOA record");
	check(message_next(&m, &r) == 1 && r.section == 3 && r.rdata_len == 4 && r.end == sizeof(answer), "the additional section");
	check(message_next(&m, &r) == 0, "the end");
	for (size_t len = 0; len < sizeof(answer); len++)
	{
		int			more = 1;

		if (message_open(&m, answer, len))
			while ((more = message_next(&m, &r)) > 0)
				;
		if (more == 0)
		{
			check(false, "a message that is cut short is none");
			return;
		}
	}
	check(true, "a message that is cut short is none");
}

static void
pointer_tests(void)
{
	uint8_t		m[64] = {0, 1, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0};
	Message		message;
	MessageRecord r;

	check(message_open(&message, m, 24) && message_next(&message, &r) < 0, "a pointer to itself");
	m[13] = 14;
	check(message_open(&message, m, 24) && message_next(&message, &r) < 0, "one that leads forwards");
	m[13] = 4;
	check(message_open(&message, m, 24) && message_next(&message, &r) == 1 && r.name_len == 0, "one into the header, where a 0 is");
	m[12] = 0x80;
	check(message_open(&message, m, 24) && message_next(&message, &r) < 0, "a label of a kind that there is not");
	check(!message_open(&message, m, 11), "no header");
}

static void
random_tests(void)
{
	uint8_t		octets[200];
	bool		good = true;

	srand(1);
	for (int i = 0; i < ROUNDS; i++)
	{
		size_t		len = sizeof(answer) - (size_t) (rand() % 3);
		Message		m;
		MessageRecord r;
		RdataError	err;
		const uint8_t *wire;

		memcpy(octets, answer, sizeof(answer));
		for (int k = rand() % 6; k > 0; k--)
			octets[rand() % (int) len] = (uint8_t) (rand() % 3 ? rand() : rand() % 2 ? 0xc0 : 12);
		if (!message_open(&m, octets, len))
			continue;
		while (message_next(&m, &r) > 0)
			good = good && name_valid(r.name, r.name_len) && r.end <= len && message_rdata(&m, &r, &wire, &err) <= RDATA_MAX;
	}
	check(good, "damaged messages");
}

int
main(void)
{
	answer_tests();
	pointer_tests();
	random_tests();
	printf("1..%d\n", tests);
	return failures > 0;
}
