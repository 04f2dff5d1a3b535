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

#endif
