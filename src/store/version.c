/*
 * version.c: see version.h.
 *
 * dnsrepl.version_store is an ordinary table with two indexes: (zone, key) for a unit's versions, (origin, stamp) for
 * what a peer lacks, which is the queue. Rows are written by the routines that also write catalogs, so a version costs
 * no executor; nobody but the holder of the zone's row lock writes the versions of its units.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "dnsrepl.h"
#include "store/relation.h"
#include "store/schema.h"
#include "store/version.h"
#include "store/wire.h"

enum
{
	VERSION_STAMP = 1, VERSION_LOW, VERSION_ZONE, VERSION_ORIGIN, VERSION_SEEN, VERSION_KEY, VERSION_IMAGE,
	VERSION_OVER, VERSION_NATTS = VERSION_OVER
};

Store *
store_open(bool write)
{
	Store	   *s = palloc(sizeof(Store));
	LOCKMODE	mode = write ? RowExclusiveLock : AccessShareLock;

	s->heap = table_open(schema_oid("version_store"), mode);
	s->unit_index = index_open(schema_oid("version_unit"), mode);
	s->dot_index = index_open(schema_oid("version_dot"), mode);
	s->indstate = write ? CatalogOpenIndexes(s->heap) : NULL;
	s->tallies = NULL;
	s->context = CurrentMemoryContext;
	return s;
}

ZoneTally *
store_tally(Store *s, int32 zone)
{
	ZoneTally  *t;
	bool		found;

	if (!s->tallies)
	{
		HASHCTL		ctl = {.keysize = sizeof(int32), .entrysize = sizeof(ZoneTally), .hcxt = s->context};

		s->tallies = hash_create("dnsrepl zones written", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	t = hash_search(s->tallies, &zone, HASH_ENTER, &found);
	if (!found)
		memset((char *) t + sizeof(int32), 0, sizeof(ZoneTally) - sizeof(int32));
	return t;
}

void
tally_served(Store *s, int32 zone, const uint8 *key, size_t key_len, uint64 difference)
{
	ZoneTally  *t = store_tally(s, zone);

	if (key_number(key, key_len) == TABLE_RECORDS)
		t->served += difference;
	else
		t->others += difference;
}

void
tally_live(Store *s, const ZoneRef *zone, const Live *live)
{
	ZoneTally  *t = store_tally(s, zone->number);

	t->live_set = true;
	t->live = *live;
	if (live->n == 0)
	{
		/* nothing is served of it any more */
		t->served = -zone->state.served;
		t->others = -zone->state.others;
	}
}

static void
tallies_write(Store *s)
{
	HASH_SEQ_STATUS all;
	ZoneTally  *t;

	CommandCounterIncrement();
	hash_seq_init(&all, s->tallies);
	while ((t = hash_seq_search(&all)) != NULL)
		if (t->served || t->others || t->held || t->dnames || t->serial_set || t->live_set || t->ordered)
			zone_state_write(t);
	hash_destroy(s->tallies);
}

/* Locks are kept to the end of the transaction. */
void
store_close(Store *s)
{
	if (s->tallies)
		tallies_write(s);
	if (s->indstate)
		CatalogCloseIndexes(s->indstate);
	index_close(s->dot_index, NoLock);
	index_close(s->unit_index, NoLock);
	table_close(s->heap, NoLock);
	pfree(s);
}

/* ---------- rows ---------- */

static void
over_decode(Version *v, Datum over)
{
	bytea	   *b = DatumGetByteaPP(over);
	WireReader	r;
	StampRange *ranges;

	wire_reader_init(&r, VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b));
	ranges = palloc(sizeof(StampRange) * (VARSIZE_ANY_EXHDR(b) / 8 + 1));
	while (!wire_at_end(&r))
	{
		int64		stamp = (int64) wire_get_u64(&r);

		ranges[v->nover++] = (StampRange) {stamp, stamp};
	}
	v->over = ranges;
}

