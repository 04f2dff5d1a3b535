/*
 * self_check.h: a node looks after itself.
 */
#ifndef DNSREPL_SELF_CHECK_H
#define DNSREPL_SELF_CHECK_H

#include "postgres.h"

/*
 * Looks at one zone under the active snapshot. True if it was not what it should be by itself: what that was has been put
 * right, or noted, or will be by the next round of dnsrepl.check_zones().
 */
extern bool zone_check(int32 number);

#endif
