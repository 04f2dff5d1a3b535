/*
 * defer.h: what a delta has of zones whose rows are not to be had is kept, and merged when they are (store/deferred.h).
 */
#ifndef DNSREPL_DEFER_H
#define DNSREPL_DEFER_H

#include "merge/merge_zones.h"

/*
 * Zones of this delta are out: may what it has of them be kept? False: it is itself one that was kept. Raises 55P03 where all has to be
 * merged at once.
 */
extern bool defer_may(const Merge *m);

/* Keeps it: in the transaction that merges the rest, whose vector claims all of it. */
extern void defer_write(const Merge *m);

/*
 * The manager: merges deltas that were kept and can be merged, for a short while. False: there is none. After that the caller returns, and so ends
 * the transaction, which has the locks of a merge.
 */
extern bool defer_merge(void);

/* merge.c: what merge() does with the zones of a delta. False: not now, one that was kept. */
extern bool merge_units(Merge *m, const Chunks *chunks);

#endif
