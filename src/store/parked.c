/*
 * parked.c: see parked.h.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "store/clock.h"
#include "store/group.h"
#include "store/parked.h"
#include "store/schema.h"
#include "store/wire.h"

/*
 * How long (ms) a row of dnsrepl.parked is waited for. Who changes a policy has rows of it, and may come to wait for what
 * this transaction holds: this side gives way, all of it, and is tried again. Far below deadlock_timeout, or he would be told.
 */
#define PARKED_WAIT 10

bool		parked_came_on = false;

void
parked_execute(const char *sql, int n, Oid *types, Datum *values)
{
	OwnerScope	scope = owner_enter();
	int			timeout = LockTimeout;

	SPI_connect();
	PG_TRY();
	{
		LockTimeout = timeout > 0 ? Min(timeout, PARKED_WAIT) : PARKED_WAIT;
		SPI_execute_with_args(sql, n, types, values, NULL, false, 0);
	}
	PG_FINALLY();
	{
		LockTimeout = timeout;
	}
	PG_END_TRY();
	SPI_finish();
	owner_leave(scope);
}

void
unit_park(const ZoneRef *zone, const uint8 *key, size_t key_len, const char *error)
{
	Oid			types[3] = {INT4OID, BYTEAOID, TEXTOID};
	Datum		values[3] = {Int32GetDatum(zone->number), PointerGetDatum(varlena_make(key, key_len)), CStringGetTextDatum(error)};

	parked_execute("INSERT INTO dnsrepl.parked AS p (zone, key, since, tries, error)"
				   " VALUES ($1, $2, now(), 1, $3)"
				   " ON CONFLICT (zone, key) DO UPDATE SET tries = p.tries + 1, error = excluded.error, until = p.after",
				   3, types, values);
	clock_units_parked();		/* the manager comes and tries again */
}

enum
{
	PARKED_ZONE = 1, PARKED_KEY
};

List *
parked_keys(Snapshot snapshot, const ZoneRef *zone)
{
	Relation	rel = table_open(schema_oid("parked"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *keys = NIL;

	ScanKeyInit(&key, PARKED_ZONE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(zone->number));
	scan = systable_beginscan(rel, schema_oid("parked_pkey"), true, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;

		keys = lappend(keys, DatumGetByteaPCopy(heap_getattr(tuple, PARKED_KEY, RelationGetDescr(rel), &isnull)));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
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
