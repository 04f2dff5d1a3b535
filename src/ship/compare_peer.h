/*
 * compare_peer.h: does the peer, which holds the same, serve the same?
 */
#ifndef DNSREPL_COMPARE_PEER_H
#define DNSREPL_COMPARE_PEER_H

#include "ship/connect.h"
#include "store/version.h"

extern const CallKind call_compare;

/*
 * Asks the peer, which holds what its vector (encoded) says. Returns how many zones are to be united with its own, *zones in
 * zone_order and in the current context. *last is the sum of what differed when this was called last, 0 at first: what
 * differs still, and in the same way, is a matter for people (dnsrepl.problem) and not returned.
 */
extern int	compare_peer(PeerConn *conn, const char *name, const uint8 *vector, size_t vector_len, uint64 *last,
						 ZoneRef **zones);

#endif
