/*
 * zone_sum.h: the running sums of a zone (ZoneState.served, others): over all its units, what is served by the versions seen,
 * under the incarnations that its row has.
 *
 * Nearly always they follow by differences (tally_served()). Where those do not add up (the zone has got other incarnations,
 * or a rule hides what would be served if all had been projected) they are counted anew.
 */
#ifndef DNSREPL_ZONE_SUM_H
#define DNSREPL_ZONE_SUM_H

#include "store/version.h"

/* The zone's tally becomes what its sums lack, by the store as it is now. Walks the zone. */
extern void zone_sum_anew(Store *store, const ZoneRef *zone);

#endif
