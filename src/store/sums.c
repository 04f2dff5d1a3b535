/*
 * sums.c: see sums.h.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "store/deferred.h"
#include "store/live.h"
#include "store/schema.h"
#include "store/sums.h"

static void
held_add(const uint8 *key, size_t key_len, const Version *v, void *arg)
{
	*(uint64 *) arg += version_hash(key, key_len, v);
	pfree(unconstify(uint8 *, v->image));
}

bool
zone_held_right(Store *store, Snapshot snapshot, const ZoneRef *zone)
{
	uint64		held = live_hash(&zone->state.stored);

	version_walk(store, snapshot, zone->number, (const uint8 *) "", 0, false, held_add, &held);
	return held == zone->state.held;
}

int32
store_damaged(Snapshot snapshot)
{
	Store	   *store = store_open(false);
	int			n;
	ZoneRef    *zones = zone_all_at(snapshot, &n);
	int32		damaged = 0;

	for (int i = 0; i < n && !damaged; i++)
		if (!zone_held_right(store, snapshot, &zones[i]))
			damaged = zones[i].number;
	store_close(store);
	return damaged;
}

uint64
zone_sum(const ZoneRef *z)
{
	uint64		h;

	if (z->state.served == 0 && z->state.others == 0)
		return 0;
	h = z->table ? hash_bytes_extended((const unsigned char *) &z->table, sizeof(z->table), 7)
		: hash_bytes_extended(z->name, (int) z->name_len, 8);
	return hash_combine64(hash_combine64(h, z->state.served), z->state.others);
}

bool
sums_total(Snapshot snapshot, uint64 *total)
{
	int			n;
	ZoneRef    *zones;

	*total = 0;
	if (schema_table_any("parked", snapshot) || deferred_any(snapshot))
		return false;
	zones = zone_all_at(snapshot, &n);
	for (int i = 0; i < n; i++)
		*total += zone_sum(&zones[i]);
	return true;
}
