/*
 * peer.h: the tables dnsrepl.peer and dnsrepl.server: whom this node has links to.
 */
#ifndef DNSREPL_PEER_H
#define DNSREPL_PEER_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/snapshot.h"

typedef struct PeerRow
{
	char	   *name;
	char	   *conninfo;		/* of a DNS server: all that its link depends on, to be compared only */
	bool		server;			/* of dnsrepl.server */
	int32		resyncs;		/* of a DNS server: how often something has been asked for; else 0 */
	bool		paused;
} PeerRow;

/*
 * The rows that a snapshot shows, as a list of PeerRow in the current memory context; *found is false if there is no
 * such table (no extension). For the extension's own use: no privileges are asked for.
 */
extern List *peer_read_all(Snapshot snapshot, bool *found);

#endif
