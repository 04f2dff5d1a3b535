/*
 * compare_server.h: what a DNS server has of a zone, by AXFR, against what it should have.
 */
#ifndef DNSREPL_COMPARE_SERVER_H
#define DNSREPL_COMPARE_SERVER_H

#include "ship/dns_conn.h"
#include "ship/server_row.h"
#include "ship/spool.h"
#include "ship/update.h"
#include "store/served.h"

/*
 * Fetches a zone into a spool of this module's own kind; no transaction need be open. NULL, or why the server does not give it, in the
 * current context. Raises what dns_exchange() raises; 54000 beyond `most` octets, 08006 beyond an hour.
 */
extern const char *zone_fetch(DnsConn *conn, uint64 most, const uint8 *zone, size_t zone_len, Spool *out);

typedef enum Difference
{
	DIFFERENCE_ADD,
	DIFFERENCE_REPLACE,
	DIFFERENCE_REMOVE,			/* this database had it */
	DIFFERENCE_EXTRA			/* and this one it never had, as far as it knows: it is somebody else's, and stays */
} Difference;

typedef struct DifferenceSink
{
	void	   *arg;

	/* An RRset that is not the same, serials apart; n is 0 where there is none. Lasts until it returns. */
	void		(*difference) (const uint8 *name, size_t name_len, Difference kind, const UpdateSet *ours, const UpdateSet *theirs, void *arg);

	/* One that cannot be told at all. */
	void		(*cannot) (const uint8 *name, size_t name_len, uint16 type, const char *why, void *arg);
} DifferenceSink;

typedef struct ZoneComparison ZoneComparison;

/* In the current context, and a transaction. */
extern ZoneComparison *comparison_begin(const ServerRow *server, ServedZone *zone);

/* A name of which nothing is to be told. */
extern void comparison_except(ZoneComparison *c, const uint8 *name, size_t name_len);

/* Compares with what was fetched; in canonical order of names. */
extern void comparison_end(ZoneComparison *c, Spool *fetched, const DifferenceSink *sink);

/* RRsets as a server is to have them, duplicates once; managed ones only. What cannot be told goes to the sink. In the current context. */
extern int	sets_prepare(const ServerRow *server, const uint8 *name, size_t name_len, const ServedSet *sets, int n, UpdateSet *out,
						 const DifferenceSink *sink);

#endif
