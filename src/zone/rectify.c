/*
 * rectify.c: see rectify.h.
 *
 * The names go through a sort, so that there may be any number of them, and come out in canonical order, a lot at a time
 * (rectify_lot.c).
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

#include "compat.h"
#include "dnsrepl.h"
#include "dns/name.h"
#include "store/progress.h"
#include "zone/rectify.h"
#include "zone/rectify_lot.h"

#define LOT			AT_ONCE(5000, 3)	/* names that were touched, looked at together */

bool		rectify_gives_way = false;

struct Rectify
{
	MemoryContext context,
				lot;
	RectifyZone *zones;
	int			nzones,
				cap,
				last;			/* the one asked for last */
	Tuplesortstate *sort;		/* NULL: no name yet */
	StringInfoData item;
	Store	   *store;
	Snapshot	snapshot;
};

/* ---------- names ---------- */

Rectify *
rectify_begin(void)
{
	Rectify    *r = palloc0(sizeof(Rectify));

	r->context = CurrentMemoryContext;
	initStringInfo(&r->item);
	return r;
}

static int
zone_entry(Rectify *r, const ZoneRef *zone)
{
	if (r->last < r->nzones && r->zones[r->last].ref == zone)
		return r->last;
	for (int i = r->nzones - 1; i >= 0; i--)
		if (r->zones[i].ref == zone)
			return r->last = i;
	if (r->nzones == r->cap)
	{
		MemoryContext old = MemoryContextSwitchTo(r->context);

		r->cap = r->cap ? r->cap * 2 : 8;
		r->zones = r->zones ? repalloc_huge(r->zones, sizeof(RectifyZone) * (size_t) r->cap)
			: palloc(sizeof(RectifyZone) * (size_t) r->cap);
		MemoryContextSwitchTo(old);
	}
	r->zones[r->nzones] = (RectifyZone) {.ref = zone};
	return r->last = r->nzones++;
}

/* Zone, name, 0; another 1 for a delegation: so a name comes before those below it. */
static void
item_put(Rectify *r, int zone, const uint8 *name, size_t name_len, bool cut)
{
	MemoryContext old = MemoryContextSwitchTo(r->context);

	if (!r->sort)
		r->sort = tuplesort_begin_datum(BYTEAOID, BYTEA_LESS, InvalidOid, false, work_mem, NULL, false);
	resetStringInfo(&r->item);
	appendStringInfoSpaces(&r->item, VARHDRSZ);
	wire_put_u32(&r->item, (uint32) zone);
	appendBinaryStringInfo(&r->item, (const char *) name, (int) name_len);
	wire_put_u8(&r->item, 0);
	if (cut)
		wire_put_u8(&r->item, 1);
	SET_VARSIZE(r->item.data, r->item.len);
	tuplesort_putdatum(r->sort, PointerGetDatum(r->item.data), false);
	MemoryContextSwitchTo(old);
}

void
rectify_name(Rectify *r, const ZoneRef *zone, int32 id, const uint8 *name, size_t name_len, bool cut)
{
	int			at;

	if (zone->table || !name_below(name, name_len, zone->name, zone->name_len))
		return;
	at = zone_entry(r, zone);
	if (id)
		r->zones[at].id = id;
	item_put(r, at, name, name_len, cut && name_len != zone->name_len);
}

void
rectify_new(Rectify *r, const ZoneRef *zone, int32 id)
{
	int			at = zone->table ? -1 : zone_entry(r, zone);

	if (at < 0)
		return;
	r->zones[at].id = id;
	r->zones[at].fresh = true;
}

bool
rectify_may_be_plain(const UnitGroup *g)
{
	size_t		len = g->prefix_len - 3;

	if (len == g->zone->name_len)
		return true;
	for (int i = 0; i < g->n; i++)
		if (record_type(g->units[i].key, g->units[i].key_len) == TYPE_NS)
			return false;
	return name_parent(g->prefix + 2, len) == g->zone->name_len;
}

/* The default of a column: is it this, constantly? */
static bool
default_is(Relation rel, AttrNumber att, bool isnull)
{
	Node	   *expr = build_column_default(rel, att);
	Const	   *c;

	if (!expr)
		return isnull;
	c = (Const *) expression_planner((Expr *) expr);
	return IsA(c, Const) && c->constisnull == isnull && (isnull || DatumGetBool(c->constvalue));
}

bool
rectify_plain_defaults(void)
{
	TableDesc  *t = table_by_number(TABLE_RECORDS);
	AttrNumber	ordername,
				auth;
	Relation	rel;
	bool		plain;

	if (!t || t->problem)
		return false;
	rel = table_open_as(t, AccessShareLock);
	plain = rectify_columns(t, &ordername, &auth) && default_is(rel, auth, false) && default_is(rel, ordername, true);
	table_close(rel, AccessShareLock);
	return plain;
}

