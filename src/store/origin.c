/*
 * origin.c: see origin.h.
 *
 * This life's part of the vector is in shared memory (clock.c); dnsrepl.vector holds all others. When a life is over
 * (the server has restarted) what it left is read from its own versions: `low` rises with the stamp, so the version
 * with the largest stamp has the largest low, which is the head; beyond it only the versions that are there, and
 * what they superseded (`over`), are claimed. That is exact after a crash and after point-in-time recovery: nothing
 * is claimed that the disk does not hold. The first captured write of the next life writes it into dnsrepl.vector and
 * closes the old one; until then a merge does, which may delete the very versions that tell.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/condition_variable.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "dnsrepl.h"
#include "store/clock.h"
#include "store/origin.h"
#include "store/private_lock.h"
#include "store/schema.h"
#include "store/version.h"
#include "store/wire.h"

enum
{
	ORIGIN_NO = 1, ORIGIN_ID, ORIGIN_NODE, ORIGIN_OWN, ORIGIN_CLOSED, ORIGIN_NATTS = ORIGIN_CLOSED
};
enum
{
	VECTOR_ORIGIN = 1, VECTOR_HEAD, VECTOR_RANGES, VECTOR_COLLECTED, VECTOR_NATTS = VECTOR_COLLECTED
};

/* The origin that this transaction has made, not yet known to others. */
static XLogRecPtr stored_lsn;		/* the last commit of what vector_stored() has read */
static int32 made_here = 0;
static LocalTransactionId made_by = InvalidLocalTransactionId;

/* ---------- origins ---------- */

static void
origin_from_tuple(HeapTuple tuple, TupleDesc desc, OriginInfo *o)
{
	Datum		values[ORIGIN_NATTS];
	bool		nulls[ORIGIN_NATTS];

	heap_deform_tuple(tuple, desc, values, nulls);
	o->number = DatumGetInt32(values[ORIGIN_NO - 1]);
	o->id = *DatumGetUUIDP(values[ORIGIN_ID - 1]);
	strlcpy(o->node, TextDatumGetCString(values[ORIGIN_NODE - 1]), NAMEDATALEN);
	o->own = DatumGetBool(values[ORIGIN_OWN - 1]);
}

