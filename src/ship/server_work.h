/*
 * server_work.h: what is left to do at a DNS server, what waits and until when (dnsrepl.server_work), and what it has been told
 * (dnsrepl.server_state): as its worker reads and writes them. All in a transaction.
 */
#ifndef DNSREPL_SERVER_WORK_H
#define DNSREPL_SERVER_WORK_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "ship/server_row.h"

/* A row of dnsrepl.server_work. */
typedef struct Todo
{
	const uint8 *zone;
	size_t		zone_len;
	int32		number;			/* the zone's; 0: nobody knows such a zone any more */
	const uint8 *name;			/* NULL: all of the zone is compared */
	size_t		name_len;
	uint16		type;			/* 0: all of the name */
	bool		extra;			/* an RRset that this database never had is to be removed */
	int			tries;			/* how often it has failed */
} Todo;

/* A copy that lasts as long as the context. */
extern Todo *todo_copy(const Todo *t, MemoryContext context);

/* What is to be done next; NULL: nothing is left. *due: not before; 0: at once. In the current context. */
extern Todo *work_next(const char *server, TimestampTz *due);

/* The numbers of the zones that have yet to be compared, sorted. In the current context. */
extern int32 *work_waiting(const char *server, int *n);

/* It is to be done: at once, or, if it has failed, soon. */
extern void work_ask(const char *server, const Todo *t, bool at_once);

/* It was not taken, which took so many ms; `why` NULL: it may be the server's fault, so once more at once. True: that is news. */
extern bool work_fails(const char *server, const Todo *t, const char *why, int took);

/* It is done; that of a zone is done with all of it. True: the zone was waiting. */
extern bool work_done(const char *server, const Todo *t);

/* What the server has been told, by this life of the node and since it was asked to compare last; false: nothing is known. */
extern bool vector_read(const ServerRow *server, const pg_uuid_t *life, StringInfo vector);

/* It is of what dnsrepl.server said when the session began: what has been asked for since is for the next one. */
extern void vector_write(const ServerRow *server, const pg_uuid_t *life, const uint8 *vector, size_t len);

#endif
