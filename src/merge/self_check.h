/*
 * self_check.h: a node looks after itself.
 */
#ifndef DNSREPL_SELF_CHECK_H
#define DNSREPL_SELF_CHECK_H

#include "postgres.h"

/*
 * Looks at one zone under the active snapshot. True if its sums were not what they should be: then they have been put right, or will be by
 * the next round of dnsrepl.check_zones(), and it is compared anew. Tables that are not what the store has are noted; the sums are the
 * store's, so that is no reason not to unite it with a peer's.
 */
extern bool zone_check(int32 number);

#endif
