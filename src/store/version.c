/*
 * version.c: see version.h.
 *
 * Rows are version_row.h's, what is being written is run.h's; nobody but the holder of the zone's row lock writes the
 * versions of its units. The index on (origin, era) is the queue for every peer.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "common/hashfn.h"
#include "executor/tuptable.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "dnsrepl.h"
#include "store/clock.h"
#include "store/pack.h"
#include "store/progress.h"
#include "store/relation.h"
#include "store/run.h"
#include "store/schema.h"
#include "store/version.h"
#include "store/version_row.h"

Store *
store_open(bool write)
{
	Store	   *s = palloc(sizeof(Store));
	LOCKMODE	mode = write ? RowExclusiveLock : AccessShareLock;

	s->heap = schema_table("version_store", mode, VERSION_NATTS);
	s->unit_index = index_open(schema_oid("version_unit"), mode);
	s->dot_index = index_open(schema_oid("version_dot"), mode);
	s->indstate = write ? CatalogOpenIndexes(s->heap) : NULL;
	s->replaced = 0;
	memset(s->gaps, 0, sizeof(s->gaps));
	s->tallies = NULL;
	s->context = CurrentMemoryContext;
	s->run = write ? run_create(s) : NULL;
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
		if (t->served || t->others || t->held || t->dnames || t->serial_set || t->live_set || t->stored_set || t->ordered)
			zone_state_write(t);
	hash_destroy(s->tallies);
}

void
store_settle(Store *s)
{
	run_flush(s);
}

const ZoneTally *
store_tallied(const Store *s, int32 zone)
{
	return s->tallies ? hash_search(s->tallies, &zone, HASH_FIND, NULL) : NULL;
}

/* Locks are kept to the end of the transaction. */
void
store_close(Store *s)
{
	run_flush(s);
	if (s->tallies)
		tallies_write(s);
	if (s->replaced)
		pg_atomic_fetch_add_u64(&clock_slot()->replaced, s->replaced);
	if (s->indstate)
		CatalogCloseIndexes(s->indstate);
	index_close(s->dot_index, NoLock);
	index_close(s->unit_index, NoLock);
	table_close(s->heap, NoLock);
	pfree(s);
}

/* ---------- units of rows ---------- */

/* Which units are wanted: those that begin with a prefix, or (whole) are it; all, or those after a key. */
typedef struct RowPart
{
	const uint8 *prefix,
			   *after;
	size_t		prefix_len,
				after_len;
	bool		whole;
} RowPart;

/* Is there nothing wanted after this key, which is not before the prefix? */
static bool
part_over(const RowPart *part, const uint8 *key, size_t key_len)
{
	return !key_begins(key, key_len, part->prefix, part->prefix_len) || (part->whole && key_len > part->prefix_len);
}

static bool
part_has(const RowPart *part, const uint8 *key, size_t key_len)
{
	return !part_over(part, key, key_len) &&
		(part->after_len == 0 || key_compare(key, key_len, part->after, part->after_len) > 0);
}

/* Gives the units of a row that are wanted, images in the current context. False: fn wants no more. */
typedef bool (*UnitOfRow) (const VersionRow *row, const uint8 *key, size_t key_len, const Version *v, void *arg);

static bool
row_units(const VersionRow *row, const RowPart *part, UnitOfRow fn, void *arg)
{
	PackReader	p;
	Version		v = row->v;
	bool		more = true;

	if (!row->more)
		return !part_has(part, row->key, row->key_len) || fn(row, row->key, row->key_len, &v, arg);
	pack_read_begin(&p, row->key, row->key_len, row->v.image, row->v.image_len, row->more, row->more_len);
	while (more && pack_read(&p))
	{
		if (!part_has(part, (const uint8 *) p.key.data, (size_t) p.key.len))
			continue;
		v.image = (const uint8 *) p.image.data;
		v.image_len = (size_t) p.image.len;
		more = fn(row, (const uint8 *) p.key.data, (size_t) p.key.len, &v, arg);
	}
	pack_read_end(&p);
	return more;
}

/*
 * A stretch of a zone in which a snapshot shows no row. What a piece of work has written is in the way of its own snapshot,
 * which does not see it: that is passed over once, not for each name that is looked at before it.
 */
typedef struct Gap
{
	CommandId	curcid;			/* which snapshot */
	TransactionId xmin,
				xmax;
	uint32		xcnt;
	int32		zone;
	bool		end;			/* of the zone; else there is a row at `until` */
	size_t		from_len,
				until_len;
	uint8		from[MAX_KEY_SIZE],
				until[MAX_KEY_SIZE];
} Gap;

