/*
 * zone_sum.c: see zone_sum.h. The caller holds the zone's row. Memory: one group.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "store/group.h"
#include "store/progress.h"
#include "store/zone_sum.h"

typedef struct ZoneSum
{
	Store	   *store;
	const ZoneRef *zone;
	Live		live;
	MemoryContext scratch;
	uint64		served,
				others;
} ZoneSum;

static bool
sum_group(const uint8 *prefix, size_t prefix_len, void *arg)
{
	ZoneSum    *s = arg;
	MemoryContext old = MemoryContextSwitchTo(s->scratch);
	UnitGroup  *g = group_read(s->store, GetActiveSnapshot(), s->zone, prefix, prefix_len);

	progress();
	group_judge(g, &s->live, true, s->store, GetActiveSnapshot());
	for (int i = 0; i < g->n; i++)
	{
		uint64		hash = served_hash(g->units[i].key, g->units[i].key_len, &g->units[i].served);

		if (key_number(g->units[i].key, g->units[i].key_len) == TABLE_RECORDS)
			s->served += hash;
		else
			s->others += hash;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(s->scratch);
	return true;
}

void
zone_sum_anew(Store *store, const ZoneRef *zone)
{
	ZoneSum		s = {.store = store, .zone = zone, .live = live_left(store, zone)};
	ZoneTally  *t;

	s.scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl sum of a zone", ALLOCSET_DEFAULT_SIZES);
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	group_walk(store, GetActiveSnapshot(), zone->number, (const uint8 *) "", 0, NULL, 0, sum_group, &s);
	PopActiveSnapshot();
	MemoryContextDelete(s.scratch);
	t = store_tally(store, zone->number);
	t->served = s.served - zone->state.served;
	t->others = s.others - zone->state.others;
	t->inexact = false;
}
