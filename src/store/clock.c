/*
 * clock.c: see clock.h.
 *
 * A stamp is microseconds since 2000-01-01 shifted left by 12 bits, and a counter in those bits (good until 2071).
 * The stamp of a transaction is entered into `pending` in the critical section that draws it and leaves when the
 * transaction has ended, after its rows are visible. So whoever reads `pending` first and takes a snapshot then
 * sees the rows of every stamp that he did not find pending (DESIGN 4).
 *
 * Locks: slots_lock for finding and making slots; each slot's own lock for its fields and its stamps in `pending`.
 * Neither is held while anything else is waited for. After a crash of any backend the postmaster makes all of this
 * anew, which is a new life of every node.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

#include "compat.h"
#include "dnsrepl.h"
#include "store/clock.h"

typedef struct Pending
{
	Oid			database;
	int64		stamp;			/* 0: none */
} Pending;

typedef struct ClockShared
{
	LWLock	   *slots_lock;
	NodeSlot	slots[MAX_NODES];
	int			npending;
	Pending		pending[FLEXIBLE_ARRAY_MEMBER];
} ClockShared;

static ClockShared *shared = NULL;
static NodeSlot *my_slot = NULL;
static int64 my_stamp = 0;

/* What this transaction did, for its end. */
static bool store_changed = false;
static bool links_changed = false;
static bool stripe_held = false;
static bool units_parked = false;
static int32 origin_made = 0;
static char dispute_by[NAMEDATALEN];	/* empty: nobody has */

Size
clock_shmem_size(void)
{
	return add_size(offsetof(ClockShared, pending), mul_size(sizeof(Pending), (Size) compat_backend_slots()));
}

void
clock_shmem_request(void)
{
	RequestAddinShmemSpace(clock_shmem_size());
	RequestNamedLWLockTranche("dnsrepl", MAX_NODES + 1);
}

void
clock_shmem_init(void)
{
	bool		found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("dnsrepl clock", clock_shmem_size(), &found);
	if (!found)
	{
		LWLockPadded *locks = GetNamedLWLockTranche("dnsrepl");

		memset(shared, 0, clock_shmem_size());
		shared->slots_lock = &locks[0].lock;
		shared->npending = compat_backend_slots();
		for (int i = 0; i < MAX_NODES; i++)
		{
			NodeSlot   *slot = &shared->slots[i];

			slot->lock = &locks[i + 1].lock;
			pg_atomic_init_u64(&slot->commits, 1);
			pg_atomic_init_u64(&slot->replaced, 0);
			pg_atomic_init_u32(&slot->parked, 0);
			pg_atomic_init_u32(&slot->origin_wanted, 0);
			pg_atomic_init_u64(&slot->unchecked, 0);
			pg_atomic_init_u64(&slot->sound_spoke, 0);
			pg_atomic_init_u32(&slot->greetings, 0);
		pg_atomic_init_u32(&slot->suspended_resolver, InvalidOid);
			for (int c = 0; c < COUNTS; c++)
				pg_atomic_init_u64(&slot->counts[c], 0);
			ConditionVariableInit(&slot->acked);
			ConditionVariableInit(&slot->origin_made);
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

bool
clock_available(void)
{
	return shared != NULL;
}

static void
slot_begin_life(NodeSlot *slot)
{
	if (!pg_strong_random(slot->life.data, UUID_LEN))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random bytes")));
	slot->began = GetCurrentTimestamp();
	slot->origin = 0;
	slot->drawn = 0;
}

static NodeSlot *
slot_find(Oid database)
{
	for (int i = 0; i < MAX_NODES; i++)
		if (shared->slots[i].database == database)
			return &shared->slots[i];
	return NULL;
}

NodeSlot *
clock_slot(void)
{
	NodeSlot   *slot;

	if (!shared)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("dnsrepl is not preloaded, so this change could not be replicated"),
				 errhint("Set shared_preload_libraries = 'dnsrepl' in postgresql.conf and restart the server.")));
	if (my_slot && my_slot->database == MyDatabaseId)
		return my_slot;
	LWLockAcquire(shared->slots_lock, LW_EXCLUSIVE);
	slot = slot_find(MyDatabaseId);
	if (!slot && (slot = slot_find(InvalidOid)) != NULL)
	{
		slot_begin_life(slot);
		slot->last = 0;
		slot->other = slot->disputed = false;
		slot->disputed_at = 0;
		slot->disputes = slot->anew = 0;
		slot->database = MyDatabaseId;
		pg_atomic_write_u64(&slot->commits, 1);
		pg_atomic_write_u32(&slot->parked, 0);
		pg_atomic_write_u32(&slot->origin_wanted, 0);
		for (int c = 0; c < COUNTS; c++)
			pg_atomic_write_u64(&slot->counts[c], 0);
		pg_atomic_write_u64(&slot->unchecked, 0);
		pg_atomic_write_u64(&slot->sound_spoke, (uint64) GetCurrentTimestamp());
		slot->nwakers = 0;
		memset(slot->wakers, 0, sizeof(slot->wakers));
		memset(slot->guests, 0, sizeof(slot->guests));
	}
	LWLockRelease(shared->slots_lock);
	if (!slot)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("at most %d databases of one server can be nodes", MAX_NODES)));
	return my_slot = slot;
}