/* The version in a slot; its image is copied into the current context. */
static Version
version_from_slot(TupleTableSlot *slot)
{
	Version		v = {0};
	bytea	   *image;
	bool		shouldFree;
	HeapTuple	tuple = ExecFetchSlotHeapTuple(slot, false, &shouldFree);

	slot_getallattrs(slot);
	v.tid = slot->tts_tid;
	v.xmin = HeapTupleHeaderGetXmin(tuple->t_data);
	v.dot.origin = DatumGetInt32(slot->tts_values[VERSION_ORIGIN - 1]);
	v.dot.stamp = DatumGetInt64(slot->tts_values[VERSION_STAMP - 1]);
	v.low = slot->tts_isnull[VERSION_LOW - 1] ? 0 : DatumGetInt64(slot->tts_values[VERSION_LOW - 1]);
	v.seen = DatumGetBool(slot->tts_values[VERSION_SEEN - 1]);
	image = DatumGetByteaPCopy(slot->tts_values[VERSION_IMAGE - 1]);
	v.image = (uint8 *) VARDATA(image);
	v.image_len = VARSIZE(image) - VARHDRSZ;
	if (!slot->tts_isnull[VERSION_OVER - 1])
		over_decode(&v, slot->tts_values[VERSION_OVER - 1]);
	if (shouldFree)
		heap_freetuple(tuple);
	return v;
}

VersionSet
version_read(Store *s, Snapshot snapshot, int32 zone, const uint8 *key, size_t key_len)
{
	TupleTableSlot *slot = table_slot_create(s->heap, NULL);
	ScanKeyData keys[2];
	IndexScanDesc scan;
	VersionSet	set = {0};
	int			cap = 0;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(zone));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_BYTEAEQ, PointerGetDatum(varlena_make(key, key_len)));
	scan = compat_index_beginscan(s->heap, s->unit_index, snapshot, 2);
	index_rescan(scan, keys, 2, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		if (set.n == cap)
		{
			cap = cap ? cap * 2 : 2;
			set.v = set.v ? repalloc(set.v, sizeof(Version) * (size_t) cap) : palloc(sizeof(Version) * (size_t) cap);
		}
		set.v[set.n++] = version_from_slot(slot);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return set;
}

uint64
version_hash(const uint8 *key, size_t key_len, const Version *v)
{
	uint64		h = hash_bytes_extended(v->image, (int) v->image_len, (uint64) v->dot.stamp);

	return hash_combine64(h, hash_bytes_extended(key, (int) key_len, (uint64) v->dot.origin));
}

static void
version_tally(Store *s, int32 zone, const uint8 *key, size_t key_len, const Version *v, int sign)
{
	ZoneTally  *t = store_tally(s, zone);
	uint64		hash = version_hash(key, key_len, v);

	t->held += sign > 0 ? hash : -hash;
	if (record_type(key, key_len) == TYPE_DNAME)
		t->dnames += sign;
}

bool
versions_wait(const VersionSet *set)
{
	for (int i = 0; i < set->n; i++)
		if (!set->v[i].seen)
			return true;
	return false;
}

ItemPointerData
version_insert(Store *s, int32 zone, const uint8 *key, size_t key_len, const Version *v)
{
	Datum		values[VERSION_NATTS] = {0};
	bool		nulls[VERSION_NATTS] = {0};
	HeapTuple	tuple;
	ItemPointerData tid;

	values[VERSION_STAMP - 1] = Int64GetDatum(v->dot.stamp);
	values[VERSION_LOW - 1] = Int64GetDatum(v->low);
	nulls[VERSION_LOW - 1] = v->low == 0;
	values[VERSION_ZONE - 1] = Int32GetDatum(zone);
	values[VERSION_ORIGIN - 1] = Int32GetDatum(v->dot.origin);
	values[VERSION_SEEN - 1] = BoolGetDatum(v->seen);
	values[VERSION_KEY - 1] = PointerGetDatum(varlena_make(key, key_len));
	values[VERSION_IMAGE - 1] = PointerGetDatum(varlena_make(v->image, v->image_len));
	nulls[VERSION_OVER - 1] = v->nover == 0;
	if (v->nover)
	{
		StringInfoData over;

		initStringInfo(&over);
		for (int i = 0; i < v->nover; i++)
			wire_put_u64(&over, (uint64) v->over[i].first);
		values[VERSION_OVER - 1] = PointerGetDatum(varlena_make(over.data, (size_t) over.len));
	}
	tuple = heap_form_tuple(RelationGetDescr(s->heap), values, nulls);
	CatalogTupleInsertWithInfo(s->heap, tuple, s->indstate);
	tid = tuple->t_self;
	heap_freetuple(tuple);
	version_tally(s, zone, key, key_len, v, 1);
	return tid;
}

void
version_delete(Store *s, int32 zone, const uint8 *key, size_t key_len, const Version *v)
{
	ItemPointerData tid = v->tid;

	simple_heap_delete(s->heap, &tid);
	version_tally(s, zone, key, key_len, v, -1);
}

