/*
 * update.c: see update.h.
 *
 * Of a name first all RRsets are removed that are told of, then their records added, so that a CNAME can take the place of other data
 * and the other way round. At the apex no server removes the SOA record or the last NS record (RFC 2136 3.4.2.3, 3.4.2.4): there the
 * new NS records are added, and then those removed that the server has besides; an SOA record counts only if its serial is ahead.
 */
#include "postgres.h"

#include "port/pg_bswap.h"

#include "ship/dns_conn.h"
#include "ship/update.h"
#include "store/relation.h"
#include "store/serial.h"
#include "store/wire.h"

#define UPDATE_SECTION 2

bool
item_adds(const UpdateItem *item)
{
	for (int i = 0; i < item->n; i++)
		if (item->sets[i].n > 0)
			return true;
	return false;
}

void
set_encode(StringInfo out, const UpdateSet *set)
{
	wire_put_u16(out, set->type);
	wire_put_u32(out, set->ttl);
	wire_put_varint(out, (uint64) set->n);
	for (int k = 0; k < set->n; k++)
		wire_put_string(out, set->rdata[k], set->len[k]);
}

void
item_encode(StringInfo out, const UpdateItem *item)
{
	wire_put_string(out, item->name, item->name_len);
	wire_put_varint(out, (uint64) item->n);
	for (int i = 0; i < item->n; i++)
		set_encode(out, &item->sets[i]);
}

bool
item_decode(const uint8 *octets, size_t len, UpdateItem *item)
{
	WireReader	r;
	uint64		n;

	wire_reader_init(&r, octets, len);
	item->name = wire_get_string(&r, NAME_STORED_MAX, &item->name_len);
	n = wire_get_varint(&r);
	if (r.bad || n > len)
		return false;
	item->n = (int) n;
	item->sets = palloc0(sizeof(UpdateSet) * (size_t) (item->n + 1));
	for (int i = 0; i < item->n; i++)
	{
		UpdateSet  *set = &item->sets[i];

		set->type = wire_get_u16(&r);
		set->ttl = wire_get_u32(&r);
		n = wire_get_varint(&r);
		if (r.bad || n > len)
			return false;
		set->n = (int) n;
		set->rdata = palloc(sizeof(uint8 *) * (size_t) (set->n + 1));
		set->len = palloc(sizeof(uint16) * (size_t) (set->n + 1));
		for (int k = 0; k < set->n; k++)
		{
			size_t		rdata_len = 0;

			set->rdata[k] = wire_get_string(&r, RDATA_MAX, &rdata_len);
			set->len[k] = (uint16) rdata_len;
		}
	}
	return !r.bad && wire_at_end(&r);
}

/* ---------- SOA records ---------- */

size_t
soa_serial_at(const uint8 *rdata, size_t len)
{
	uint8		stored[NAME_STORED_MAX];
	size_t		stored_len;
	size_t		first = message_name(rdata, len, stored, &stored_len);
	size_t		second = first ? message_name(rdata + first, len - first, stored, &stored_len) : 0;

	return second && first + second + 20 == len ? first + second : 0;
}

bool
soa_same(const uint8 *a, size_t alen, const uint8 *b, size_t blen)
{
	size_t		at = soa_serial_at(a, alen);

	return at && alen == blen && soa_serial_at(b, blen) == at && memcmp(a, b, at) == 0 &&
		memcmp(a + at + 4, b + at + 4, alen - at - 4) == 0;
}

static uint32
serial_get(const uint8 *rdata, size_t at)
{
	uint32		serial;

	memcpy(&serial, rdata + at, sizeof(serial));
	return pg_ntoh32(serial);
}

/* ---------- messages ---------- */

typedef struct Writing
{
	StringInfo	message;
	size_t		zone_wire;		/* octets of the zone's name in wire form */
	const UpdateItem *item;
	int			count;			/* records added */
} Writing;

StringInfo
update_begin(const uint8 *zone, size_t zone_len)
{
	return dns_message(OPCODE_UPDATE, zone, zone_len, TYPE_SOA);
}

