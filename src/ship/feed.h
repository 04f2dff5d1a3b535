/*
 * feed.h: tells a DNS server what a spool says.
 */
#ifndef DNSREPL_FEED_H
#define DNSREPL_FEED_H

#include "nodes/pg_list.h"
#include "utils/hsearch.h"

#include "ship/dns_conn.h"
#include "ship/server_row.h"
#include "ship/spool.h"
#include "ship/update.h"

/* What a server has refused for good, or cannot be told. */
typedef struct Refusal
{
	uint8	   *zone;
	size_t		zone_len;
	uint8	   *name;			/* NULL: the zone as a whole */
	size_t		name_len;
	uint16		type;			/* 0: all of the name */
	char	   *why;
} Refusal;

typedef struct Feed
{
	const ServerRow *server;
	DnsConn    *conn;
	HTAB	   *settled;		/* of the session: hashes of the zones that feed_settle() has settled */
	bool		splits_servfail;	/* SERVFAIL is due to some of what is told: it came too often for something that passes */
	List	   *refusals;		/* to be kept by the caller */
	void		(*zone) (const uint8 *zone, size_t zone_len);	/* called before each zone; may be NULL */
	void		(*progress) (void);	/* called after each message; may be NULL */
} Feed;

/*
 * Tells all of a spool, from its beginning, in the current context. Zone by zone: what adds something before what only removes, a
 * zone in one message if there is room. When it returns, the server has said NOERROR to everything, refusals apart. Raises
 * what dns_exchange() raises.
 */
extern void feed_spool(Feed *feed, Spool *spool);

/* For Feed.settled, in this context. */
extern HTAB *feed_settled_make(MemoryContext context);

/*
 * To be called before anything that a zone has at the server is read. Returns when all UPDATEs of the zone that it had received before
 * are done: an earlier session, this worker's or one before a crash, may have ended while one stood in its queue, and a server answers
 * questions past that (knotd does). An UPDATE that changes nothing goes through the same queue. Raises what dns_exchange() raises.
 */
extern void feed_settle(Feed *feed, const uint8 *zone, size_t zone_len);

/* The records of an RRset that the server answers with, in the current context; false: it is not authoritative for the zone. */
extern bool feed_query(Feed *feed, const uint8 *zone, size_t zone_len, uint16 type, UpdateSet *set);

#endif
