/*
 * mend.c: see mend.h.
 *
 * A damaged node claims nothing any more, so that its peers send it all that they hold, and ships nothing, so that what it
 * lacks is not taken for deleted. It keeps its versions, and begins a new life. With the first delta of a peer that is not damaged
 * it holds what that peer held, and what it had itself: its vector is the join of both, version by version for the latter.
 *
 * If there is none, since all members are damaged that are not evicted: when no other kind of member has been heard for some
 * keepalives, each sends those that are damaged all versions that it has left (DELTA_SALVAGE), and whose it has got in the same way.
 * These are united: nobody's are dropped for not being at the other end, except what was written since the damage (merge.c). One
 * that has got the versions of all such members, directly or by others, takes its store for what it is: it claims what any of them
 * held, and is the source for those that have not come so far. It does not matter if several do so. So it needs nobody's order, and a
 * chain of links is enough.
 *
 * What was kept for zones that were locked (store/deferred.h) stays, and is merged before anything of a peer's, by the vector of then: it is held
 * here as versions are, and may be nowhere else.
 *
 * What came while versions were lost was judged without them, so the tables may lack it. Where they are not what the mended store has they are made
 * to follow it, by way of dnsrepl.parked; but for zones of which such a difference had been told before: that is for people to settle.
 *
 * A member that is not evicted and has not come may be sound, so it is waited for, for as long as it is not evicted: by evict(), or
 * because it was silent for dnsrepl.evict_after. What has come is kept meanwhile, restarts or not (dnsrepl.node).
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "merge/mend.h"
#include "merge/scrub.h"
#include "store/clock.h"
#include "store/damage.h"
#include "store/deferred.h"
#include "store/origin.h"
#include "store/parked.h"
#include "store/policy.h"
#include "store/private_lock.h"
#include "store/progress.h"
#include "store/relation.h"
#include "store/schema.h"

PG_FUNCTION_INFO_V1(dnsrepl_damage);
PG_FUNCTION_INFO_V1(dnsrepl_renew_sums);
PG_FUNCTION_INFO_V1(dnsrepl_end_damage);

#define FOLLOW_KEYS AT_ONCE(1000, 2)	/* units of a zone that follow one by one; more: the zone as a whole */

typedef struct Dots
{
	const Vector *now;
	int64		n,
				cap;
	Dot		   *dots;			/* that it does not cover */
} Dots;

static void
dot_note(Dots *d, Dot dot)
{
	if (vector_covers(d->now, dot.origin, dot.stamp))
		return;
	if (d->n == d->cap)
	{
		d->cap = d->cap ? d->cap * 2 : 1024;
		d->dots = d->dots ? repalloc_huge(d->dots, sizeof(Dot) * (size_t) d->cap) : palloc(sizeof(Dot) * (size_t) d->cap);
	}
	d->dots[d->n++] = dot;
}

static void
dot_collect(const uint8 *key, size_t key_len, const Version *v, void *arg)
{
	pfree(unconstify(uint8 *, v->image));
	dot_note(arg, v->dot);
}

/* A zone that is alive is so by a write which may have been replaced since. */
static void
incarnations_collect(const ZoneRef *zone, Dots *d)
{
	for (int i = 0; i < zone->state.stored.n; i++)
		if (origin_known(zone->state.stored.incarnations[i].origin))
			dot_note(d, zone->state.stored.incarnations[i]);
}

static int
dot_order(const void *a, const void *b)
{
	const Dot  *x = a,
			   *y = b;

	if (x->origin != y->origin)
		return x->origin < y->origin ? -1 : 1;
	return (x->stamp > y->stamp) - (x->stamp < y->stamp);
}

static void
dots_claim(Vector *now, Dots *d)
{
	StampRange *ranges = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(StampRange) * (size_t) (d->n + 1));

	int			left = MAX_RANGES / 2;	/* of all; some are known to others already */

	if (d->n > 1)
		qsort(d->dots, (size_t) d->n, sizeof(Dot), dot_order);
	for (int64 i = 0; i < d->n;)
	{
		int32		origin = d->dots[i].origin;
		int			n = 0;

		for (; i < d->n && d->dots[i].origin == origin; i++)
			if (n == 0 || ranges[n - 1].last != d->dots[i].stamp)
				ranges[n++] = (StampRange) {d->dots[i].stamp, d->dots[i].stamp};
		vector_add(now, origin, 0, ranges, Min(n, left));
		left -= Min(n, left);
		if (left == 0)
			ereport(LOG, (errmsg("dnsrepl: of the versions that are held here alone not all can be told of"),
						  errhint("An edit of their names tells of them.")));
	}
	pfree(ranges);
}

static void
sums_renew(Store *store, const ZoneRef *zone, ScrubTell tell, void *arg)
{
	ZoneSums	is = scrub_zone(store, zone, tell, arg);
	ZoneTally  *t = store_tally(store, zone->number);

	t->served += is.served - zone->state.served;
	t->others += is.others - zone->state.others;
	t->held += is.held - zone->state.held;
}

