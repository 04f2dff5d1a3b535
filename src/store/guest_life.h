/*
 * guest_life.h: which lives of other nodes have spoken to this one since its server started.
 */
#ifndef DNSREPL_GUEST_LIFE_H
#define DNSREPL_GUEST_LIFE_H

#include "postgres.h"

#include "utils/timestamp.h"
#include "utils/uuid.h"

/*
 * A life of a node has said hello. False: it is that of a copy, since a life of the node that began earlier has spoken after
 * this one began to.
 */
extern bool guest_life_speaks(const pg_uuid_t *node, const pg_uuid_t *life, TimestampTz began);

#endif
