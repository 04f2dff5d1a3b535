/*
 * resolver.h: what the resolvers share, for resolve*.c alone.
 */
#ifndef DNSREPL_RESOLVER_H
#define DNSREPL_RESOLVER_H

#include "store/policy.h"
#include "store/resolve.h"

typedef struct Candidate
{
	const Version *version;
	Image		image;
} Candidate;

/* resolve_merge.c. False: not for this unit. */
extern bool serve_merged(const ResolveUnit *u, const Candidate *c, int n, Served *served);
extern void merge_carry(const ResolveUnit *u, const Candidate *c, int n, Dot dot, ImageParts *parts);

/* resolve_function.c. False: it failed, which dnsrepl.resolver_problem says. */
extern bool serve_function(const ResolveUnit *u, const Policy *policy, Served *served);

#endif
