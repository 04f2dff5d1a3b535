/*
 * dnsrepl.h: settings and limits that several folders share.
 */
#ifndef DNSREPL_H
#define DNSREPL_H

#include "postgres.h"

/* The version of the link protocol (doc/protocol.md). Both ends must speak the same. */
#define PROTOCOL_VERSION 7

/* Of the notice by which a node tells a peer what waits there: unknown notices are signs of life, and nothing else. */
#define SQLSTATE_ZONES_WAIT "01DN1"

/* Limits. Each bounds a loop, a queue or an allocation that a peer or a user could make large. */
#define MAX_NODES			64		/* databases of one server that are nodes */
#define MAX_LINKS			256		/* links of all nodes of one server */
#define MAX_KEY_SIZE		2000	/* octets of a unit's key: fits a btree entry */
#define MAX_IMAGE_SIZE		(16 * 1024 * 1024)	/* octets of one version: an RRset has 64 kB on the wire */
#define MAX_KEY_COLUMNS		8
#define MAX_COLUMNS			64		/* replicated columns of one table */
#define STRIPES				256		/* locks that authors and projection share (DESIGN 4) */

/*
 * What crosses a link (doc/protocol.md). Whoever encodes keeps to these as whoever decodes does, and says so (54000) where it cannot.
 */
#define MAX_ORIGINS			100000	/* entries of one vector */
#define MAX_RANGES			100000	/* stamps beyond the heads of one vector, in all its entries */
#define ENTRY_SIZE			(16 + 1 + NAMEDATALEN + 8 + 3)	/* octets of an entry without its ranges, at most */
#define MAX_VECTOR_SIZE		(3 + MAX_ORIGINS * ENTRY_SIZE + MAX_RANGES * 16)	/* 11 MB */
#define MAX_CLUSTERS		1000
#define MAX_MEMBERS			1000	/* of a cluster; more are served, and deletions are not kept for them */
#define MAX_GREETING_SIZE	(4 * MAX_VECTOR_SIZE)	/* known vectors that do not fit have their turn the next time */
#define MAX_SIBLINGS		1000	/* versions of one unit */
#define MAX_INCARNATIONS	16		/* of one zone: that many nodes have made it without knowing of one another */
#define MAX_UNIT_SIZE		(64 * 1024 * 1024)	/* octets of their images */
#define MAX_ZONES			1000000 /* of one delta */
#define MAX_DIFFERENT		10000	/* zones that a verdict names; more have their turn the next time */
#define MAX_CHUNK_SETTING	262144	/* kB: dnsrepl.chunk_size at most */
#define MAX_CHUNK_SIZE		(MAX_CHUNK_SETTING * 1024 + MAX_UNIT_SIZE + 4 * MAX_VECTOR_SIZE)
#define MAX_ANSWER_SIZE		(MAX_DIFFERENT * 300 + MAX_GREETING_SIZE)	/* octets of what a call returns */

/* How much is done at once. With BUILD=tiny it is the second: so that little data shows whether all goes on rightly after it. */
#ifdef TINY_BOUNDS
#define AT_ONCE(real, tiny) (tiny)
#else
#define AT_ONCE(real, tiny) (real)
#endif

/* Settings (dnsrepl.c). */
extern char *setting_databases;
extern int	setting_chunk_size;			/* kB: payload of one message to a peer */
extern int	setting_staging_limit;		/* MB: what dnsrepl.staging has on disk */
extern int	setting_connect_timeout;	/* ms */
extern int	setting_keepalive;			/* ms */
extern int	setting_max_clock_skew;		/* ms */
extern int	setting_tombstone_retention;	/* s */
extern int	setting_conflict_retention; /* s */
extern int	setting_evict_after;		/* s; 0: never */
extern int	setting_check_interval;		/* ms; 0: never */
extern bool setting_allow_plaintext_secrets;
extern bool setting_greeted;		/* hello() has been said in this session (merge/greet.c) */
extern int	setting_clock_offset;		/* ms, added to the clock: for tests of skew */

#endif
