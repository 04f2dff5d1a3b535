/*
 * resolve.h: what is served of a unit. A pure function of its versions and of the policy in force, so nodes that hold the
 * same versions serve the same.
 */
#ifndef DNSREPL_RESOLVE_H
#define DNSREPL_RESOLVE_H

#include "store/choice.h"
#include "store/image.h"
#include "store/relation.h"
#include "store/version.h"

typedef struct ResolveUnit
{
	const ZoneRef *zone;
	TableDesc  *table;			/* NULL: not replicated here */
	const uint8 *key;
	size_t		key_len;
	const VersionSet *set;		/* the candidates: dead versions, and perhaps those not seen, are left out */
} ResolveUnit;

typedef struct Served
{
	bool		live;			/* false: nothing is */
	int			ncolumns;
	RowSet		rows;			/* sorted */
	const Version *version;		/* the candidate whose image it is; NULL: it is made of several */
	Dot			rank;			/* the largest dot among the candidates that are no deletion: where rules let the later win */
	const char *resolver;		/* which chose */
} Served;

extern void resolve(const ResolveUnit *u, Served *served);

/*
 * What a new version of a unit has to carry for the resolver in force: flags, and births (`merge`) or line (`hold`). u's set:
 * the versions that it supersedes; dot: its own.
 */
extern void resolve_carry(const ResolveUnit *u, Dot dot, ImageParts *parts);

/* By stamp, then by origin: the id, since numbers differ between nodes. */
extern bool dot_later(Dot a, Dot b);
extern Rank dot_rank(Dot dot);

/*
 * A policy's function is called for a look at what is there, too: how often it has failed in this process for a unit for which it did not when
 * that was projected, and how often it has not for one for which it did then.
 */
typedef struct ResolverLooks
{
	uint64		fails,
				works;
} ResolverLooks;

extern ResolverLooks resolver_looks;

/* This transaction projects: what functions fail at is noted. */
extern void resolver_projects(void);

#endif
