/*
 * live.h: the incarnations of a zone, and which versions of its units are dead.
 *
 * A zone's incarnation is the stamp of the commit that made it. The unit of domains lists the zone's (two nodes that
 * made it at once gave it two); every other unit in the zone lists those that its author saw. A version of which
 * none lives is dead: nobody serves it, whoever makes the zone again.
 */
#ifndef DNSREPL_LIVE_H
#define DNSREPL_LIVE_H

#include "store/version.h"

/* The zone's incarnations by all versions of its domains unit. What the tables show of them is in the zone's row. */
extern Live live_read(Store *store, Snapshot snapshot, const ZoneRef *zone);

/* The same from that unit's versions. */
extern Live live_of(const ZoneRef *zone, const VersionSet *domains);

/* As dnsrepl.zone.live has them. */
extern Live live_from_array(struct ArrayType *array);

/* Those that the tables show. */
extern Live live_shown(const ZoneRef *zone);

/* The same, as this transaction leaves it: what it has tallied counts. */
extern Live live_left(Store *store, const ZoneRef *zone);

extern bool live_same(const Live *a, const Live *b);

/* Is a version one of a live incarnation? `key`: its unit's. */
extern bool version_lives(const Live *live, const uint8 *key, size_t key_len, const Version *v);

#endif
