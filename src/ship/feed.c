/*
 * feed.c: see feed.h.
 *
 * A message that a server refuses for good is cut in halves until the item is found that it does not like, and that into
 * its RRsets, except where a CNAME record takes the place of others. If nothing of a zone is taken, it is the zone that is refused; as it is
 * when the server answers SERVFAIL, or has no such zone. One zone's refusals are nothing to the others.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "dns/rrtype.h"
#include "ship/feed.h"
#include "ship/update.h"
#include "store/relation.h"
#include "store/wire.h"

#define MAX_REFUSED_SINGLES 8	/* of a zone that takes nothing: then the zone is refused */

typedef struct ZoneFeed
{
	Feed	   *feed;
	uint8		zone[NAME_STORED_MAX];
	size_t		zone_len;
	bool		refused;		/* the zone as a whole */
	int			taken,			/* messages, and items that were refused alone */
				singles;
	bool		fails;			/* some of them by SERVFAIL */
	int			before;			/* refusals of zones before it */
	MemoryContext context;		/* of the message that is being gathered */
	int			n,
				cap;
	UpdateItem *items;
	StringInfo	message;		/* with those items; NULL: none */
	bool		apex_known;
	UpdateApex	apex;
} ZoneFeed;

typedef enum Verdict
{
	TAKEN, REFUSED, ZONE_REFUSED
} Verdict;

static void
refusal_add(ZoneFeed *z, const UpdateItem *item, uint16 type, const char *why)
{
	Refusal    *r;
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(z));

	r = palloc0(sizeof(Refusal));
	r->zone = palloc(z->zone_len + 1);
	memcpy(r->zone, z->zone, z->zone_len);
	r->zone_len = z->zone_len;
	if (item)
	{
		r->name = palloc(item->name_len + 1);
		memcpy(r->name, item->name, item->name_len);
		r->name_len = item->name_len;
	}
	r->type = type;
	r->why = pstrdup(why);
	z->feed->refusals = lappend(z->feed->refusals, r);
	MemoryContextSwitchTo(old);
}

static void
zone_refuse(ZoneFeed *z, const char *why)
{
	if (!z->refused)
		refusal_add(z, NULL, 0, why);
	z->refused = true;
}

/* ---------- asking ---------- */

