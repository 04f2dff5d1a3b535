/*
 * scrub.c: see scrub.h; and dnsrepl.store_differences(), for check_store().
 *
 * Capture and merge write the store and the tables in one transaction, so one snapshot shows both alike; no lock is taken.
 * Units that wait for their projection are left out of the findings, with those that rules tie to them: what the tables show
 * of one that waits is not in the store any more. So are those for which a policy's function does now what it did not when they were
 * projected, fail or choose. Octets that cannot be read are a finding, not an error.
 *
 * Policies, and which functions may choose, are those of now, not of the snapshot: whoever is to believe a finding looks again
 * (self_check.c).
 */
#include "postgres.h"

#include "access/table.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "merge/scrub.h"
#include "store/damage.h"
#include "store/group.h"
#include "store/image.h"
#include "store/origin.h"
#include "store/parked.h"
#include "store/progress.h"
#include "store/resolve.h"
#include "store/result_set.h"
#include "store/soa.h"
#include "store/unit_json.h"

PG_FUNCTION_INFO_V1(dnsrepl_store_differences);

typedef struct Check
{
	Store	   *store;
	ScrubTell	tell;
	void	   *arg;
	MemoryContext scratch;		/* reset for each group, or row */
	const ZoneRef *zone;
	Live		live;
	int32		id;				/* in domains; 0: none */
	List	   *parked;			/* what waits for its projection: keys */
	ZoneSums	sums;
	StringInfoData last;		/* the key of the row that was looked at last */
} Check;

static void
tell(Check *c, const uint8 *key, size_t key_len, const char *problem, TableDesc *t, const RowSet *store, const RowSet *tables)
{
	if (parked_among(c->parked, key, key_len))
		return;
	c->sums.differences++;
	if (c->tell)
		c->tell(&(ScrubFinding) {.zone = c->zone, .key = key, .key_len = key_len, .problem = problem, .table = t,
				.store = store, .tables = tables}, c->arg);
}

/* ---------- the store against the tables ---------- */

static RowSet
unit_in_tables(Check *c, TableDesc *t, const GroupUnit *u)
{
	ZoneValue	at = {.id = c->id, .name = c->zone->name, .name_len = c->zone->name_len};
	RowSet		rows = {0};
	Relation	rel;

	if (t->zone == ZONE_BY_ID && !c->id)
		return rows;
	rel = table_open_as(t, AccessShareLock);
	rows = unit_rows(t, rel, GetActiveSnapshot(), &at, u->key, u->key_len);
	table_close(rel, AccessShareLock);
	return rows;
}

/* As the tables should have it: an SOA record has the zone's serial. */
static RowSet
unit_in_store(Check *c, TableDesc *t, const GroupUnit *u)
{
	RowSet		rows = {.rows = palloc(sizeof(Row) * (size_t) (u->served.rows.n + 1))};
	uint32		serial;

	if (!u->served.live)
		return rows;
	for (int i = 0; i < u->served.rows.n; i++)
	{
		Row			row = u->served.rows.rows[i];

		if (record_type(u->key, u->key_len) == TYPE_SOA && soa_row_serial(t, &row, &serial) && serial == 0)
			row = soa_row_with_serial(t, &row, (uint32) c->zone->state.serial);
		rows.rows[rows.n++] = row;
	}
	rows_sort(&rows);
	return rows;
}

static void
unit_check(Check *c, const GroupUnit *u, bool waits)
{
	TableDesc  *t = key_table(u->key, u->key_len);
	uint64		hash = served_hash(u->key, u->key_len, &u->served);
	RowSet		should,
				is;

	c->sums.units++;
	if (key_number(u->key, u->key_len) == TABLE_RECORDS)
		c->sums.served += hash;
	else
		c->sums.others += hash;
	for (int i = 0; i < u->set.n; i++)
		c->sums.held += version_hash(u->key, u->key_len, &u->set.v[i]);
	if (!t || t->problem || waits || (u->served.live && u->served.ncolumns != t->ncolumns))
		return;
	should = unit_in_store(c, t, u);
	is = unit_in_tables(c, t, u);
	if (!rows_same(&should, &is))
		tell(c, u->key, u->key_len, "the tables are not what the store has", t, &should, &is);
}

static void
version_check(const uint8 *key, size_t key_len, const Version *v, void *arg)
{
	Image		image;
	bool	   *good = arg;

	*good &= key_well_formed(key, key_len) && image_decode(v->image, v->image_len, false, &image) &&
		origin_known(v->dot.origin);
}

