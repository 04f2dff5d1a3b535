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
 * The same rule is that of a zone's incarnations (live.h): they are what the two hold, and a write that removes one supersedes it.
 *
 * mine: what this node holds of the unit, under my_vector; theirs: what the sender holds, under their_vector.
 * Sets keep[i] for each of mine and take[j] for each of theirs (those held already are kept, not taken).
 */
extern void merge_rule(const Dot *mine, int nmine, const Vector *my_vector,
					   const Dot *theirs, int ntheirs, const Vector *their_vector,
					   bool *keep, bool *take);

/* What one end of a link holds of a unit when the two are united. */
typedef struct RepairSide
{
	int			n;
	const Dot  *dots;
	const bool *gone;			/* which of them are deletions */
	const Vector *vector,
			   *collected;		/* how far deletions may have been collected */
} RepairSide;

/*
 * The same for a unit that differs at the two ends though neither lacked anything by its vector when they were compared: one of
 * the stores was damaged, or a deletion was collected while a write that had not seen it was on its way. Both sides' versions are
 * kept, except that a deletion goes that the other side may have collected. A unit that was written here since, as their vector
 * tells, is left to merge_rule(): what its author had seen must not come back; if it still differs, the next comparison finds it. Then it returns
 * false.
 */
extern bool merge_repair(const RepairSide *mine, const RepairSide *theirs, bool *keep, bool *take);

#endif
