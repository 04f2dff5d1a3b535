/*
 * What src/dns makes of any octets, under libFuzzer and the sanitizers: make fuzz TIME=seconds.
 *
 * The first octet chooses what is fed, the next two the type. Beside that nothing crashes, and no assertion of ldns is
 * reached: what is read as wire form prints as text that reads as the same wire form; names go to wire form and back;
 * what a zone file gives is a row that PowerDNS reads, with the same data.
 */
#include <stdlib.h>
#include <string.h>

#include "dns/bridge.h"
#include "dns/field.h"
#include "dns/loc.h"
#include "dns/message.h"
#include "dns/name.h"
#include "dns/ordername.h"
#include "dns/rdata.h"
#include "dns/record.h"
#include "dns/rrtype.h"
#include "dns/shape.h"
#include "dns/zone_file.h"

#define CHECK(what) do { if (!(what)) abort(); } while (0)

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t kept[RDATA_MAX];

/* Wire form that was accepted prints as text, which is the same again. */
static void
there_and_back(uint16_t type, const uint8_t *wire, int len)
{
	const uint8_t *again;
	const char *text;
	RdataError	err;

	memcpy(kept, wire, (size_t) len);
	text = rdata_to_text(type, kept, (size_t) len);
	CHECK(text != NULL);
	CHECK(rdata_from_text(type, text, strlen(text), &again, &err) == len);
	CHECK(memcmp(again, kept, (size_t) len) == 0);
}

static void
rdata(uint16_t type, const uint8_t *data, size_t size, int as_text)
{
	const uint8_t *wire;
	RdataError	err;
	int			len = as_text ? rdata_from_text(type, (const char *) data, size, &wire, &err) :
		rdata_from_wire(type, data, size, &wire, &err);

	if (len >= 0)
		there_and_back(type, wire, len);
}

static void
row(uint16_t type, const uint8_t *data, size_t size)
{
	const uint8_t *wire;
	const char *content;
	RecordError err;
	int32_t		prio;
	int			len = record_rdata(type, size % 2, (int32_t) size, (const char *) data, size, &wire, &err);

	if (len < 0)
		return;
	memcpy(kept, wire, (size_t) len);
	(void) record_content(type, kept, (size_t) len, &prio, &content, &err);
}

static void
name(const uint8_t *data, size_t size)
{
	static const uint8_t origin[] = "org\0example";
	uint8_t		stored[NAME_STORED_MAX],
				again[NAME_STORED_MAX],
				wire[NAME_STORED_MAX];
	char		text[NAME_TEXT_MAX],
				order[ORDERNAME_MAX],
				reason[NAME_REASON_MAX];
	int			len = name_from_text_in((const char *) data, size, origin, sizeof(origin), stored, reason);
	int			n;

	if (len < 0)
		len = name_from_wire(data, size, stored, reason);
	if (len < 0)
		return;
	CHECK(name_valid(stored, (size_t) len));
	n = name_to_text(stored, (size_t) len, text);
	CHECK(name_from_text(text, (size_t) n, again, reason) == len && memcmp(stored, again, (size_t) len) == 0);
	n = name_to_wire(stored, (size_t) len, wire);
	CHECK(name_from_wire(wire, (size_t) n, again, reason) == len && memcmp(stored, again, (size_t) len) == 0);
	(void) ordername_nsec(stored, (size_t) len, 0, order);
	(void) ordername_nsec3(stored, (size_t) len, 2, data, size < NSEC3_SALT_MAX ? size : NSEC3_SALT_MAX, order);
}

static void
zone_file(const uint8_t *data, size_t size)
{
	static const uint8_t origin[] = "org\0example";
	static ZoneFile file;
	ZoneFileRecord r;
	int			found;

	zone_file_init(&file, (const char *) data, size, origin, sizeof(origin));
	while ((found = zone_file_next(&file, &r)) != 0)
	{
		const uint8_t *again;
		const char *content;
		RecordError err;
		int32_t		prio;
		int			len,
					n;

		CHECK(r.line > 0 && (found > 0 || r.reason[0] != '\0'));
		if (found < 0)
			continue;
		CHECK(name_valid(r.owner, (size_t) r.owner_len));
		len = r.rdata_len;
		memcpy(kept, r.rdata, (size_t) len);
		n = record_content(r.type, kept, (size_t) len, &prio, &content, &err);
		if (n < 0)
			continue;
		CHECK(record_rdata(r.type, false, prio, content, (size_t) n, &again, &err) == len && memcmp(again, kept, (size_t) len) == 0);
	}
}

/* A message: all its records, whose rdata is what it is said to be. */
static void
message(const uint8_t *data, size_t size)
{
	static uint8_t kept[RDATA_MAX];
	Message		m;
	MessageRecord r;
	RdataError	err;
	const uint8_t *wire;
	int			len;

	if (!message_open(&m, data, size))
		return;
	while (message_next(&m, &r) > 0)
	{
		CHECK(name_valid(r.name, r.name_len) && r.end <= size && r.section >= 1 && r.section <= 3);
		len = message_rdata(&m, &r, &wire, &err);
		if (len < 0)
			continue;
		memcpy(kept, wire, (size_t) len);
		CHECK(rdata_from_wire(r.type, kept, (size_t) len, &wire, &err) == len && memcmp(wire, kept, (size_t) len) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t    *copy;
	uint16_t	type;

	if (size < 3)
		return 0;
	type = (uint16_t) (data[1] << 8 | data[2]);
	if (data[0] & 8)
		type &= 0x01ff;			/* those that there are */
	size -= 3;
	copy = malloc(size + 1);	/* of its own, so that no octet behind it is there */
	memcpy(copy, data + 3, size);
	switch (data[0] % 6)
	{
		case 0:
			rdata(type, copy, size, 1);
			break;
		case 1:
			rdata(type, copy, size, 0);
			break;
		case 2:
			row(type, copy, size);
			break;
		case 3:
			name(copy, size);
			break;
		case 4:
			message(copy, size);
			break;
		default:
			zone_file(copy, size);
	}
	free(copy);
	return 0;
}
