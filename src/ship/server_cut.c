/*
 * server_cut.c: see server_cut.h.
 *
 * Invariant: what the database never had is in no item, unless its removal has been asked for. What stands in its way is a SPOOL_CANNOT.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "ship/server_cut.h"
#include "store/policy.h"
#include "store/relation.h"
#include "store/wire.h"

static void
entry_put(Cut *c, SpoolKind kind, const uint8 *name, size_t name_len, const UpdateSet *sets, int n)
{
	UpdateItem	item = {.name = name, .name_len = name_len, .n = n, .sets = unconstify(UpdateSet *, sets)};
	StringInfoData octets;

	if (n == 0)
		return;
	initStringInfo(&octets);
	item_encode(&octets, &item);
	spool_put(c->spool, kind, octets.data, (size_t) octets.len);
	pfree(octets.data);
}

static void
cannot_put(const uint8 *name, size_t name_len, uint16 type, const char *why, void *arg)
{
	Cut		   *c = arg;
	StringInfoData octets;

	initStringInfo(&octets);
	wire_put_u16(&octets, type);
	wire_put_string(&octets, name, name_len);
	appendStringInfoString(&octets, why);
	spool_put(c->spool, SPOOL_CANNOT, octets.data, (size_t) octets.len);
	pfree(octets.data);
}

/* One item for a name: a CNAME record is not taken before the others have gone. */
static void
item_put(Cut *c, int there, const uint8 *name, size_t name_len, UpdateSet *sets, int n)
{
	DifferenceSink sink = {.arg = c, .cannot = cannot_put};

	if (there)
		n = extras_clash(there, name, name_len, sets, n, &sink);
	entry_put(c, SPOOL_ITEM, name, name_len, sets, n);
}

/* The SOA record, which comes last: for its content, or its serial. */
static void
soa_put(Cut *c, ServedZone *zone)
{
	DifferenceSink sink = {.arg = c, .cannot = cannot_put};
	ServedSet  *sets;
	UpdateSet	soa;
	int			n = served_name(zone, zone->ref.name, zone->ref.name_len, &sets);

	for (int i = 0; i < n; i++)
		if (sets[i].type == TYPE_SOA && sets[i].n == 1 &&
			sets_prepare(c->row, zone->ref.name, zone->ref.name_len, &sets[i], 1, &soa, &sink) == 1)
			entry_put(c, SPOOL_LAST, zone->ref.name, zone->ref.name_len, &soa, 1);
}

/* ---------- what has changed ---------- */

static void
zone_end(ServedZone *zone, void *arg)
{
	Cut		   *c = arg;

	if (c->zone == zone->ref.number && c->soa)
		soa_put(c, zone);
	c->zone = 0;
	c->soa = false;
}

static bool
wants(const ZoneRef *zone, void *arg)
{
	const Cut  *c = arg;

	return !zone->table && patterns_match(c->row->zones, zone->name, zone->name_len);
}

static int
number_order(const void *a, const void *b)
{
	int32		x = *(const int32 *) a,
				y = *(const int32 *) b;

	return (x > y) - (x < y);
}

/* Will the zone be compared? Then that is done soon, since something has changed. */
static bool
zone_waits(Cut *c, const ZoneRef *zone)
{
	const Todo *last = c->changed ? llast(c->changed) : NULL;
	MemoryContext old;

	if (c->nwaiting == 0 || !bsearch(&zone->number, c->waiting, (size_t) c->nwaiting, sizeof(int32), number_order))
		return false;
	if (last && last->number == zone->number)
		return true;
	old = MemoryContextSwitchTo(GetMemoryChunkContext(c->spool));
	c->changed = lappend(c->changed, todo_copy(&(Todo) {.zone = zone->name, .zone_len = zone->name_len, .number = zone->number}, CurrentMemoryContext));
	MemoryContextSwitchTo(old);
	return true;
}

static void
whole_put(ServedZone *zone, void *arg)
{
	Cut		   *c = arg;

	spool_put(c->spool, SPOOL_WHOLE, zone->ref.name, zone->ref.name_len);
}

static void
claim(Cut *c, const ServedZone *zone, const uint8 *name, size_t name_len, uint16 type)
{
	Todo		t = {.zone = zone->ref.name, .zone_len = zone->ref.name_len, .name = name, .name_len = name_len, .type = type, .extra = true};
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(c->spool));

	c->claimed = lappend(c->claimed, todo_copy(&t, CurrentMemoryContext));
	MemoryContextSwitchTo(old);
}

static void
name_put(ServedZone *zone, const uint8 *name, size_t name_len, const ServedSet *sets, int n, void *arg)
{
	Cut		   *c = arg;
	DifferenceSink sink = {.arg = c, .cannot = cannot_put};
	UpdateSet  *out = palloc(sizeof(UpdateSet) * (size_t) (n + 1));
	bool		apex = name_len == zone->ref.name_len;
	int			there,
				kept,
				others = 0;

	if (served_gone(zone) || zone_waits(c, &zone->ref))
		return;
	if (zone->ref.number != c->zone)
	{
		spool_put(c->spool, SPOOL_ZONE, zone->ref.name, zone->ref.name_len);
		c->zone = zone->ref.number;
		c->soa = c->row->our_serial;
	}
	there = extras_at(c->extras, zone->ref.name, zone->ref.name_len, name, name_len);
	kept = sets_prepare(c->row, name, name_len, sets, n, out, &sink);
	for (int i = 0; i < kept; i++)
	{
		if (there)
			claim(c, zone, name, name_len, out[i].type);
		if (apex && out[i].type == TYPE_SOA)
			c->soa = true;
		else
			out[others++] = out[i];
	}
	item_put(c, there, name, name_len, out, others);
}

