/*
 * defer.c: see defer.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "dns/name.h"
#include "merge/accept.h"
#include "merge/defer.h"
#include "store/clock.h"
#include "store/codec.h"
#include "store/delta.h"
#include "store/parked.h"
#include "store/policy.h"
#include "store/private_lock.h"
#include "store/progress.h"
#include "store/relation.h"
#include "store/schema.h"
#include "store/subxact.h"
#include "store/wire.h"

#define MERGE_WAIT 100			/* ms that the manager waits for merges */
#define PATIENT_EVERY 2000		/* ms after which it waits for a row that others queue for, */
#define PATIENT_WAIT 200		/* so long (ms), before it has a lock for which anybody would wait */
#define TURN 200				/* ms in which one transaction merges; a zone's row that it has is not free meanwhile */
#define RETRY_EVERY 1000		/* ms; earlier if somebody who has been editing a zone ends */
#define MAX_CHANGED 100			/* zones that are told of one by one; more: all are */

/* ---------- keeping ---------- */

/* For people: a zone that is out since its row is not to be had, and who has it. */
static const char *
zone_locked(const Merge *m)
{
	const ZoneRef *z = NULL;
	const char *holder = NULL;

	for (int i = 0; i < m->nzones && !holder; i++)
		if (m->zones[i].out)
		{
			z = &m->zones[i].ref;
			holder = zone_holder(z);
		}
	return psprintf("%s is locked by %s", !z || z->table ? "a table without zones" : psprintf("zone \"%s\"", zone_text(z->name, z->name_len)),
					holder ? holder : "another transaction");
}

bool
defer_may(const Merge *m)
{
	if (m->late)
		return false;
	if (m->joining || m->me.damaged)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("%s: what is sent to a node that joins, or mends its store, is merged as a whole", zone_locked(m)),
				 errhint("It will be tried again.")));
	if (m->limits && (m->in.flags & DELTA_FULL))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("%s: all that a node holds which may not change everything here is merged as a whole", zone_locked(m)),
				 errhint("It will be tried again.")));
	return true;
}

/* Zones that are here, and of which the sender has nothing, from one on up to another (NULL: the end), whose index is returned. */
static int
zones_absent(const Merge *m, int from, const ZoneRef *upto, StringInfo out)
{
	for (; from < m->nzones && (!upto || zone_order(&m->zones[from].ref, upto) < 0); from++)
		if (m->zones[from].out)
		{
			ZoneRef		z = m->zones[from].ref;

			memset(&z.state, 0, sizeof(z.state));
			zone_encode(out, &z);
		}
	return from;
}

/* Of a zone that is out: is it kept? */
static bool
item_kept(const Merge *m, const MergeZone *z, const DeltaItem *item)
{
	if (item->kind == ITEM_UNIT)
		return accept_unit(m->limits, &z->ref, item->key, item->key_len);
	return item->kind != ITEM_TRANSACTION || accept_zone(m->limits, &z->ref);
}

/*
 * The items of zones that are out, octet by octet as they came, but for units that the sender may not change: they are not new (merge.c), and
 * whether something would go could only be told later. `at` is the index of the zone that the last chunk ended with, -1 at first;
 * returns that of the zone that this one ends with.
 */
static int
chunk_copy(const Merge *m, WireReader *r, int at, StringInfo out)
{
	DeltaRead	in = m->in;
	DeltaItem	item;
	const uint8 *from = r->p;

	for (; delta_item(&in, r, &item); from = r->p)
	{
		progress();
		if ((item.kind == ITEM_ZONE || item.kind == ITEM_TABLE) && (at < 0 || zone_order(&m->zones[at].ref, &item.zone) != 0))
			at = zones_absent(m, at + 1, &item.zone, out);
		if (m->zones[at].out && item_kept(m, &m->zones[at], &item))
			appendBinaryStringInfo(out, (const char *) from, (int) (r->p - from));
		if (out->len > MAX_DEFERRED)
			break;				/* deferred_write() says so */
	}
	return at;
}

