/*
 * run.c: see run.h.
 *
 * The run covers the keys from `from` up to `until`, with which the next row begins; between them there is no row but the pack
 * that was taken up (`source`). After that `until` is looked for when somebody appends: a bulk load looks once. Written are the units of
 * whole groups, so that no group is divided between rows of its own and a pack.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "dnsrepl.h"
#include "store/group.h"
#include "store/pack.h"
#include "store/progress.h"
#include "store/run.h"

#define PACK_SIZE 400			/* octets of a pack's further units: what changes one of them is small */
#define PACK_LEAST 2			/* units: fewer are rows of their own */
#define RUN_MOST AT_ONCE(256, 4)	/* units in memory: then those of complete groups are written */

typedef struct RunUnit
{
	const uint8 *key;
	size_t		key_len;
	Version		v;
	int			at;				/* where it begins among the octets of the pack at hand */
} RunUnit;

struct Run
{
	MemoryContext context;
	bool		open;
	bool		changed;
	int32		zone;
	CommandId	cid;
	SubTransactionId sub;
	const uint8 *from;			/* prefix of a group */
	size_t		from_len;
	bool		until_known;
	const uint8 *until;			/* NULL: the end of the zone */
	size_t		until_len;
	bool		has_source;
	VersionRow	source;			/* the pack that was taken up: where it is, its key and its write */
	const uint8 *last;			/* the source's last key */
	size_t		last_len;
	int			n,
				cap;
	RunUnit    *units;			/* sorted by key */
};

Run *
run_create(Store *s)
{
	Run		   *r = MemoryContextAllocZero(s->context, sizeof(Run));

	r->context = AllocSetContextCreate(s->context, "dnsrepl run", ALLOCSET_DEFAULT_SIZES);
	return r;
}

static bool
same_group(const uint8 *a, size_t a_len, const uint8 *b, size_t b_len)
{
	size_t		len = group_prefix(a, a_len);

	return key_begins(b, b_len, a, len) && group_prefix(b, b_len) == len;
}

static const uint8 *
run_copy(Run *r, const uint8 *octets, size_t len)
{
	uint8	   *copy = MemoryContextAlloc(r->context, Max(len, 1));

	memcpy(copy, octets, len);
	return copy;
}

static void
unit_set(Run *r, RunUnit *u, const uint8 *key, size_t key_len, const Version *v)
{
	*u = (RunUnit) {.key = run_copy(r, key, key_len), .key_len = key_len, .v = *v};
	u->v.image = run_copy(r, v->image, v->image_len);
	if (v->nover)
		u->v.over = (const StampRange *) run_copy(r, (const uint8 *) v->over, sizeof(StampRange) * (size_t) v->nover);
	ItemPointerSetInvalid(&u->v.tid);
}

CommandId
row_command(TransactionId xmin)
{
	if (TransactionIdIsCurrentTransactionId(xmin))
		CommandCounterIncrement();
	return GetCurrentCommandId(true);
}

/* ---------- writing ---------- */

/* May it be in a pack at all? */
static bool
unit_packable(const RunUnit *u)
{
	return u->v.seen && u->v.nover == 0 && u->key_len + u->v.image_len < PACK_SIZE / 2;
}

static bool
same_write(const RunUnit *a, const RunUnit *b)
{
	return a->v.dot.origin == b->v.dot.origin && a->v.dot.stamp == b->v.dot.stamp && a->v.low == b->v.low;
}

/* Where the group ends that begins at unit i, and whether it may be in a pack: one version for each unit, all of one write. */
static int
group_extent(const Run *r, int i, bool *packable)
{
	int			k = i + 1;

	*packable = unit_packable(&r->units[i]);
	for (; k < r->n && same_group(r->units[i].key, r->units[i].key_len, r->units[k].key, r->units[k].key_len); k++)
		*packable &= unit_packable(&r->units[k]) && same_write(&r->units[i], &r->units[k]) &&
			key_compare(r->units[k - 1].key, r->units[k - 1].key_len, r->units[k].key, r->units[k].key_len) != 0;
	return k;
}

static void
row_put(Store *s, VersionRow *row)
{
	Run		   *r = s->run;

	row->zone = r->zone;
	if (r->has_source && row->v.dot.origin == r->source.v.dot.origin && row->v.dot.stamp == r->source.v.dot.stamp &&
		key_compare(row->key, row->key_len, r->source.key, r->source.key_len) == 0)
	{
		version_row_update(s, &r->source.v.tid, row, r->cid);
		r->has_source = false;
	}
	else
		version_row_insert(s, row, r->cid);
}

