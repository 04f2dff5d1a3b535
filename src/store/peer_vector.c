/*
 * peer_vector.c: see peer_vector.h. The table dnsrepl.peer_vector, a row per node.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "store/peer_vector.h"
#include "store/schema.h"
#include "store/wire.h"

enum
{
	PEER_NODE = 1, PEER_NAME, PEER_LIFE, PEER_VECTOR, PEER_CONTACT, PEER_NATTS = PEER_CONTACT
};

static SysScanDesc
peer_scan(Relation rel, Snapshot snapshot, const pg_uuid_t *node)
{
	ScanKeyData key;

	ScanKeyInit(&key, PEER_NODE, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(node));
	return systable_beginscan(rel, schema_oid("peer_vector_pkey"), true, snapshot, 1, &key);
}

const uint8 *
peer_vector_read(Snapshot snapshot, const pg_uuid_t *node, const pg_uuid_t *life, size_t *len)
{
	Relation	rel = table_open(schema_oid("peer_vector"), AccessShareLock);
	SysScanDesc scan = peer_scan(rel, snapshot, node);
	HeapTuple	tuple = systable_getnext(scan);
	const uint8 *vector = NULL;

	if (HeapTupleIsValid(tuple))
	{
		Datum		values[PEER_NATTS];
		bool		nulls[PEER_NATTS];

		heap_deform_tuple(tuple, RelationGetDescr(rel), values, nulls);
		if (memcmp(DatumGetUUIDP(values[PEER_LIFE - 1]), life, UUID_LEN) == 0)
		{
			bytea	   *b = DatumGetByteaPCopy(values[PEER_VECTOR - 1]);

			vector = (uint8 *) VARDATA(b);
			*len = VARSIZE(b) - VARHDRSZ;
		}
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return vector;
}

void
peer_vector_write(const pg_uuid_t *node, const pg_uuid_t *life, const char *name, const uint8 *vector, size_t len)
{
	Relation	rel = table_open(schema_oid("peer_vector"), RowExclusiveLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = peer_scan(rel, snapshot, node);
	HeapTuple	old = systable_getnext(scan),
				new;
	Datum		values[PEER_NATTS] = {0};
	bool		nulls[PEER_NATTS] = {0};

	values[PEER_NODE - 1] = UUIDPGetDatum(node);
	values[PEER_NAME - 1] = CStringGetTextDatum(name);
	values[PEER_LIFE - 1] = UUIDPGetDatum(life);
	values[PEER_VECTOR - 1] = PointerGetDatum(varlena_make(vector, len));
	values[PEER_CONTACT - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	new = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	if (HeapTupleIsValid(old))
		CatalogTupleUpdate(rel, &old->t_self, new);
	else
		CatalogTupleInsert(rel, new);
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
}