/* The header as it came, and those items, as one chunk. */
static void
payload_make(const Merge *m, StringInfo out)
{
	Chunks		chunks = *m->chunks;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl chunk", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = CurrentMemoryContext;
	int			at = -1;
	bool		first = true;

	for (;; first = false)
	{
		WireReader	r;
		Chunks		before = chunks;
		WireReader	start;

		MemoryContextSwitchTo(scratch);
		if (!chunks_items(&chunks, &r))
			break;
		if (first)
		{
			(void) chunks_next(&before, &start);
			appendBinaryStringInfo(out, (const char *) start.p, (int) ((start.end - start.p) - (r.end - r.p)));
		}
		at = chunk_copy(m, &r, at, out);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	(void) zones_absent(m, at + 1, NULL, out);
	chunk_seal(out);
}

void
defer_write(const Merge *m)
{
	const ZoneRef **zones = palloc(sizeof(ZoneRef *) * (size_t) (m->nzones + 1));
	StringInfoData payload;
	int			n = 0;

	for (int i = 0; i < m->nzones; i++)
		if (m->zones[i].out)
			zones[n++] = &m->zones[i].ref;
	if (n == 0 || (m->in.flags & DELTA_REPAIR))	/* that changes what is held: of these zones another time */
		return;
	initStringInfo(&payload);
	payload_make(m, &payload);
	deferred_write(&m->guest->node, m->guest->name, m->mine, &payload, zones, n);
}

/* ---------- merging what was kept ---------- */

/* Whoever goes by a vector has had these versions, by that: so all of the zone is told. */
static void
zones_changed(const DeferredDelta *d)
{
	Oid			types[1] = {name_type()};
	Datum		name;
	bool		all = d->nzones > MAX_CHANGED;

	for (int i = 0; i < d->nzones && !all; i++)
	{
		const ZoneRef *z = &d->zones[i].ref;

		name = PointerGetDatum(varlena_make(z->name, z->name_len));
		if (!z->table)
			(void) owner_execute("SELECT dnsrepl.served_changed($1)", 1, types, &name);
	}
	if (all)
		(void) owner_execute("SELECT dnsrepl.served_changed(NULL)", 0, NULL, NULL);
}

typedef struct Late
{
	DeferredDelta *delta;
	bool		done;
} Late;

static void
delta_merge(void *arg)
{
	Late	   *late = arg;
	DeferredDelta *d = late->delta;
	Merge	   *m = palloc0(sizeof(Merge));
	Chunks		chunks = {.n = 1};

	LockTimeout = LOCK_WAIT;
	PushActiveSnapshot(GetLatestSnapshot());
	deferred_read_units(d);
	chunks.payload = d->payload;
	chunks.payload_len = d->payload_len;
	m->late = true;
	m->mine = d->mine;
	m->in = d->in;
	initStringInfo(&m->last_key);
	node_require(&m->me);
	m->me.damaged = false;
	late->done = merge_units(m, &chunks);
	if (late->done)
	{
		zones_changed(d);
		deferred_delete(d->no);
		clock_store_changed();
	}
	PopActiveSnapshot();
}

/* One that cannot be merged keeps its zones, and nothing else. */
static bool
delta_try(DeferredDelta *d)
{
	Late		late = {.delta = d};
	int			timeout = LockTimeout;
	ErrorData  *error = subxact_try(delta_merge, &late);

	LockTimeout = timeout;
	if (!error)
		return late.done;
	if (error_is_ours(error->sqlerrcode))
		ReThrowError(error);
	if (!error_is_concurrency(error->sqlerrcode))
	{
		ereport(LOG, (errmsg("dnsrepl: what has been kept for a zone could not be merged: %s", error->message)));
		deferred_fail(d->no, error->message);
		d->failed = true;
	}
	return false;
}

/* One that is not to be had, or of which an earlier delta has to be merged first. */
typedef struct BusyZone
{
	int16		table;
	uint16		len;
	uint8		name[NAME_STORED_MAX];	/* the rest is 0 */
} BusyZone;

static bool
busy_has(HTAB *busy, const ZoneRef *zone, HASHACTION action)
{
	BusyZone	key;
	bool		found;

	memset(&key, 0, sizeof(key));
	key.table = zone->table;
	key.len = (uint16) Min(zone->name_len, NAME_STORED_MAX);
	if (!zone->table)
		memcpy(key.name, zone->name, key.len);
	(void) hash_search(busy, &key, action, &found);
	return found;
}

/* May it be merged now? If not, nothing of its zones may. */
static bool
delta_is_next(const DeferredDelta *d, HTAB *busy)
{
	bool		next = !d->failed;

	for (int k = 0; k < d->nzones && next; k++)
	{
		progress();
		next = !busy_has(busy, &d->zones[k].ref, HASH_FIND) && !zone_busy(&d->zones[k].ref);
	}
	return next;
}

static void
delta_keeps(const DeferredDelta *d, HTAB *busy)
{
	for (int k = 0; k < d->nzones; k++)
		(void) busy_has(busy, &d->zones[k].ref, HASH_ENTER);
}

/* Merges those that can be, in their order, for a short while; or only looks whether there is one. How many. */
static int
deltas_merge(Deferred *all, bool look)
{
	HASHCTL		ctl = {.keysize = sizeof(BusyZone), .entrysize = sizeof(BusyZone), .hcxt = CurrentMemoryContext};
	HTAB	   *busy = hash_create("dnsrepl busy zones", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl delta", ALLOCSET_DEFAULT_SIZES);
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), TURN);
	int			n = 0;

	for (int i = 0; i < all->n && (n == 0 || GetCurrentTimestamp() < until) && !(look && n > 0); i++)
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);

		if (delta_is_next(&all->deltas[i], busy) && (look || delta_try(&all->deltas[i])))
			n++;
		else
			delta_keeps(&all->deltas[i], busy);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
	hash_destroy(busy);
	return n;
}