static void
unit_put(Store *s, const RunUnit *u)
{
	VersionRow	row = {.key = u->key, .key_len = u->key_len, .v = u->v};

	row_put(s, &row);
}

/* Appends unit i, by how it differs from unit b. */
static void
pack_append(Run *r, int b, int i, StringInfo out)
{
	const RunUnit *before = &r->units[b];
	RunUnit    *u = &r->units[i];

	u->at = out->len;
	pack_put(out, before->key, before->key_len, u->key, u->key_len);
	pack_put(out, before->v.image, before->v.image_len, u->v.image, u->v.image_len);
}

/* Units from..upto - 1, whole groups that may be in one pack. `more` has all but the first, each after the one before it. */
static void
pack_flush(Store *s, int from, int upto, StringInfo more)
{
	Run		   *r = s->run;
	const RunUnit *last = &r->units[upto - 1];
	VersionRow	row = {.key = last->key, .key_len = last->key_len, .v = last->v};

	if (upto - from < PACK_LEAST)
		for (int i = from; i < upto; i++)
			unit_put(s, &r->units[i]);
	else
	{
		StringInfoData octets;

		initStringInfo(&octets);
		pack_append(r, upto - 1, from, &octets);
		appendBinaryStringInfo(&octets, more->data, r->units[upto - 1].at);
		row.more = (uint8 *) octets.data;
		row.more_len = (size_t) octets.len;
		row_put(s, &row);
		pfree(octets.data);
	}
	resetStringInfo(more);
}

/* Writes the first n units, which are whole groups. */
static void
units_write(Store *s, int n)
{
	Run		   *r = s->run;
	StringInfoData more;		/* what the pack at hand would have, its first unit apart */
	int			from = 0;		/* which is units from..i - 1 */

	initStringInfo(&more);
	for (int i = 0; i < n;)
	{
		bool		packable;
		int			end = group_extent(r, i, &packable);
		int			had = more.len;

		if (packable && i > from && same_write(&r->units[from], &r->units[i]))
		{
			for (int k = i; k < end; k++)
				pack_append(r, k - 1, k, &more);
			if (more.len <= PACK_SIZE)
			{
				i = end;
				continue;
			}
			more.len = had;		/* it is full without this group */
		}
		if (i > from)
			pack_flush(s, from, i, &more);
		from = i;
		for (int k = i + 1; packable && k < end; k++)
			pack_append(r, k - 1, k, &more);
		if (!packable || more.len > PACK_SIZE)
		{
			for (; from < end; from++)
				unit_put(s, &r->units[from]);
			resetStringInfo(&more);
		}
		i = end;
	}
	if (from < n)
		pack_flush(s, from, n, &more);
	pfree(more.data);
	if (r->has_source)
		version_row_delete(s, &r->source.v.tid, r->cid);
	r->has_source = false;
}

static void
run_forget(Run *r)
{
	MemoryContextReset(r->context);
	*r = (Run) {.context = r->context};
}

void
run_flush(Store *s)
{
	Run		   *r = s->run;
	MemoryContext old;

	if (!r || !r->open)
		return;
	if (r->changed)
	{
		if (r->sub != GetCurrentSubTransactionId())
			elog(ERROR, "versions of one subtransaction would be written in another");
		old = MemoryContextSwitchTo(r->context);
		units_write(s, r->n);
		MemoryContextSwitchTo(old);
	}
	run_forget(r);
}

void
run_settle(Store *s, Snapshot snapshot)
{
	if (s->run && s->run->changed && snapshot->curcid > s->run->cid)
		run_flush(s);
}

/* Many units in a row: all but those of the last group are written, and the run goes on with that. */
static void
run_advance(Store *s)
{
	Run		   *r = s->run;
	int			n = r->n - 1;
	Run			next = *r;
	MemoryContext old;

	while (n > 0 && same_group(r->units[n - 1].key, r->units[n - 1].key_len, r->units[n].key, r->units[n].key_len))
		n--;
	if (n == 0)
		return;
	next.context = AllocSetContextCreate(s->context, "dnsrepl run", ALLOCSET_DEFAULT_SIZES);
	next.changed = true;		/* the row that they were in, if they were, goes */
	next.cap = RUN_MOST;
	next.n = r->n - n;
	old = MemoryContextSwitchTo(next.context);
	while (next.cap <= next.n)
		next.cap *= 2;
	next.units = palloc(sizeof(RunUnit) * (size_t) next.cap);
	for (int i = 0; i < next.n; i++)
	{
		const RunUnit *u = &r->units[n + i];

		unit_set(&next, &next.units[i], u->key, u->key_len, &u->v);
	}
	next.from_len = group_prefix(next.units[0].key, next.units[0].key_len);
	next.from = run_copy(&next, next.units[0].key, next.from_len);
	if (r->until)
		next.until = run_copy(&next, r->until, r->until_len);
	next.last = run_copy(&next, r->last, r->last_len);
	MemoryContextSwitchTo(r->context);
	units_write(s, n);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(r->context);
	next.has_source = false;
	*r = next;
}

