/*
 * peer_vector.h: what other nodes were seen to hold: dnsrepl.peer_vector, a row per node. All that such a vector covers is
 * held here too (greeting.c; or it came with a delta that was merged).
 */
#ifndef DNSREPL_PEER_VECTOR_H
#define DNSREPL_PEER_VECTOR_H

#include "utils/snapshot.h"
#include "utils/uuid.h"

#include "store/greeting.h"
#include "store/vector.h"

/* That of one node; NULL if there is none. In the current context, as all that follows. */
extern const KnownVector *peer_vector_find(Snapshot snapshot, const pg_uuid_t *node);

/* Those of all nodes. */
/* In order of nodes, those after one and up to another (NULL: from the first, to the last), until fn is false. */
extern void peer_vectors_walk(Snapshot snapshot, const pg_uuid_t *after, const pg_uuid_t *until, bool (*fn) (const KnownVector *k, void *arg), void *arg);

extern void peer_vector_write(const KnownVector *known);

#endif
