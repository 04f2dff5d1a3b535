/*
 * compare_server.c: see compare_server.h.
 *
 * Both sides go through one sort, so that zones of any size can be compared: name, 0, type, side, rdata, TTL. What this database has had and
 * has no more is an item too: the store remembers it as long as a deletion stays there. So what only the server has is either to be removed,
 * or somebody else's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplesort.h"

#include "compat.h"
#include "ship/compare_server.h"
#include "store/relation.h"
#include "store/wire.h"

#define TYPE_AXFR	252
#define OURS		0
#define THEIRS		1
#define HAD			2			/* by the store, and has no more */
#define EXCEPT		3			/* with type 0 */

/* ---------- fetching ---------- */

#define TRANSFER_TIME 3600		/* s, for one zone */

typedef struct Fetch
{
	uint64		most,			/* octets, in the spool */
				size;
	TimestampTz until;
	const uint8 *zone;
	size_t		zone_len;
	Spool	   *out;
	int			soas;			/* the transfer begins and ends with one: RFC 5936 2.2 */
	StringInfoData entry;
} Fetch;

/* name, type, TTL, rdata */
static void
record_fetched(Fetch *f, const Message *m, const MessageRecord *r)
{
	const uint8 *wire;
	RdataError	err;
	int			len;

	if (r->rrclass != CLASS_IN || !name_below(r->name, r->name_len, f->zone, f->zone_len))
		return;
	if (r->type == TYPE_SOA && f->soas++ > 0)
		return;
	len = message_rdata(m, r, &wire, &err);
	if (len < 0)				/* of no shape that we know: as it stands, so that it differs from all that we have */
	{
		wire = r->rdata;
		len = (int) r->rdata_len;
	}
	resetStringInfo(&f->entry);
	wire_put_string(&f->entry, r->name, r->name_len);
	wire_put_u16(&f->entry, r->type);
	wire_put_u32(&f->entry, r->ttl);
	appendBinaryStringInfo(&f->entry, (const char *) wire, len);
	f->size += (uint64) f->entry.len;
	if (f->size <= f->most)
		spool_put(f->out, SPOOL_ITEM, f->entry.data, (size_t) f->entry.len);
}

/* A transfer without end: it fills the disk, or takes for ever. */
static void
fetch_bound(const Fetch *f)
{
	char		name[NAME_TEXT_MAX];

	(void) name_to_text(f->zone, f->zone_len, name);
	if (f->size > f->most)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the transfer of zone \"%s\" is too large", name),
				 errdetail("It has more than " UINT64_FORMAT " MB, several times what this database holds in all.", f->most / 1024 / 1024)));
	if (GetCurrentTimestamp() > f->until)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("the transfer of zone \"%s\" takes longer than %d minutes", name, TRANSFER_TIME / 60)));
}

static void
message_refuse(const Fetch *f)
{
	char		name[NAME_TEXT_MAX];

	(void) name_to_text(f->zone, f->zone_len, name);	/* no transaction need be open */
	ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION), errmsg("the transfer of zone \"%s\" is not well-formed", name)));
}

const char *
zone_fetch(DnsConn *conn, uint64 most, const uint8 *zone, size_t zone_len, Spool *out)
{
	StringInfo	q = dns_message(OPCODE_QUERY, zone, zone_len, TYPE_AXFR);
	Fetch		f = {.zone = zone, .zone_len = zone_len, .out = out, .most = most};
	bool		first = true;

	initStringInfo(&f.entry);
	f.until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), TRANSFER_TIME * 1000);
	do
	{
		StringInfo	a = dns_next(conn, q, first);
		Message		m;
		MessageRecord r;
		int			more,
					records = 0;
		char		other[16];

		if (dns_rcode(a) != 0)
		{
			dns_finish(conn);
			return psprintf("the server answers %s to a transfer", rcode_name(dns_rcode(a), other));
		}
		if (!message_open(&m, (uint8 *) a->data, (size_t) a->len))
			message_refuse(&f);
		for (; (more = message_next(&m, &r)) > 0 && r.section == 1; records++)
			if (f.soas < 2)
				record_fetched(&f, &m, &r);
		if (more < 0 || f.soas == 0 || records == 0)
			message_refuse(&f);
		fetch_bound(&f);
		first = false;
	} while (f.soas < 2);
	dns_finish(conn);
	return NULL;
}

/* ---------- what there should be ---------- */

static int
rdata_order(const void *a, const void *b)
{
	const bytea *x = *(bytea *const *) a;
	const bytea *y = *(bytea *const *) b;
	int			c = memcmp(VARDATA(x), VARDATA(y), Min(VARSIZE(x), VARSIZE(y)) - VARHDRSZ);

	return c ? c : (VARSIZE(x) > VARSIZE(y)) - (VARSIZE(x) < VARSIZE(y));
}