static void
zone_wait(void *arg)
{
	(void) zone_lock(arg, true);
}

/*
 * Where one author comes after another a row is never free, and who takes his place in the queue gets it. A zone that is being made is not
 * waited for: zone_lock() would tell the merge that it was there before.
 */
static void
rows_wait(DeferredDelta *d)
{
	static TimestampTz due = 0;

	if (GetCurrentTimestamp() < due)
		return;
	for (int i = 0; i < d->nzones && i < MAX_CHANGED; i++)
	{
		ZoneRef    *z = &d->zones[i].ref;

		if (zone_busy(z) && zone_number_at(GetActiveSnapshot(), z) && !wait_within(PATIENT_WAIT, zone_wait, z))
			break;
	}
	due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), PATIENT_EVERY);
}

/* Under LOCK_MERGE, and one more: the numbers of dnsrepl.policy_change become visible in their order. */
static bool
defer_merge_locked(void)
{
	Deferred   *all;
	bool		done;

	policies_refresh();
	(void) table_domains();
	PushActiveSnapshot(GetLatestSnapshot());
	all = deferred_read(false);
	done = all && deltas_merge(all, false) > 0;
	PopActiveSnapshot();
	return done;
}

bool
defer_merge(void)
{
	int			mark = private_lock_mark();
	Oid			numbers = schema_oid("policy_change");
	Deferred   *all;
	bool		free,
				done = false;

	PushActiveSnapshot(GetLatestSnapshot());
	all = deferred_read(false);
	if (all)
		rows_wait(&all->deltas[0]);
	free = all && deltas_merge(all, true) > 0;
	PopActiveSnapshot();
	if (free && private_lock_within(LOCK_MERGE, 0, ExclusiveLock, MERGE_WAIT) && ConditionalLockRelationOid(numbers, ShareRowExclusiveLock))
	{
		done = defer_merge_locked();
		if (!done)
			UnlockRelationOid(numbers, ShareRowExclusiveLock);
	}
	if (!done)
		private_unlock_since(mark);
	if (all && !done)
		parked_turn.due = Min(parked_turn.due, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RETRY_EVERY));
	return done;
}