Changes
cut_changes(Cut *c, const uint8 *vector, size_t vector_len)
{
	ChangeSink	sink = {.arg = c, .wants = wants, .zone = whole_put, .name = name_put, .end = zone_end};

	return changes_tell(vector_len ? vector : NULL, vector_len, &sink);
}

/* ---------- a zone that is compared ---------- */

/* What differs of the name at hand. */
static void
differing_put(Cut *c)
{
	UpdateSet  *sets = palloc(sizeof(UpdateSet) * (size_t) (list_length(c->sets) + 1));
	ListCell   *lc;
	int			n = 0;

	foreach(lc, c->sets)
		sets[n++] = *(UpdateSet *) lfirst(lc);
	item_put(c, c->there, (uint8 *) c->name.data, (size_t) c->name.len, sets, n);
	pfree(sets);
	c->sets = NIL;
	c->there = 0;
	resetStringInfo(&c->name);
	MemoryContextReset(c->scratch);
}

static UpdateSet *
set_copy(const UpdateSet *set)
{
	UpdateSet  *copy = palloc(sizeof(UpdateSet));

	*copy = *set;
	copy->rdata = palloc(sizeof(uint8 *) * (size_t) (set->n + 1));
	copy->len = palloc(sizeof(uint16) * (size_t) (set->n + 1));
	for (int i = 0; i < set->n; i++)
	{
		uint8	   *rdata = palloc((Size) set->len[i] + 1);

		memcpy(rdata, set->rdata[i], set->len[i]);
		copy->rdata[i] = rdata;
		copy->len[i] = set->len[i];
	}
	return copy;
}

static void
differs(const uint8 *name, size_t name_len, Difference kind, const UpdateSet *ours, const UpdateSet *theirs, void *arg)
{
	Cut		   *c = arg;
	MemoryContext old;

	if (c->name.len != (int) name_len || memcmp(c->name.data, name, name_len) != 0)
	{
		differing_put(c);
		appendBinaryStringInfo(&c->name, (const char *) name, (int) name_len);
	}
	if (kind == DIFFERENCE_EXTRA)
	{
		c->there |= ours->type == TYPE_CNAME ? EXTRA_CNAME : EXTRA_OTHER;
		old = MemoryContextSwitchTo(GetMemoryChunkContext(c->spool));
		extras_found(&c->found, name, name_len, ours->type);
	}
	else
	{
		old = MemoryContextSwitchTo(c->scratch);
		if (ours->type != TYPE_SOA) /* it is put for all of the zone */
			c->sets = lappend(c->sets, set_copy(ours));
	}
	MemoryContextSwitchTo(old);
}

static void
zone_cut(Cut *c, ServedZone *zone, Spool *fetched)
{
	DifferenceSink sink = {.arg = c, .difference = differs, .cannot = cannot_put};

	c->scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl differing name", ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&c->name);
	c->sets = NIL;
	c->there = 0;
	comparison_end(comparison_begin(c->row, zone), fetched, &sink);
	differing_put(c);
	MemoryContextDelete(c->scratch);
	soa_put(c, zone);
}

/* One RRset that was asked to be removed: unless it is this database's by now. */
static void
extra_put(Cut *c, const Todo *t, const UpdateSet *sets, int n)
{
	UpdateSet	gone = {.type = t->type};

	for (int i = 0; i < n; i++)
		if (sets[i].type == t->type)
			return;
	if (server_manages(c->row, t->name, t->name_len, t->type))
		entry_put(c, SPOOL_ITEM, t->name, t->name_len, &gone, 1);
}

static void
rrset_cut(Cut *c, ServedZone *zone, const Todo *t)
{
	DifferenceSink sink = {.arg = c, .cannot = cannot_put};
	ServedSet  *sets;
	int			n = served_name(zone, t->name, t->name_len, &sets);
	UpdateSet  *out = palloc(sizeof(UpdateSet) * (size_t) (n + 1));
	int			there = t->extra ? 0 : extras_at(c->extras, t->zone, t->zone_len, t->name, t->name_len);
	int			kept = 0;

	for (int i = 0; i < n; i++)
		if (t->type == 0 || sets[i].type == t->type)
			sets[kept++] = sets[i];
	kept = sets_prepare(c->row, t->name, t->name_len, sets, kept, out, &sink);
	if (t->extra)
		extra_put(c, t, out, kept);
	item_put(c, there, t->name, t->name_len, out, kept);
}

bool
cut_todo(Cut *c, const Todo *t, Spool *fetched, XLogRecPtr *flush)
{
	Store	   *store;
	ServedZone	zone;
	bool		there;

	tables_refresh();
	policies_refresh();
	store = store_open(false);
	PushActiveSnapshot(GetLatestSnapshot());
	there = t->number && served_open(&zone, store, GetActiveSnapshot(), t->number) && !served_gone(&zone) &&
		patterns_match(c->row->zones, t->zone, t->zone_len);
	*flush = InvalidXLogRecPtr;
	if (there)
	{
		spool_put(c->spool, SPOOL_ZONE, t->zone, t->zone_len);
		if (t->name)
			rrset_cut(c, &zone, t);
		else if (fetched)
			zone_cut(c, &zone, fetched);
		*flush = zone.flush;
	}
	PopActiveSnapshot();
	store_close(store);
	return there;
}