static bool
set_prepare(const ServedSet *set, UpdateSet *out, const char **why)
{
	bytea	  **data = palloc(sizeof(bytea *) * (size_t) (set->n + 1));

	for (int i = 0; i < set->n; i++)
	{
		const uint8 *wire;
		int			len = served_rdata(set->type, &set->records[i], &wire, why);

		if (len < 0)
			return false;
		data[i] = (bytea *) varlena_make(wire, (size_t) len);
	}
	qsort(data, (size_t) set->n, sizeof(bytea *), rdata_order);
	*out = (UpdateSet) {.type = set->type, .ttl = set->ttl};
	out->rdata = palloc(sizeof(uint8 *) * (size_t) (set->n + 1));
	out->len = palloc(sizeof(uint16) * (size_t) (set->n + 1));
	for (int i = 0; i < set->n; i++)
	{
		if (i > 0 && rdata_order(&data[i - 1], &data[i]) == 0)
			continue;
		out->rdata[out->n] = (uint8 *) VARDATA(data[i]);
		out->len[out->n++] = (uint16) (VARSIZE(data[i]) - VARHDRSZ);
	}
	return true;
}

int
sets_prepare(const ServerRow *server, const uint8 *name, size_t name_len, const ServedSet *sets, int n, UpdateSet *out,
			 const DifferenceSink *sink)
{
	int			kept = 0;
	const char *why;

	for (int i = 0; i < n; i++)
	{
		if (!server_manages(server, name, name_len, sets[i].type))
			continue;
		if (set_prepare(&sets[i], &out[kept], &why))
			kept++;
		else
			sink->cannot(name, name_len, sets[i].type, why, sink->arg);
	}
	return kept;
}

/* ---------- comparing ---------- */

struct ZoneComparison
{
	const ServerRow *server;
	ServedZone *zone;
	Tuplesortstate *sort;
	const DifferenceSink *sink;
	MemoryContext scratch;		/* the RRset at hand, or the name */
	StringInfoData item;
	StringInfoData prefix;		/* of the RRset at hand: name, 0, type */
	UpdateSet	sets[2];		/* ours, theirs */
	int			cap[2];
	bool		had;			/* this RRset */
	StringInfoData excepted;	/* the name, with its 0, of which nothing is told */
};

ZoneComparison *
comparison_begin(const ServerRow *server, ServedZone *zone)
{
	ZoneComparison *c = palloc0(sizeof(ZoneComparison));

	c->server = server;
	c->zone = zone;
	c->scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl comparison", ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&c->item);
	initStringInfo(&c->prefix);
	initStringInfo(&c->excepted);
	c->sort = tuplesort_begin_datum(BYTEAOID, BYTEA_LESS, InvalidOid, false, work_mem, NULL, 0);
	return c;
}

static void
item_put(ZoneComparison *c, const uint8 *name, size_t name_len, uint16 type, uint8 side, const uint8 *rdata, size_t len, uint32 ttl)
{
	StringInfo	s = &c->item;
	size_t		at;

	resetStringInfo(s);
	appendStringInfoSpaces(s, VARHDRSZ);
	appendBinaryStringInfo(s, (const char *) name, (int) name_len);
	wire_put_u8(s, 0);
	wire_put_u16(s, type);
	wire_put_u8(s, side);
	appendBinaryStringInfo(s, (const char *) rdata, (int) len);
	if (type == TYPE_SOA && (at = soa_serial_at(rdata, len)) > 0)
	{
		memset(s->data + s->len - (int) (len - at), 0, 4);
		ttl = 0;				/* PowerDNS keeps the one that it has */
	}
	wire_put_u32(s, ttl);
	SET_VARSIZE(s->data, s->len);
	tuplesort_putdatum(c->sort, PointerGetDatum(s->data), false);
}

void
comparison_except(ZoneComparison *c, const uint8 *name, size_t name_len)
{
	item_put(c, name, name_len, 0, EXCEPT, (const uint8 *) "", 0, 0);
}

static void
served_put(ServedZone *zone, const uint8 *name, size_t name_len, const ServedSet *sets, int n, void *arg)
{
	ZoneComparison *c = arg;
	UpdateSet  *ours = palloc(sizeof(UpdateSet) * (size_t) (n + 1));
	int			kept = sets_prepare(c->server, name, name_len, sets, n, ours, c->sink);

	for (int i = 0; i < kept; i++)
		for (int k = 0; k < ours[i].n; k++)
			item_put(c, name, name_len, ours[i].type, OURS, ours[i].rdata[k], ours[i].len[k], ours[i].ttl);
	for (int i = 0, told = 0; i < n; i++)
	{
		bool		is = told < kept && ours[told].type == sets[i].type && ours[told].n > 0;

		told += told < kept && ours[told].type == sets[i].type;
		if (!is && server_manages(c->server, name, name_len, sets[i].type))
			item_put(c, name, name_len, sets[i].type, HAD, (const uint8 *) "", 0, 0);
	}
}

