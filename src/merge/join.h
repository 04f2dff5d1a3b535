/*
 * join.h: a node that has data of its own joins a cluster that has some too.
 */
#ifndef DNSREPL_JOIN_H
#define DNSREPL_JOIN_H

#include "store/group.h"
#include "store/node.h"

/*
 * A unit of which both have something, after the merge rule: what the mode says counts. `theirs` is the cluster's vector, which
 * tells their versions from this node's. The set changes, and the store with it.
 */
extern void join_unit(Store *store, const ZoneRef *zone, const Live *now, JoinMode mode, const Vector *theirs, GroupUnit *u);

/* All is merged: the node is a member. */
extern void join_done(const NodeInfo *me, const char *peer, const pg_uuid_t *clusters, int n);

#endif
