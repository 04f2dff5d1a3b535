/*
 * server_cut.h: what a DNS server is to be told, from the store into a spool.
 */
#ifndef DNSREPL_SERVER_CUT_H
#define DNSREPL_SERVER_CUT_H

#include "nodes/pg_list.h"

#include "ship/extras.h"
#include "ship/server_work.h"
#include "ship/spool.h"
#include "store/changes.h"

typedef struct Cut
{
	const ServerRow *row;
	Spool	   *spool;			/* to be told */
	const Extras *extras;
	const int32 *waiting;		/* numbers of zones of which nothing is told, as they will be compared; sorted */
	int			nwaiting;
	List	   *changed;		/* Todos: those of them in which something has changed */
	List	   *claimed;		/* RRsets that are told at names with extras: this database's from now on */
	int32		zone;			/* the one that the spool is at; 0: none */
	bool		soa;			/* which has to be told of its SOA record */
	ExtrasFound found;			/* by cut_todo() */
	/* The name at hand, while a zone is compared. */
	StringInfoData name;
	List	   *sets;			/* UpdateSets that differ */
	int			there;			/* EXTRA_CNAME and the like */
	MemoryContext scratch;		/* for it */
} Cut;

/* What has changed since a vector, in the current context, and in a transaction: zones that have to be compared as SPOOL_WHOLE. */
extern Changes cut_changes(Cut *c, const uint8 *vector, size_t vector_len);

/*
 * What a zone lacks at the server, by what was fetched of it (NULL: it could not be), or one name. False: there is no such zone here. In a
 * transaction, for which *flush has to be on disk before anybody hears of it.
 */
extern bool cut_todo(Cut *c, const Todo *t, Spool *fetched, XLogRecPtr *flush);

#endif
