/*
 * zone_look.h: the rules of zone/zone_rule.h at a commit.
 */
#ifndef DNSREPL_ZONE_LOOK_H
#define DNSREPL_ZONE_LOOK_H

#include "store/group.h"
#include "write/zone_touch.h"

/* What a commit has to say, and what it has yet to look at. Zeroed at its start. */
typedef struct ZoneLooks
{
	List	   *names;			/* whose surroundings are looked at when all of a lot has been written */
	int			nnames;
	int			warned;
} ZoneLooks;

/*
 * A group of records as the tables show it, some of whose units (`written`, one for each) this transaction has written:
 * raises 23514 for an error, unless the zone's level is another. The rest waits for zone_looks_end().
 */
extern void zone_look_at(ZoneLooks *looks, Store *store, ZoneTouch *zone, const UnitGroup *group, const bool *written);

/* All of a lot has been written: warns of what it leaves around the names. */
extern void zone_looks_end(ZoneLooks *looks, Store *store, MemoryContext scratch);

/* The commit has been looked at: says how much more there was to warn of. */
extern void zone_looks_done(ZoneLooks *looks);

#endif
