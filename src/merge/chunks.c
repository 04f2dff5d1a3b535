/*
 * chunks.c: see chunks.h. The table dnsrepl.staging: a link's own, so nobody waits for anybody.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "merge/chunks.h"
#include "store/codec.h"
#include "store/schema.h"

enum
{
	STAGING_NODE = 1, STAGING_DELTA, STAGING_SEQ, STAGING_PAYLOAD, STAGING_NATTS = STAGING_PAYLOAD
};

static SysScanDesc
staging_scan(Relation rel, const Chunks *c, int nkeys)
{
	ScanKeyData keys[3];

	ScanKeyInit(&keys[0], STAGING_NODE, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&c->node));
	ScanKeyInit(&keys[1], STAGING_DELTA, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(c->delta));
	ScanKeyInit(&keys[2], STAGING_SEQ, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(c->next));
	return systable_beginscan(rel, schema_oid("staging_pkey"), true, GetActiveSnapshot(), nkeys, keys);
}

static void
chunk_check(WireReader *r)
{
	if (!chunk_unseal(r))
		peer_nonsense("A chunk is not as it was sent: its checksum differs.");
}

bool
chunks_next(Chunks *c, WireReader *r)
{
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;
	bytea	   *payload;

	if (c->next == c->n)
		return false;
	if (c->payload)
	{
		c->next++;
		wire_reader_init(r, c->payload, c->payload_len);
		chunk_check(r);
		return true;
	}
	rel = table_open(schema_oid("staging"), AccessShareLock);
	scan = staging_scan(rel, c, 3);
	tuple = systable_getnext(scan);
	if (!HeapTupleIsValid(tuple))
		peer_nonsense("A chunk of the delta has not come.");
	payload = DatumGetByteaPCopy(heap_getattr(tuple, STAGING_PAYLOAD, RelationGetDescr(rel), &isnull));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	wire_reader_init(r, VARDATA(payload), VARSIZE(payload) - VARHDRSZ);
	chunk_check(r);
	c->next++;
	return true;
}

void
chunk_stage(const pg_uuid_t *node, int64 delta, int32 seq, struct varlena *payload)
{
	Relation	rel = table_open(schema_oid("staging"), RowExclusiveLock);
	Datum		values[STAGING_NATTS];
	bool		nulls[STAGING_NATTS] = {0};

	values[STAGING_NODE - 1] = UUIDPGetDatum(node);
	values[STAGING_DELTA - 1] = Int64GetDatum(delta);
	values[STAGING_SEQ - 1] = Int32GetDatum(seq);
	values[STAGING_PAYLOAD - 1] = PointerGetDatum(payload);
	CatalogTupleInsert(rel, heap_form_tuple(RelationGetDescr(rel), values, nulls));
	table_close(rel, RowExclusiveLock);
}

void
chunks_unstage(const pg_uuid_t *node)
{
	Relation	rel = table_open(schema_oid("staging"), RowExclusiveLock);
	Chunks		c = {.node = *node};
	SysScanDesc scan = staging_scan(rel, &c, 1);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		simple_heap_delete(rel, &tuple->t_self);
	systable_endscan(scan);
	table_close(rel, RowExclusiveLock);
}

void
chunks_keep(const pg_uuid_t *node, const char *name, const Chunks *chunks)
{
	Oid			types[4] = {UUIDOID, TEXTOID, INT8OID, INT4OID};
	Datum		values[4] = {UUIDPGetDatum(node), CStringGetTextDatum(name), Int64GetDatum(chunks->payload ? 0 : chunks->delta),
	Int32GetDatum(chunks->n)};

	if (chunks->payload)
	{
		chunks_unstage(node);
		chunk_stage(node, 0, 0, varlena_make(chunks->payload, chunks->payload_len));
	}
	(void) owner_execute("INSERT INTO dnsrepl.stranger (node, name, delta, chunks) VALUES ($1, $2, $3, $4) ON CONFLICT (node) DO UPDATE"
					 " SET name = excluded.name, delta = excluded.delta, chunks = excluded.chunks, at = now()", 4, types, values);
}

void
strangers_forget(void)
{
	(void) owner_execute("WITH gone AS (DELETE FROM dnsrepl.stranger RETURNING node)"
					 " DELETE FROM dnsrepl.staging s USING gone g WHERE s.node = g.node", 0, NULL, NULL);
}

Chunks *
strangers_read(int *n)
{
	OwnerScope	scope = owner_enter();
	MemoryContext caller = CurrentMemoryContext;
	Chunks	   *all;

	SPI_connect();
	SPI_execute("SELECT node, delta, chunks FROM dnsrepl.stranger s WHERE chunks ="
				" (SELECT count(*) FROM dnsrepl.staging c WHERE c.node = s.node AND c.delta = s.delta) ORDER BY node", true, 0);
	*n = (int) SPI_processed;
	all = MemoryContextAllocZero(caller, sizeof(Chunks) * (size_t) (*n + 1));
	for (int i = 0; i < *n; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;

		all[i].node = *DatumGetUUIDP(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull));
		all[i].delta = DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull));
		all[i].n = DatumGetInt32(SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &isnull));
	}
	SPI_finish();
	owner_leave(scope);
	return all;
}
