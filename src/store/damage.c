/*
 * damage.c: see damage.h.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "dnsrepl.h"
#include "store/clock.h"
#include "store/damage.h"
#include "store/delta.h"
#include "store/node.h"
#include "store/schema.h"

#define SILENCE 3				/* keepalives without a word of a sound member */

static void
salvaged_from_datum(Damage *d, Datum array)
{
	Datum	   *values;

	deconstruct_array(DatumGetArrayTypeP(array), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &values, NULL, &d->n);
	d->salvaged = palloc(sizeof(pg_uuid_t) * (size_t) (d->n + 1));
	for (int i = 0; i < d->n; i++)
		d->salvaged[i] = *DatumGetUUIDP(values[i]);
}

bool
damage_read(Damage *d)
{
	Relation	rel = schema_table("node", AccessShareLock, NODE_NATTS);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, GetActiveSnapshot(), 0, NULL);
	HeapTuple	tuple = systable_getnext(scan);
	Datum		values[NODE_NATTS];
	bool		nulls[NODE_NATTS];
	bool		damaged = false;

	memset(d, 0, sizeof(*d));
	if (HeapTupleIsValid(tuple))
	{
		heap_deform_tuple(tuple, RelationGetDescr(rel), values, nulls);
		damaged = !nulls[NODE_DAMAGED - 1];
		if (damaged)
		{
			d->since = DatumGetTimestampTz(values[NODE_DAMAGED - 1]);
			d->held = nulls[NODE_HELD - 1] ? NULL : vector_from_datum(values[NODE_HELD - 1]);
			if (!d->held)
				d->held = vector_new();
			if (!nulls[NODE_SALVAGED - 1])
				salvaged_from_datum(d, values[NODE_SALVAGED - 1]);
		}
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return damaged;
}

void
damage_write(const Vector *held)
{
	Oid			types[1] = {BYTEAOID};
	Datum		values[1] = {vector_to_datum(held)};

	(void) owner_execute("UPDATE dnsrepl.node SET damaged = now(), held = $1, salvaged = '{}'", 1, types, values);
}

void
damage_salvaged(const Damage *d, const Vector *held, const pg_uuid_t *from, const pg_uuid_t *by_it, int n)
{
	Vector	   *joined = vector_copy(d->held);
	Oid			types[3] = {BYTEAOID, UUIDARRAYOID, UUIDOID};
	Datum		values[3];
	Datum	   *ids = palloc(sizeof(Datum) * (size_t) (n + 1));

	vector_join(joined, held);
	for (int i = 0; i < n; i++)
		ids[i] = UUIDPGetDatum(&by_it[i]);
	values[0] = vector_to_datum(joined);
	values[2] = UUIDPGetDatum(from);
	values[1] = PointerGetDatum(construct_array(ids, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	(void) owner_execute("UPDATE dnsrepl.node SET held = $1,"
						 " salvaged = ARRAY(SELECT u FROM unnest(salvaged || $2) u WHERE u <> id AND EXISTS (SELECT FROM dnsrepl.roll r WHERE r.node = u)"
						 " UNION SELECT $3 ORDER BY 1)", 3, types, values);
}

void
damage_over(void)
{
	(void) owner_execute("UPDATE dnsrepl.node SET damaged = NULL, held = NULL, salvaged = NULL", 0, NULL, NULL);
	/* with dnsrepl.check_interval = 0 nobody looks again; what is left is found again */
	(void) owner_execute("DELETE FROM dnsrepl.check_problem WHERE peer = ''", 0, NULL, NULL);
}

bool
damage_difference_told(int32 zone)
{
	Oid			types[2] = {INT4OID, TEXTOID};
	Datum		values[2] = {Int32GetDatum(zone), CStringGetTextDatum(DAMAGE_PROBLEM)};

	return owner_execute("SELECT FROM dnsrepl.check_problem WHERE zone = $1 AND peer = '' AND problem <> $2", 2, types, values) > 0;
}

bool
damage_nobody_left(void)
{
	return owner_execute("SELECT FROM dnsrepl.roll r, dnsrepl.node n"
						 " WHERE NOT r.evicted AND r.node <> n.id AND r.node <> ALL (coalesce(n.salvaged, '{}'))", 0, NULL, NULL) == 0;
}

void
damage_sound_spoke(void)
{
	pg_atomic_write_u64(&clock_slot()->sound_spoke, (uint64) GetCurrentTimestamp());
}

bool
damage_none_sound(const Damage *d)
{
	TimestampTz last = Max(d->since, (TimestampTz) pg_atomic_read_u64(&clock_slot()->sound_spoke));

	return TimestampDifferenceExceeds(last, GetCurrentTimestamp(), SILENCE * setting_keepalive);
}
