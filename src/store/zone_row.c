/*
 * zone_row.c: the row that stands for a zone, and its lock (declared in version.h).
 *
 * Whoever changes units of a zone holds this row, taken in zone_order, so that no order can deadlock; it is a row
 * lock, so a transaction may hold any number. The latest row is locked whatever the transaction's snapshot is:
 * under REPEATABLE READ the units decide whether there is a conflict, not the zone.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/subtrans.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "store/live.h"
#include "store/progress.h"
#include "store/schema.h"
#include "store/version_row.h"
#include "store/wire.h"

enum
{
	ZONE_NO = 1, ZONE_NAME, ZONE_TAB, ZONE_SERIAL, ZONE_HEARD, ZONE_SERVED, ZONE_OTHERS, ZONE_HELD, ZONE_DNAMES,
	ZONE_LIVE, ZONE_STORED, ZONE_ORDERED, ZONE_NATTS = ZONE_ORDERED
};

/* The row that this transaction has locked last. */
static struct
{
	LocalTransactionId by;
	int32		number;
	ItemPointerData tid;
}			locked;

int
zone_order(const void *a, const void *b)
{
	const ZoneRef *x = a,
			   *y = b;
	int			c;

	if (x->table || y->table)
		return !y->table ? -1 : !x->table ? 1 : (x->table > y->table) - (x->table < y->table);
	c = memcmp(x->name, y->name, Min(x->name_len, y->name_len));
	return c ? c : (x->name_len > y->name_len) - (x->name_len < y->name_len);
}

/* dnsname's own equality, from the index that uses it. */
static RegProcedure
name_equal(Oid index_oid)
{
	static Oid	last_index = InvalidOid;
	static RegProcedure last_equal;

	if (index_oid != last_index)
	{
		Relation	index = index_open(index_oid, AccessShareLock);
		Oid			type = index->rd_opcintype[0];

		last_equal = get_opcode(get_opfamily_member(index->rd_opfamily[0], type, type, BTEqualStrategyNumber));
		last_index = index_oid;
		index_close(index, AccessShareLock);
	}
	return last_equal;
}

static SysScanDesc
zone_scan(Relation rel, Snapshot snapshot, const ZoneRef *z)
{
	Oid			index = schema_oid(z->table ? "zone_tab_key" : "zone_name_key");
	ScanKeyData key;

	if (z->table)
		ScanKeyInit(&key, ZONE_TAB, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(z->table));
	else
		ScanKeyInit(&key, ZONE_NAME, BTEqualStrategyNumber, name_equal(index), PointerGetDatum(varlena_make(z->name, z->name_len)));
	return systable_beginscan(rel, index, true, snapshot, 1, &key);
}

static int32
zone_row_find(Relation rel, Snapshot snapshot, const ZoneRef *z, ItemPointer tid)
{
	SysScanDesc scan = zone_scan(rel, snapshot, z);
	HeapTuple	tuple = systable_getnext(scan);
	int32		number = 0;

	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;

		number = DatumGetInt32(heap_getattr(tuple, ZONE_NO, RelationGetDescr(rel), &isnull));
		*tid = tuple->t_self;
	}
	systable_endscan(scan);
	return number;
}

/* Is another transaction making it, or (xid of whoever) has it locked? */
static bool
zone_row_busy(Relation rel, const ZoneRef *z, TransactionId *xid)
{
	SnapshotData dirty;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		coming;

	InitDirtySnapshot(dirty);
	scan = zone_scan(rel, &dirty, z);
	tuple = systable_getnext(scan);
	coming = HeapTupleIsValid(tuple) && TransactionIdIsValid(dirty.xmin);
	*xid = InvalidTransactionId;
	if (coming)
		*xid = dirty.xmin;
	else if (HeapTupleIsValid(tuple) && !(tuple->t_data->t_infomask & (HEAP_XMAX_INVALID | HEAP_XMAX_IS_MULTI)))
		*xid = HeapTupleHeaderGetRawXmax(tuple->t_data);
	systable_endscan(scan);
	return coming;
}

