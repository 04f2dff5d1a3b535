/*
 * parked_set.c: see parked_set.h.
 *
 * Zones are not waited for at first: authors who queue behind one may be those that its holder waits for. For a set that has
 * waited for more than a second, a turn that holds nothing makes authors wait: first for one zone that is not free, with nothing
 * held; then for the others, each for less than deadlock_timeout, all for less than SET_WAIT; if one is not to be had, all are given
 * back at once. So nobody waits for long for what waits for him.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "dnsrepl.h"
#include "merge/parked_set.h"
#include "store/private_lock.h"
#include "store/schema.h"
#include "store/stripe.h"

#define STRIPE_WAIT 100			/* ms; below deadlock_timeout */
#define SET_WAIT 400			/* ms, for all stripes of a set */
#define ROW_WAIT 100			/* ms, for a zone's row */
#define SETS_AT_ONCE AT_ONCE(1000, 2)	/* looked at in one turn */
#define ZONES_AT_ONCE AT_ONCE(100, 2)	/* of which something is queued or refused */

/* ---------- whose turn it may be ---------- */

static ParkedZone
parked_zone(int32 number)
{
	return (ParkedZone) {.ref = zone_by_number(number)};
}

static int
parked_order(const void *a, const void *b)
{
	return zone_order(&((const ParkedZone *) a)->ref, &((const ParkedZone *) b)->ref);
}

static void
set_zones(ParkedSet *s, ArrayType *numbers)
{
	Datum	   *values;

	deconstruct_array(numbers, INT4OID, 4, true, TYPALIGN_INT, &values, NULL, &s->n);
	s->zones = palloc(sizeof(ParkedZone) * (size_t) s->n);
	for (int i = 0; i < s->n; i++)
		s->zones[i] = parked_zone(DatumGetInt32(values[i]));
	qsort(s->zones, (size_t) s->n, sizeof(ParkedZone), parked_order);
}

ParkedSet *
sets_next(bool queue, int32 after, int *n)
{
	OwnerScope	scope = owner_enter();
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(after)};
	ParkedSet  *sets;

	SPI_connect();
	SPI_execute_with_args(queue
						  ? "SELECT 0, 1, min(p.since) < now() - interval '1 second', ARRAY[p.zone] FROM dnsrepl.parked p WHERE p.zone > $1 AND EXISTS (SELECT FROM dnsrepl.zone z WHERE z.no = p.zone)"
						  " AND (p.state = 'queued' OR p.state = 'refused' AND " REFUSED_DUE " <= clock_timestamp())"
						  " AND NOT EXISTS (SELECT FROM dnsrepl.parked w WHERE w.zone = p.zone AND w.state = 'waiting')"
						  " GROUP BY p.zone ORDER BY p.zone"
						  : "SELECT together, count(*)::int4 + CASE WHEN bool_or(key = '') THEN " CppAsString2(ROWS_AT_ONCE) " ELSE 0 END,"
						  " min(since) < now() - interval '1 second', array_agg(DISTINCT zone)"
						  " FROM dnsrepl.parked p WHERE state = 'waiting' AND together > $1 AND EXISTS (SELECT FROM dnsrepl.zone z WHERE z.no = p.zone) GROUP BY together ORDER BY together",
						  1, types, values, NULL, false, queue ? ZONES_AT_ONCE : SETS_AT_ONCE);
	*n = (int) SPI_processed;
	sets = MemoryContextAllocZero(caller, sizeof(ParkedSet) * (size_t) (*n + 1));
	for (int i = 0; i < *n; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		MemoryContext old = MemoryContextSwitchTo(caller);

		sets[i].number = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull));
		sets[i].nrows = DatumGetInt32(SPI_getbinval(row, desc, 2, &isnull));
		sets[i].patient = DatumGetBool(SPI_getbinval(row, desc, 3, &isnull));
		set_zones(&sets[i], DatumGetArrayTypeP(SPI_getbinval(row, desc, 4, &isnull)));
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	owner_leave(scope);
	return sets;
}

/* ---------- locks ---------- */

bool
set_claim(const ParkedSet *s, bool wait)
{
	const ZoneRef **zones = palloc(sizeof(ZoneRef *) * (size_t) (s->n + 1));
	const char **why = palloc(sizeof(char *) * (size_t) (s->n + 1));
	int			mark = private_lock_mark(),
				missed,
				nth;
	bool		all;

	for (int i = 0; i < s->n; i++)
		zones[i] = &s->zones[i].ref;
	missed = zones_exclude(zones, s->n, 0, 0, why);
	if (missed > 0)
		private_unlock_since(mark);
	if (missed == 0 || !wait)
		return missed == 0;
	/* first for one that was not free just now, with nothing held */
	nth = (int) (random() % missed);
	for (int i = 0; i < s->n; i++)
		if (why[i] && nth-- == 0)
			zones[0] = &s->zones[i].ref;
	all = zones_exclude(zones, 1, STRIPE_WAIT, STRIPE_WAIT, why) == 0;
	zones[0] = &s->zones[0].ref;
	all = all && zones_exclude(zones, s->n, STRIPE_WAIT, SET_WAIT, why) == 0;
	if (!all)
		private_unlock_since(mark);
	return all;
}

