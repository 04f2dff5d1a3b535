/*
 * node.h: this node: dnsrepl.node, and the roll of the cluster's members.
 */
#ifndef DNSREPL_NODE_H
#define DNSREPL_NODE_H

#include "postgres.h"

#include "utils/snapshot.h"
#include "utils/uuid.h"

#include "store/vector.h"

/* Where both clusters have something of a unit when this node joins another. */
typedef enum JoinMode
{
	JOIN_NONE = 0,
	JOIN_CLUSTER = 'c',			/* theirs counts */
	JOIN_MINE = 'm',			/* this node's counts */
	JOIN_CONFLICT = 'b'			/* both are kept, as siblings */
} JoinMode;

typedef struct NodeInfo
{
	pg_uuid_t	id;
	char		name[NAMEDATALEN];
	int			nclusters;
	pg_uuid_t  *clusters;		/* ids of clusters that have become one; in the current context */
	JoinMode	joining;
	bool		damaged;		/* its store is not what it was: it takes its peers' state before it ships (damage.h) */
} NodeInfo;

/* Columns of dnsrepl.node. */
enum
{
	NODE_ID = 1, NODE_NAME, NODE_SCHEMA, NODE_SINCE, NODE_CLUSTERS, NODE_JOINING, NODE_DAMAGED, NODE_HELD, NODE_SALVAGED, NODE_NATTS = NODE_SALVAGED
};

/* This node, from dnsrepl.node under the active snapshot; false if setup() has not run. */
extern bool node_read(NodeInfo *node);

/* The same, or 55000. */
extern void node_require(NodeInfo *node);

/* Does this node hold versions of its users' (policies and the roll apart)? Under the active snapshot. */
extern bool node_has_data(const NodeInfo *me);

/* The clusters of two nodes are one from now on; `joined`: and this node has joined. A no-op if that is so already. */
extern void node_unite(const NodeInfo *me, const pg_uuid_t *clusters, int n, bool joined);

/*
 * A node has said hello: if it is a member, it is one that is not evicted. One that is none becomes one if it has `sent` a delta, and there
 * are not too many (MAX_MEMBERS): its own entry came with that, as a rule. Who just says hello is nobody. True if that is news: this
 * transaction will have a version of it.
 */
extern bool member_heard(const pg_uuid_t *node, const char *name, bool sent);

/* Is it in the list of members, evicted or not? */
extern bool member_known(const pg_uuid_t *node);

#endif
