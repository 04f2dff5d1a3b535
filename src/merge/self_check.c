/*
 * self_check.c: dnsrepl.check_zones(): a node looks after itself, zone by zone, all the time (ship/checker.c calls it).
 *
 * Of each zone, in one snapshot and without locks: are the tables what the store says (if not: dnsrepl.problem, since the
 * node cannot know which of the two is meant), are the running sums those of the versions (if what is served is off, the sum
 * is put right; if what is held is off, the store was changed behind the extension's back: mend.c; then nothing is said of the tables), and is there anything to
 * collect (collect.c). A zone that somebody has locked has its turn the next time. What is found is looked at twice before it is told,
 * since policies may have changed under the first look.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "dnsrepl.h"
#include "merge/collect.h"
#include "merge/scrub.h"
#include "merge/self_check.h"
#include "store/clock.h"
#include "store/damage.h"
#include "store/deferred.h"
#include "store/delta.h"
#include "store/origin.h"
#include "store/parked.h"
#include "store/policy.h"
#include "store/progress.h"
#include "store/relation.h"
#include "store/schema.h"
#include "store/unit_json.h"

PG_FUNCTION_INFO_V1(dnsrepl_check_zones);
PG_FUNCTION_INFO_V1(dnsrepl_check_zone_now);
PG_FUNCTION_INFO_V1(dnsrepl_stable);
PG_FUNCTION_INFO_V1(dnsrepl_holdings);
PG_FUNCTION_INFO_V1(dnsrepl_counts);
PG_FUNCTION_INFO_V1(dnsrepl_unchecked_since);
PG_FUNCTION_INFO_V1(dnsrepl_holds_back);

#define ZONES_AT_ONCE AT_ONCE(1000, 2)
#define COLLECT_AT_ONCE AT_ONCE(20000, 5)

typedef struct SelfCheck
{
	Store	   *store;
	Vector	   *stable;			/* NULL: nothing is to be collected */
	Vector	   *collected;
	Vector	   *held;			/* as it was when this began */
	int32		next;			/* the number of the zone to go on after */
	int64		units;
	int32		damaged;		/* a zone, or 0 */
	bool		missed;			/* something is to be collected that could not be now */
} SelfCheck;

/* The first thing that is wrong in a zone. */
typedef struct Finding
{
	const char *problem;		/* NULL: nothing is */
	StringInfoData key;			/* of the unit, as JSON; empty: not known */
	MemoryContext context;
} Finding;

static void
finding_init(Finding *first)
{
	first->problem = NULL;
	first->context = CurrentMemoryContext;
	initStringInfo(&first->key);
}

static void
finding_note(const ScrubFinding *f, void *arg)
{
	Finding    *first = arg;
	MemoryContext old;

	if (first->problem)
		return;
	first->problem = f->problem;
	if (!f->table)
		return;
	old = MemoryContextSwitchTo(first->context);
	json_key(&first->key, f->table, f->key, f->key_len);
	MemoryContextSwitchTo(old);
}

static void
finding_write(const ZoneRef *zone, const ZoneSums *sums, const Finding *first)
{
	const char *problem = first->problem;
	Oid			types[3] = {INT4OID, INT8OID, TEXTOID};
	Datum		values[3] = {Int32GetDatum(zone->number), Int64GetDatum(sums->differences), (Datum) 0};
	OwnerScope	scope = owner_enter();

	if (problem)
		values[2] = CStringGetTextDatum(problem);
	SPI_connect();
	if (problem)
		SPI_execute_with_args("INSERT INTO dnsrepl.check_problem AS p (zone, peer, units, problem) VALUES ($1, '', $2, $3)"
							  " ON CONFLICT (zone, peer) DO UPDATE SET units = excluded.units, problem = excluded.problem"
							  " WHERE (p.units, p.problem) <> (excluded.units, excluded.problem)", 3, types, values, NULL, false, 0);
	else
		SPI_execute_with_args("DELETE FROM dnsrepl.check_problem WHERE zone = $1 AND peer = ''", 1, types, values, NULL, false, 0);
	if (problem && SPI_processed > 0)
	{
		clock_count(COUNT_DIFFERENT, (uint64) sums->differences);
		ereport(LOG,
				(errmsg("dnsrepl: %s: %lld units of %s, the first: %s", problem, (long long) sums->differences,
						zone->table ? "a table without zones" : psprintf("zone \"%s\"", zone_text(zone->name, zone->name_len)),
						first->key.data),
				 errhint("SELECT * FROM dnsrepl.check_store() shows them, and can make one follow the other.")));
	}
	SPI_finish();
	owner_leave(scope);
}

/* The sums of what is served are put right. The zone's row says by how much they are off, whatever was done since. */
static void
sums_put_right(Store *store, const ZoneRef *zone, const ZoneSums *is)
{
	ZoneRef		locked = *zone;
	ZoneTally  *t;

	if (is->served == zone->state.served && is->others == zone->state.others)
		return;
	if (!zone_lock(&locked, false))
		return;
	t = store_tally(store, zone->number);
	t->served += is->served - zone->state.served;
	t->others += is->others - zone->state.others;
	clock_count(COUNT_SUMS, 1);
	ereport(LOG, (errmsg("dnsrepl: the running sums of zone %d were off and have been put right", zone->number)));
}

