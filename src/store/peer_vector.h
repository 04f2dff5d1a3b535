/*
 * peer_vector.h: what other nodes were seen to hold: the vector that came with the last delta of each.
 */
#ifndef DNSREPL_PEER_VECTOR_H
#define DNSREPL_PEER_VECTOR_H

#include "utils/snapshot.h"
#include "utils/uuid.h"

#include "store/vector.h"

/* The vector (encoded, in the current context) of a node, if it came from that life of it; NULL if not. */
extern const uint8 *peer_vector_read(Snapshot snapshot, const pg_uuid_t *node, const pg_uuid_t *life, size_t *len);

extern void peer_vector_write(const pg_uuid_t *node, const pg_uuid_t *life, const char *name,
							  const uint8 *vector, size_t len);

#endif
