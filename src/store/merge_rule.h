/*
 * merge_rule.h: which versions of one unit a node holds after it has taken a peer's (DESIGN 5).
 */
#ifndef DNSREPL_MERGE_RULE_H
#define DNSREPL_MERGE_RULE_H

#include "store/vector.h"

typedef struct Dot
{
	int32_t		origin;			/* local number of the origin */
	int64_t		stamp;
} Dot;

/*
 * mine: what this node holds of the unit, under my_vector; theirs: what the sender holds, under their_vector.
 * Sets keep[i] for each of mine and take[j] for each of theirs (those held already are kept, not taken).
 */
extern void merge_rule(const Dot *mine, int nmine, const Vector *my_vector,
					   const Dot *theirs, int ntheirs, const Vector *their_vector,
					   bool *keep, bool *take);

#endif
