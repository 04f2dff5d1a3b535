/*
 * chunks.c: see chunks.h. The table dnsrepl.staging.
 *
 * A chunk belongs to the session that it came in, by a number that only this session knows: a merge goes through its chunks
 * twice, and both times reads the same, whatever other sessions of the same node do. The number has the process in it, so that
 * what a session left that is over is known as such, and taken away by the next one. Session 0: deltas that are kept. Nobody
 * waits for anybody.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "dnsrepl.h"
#include "merge/chunks.h"
#include "store/codec.h"
#include "store/delta.h"
#include "store/progress.h"
#include "store/schema.h"

enum
{
	STAGING_NODE = 1, STAGING_SESSION, STAGING_DELTA, STAGING_SEQ, STAGING_PAYLOAD, STAGING_AT, STAGING_NATTS = STAGING_AT
};

#define KEPT 0					/* no session's */
#define MAX_STRANGERS	8		/* of which something is kept */
#define STRANGER_PART	16		/* of dnsrepl.staging_limit, for each */
#define CHUNK_ROOM		1024	/* octets that a chunk takes besides its own */

static uint64 staged;			/* octets, by this session since chunks_unstage() */

static int64
session_number(void)
{
	static int64 number = 0;

	if (number == 0)
	{
		uint32		random;

		if (!pg_strong_random(&random, sizeof(random)))
			ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values")));
		number = (int64) MyProcPid << 32 | random;
	}
	return number;
}

static bool
session_over(int64 number)
{
	int			pid = (int) (number >> 32);

	return number != KEPT && number != session_number() && (pid == MyProcPid || BackendPidGetProc(pid) == NULL);
}

static SysScanDesc
staging_scan(Relation rel, const Chunks *c, int nkeys)
{
	ScanKeyData keys[4];

	ScanKeyInit(&keys[0], STAGING_NODE, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&c->node));
	ScanKeyInit(&keys[1], STAGING_SESSION, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(c->session));
	ScanKeyInit(&keys[2], STAGING_DELTA, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(c->delta));
	ScanKeyInit(&keys[3], STAGING_SEQ, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(c->next));
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
	rel = schema_table("staging", AccessShareLock, STAGING_NATTS);
	scan = staging_scan(rel, c, 4);
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

/* Opens the next chunk; the first one's header is skipped, it was read before. */
bool
chunks_items(Chunks *chunks, WireReader *r)
{
	bool		first = chunks->next == 0;
	int			n;
	size_t		len;
	uint8		flags;

	if (!chunks_next(chunks, r))
		return false;
	if (wire_get_u8(r) != (first ? CHUNK_FIRST : CHUNK_NEXT))
		peer_nonsense("A chunk is out of place.");
	if (first)
	{
		(void) wire_get_bytes(r, 2 * UUID_LEN);
		(void) wire_get_string(r, NAMEDATALEN - 1, &len);
		if (!entries_decode(r, &n) || !entries_decode(r, &n) || (flags = wire_get_u8(r), !entries_decode(r, &n)) ||
			((flags & DELTA_SALVAGE) && !entries_decode(r, &n)))
			peer_nonsense("The header of a delta cannot be read.");
		if (flags & DELTA_SALVAGE)
			(void) wire_get_bytes(r, UUID_LEN * (size_t) wire_get_varint(r));
	}
	return true;
}

/* On disk, with what has been deleted and not yet vacuumed. */
static uint64
staging_size(Relation rel)
{
	uint64		blocks = RelationGetNumberOfBlocks(rel);

	if (OidIsValid(rel->rd_rel->reltoastrelid))
	{
		Relation	toast = table_open(rel->rd_rel->reltoastrelid, AccessShareLock);

		blocks += RelationGetNumberOfBlocks(toast);
		table_close(toast, NoLock);
	}
	return blocks * BLCKSZ;
}

static void
staging_bound(Relation rel, size_t len, bool stranger)
{
	uint64		limit = (uint64) setting_staging_limit * 1024 * 1024;

	staged += len + CHUNK_ROOM;
	if (stranger && staged > limit / STRANGER_PART)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("what a node of another cluster holds is too large to be kept for dnsrepl.join_preview()"),
				 errdetail("%d MB are kept of each.", setting_staging_limit / STRANGER_PART),
				 errhint("Set dnsrepl.staging_limit, or run dnsrepl.join() without a preview.")));
	if (staging_size(rel) + len > limit)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("the messages that wait to be merged take more than %d MB", setting_staging_limit),
				 errhint("What nobody waits for any more goes by itself, when dnsrepl.staging has been vacuumed. Else set dnsrepl.staging_limit.")));
}

Chunks
chunks_staged(const pg_uuid_t *node, int64 delta, int32 n)
{
	return (Chunks) {.node = *node, .session = session_number(), .delta = delta, .n = n};
}