static void
row_wait(void *arg)
{
	(void) zone_lock(arg, true);
}

typedef struct RowClaim
{
	ParkedZone *zone;
	ParkedSet  *set;
} RowClaim;

static int
claim_order(const void *a, const void *b)
{
	return parked_order(((const RowClaim *) a)->zone, ((const RowClaim *) b)->zone);
}

void
sets_claim_rows(ParkedSet *sets, int n)
{
	int			nzones = 0;
	RowClaim	   *all;

	for (int i = 0; i < n; i++)
		nzones += sets[i].claimed ? sets[i].n : 0;
	all = palloc(sizeof(RowClaim) * (size_t) (nzones + 1));
	nzones = 0;
	for (int i = 0; i < n; i++)
		for (int k = 0; sets[i].claimed && k < sets[i].n; k++)
			all[nzones++] = (RowClaim) {&sets[i].zones[k], &sets[i]};
	qsort(all, (size_t) nzones, sizeof(RowClaim), claim_order);
	for (int i = 0; i < nzones; i++)
		if (all[i].set->claimed && !zone_lock(&all[i].zone->ref, false))
			all[i].set->claimed = wait_within(ROW_WAIT, row_wait, &all[i].zone->ref);
}

/* ---------- what is to be done ---------- */

static ParkedZone *
set_zone(ParkedSet *s, int32 number)
{
	for (int i = 0; i < s->n; i++)
		if (s->zones[i].ref.number == number)
			return &s->zones[i];
	return NULL;
}

Datum
set_numbers(const ParkedSet *s)
{
	Datum	   *numbers = palloc(sizeof(Datum) * (size_t) (s->n + 1));

	for (int i = 0; i < s->n; i++)
		numbers[i] = Int32GetDatum(s->zones[i].ref.number);
	return PointerGetDatum(construct_array(numbers, s->n, INT4OID, 4, true, TYPALIGN_INT));
}

/* All that is parked of zones that wait; of another, what is queued, and of what is refused that is due, what was tried the least. */
static const char *const rows_sql[2] = {
	"SELECT zone, key, tries, coalesce(after, ''), state = 'waiting' FROM dnsrepl.parked p"
	" WHERE zone = ANY ($1) OR (state = 'waiting' AND together = $2) ORDER BY zone, key",
	"SELECT * FROM ((SELECT zone, key, tries, coalesce(after, ''), state = 'waiting' FROM dnsrepl.parked p"
	" WHERE zone = ANY ($1) AND state <> 'refused' ORDER BY key LIMIT " CppAsString2(ROWS_AT_ONCE) ") UNION ALL"
	" (SELECT zone, key, tries, coalesce(after, ''), false FROM dnsrepl.parked p"
	" WHERE zone = ANY ($1) AND state = 'refused' AND " REFUSED_DUE " <= clock_timestamp() ORDER BY key = '' DESC, tries, tried LIMIT $2)) r ORDER BY zone, key"
};

static void
zone_row_add(ParkedZone *z, HeapTuple row, TupleDesc desc)
{
	ParkedRow  *r;
	bool		isnull;

	if (z->n % 64 == 0)
		z->rows = z->rows ? repalloc(z->rows, sizeof(ParkedRow) * (size_t) (z->n + 64)) : palloc(sizeof(ParkedRow) * 64);
	r = &z->rows[z->n++];
	r->key = DatumGetByteaPCopy(SPI_getbinval(row, desc, 2, &isnull));
	r->tries = DatumGetInt32(SPI_getbinval(row, desc, 3, &isnull));
	r->after = DatumGetByteaPCopy(SPI_getbinval(row, desc, 4, &isnull));
	r->goes_on = false;
}

bool
set_read(ParkedSet *s, int refusals)
{
	OwnerScope	scope = owner_enter();
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[2] = {INT4ARRAYOID, INT4OID};
	Datum		values[2] = {set_numbers(s), Int32GetDatum(s->number ? s->number : refusals)};
	bool		good;

	SPI_connect();
	SPI_execute_with_args(rows_sql[s->number == 0], 2, types, values, NULL, false, 0);
	good = SPI_processed > 0;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		ParkedZone *z = set_zone(s, DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull)));
		bool		waits = DatumGetBool(SPI_getbinval(row, desc, 5, &isnull));
		MemoryContext old = MemoryContextSwitchTo(caller);

		good &= z && (s->number || !waits);
		if (good)
			zone_row_add(z, row, desc);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	owner_leave(scope);
	return good;
}