static Gap *
gap_find(Store *s, Snapshot snapshot, int32 zone, const uint8 *key, size_t key_len)
{
	for (int i = 0; i < (int) lengthof(s->gaps) && s->gaps[i]; i++)
	{
		Gap		   *g = s->gaps[i];

		if (g->zone != zone || g->curcid != snapshot->curcid || g->xmin != snapshot->xmin || g->xmax != snapshot->xmax ||
			g->xcnt != snapshot->xcnt || key_compare(key, key_len, g->from, g->from_len) < 0 ||
			(!g->end && key_compare(key, key_len, g->until, g->until_len) > 0))
			continue;
		memmove(&s->gaps[1], &s->gaps[0], sizeof(Gap *) * (size_t) i);
		s->gaps[0] = g;
		return g;
	}
	return NULL;
}

/* until: NULL: up to the end. */
static void
gap_add(Store *s, Snapshot snapshot, int32 zone, const uint8 *from, size_t from_len, const uint8 *until, size_t until_len)
{
	int			last = lengthof(s->gaps) - 1;
	Gap		   *g = s->gaps[last];

	if (snapshot->snapshot_type != SNAPSHOT_MVCC || from_len > MAX_KEY_SIZE || until_len > MAX_KEY_SIZE)
		return;
	if (!g)
		g = MemoryContextAlloc(s->context, sizeof(Gap));
	g->curcid = snapshot->curcid;
	g->xmin = snapshot->xmin;
	g->xmax = snapshot->xmax;
	g->xcnt = snapshot->xcnt;
	g->zone = zone;
	g->end = !until;
	g->from_len = from_len;
	memcpy(g->from, from, from_len);
	g->until_len = until_len;
	if (until)
		memcpy(g->until, until, until_len);
	memmove(&s->gaps[1], &s->gaps[0], sizeof(Gap *) * (size_t) last);
	s->gaps[0] = g;
}