void
clock_renew(void)
{
	NodeSlot   *slot = clock_slot();

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	slot_begin_life(slot);
	LWLockRelease(slot->lock);
}

void
clock_forget(Oid database)
{
	NodeSlot   *slot;

	if (!shared)
		return;
	LWLockAcquire(shared->slots_lock, LW_EXCLUSIVE);
	slot = slot_find(database);
	if (slot)
		slot->database = InvalidOid;
	LWLockRelease(shared->slots_lock);
}

int64
clock_now(void)
{
	return (GetCurrentTimestamp() + (int64) setting_clock_offset * 1000) << STAMP_COUNTER_BITS;
}

TimestampTz
stamp_time(int64 stamp)
{
	return stamp >> STAMP_COUNTER_BITS;
}

/* Just below the smallest stamp in flight, else the last. The slot's lock is held. */
static int64
slot_head(NodeSlot *slot)
{
	int64		head = slot->last;

	for (int i = 0; i < shared->npending; i++)
		if (shared->pending[i].stamp && shared->pending[i].database == slot->database)
			head = Min(head, shared->pending[i].stamp - 1);
	return head;
}

/* Stamps from here on do not drag the clock along. */
static int64
clock_limit(void)
{
	return clock_now() + (((int64) setting_max_clock_skew * 1000) << STAMP_COUNTER_BITS);
}

bool
clock_never_drew(const pg_uuid_t *life, int64 stamp)
{
	NodeSlot   *slot = clock_slot();
	bool		never;

	LWLockAcquire(slot->lock, LW_SHARED);
	/* one that has written nothing is nobody's to speak of */
	never = memcmp(life, &slot->life, UUID_LEN) == 0 && (slot->origin == 0 || stamp > slot->drawn);
	LWLockRelease(slot->lock);
	return never;
}

#define DISPUTE_KEEPALIVES 12	/* two minutes, by default */

/* In how many seconds, if it is too soon; the slot's lock is held. */
static long
dispute_wait(const NodeSlot *slot)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz due = TimestampTzPlusMilliseconds(slot->disputed_at, DISPUTE_KEEPALIVES * setting_keepalive);

	return slot->disputed || !slot->disputed_at || due <= now ? 0 : (long) ((due - now) / USECS_PER_SEC) + 1;
}