static bool
check_group(const uint8 *prefix, size_t prefix_len, void *arg)
{
	Check	   *c = arg;
	MemoryContext old = MemoryContextSwitchTo(c->scratch);
	bool		good = true;

	progress();
	version_walk(c->store, GetActiveSnapshot(), c->zone->number, prefix, prefix_len, false, version_check, &good);
	if (!good)
		tell(c, prefix, prefix_len, SCRUB_UNREADABLE, NULL, NULL, NULL);
	else
	{
		UnitGroup  *g = group_read(c->store, GetActiveSnapshot(), c->zone, prefix, prefix_len);
		bool		waits = group_waits(g);
		ResolverLooks looks = resolver_looks;

		group_judge(g, &c->live, true, c->store, GetActiveSnapshot());
		c->sums.unsure |= resolver_looks.fails != looks.fails;
		c->sums.works |= resolver_looks.works != looks.works;
		waits |= resolver_looks.fails != looks.fails || resolver_looks.works != looks.works;
		for (int i = 0; i < g->n; i++)
			unit_check(c, &g->units[i], waits);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(c->scratch);
	return true;
}

/* ---------- the tables against the store ---------- */

static void
check_row(TableDesc *t, TupleTableSlot *slot, void *arg)
{
	Check	   *c = arg;
	MemoryContext old = MemoryContextSwitchTo(c->scratch);
	StringInfoData key;

	progress();
	initStringInfo(&key);
	if (key_encode(&key, t, slot) &&
		!(key.len == c->last.len && memcmp(key.data, c->last.data, (size_t) key.len) == 0))
	{
		resetStringInfo(&c->last);
		appendBinaryStringInfo(&c->last, key.data, key.len);
		if (version_read(c->store, GetActiveSnapshot(), c->zone->number, (uint8 *) key.data, (size_t) key.len).n == 0)
		{
			GroupUnit	u = {.key = (uint8 *) key.data, .key_len = (size_t) key.len};
			RowSet		is = unit_in_tables(c, t, &u);

			tell(c, u.key, u.key_len, "the store has nothing of it", t, NULL, &is);
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(c->scratch);
}

static void
check_rows(Check *c)
{
	TableDesc  *t;
	int			position = 0;

	while ((t = table_next(&position)) != NULL)
	{
		ZoneValue	at = {.id = c->id, .name = c->zone->name, .name_len = c->zone->name_len};
		Relation	rel;

		if (t->problem || (c->zone->table ? t->number != c->zone->table : t->zone == ZONE_NONE || !c->id))
			continue;
		rel = table_open_as(t, AccessShareLock);
		resetStringInfo(&c->last);
		zone_rows(t, rel, GetActiveSnapshot(), c->zone->table ? NULL : &at, check_row, c);
		table_close(rel, AccessShareLock);
	}
}

/* ---------- zones ---------- */

ZoneSums
scrub_zone(Store *store, const ZoneRef *zone, ScrubTell fn, void *arg)
{
	Check		c = {.store = store, .tell = fn, .arg = arg, .zone = zone, .live = live_shown(zone)};

	c.scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl check", ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&c.last);
	c.parked = parked_keys(GetActiveSnapshot(), zone);
	c.sums.parked = c.parked != NIL;
	c.id = zone->table ? 0 : domain_id(GetActiveSnapshot(), zone->name, zone->name_len);
	c.sums.held = live_hash(&zone->state.stored);
	group_walk(c.store, GetActiveSnapshot(), zone->number, (const uint8 *) "", 0, NULL, 0, check_group, &c);
	check_rows(&c);
	pfree(c.last.data);
	MemoryContextDelete(c.scratch);
	return c.sums;
}

/* ---------- for check_store() ---------- */

typedef struct Differences
{
	Tuplestorestate *out;
	TupleDesc	desc;
} Differences;

static Datum
rows_datum(TableDesc *t, const RowSet *rows)
{
	StringInfoData out;
	RowSet		shown = rows_without_secrets(t, t->ncolumns, rows);

	initStringInfo(&out);
	(void) json_rows(&out, t, t->ncolumns, &shown);
	return json_datum(&out);
}

static void
difference_tell(const ScrubFinding *f, void *arg)
{
	Differences *d = arg;
	Datum		values[5] = {Int32GetDatum(f->zone->number), PointerGetDatum(varlena_make(f->key, f->key_len)),
	CStringGetTextDatum(f->problem)};
	bool		nulls[5] = {false, false, false, !f->store, !f->tables};

	if (f->store)
		values[3] = rows_datum(f->table, f->store);
	if (f->tables)
		values[4] = rows_datum(f->table, f->tables);
	tuplestore_putvalues(d->out, d->desc, values, nulls);
}

/* A zone whose running sums are not those of its versions: as a finding without a key. */
static void
difference_sums(Differences *d, const ZoneRef *zone, const ZoneSums *is)
{
	const ZoneState *s = &zone->state;
	StringInfoData out;
	Datum		values[5] = {Int32GetDatum(zone->number), PointerGetDatum(varlena_make("", 0))};
	bool		nulls[5] = {false, false, false, false, true};

	if (s->served == is->served && s->others == is->others && s->held == is->held)
		return;
	initStringInfo(&out);
	appendStringInfo(&out, "{\"served\": " INT64_FORMAT ", \"others\": " INT64_FORMAT ", \"held\": " INT64_FORMAT "}",
					 (int64) is->served, (int64) is->others, (int64) is->held);
	values[2] = CStringGetTextDatum(s->held != is->held ? DAMAGE_PROBLEM :
									"the zone's running sums are off");
	values[3] = json_datum(&out);
	tuplestore_putvalues(d->out, d->desc, values, nulls);
}

/* store_differences(OUT zone_no int, OUT key bytea, OUT problem text, OUT store jsonb, OUT tables jsonb) returns setof record */
Datum
dnsrepl_store_differences(PG_FUNCTION_ARGS)
{
	Differences d = {0};
	Store	   *store;
	ZoneRef    *zones;
	int			n;

	tables_refresh();
	(void) table_domains();
	d.out = result_set_begin(fcinfo, &d.desc);

	PushActiveSnapshot(GetLatestSnapshot());
	zones = zone_all_at(GetActiveSnapshot(), &n);
	store = store_open(false);
	for (int i = 0; i < n; i++)
	{
		ZoneSums	sums = scrub_zone(store, &zones[i], difference_tell, &d);

		difference_sums(&d, &zones[i], &sums);
	}
	store_close(store);
	PopActiveSnapshot();
	return (Datum) 0;
}
