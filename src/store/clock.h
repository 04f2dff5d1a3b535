/*
 * clock.h: the shared memory of a node: its hybrid logical clock, the stamps in flight, who waits for commits.
 */
#ifndef DNSREPL_CLOCK_H
#define DNSREPL_CLOCK_H

#include "postgres.h"

#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "dnsrepl.h"
#include "store/vector.h"

#define STAMP_COUNTER_BITS 12
#define MAX_WAKERS (MAX_LINKS + 1)	/* every link of the server may be this node's */

typedef enum WakerKind
{
	WAKE_LINK,					/* a commit changed the store */
	WAKE_MANAGER				/* links have changed, or parked units may be projected now */
} WakerKind;

typedef struct Waker
{
	Latch	   *latch;			/* NULL: free */
	WakerKind	kind;
} Waker;

/* What is counted since the server's start, for dnsrepl.self_check. */
typedef enum Count
{
	COUNT_ROUNDS,				/* of looks at the whole store */
	COUNT_UNITS,				/* looked at */
	COUNT_COLLECTED,			/* versions: deletions, and what was dead */
	COUNT_SUMS,					/* zones whose running sums were off */
	COUNT_DIFFERENT,			/* units whose tables were not what the store says */
	COUNT_DAMAGED,				/* zones whose store was changed behind the extension's back */
	COUNT_COMPARED,				/* times that a peer's sums were compared */
	COUNT_REPAIRED,				/* units united with a peer's */
	COUNTS
} Count;

/* A life of another node that has spoken: guest_life.h. */
#define MAX_GUEST_LIVES 128
typedef struct GuestLife
{
	pg_uuid_t	node,
				life;
	TimestampTz began,			/* as it says */
				first,			/* when it spoke here */
				before,			/* and the last time but one; 0: never */
				heard;			/* and last; 0: free */
} GuestLife;

/* One node: a database of this server in which the store is in use. */
typedef struct NodeSlot
{
	Oid			database;		/* InvalidOid: free */
	LWLock	   *lock;			/* for all that follows, atomics apart */
	pg_uuid_t	life;			/* this life of the node: the id of its origin */
	TimestampTz began;			/* when it did */
	bool		other;			/* the node was found to be a copy, and has become another */
	int32		origin;			/* the origin's local number; 0 until its row is committed */
	int64		last;			/* the last stamp drawn here or seen of others */
	int64		drawn;			/* the last that this life has drawn: what is held of it is not more, so it changes with commits only */
	int			nwakers;		/* beyond them all are free */
	Waker		wakers[MAX_WAKERS];
	pg_atomic_uint64 commits;	/* counts commits that changed the store; starts at 1 */
	pg_atomic_uint64 replaced;	/* counts rows of the store that were replaced or deleted since the slot was made */
	pg_atomic_uint32 parked;	/* not 0: units wait for their projection */
	pg_atomic_uint32 origin_wanted; /* not 0: a writer waits for the manager to make this life's origin */
	pg_atomic_uint64 unchecked; /* since when there is no process that checks this node, for want of a worker slot; 0: there is one */
	pg_atomic_uint64 sound_spoke;	/* when a member whose store is not damaged was heard last, or this began; see damage.h */
	pg_atomic_uint32 greetings; /* counts peers that came: a link that could not reach its own may try again */
	pg_atomic_uint32 suspended_resolver;	/* a function that had to be ended with its session (allowance.h) */
	GuestLife	guests[MAX_GUEST_LIVES];
	bool		disputed;		/* a new life is to begin: clock_dispute() */
	TimestampTz disputed_at;	/* when somebody has shown stamps of this life that it never drew; 0: never */
	char		disputed_by[NAMEDATALEN];
	int64		disputes;		/* how often */
	int32		anew;			/* the life whose last writes are to be written anew; 0: none */
	int64		anew_since;		/* after this stamp, */
	int64		anew_left;		/* and not more units than this */
	pg_atomic_uint64 counts[COUNTS];
	ConditionVariable acked;	/* broadcast when a link's peer has confirmed something */
	ConditionVariable origin_made;	/* broadcast when this life's origin has been committed */
} NodeSlot;

extern Size clock_shmem_size(void);
extern void clock_shmem_request(void);
extern void clock_shmem_init(void);
extern void clock_init(void);

/* Was the library preloaded? clock_slot() raises 55000 with the setting to change if not. */
extern bool clock_available(void);

/* The slot of this backend's database; made if there is none. Raises 55000, 54000. */
extern NodeSlot *clock_slot(void);

/* A new life: setup, a clone found out. Under LOCK_LIFE: no stamp of the old one is in flight, which could be closed without it. */
extern void clock_renew(void);

/* The database is gone. */
extern void clock_forget(Oid database);

/* Microseconds since 2000, shifted: the smallest stamp of this moment. */
extern int64 clock_now(void);
extern TimestampTz stamp_time(int64 stamp);

/*
 * Draws this transaction's stamp: larger than all that were drawn or seen. It is pending until the transaction ends. *low
 * is the head of this life at that moment: all stamps of it that had ended. 0: the origin is not that of the present life
 * any more, ask again; made_here: this transaction has made it.
 */
extern int64 clock_draw(int32 origin, bool made_here, int64 *low);

/*
 * If the last stamp of this life is further ahead of the clock than dnsrepl.max_clock_skew (the clock was wrong, and has been
 * set back), and none is in flight: begins a new life, whose stamps are right again.
 */
extern void clock_mend(void);

/* Is that this node's present life, and a stamp that it has not drawn? */
extern bool clock_never_drew(const pg_uuid_t *life, int64 stamp);

/*
 * Somebody shows such a stamp: the manager begins a new life, and has its last writes written anew (merge/new_life.c). Not more
 * often than every DISPUTE_KEEPALIVES: else nothing is done, and it returns in how many seconds something would be.
 */
extern long clock_dispute(const char *by);

/* The same when this transaction commits; returns likewise. */
extern long clock_dispute_later(const char *by);

/* Takes notice of a stamp from elsewhere; one too far ahead of the clock does not drag it along. */
extern void clock_saw(int64 stamp);

/* What this life has drawn and ended: read it before taking the snapshot that is to show it. */
extern void clock_holds(int64 *head, StampRange **ranges, int *nranges);

/* Is that all of this life still: was no stamp in flight then, and has none been drawn since? */
extern bool clock_rests(int32 origin, int64 head);

extern void clock_count(Count what, uint64 n);

/* This transaction changes the store: at its commit, links are woken. */
extern void clock_store_changed(void);

/* This transaction has drawn its life's origin: when it commits, the number is known to all. */
extern void clock_origin_made(int32 origin);

/* What this transaction has drawn, and made, has been rolled back, and it goes on: see own_dot_forget(). */
extern void clock_undraw(void);

/* This transaction changes the links: at its commit the manager is woken. */
extern void clock_links_changed(void);

/* This transaction parks units: when it commits they are counted, and the manager is woken. */
extern void clock_units_parked(void);

/* This transaction held a stripe: when it ends, parked units may have their chance. */
extern void clock_stripe_held(void);

/* Workers: be woken, through this process's latch. Undone at exit. */
extern void wake_register(WakerKind kind);
extern void wake_all(NodeSlot *slot, WakerKind kind);

/* Is there a process of this kind other than this one? */
extern bool wake_other(NodeSlot *slot, WakerKind kind);

#endif
