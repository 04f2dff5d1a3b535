/*
 * allowance.h: which functions may choose at this node. A policy, which may come from a peer, only names one; whoever administers this
 * node has to have allowed it here: dnsrepl.allow_resolver().
 */
#ifndef DNSREPL_ALLOWANCE_H
#define DNSREPL_ALLOWANCE_H

#include "postgres.h"

/* Why a function does not choose here. */
typedef struct Obstacle
{
	char	   *problem;		/* NULL: it does */
	char	   *advice;
	bool		allowable;		/* dnsrepl.allow_resolver() is all that is missing */
} Obstacle;

/* The function that a policy names, if it may choose here; InvalidOid, and why not. Raises nothing, whatever the text is. */
extern Oid	allowance_find(const char *resolver, Obstacle *o);

/* It had to be ended with its session: it does not choose until it is allowed anew, or the server has restarted. For before_shmem_exit(). */
extern void allowance_suspend(Oid function);

#endif