/* ---------- a look at a zone ---------- */

typedef struct Look
{
	ZoneRef		zone;
	ZoneSums	sums;
	Finding		first;
	bool		sums_right;		/* of what is served */
} Look;

/* The number of the last change of policies, or of what functions may choose. */
static int64
policy_change_last(Snapshot snapshot)
{
	Relation	rel = table_open(schema_oid("policy_change"), AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple	tuple;
	int64		last = 0;
	bool		isnull;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		last = Max(last, DatumGetInt64(heap_getattr(tuple, 1, RelationGetDescr(rel), &isnull)));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return last;
}

/* Is there a function of which it has yet to be told that it may choose, or may not any more? */
static bool
resolvers_unsettled(void)
{
	return owner_execute("SELECT FROM dnsrepl.resolver_seen r"
						 " WHERE r.problem <> coalesce((dnsrepl.resolver_obstacle(r.resolver)).problem, '')", 0, NULL, NULL) > 0;
}

/* Under the active snapshot. False: there is no such zone. */
static bool
look_once(Store *store, int32 number, Look *l)
{
	if (!zone_by_number_at(GetActiveSnapshot(), number, &l->zone))
		return false;
	finding_init(&l->first);
	l->sums = scrub_zone(store, &l->zone, finding_note, &l->first);
	l->sums_right = l->sums.served == l->zone.state.served && l->sums.others == l->zone.state.others;
	return true;
}

/*
 * The same; what is found is looked at again, in a snapshot of its own. It is believed (l->sums.unsure is false) if from the first one
 * until after the second no policy has changed: then those of the second are those of that snapshot. Whoever changes one parks the zones
 * concerned, and numbers the change, in one transaction.
 */
static bool
look(Store *store, int32 number, Look *l)
{
	int64		policies;
	bool		found;

	if (!look_once(store, number, l))
		return false;
	if (!l->first.problem && l->sums_right && !l->sums.unsure)
		return true;
	policies = policy_change_last(GetActiveSnapshot());
	policies_refresh();
	PushActiveSnapshot(GetLatestSnapshot());
	found = look_once(store, number, l);
	PopActiveSnapshot();
	if (!found)
		return false;
	PushActiveSnapshot(GetLatestSnapshot());
	l->sums.unsure |= policy_change_last(GetActiveSnapshot()) != policies || resolvers_unsettled();
	PopActiveSnapshot();
	return true;
}

/* Until it is mended nobody can say what the tables should have. What they differed in before is for people to settle, then too. */
static void
damage_found(const ZoneRef *zone, const ZoneSums *sums)
{
	Oid			types[3] = {INT4OID, INT8OID, TEXTOID};
	Datum		values[3] = {Int32GetDatum(zone->number), Int64GetDatum(sums->differences), CStringGetTextDatum(DAMAGE_PROBLEM)};

	(void) owner_execute("INSERT INTO dnsrepl.check_problem (zone, peer, units, problem) VALUES ($1, '', $2, $3)"
						 " ON CONFLICT DO NOTHING", 3, types, values);
}

/* What is found is noted, or put right if it can be. */
static void
look_settle(Store *store, const Look *l)
{
	if (l->sums.held != l->zone.state.held && !(l->first.problem && strcmp(l->first.problem, SCRUB_UNREADABLE) == 0))
	{
		damage_found(&l->zone, &l->sums);
		return;
	}
	if (l->sums.unsure)
		return;
	finding_write(&l->zone, &l->sums, &l->first);
	if (l->sums.held == l->zone.state.held && !l->sums.parked)
		sums_put_right(store, &l->zone, &l->sums);
}

static void
check_one(SelfCheck *c, int32 number)
{
	Look		l;

	if (!look(c->store, number, &l))
	{
		c->next = number;
		return;
	}
	c->units += l.sums.units + 1;
	look_settle(c->store, &l);
	if (l.sums.works && !l.sums.unsure)
		unit_queue(&l.zone, NULL, 0, "a function that failed chooses again");
	if (l.sums.held != l.zone.state.held)
		c->damaged = number;
	if (c->stable && !c->damaged)
	{
		int64		n = collect_zone(c->store, &l.zone, c->stable, c->collected, COLLECT_AT_ONCE, &c->missed);

		clock_count(COUNT_COLLECTED, (uint64) n);
		if (n >= COLLECT_AT_ONCE)
			return;				/* there is more: this zone once again */
	}
	c->next = number;
}

bool
zone_check(int32 number)
{
	Store	   *store = store_open(true);
	Look		l;
	bool		found = look(store, number, &l);

	if (found)
		look_settle(store, &l);
	store_close(store);
	return found && (l.sums.unsure || l.sums.works || l.sums.held != l.zone.state.held || !l.sums_right);
}

/* check_zone_now(zone_no int) returns boolean: see zone_check() */
Datum
dnsrepl_check_zone_now(PG_FUNCTION_ARGS)
{
	bool		mended;

	tables_refresh();
	policies_refresh();
	PushActiveSnapshot(GetLatestSnapshot());
	mended = zone_check(PG_GETARG_INT32(0));
	PopActiveSnapshot();
	PG_RETURN_BOOL(mended);
}

static int32 *
zones_after(int32 after, int *n)
{
	OwnerScope	scope = owner_enter();
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(after)};
	MemoryContext caller = CurrentMemoryContext;
	int32	   *numbers;

	SPI_connect();
	SPI_execute_with_args("SELECT no FROM dnsrepl.zone WHERE no > $1 ORDER BY no", 1, types, values, NULL, true, ZONES_AT_ONCE);
	*n = (int) SPI_processed;
	numbers = MemoryContextAlloc(caller, sizeof(int32) * (size_t) (*n + 1));
	for (int i = 0; i < *n; i++)
	{
		bool		isnull;

		numbers[i] = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
	}
	SPI_finish();
	owner_leave(scope);
	return numbers;
}