/* The other transaction that is making it, or has it locked; InvalidTransactionId: none. */
static TransactionId
zone_transaction(const ZoneRef *z)
{
	Relation	rel = schema_table("zone", AccessShareLock, ZONE_NATTS);
	TransactionId xid;

	(void) zone_row_busy(rel, z, &xid);
	table_close(rel, AccessShareLock);
	if (!TransactionIdIsNormal(xid) || !TransactionIdIsInProgress(xid) || TransactionIdIsCurrentTransactionId(xid))
		return InvalidTransactionId;
	return SubTransGetTopmostTransaction(xid);
}

bool
zone_busy(const ZoneRef *z)
{
	return TransactionIdIsValid(zone_transaction(z));
}

/* A transaction without a process is a prepared one. */
static char *
prepared_name(TransactionId xid)
{
	MemoryContext caller = CurrentMemoryContext;
	OwnerScope	scope = owner_enter();
	Oid			types[1] = {XIDOID};
	Datum		values[1] = {TransactionIdGetDatum(xid)};
	char	   *name = NULL;

	SPI_connect();
	SPI_execute_with_args("SELECT format('the prepared transaction %L', gid) FROM pg_catalog.pg_prepared_xacts WHERE transaction = $1", 1, types, values, NULL, true, 1);
	if (SPI_processed == 1)
		name = MemoryContextStrdup(caller, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	SPI_finish();
	owner_leave(scope);
	return name;
}

char *
zone_holder(const ZoneRef *z)
{
	TransactionId xid = zone_transaction(z);
	int			pid = TransactionIdIsValid(xid) ? BackendXidGetPid(xid) : 0;

	if (!TransactionIdIsValid(xid))
		return NULL;
	return pid ? psprintf("process %d", pid) : prepared_name(xid);
}

/* Another transaction may be making the same row: then this waits for it. False: so it was. */
static bool
zone_row_make(const ZoneRef *z)
{
	OwnerScope	scope = owner_enter();
	Datum		values[1] = {z->table ? Int16GetDatum(z->table) : PointerGetDatum(varlena_make(z->name, z->name_len))};
	Oid			types[1] = {z->table ? INT2OID : get_atttype(schema_oid("zone"), ZONE_NAME)};
	bool		made;

	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	SPI_execute_with_args(z->table ? "INSERT INTO dnsrepl.zone (tab) VALUES ($1) ON CONFLICT DO NOTHING"
						  : "INSERT INTO dnsrepl.zone (name) VALUES ($1) ON CONFLICT DO NOTHING",
						  1, types, values, NULL, false, 0);
	made = SPI_processed == 1;
	SPI_finish();
	PopActiveSnapshot();
	owner_leave(scope);
	CommandCounterIncrement();
	return made;
}

static Datum
live_datum(const Live *live)
{
	Datum		values[2 * MAX_INCARNATIONS];

	for (int i = 0; i < live->n; i++)
	{
		values[2 * i] = Int64GetDatum(live->incarnations[i].origin);
		values[2 * i + 1] = Int64GetDatum(live->incarnations[i].stamp);
	}
	return PointerGetDatum(construct_array(values, 2 * live->n, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static void
state_from_values(ZoneState *s, const Datum *values, const bool *nulls)
{
	s->serial = nulls[ZONE_SERIAL - 1] ? 0 : (uint64) DatumGetInt64(values[ZONE_SERIAL - 1]);
	s->heard = nulls[ZONE_HEARD - 1] ? 0 : (uint64) DatumGetInt64(values[ZONE_HEARD - 1]);
	s->served = (uint64) DatumGetInt64(values[ZONE_SERVED - 1]);
	s->others = (uint64) DatumGetInt64(values[ZONE_OTHERS - 1]);
	s->held = (uint64) DatumGetInt64(values[ZONE_HELD - 1]);
	s->dnames = DatumGetInt32(values[ZONE_DNAMES - 1]);
	memset(&s->live, 0, sizeof(s->live));
	memset(&s->stored, 0, sizeof(s->stored));
	if (!nulls[ZONE_LIVE - 1])
		s->live = live_from_array(DatumGetArrayTypeP(values[ZONE_LIVE - 1]));
	if (!nulls[ZONE_STORED - 1])
		s->stored = live_from_array(DatumGetArrayTypeP(values[ZONE_STORED - 1]));
	s->live.all = s->stored.all = nulls[ZONE_NAME - 1];
	s->ordered = (uint64) DatumGetInt64(values[ZONE_ORDERED - 1]);
}

/* A copy. Raises XX001 if there is none. */
static HeapTuple
zone_row(Relation rel, Snapshot snapshot, int32 number)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple = NULL;

	if (locked.by == MY_LXID && locked.number == number)
	{
		TupleTableSlot *slot = table_slot_create(rel, NULL);

		bool		isnull;

		if (table_tuple_fetch_row_version(rel, &locked.tid, snapshot, slot) &&	/* else it has been written since */
			DatumGetInt32(slot_getattr(slot, ZONE_NO, &isnull)) == number)
			tuple = ExecCopySlotHeapTuple(slot);
		ExecDropSingleTupleTableSlot(slot);
		if (tuple)
			return tuple;
	}
	ScanKeyInit(&key, ZONE_NO, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(number));
	scan = systable_beginscan(rel, schema_oid("zone_pkey"), true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("zone %d of a version is not known", number)));
	tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

/* Nearly always a heap-only tuple: then no index is opened. The row is locked. */
static void
zone_row_update(Relation rel, ItemPointerData tid, HeapTuple new)
{
	CatalogIndexState indexes;

	if (compat_heap_update(rel, &tid, new, GetCurrentCommandId(true)) != TM_Ok)
		elog(ERROR, "the row of a zone was changed by somebody else");
	if (HeapTupleIsHeapOnly(new))
		return;
	indexes = CatalogOpenIndexes(rel);
	row_index(indexes, new, InvalidOid);
	CatalogCloseIndexes(indexes);
}

static void
live_replace(const Live *live, int column, Datum *values, bool *nulls, bool *replace)
{
	nulls[column - 1] = live->n == 0;
	if (live->n)
		values[column - 1] = live_datum(live);
	replace[column - 1] = true;
}

void
zone_state_write(const ZoneTally *t)
{
	Relation	rel = schema_table("zone", RowExclusiveLock, ZONE_NATTS);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	HeapTuple	old = zone_row(rel, snapshot, t->number);
	Datum		values[ZONE_NATTS];
	bool		nulls[ZONE_NATTS];
	bool		replace[ZONE_NATTS] = {0};
	ZoneState	s;

	heap_deform_tuple(old, RelationGetDescr(rel), values, nulls);
	state_from_values(&s, values, nulls);
	values[ZONE_SERVED - 1] = Int64GetDatum((int64) (s.served + t->served));
	values[ZONE_OTHERS - 1] = Int64GetDatum((int64) (s.others + t->others));
	values[ZONE_HELD - 1] = Int64GetDatum((int64) (s.held + t->held));
	values[ZONE_DNAMES - 1] = Int32GetDatum(s.dnames + t->dnames);
	for (int i = ZONE_SERVED; i <= ZONE_DNAMES; i++)
		replace[i - 1] = true;
	if (t->serial_set)
	{
		values[ZONE_SERIAL - 1] = Int64GetDatum((int64) t->serial);
		nulls[ZONE_SERIAL - 1] = t->serial == 0;
		values[ZONE_HEARD - 1] = Int64GetDatum((int64) t->heard);
		nulls[ZONE_HEARD - 1] = t->heard == 0;
		replace[ZONE_SERIAL - 1] = replace[ZONE_HEARD - 1] = true;
	}
	if (t->live_set)
		live_replace(&t->live, ZONE_LIVE, values, nulls, replace);
	if (t->stored_set)
		live_replace(&t->stored, ZONE_STORED, values, nulls, replace);
	if (t->ordered)
	{
		values[ZONE_ORDERED - 1] = Int64GetDatum((int64) t->ordered);
		replace[ZONE_ORDERED - 1] = true;
	}
	zone_row_update(rel, old->t_self, heap_modify_tuple(old, RelationGetDescr(rel), values, nulls, replace));
	heap_freetuple(old);
	UnregisterSnapshot(snapshot);
	table_close(rel, NoLock);
}

/* What the row that has been locked says. */
static void
state_from_slot(ZoneState *s, TupleTableSlot *slot)
{
	slot_getallattrs(slot);
	state_from_values(s, slot->tts_values, slot->tts_isnull);
}

bool
zone_lock(ZoneRef *z, bool wait)
{
	Relation	rel = schema_table("zone", RowShareLock, ZONE_NATTS);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TM_Result	result = TM_Invisible;

	z->made = false;
	for (int tries = 0; result != TM_Ok && result != TM_WouldBlock; tries++)
	{
		Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
		ItemPointerData tid;
		TM_FailureData tmfd;
		TransactionId maker;

		z->number = zone_row_find(rel, snapshot, z, &tid);
		if (z->number)
			result = table_tuple_lock(rel, &tid, snapshot, slot, GetCurrentCommandId(false),
									  LockTupleNoKeyExclusive, wait ? LockWaitBlock : LockWaitSkip,
									  TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &tmfd);
		else if (!wait && zone_row_busy(rel, z, &maker))
			result = TM_WouldBlock;
		else
			z->made = zone_row_make(z);
		UnregisterSnapshot(snapshot);
		if (tries > 100)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE), errmsg("could not lock the row of a zone")));
	}
	if (result == TM_Ok)
	{
		state_from_slot(&z->state, slot);
		locked.by = MY_LXID;
		locked.number = z->number;
		locked.tid = slot->tts_tid;
	}
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	return result == TM_Ok;
}