typedef struct Follow
{
	bool		told;			/* the zone's tables differed before: people choose what follows what */
	int64		n;
	List	   *keys;			/* bytea, in */
	MemoryContext context;
} Follow;

static void
unit_differs(const ScrubFinding *f, void *arg)
{
	Follow	   *follow = arg;
	MemoryContext old;

	if (!f->store || follow->told || ++follow->n > FOLLOW_KEYS)
		return;
	old = MemoryContextSwitchTo(follow->context);
	follow->keys = lappend(follow->keys, varlena_make(f->key, f->key_len));
	MemoryContextSwitchTo(old);
}

/*
 * What came for a unit while versions of it, or of others that a rule ties to it, were lost may not have got into the tables; a deletion of
 * what was lost, for one, seemed to change nothing. The store has all of it now, so the tables follow it. What the store has nothing of
 * stays: the tables may be the last that have it.
 */
static void
tables_follow(const ZoneRef *zone, const Follow *follow)
{
	ListCell   *lc;

	if (follow->n > FOLLOW_KEYS)
	{
		unit_queue(zone, NULL, 0, "the store has been mended");
		return;
	}
	foreach(lc, follow->keys)
	{
		const bytea *key = lfirst(lc);

		unit_queue(zone, (const uint8 *) VARDATA(key), VARSIZE(key) - VARHDRSZ, "the store has been mended");
	}
}

static void
zone_mend(Store *store, const ZoneRef *zone)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl mended zone", ALLOCSET_DEFAULT_SIZES),
				old = MemoryContextSwitchTo(context);
	Follow		follow = {.told = damage_difference_told(zone->number), .context = context};

	sums_renew(store, zone, unit_differs, &follow);
	tables_follow(zone, &follow);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* All zones' sums are counted anew, and their tables follow; returns how many versions there are that `now` does not cover, and claims them there. */
static int64
mend_claim(Vector *now)
{
	Dots		beyond = {.now = now};
	Store	   *store;
	ZoneRef    *zones;
	int			n;

	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	zones = zone_all_at(GetActiveSnapshot(), &n);
	store = store_open(true);
	for (int i = 0; i < n; i++)
	{
		incarnations_collect(&zones[i], &beyond);
		version_walk(store, GetActiveSnapshot(), zones[i].number, (const uint8 *) "", 0, false, dot_collect, &beyond);
		zone_mend(store, &zones[i]);
	}
	store_close(store);
	PopActiveSnapshot();
	dots_claim(now, &beyond);
	damage_over();
	return beyond.n;
}

void
mend_by_peer(Vector *now)
{
	int64		alone = mend_claim(now);

	ereport(LOG, (errmsg("dnsrepl: the store has been mended with the state of a peer"),
				  errdetail("%lld versions were held here alone.", (long long) alone)));
}

void
mend_alone(Vector *now)
{
	Damage		d;
	int32		origin = clock_slot()->origin;

	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	if (!damage_read(&d))
		elog(ERROR, "what is known of the damage of this node is gone");
	for (int i = 0; i < d.held->n; i++)
	{
		const VectorEntry *e = &d.held->entries[i];

		if (e->origin != origin)	/* of this life nobody knows more, nor of what is in flight */
			vector_add(now, e->origin, e->head, e->ranges, e->nranges);
	}
	PopActiveSnapshot();
	(void) mend_claim(now);
	holdings_write(now, NULL);
	clock_store_changed();
	ereport(LOG, (errmsg("dnsrepl: the store of this node is taken for what it is"),
				  d.n > 0 ? errdetail("No member has one that is not damaged. It has the versions of %d that are damaged too.", d.n) :
				  errdetail("There is no other member to ask.")));
}

static void
zone_wait(void *arg)
{
	(void) zone_lock(arg, true);
}

/*
 * end_damage() returns boolean: a damaged store for which nobody is left to ask is taken for what it is. True if it was; false also if
 * somebody has a lock: it is tried again.
 */
Datum
dnsrepl_end_damage(PG_FUNCTION_ARGS)
{
	NodeInfo	me;
	ZoneRef    *zones;
	Vector	   *now;
	bool		over;
	int			n;

	if (!node_read(&me) || !me.damaged || !damage_nobody_left())
		PG_RETURN_BOOL(false);
	tables_refresh();
	policies_refresh();
	(void) table_domains();
	if (!private_lock_within(LOCK_MERGE, 0, ExclusiveLock, LOCK_WAIT))
		PG_RETURN_BOOL(false);
	zones = zone_all(&n);
	for (int i = 0; i < n; i++)
	{
		progress();
		if (!zone_lock(&zones[i], false) && !wait_within(LOCK_WAIT, zone_wait, &zones[i]))
			PG_RETURN_BOOL(false);
	}
	if (!private_lock_within(LOCK_VECTOR, 0, ExclusiveLock, LOCK_WAIT))
		PG_RETURN_BOOL(false);
	now = holdings_push_snapshot();
	node_require(&me);
	over = me.damaged && !deferred_any(GetActiveSnapshot());
	if (over)
		mend_alone(now);
	PopActiveSnapshot();
	PG_RETURN_BOOL(over);
}

