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

/*
 * The same for a unit that differs at the two ends though neither lacks anything by its vector: one of the stores was damaged,
 * or a deletion was collected while a write that had not seen it was on its way. Both sides' versions are kept, except that a
 * deletion goes that the other side may have collected: gone[] says which are deletions, *_collected how far that went.
 */
extern void merge_repair(const Dot *mine, const bool *my_gone, int nmine, const Vector *my_collected,
						 const Dot *theirs, const bool *their_gone, int ntheirs, const Vector *their_collected,
						 bool *keep, bool *take);

#endif
