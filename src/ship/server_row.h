/*
 * server_row.h: a DNS server as dnsrepl.server and dnsrepl.server_unmanaged have it.
 */
#ifndef DNSREPL_SERVER_ROW_H
#define DNSREPL_SERVER_ROW_H

#include "store/pattern.h"
#include "ship/tsig.h"

typedef struct ServerRow
{
	char	   *name;
	char	   *address;
	List	   *zones;			/* Patterns */
	TsigKey    *key;			/* NULL: nothing is signed */
	int32		resyncs;		/* how often a comparison of everything has been asked for */
	int32		orders;			/* and how often something else has */
	bool		our_serial;		/* the server takes the zone's serial here; else it counts by itself */
	List	   *unmanaged;
	uint64		transfer_most;	/* octets that one of its zones may have: transfers end somewhere */
} ServerRow;

/* In a transaction; in the context that was current before it began. NULL: there is none. Raises 22023 for what cannot be used. */
extern ServerRow *server_row(const char *name, MemoryContext context);

/* Is an RRset this database's? Else it is the server's own, or somebody else's: neither touched nor reported. */
extern bool server_manages(const ServerRow *server, const uint8 *name, size_t len, uint16 type);

#endif