/* Returns whether zones are left. */
static bool
check_some(SelfCheck *c, int64 most)
{
	int			n;
	int32	   *numbers = zones_after(c->next, &n);
	bool		left = n == ZONES_AT_ONCE;

	for (int i = 0; i < n; i++)
	{
		progress();
		if (c->units >= most || c->damaged || (i > 0 && c->next != numbers[i - 1]))
			return true;
		check_one(c, numbers[i]);
	}
	return left || (n > 0 && c->next != numbers[n - 1]);
}

/*
 * check_zones(after int, most bigint, stable bytea, OUT next int, OUT units bigint, OUT damaged int, OUT missed boolean): looks
 * at zones from the one after that number on, until so many units have been seen; next: null when all have been. With `stable`
 * (as stable() has it) collects; missed: not all that could be, as somebody was at it.
 */
Datum
dnsrepl_check_zones(PG_FUNCTION_ARGS)
{
	SelfCheck	c = {.next = PG_GETARG_INT32(0)};
	Datum		values[4];
	bool		nulls[4] = {false, false, false, false};
	TupleDesc	desc;
	bool		more;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	tables_refresh();
	policies_refresh();
	(void) table_domains();
	if (!PG_ARGISNULL(2))
	{
		c.stable = vector_from_datum(PG_GETARG_DATUM(2));
		c.collected = vector_new();
	}
	c.held = holdings_push_snapshot();
	c.store = store_open(true);
	more = check_some(&c, PG_GETARG_INT64(1));
	store_close(c.store);
	if (c.collected && c.collected->n > 0)
	{
		holdings_write(c.held, c.collected);
		clock_store_changed();
	}
	PopActiveSnapshot();
	clock_count(COUNT_UNITS, (uint64) c.units);
	if (!more)
		clock_count(COUNT_ROUNDS, 1);
	values[0] = Int32GetDatum(c.next);
	nulls[0] = !more;
	values[1] = Int64GetDatum(c.units);
	values[2] = Int32GetDatum(c.damaged);
	nulls[2] = c.damaged == 0;
	values[3] = BoolGetDatum(c.missed);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* stable() returns bytea: what may be collected, as a vector; null: nothing */
Datum
dnsrepl_stable(PG_FUNCTION_ARGS)
{
	Vector	   *stable = collect_stable();

	/* what is kept may not have seen a deletion */
	if (!stable || deferred_any(GetActiveSnapshot()))
		PG_RETURN_NULL();
	return vector_to_datum(stable);
}

/* holdings() returns bytea: what this node holds, as a vector */
Datum
dnsrepl_holdings(PG_FUNCTION_ARGS)
{
	Vector	   *held = holdings_push_snapshot();
	Datum		d = vector_to_datum(held);

	PopActiveSnapshot();
	return d;
}

/* counts() returns bigint[]: see Count */
Datum
dnsrepl_counts(PG_FUNCTION_ARGS)
{
	Datum		values[COUNTS];

	for (int i = 0; i < COUNTS; i++)
		values[i] = Int64GetDatum((int64) pg_atomic_read_u64(&clock_slot()->counts[i]));
	PG_RETURN_ARRAYTYPE_P(construct_array(values, COUNTS, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* unchecked_since() returns timestamptz; null: a process checks this node */
Datum
dnsrepl_unchecked_since(PG_FUNCTION_ARGS)
{
	uint64		since = clock_available() ? pg_atomic_read_u64(&clock_slot()->unchecked) : 0;

	if (!since)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ((TimestampTz) since);
}

/* holds_back(vector bytea) returns boolean */
Datum
dnsrepl_holds_back(PG_FUNCTION_ARGS)
{
	Vector	   *old = collect_old();
	Vector	   *v;

	if (!old || old->n == 0)
		PG_RETURN_BOOL(false);
	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(true);
	v = vector_from_datum(PG_GETARG_DATUM(0));
	PG_RETURN_BOOL(!v || !vector_covers_all(v, old));
}