long
clock_dispute(const char *by)
{
	NodeSlot   *slot = clock_slot();
	long		wait;

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	wait = dispute_wait(slot);
	if (wait == 0 && !slot->disputed)
	{
		slot->disputed = true;
		slot->disputed_at = GetCurrentTimestamp();
		strlcpy(slot->disputed_by, by, NAMEDATALEN);
		slot->disputes++;
	}
	LWLockRelease(slot->lock);
	if (wait == 0)
		wake_all(slot, WAKE_MANAGER);
	return wait;
}

long
clock_dispute_later(const char *by)
{
	NodeSlot   *slot = clock_slot();
	long		wait;

	LWLockAcquire(slot->lock, LW_SHARED);
	wait = dispute_wait(slot);
	LWLockRelease(slot->lock);
	if (wait == 0)
		strlcpy(dispute_by, by, NAMEDATALEN);
	return wait;
}

static bool
slot_in_flight(NodeSlot *slot)
{
	for (int i = 0; i < shared->npending; i++)
		if (shared->pending[i].stamp && shared->pending[i].database == slot->database)
			return true;
	return false;
}

void
clock_mend(void)
{
	NodeSlot   *slot = clock_slot();
	bool		mended = false;

	if (slot->last < clock_limit())
		return;
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	if (slot->origin && slot->last >= clock_limit() && !slot_in_flight(slot))
	{
		slot_begin_life(slot);
		slot->last = 0;
		mended = true;
	}
	LWLockRelease(slot->lock);
	if (mended)
		ereport(LOG,
				(errmsg("dnsrepl: stamps were ahead of this server's clock, which has been set back: a new life begins")));
}

int64
clock_draw(int32 origin, bool made_here, int64 *low)
{
	NodeSlot   *slot = clock_slot();
	int64		now = clock_now();

	Assert(my_stamp == 0);
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	if (!made_here && slot->origin != origin)
	{
		LWLockRelease(slot->lock);
		return 0;
	}
	*low = slot_head(slot);
	slot->last = Max(slot->last + 1, now);
	my_stamp = slot->drawn = slot->last;
	shared->pending[BACKEND_SLOT].database = slot->database;
	shared->pending[BACKEND_SLOT].stamp = my_stamp;
	LWLockRelease(slot->lock);
	return my_stamp;
}

void
clock_saw(int64 stamp)
{
	NodeSlot   *slot = clock_slot();

	if (stamp >= clock_limit())
		return;
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	slot->last = Max(slot->last, stamp);
	LWLockRelease(slot->lock);
}

