/*
 * policy.h: which resolver serves a unit that has siblings: dnsrepl.policy, inherited down the DNS tree.
 */
#ifndef DNSREPL_POLICY_H
#define DNSREPL_POLICY_H

#include "nodes/pg_list.h"

#include "store/relation.h"
#include "store/version.h"

typedef enum ResolverKind
{
	RESOLVER_LATEST,
	RESOLVER_MERGE,
	RESOLVER_PREFER,
	RESOLVER_HOLD,
	RESOLVER_FUNCTION
} ResolverKind;

typedef struct Policy
{
	ResolverKind kind;
	char	   *resolver;		/* as it was written */
	List	   *order;			/* RESOLVER_PREFER: names of nodes (char *) */
	bool		everywhere;		/* no zone */
	uint8	   *zone;			/* else its stored name */
	size_t		zone_len;
	char	   *tab;			/* NULL: all */
	int			type;			/* of records; -1: all */
} Policy;

/* The one in force: the most specific zone first, then table, then type. NULL: none, so the latest version is served. */
extern const Policy *policy_for(const ZoneRef *zone, TableDesc *t, const uint8 *key, size_t key_len);

/* Reads them again: whoever is woken by the commit of a policy may be quicker than the news of it. */
extern void policies_refresh(void);

/* Which they are: another number when they have changed. */
extern uint64 policies_generation(void);

/*
 * Are they still those, and will they be until this transaction ends? For one that has made zones by them: whoever changes them has the
 * zones looked at again that he sees. Does not wait; false: perhaps not.
 */
extern bool policies_stand(uint64 generation);

/* Is it a name of a function, if of anything (store/allowance.h)? */
extern bool resolver_is_function(const char *resolver);

#endif
