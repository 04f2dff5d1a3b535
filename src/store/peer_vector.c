/*
 * peer_vector.c: see peer_vector.h.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
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

static void
known_from_tuple(KnownVector *k, HeapTuple tuple, TupleDesc desc)
{
	Datum		values[PEER_NATTS];
	bool		nulls[PEER_NATTS];
	bytea	   *vector;

	heap_deform_tuple(tuple, desc, values, nulls);
	memset(k, 0, sizeof(*k));
	k->node = *DatumGetUUIDP(values[PEER_NODE - 1]);
	k->life = *DatumGetUUIDP(values[PEER_LIFE - 1]);
	strlcpy(k->name, TextDatumGetCString(values[PEER_NAME - 1]), NAMEDATALEN);
	k->heard = DatumGetTimestampTz(values[PEER_CONTACT - 1]);
	vector = DatumGetByteaPCopy(values[PEER_VECTOR - 1]);
	k->vector = (uint8 *) VARDATA(vector);
	k->vector_len = VARSIZE(vector) - VARHDRSZ;
}

const KnownVector *
peer_vector_find(Snapshot snapshot, const pg_uuid_t *node)
{
	Relation	rel = schema_table("peer_vector", AccessShareLock, PEER_NATTS);
	SysScanDesc scan = peer_scan(rel, snapshot, node);
	HeapTuple	tuple = systable_getnext(scan);
	KnownVector *k = NULL;

	if (HeapTupleIsValid(tuple))
	{
		k = palloc(sizeof(KnownVector));
		known_from_tuple(k, tuple, RelationGetDescr(rel));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return k;
}

void
peer_vectors_walk(Snapshot snapshot, const pg_uuid_t *after, const pg_uuid_t *until, bool (*fn) (const KnownVector *k, void *arg), void *arg)
{
	Relation	rel = schema_table("peer_vector", AccessShareLock, PEER_NATTS);
	Relation	index = index_open(schema_oid("peer_vector_pkey"), AccessShareLock);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl known vector", ALLOCSET_DEFAULT_SIZES);
	ScanKeyData keys[2];
	int			n = 0;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		more = true;

	if (after)
		ScanKeyInit(&keys[n++], PEER_NODE, BTGreaterStrategyNumber, F_UUID_GT, UUIDPGetDatum(after));
	if (until)
		ScanKeyInit(&keys[n++], PEER_NODE, BTLessEqualStrategyNumber, F_UUID_LE, UUIDPGetDatum(until));
	scan = systable_beginscan_ordered(rel, index, snapshot, n, keys);
	while (more && HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		KnownVector k;
		MemoryContext old = MemoryContextSwitchTo(scratch);

		known_from_tuple(&k, tuple, RelationGetDescr(rel));
		MemoryContextSwitchTo(old);
		more = fn(&k, arg);
		MemoryContextReset(scratch);
	}
	systable_endscan_ordered(scan);
	MemoryContextDelete(scratch);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
}

void
peer_vector_write(const KnownVector *k)
{
	Relation	rel = schema_table("peer_vector", RowExclusiveLock, PEER_NATTS);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = peer_scan(rel, snapshot, &k->node);
	HeapTuple	old = systable_getnext(scan),
				new;
	Datum		values[PEER_NATTS] = {0};
	bool		nulls[PEER_NATTS] = {0};

	values[PEER_NODE - 1] = UUIDPGetDatum(&k->node);
	values[PEER_NAME - 1] = CStringGetTextDatum(k->name);
	values[PEER_LIFE - 1] = UUIDPGetDatum(&k->life);
	values[PEER_VECTOR - 1] = PointerGetDatum(varlena_make(k->vector, k->vector_len));
	values[PEER_CONTACT - 1] = TimestampTzGetDatum(k->heard);
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