HTAB *
feed_settled_make(MemoryContext context)
{
	HASHCTL		ctl = {.keysize = sizeof(uint64), .entrysize = sizeof(uint64), .hcxt = context};

	return hash_create("dnsrepl settled zones", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Within a session one UPDATE is under way at a time: once is enough. Where a zone takes none, nothing is under way. */
void
feed_settle(Feed *feed, const uint8 *zone, size_t zone_len)
{
	uint64		key = hash_bytes_extended(zone, (int) zone_len, 0);

	if (hash_search(feed->settled, &key, HASH_FIND, NULL))
		return;
	(void) dns_exchange(feed->conn, update_begin(zone, zone_len));
	dns_finish(feed->conn);
	(void) hash_search(feed->settled, &key, HASH_ENTER, NULL);
}

bool
feed_query(Feed *feed, const uint8 *zone, size_t zone_len, uint16 type, UpdateSet *set)
{
	StringInfo	q = dns_message(OPCODE_QUERY, zone, zone_len, type);
	StringInfo	a = dns_exchange(feed->conn, q);
	Message		m;
	MessageRecord r;

	dns_finish(feed->conn);
	memset(set, 0, sizeof(*set));
	set->type = type;
	if (!message_open(&m, (uint8 *) a->data, (size_t) a->len) || MESSAGE_RCODE(m.flags) != 0 || !(m.flags & MESSAGE_AA))
		return false;
	set->rdata = palloc(sizeof(uint8 *) * ((size_t) m.counts[1] + 1));
	set->len = palloc(sizeof(uint16) * ((size_t) m.counts[1] + 1));
	while (message_next(&m, &r) > 0 && r.section == 1)
	{
		const uint8 *wire;
		uint8	   *copy;
		RdataError	err;
		int			len;

		if (r.type != type || r.rrclass != CLASS_IN || r.name_len != zone_len || memcmp(r.name, zone, zone_len) != 0 ||
			(len = message_rdata(&m, &r, &wire, &err)) < 0)
			continue;
		copy = palloc((Size) len + 1);
		memcpy(copy, wire, (size_t) len);
		set->rdata[set->n] = copy;
		set->len[set->n++] = (uint16) len;
		set->ttl = r.ttl;
	}
	return true;
}

/* What the server has where RFC 2136 has exceptions. */
static bool
apex_read(ZoneFeed *z, const UpdateItem *item)
{
	bool		asks = false;

	for (int i = 0; i < item->n; i++)
		asks |= item->sets[i].type == TYPE_NS || item->sets[i].type == TYPE_SOA;
	if (item->name_len != z->zone_len || !asks || z->apex_known)
		return true;
	feed_settle(z->feed, z->zone, z->zone_len);
	if (!feed_query(z->feed, z->zone, z->zone_len, TYPE_NS, &z->apex.ns) ||
		!feed_query(z->feed, z->zone, z->zone_len, TYPE_SOA, &z->apex.soa) || z->apex.soa.n != 1)
	{
		zone_refuse(z, "the server is not authoritative for the zone");
		return false;
	}
	z->apex_known = true;
	return true;
}

/* ---------- telling ---------- */

static Verdict
message_tell(ZoneFeed *z, StringInfo message, const char **why)
{
	StringInfo	answer = dns_exchange(z->feed->conn, message);
	int			rcode = dns_rcode(answer);
	char		other[16];

	dns_finish(z->feed->conn);
	if (z->feed->progress)
		z->feed->progress();
	z->apex_known = false;
	if (rcode == 0)
	{
		z->taken++;
		return TAKEN;
	}
	*why = psprintf("the server answers %s", rcode_name(rcode, other));
	z->fails |= rcode == 2;
	if (rcode == 2)				/* SERVFAIL: nothing is wrong with what was told, as long as it may pass */
		return z->feed->splits_servfail ? REFUSED : ZONE_REFUSED;
	return rcode == 9 || rcode == 10 || rcode == 4 ? ZONE_REFUSED : REFUSED;	/* NOTAUTH, NOTZONE, NOTIMP */
}

static void items_tell(ZoneFeed *z, UpdateItem *items, int n);

/* One item was refused: if it has several RRsets, which of them? */
static void
single_refused(ZoneFeed *z, UpdateItem *item, const char *why)
{
	bool		bound = item->n < 2;

	for (int i = 0; i < item->n; i++)
		bound |= item->sets[i].type == TYPE_CNAME;
	if (!bound)
	{
		for (int i = 0; i < item->n; i++)
			items_tell(z, &(UpdateItem) {.name = item->name, .name_len = item->name_len, .n = 1, .sets = &item->sets[i]}, 1);
		return;
	}
	refusal_add(z, item, item->n == 1 ? item->sets[0].type : 0, why);
	z->singles++;
	if (z->taken == 0 && z->singles >= MAX_REFUSED_SINGLES)
		zone_refuse(z, why);
}

/* Items that fit into one message together. */
static void
items_tell(ZoneFeed *z, UpdateItem *items, int n)
{
	const char *why = NULL;
	StringInfo	message;

	if (n == 0 || z->refused)
		return;
	CHECK_FOR_INTERRUPTS();
	message = update_begin(z->zone, z->zone_len);
	for (int i = 0; i < n; i++)
		if (!apex_read(z, &items[i]))
			return;
	for (int i = 0; i < n; i++)
		if (!update_add(message, z->zone, z->zone_len, &items[i], &z->apex, z->feed->server->our_serial))
		{
			/* more records at the apex than there were */
			items_tell(z, items, i);
			items_tell(z, items + i, n - i);
			return;
		}
	switch (message_tell(z, message, &why))
	{
		case TAKEN:
			break;
		case ZONE_REFUSED:
			zone_refuse(z, why);
			break;
		case REFUSED:
			if (n == 1)
				single_refused(z, &items[0], why);
			else
			{
				items_tell(z, items, n / 2);
				items_tell(z, items + n / 2, n - n / 2);
			}
			break;
	}
}

static void
gathered_tell(ZoneFeed *z)
{
	MemoryContext old = MemoryContextSwitchTo(z->context);

	items_tell(z, z->items, z->n);
	MemoryContextSwitchTo(old);
	MemoryContextReset(z->context);
	z->n = z->cap = 0;
	z->items = NULL;
	z->message = NULL;
	z->apex_known = false;
}

/* False: it does not fit with what was gathered. */
static bool
item_gather(ZoneFeed *z, const StringInfoData *octets)
{
	uint8	   *copy = palloc((Size) octets->len + 1);
	UpdateItem	item;

	memcpy(copy, octets->data, (size_t) octets->len);
	if (!item_decode(copy, (size_t) octets->len, &item))
		elog(ERROR, "an item of the spool cannot be read");
	if (!z->message)
		z->message = update_begin(z->zone, z->zone_len);
	if (!apex_read(z, &item))
		return true;
	if (!update_add(z->message, z->zone, z->zone_len, &item, &z->apex, z->feed->server->our_serial))
	{
		if (z->n > 0)
			return false;
		refusal_add(z, &item, item.n == 1 ? item.sets[0].type : 0, "it does not fit into a DNS message");
		return true;
	}
	if (z->n == z->cap)
	{
		z->cap = z->cap ? z->cap * 2 : 64;
		z->items = z->items ? repalloc(z->items, sizeof(UpdateItem) * (size_t) z->cap) : palloc(sizeof(UpdateItem) * (size_t) z->cap);
	}
	z->items[z->n++] = item;
	return true;
}

static void
item_take(ZoneFeed *z, const StringInfoData *octets)
{
	MemoryContext old = MemoryContextSwitchTo(z->context);
	bool		fits = item_gather(z, octets);

	MemoryContextSwitchTo(old);
	if (fits)
		return;
	gathered_tell(z);
	old = MemoryContextSwitchTo(z->context);
	(void) item_gather(z, octets);
	MemoryContextSwitchTo(old);
}

static void
cannot_take(ZoneFeed *z, const StringInfoData *octets)
{
	WireReader	r;
	UpdateItem	item = {0};
	uint16		type;

	wire_reader_init(&r, octets->data, (size_t) octets->len);
	type = wire_get_u16(&r);
	item.name = wire_get_string(&r, NAME_STORED_MAX, &item.name_len);
	refusal_add(z, &item, type, pnstrdup((const char *) r.p, (Size) (r.end - r.p)));
}

/* One pass over a zone's entries. Returns what comes behind them. */
static SpoolKind
zone_pass(ZoneFeed *z, Spool *spool, bool adding)
{
	SpoolKind	kind;
	UpdateItem	item;

	while ((kind = spool_next(spool)) == SPOOL_ITEM || kind == SPOOL_LAST || kind == SPOOL_CANNOT)
	{
		MemoryContext old;
		bool		adds;

		if (z->refused)
			continue;
		if (kind == SPOOL_CANNOT)
		{
			if (adding)
				cannot_take(z, &spool->entry);
			continue;
		}
		old = MemoryContextSwitchTo(z->context);
		if (!item_decode((uint8 *) spool->entry.data, (size_t) spool->entry.len, &item))
			elog(ERROR, "an item of the spool cannot be read");
		adds = kind == SPOOL_ITEM && item_adds(&item);
		MemoryContextSwitchTo(old);
		if (adds == adding)
			item_take(z, &spool->entry);
	}
	return kind;
}

/* If each of several things was refused, and not for what it is, it is the zone. */
static void
zone_judge(ZoneFeed *z)
{
	const char *why;

	if (z->refused || !z->fails || z->taken > 0 || z->singles < 2)
		return;
	why = ((Refusal *) llast(z->feed->refusals))->why;
	z->feed->refusals = list_truncate(z->feed->refusals, z->before);
	zone_refuse(z, why);
}

void
feed_spool(Feed *feed, Spool *spool)
{
	ZoneFeed   *z = palloc0(sizeof(ZoneFeed));
	SpoolKind	kind;

	z->feed = feed;
	z->context = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl update", ALLOCSET_DEFAULT_SIZES);
	spool_rewind(spool);
	kind = spool_next(spool);
	while (kind != SPOOL_END)
	{
		SpoolPlace	start;

		if (kind != SPOOL_ZONE)
		{
			kind = spool_next(spool);
			continue;
		}
		z->zone_len = Min((size_t) spool->entry.len, sizeof(z->zone));
		memcpy(z->zone, spool->entry.data, z->zone_len);
		z->refused = false;
		z->taken = z->singles = 0;
		z->fails = false;
		z->before = list_length(feed->refusals);
		if (feed->zone)
			feed->zone(z->zone, z->zone_len);
		start = spool_tell(spool);
		(void) zone_pass(z, spool, true);
		spool_seek(spool, start);
		kind = zone_pass(z, spool, false);
		gathered_tell(z);
		zone_judge(z);
	}
	MemoryContextDelete(z->context);
	pfree(z);
}
