/*
 * guest_life.c: see guest_life.h. In the shared memory of the node (clock.h), so that links at rest write nothing.
 *
 * A server that has restarted does not speak in its former life any more; one word that was on its way when it ended may be
 * heard later than its successor, after a broken line even much later. It waits for each answer, so there is no second one.
 */
#include "postgres.h"

#include "store/clock.h"
#include "store/guest_life.h"

#define ON_ITS_WAY 2000			/* ms */
#define LONG_AGO (3600 * 1000)	/* ms: it does not speak any more */

/* The entry of a life, made if there is none, in place of the one that was heard the longest ago. The lock is held. */
static GuestLife *
guest_entry(NodeSlot *slot, const pg_uuid_t *node, const pg_uuid_t *life, TimestampTz now)
{
	GuestLife  *oldest = &slot->guests[0];

	for (int i = 0; i < MAX_GUEST_LIVES; i++)
	{
		GuestLife  *g = &slot->guests[i];

		if (g->heard && memcmp(&g->life, life, UUID_LEN) == 0 && memcmp(&g->node, node, UUID_LEN) == 0)
			return g;
		if (g->heard < oldest->heard)
			oldest = g;
	}
	oldest->node = *node;
	oldest->life = *life;
	oldest->first = now;
	oldest->before = oldest->heard = 0;
	return oldest;
}

bool
guest_life_speaks(const pg_uuid_t *node, const pg_uuid_t *life, TimestampTz began)
{
	NodeSlot   *slot = clock_slot();
	TimestampTz now = GetCurrentTimestamp();
	GuestLife  *me;
	bool		copy = false;

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	me = guest_entry(slot, node, life, now);
	me->began = began;
	for (int i = 0; i < MAX_GUEST_LIVES; i++)
	{
		const GuestLife *g = &slot->guests[i];

		if (g != me && g->heard && memcmp(&g->node, node, UUID_LEN) == 0 &&
			(g->began < began || (g->began == began && memcmp(&g->life, life, UUID_LEN) < 0)) &&
			TimestampDifferenceExceeds(me->first, g->before, ON_ITS_WAY) && !TimestampDifferenceExceeds(g->heard, now, LONG_AGO))
			copy = true;
	}
	me->before = me->heard;
	me->heard = now;
	LWLockRelease(slot->lock);
	return !copy;
}
