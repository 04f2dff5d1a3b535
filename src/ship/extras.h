/*
 * extras.h: what others keep in this database's zones at a DNS server (dnsrepl.server_extra): RRsets that the database never had. They
 * stay; where one is in the way of what is to be told (RFC 2136 3.4.2.2: a CNAME record stands alone, and a server leaves out without a
 * word what would stand beside one), that cannot be told.
 */
#ifndef DNSREPL_EXTRAS_H
#define DNSREPL_EXTRAS_H

#include "postgres.h"

#include "ship/compare_server.h"

typedef struct Extras Extras;

#define EXTRA_CNAME		1		/* a name has a CNAME record of somebody else's */
#define EXTRA_OTHER		2		/* or something else */

/* All that are known of a server, in a transaction; they last as long as the context. */
extern Extras *extras_read(const char *server, MemoryContext context);

/* What a name of a zone has. */
extern int	extras_at(const Extras *extras, const uint8 *zone, size_t zone_len, const uint8 *name, size_t name_len);

/* Leaves those of a name's RRsets that can be told beside what is there; the sink hears of the others. */
extern int	extras_clash(int there, const uint8 *name, size_t name_len, UpdateSet *sets, int n, const DifferenceSink *sink);

/* What a comparison finds in one zone: its first MAX_EXTRAS_SHOWN are shown. */
typedef struct ExtrasFound
{
	int			n,
				cap;
	Datum	   *names,
			   *types;
} ExtrasFound;

#define MAX_EXTRAS_SHOWN	1000

/* In the current context. */
extern void extras_found(ExtrasFound *f, const uint8 *name, size_t name_len, uint16 type);

/* In a transaction: that is what there is in a zone. */
extern void extras_write(const char *server, const uint8 *zone, size_t zone_len, const ExtrasFound *f);

#endif