void
repairs_count(const char *peer, int units)
{
	clock_count(COUNT_REPAIRED, (uint64) units);
	ereport(LOG,
			(errmsg("dnsrepl: %d units that differed here and at node \"%s\", though both held the same, have been united", units,
					peer)));
}

/* Of a zone whose row is locked: what is counted of it is what is there. */
static void
zone_sums_renew(const ZoneRef *zone)
{
	Store	   *store = store_open(true);

	sums_renew(store, zone, NULL, NULL);
	store_close(store);
}

/* renew_sums(zone_no int): for check_store(). Others may have written the zone since it looked: it is counted anew. */
Datum
dnsrepl_renew_sums(PG_FUNCTION_ARGS)
{
	ZoneRef		zone = zone_argument(PG_GETARG_INT32(0));

	tables_refresh();
	(void) zone_lock(&zone, true);
	PushActiveSnapshot(GetLatestSnapshot());
	zone_sums_renew(&zone);
	PopActiveSnapshot();
	PG_RETURN_VOID();
}

static bool
zone_held_right(const ZoneRef *zone)
{
	Store	   *store = store_open(false);
	uint64		held = scrub_zone(store, zone, NULL, NULL).held;

	store_close(store);
	return held == zone->state.held;
}

/* Under LOCK_LIFE and LOCK_ORIGIN: nothing of this life is in flight, and it ends. */
static void
claims_give_up(void)
{
	Vector	   *held = holdings_push_snapshot();

	PopActiveSnapshot();
	private_lock_soon(LOCK_VECTOR, 0, ExclusiveLock, "the vector of this node");
	damage_write(held);
	(void) owner_execute("UPDATE dnsrepl.vector SET head = 0, ranges = NULL", 0, NULL, NULL);
	(void) owner_execute("UPDATE dnsrepl.origin SET closed = true WHERE own", 0, NULL, NULL);
	/* what members were seen to hold was here; when they were heard still counts */
	(void) owner_execute("UPDATE dnsrepl.peer_vector SET vector = '\\x00'", 0, NULL, NULL);
	clock_renew();
	clock_store_changed();
}

/* The store as it is now is not what this zone's sum says, and of that nobody has told the node. */
static bool
damage_is_new(ZoneRef *zone)
{
	NodeInfo	me;

	node_require(&me);
	if (me.damaged)
		return false;
	*zone = zone_by_number(zone->number);
	return !zone_held_right(zone);
}

static void
damage_log(const ZoneRef *zone, const char *detail)
{
	clock_count(COUNT_DAMAGED, 1);
	ereport(LOG, (errmsg("dnsrepl: the store of %s has been changed behind the extension's back",
						 zone->table ? "a table without zones" : psprintf("zone \"%s\"", zone_text(zone->name, zone->name_len))),
				  errdetail_internal("%s", detail)));
}

/* There is nobody to ask: what there is counts. False: somebody has the zone. */
static bool
damage_accept(ZoneRef *zone)
{
	if (!zone_lock(zone, false) && !wait_within(LOCK_WAIT, zone_wait, zone))
		return false;
	PushActiveSnapshot(GetLatestSnapshot());
	if (damage_is_new(zone))
	{
		damage_log(zone, "There is no other member to ask: it is taken for what it is.");
		zone_sums_renew(zone);
	}
	PopActiveSnapshot();
	return true;
}

/* The zone is not locked: whoever has it may have it for long, and what one snapshot shows of it is enough. */
static void
damage_tell(ZoneRef *zone)
{
	private_lock_soon(LOCK_LIFE, 0, ExclusiveLock, "the present life of this node");
	private_lock_soon(LOCK_ORIGIN, 0, ExclusiveLock, "the origin of this node");
	PushActiveSnapshot(GetLatestSnapshot());
	if (damage_is_new(zone))
	{
		damage_log(zone, "This node sends nothing until it has taken the state of a peer.");
		claims_give_up();
	}
	PopActiveSnapshot();
}

/*
 * damage(zone_no int) returns boolean: the versions of this zone are not those that have been written. In a transaction of its own: it takes
 * the locks of a merge, and raises 55P03 if they are not to be had: then they are for no other zone. False: this zone is locked, others may
 * not be.
 */
Datum
dnsrepl_damage(PG_FUNCTION_ARGS)
{
	ZoneRef		zone = zone_argument(PG_GETARG_INT32(0));
	NodeInfo	me;
	bool		done = true;

	tables_refresh();
	node_require(&me);
	if (me.damaged)
		PG_RETURN_BOOL(true);
	private_lock_soon(LOCK_MERGE, 0, ExclusiveLock, "the merging of deltas");
	if (damage_nobody_left())
		done = damage_accept(&zone);
	else
		damage_tell(&zone);
	PG_RETURN_BOOL(done);
}
