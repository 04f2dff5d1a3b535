/*
 * link.h: the worker that sends a peer what it lacks.
 */
#ifndef DNSREPL_LINK_H
#define DNSREPL_LINK_H

#include "postgres.h"

/* Where the manager tells a link what it is for (bgw_extra). */
typedef struct LinkOrder
{
	Oid			database;
	int			index;			/* of its LinkState */
} LinkOrder;

extern PGDLLEXPORT void link_main(Datum arg);

#endif