static int
stamp_order(const void *a, const void *b)
{
	int64		x = *(const int64 *) a,
				y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

void
clock_holds(int64 *head, StampRange **ranges, int *nranges)
{
	NodeSlot   *slot = clock_slot();
	int64	   *flying = palloc(sizeof(int64) * (size_t) shared->npending);
	int			n = 0;
	int64		last;

	LWLockAcquire(slot->lock, LW_SHARED);
	last = slot->drawn;
	for (int i = 0; i < shared->npending; i++)
		if (shared->pending[i].stamp && shared->pending[i].database == slot->database)
			flying[n++] = shared->pending[i].stamp;
	LWLockRelease(slot->lock);

	qsort(flying, (size_t) n, sizeof(int64), stamp_order);
	*ranges = palloc(sizeof(StampRange) * (size_t) (n + 1));
	*nranges = 0;
	*head = n ? flying[0] - 1 : last;
	for (int i = 0; i < n; i++)
	{
		StampRange	r = {flying[i] + 1, i + 1 < n ? flying[i + 1] - 1 : last};

		if (r.first <= r.last)
			(*ranges)[(*nranges)++] = r;
	}
	pfree(flying);
}

bool
clock_rests(int32 origin, int64 head)
{
	NodeSlot   *slot = clock_slot();
	bool		rests;

	LWLockAcquire(slot->lock, LW_SHARED);
	rests = slot->origin == origin && slot->drawn == head;	/* with one in flight, the head was below it */
	LWLockRelease(slot->lock);
	return rests;
}

void
clock_count(Count what, uint64 n)
{
	pg_atomic_fetch_add_u64(&clock_slot()->counts[what], (int64) n);
}

void
clock_store_changed(void)
{
	store_changed = true;
}

void
clock_origin_made(int32 origin)
{
	origin_made = origin;
}

void
clock_links_changed(void)
{
	links_changed = true;
}

void
clock_units_parked(void)
{
	units_parked = true;
}

void
clock_stripe_held(void)
{
	stripe_held = true;
}

/* The stamp leaves the pending set. Nothing here may fail. */
static void
stamp_leave(NodeSlot *slot, bool committed)
{
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	if (committed && origin_made)
		slot->origin = origin_made;
	if (my_stamp)
		shared->pending[BACKEND_SLOT].stamp = 0;
	LWLockRelease(slot->lock);
	my_stamp = 0;
}

void
clock_undraw(void)
{
	origin_made = 0;
	if (my_slot && my_stamp)
		stamp_leave(my_slot, false);
}

/* First the stamp leaves, then the commit is counted, then the workers are woken: see wait_for_peers(). */
static void
clock_xact_callback(XactEvent event, void *arg)
{
	bool		committed = event == XACT_EVENT_COMMIT;
	NodeSlot   *slot = my_slot;

	if (!committed && event != XACT_EVENT_ABORT)
		return;
	if (slot && (my_stamp || origin_made))
		stamp_leave(slot, committed);
	if (slot && committed && origin_made)
		ConditionVariableBroadcast(&slot->origin_made);
	if (slot && committed && store_changed)
	{
		pg_atomic_fetch_add_u64(&slot->commits, 1);
		wake_all(slot, WAKE_LINK);
	}
	if (slot && committed && units_parked)
		pg_atomic_fetch_add_u32(&slot->parked, 1);
	if (slot && ((committed && (links_changed || units_parked)) || (stripe_held && pg_atomic_read_u32(&slot->parked) > 0)))
		wake_all(slot, WAKE_MANAGER);
	if (slot && committed && dispute_by[0])
		(void) clock_dispute(dispute_by);
	dispute_by[0] = '\0';
	store_changed = links_changed = stripe_held = units_parked = false;
	origin_made = 0;
}

void
clock_init(void)
{
	RegisterXactCallback(clock_xact_callback, NULL);
}

static void
wake_unregister(int code, Datum arg)
{
	if (!my_slot)
		return;
	LWLockAcquire(my_slot->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_WAKERS; i++)
		if (my_slot->wakers[i].latch == MyLatch)
			my_slot->wakers[i].latch = NULL;
	LWLockRelease(my_slot->lock);
}

void
wake_register(WakerKind kind)
{
	NodeSlot   *slot = clock_slot();
	bool		done = false;

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_WAKERS && !done; i++)
		if (!slot->wakers[i].latch)
		{
			slot->wakers[i].latch = MyLatch;
			slot->wakers[i].kind = kind;
			slot->nwakers = Max(slot->nwakers, i + 1);
			done = true;
		}
	LWLockRelease(slot->lock);
	if (!done)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a node can have at most %d links", MAX_WAKERS - 1)));
	before_shmem_exit(wake_unregister, (Datum) 0);
}

void
wake_all(NodeSlot *slot, WakerKind kind)
{
	LWLockAcquire(slot->lock, LW_SHARED);
	for (int i = 0; i < slot->nwakers; i++)
		if (slot->wakers[i].latch && slot->wakers[i].kind == kind)
			SetLatch(slot->wakers[i].latch);
	LWLockRelease(slot->lock);
}

bool
wake_other(NodeSlot *slot, WakerKind kind)
{
	bool		found = false;

	LWLockAcquire(slot->lock, LW_SHARED);
	for (int i = 0; i < slot->nwakers; i++)
		found |= slot->wakers[i].latch && slot->wakers[i].latch != MyLatch && slot->wakers[i].kind == kind;
	LWLockRelease(slot->lock);
	return found;
}
