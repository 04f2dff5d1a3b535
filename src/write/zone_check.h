/*
 * zone_check.h: may a local transaction leave a zone so?
 */
#ifndef DNSREPL_ZONE_CHECK_H
#define DNSREPL_ZONE_CHECK_H

#include "store/group.h"
#include "write/zone_touch.h"

/*
 * The rules of one group (store/rule.h): what they would hide of what the author has left in the tables is refused, 23514.
 * `left`: the group as the tables show it. The store has been written.
 */
extern void group_check(Store *store, const ZoneTouch *zone, const UnitGroup *left);

/* Does the zone have DNAMEs? Then check_dnames() has to see the groups that were written. */
extern bool zone_has_dname(Store *store, const ZoneTouch *zone);

/* What was written at a name, given by its group's prefix, against DNAMEs at and above it; `before` shows the store as it was. */
extern void dname_check(Store *store, Snapshot before, const ZoneTouch *zone, const uint8 *prefix, size_t len);

#endif
