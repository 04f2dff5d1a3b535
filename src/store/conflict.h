/*
 * conflict.h: what is in conflict, for people: dnsrepl.conflict_open and dnsrepl.conflict_log.
 *
 * A unit is in conflict while it has siblings of different content, or while a rule of the zone hides it.
 */
#ifndef DNSREPL_CONFLICT_H
#define DNSREPL_CONFLICT_H

#include "store/group.h"

/*
 * A group has become another: conflicts that are new are entered, those that are gone are logged. Cheap if there are none
 * before and after. live: the incarnations before and after.
 */
extern void conflict_note(const UnitGroup *before, const Live *was, const UnitGroup *after, const Live *now);

/* The same where the tables do not follow yet: the zone's incarnations are those that they show. */
extern void conflict_note_unseen(const UnitGroup *before, const UnitGroup *after, const Live *shown);

/*
 * A zone is no more: none of its versions lives, so its open conflicts are logged as they were. `before` shows the store as
 * it was, `was` its incarnations then.
 */
extern void conflict_zone_gone(Store *store, Snapshot before, const ZoneRef *zone, const Live *was);

/* Is a unit that has been judged in conflict? */
extern bool unit_in_conflict(const GroupUnit *u, const Live *live);

#endif
