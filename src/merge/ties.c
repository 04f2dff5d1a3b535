/*
 * ties.c: see ties.h. Sets of zones that are united (union-find, with paths halved); the first zone of each dot is kept.
 */
#include "postgres.h"

#include "dnsrepl.h"
#include "merge/ties.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#define MAX_DOTS 1000000		/* 40 MB; more: all zones of the delta are tied */

struct Ties
{
	int			nzones;
	int		   *above;			/* of each zone: another of its set, or itself */
	HTAB	   *first;			/* by dot; NULL: there are too many, all are tied */
};

typedef struct DotZone
{
	Dot			dot;
	int			zone;
} DotZone;

Ties *
ties_begin(int nzones)
{
	HASHCTL		ctl = {.keysize = sizeof(Dot), .entrysize = sizeof(DotZone), .hcxt = CurrentMemoryContext};
	Ties	   *t = palloc(sizeof(Ties));

	t->nzones = nzones;
	t->above = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * (size_t) (nzones + 1));
	for (int i = 0; i < nzones; i++)
		t->above[i] = i;
	t->first = hash_create("dnsrepl zones by dot", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return t;
}

int
ties_root(Ties *t, int zone)
{
	while (t->above[zone] != zone)
		zone = t->above[zone] = t->above[t->above[zone]];
	return zone;
}

void
ties_join(Ties *t, int a, int b)
{
	int			x = ties_root(t, a),
				y = ties_root(t, b);

	t->above[Max(x, y)] = Min(x, y);
}

void
ties_dot(Ties *t, int zone, Dot dot)
{
	Dot			key;
	DotZone    *d;
	bool		found;

	if (!t->first)
		return;
	if (hash_get_num_entries(t->first) >= MAX_DOTS)
	{
		hash_destroy(t->first);
		t->first = NULL;
		for (int i = 1; i < t->nzones; i++)
			ties_join(t, 0, i);
		return;
	}
	memset(&key, 0, sizeof(key));	/* it has a gap, perhaps */
	key.origin = dot.origin;
	key.stamp = dot.stamp;
	d = hash_search(t->first, &key, HASH_ENTER, &found);
	if (found)
		ties_join(t, d->zone, zone);
	else
		d->zone = zone;
}
