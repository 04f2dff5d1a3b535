/*
 * peer_role.h: which node may speak through which role.
 */
#ifndef DNSREPL_PEER_ROLE_H
#define DNSREPL_PEER_ROLE_H

#include "postgres.h"

#include "utils/uuid.h"

/* The role that this session has logged in as, if it is one of a peer's own: a member of dnsrepl_link, and not that. Else NULL. */
extern const char *session_peer_role(void);

/* Raises 42501 if this session's role is bound to another node, or the node to another role. */
extern void peer_role_check(const pg_uuid_t *node, const char *name);

/* After it: binds the two, if the role is a peer's own and bound to nobody yet. */
extern void peer_role_bind(const pg_uuid_t *node, const char *name);

#endif
