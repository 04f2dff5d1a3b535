/*
 * sums.h: the running sums in the zones' rows against what they are sums of.
 */
#ifndef DNSREPL_SUMS_H
#define DNSREPL_SUMS_H

#include "store/version.h"

/* Are a zone's versions those that its row has counted (held)? The zone as the snapshot shows it. */
extern bool zone_held_right(Store *store, Snapshot snapshot, const ZoneRef *zone);

/* The number of a zone whose versions are not, or 0. Reads the whole store. */
extern int32 store_damaged(Snapshot snapshot);

/*
 * One number for what a node serves, zone by zone: equal on nodes that hold the same versions and have projected all of them.
 * It says nothing (false) while something is parked.
 */
extern bool sums_total(Snapshot snapshot, uint64 *total);

/* A zone's part of it; 0 for one of which nothing is served. */
extern uint64 zone_sum(const ZoneRef *zone);

#endif
