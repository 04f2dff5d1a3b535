/*
 * origin.h: who writes: origins, this node's and those of others, and the vector of what this node holds.
 */
#ifndef DNSREPL_ORIGIN_H
#define DNSREPL_ORIGIN_H

#include "postgres.h"

#include "utils/snapshot.h"
#include "utils/uuid.h"

#include "store/birth_set.h"
#include "store/merge_rule.h"
#include "store/node.h"
#include "store/vector.h"

typedef struct OriginInfo
{
	int32		number;			/* local */
	pg_uuid_t	id;
	char		node[NAMEDATALEN];	/* whose life it is */
	bool		own;			/* this node's */
} OriginInfo;

/*
 * The number of this life's origin, in a transaction that writes versions. The first one to ask has the manager make the row,
 * in a transaction of its own. Without a manager it makes the row itself and holds a lock until it ends; others wait for it.
 * Also raises the clock above what the store holds.
 */
extern int32 origin_current(void);

/* The manager: makes the row for those who wait in origin_current(), unless somebody else is at it. */
extern void origin_make_wanted(void);

/* Has this transaction made it? */
extern bool origin_made_here(void);

/* It has been rolled back. */
extern void origin_forget(void);

/* Writes what this node's lives that are over have left, so that it need not be read from their versions each time. */
extern void lives_close(void);

/* The number of an origin of another node, its row made if it is new here. Only under the merge lock. */
extern int32 origin_number(const pg_uuid_t *id, const char *node);

/* By number, from a cache. Of a number that is not there origin_known() gives NULL, origin_info() raises XX001. */
extern const OriginInfo *origin_known(int32 number);
extern const OriginInfo *origin_info(int32 number);

/* A write as images name it. */
extern Birth dot_birth(Dot dot);

/* The number of a known origin, else 0. */
extern int32 origin_find(const pg_uuid_t *id);

/*
 * What this node holds. Pushes a new active snapshot, which shows all of it, whatever the
 * transaction's isolation: the caller pops it.
 */
extern Vector *holdings_push_snapshot(void);

/* The last commit of a merge that it claims: to be flushed before anybody is told. */
extern XLogRecPtr holdings_lsn(void);

/*
 * Writes into dnsrepl.vector what it lacks of `now`, own lives too: what a merge deletes of their versions is no longer
 * there to tell that it was held. `collected` (or NULL): see below.
 */
extern void holdings_write(const Vector *now, const Vector *collected);

/*
 * How far deletions, and what was dead of deleted zones, may have been collected, here or at a node whose delta was merged
 * here: heads only. Whoever lacks something below it that this node covers gets all that this node holds, instead of a delta.
 */
extern Vector *collected_read(Snapshot snapshot);

#endif
