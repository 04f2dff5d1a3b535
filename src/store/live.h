/*
 * live.h: the incarnations of a zone, and which versions of its units are dead.
 *
 * An incarnation is the commit that made the zone: its dot. Which of them live is state of the store, beside the zone's unit in domains: a commit
 * that makes the zone adds its own, one that deletes it removes those that its author saw, and an edit of its row does neither; two
 * nodes that made it at once gave it two. It is merged whenever that unit is, by the rule for versions (merge_rule.h): an incarnation stays that
 * both sides have, or one has and the other's vector does not cover. It is not read off the images, or a late edit of the row would bring back
 * what was deleted.
 *
 * Every image in the zone names the incarnations that its author saw. A version of which none lives is dead: nobody serves it, whoever makes the
 * zone again. A zone is served while one lives; resolvers choose which row it has, never whether.
 */
#ifndef DNSREPL_LIVE_H
#define DNSREPL_LIVE_H

#include "store/version.h"

/* Those of the store, as this transaction leaves it. */
extern Live live_stored(const Store *store, const ZoneRef *zone);

/* They are these from now on. The caller holds the zone's row. */
extern void live_store(Store *store, const ZoneRef *zone, const Live *live);

/* Those with which the zone is served: all that are stored, or none if `domains`, the versions of its unit in domains, have no row for it. */
extern Live live_served(const ZoneRef *zone, const Live *stored, const VersionSet *domains);

/*
 * The same by the store; with the unit's versions, or reading them. What the tables show of it is in the zone's row; a zone whose unit the store has
 * lost (merge/mend.h) is served as they show it, and so is what comes for it.
 */
extern Live live_of(const Store *store, const ZoneRef *zone, const VersionSet *domains);
extern Live live_read(Store *store, Snapshot snapshot, const ZoneRef *zone);

/* As dnsrepl.zone has them: origin, stamp, origin, stamp ... */
extern Live live_from_array(struct ArrayType *array);

/* Those that the tables show. */
extern Live live_shown(const ZoneRef *zone);

/* The same, as this transaction leaves it: what it has tallied counts. */
extern Live live_left(Store *store, const ZoneRef *zone);

extern bool live_same(const Live *a, const Live *b);

/* Adds one; raises 54000 if there are too many. */
extern void live_add(Live *live, const ZoneRef *zone, Dot incarnation);

/*
 * Those that live after `theirs` have come, which a peer holds under its vector, by the rule for versions (merge_rule.h); `united`: those of
 * both.
 */
extern Live live_merge(const ZoneRef *zone, const Live *mine, const Vector *my_vector, const Live *theirs, const Vector *their_vector,
					   bool united);

/* Removes those that another has. */
extern void live_remove(Live *live, const Live *gone);

/* Their part of ZoneState.held. Of this node alone: origins are local numbers. */
extern uint64 live_hash(const Live *live);

/* Is a version one of a live incarnation? `key`: its unit's. A deletion of the zone never is. */
extern bool version_lives(const Live *live, const uint8 *key, size_t key_len, const Version *v);

#endif
