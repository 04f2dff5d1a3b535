/*
 * merge_zones.h: the zones of a delta that is being merged (merge.c), their locks, and which of them have to wait.
 */
#ifndef DNSREPL_MERGE_ZONES_H
#define DNSREPL_MERGE_ZONES_H

#include "merge/chunks.h"
#include "merge/greet.h"
#include "merge/join.h"
#include "merge/ties.h"
#include "merge/zone_work.h"
#include "store/damage.h"
#include "store/deferred.h"
#include "store/delta_read.h"
#include "store/transaction_zones.h"

typedef struct MergeZone MergeZone;
struct MergeZone
{
	ZoneRef		ref;
	ZoneWork	work;
	uint64		serial,			/* what the peer says of the zone */
				served;
	bool		out;			/* it is no part of this merge: its row is not to be had, or that of a zone which is tied to it (defer.h) */
	const char *why;			/* NULL, or why it has to wait; those that are tied to it wait with it */
	int32		waits;			/* it waits already, with zones of this number (store/parked.h); 0: it does not */
	bool		free;			/* what comes is projected at once */
	int32		together;		/* if not: the number with which it waits from now on, */
	const MergeZone *cause;		/* and because of which zone */
	bool		absent;			/* a delta that has all: units may be here that are not in it */
	int			unseen;			/* if not: how many units were stored without being projected */
};

typedef struct Merge
{
	Store	   *store;
	DeltaRead	in;
	Vector	   *mine,
			   *my_collected;
	NodeInfo	me;
	Damage		damage;				/* of this node's store, if me.damaged; */
	Vector	   *claimed;			/* and what it ever held */
	const Guest *guest;
	List	   *limits;			/* of what the sender may change: accept.h */
	JoinMode	joining;			/* this node joins the sender's cluster */
	int			nzones,
				cap_zones;
	MergeZone  *zones;				/* in zone_order */
	const Deferred *deferred;	/* what is kept of earlier deltas; NULL: nothing */
	bool		late;			/* this is such a delta */
	Ties	   *ties;				/* of zones by index; NULL: not asked for, since none has to wait */
	const Chunks *chunks;
	Snapshot	before;
	Work	   *work;
	int			zone;				/* index of the zone being read, -1 at first */
	StringInfoData last_key;
	MemoryContext group_context;	/* the group being read, and its versions */
	UnitGroup  *group,				/* NULL: none */
			   *group_before;
	bool		group_changed;
	MemoryContext absent_context;
	MemoryContext pass;				/* what lasts as long as one try */
	int			ntransactions,
				cap_transactions;
	TransactionZone *transactions;	/* of the delta, new here: to be kept for others; in `pass` */
	bool		changed;
	int			repaired;			/* DELTA_REPAIR: units that have changed */
} Merge;

/* The delta's next chunk, from its items on. */
extern bool merge_chunk_next(Chunks *chunks, WireReader *r);

/* The zones of the delta; of one that has all, and for a damaged node, those of this node too. */
extern void zones_collect(Merge *m);

/* Their stripes, as far as authors leave them, and their rows: those that are not to be had soon are out. */
extern void zones_lock(Merge *m);

/* Those that are tied to zones that are out are out too. False: none is. */
extern bool zones_out(Merge *m);

/* Those that wait already. Their rows are held, and the active snapshot is newer. */
extern void zones_look(Merge *m);

/* Which are free: those that are not tied to one that has to wait. To be called again when `why` has changed. */
extern void zones_settle(Merge *m);

/*
 * The projection has run into a lock: the zone in which that was has to wait; or all, if that is not known, or wanted. False: all do
 * already.
 */
extern bool zones_blocked(Merge *m, bool all);

/* Those that waited with zones of this delta go on under the number that these have got. */
extern void zones_waited(Merge *m);

/*
 * Does it count that the sender says that a transaction has changed a zone? It says nothing of what is here, nor of zones that it may
 * not change.
 */
extern bool transaction_ties(const Merge *m, const MergeZone *z, Dot dot);

/* Why a zone has to wait, for people. */
extern const char *zone_reason(const MergeZone *z);

#endif