/* Unless it is of this transaction, which may still fail, *lasting. */
static bool
origin_lookup(AttrNumber att, RegProcedure equal, Datum value, const char *index, OriginInfo *o, bool *lasting)
{
	Relation	rel = schema_table("origin", AccessShareLock, ORIGIN_NATTS);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	ScanKeyInit(&key, att, BTEqualStrategyNumber, equal, value);
	scan = systable_beginscan(rel, schema_oid(index), true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		origin_from_tuple(tuple, RelationGetDescr(rel), o);
		*lasting = !TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

typedef struct OriginNumber
{
	pg_uuid_t	id;
	int32		number;
} OriginNumber;

static HTAB *infos = NULL;		/* OriginInfo by number */
static HTAB *numbers = NULL;	/* OriginNumber by id */

/* Numbers are never used twice within one life of the table; whose they are changes only with a new life. */
static void
cache_open(void)
{
	static Oid	cached_for = InvalidOid;
	static pg_uuid_t cached_in;
	HASHCTL		info = {.keysize = sizeof(int32), .entrysize = sizeof(OriginInfo), .hcxt = CacheMemoryContext};
	HASHCTL		number = {.keysize = sizeof(pg_uuid_t), .entrysize = sizeof(OriginNumber), .hcxt = CacheMemoryContext};

	if (numbers && cached_for == schema_oid("origin") &&
		(!clock_available() || memcmp(&cached_in, &clock_slot()->life, UUID_LEN) == 0))
		return;
	if (infos)
		hash_destroy(infos);
	infos = NULL;
	if (numbers)
		hash_destroy(numbers);
	numbers = NULL;
	infos = hash_create("dnsrepl origins", 64, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	numbers = hash_create("dnsrepl numbers of origins", 64, &number, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	cached_for = schema_oid("origin");
	if (clock_available())
		cached_in = clock_slot()->life;
}

const OriginInfo *
origin_known(int32 number)
{
	OriginInfo *o,
				found;
	bool		lasting;

	cache_open();
	o = hash_search(infos, &number, HASH_FIND, NULL);
	if (o)
		return o;
	if (!origin_lookup(ORIGIN_NO, F_INT4EQ, Int32GetDatum(number), "origin_pkey", &found, &lasting))
		return NULL;
	o = hash_search(infos, &number, HASH_ENTER, NULL);
	*o = found;
	return o;
}

const OriginInfo *
origin_info(int32 number)
{
	const OriginInfo *o = origin_known(number);

	if (!o)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED), errmsg("origin %d of a version is not known", number)));
	return o;
}

Birth
dot_birth(Dot dot)
{
	const uint8 *id = origin_info(dot.origin)->id.data;
	Birth		b = {.stamp = (uint64) dot.stamp};

	for (int i = 0; i < 8; i++)
		b.origin = b.origin << 8 | id[i];
	return b;
}

int32
origin_find(const pg_uuid_t *id)
{
	OriginNumber *n;
	OriginInfo	found;
	bool		lasting;

	cache_open();
	n = hash_search(numbers, id, HASH_FIND, NULL);
	if (n)
		return n->number;
	if (!origin_lookup(ORIGIN_ID, F_UUID_EQ, UUIDPGetDatum(id), "origin_id_key", &found, &lasting))
		return 0;
	if (lasting)
	{
		n = hash_search(numbers, id, HASH_ENTER, NULL);
		n->number = found.number;
	}
	return found.number;
}

static int32
origin_insert(const pg_uuid_t *id, const char *node, bool own)
{
	Relation	rel = schema_table("origin", RowExclusiveLock, ORIGIN_NATTS);
	int32		number = (int32) nextval_internal(schema_oid("origin_no"), false);
	Datum		values[ORIGIN_NATTS] = {0};
	bool		nulls[ORIGIN_NATTS] = {0};
	HeapTuple	tuple;

	values[ORIGIN_NO - 1] = Int32GetDatum(number);
	values[ORIGIN_ID - 1] = UUIDPGetDatum(id);
	values[ORIGIN_NODE - 1] = CStringGetTextDatum(node);
	values[ORIGIN_OWN - 1] = BoolGetDatum(own);
	values[ORIGIN_CLOSED - 1] = BoolGetDatum(false);
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	CatalogTupleInsert(rel, tuple);
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
	return number;
}

int32
origin_number(const pg_uuid_t *id, const char *node)
{
	int32		number = origin_find(id);

	return number ? number : origin_insert(id, node, false);
}

/* ---------- the vector ---------- */

static void
vector_from_tuple(Vector *v, HeapTuple tuple, TupleDesc desc)
{
	Datum		values[VECTOR_NATTS];
	bool		nulls[VECTOR_NATTS];
	Datum	   *stamps = NULL;
	StampRange *ranges = NULL;
	int			n = 0;

	heap_deform_tuple(tuple, desc, values, nulls);
	if (!nulls[VECTOR_RANGES - 1])
	{
		deconstruct_array(DatumGetArrayTypeP(values[VECTOR_RANGES - 1]), INT8OID, 8, FLOAT8PASSBYVAL,
						  TYPALIGN_DOUBLE, &stamps, NULL, &n);
		n /= 2;
		ranges = palloc(sizeof(StampRange) * (size_t) (n + 1));
		for (int i = 0; i < n; i++)
			ranges[i] = (StampRange) {DatumGetInt64(stamps[2 * i]), DatumGetInt64(stamps[2 * i + 1])};
	}
	vector_add(v, DatumGetInt32(values[VECTOR_ORIGIN - 1]), DatumGetInt64(values[VECTOR_HEAD - 1]), ranges, n);
}

Vector *
collected_read(Snapshot snapshot)
{
	Relation	rel = schema_table("vector", AccessShareLock, VECTOR_NATTS);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	Vector	   *v = vector_new();
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		int32		origin = DatumGetInt32(heap_getattr(tuple, VECTOR_ORIGIN, RelationGetDescr(rel), &isnull));
		int64		head = DatumGetInt64(heap_getattr(tuple, VECTOR_COLLECTED, RelationGetDescr(rel), &isnull));

		if (head > 0)
			vector_add(v, origin, head, NULL, 0);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return v;
}

static Vector *
vector_stored(Snapshot snapshot)
{
	Relation	rel = schema_table("vector", AccessShareLock, VECTOR_NATTS);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	Vector	   *v = vector_new();
	HeapTuple	tuple;

	stored_lsn = InvalidXLogRecPtr;
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		TransactionId xmin = HeapTupleHeaderGetXmin(tuple->t_data);

		vector_from_tuple(v, tuple, RelationGetDescr(rel));
		if (TransactionIdIsNormal(xmin))
			stored_lsn = Max(stored_lsn, TransactionIdGetCommitLSN(xmin));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return v;
}

XLogRecPtr
holdings_lsn(void)
{
	return stored_lsn;
}

/* What the versions of an own life tell of it. */
static void
vector_add_life(Vector *v, Snapshot snapshot, int32 origin)
{
	Store	   *store = store_open(false);
	LifeRest	rest = version_life_rest(store, snapshot, origin, v);

	vector_add(v, origin, rest.head, rest.ranges, rest.nranges);
	store_close(store);
}

/*
 * Adds what the versions of this node's lives tell, as far as they are not closed; closes those that are over if `close`.
 * Of the present life too: what was committed between the look at the stamps in flight and the snapshot is shown by it,
 * so it is shipped, and whatever is shipped must be claimed; `complete` is one of which all is in `v`. Returns how many were
 * closed.
 */
static int
vector_add_lives(Vector *v, Snapshot snapshot, int32 complete, const pg_uuid_t *life, bool close)
{
	Relation	rel = schema_table("origin", close ? RowExclusiveLock : AccessShareLock, ORIGIN_NATTS);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple	tuple;
	int			closed = 0;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Datum		values[ORIGIN_NATTS];
		bool		nulls[ORIGIN_NATTS];
		int32		number;

		heap_deform_tuple(tuple, RelationGetDescr(rel), values, nulls);
		number = DatumGetInt32(values[ORIGIN_NO - 1]);
		if (!DatumGetBool(values[ORIGIN_OWN - 1]) || DatumGetBool(values[ORIGIN_CLOSED - 1]))
			continue;
		if (number != complete)
			vector_add_life(v, snapshot, number);
		if (close && memcmp(DatumGetUUIDP(values[ORIGIN_ID - 1]), life, UUID_LEN) != 0)
		{
			bool		replace[ORIGIN_NATTS] = {0};
			HeapTuple	over;

			values[ORIGIN_CLOSED - 1] = BoolGetDatum(true);
			replace[ORIGIN_CLOSED - 1] = true;
			over = heap_modify_tuple(tuple, RelationGetDescr(rel), values, nulls, replace);
			CatalogTupleUpdate(rel, &tuple->t_self, over);
			closed++;
		}
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return closed;
}

Vector *
holdings_push_snapshot(void)
{
	NodeSlot   *slot = clock_slot();
	int64		head;
	StampRange *ranges;
	int			nranges;
	int32		origin;
	pg_uuid_t	life;
	Vector	   *v;

	LWLockAcquire(slot->lock, LW_SHARED);
	origin = slot->origin;
	life = slot->life;
	LWLockRelease(slot->lock);
	clock_holds(&head, &ranges, &nranges);	/* before the snapshot: see clock.c */
	PushActiveSnapshot(GetLatestSnapshot());
	v = vector_stored(GetActiveSnapshot());
	if (origin)
		vector_add(v, origin, head, ranges, nranges);
	(void) vector_add_lives(v, GetActiveSnapshot(), origin && clock_rests(origin, head) ? origin : 0, &life, false);
	return v;
}

static Datum
ranges_array(const VectorEntry *e)
{
	Datum	   *stamps = palloc(sizeof(Datum) * 2 * (size_t) e->nranges);

	for (int i = 0; i < e->nranges; i++)
	{
		stamps[2 * i] = Int64GetDatum(e->ranges[i].first);
		stamps[2 * i + 1] = Int64GetDatum(e->ranges[i].last);
	}
	return PointerGetDatum(construct_array(stamps, 2 * e->nranges, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* `collected` is how far the deletions of that origin have been collected: 0 for no news. */
static void
entry_write(Relation rel, const VectorEntry *e, int64 collected)
{
	Datum		values[VECTOR_NATTS] = {0};
	bool		nulls[VECTOR_NATTS] = {0};
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	old,
				new;
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	values[VECTOR_ORIGIN - 1] = Int32GetDatum(e->origin);
	values[VECTOR_HEAD - 1] = Int64GetDatum(e->head);
	nulls[VECTOR_RANGES - 1] = e->nranges == 0;
	if (e->nranges)
		values[VECTOR_RANGES - 1] = ranges_array(e);

	ScanKeyInit(&key, VECTOR_ORIGIN, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(e->origin));
	scan = systable_beginscan(rel, schema_oid("vector_pkey"), true, snapshot, 1, &key);
	old = systable_getnext(scan);
	if (HeapTupleIsValid(old))
	{
		bool		isnull;

		collected = Max(collected, DatumGetInt64(heap_getattr(old, VECTOR_COLLECTED, RelationGetDescr(rel), &isnull)));
	}
	values[VECTOR_COLLECTED - 1] = Int64GetDatum(collected);
	new = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	if (HeapTupleIsValid(old))
		CatalogTupleUpdate(rel, &old->t_self, new);
	else
		CatalogTupleInsert(rel, new);
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
}

/* One at a time, merges and the end of lives: what is stored only grows. */
void
holdings_write(const Vector *now, const Vector *collected)
{
	Relation	rel = schema_table("vector", RowExclusiveLock, VECTOR_NATTS);
	Snapshot	snapshot;
	Vector	   *stored,
			   *joined,
			   *had;

	private_lock(LOCK_VECTOR, 0, ExclusiveLock, false);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	stored = vector_stored(snapshot);
	had = collected_read(snapshot);
	joined = vector_copy(stored);
	vector_join(joined, now);
	for (int i = 0; i < joined->n; i++)
	{
		const VectorEntry *e = &joined->entries[i];
		const VectorEntry *gone = collected ? vector_find(collected, e->origin) : NULL;
		int64		head = gone ? gone->head : 0;

		if (!vector_covers_entry(stored, e) || (head > 0 && !vector_covers(had, e->origin, head)))
			entry_write(rel, e, head);
	}
	UnregisterSnapshot(snapshot);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* The clock starts above all that the store holds, stamps too far ahead apart. */
static void
clock_open(const Vector *held)
{
	for (int i = 0; i < held->n; i++)
	{
		const VectorEntry *e = &held->entries[i];

		clock_saw(e->head);
		for (int r = 0; r < e->nranges; r++)
			clock_saw(e->ranges[r].last);
	}
}

/* Is a life of this node over and not closed? */
static bool
lives_over(const pg_uuid_t *life)
{
	Relation	rel = schema_table("origin", AccessShareLock, ORIGIN_NATTS);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, GetActiveSnapshot(), 0, NULL);
	HeapTuple	tuple;
	bool		over = false;

	while (!over && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Datum		values[ORIGIN_NATTS];
		bool		nulls[ORIGIN_NATTS];

		heap_deform_tuple(tuple, RelationGetDescr(rel), values, nulls);
		over = DatumGetBool(values[ORIGIN_OWN - 1]) && !DatumGetBool(values[ORIGIN_CLOSED - 1]) &&
			memcmp(DatumGetUUIDP(values[ORIGIN_ID - 1]), life, UUID_LEN) != 0;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return over;
}

/* The caller has locks that others wait for: another time, if these are not free. */
void
lives_close(void)
{
	static pg_uuid_t done_for;	/* lives become over only by a new life */
	pg_uuid_t	life = clock_slot()->life;
	Vector	   *now;

	if (memcmp(&life, &done_for, UUID_LEN) == 0)
		return;
	PushActiveSnapshot(GetLatestSnapshot());
	if (lives_over(&life))
	{
		if (!private_lock(LOCK_ORIGIN, 0, ExclusiveLock, true) || !private_lock(LOCK_VECTOR, 0, ExclusiveLock, true))
		{
			PopActiveSnapshot();
			return;
		}
		PopActiveSnapshot();
		PushActiveSnapshot(GetLatestSnapshot());	/* newer than the lock */
		now = vector_new();
		if (vector_add_lives(now, GetActiveSnapshot(), 0, &life, true))
			holdings_write(now, NULL);
	}
	else
		done_for = life;		/* not before: a transaction that closes may fail */
	PopActiveSnapshot();
}

static int32
origin_make(NodeSlot *slot)
{
	NodeInfo	node;
	Vector	   *now;
	Snapshot	snapshot = GetLatestSnapshot();
	int32		number;
	pg_uuid_t	life = slot->life;

	PushActiveSnapshot(snapshot);
	node_require(&node);
	now = vector_stored(GetActiveSnapshot());
	(void) vector_add_lives(now, GetActiveSnapshot(), 0, &life, true);
	clock_open(now);
	holdings_write(now, NULL);
	number = origin_insert(&life, node.name, true);
	PopActiveSnapshot();
	clock_origin_made(number);
	made_here = number;
	made_by = MY_LXID;
	return number;
}

void
origin_make_wanted(void)
{
	NodeSlot   *slot = clock_slot();

	pg_atomic_write_u32(&slot->origin_wanted, 0);
	if (slot->origin == 0 && private_lock(LOCK_LIFE, 0, ShareLock, true) && private_lock(LOCK_ORIGIN, 0, ExclusiveLock, true) &&
		slot->origin == 0)
		(void) origin_make(slot);
}

/* How long (ms) a writer waits for the manager, which may be at some other work. */
#define MANAGER_WAIT 1000

/* A transaction that makes the row keeps all other writers waiting until it ends, which may be long: the manager's is short. */
static int32
origin_by_manager(NodeSlot *slot)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), MANAGER_WAIT);
	long		left;

	if (!wake_other(slot, WAKE_MANAGER))
		return 0;
	ConditionVariablePrepareToSleep(&slot->origin_made);
	pg_atomic_write_u32(&slot->origin_wanted, 1);
	wake_all(slot, WAKE_MANAGER);
	while (!slot->origin && (left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until)) > 0)
		(void) ConditionVariableTimedSleep(&slot->origin_made, left, PG_WAIT_EXTENSION);
	ConditionVariableCancelSleep();
	return slot->origin;
}

int32
origin_current(void)
{
	NodeSlot   *slot = clock_slot();

	if (slot->origin)
		return slot->origin;
	if (origin_made_here())
		return made_here;
	if (origin_by_manager(slot))
		return slot->origin;
	private_lock(LOCK_ORIGIN, 0, ExclusiveLock, false);
	return slot->origin ? slot->origin : origin_make(slot);
}

void
origin_forget(void)
{
	made_here = 0;
}

bool
origin_made_here(void)
{
	return made_here && made_by == MY_LXID;
}
