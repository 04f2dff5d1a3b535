/*
 * merge_rule.c: see merge_rule.h. Pure: no server, no input or output.
 *
 * A version that one side holds and the other side's vector covers without holding it has been superseded
 * there; every other version stays. That makes the rule commutative, associative and idempotent.
 */
#include "store/merge_rule.h"

static bool
dot_among(Dot d, const Dot *set, int n)
{
	for (int i = 0; i < n; i++)
		if (set[i].origin == d.origin && set[i].stamp == d.stamp)
			return true;
	return false;
}

void
merge_rule(const Dot *mine, int nmine, const Vector *my_vector,
		   const Dot *theirs, int ntheirs, const Vector *their_vector,
		   bool *keep, bool *take)
{
	for (int i = 0; i < nmine; i++)
		keep[i] = dot_among(mine[i], theirs, ntheirs) ||
			!vector_covers(their_vector, mine[i].origin, mine[i].stamp);
	for (int j = 0; j < ntheirs; j++)
		take[j] = !dot_among(theirs[j], mine, nmine) &&
			!vector_covers(my_vector, theirs[j].origin, theirs[j].stamp);
}

/* Has this end something of the unit that the other had not when it told what it holds? */
static bool
written_since(const RepairSide *mine, const RepairSide *theirs)
{
	for (int i = 0; i < mine->n; i++)
		if (!vector_covers(theirs->vector, mine->dots[i].origin, mine->dots[i].stamp))
			return true;
	return false;
}

static bool
is_collected(const RepairSide *side, int i, const RepairSide *other)
{
	return side->gone[i] && vector_covers(other->collected, side->dots[i].origin, side->dots[i].stamp);
}

bool
merge_repair(const RepairSide *mine, const RepairSide *theirs, bool *keep, bool *take)
{
	if (written_since(mine, theirs))
	{
		merge_rule(mine->dots, mine->n, mine->vector, theirs->dots, theirs->n, theirs->vector, keep, take);
		return false;
	}
	for (int i = 0; i < mine->n; i++)
		keep[i] = dot_among(mine->dots[i], theirs->dots, theirs->n) || !is_collected(mine, i, theirs);
	for (int j = 0; j < theirs->n; j++)
		take[j] = !dot_among(theirs->dots[j], mine->dots, mine->n) && !is_collected(theirs, j, mine);
	return true;
}