bool
rectify_unsigned(const ZoneRef *zone)
{
	return zone->state.ordered == zone_signing_hash(&(ZoneSigning) {0});
}

void
rectify_zone(Rectify *r, const ZoneRef *zone)
{
	int			at = zone->table ? -1 : zone_entry(r, zone);

	if (at >= 0)
		r->zones[at].resigned = true;
}

/* ---------- zones ---------- */

typedef struct WholeZone
{
	Rectify    *r;
	int			zone;
} WholeZone;

static void
whole_row(TableDesc *t, TupleTableSlot *slot, void *arg)
{
	WholeZone  *w = arg;
	const ZoneRef *zone = w->r->zones[w->zone].ref;
	const uint8 *name;
	size_t		len;

	progress();
	if (row_name(t, slot, &name, &len) && name_below(name, len, zone->name, zone->name_len))
		item_put(w->r, w->zone, name, len, false);
}

/* How is it signed, and was it when its names were put in order? Else all of them are. */
static void
zone_begin(Rectify *r, int zone, TableDesc *t)
{
	RectifyZone *z = &r->zones[zone];
	uint64		hash;
	WholeZone	whole = {r, zone};
	ZoneValue	at;
	Relation	rel;

	if (!z->id)
		z->id = domain_id(r->snapshot, z->ref->name, z->ref->name_len);
	/* an unsigned zone is one still, unless what signs it was written */
	if (!z->id || (!z->resigned && z->ref->state.ordered == zone_signing_hash(&z->signing)))
		return;
	z->signing = zone_signing(z->id, r->snapshot);
	hash = zone_signing_hash(&z->signing);
	if (hash == z->ref->state.ordered)
		return;
	store_tally(r->store, z->ref->number)->ordered = hash;
	if (z->fresh && hash == zone_signing_hash(&(ZoneSigning) {0}))
		return;
	at = (ZoneValue) {.id = z->id};
	rel = table_open_as(t, AccessShareLock);
	zone_rows(t, rel, r->snapshot, &at, whole_row, &whole);
	table_close(rel, NoLock);
}

static bytea *
item_next(Rectify *r)
{
	MemoryContext old = MemoryContextSwitchTo(r->context);
	Datum		d;
	bool		isnull;
	bool		more = compat_tuplesort_getdatum(r->sort, &d, &isnull);

	MemoryContextSwitchTo(old);
	return more ? DatumGetByteaP(d) : NULL;
}

/* The names in order, in lots. */
static void
names_do(Rectify *r, TableDesc *t)
{
	RectifyLot *lot = NULL;
	const RectifyZone *zone = NULL;
	bytea	   *item;
	int			touched = 0;

	for (; (item = item_next(r)) != NULL; pfree(item))
	{
		WireReader	reader;
		const RectifyZone *z;
		const uint8 *name;
		bool		cut;

		progress();
		wire_reader_init(&reader, VARDATA(item), VARSIZE(item) - VARHDRSZ);
		z = &r->zones[wire_get_u32(&reader)];
		name = reader.p;
		cut = reader.end[-1] == 1;
		if (!z->id)
			continue;
		if (z != zone || touched >= LOT)
		{
			if (lot)
				lot_do(lot);
			MemoryContextReset(r->lot);
			lot = lot_begin(r->store, z, t);
			zone = z;
			touched = 0;
		}
		touched++;
		lot_add(lot, name, (size_t) (reader.end - name) - (cut ? 2 : 1), cut);
	}
	if (lot)
		lot_do(lot);
}

void
rectify_end(Rectify *r, Store *store)
{
	TableDesc  *t = table_by_number(TABLE_RECORDS);
	Relation	rel = r->nzones > 0 && t && !t->problem ? table_open_as(t, AccessShareLock) : NULL;
	AttrNumber	ordername,
				auth;
	MemoryContext old;

	/* from here on nobody alters the table */
	if (rel && rectify_columns(t, &ordername, &auth))
	{
		r->lot = AllocSetContextCreate(r->context, "dnsrepl rectification", ALLOCSET_DEFAULT_SIZES);
		old = MemoryContextSwitchTo(r->lot);
		r->store = store;
		CommandCounterIncrement();
		PushActiveSnapshot(GetLatestSnapshot());
		r->snapshot = GetActiveSnapshot();
		for (int i = 0; i < r->nzones; i++)
		{
			progress();
			zone_begin(r, i, t);
		}
		if (r->sort)
		{
			tuplesort_performsort(r->sort);
			names_do(r, t);
		}
		PopActiveSnapshot();
		MemoryContextSwitchTo(old);
		MemoryContextDelete(r->lot);
	}
	if (rel)
		table_close(rel, NoLock);
	if (r->sort)
		tuplesort_end(r->sort);
	r->sort = NULL;
	r->nzones = 0;
}