void
version_mark(Store *s, const Version *v, bool seen)
{
	TupleTableSlot *slot = table_slot_create(s->heap, NULL);
	Datum		values[VERSION_NATTS] = {0};
	bool		nulls[VERSION_NATTS] = {0};
	bool		replace[VERSION_NATTS] = {0};
	ItemPointerData tid = v->tid;
	HeapTuple	old,
				new;
	bool		shouldFree;

	if (!table_tuple_fetch_row_version(s->heap, &tid, SnapshotAny, slot))
		elog(ERROR, "version to be marked is gone");
	old = ExecFetchSlotHeapTuple(slot, true, &shouldFree);
	values[VERSION_SEEN - 1] = BoolGetDatum(seen);
	replace[VERSION_SEEN - 1] = true;
	new = heap_modify_tuple(old, RelationGetDescr(s->heap), values, nulls, replace);
	CatalogTupleUpdateWithInfo(s->heap, &tid, new, s->indstate);
	if (shouldFree)
		heap_freetuple(old);
	heap_freetuple(new);
	ExecDropSingleTupleTableSlot(slot);
}

/* ---------- walks ---------- */

void
version_walk(Store *s, Snapshot snapshot, int32 zone, const uint8 *prefix, size_t prefix_len, VersionCallback fn, void *arg)
{
	TupleTableSlot *slot = table_slot_create(s->heap, NULL);
	ScanKeyData keys[2];
	IndexScanDesc scan;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(zone));
	ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_BYTEAGE, PointerGetDatum(varlena_make(prefix, prefix_len)));
	scan = compat_index_beginscan(s->heap, s->unit_index, snapshot, 2);
	index_rescan(scan, keys, 2, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		bytea	   *key = DatumGetByteaPP(slot_getattr(slot, VERSION_KEY, &isnull));
		Version		v;

		if (VARSIZE_ANY_EXHDR(key) < prefix_len || memcmp(VARDATA_ANY(key), prefix, prefix_len) != 0)
			break;
		v = version_from_slot(slot);
		fn((uint8 *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), &v, arg);
		CHECK_FOR_INTERRUPTS();
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

void
unit_walk(Store *s, Snapshot snapshot, int32 zone, const uint8 *prefix, size_t prefix_len,
		  const uint8 *after, size_t after_len, UnitCallback fn, void *arg)
{
	TupleTableSlot *slot = table_slot_create(s->heap, NULL);
	ScanKeyData keys[2];
	IndexScanDesc scan;
	StringInfoData last;
	bool		first = true;

	initStringInfo(&last);
	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(zone));
	if (after_len)
		ScanKeyInit(&keys[1], 2, BTGreaterStrategyNumber, F_BYTEAGT, PointerGetDatum(varlena_make(after, after_len)));
	else
		ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_BYTEAGE,
					PointerGetDatum(varlena_make(prefix, prefix_len)));
	scan = compat_index_beginscan(s->heap, s->unit_index, snapshot, 2);
	index_rescan(scan, keys, 2, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		bytea	   *key = DatumGetByteaPP(slot_getattr(slot, VERSION_KEY, &isnull));
		size_t		len = VARSIZE_ANY_EXHDR(key);

		if (len < prefix_len || memcmp(VARDATA_ANY(key), prefix, prefix_len) != 0)
			break;
		if (!first && len == (size_t) last.len && memcmp(VARDATA_ANY(key), last.data, len) == 0)
			continue;
		first = false;
		resetStringInfo(&last);
		appendBinaryStringInfo(&last, VARDATA_ANY(key), (int) len);
		if (!fn(zone, (uint8 *) last.data, len, arg))
			break;
		CHECK_FOR_INTERRUPTS();
	}
	index_endscan(scan);
	pfree(last.data);
	ExecDropSingleTupleTableSlot(slot);
}

static bool
any_unit(int32 zone, const uint8 *key, size_t key_len, void *arg)
{
	*(bool *) arg = true;
	return false;
}

bool
zone_holds_any(Store *s, Snapshot snapshot, int32 zone)
{
	bool		any = false;

	unit_walk(s, snapshot, zone, (const uint8 *) "", 0, NULL, 0, any_unit, &any);
	return any;
}

