/*
 * choice.h: which of several versions is served: resolvers `latest`, `prefer` and `hold`, and who is later where rules let the
 * later win. Pure: a function of the set of claims, whatever their order.
 */
#ifndef DNSREPL_CHOICE_H
#define DNSREPL_CHOICE_H

#include "store/birth_set.h"

#define ORIGIN_ID_LEN 16

/* By stamp, then by origin: the id, since numbers differ between nodes. */
typedef struct Rank
{
	int64_t		stamp;
	const uint8_t *origin;		/* ORIGIN_ID_LEN octets */
} Rank;

/* A version, as far as the choice depends on it. */
typedef struct Claim
{
	Rank		rank;
	const char *node;			/* its author's */
	Birth		line;			/* where the chain of edits began that it belongs to */
} Claim;

extern bool rank_later(Rank a, Rank b);

/* All return the index of the chosen one; n > 0. */
extern int	choose_latest(const Claim *c, int n);
extern int	choose_preferred(const Claim *c, int n, const char *const *order, int norder);
extern int	choose_held(const Claim *c, int n);

/* The line of a write that supersedes these claims: one's own edit of one's own goes on with its line. */
extern Birth line_carry(const Claim *superseded, int n, const char *node, Birth own);

/* One of the units of a name: is it later hidden? */
typedef struct NameUnit
{
	uint16_t	type;
	bool		present;		/* something of it is served that is not disabled */
	Rank		rank;
	bool		hidden;			/* set by name_cname_alone() */
} NameUnit;

/*
 * A CNAME is alone at its name (RFC 1034 3.6.2), records of DNSSEC apart (RFC 4035 2.5): whichever has the latest version
 * stays. At the apex it never does, since the zone's SOA cannot go.
 */
extern void name_cname_alone(NameUnit *u, int n, bool apex);

#endif