static ZoneRef
zone_from_tuple(HeapTuple tuple, TupleDesc desc)
{
	Datum		values[ZONE_NATTS];
	bool		nulls[ZONE_NATTS];
	ZoneRef		z = {0};

	heap_deform_tuple(tuple, desc, values, nulls);
	z.number = DatumGetInt32(values[ZONE_NO - 1]);
	state_from_values(&z.state, values, nulls);
	if (!nulls[ZONE_TAB - 1])
		z.table = DatumGetInt16(values[ZONE_TAB - 1]);
	else
	{
		struct varlena *name = PG_DETOAST_DATUM_PACKED(values[ZONE_NAME - 1]);

		z.name_len = VARSIZE_ANY_EXHDR(name);
		z.name = palloc(z.name_len + 1);
		memcpy(z.name, VARDATA_ANY(name), z.name_len);
	}
	return z;
}

int32
zone_number_at(Snapshot snapshot, const ZoneRef *z)
{
	Relation	rel = schema_table("zone", AccessShareLock, ZONE_NATTS);
	ItemPointerData tid;
	int32		number = zone_row_find(rel, snapshot, z, &tid);

	table_close(rel, AccessShareLock);
	return number;
}

bool
zone_by_number_at(Snapshot snapshot, int32 number, ZoneRef *z)
{
	Relation	rel = schema_table("zone", AccessShareLock, ZONE_NATTS);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, ZONE_NO, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(number));
	scan = systable_beginscan(rel, schema_oid("zone_pkey"), true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		*z = zone_from_tuple(tuple, RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

/* As it is now. */
static bool
zone_find(int32 number, ZoneRef *z)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	bool		found = zone_by_number_at(snapshot, number, z);

	UnregisterSnapshot(snapshot);
	return found;
}

ZoneRef
zone_by_number(int32 number)
{
	ZoneRef		z;

	if (!zone_find(number, &z))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("zone %d of a version is not known", number)));
	return z;
}

ZoneRef
zone_argument(int32 number)
{
	ZoneRef		z;

	if (!zone_find(number, &z))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("there is no zone of the number %d", number)));
	return z;
}

ZoneRef *
zone_all_at(Snapshot snapshot, int *n)
{
	Relation	rel = schema_table("zone", AccessShareLock, ZONE_NATTS);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple	tuple;
	int			cap = 64;
	ZoneRef    *zones = palloc(sizeof(ZoneRef) * (size_t) cap);

	*n = 0;
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		progress();
		if (*n == cap)
			zones = repalloc_huge(zones, sizeof(ZoneRef) * (size_t) (cap *= 2));
		zones[(*n)++] = zone_from_tuple(tuple, RelationGetDescr(rel));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	qsort(zones, (size_t) *n, sizeof(ZoneRef), zone_order);
	return zones;
}

ZoneRef *
zone_all(int *n)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ZoneRef    *zones = zone_all_at(snapshot, n);

	UnregisterSnapshot(snapshot);
	return zones;
}
