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

void
merge_repair(const Dot *mine, const bool *my_gone, int nmine, const Vector *my_collected,
			 const Dot *theirs, const bool *their_gone, int ntheirs, const Vector *their_collected,
			 bool *keep, bool *take)
{
	for (int i = 0; i < nmine; i++)
		keep[i] = dot_among(mine[i], theirs, ntheirs) ||
			!(my_gone[i] && vector_covers(their_collected, mine[i].origin, mine[i].stamp));
	for (int j = 0; j < ntheirs; j++)
		take[j] = !dot_among(theirs[j], mine, nmine) &&
			!(their_gone[j] && vector_covers(my_collected, theirs[j].origin, theirs[j].stamp));
}