/* The owner is in the zone, whose name stands right behind the header: a pointer leads there (RFC 1035 4.1.4). */
static void
record_put(Writing *w, uint16 type, uint16 rrclass, uint32 ttl, const uint8 *rdata, size_t len)
{
	uint8		wire[NAME_WIRE_MAX];
	size_t		n = (size_t) name_to_wire(w->item->name, w->item->name_len, wire);

	appendBinaryStringInfo(w->message, (char *) wire, (int) (n - w->zone_wire));
	wire_put_u16(w->message, 0xc000 | MESSAGE_HEADER);
	wire_put_u16(w->message, type);
	wire_put_u16(w->message, rrclass);
	wire_put_u32(w->message, ttl);
	wire_put_u16(w->message, (uint16) len);
	appendBinaryStringInfo(w->message, (const char *) rdata, (int) len);
	w->count++;
}

static void
set_add(Writing *w, const UpdateSet *set)
{
	for (int i = 0; i < set->n; i++)
		record_put(w, set->type, CLASS_IN, set->ttl, set->rdata[i], set->len[i]);
}

static bool
set_has(const UpdateSet *set, const uint8 *rdata, size_t len)
{
	for (int i = 0; i < set->n; i++)
		if (set->len[i] == len && memcmp(set->rdata[i], rdata, len) == 0)
			return true;
	return false;
}

static void
apex_ns(Writing *w, const UpdateSet *set, const UpdateSet *theirs)
{
	if (set->n == 0)
		return;
	set_add(w, set);
	for (int i = 0; i < theirs->n; i++)
		if (!set_has(set, theirs->rdata[i], theirs->len[i]))
			record_put(w, TYPE_NS, CLASS_NONE, 0, theirs->rdata[i], theirs->len[i]);
}

uint8 *
soa_told(const UpdateSet *set, const UpdateSet *theirs, bool our_serial)
{
	size_t		at = set->n == 1 ? soa_serial_at(set->rdata[0], set->len[0]) : 0;
	size_t		theirs_at = theirs->n == 1 ? soa_serial_at(theirs->rdata[0], theirs->len[0]) : 0;
	bool		same;
	uint32		serial,
				now;
	uint8	   *rdata;

	if (!at || !theirs_at)
		return NULL;
	same = soa_same(set->rdata[0], set->len[0], theirs->rdata[0], theirs->len[0]) && set->ttl == theirs->ttl;
	now = serial_get(theirs->rdata[0], theirs_at);
	serial = serial_get(set->rdata[0], at);
	if (!our_serial || !serial_ahead(serial, now))
	{
		if (same)
			return NULL;
		serial = now + 1;
	}
	rdata = palloc(set->len[0]);
	memcpy(rdata, set->rdata[0], set->len[0]);
	serial = pg_hton32(serial);
	memcpy(rdata + at, &serial, sizeof(serial));
	return rdata;
}

static void
apex_soa(Writing *w, const UpdateSet *set, const UpdateSet *theirs, bool our_serial)
{
	uint8	   *rdata = soa_told(set, theirs, our_serial);

	if (rdata)
		record_put(w, TYPE_SOA, CLASS_IN, set->ttl, rdata, set->len[0]);
}

bool
update_add(StringInfo message, const uint8 *zone, size_t zone_len, const UpdateItem *item, const UpdateApex *apex, bool our_serial)
{
	uint8		wire[NAME_WIRE_MAX];
	/* the root that ends the name is in the zone's */
	Writing		w = {.message = message, .zone_wire = (size_t) name_to_wire(zone, zone_len, wire), .item = item};
	bool		at_apex = item->name_len == zone_len;
	int			before = message->len;
	int			count = (uint8) message->data[4 + 2 * UPDATE_SECTION] << 8 | (uint8) message->data[5 + 2 * UPDATE_SECTION];

#define EXCEPTION(set) (at_apex && ((set)->type == TYPE_NS || (set)->type == TYPE_SOA))
	for (int i = 0; i < item->n; i++)
		if (!EXCEPTION(&item->sets[i]))
			record_put(&w, item->sets[i].type, CLASS_ANY, 0, (const uint8 *) "", 0);
	for (int i = 0; i < item->n && message->len <= MESSAGE_MAX; i++)
	{
		const UpdateSet *set = &item->sets[i];

		if (!EXCEPTION(set))
			set_add(&w, set);
		else if (set->type == TYPE_NS)
			apex_ns(&w, set, &apex->ns);
		else
			apex_soa(&w, set, &apex->soa, our_serial);
	}
#undef EXCEPTION
	if (message->len > MESSAGE_MAX - TSIG_ROOM || count + w.count > 65535)
	{
		message->len = before;
		return false;
	}
	dns_set_count(message, UPDATE_SECTION, count + w.count);
	return true;
}