/* ---------- where a unit belongs ---------- */

static void
until_set(Run *r, const uint8 *key, size_t key_len)
{
	r->until_known = true;
	r->until = run_copy(r, key, key_len);
	r->until_len = key_len;
}

/* Where the zone's next row after `key`, the last of one, begins. */
static void
until_find(Store *s, const uint8 *key, size_t key_len)
{
	Run		   *r = s->run;
	TupleTableSlot *slot = table_slot_create(s->heap, NULL);
	IndexScanDesc scan = version_row_scan(s, SnapshotSelf, r->zone, key, key_len);

	r->until_known = true;
	while (!r->until && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		VersionRow	row = version_row(slot, true);
		PackReader	p;

		progress();
		if (key_compare(row.key, row.key_len, key, key_len) == 0)
			continue;
		pack_read_begin(&p, row.key, row.key_len, row.v.image, row.v.image_len, row.more, row.more_len);
		if (pack_read(&p))
			until_set(r, (uint8 *) p.key.data, (size_t) p.key.len);
		pack_read_end(&p);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

static bool
run_covers(Store *s, int32 zone, const uint8 *key, size_t key_len)
{
	Run		   *r = s->run;

	if (!r->open || r->zone != zone || key_compare(key, key_len, r->from, r->from_len) < 0 ||
		r->sub != GetCurrentSubTransactionId())
		return false;
	if (key_compare(key, key_len, r->last, r->last_len) <= 0 || same_group(key, key_len, r->last, r->last_len))
		return true;
	if (!r->until_known)
		until_find(s, r->last, r->last_len);
	return !r->until || (key_compare(key, key_len, r->until, r->until_len) < 0 &&
						 !same_group(key, key_len, r->until, r->until_len));
}

static RunUnit *
unit_room(Run *r, int at)
{
	if (r->n == r->cap)
	{
		r->cap = r->cap ? r->cap * 2 : 16;
		r->units = r->units ? repalloc(r->units, sizeof(RunUnit) * (size_t) r->cap)
			: MemoryContextAlloc(r->context, sizeof(RunUnit) * (size_t) r->cap);
	}
	memmove(&r->units[at + 1], &r->units[at], sizeof(RunUnit) * (size_t) (r->n - at));
	r->n++;
	return &r->units[at];
}

/* A pack that ends at or after the run's group is taken up; if it begins after that, the run ends there. */
static void
pack_take(Run *r, const VersionRow *row)
{
	PackReader	p;
	MemoryContext old = MemoryContextSwitchTo(r->context);
	const RunUnit *first;

	pack_read_begin(&p, row->key, row->key_len, row->v.image, row->v.image_len, row->more, row->more_len);
	while (pack_read(&p))
	{
		Version		v = row->v;

		v.image = (const uint8 *) p.image.data;
		v.image_len = (size_t) p.image.len;
		unit_set(r, unit_room(r, r->n), (const uint8 *) p.key.data, (size_t) p.key.len, &v);
	}
	pack_read_end(&p);
	MemoryContextSwitchTo(old);
	first = &r->units[0];
	if (key_compare(first->key, first->key_len, r->from, r->from_len) > 0 &&
		!same_group(first->key, first->key_len, r->from, r->from_len))
	{
		until_set(r, first->key, first->key_len);
		r->n = 0;
		return;
	}
	r->cid = row_command(row->v.xmin);
	r->has_source = true;
	r->source = *row;
	r->last = r->units[r->n - 1].key;
	r->last_len = r->units[r->n - 1].key_len;
	r->source.key = r->last;
	r->from = first->key;
	r->from_len = group_prefix(first->key, first->key_len);
}

/* The pack in which a version was read, unless it has been written since. */
static bool
run_look_at(Store *s, const ItemPointerData *tid)
{
	Run		   *r = s->run;
	ItemPointerData at = *tid;
	TupleTableSlot *slot;

	if (!ItemPointerIsValid(tid))
		return false;
	slot = table_slot_create(s->heap, NULL);
	if (table_tuple_fetch_row_version(s->heap, &at, SnapshotSelf, slot))
	{
		VersionRow	row = version_row(slot, false);

		if (row.more && row.zone == r->zone && key_compare(row.key, row.key_len, r->from, r->from_len) >= 0)
			pack_take(r, &row);
	}
	ExecDropSingleTupleTableSlot(slot);
	return r->has_source;
}

/* What there is from the run's group on; false if that has rows of its own. */
static bool
run_look(Store *s)
{
	Run		   *r = s->run;
	TupleTableSlot *slot = table_slot_create(s->heap, NULL);
	IndexScanDesc scan = version_row_scan(s, SnapshotSelf, r->zone, r->from, r->from_len);
	bool		rows = false;

	r->until_known = true;
	if (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		VersionRow	row = version_row(slot, false);

		if (row.more)
		{
			r->until_known = false;
			pack_take(r, &row);
		}
		else if (same_group(row.key, row.key_len, r->from, r->from_len))
			rows = true;
		else
			until_set(r, row.key, row.key_len);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return !rows;
}

/* Makes the run cover a unit's group; false if that has rows of its own. `tid`: where it may be, or NULL. */
static bool
run_seek(Store *s, int32 zone, const uint8 *key, size_t key_len, const ItemPointerData *tid)
{
	Run		   *r = s->run;

	if (key_len > MAX_KEY_SIZE)
		elog(ERROR, "key of a unit is too long");
	if (run_covers(s, zone, key, key_len))
		return true;
	run_flush(s);
	r->zone = zone;
	r->from_len = group_prefix(key, key_len);
	r->from = run_copy(r, key, r->from_len);
	r->last = r->from;
	r->last_len = r->from_len;
	r->cid = GetCurrentCommandId(true);
	if (!(tid && run_look_at(s, tid)) && !run_look(s))
	{
		run_forget(r);
		return false;
	}
	r->sub = GetCurrentSubTransactionId();
	r->open = true;
	return true;
}

/* The first unit at or after a key. */
static int
run_place(const Run *r, const uint8 *key, size_t key_len)
{
	int			lo = 0,
				hi = r->n;

	if (r->n && key_compare(r->units[r->n - 1].key, r->units[r->n - 1].key_len, key, key_len) < 0)
		return r->n;
	while (lo < hi)
	{
		int			mid = (lo + hi) / 2;

		if (key_compare(r->units[mid].key, r->units[mid].key_len, key, key_len) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static RunUnit *
run_find(Run *r, const uint8 *key, size_t key_len, Dot dot)
{
	for (int i = run_place(r, key, key_len);
		 i < r->n && key_compare(r->units[i].key, r->units[i].key_len, key, key_len) == 0; i++)
		if (r->units[i].v.dot.origin == dot.origin && r->units[i].v.dot.stamp == dot.stamp)
			return &r->units[i];
	elog(ERROR, "a version to be replaced is gone");
}

bool
run_put(Store *s, int32 zone, const uint8 *key, size_t key_len, const Version *v)
{
	Run		   *r = s->run;
	int			at;

	if (!run_seek(s, zone, key, key_len, NULL))
		return false;
	if (r->n >= RUN_MOST)
	{
		run_advance(s);
		if (!run_seek(s, zone, key, key_len, NULL))	/* what was written may be where it belongs */
			return false;
	}
	at = run_place(r, key, key_len);
	unit_set(r, unit_room(r, at), key, key_len, v);
	r->changed = true;
	return true;
}

bool
run_drop(Store *s, int32 zone, const uint8 *key, size_t key_len, const Version *v)
{
	Run		   *r = s->run;
	RunUnit    *u;

	if (!run_seek(s, zone, key, key_len, &v->tid))
		return false;
	u = run_find(r, key, key_len, v->dot);
	memmove(u, u + 1, sizeof(RunUnit) * (size_t) (r->n - 1 - (u - r->units)));
	r->n--;
	r->changed = true;
	return true;
}

bool
run_mark(Store *s, int32 zone, const uint8 *key, size_t key_len, const Version *v, bool seen)
{
	if (!run_seek(s, zone, key, key_len, &v->tid))
		return false;
	run_find(s->run, key, key_len, v->dot)->v.seen = seen;
	s->run->changed = true;
	return true;
}
