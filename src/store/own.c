/*
 * own.c: see own.h.
 *
 * All writes of one transaction share one stamp. It is larger than all that the author saw: it is drawn after the locks
 * on the rows of his zones, and the clock has taken notice of every stamp that was merged.
 */
#include "postgres.h"

#include "access/xact.h"

#include "store/clock.h"
#include "store/origin.h"
#include "store/own.h"
#include "store/private_lock.h"

static Dot	my_dot = {0, 0};
static int64 my_low;

Dot
own_dot(void)
{
	if (!my_dot.stamp)
	{
		(void) private_lock(LOCK_LIFE, 0, ShareLock, false);
		clock_mend();
		do
		{
			my_dot.origin = origin_current();
			my_dot.stamp = clock_draw(my_dot.origin, origin_made_here(), &my_low);
		} while (!my_dot.stamp);
	}
	clock_store_changed();
	return my_dot;
}

bool
own_dot_drawn(void)
{
	return my_dot.stamp != 0;
}

void
own_dot_forget(void)
{
	if (!my_dot.stamp)
		return;
	my_dot = (Dot) {0, 0};
	clock_undraw();
	origin_forget();
}

/* Own stamps beyond `low` that the new version hides: after a crash the vector is read from what is there. */
static void
over_add(Version *new, const Version *old)
{
	StampRange *over;

	if (old->dot.origin != new->dot.origin || old->dot.stamp <= new->low || old->dot.stamp == new->dot.stamp)
		return;
	over = palloc(sizeof(StampRange) * (size_t) (new->nover + old->nover + 1));
	if (new->nover)
		memcpy(over, new->over, sizeof(StampRange) * (size_t) new->nover);
	for (int i = 0; i < old->nover; i++)
		if (old->over[i].first > new->low)
			over[new->nover++] = old->over[i];
	over[new->nover++] = (StampRange) {old->dot.stamp, old->dot.stamp};
	new->over = over;
}

/* A second version of a unit in one transaction: what the first superseded stays superseded. */
static void
over_keep(Version *new, const Version *old)
{
	StampRange *over;

	if (old->dot.origin != new->dot.origin || old->dot.stamp != new->dot.stamp || old->nover == 0)
		return;
	over = palloc(sizeof(StampRange) * (size_t) (new->nover + old->nover));
	if (new->nover)
		memcpy(over, new->over, sizeof(StampRange) * (size_t) new->nover);
	memcpy(over + new->nover, old->over, sizeof(StampRange) * (size_t) old->nover);
	new->nover += old->nover;
	new->over = over;
}

Version
own_write(Store *store, int32 zone, const uint8 *key, size_t key_len, const VersionSet *set, const bool *over,
		  const uint8 *image, size_t image_len)
{
	Version		new = {.seen = true, .image = image, .image_len = image_len};
	const Version *first = NULL;

	new.dot = own_dot();
	new.low = my_low;
	for (int i = 0; i < set->n; i++)
		if (over ? over[i] : set->v[i].seen)
		{
			over_add(&new, &set->v[i]);
			over_keep(&new, &set->v[i]);
			if (first)
				version_delete(store, zone, key, key_len, &set->v[i]);
			else
				first = &set->v[i];
		}
	version_replace(store, zone, key, key_len, first, &new);
	return new;
}

static void
own_xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		my_dot = (Dot) {0, 0};
}

void
own_init(void)
{
	RegisterXactCallback(own_xact_callback, NULL);
}
