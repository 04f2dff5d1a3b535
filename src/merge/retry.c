/*
 * retry.c: dnsrepl.project_parked(): what could not be projected when it came is tried again.
 *
 * Called by the manager: soon after a merge, when an author's transaction that stood in the way has ended, and after a
 * growing while. Locks as a merge does: stripe, then the zone's row. It does not wait for a stripe at first: authors who
 * queue behind it may be those that its holder waits for. What is parked for more than a second waits a little.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "dnsrepl.h"
#include "merge/zone_work.h"
#include "store/clock.h"
#include "store/origin.h"
#include "store/parked.h"
#include "store/policy.h"
#include "store/relation.h"
#include "store/schema.h"
#include "store/stripe.h"
#include "store/version_row.h"

PG_FUNCTION_INFO_V1(dnsrepl_project_parked);

#define STRIPE_WAIT 100			/* ms; below deadlock_timeout */
#define PARKED_AT_ONCE AT_ONCE(1000, 3)	/* rows of dnsrepl.parked */

typedef struct ParkedUnit
{
	int32		zone;
	bytea	   *key;			/* empty: all units of the zone */
	bool		patient;		/* has waited long: authors are made to wait for it */
	int32		tries;
	bytea	   *after,			/* of a zone as a whole: where to go on, and where it has been looked at all round; empty: at its end */
			   *until;
	bool		goes_on;		/* there is more of it */
} ParkedUnit;

static ParkedUnit *
parked_read(int *n)
{
	OwnerScope	scope = owner_enter();
	MemoryContext caller = CurrentMemoryContext;
	ParkedUnit *units;

	SPI_connect();
	/* what fails for good does not keep the rest from its turn, nor do zones that are being edited keep others */
	SPI_execute("SELECT zone, key, since < now() - interval '1 second', tries, coalesce(after, ''), coalesce(until, '')"
				" FROM (SELECT *, row_number() OVER (PARTITION BY zone ORDER BY tries, since) AS turn FROM dnsrepl.parked"
				"       WHERE EXISTS (SELECT FROM dnsrepl.zone z WHERE z.no = zone)"
				"       ORDER BY turn, tries, since LIMIT " CppAsString2(PARKED_AT_ONCE) ") p ORDER BY zone, key", true, 0);
	*n = (int) SPI_processed;
	units = MemoryContextAllocZero(caller, sizeof(ParkedUnit) * (size_t) (*n + 1));
	for (int i = 0; i < *n; i++)
	{
		bool		isnull;
		MemoryContext old = MemoryContextSwitchTo(caller);

		units[i].zone = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
		units[i].key = DatumGetByteaPCopy(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull));
		units[i].after = DatumGetByteaPCopy(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 5, &isnull));
		units[i].until = DatumGetByteaPCopy(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 6, &isnull));
		MemoryContextSwitchTo(old);
		units[i].patient = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 3, &isnull));
		units[i].tries = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 4, &isnull));
	}
	SPI_finish();
	owner_leave(scope);
	return units;
}

/* It is done, unless it has been parked again. */
static void
parked_delete(const ParkedUnit *u)
{
	Oid			types[4] = {INT4OID, BYTEAOID, INT4OID, BYTEAOID};
	Datum		values[4] = {Int32GetDatum(u->zone), PointerGetDatum(u->key), Int32GetDatum(u->tries), PointerGetDatum(u->after)};

	parked_execute("DELETE FROM dnsrepl.parked WHERE zone = $1 AND key = $2 AND tries = $3 AND coalesce(after, '') = $4", 4, types, values);
}

/*
 * The rest of a large zone is for the next time, soon. If it has been parked again since it was read (by a merge; by what was locked in
 * this step; because of a policy), what this step has looked at is looked at again: once round, from here to here.
 */
static void
parked_go_on(const ParkedUnit *u, const uint8 *last, size_t len)
{
	Oid			types[4] = {INT4OID, BYTEAOID, INT4OID, BYTEAOID};
	Datum		values[4] = {Int32GetDatum(u->zone), PointerGetDatum(varlena_make(last, len)), Int32GetDatum(u->tries), PointerGetDatum(u->after)};

	parked_execute("UPDATE dnsrepl.parked"
				   " SET until = CASE WHEN tries = $3 AND coalesce(after, '') = $4 THEN until ELSE $2 END, after = $2, tries = 0"
				   " WHERE zone = $1 AND key = ''", 4, types, values);
}

#define RETRY_GROUPS AT_ONCE(5000, 3)		/* of a zone that is parked as a whole, in one transaction */

/*
 * All of a zone, or as much of it as one transaction takes; one with DNAMEs at once, since one name depends on another. What was parked
 * again on the way does not begin it anew: a zone that is always edited somewhere would never come to its end.
 */
static void
retry_zone(Work *w, ZoneWork *z, ParkedUnit *u)
{
	const uint8 *after = (const uint8 *) VARDATA_ANY(u->after),
			   *until = (const uint8 *) VARDATA_ANY(u->until);
	size_t		after_len = VARSIZE_ANY_EXHDR(u->after),
				until_len = VARSIZE_ANY_EXHDR(u->until);
	bool		once_more = until_len > 0 && key_compare(after, after_len, until, until_len) >= 0;
	StringInfoData last;

	initStringInfo(&last);
	z->whole = true;
	if (work_prefix(w, z, (const uint8 *) "", 0, after, after_len, z->ref->state.dnames > 0 ? 0 : RETRY_GROUPS, &last))
		u->goes_on = until_len == 0 || once_more || key_compare((uint8 *) last.data, (size_t) last.len, until, until_len) < 0;
	else
	{
		u->goes_on = once_more;
		resetStringInfo(&last);
	}
	if (u->goes_on)
	{
		parked_go_on(u, (uint8 *) last.data, (size_t) last.len);
		parked_came_on |= until_len == 0;
	}
	else
		z->count_anew = true;
}