/* Calls fn for each unit of a zone that is wanted, in order of key. */
static void
units_walk(Store *s, Snapshot snapshot, int32 zone, const RowPart *part, bool images, UnitOfRow fn, void *arg)
{
	const uint8 *from = part->after_len ? part->after : part->prefix;
	size_t		from_len = part->after_len ? part->after_len : part->prefix_len;
	TupleTableSlot *slot;
	IndexScanDesc scan;
	const Gap  *gap;
	bool		more = true,
				first = s->run != NULL;

	run_settle(s, snapshot);
	gap = s->run ? gap_find(s, snapshot, zone, from, from_len) : NULL;
	if (gap && gap->end)
		return;
	slot = table_slot_create(s->heap, NULL);
	scan = version_row_scan(s, snapshot, zone, gap ? gap->until : from, gap ? gap->until_len : from_len);
	while (more && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		VersionRow	row = version_row(slot, images);

		if (first && !gap)
			gap_add(s, snapshot, zone, from, from_len, row.key, row.key_len);
		first = false;
		/* a pack that ends after what is wanted may begin with it */
		more = row_units(&row, part, fn, arg) && !part_over(part, row.key, row.key_len);
		progress();
	}
	if (first && !gap)
		gap_add(s, snapshot, zone, from, from_len, NULL, 0);
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

/* ---------- reading ---------- */

static const uint8 *
octets_copy(const uint8 *octets, size_t len)
{
	uint8	   *copy = palloc(Max(len, 1));

	memcpy(copy, octets, len);
	return copy;
}

typedef struct Walk
{
	VersionCallback fn;
	void	   *arg;
} Walk;

static bool
walk_version(const VersionRow *row, const uint8 *key, size_t key_len, const Version *v, void *arg)
{
	const Walk *w = arg;
	Version		copy = *v;

	copy.image = octets_copy(v->image, v->image_len);
	w->fn(key, key_len, &copy, w->arg);
	return true;
}

void
version_walk(Store *s, Snapshot snapshot, int32 zone, const uint8 *prefix, size_t prefix_len, bool whole,
			 VersionCallback fn, void *arg)
{
	RowPart		part = {.prefix = prefix, .prefix_len = prefix_len, .whole = whole};
	Walk		w = {.fn = fn, .arg = arg};

	units_walk(s, snapshot, zone, &part, true, walk_version, &w);
}

typedef struct Set
{
	VersionSet	set;
	int			cap;
} Set;

static void
set_add(const uint8 *key, size_t key_len, const Version *v, void *arg)
{
	Set		   *a = arg;
	VersionSet *set = &a->set;

	if (set->n == a->cap)
	{
		a->cap = a->cap ? a->cap * 2 : 2;
		set->v = set->v ? repalloc(set->v, sizeof(Version) * (size_t) a->cap) : palloc(sizeof(Version) * (size_t) a->cap);
	}
	set->v[set->n++] = *v;
}

VersionSet
version_read(Store *s, Snapshot snapshot, int32 zone, const uint8 *key, size_t key_len)
{
	Set			a = {0};

	version_walk(s, snapshot, zone, key, key_len, true, set_add, &a);
	return a.set;
}

typedef struct UnitWalk
{
	UnitCallback fn;
	void	   *arg;
	StringInfoData last;
	bool		any;
} UnitWalk;

static bool
walk_unit(const VersionRow *row, const uint8 *key, size_t key_len, const Version *v, void *arg)
{
	UnitWalk   *w = arg;

	if (w->any && key_len == (size_t) w->last.len && memcmp(key, w->last.data, key_len) == 0)
		return true;
	w->any = true;
	resetStringInfo(&w->last);
	appendBinaryStringInfo(&w->last, (const char *) key, (int) key_len);
	return w->fn(row->zone, (uint8 *) w->last.data, key_len, w->arg);
}

void
unit_walk(Store *s, Snapshot snapshot, int32 zone, const uint8 *prefix, size_t prefix_len,
		  const uint8 *after, size_t after_len, UnitCallback fn, void *arg)
{
	RowPart		part = {.prefix = prefix, .prefix_len = prefix_len, .after = after, .after_len = after_len};
	UnitWalk	w = {.fn = fn, .arg = arg};

	initStringInfo(&w.last);
	units_walk(s, snapshot, zone, &part, false, walk_unit, &w);
	pfree(w.last.data);
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

const Version *
version_find(const VersionSet *set, Dot dot)
{
	for (int i = 0; i < set->n; i++)
		if (set->v[i].dot.origin == dot.origin && set->v[i].dot.stamp == dot.stamp)
			return &set->v[i];
	return NULL;
}

bool
versions_wait(const VersionSet *set)
{
	for (int i = 0; i < set->n; i++)
		if (!set->v[i].seen)
			return true;
	return false;
}

/* A version that was in a pack, or was not read: by now it is in a row of its own. */
static VersionRow
row_of(Store *s, int32 zone, const uint8 *key, size_t key_len, Dot dot, TupleTableSlot *slot)
{
	IndexScanDesc scan = version_row_scan(s, SnapshotSelf, zone, key, key_len);
	VersionRow	row = {0};
	bool		found = false;

	while (!found && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		row = version_row(slot, true);
		if (key_compare(row.key, row.key_len, key, key_len) != 0)
			break;
		found = row.v.dot.origin == dot.origin && row.v.dot.stamp == dot.stamp;
	}
	index_endscan(scan);
	if (!found)
		elog(ERROR, "a version to be replaced is gone");
	return row;
}

static bool
has_row(const Version *v)
{
	return !v->packed && ItemPointerIsValid(&v->tid);
}

static void
version_insert(Store *s, int32 zone, const uint8 *key, size_t key_len, const Version *v)
{
	VersionRow	row = {.zone = zone, .key = key, .key_len = key_len, .v = *v};

	if (!run_put(s, zone, key, key_len, v))
		version_row_insert(s, &row, GetCurrentCommandId(true));
	version_tally(s, zone, key, key_len, v, 1);
}

void
version_delete(Store *s, int32 zone, const uint8 *key, size_t key_len, const Version *v)
{
	version_tally(s, zone, key, key_len, v, -1);
	if (has_row(v))
		version_row_delete(s, &v->tid, GetCurrentCommandId(true));
	else if (!run_drop(s, zone, key, key_len, v))
	{
		TupleTableSlot *slot = table_slot_create(s->heap, NULL);
		VersionRow	row = row_of(s, zone, key, key_len, v->dot, slot);

		version_row_delete(s, &row.v.tid, row_command(row.v.xmin));
		ExecDropSingleTupleTableSlot(slot);
	}
}

void
version_replace(Store *s, int32 zone, const uint8 *key, size_t key_len, const Version *old, const Version *new)
{
	VersionRow	row = {.zone = zone, .key = key, .key_len = key_len, .v = *new};

	if (old && has_row(old))
	{
		version_row_update(s, &old->tid, &row, GetCurrentCommandId(true));
		version_tally(s, zone, key, key_len, old, -1);
		version_tally(s, zone, key, key_len, new, 1);
		return;
	}
	if (old)
		version_delete(s, zone, key, key_len, old);
	version_insert(s, zone, key, key_len, new);
}

void
version_mark(Store *s, int32 zone, const uint8 *key, size_t key_len, const Version *v, bool seen)
{
	VersionRow	row;
	TupleTableSlot *slot;

	if (!has_row(v) && run_mark(s, zone, key, key_len, v, seen))
		return;
	slot = table_slot_create(s->heap, NULL);
	row = row_of(s, zone, key, key_len, v->dot, slot);
	row.v.seen = seen;
	version_row_update(s, &row.v.tid, &row, row_command(row.v.xmin));
	ExecDropSingleTupleTableSlot(slot);
}

/* ---------- by vector ---------- */

/* Versions of an origin from an era on, in order of era only. */
static IndexScanDesc
origin_scan(Store *s, Snapshot snapshot, int32 origin, int64 stamp)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(origin));
	ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(STAMP_ERA(stamp)));
	scan = compat_index_beginscan(s->heap, s->dot_index, snapshot, 2);
	index_rescan(scan, keys, 2, NULL, 0);
	return scan;
}