static void
fetched_put(ZoneComparison *c, Spool *fetched)
{
	spool_rewind(fetched);
	while (spool_next(fetched) == SPOOL_ITEM)
	{
		WireReader	r;
		const uint8 *name;
		size_t		name_len;
		uint16		type;
		uint32		ttl;

		CHECK_FOR_INTERRUPTS();
		wire_reader_init(&r, fetched->entry.data, (size_t) fetched->entry.len);
		name = wire_get_string(&r, NAME_STORED_MAX, &name_len);
		type = wire_get_u16(&r);
		ttl = wire_get_u32(&r);
		if (server_manages(c->server, name, name_len, type))
			item_put(c, name, name_len, type, THEIRS, r.p, (size_t) (r.end - r.p), ttl);
	}
}

static bool
sets_same(const UpdateSet *a, const UpdateSet *b)
{
	if (a->n != b->n || a->ttl != b->ttl)
		return false;
	for (int i = 0; i < a->n; i++)
		if (a->len[i] != b->len[i] || memcmp(a->rdata[i], b->rdata[i], a->len[i]) != 0)
			return false;
	return true;
}

static Difference
difference_kind(const ZoneComparison *c)
{
	if (c->sets[THEIRS].n == 0)
		return DIFFERENCE_ADD;
	if (c->sets[OURS].n > 0)
		return DIFFERENCE_REPLACE;
	return c->had ? DIFFERENCE_REMOVE : DIFFERENCE_EXTRA;
}

/* The RRset that was gathered. */
static void
set_tell(ZoneComparison *c)
{
	if (c->prefix.len > 0 && !sets_same(&c->sets[OURS], &c->sets[THEIRS]))
	{
		uint16		type = (uint16) ((uint8) c->prefix.data[c->prefix.len - 2] << 8 | (uint8) c->prefix.data[c->prefix.len - 1]);
		size_t		name_len = (size_t) c->prefix.len - 3;

		c->sets[OURS].type = c->sets[THEIRS].type = type;
		if (c->excepted.len != (int) name_len + 1 || memcmp(c->excepted.data, c->prefix.data, name_len) != 0)
			c->sink->difference((uint8 *) c->prefix.data, name_len, difference_kind(c), &c->sets[OURS], &c->sets[THEIRS], c->sink->arg);
	}
	resetStringInfo(&c->prefix);
	memset(c->sets, 0, sizeof(c->sets));
	memset(c->cap, 0, sizeof(c->cap));
	c->had = false;
	MemoryContextReset(c->scratch);
}

static void
set_append(ZoneComparison *c, int side, const uint8 *rdata, size_t len, uint32 ttl)
{
	UpdateSet  *set = &c->sets[side];
	uint8	   *copy = palloc(len + 1);

	if (set->n == c->cap[side])
	{
		c->cap[side] = c->cap[side] ? c->cap[side] * 2 : 4;
		set->rdata = set->rdata ? repalloc(set->rdata, sizeof(uint8 *) * (size_t) c->cap[side]) : palloc(sizeof(uint8 *) * (size_t) c->cap[side]);
		set->len = set->len ? repalloc(set->len, sizeof(uint16) * (size_t) c->cap[side]) : palloc(sizeof(uint16) * (size_t) c->cap[side]);
	}
	memcpy(copy, rdata, len);
	set->ttl = set->n == 0 ? ttl : Min(set->ttl, ttl);
	set->rdata[set->n] = copy;
	set->len[set->n++] = (uint16) len;
}

static void
sorted_take(ZoneComparison *c, const uint8 *item, size_t len)
{
	/* labels, each ended by 0, and an empty one; but the root is nothing, and a 0 */
	const uint8 *end = item;
	size_t		head;
	MemoryContext old;
	WireReader	r;
	uint32		ttl;

	while (*end != 0)
		end = (const uint8 *) memchr(end, 0, len - (size_t) (end - item)) + 1;
	head = (size_t) (end - item) + 3;
	if (item[head] == EXCEPT)
	{
		set_tell(c);
		resetStringInfo(&c->excepted);
		appendBinaryStringInfo(&c->excepted, (const char *) item, (int) head - 2);
		return;
	}
	if (c->prefix.len != (int) head || memcmp(c->prefix.data, item, head) != 0)
	{
		set_tell(c);
		appendBinaryStringInfo(&c->prefix, (const char *) item, (int) head);
	}
	if (item[head] == HAD)
	{
		c->had = true;
		return;
	}
	wire_reader_init(&r, item + len - 4, 4);
	ttl = wire_get_u32(&r);
	old = MemoryContextSwitchTo(c->scratch);
	set_append(c, item[head], item + head + 1, len - head - 5, ttl);
	MemoryContextSwitchTo(old);
}

void
comparison_end(ZoneComparison *c, Spool *fetched, const DifferenceSink *sink)
{
	Datum		d;
	bool		isnull;

	c->sink = sink;
	if (!served_gone(c->zone))
		served_walk(c->zone, served_put, c);
	fetched_put(c, fetched);
	tuplesort_performsort(c->sort);
	while (compat_tuplesort_getdatum(c->sort, &d, &isnull))
	{
		struct varlena *b = (struct varlena *) DatumGetPointer(d);

		CHECK_FOR_INTERRUPTS();
		sorted_take(c, (const uint8 *) VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b));
		pfree(b);
	}
	set_tell(c);
	tuplesort_end(c->sort);
	MemoryContextDelete(c->scratch);
}
