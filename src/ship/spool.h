/*
 * spool.h: what is to be told to a DNS server, between the transaction that found it out and the sending: a temporary file.
 */
#ifndef DNSREPL_SPOOL_H
#define DNSREPL_SPOOL_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "storage/buffile.h"

typedef enum SpoolKind
{
	SPOOL_END = 0,
	SPOOL_ZONE = 'z',			/* a zone's name: all up to the next one is of it */
	SPOOL_ITEM = 'i',			/* an UpdateItem */
	SPOOL_LAST = 'l',			/* one that is told at the end of its zone: the SOA record */
	SPOOL_CANNOT = 'c',			/* u16 type, string name, and why this RRset cannot be told at all */
	SPOOL_WHOLE = 'w'			/* a zone's name: all of it has to be compared */
} SpoolKind;

typedef struct Spool
{
	BufFile    *file;			/* NULL: nothing was written */
	StringInfoData entry;		/* the one read last */
} Spool;

typedef struct SpoolPlace
{
	int			fileno;
	off_t		offset;
} SpoolPlace;

/* In the current context. The file lasts until spool_close(), over transactions. */
extern Spool *spool_open(void);
extern void spool_put(Spool *spool, SpoolKind kind, const void *data, size_t len);

/* To its beginning, or to a place. */
extern void spool_rewind(Spool *spool);
extern SpoolPlace spool_tell(Spool *spool);
extern void spool_seek(Spool *spool, SpoolPlace place);

/* The next entry, in spool->entry until the next call. */
extern SpoolKind spool_next(Spool *spool);
extern void spool_close(Spool *spool);

#endif
