/*
 * parked.c: see parked.h.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "store/clock.h"
#include "store/group.h"
#include "store/parked.h"
#include "store/private_lock.h"
#include "store/schema.h"
#include "store/wire.h"

/*
 * How long (ms) a merge, or the manager, waits for a row of dnsrepl.parked. Who changes a policy has rows of it, and may come to wait for what
 * this transaction holds: this side gives way, all of it, and is tried again. Far below deadlock_timeout, or he would be told. An
 * author waits as he does for any row: nobody tries his commit again.
 */
#define PARKED_WAIT 10

static bool
gives_way(void)
{
	return IsBackgroundWorker || private_lock_held(LOCK_MERGE, 0, ExclusiveLock);
}

uint64
parked_execute(const char *sql, int n, Oid *types, Datum *values)
{
	OwnerScope	scope = owner_enter();
	int			timeout = LockTimeout;
	uint64		rows;

	SPI_connect();
	PG_TRY();
	{
		if (gives_way())
			LockTimeout = timeout > 0 ? Min(timeout, PARKED_WAIT) : PARKED_WAIT;
		SPI_execute_with_args(sql, n, types, values, NULL, false, 0);
	}
	PG_FINALLY();
	{
		LockTimeout = timeout;
	}
	PG_END_TRY();
	rows = SPI_processed;
	SPI_finish();
	owner_leave(scope);
	return rows;
}

ParkedTurn	parked_turn = {.due = DT_NOEND};

/* $1, $2: the unit; $3: why; $4: with which it waits, or whether it was tried. */
static void
unit_park(const char *sql, const ZoneRef *zone, const uint8 *key, size_t key_len, const char *error, int32 number)
{
	Oid			types[4] = {INT4OID, BYTEAOID, TEXTOID, INT4OID};
	Datum		values[4] = {Int32GetDatum(zone->number), PointerGetDatum(varlena_make(key, key_len)), CStringGetTextDatum(error),
	Int32GetDatum(number)};

	Assert(zone->number > 0);
	parked_execute(sql, 4, types, values);
	clock_units_parked();		/* the manager comes and tries again */
}

void
unit_wait(const ZoneRef *zone, const uint8 *key, size_t key_len, int32 together, const char *reason)
{
	Assert(together > 0);
	unit_park("INSERT INTO dnsrepl.parked AS p (zone, key, state, together, tries, error) VALUES ($1, $2, 'waiting', $4, 0, $3)"
			  " ON CONFLICT (zone, key) DO UPDATE SET state = 'waiting', together = $4, after = NULL,"
			  " error = CASE p.state WHEN 'waiting' THEN p.error ELSE excluded.error END,"
			  " since = CASE p.state WHEN 'waiting' THEN p.since ELSE now() END",
			  zone, key, key_len, reason, together);
}

void
unit_queue(const ZoneRef *zone, const uint8 *key, size_t key_len, const char *reason)
{
	unit_park("SELECT dnsrepl.queue_units(ARRAY[$1], ARRAY[$2], $3)", zone, key, key_len, reason, 0);
}

void
unit_refuse(const ZoneRef *zone, const uint8 *key, size_t key_len, const char *error, bool tried)
{
	unit_park("INSERT INTO dnsrepl.parked AS p (zone, key, state, tries, error) VALUES ($1, $2, 'refused', $4, $3)"
			  " ON CONFLICT (zone, key) DO UPDATE SET state = 'refused', together = NULL, after = NULL, error = excluded.error,"
			  " tried = clock_timestamp(), tries = p.tries + 1",
			  zone, key, key_len, error, tried);
}

bool
unit_projected(int32 zone, struct varlena *key, int32 tries, struct varlena *after)
{
	Oid			types[4] = {INT4OID, BYTEAOID, INT4OID, BYTEAOID};
	Datum		values[4] = {Int32GetDatum(zone), PointerGetDatum(key), Int32GetDatum(tries), PointerGetDatum(after)};

	return parked_execute("DELETE FROM dnsrepl.parked WHERE zone = $1 AND key = $2 AND tries = $3 AND coalesce(after, '') = $4",
						  4, types, values) > 0;
}

void
waiting_join(int32 from, int32 together)
{
	Oid			types[2] = {INT4OID, INT4OID};
	Datum		values[2] = {Int32GetDatum(from), Int32GetDatum(together)};

	parked_execute("UPDATE dnsrepl.parked SET together = $2 WHERE state = 'waiting' AND together = $1", 2, types, values);
}

/* ---------- reading ---------- */

enum
{
	PARKED_ZONE = 1, PARKED_KEY, PARKED_STATE, PARKED_TOGETHER
};

/* Calls fn for each row of a zone until it returns false. */
static void
parked_walk(Snapshot snapshot, const ZoneRef *zone, bool (*fn) (HeapTuple tuple, TupleDesc desc, void *arg), void *arg)
{
	Relation	rel = table_open(schema_oid("parked"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, PARKED_ZONE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(zone->number));
	scan = systable_beginscan(rel, schema_oid("parked_pkey"), true, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)) && fn(tuple, RelationGetDescr(rel), arg))
		;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/* Only who waits has a number. */
static bool
together_read(HeapTuple tuple, TupleDesc desc, void *arg)
{
	bool		isnull;
	Datum		together = heap_getattr(tuple, PARKED_TOGETHER, desc, &isnull);

	if (!isnull)
		*(int32 *) arg = DatumGetInt32(together);
	return isnull;
}

int32
zone_waits_with(Snapshot snapshot, const ZoneRef *zone)
{
	int32		together = 0;

	parked_walk(snapshot, zone, together_read, &together);
	return together;
}

static bool
key_read(HeapTuple tuple, TupleDesc desc, void *arg)
{
	bool		isnull;
	List	  **keys = arg;

	*keys = lappend(*keys, DatumGetByteaPCopy(heap_getattr(tuple, PARKED_KEY, desc, &isnull)));
	return true;
}

List *
parked_keys(Snapshot snapshot, const ZoneRef *zone)
{
	List	   *keys = NIL;

	parked_walk(snapshot, zone, key_read, &keys);
	return keys;
}

bool
parked_among(const List *keys, const uint8 *key, size_t key_len)
{
	const ListCell *lc;

	foreach(lc, keys)
	{
		const bytea *b = lfirst(lc);
		const uint8 *parked = (const uint8 *) VARDATA(b);
		size_t		len = VARSIZE(b) - VARHDRSZ;

		if (len == 0 || (len == key_len && memcmp(parked, key, len) == 0))
			return true;
		if (record_type(parked, len) != TYPE_DNAME)
			continue;
		/* its name and all below: without the 0 that ends the name */
		len = group_prefix(parked, len) - 1;
		if (key_len >= len && memcmp(parked, key, len) == 0)
			return true;
	}
	return false;
}
