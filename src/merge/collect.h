/*
 * collect.h: deletions that every member knows of are of no more use.
 */
#ifndef DNSREPL_COLLECT_H
#define DNSREPL_COLLECT_H

#include "store/version.h"

/* What this node has held for longer than dnsrepl.tombstone_retention; NULL: that is not known. */
extern Vector *collect_old(void);

/*
 * What all members, evicted ones apart, held for longer than dnsrepl.tombstone_retention has passed here: NULL if that is not
 * known of one of them. Under the active snapshot.
 */
extern Vector *collect_stable(void);

/* What every member is known to hold; NULL: of one it is not known, or there is none. */
extern Vector *collect_members(void);

/*
 * Removes from the store what of a zone is deleted, or dead with a zone that was deleted, as far as it is stable; at most so
 * many versions. Locks the zone's row, and does nothing if somebody has it. `collected` gets their dots. *missed is set if something
 * has to be looked at again: the zone was locked, or a unit waits for its projection. Returns how many.
 */
extern int64 collect_zone(Store *store, const ZoneRef *zone, const Vector *stable, Vector *collected, int64 most, bool *missed);

#endif
