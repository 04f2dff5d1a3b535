/*
 * dnsrepl.h: settings and limits that several folders share.
 */
#ifndef DNSREPL_H
#define DNSREPL_H

#include "postgres.h"

/* The version of the link protocol (doc/protocol.md). Both ends must speak the same. */
#define PROTOCOL_VERSION 4

/* Limits. Each bounds a loop, a queue or an allocation that a peer or a user could make large. */
#define MAX_NODES			64		/* databases of one server that are nodes */
#define MAX_LINKS			256		/* links of all nodes of one server */
#define MAX_KEY_SIZE		2000	/* octets of a unit's key: fits a btree entry */
#define MAX_IMAGE_SIZE		(16 * 1024 * 1024)	/* octets of one version: an RRset has 64 kB on the wire */
#define MAX_KEY_COLUMNS		8
#define MAX_COLUMNS			64		/* replicated columns of one table */
#define MAX_RANGES			100000	/* stamps beyond the head in one vector entry */
#define MAX_ORIGINS			1000000 /* entries of one vector */
#define STRIPES				256		/* locks that authors and projection share (DESIGN 4) */

/* How much is done at once. With BUILD=tiny it is the second: so that little data shows whether all goes on rightly after it. */
#ifdef TINY_BOUNDS
#define AT_ONCE(real, tiny) (tiny)
#else
#define AT_ONCE(real, tiny) (real)
#endif

/* Settings (dnsrepl.c). */
extern char *setting_databases;
extern int	setting_chunk_size;			/* kB: payload of one message to a peer */
extern int	setting_connect_timeout;	/* ms */
extern int	setting_keepalive;			/* ms */
extern int	setting_max_clock_skew;		/* ms */
extern int	setting_tombstone_retention;	/* s */
extern int	setting_conflict_retention; /* s */
extern int	setting_evict_after;		/* s; 0: never */
extern int	setting_check_interval;		/* ms; 0: never */
extern bool setting_allow_plaintext_secrets;
extern int	setting_clock_offset;		/* ms, added to the clock: for tests of skew */

#endif
