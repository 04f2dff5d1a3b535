/*
 * parked.c: dnsrepl.project_parked(): what could not be projected when it came is tried again.
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
#include "merge/project.h"
#include "store/clock.h"
#include "store/origin.h"
#include "store/relation.h"
#include "store/resolve.h"
#include "store/schema.h"
#include "store/stripe.h"
#include "store/version.h"

PG_FUNCTION_INFO_V1(dnsrepl_project_parked);

#define STRIPE_WAIT 100			/* ms; below deadlock_timeout */

typedef struct ParkedUnit
{
	int32		zone;
	bytea	   *key;			/* empty: all units of the zone */
	bool		patient;		/* has waited long: authors are made to wait for it */
	int32		tries;
} ParkedUnit;

static ParkedUnit *
parked_read(int *n)
{
	OwnerScope	scope = owner_enter();
	MemoryContext caller = CurrentMemoryContext;
	ParkedUnit *units;

	SPI_connect();
	/* what fails for good does not keep the rest from its turn */
	SPI_execute("SELECT zone, key, since < now() - interval '1 second', tries"
				" FROM (SELECT * FROM dnsrepl.parked ORDER BY tries, since LIMIT 1000) p ORDER BY zone", true, 0);
	*n = (int) SPI_processed;
	units = MemoryContextAlloc(caller, sizeof(ParkedUnit) * (size_t) (*n + 1));
	for (int i = 0; i < *n; i++)
	{
		bool		isnull;
		MemoryContext old = MemoryContextSwitchTo(caller);

		units[i].zone = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
		units[i].key = DatumGetByteaPCopy(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull));
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
	OwnerScope	scope = owner_enter();
	Oid			types[3] = {INT4OID, BYTEAOID, INT4OID};
	Datum		values[3] = {Int32GetDatum(u->zone), PointerGetDatum(u->key), Int32GetDatum(u->tries)};

	SPI_connect();
	SPI_execute_with_args("DELETE FROM dnsrepl.parked WHERE zone = $1 AND key = $2 AND tries = $3", 3, types, values,
						  NULL, false, 0);
	SPI_finish();
	owner_leave(scope);
}

typedef struct Retry
{
	Store	   *store;
	const ZoneRef *zone;
} Retry;

/*
 * The unit's versions count as seen before they are projected: what this transaction has written is what
 * project_units() takes back if it fails.
 */
static void
retry_unit(Store *store, const ZoneRef *zone, const uint8 *key, size_t key_len)
{
	VersionSet	set;
	const Version *served;
	ProjectUnit u = {.zone = zone, .key = key, .key_len = key_len};

	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	set = version_read(store, GetActiveSnapshot(), zone->number, key, key_len);
	for (int i = 0; i < set.n; i++)
		if (!set.v[i].seen)
			version_mark(store, &set.v[i], true);
	served = resolve(&set, false);
	if (served)
	{
		u.image = served->image;
		u.image_len = served->image_len;
	}
	project_units(store, GetActiveSnapshot(), &u, 1);
	PopActiveSnapshot();
}

static void
retry_walk(int32 zone, const uint8 *key, size_t key_len, void *arg)
{
	Retry	   *r = arg;

	retry_unit(r->store, r->zone, key, key_len);
}

/* A unit that fails again is parked again by project_units(). */
static void
retry_parked(Store *store, const ZoneRef *zone, const ParkedUnit *u)
{
	Retry		r = {store, zone};

	if (VARSIZE_ANY_EXHDR(u->key))
		retry_unit(store, zone, (uint8 *) VARDATA_ANY(u->key), VARSIZE_ANY_EXHDR(u->key));
	else
	{
		PushActiveSnapshot(GetLatestSnapshot());
		unit_walk(store, GetActiveSnapshot(), zone->number, (const uint8 *) "", 0, retry_walk, &r);
		PopActiveSnapshot();
	}
	parked_delete(u);
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

/* The parked units of one zone, and whether it is ours to project. */
typedef struct ParkedZone
{
	ZoneRef		ref;
	const ParkedUnit *units;
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
parked_zones(const ParkedUnit *units, int n, int *nzones)
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
retry_all(const ParkedUnit *units, int n)
{
	int			nzones;
	ParkedZone *zones;
	Store	   *store;

	if (n == 0)
		return;
	zones = parked_zones(units, n, &nzones);
	zones_claim(zones, nzones);
	store = store_open(true);
	for (int i = 0; i < nzones; i++)
		for (int k = 0; zones[i].free && k < zones[i].n; k++)
			retry_parked(store, &zones[i].ref, &zones[i].units[k]);
	store_close(store);
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