/*
 * A zone that has got other incarnations is looked at as a whole and at once, by work_zone_end(): or it would go on showing
 * what was in it before. Of one of which nothing is shown yet, and all is parked, there is time for steps.
 */
static bool
retry_at_once(const ZoneWork *z, const ParkedUnit *first)
{
	return z->walk && (z->was.n > 0 || VARSIZE_ANY_EXHDR(first->key) > 0);
}

/* A unit that fails again is parked again by project_units(). */
static void
retry_parked(Work *w, ZoneWork *z, ParkedUnit *u)
{
	size_t		len = VARSIZE_ANY_EXHDR(u->key);
	const uint8 *key = (const uint8 *) VARDATA_ANY(u->key);

	if (len)
		work_unit(w, z, key, len);
	else
		retry_zone(w, z, u);
}

static void
retry_units(Work *w, ZoneWork *z, ParkedUnit *units, int n)
{
	z->walk = retry_at_once(z, units);
	for (int i = 0; i < n; i++)
		if (!z->walk)
			retry_parked(w, z, &units[i]);
		else if (VARSIZE_ANY_EXHDR(units[i].key) > 0)
			work_absent(w, z, (const uint8 *) VARDATA_ANY(units[i].key), VARSIZE_ANY_EXHDR(units[i].key));
}

static int64
parked_count(void)
{
	OwnerScope	scope = owner_enter();
	int64		n;
	bool		isnull;

	SPI_connect();
	SPI_execute("SELECT count(*) FROM dnsrepl.parked", false, 1);	/* with a new snapshot */
	n = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	owner_leave(scope);
	return n;
}

/* The parked units of one zone, as a whole first, else its row, and whether it is ours to project. */
typedef struct ParkedZone
{
	ZoneRef		ref;
	ParkedUnit *units;
	int			n;
	bool		patient;
	bool		free;
} ParkedZone;

static int
parked_order(const void *a, const void *b)
{
	return zone_order(&((const ParkedZone *) a)->ref, &((const ParkedZone *) b)->ref);
}

/* Units come sorted by the zone's number; zones go in zone_order, in which they are locked. */
static ParkedZone *
parked_zones(ParkedUnit *units, int n, int *nzones)
{
	ParkedZone *zones = palloc0(sizeof(ParkedZone) * (size_t) (n + 1));
	ParkedZone *z = NULL;

	*nzones = 0;
	for (int i = 0; i < n; i++)
	{
		if (!z || units[i].zone != z->ref.number)
		{
			z = &zones[(*nzones)++];
			z->ref = zone_by_number(units[i].zone);
			z->units = &units[i];
		}
		z->n++;
		z->patient |= units[i].patient;
	}
	qsort(zones, (size_t) *nzones, sizeof(ParkedZone), parked_order);
	return zones;
}

/*
 * Stripes, then zone rows. Only for the first stripe, of any zone, this waits: while it holds another, it could be waiting
 * for an author who waits for that.
 */
static void
zones_claim(ParkedZone *zones, int n)
{
	int			first = (int) (random() % n);

	for (int i = 0; i < n; i++)
	{
		ParkedZone *z = &zones[(first + i) % n];

		z->free = stripe_exclude(stripe_of(&z->ref), i == 0 && z->patient ? STRIPE_WAIT : 0);
	}
	for (int i = 0; i < n; i++)
		if (zones[i].free)
			(void) zone_lock(&zones[i].ref, true);
}

static void
retry_all(ParkedUnit *units, int n)
{
	int			nzones;
	ParkedZone *zones;
	Store	   *store;
	Work	   *work;
	ZoneWork   *done;

	if (n == 0)
		return;
	zones = parked_zones(units, n, &nzones);
	zones_claim(zones, nzones);
	PushActiveSnapshot(GetLatestSnapshot());
	store = store_open(true);
	work = work_begin(store, GetActiveSnapshot());
	done = palloc0(sizeof(ZoneWork) * (size_t) nzones);
	for (int i = 0; i < nzones; i++)
		if (zones[i].free)
		{
			work_zone(work, &done[i], &zones[i].ref);
			done[i].late = true;
			retry_units(work, &done[i], zones[i].units, zones[i].n);
			work_zone_end(work, &done[i]);
		}
	work_end(work);
	for (int i = 0; i < nzones; i++)
		for (int k = 0; zones[i].free && k < zones[i].n; k++)
			if (!zones[i].units[k].goes_on)
				parked_delete(&zones[i].units[k]);
	store_close(store);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

/* project_parked() returns bigint: how many are parked still */
Datum
dnsrepl_project_parked(PG_FUNCTION_ARGS)
{
	int			n;
	ParkedUnit *units;
	int64		left;

	tables_refresh();
	policies_refresh();
	/* before the look: what is parked after it raises it again */
	pg_atomic_write_u32(&clock_slot()->parked, 0);
	units = parked_read(&n);
	retry_all(units, n);
	lives_close();				/* here only because the manager calls this first of all; last, as its locks are last */
	left = parked_count();
	if (left)
		clock_units_parked();
	PG_RETURN_INT64(left);
}
