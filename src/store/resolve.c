/*
 * resolve.c: see resolve.h.
 */
#include "postgres.h"

#include "store/origin.h"
#include "store/resolve.h"

/* By stamp, then by origin: the id, since numbers differ between nodes. */
static bool
later(Dot a, Dot b)
{
	if (a.stamp != b.stamp)
		return a.stamp > b.stamp;
	return memcmp(&origin_info(a.origin)->id, &origin_info(b.origin)->id, UUID_LEN) > 0;
}

const Version *
resolve(const VersionSet *set, bool seen_only)
{
	const Version *best = NULL;

	for (int i = 0; i < set->n; i++)
		if ((set->v[i].seen || !seen_only) && (!best || later(set->v[i].dot, best->dot)))
			best = &set->v[i];
	return best;
}