/* The versions of one origin beyond a stamp, those in `held` left out. */
static bool
origin_lacking(Store *s, Snapshot snapshot, int32 origin, const Vector *held, const Vector *ours,
			   LackCallback fn, void *arg)
{
	TupleTableSlot *slot = table_slot_create(s->heap, NULL);
	const VectorEntry *e = vector_find(held, origin);
	ScanKeyData keys[2];
	IndexScanDesc scan;
	bool		more = true;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(origin));
	ScanKeyInit(&keys[1], 2, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(e ? e->head : 0));
	scan = compat_index_beginscan(s->heap, s->dot_index, snapshot, 2);
	index_rescan(scan, keys, 2, NULL, 0);
	while (more && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		bool		isnull,
					shouldFree;
		Dot			dot = {origin, DatumGetInt64(slot_getattr(slot, VERSION_STAMP, &isnull))};
		bytea	   *key;
		HeapTuple	tuple;

		if (vector_covers(held, origin, dot.stamp) || !vector_covers(ours, origin, dot.stamp))
			continue;
		tuple = ExecFetchSlotHeapTuple(slot, false, &shouldFree);
		key = DatumGetByteaPP(slot_getattr(slot, VERSION_KEY, &isnull));
		more = fn(DatumGetInt32(slot_getattr(slot, VERSION_ZONE, &isnull)), (uint8 *) VARDATA_ANY(key),
				  VARSIZE_ANY_EXHDR(key), dot, HeapTupleHeaderGetXmin(tuple->t_data), arg);
		CHECK_FOR_INTERRUPTS();
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return more;
}

void
version_lacking(Store *s, Snapshot snapshot, const Vector *held, const Vector *ours, LackCallback fn, void *arg)
{
	for (int i = 0; i < ours->n; i++)
		if (!vector_covers_entry(held, &ours->entries[i]) &&
			!origin_lacking(s, snapshot, ours->entries[i].origin, held, ours, fn, arg))
			return;
}

static bool
lacks_one(int32 zone, const uint8 *key, size_t key_len, Dot dot, TransactionId xmin, void *arg)
{
	*(bool *) arg = true;
	return false;
}

bool
version_lacking_any(Store *s, Snapshot snapshot, const Vector *held, const Vector *ours)
{
	bool		any = false;

	version_lacking(s, snapshot, held, ours, lacks_one, &any);
	return any;
}

/* The version with the largest stamp of an origin: its low, or 0 if there is none. */
static int64
origin_last_low(Store *s, Snapshot snapshot, int32 origin)
{
	TupleTableSlot *slot = table_slot_create(s->heap, NULL);
	ScanKeyData key;
	IndexScanDesc scan;
	int64		low = 0;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(origin));
	scan = compat_index_beginscan(s->heap, s->dot_index, snapshot, 1);
	index_rescan(scan, &key, 1, NULL, 0);
	if (index_getnext_slot(scan, BackwardScanDirection, slot))
	{
		bool		isnull;
		Datum		d = slot_getattr(slot, VERSION_LOW, &isnull);

		low = isnull ? 0 : DatumGetInt64(d);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return low;
}

LifeRest
version_life_rest(Store *s, Snapshot snapshot, int32 origin, const Vector *stored)
{
	const VectorEntry *e = vector_find(stored, origin);
	TupleTableSlot *slot = table_slot_create(s->heap, NULL);
	LifeRest	rest = {.head = Max(e ? e->head : 0, origin_last_low(s, snapshot, origin))};
	ScanKeyData keys[2];
	IndexScanDesc scan;
	int			cap = 16;

	rest.ranges = palloc(sizeof(StampRange) * (size_t) cap);
	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(origin));
	ScanKeyInit(&keys[1], 2, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(rest.head));
	scan = compat_index_beginscan(s->heap, s->dot_index, snapshot, 2);
	index_rescan(scan, keys, 2, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		Version		v = {0};
		bool		isnull;
		Datum		over = slot_getattr(slot, VERSION_OVER, &isnull);

		if (!isnull)
			over_decode(&v, over);
		v.dot.stamp = DatumGetInt64(slot_getattr(slot, VERSION_STAMP, &isnull));
		if (rest.nranges && rest.ranges[rest.nranges - 1].last == v.dot.stamp && v.nover == 0)
			continue;			/* one transaction's, many units */
		if (rest.nranges + v.nover + 1 > cap)
		{
			cap = (cap + v.nover + 1) * 2;
			rest.ranges = repalloc(rest.ranges, sizeof(StampRange) * (size_t) cap);
		}
		for (int i = 0; i < v.nover; i++)
			rest.ranges[rest.nranges++] = v.over[i];
		rest.ranges[rest.nranges++] = (StampRange) {v.dot.stamp, v.dot.stamp};
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return rest;
}
