/*
 * resolve.c: see resolve.h.
 */
#include "postgres.h"

#include "store/image.h"
#include "store/origin.h"
#include "store/resolve.h"

bool
dot_later(Dot a, Dot b)
{
	if (a.stamp != b.stamp)
		return a.stamp > b.stamp;
	return memcmp(&origin_info(a.origin)->id, &origin_info(b.origin)->id, UUID_LEN) > 0;
}

static const Version *
latest(const VersionSet *set)
{
	const Version *best = NULL;

	for (int i = 0; i < set->n; i++)
		if (!best || dot_later(set->v[i].dot, best->dot))
			best = &set->v[i];
	return best;
}

void
resolve(const ResolveUnit *u, Served *served)
{
	const Version *best = latest(u->set);
	Image		image;

	memset(served, 0, sizeof(*served));
	served->resolver = "latest";
	for (int i = 0; i < u->set->n; i++)
	{
		ImageHead	head;
		const Version *v = &u->set->v[i];

		if (image_head(v->image, v->image_len, &head) && !image_is_deletion(&head) &&
			(!served->rank.stamp || dot_later(v->dot, served->rank)))
			served->rank = v->dot;
	}
	if (!best)
		return;
	if (!image_decode(best->image, best->image_len, true, &image))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("a version's image cannot be read")));
	served->version = best;
	if (image_is_deletion(&image.head))
		return;
	served->live = true;
	served->ncolumns = image.head.ncolumns;
	served->rows = image.rows;
}