void
chunk_stage(const Chunks *c, int32 seq, struct varlena *payload, bool stranger)
{
	Relation	rel = schema_table("staging", RowExclusiveLock, STAGING_NATTS);
	Datum		values[STAGING_NATTS];
	bool		nulls[STAGING_NATTS] = {0};

	staging_bound(rel, VARSIZE_ANY_EXHDR(payload), stranger);
	values[STAGING_NODE - 1] = UUIDPGetDatum(&c->node);
	values[STAGING_SESSION - 1] = Int64GetDatum(c->session);
	values[STAGING_DELTA - 1] = Int64GetDatum(c->delta);
	values[STAGING_SEQ - 1] = Int32GetDatum(seq);
	values[STAGING_PAYLOAD - 1] = PointerGetDatum(payload);
	values[STAGING_AT - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	CatalogTupleInsert(rel, heap_form_tuple(RelationGetDescr(rel), values, nulls));
	table_close(rel, RowExclusiveLock);
}

/* Those of a node that are nobody's any more, and of one session (KEPT: what is kept); did that one have any? */
static bool
staging_delete(const pg_uuid_t *node, int64 session)
{
	Relation	rel = schema_table("staging", RowExclusiveLock, STAGING_NATTS);
	Chunks		c = {.node = *node};
	SysScanDesc scan = staging_scan(rel, &c, 1);
	HeapTuple	tuple;
	bool		any = false;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		int64		number = DatumGetInt64(heap_getattr(tuple, STAGING_SESSION, RelationGetDescr(rel), &isnull));
		TM_FailureData tmfd;

		progress();
		if (number != session && !session_over(number))
			continue;
		/* another session may be doing the same */
		(void) heap_delete(rel, &tuple->t_self, GetCurrentCommandId(true), InvalidSnapshot, false, &tmfd, false);
		any |= number == session;
	}
	systable_endscan(scan);
	table_close(rel, RowExclusiveLock);
	return any;
}

void
chunks_unstage(const pg_uuid_t *node)
{
	(void) staging_delete(node, session_number());
	staged = 0;
}

void
chunks_merged(const pg_uuid_t *node)
{
	Oid			types[1] = {UUIDOID};
	Datum		values[1] = {UUIDPGetDatum(node)};

	chunks_unstage(node);
	if (staging_delete(node, KEPT))
		(void) owner_execute("DELETE FROM dnsrepl.stranger WHERE node = $1", 1, types, values);
}

static pg_uuid_t left;			/* whose chunks these are */
static bool any_left = false;

/*
 * As temporary tables go: in a transaction of its own. It waits for nobody, since a process that exits cannot be ended any more: a table
 * that somebody has locked, and a server that is stopped at once, leave it to the next hello().
 */
static void
chunks_exit(int code, Datum arg)
{
	Oid			staging;

	if (!any_left)
		return;
	any_left = false;
	AbortOutOfAnyTransaction();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	staging = schema_find("staging");
	if (OidIsValid(staging) && ConditionalLockRelationOid(staging, RowExclusiveLock))
		(void) staging_delete(&left, session_number());
	PopActiveSnapshot();
	CommitTransactionCommand();
}

void
chunks_end_with_session(const pg_uuid_t *node)
{
	static bool registered = false;

	if (!registered)
		before_shmem_exit(chunks_exit, (Datum) 0);
	registered = true;
	any_left = node != NULL;
	if (node)
		left = *node;
}

void
chunks_keep(const pg_uuid_t *node, const char *name, const Chunks *chunks)
{
	Oid			types[4] = {UUIDOID, TEXTOID, INT8OID, INT4OID};
	Oid			most_type[1] = {INT4OID};
	Datum		most[1] = {Int32GetDatum(MAX_STRANGERS)};
	Datum		values[4] = {UUIDPGetDatum(node), CStringGetTextDatum(name), Int64GetDatum(chunks->payload ? 0 : chunks->delta),
	Int32GetDatum(chunks->n)};

	(void) staging_delete(node, KEPT);
	CommandCounterIncrement();
	if (chunks->payload)
	{
		staged = 0;
		chunk_stage(&(Chunks) {.node = *node, .session = KEPT}, 0, varlena_make(chunks->payload, chunks->payload_len), true);
	}
	else
	{
		Datum		mine[2] = {UUIDPGetDatum(node), Int64GetDatum(chunks->session)};

		(void) owner_execute("UPDATE dnsrepl.staging SET session = 0 WHERE node = $1 AND session = $2", 2, (Oid[]) {UUIDOID, INT8OID}, mine);
	}
	(void) owner_execute("INSERT INTO dnsrepl.stranger (node, name, delta, chunks) VALUES ($1, $2, $3, $4) ON CONFLICT (node) DO UPDATE"
					 " SET name = excluded.name, delta = excluded.delta, chunks = excluded.chunks, at = now()", 4, types, values);
	(void) owner_execute("WITH gone AS (DELETE FROM dnsrepl.stranger WHERE node IN (SELECT node FROM dnsrepl.stranger ORDER BY at DESC OFFSET $1) RETURNING node)"
					 " DELETE FROM dnsrepl.staging s USING gone g WHERE s.node = g.node AND s.session = 0", 1, most_type, most);
}

void
strangers_forget(void)
{
	(void) owner_execute("WITH gone AS (DELETE FROM dnsrepl.stranger RETURNING node)"
					 " DELETE FROM dnsrepl.staging s USING gone g WHERE s.node = g.node AND s.session = 0", 0, NULL, NULL);
}

Chunks *
strangers_read(int *n)
{
	OwnerScope	scope = owner_enter();
	MemoryContext caller = CurrentMemoryContext;
	Chunks	   *all;

	SPI_connect();
	SPI_execute("SELECT node, delta, chunks, name FROM dnsrepl.stranger s WHERE chunks ="
				" (SELECT count(*) FROM dnsrepl.staging c WHERE c.node = s.node AND c.session = 0 AND c.delta = s.delta) ORDER BY node", true, 0);
	*n = (int) SPI_processed;
	all = MemoryContextAllocZero(caller, sizeof(Chunks) * (size_t) (*n + 1));
	for (int i = 0; i < *n; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;

		all[i].node = *DatumGetUUIDP(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull));
		all[i].delta = DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull));
		all[i].n = DatumGetInt32(SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &isnull));
		all[i].name = MemoryContextStrdup(caller, SPI_getvalue(row, SPI_tuptable->tupdesc, 4));
	}
	SPI_finish();
	owner_leave(scope);
	return all;
}