/* Those of one origin. */
static bool
origin_lacking(Store *s, Snapshot snapshot, int32 origin, const Vector *held, const Vector *ours, LackingRow fn, void *arg)
{
	TupleTableSlot *slot = table_slot_create(s->heap, NULL);
	const VectorEntry *e = vector_find(held, origin);
	IndexScanDesc scan = origin_scan(s, snapshot, origin, e ? e->head : 0);
	bool		more = true;

	while (more && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		VersionRow	row = version_row(slot, false);

		if (!vector_covers(held, origin, row.v.dot.stamp) && vector_covers(ours, origin, row.v.dot.stamp))
			more = fn(&row, arg);
		progress();
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return more;
}

void
version_row_lacking(Store *s, Snapshot snapshot, const Vector *held, const Vector *ours, LackingRow fn, void *arg)
{
	for (int i = 0; i < ours->n; i++)
		if (!vector_covers_entry(held, &ours->entries[i]) &&
			!origin_lacking(s, snapshot, ours->entries[i].origin, held, ours, fn, arg))
			return;
}

typedef struct Lack
{
	LackCallback fn;
	void	   *arg;
} Lack;

static bool
lack_unit(const VersionRow *row, const uint8 *key, size_t key_len, const Version *v, void *arg)
{
	const Lack *l = arg;

	return l->fn(row->zone, key, key_len, v->dot, v->xmin, l->arg);
}

static bool
lack_row(const VersionRow *row, void *arg)
{
	static const RowPart all = {0};

	return row_units(row, &all, lack_unit, arg);
}

void
version_lacking(Store *s, Snapshot snapshot, const Vector *held, const Vector *ours, LackCallback fn, void *arg)
{
	Lack		l = {.fn = fn, .arg = arg};

	version_row_lacking(s, snapshot, held, ours, lack_row, &l);
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

/* The version with the largest stamp of an origin: its low, or 0 if there is none. All of the last era are looked at. */
static int64
origin_last_low(Store *s, Snapshot snapshot, int32 origin)
{
	TupleTableSlot *slot = table_slot_create(s->heap, NULL);
	ScanKeyData key;
	IndexScanDesc scan;
	Version		last = {0};

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(origin));
	scan = compat_index_beginscan(s->heap, s->dot_index, snapshot, 1);
	index_rescan(scan, &key, 1, NULL, 0);
	while (index_getnext_slot(scan, BackwardScanDirection, slot))
	{
		VersionRow	row = version_row(slot, false);

		progress();
		if (last.dot.stamp && STAMP_ERA(row.v.dot.stamp) != STAMP_ERA(last.dot.stamp))
			break;
		if (row.v.dot.stamp > last.dot.stamp)
			last = row.v;
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return last.low;
}

LifeRest
version_life_rest(Store *s, Snapshot snapshot, int32 origin, const Vector *stored)
{
	const VectorEntry *e = vector_find(stored, origin);
	TupleTableSlot *slot = table_slot_create(s->heap, NULL);
	LifeRest	rest = {.head = Max(e ? e->head : 0, origin_last_low(s, snapshot, origin))};
	IndexScanDesc scan = origin_scan(s, snapshot, origin, rest.head);
	int			cap = 16;

	rest.ranges = palloc(sizeof(StampRange) * (size_t) cap);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		Version		v = version_row(slot, false).v;

		progress();
		if (v.dot.stamp <= rest.head)
			continue;
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
