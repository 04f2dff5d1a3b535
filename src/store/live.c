/*
 * live.c: see live.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "store/image.h"
#include "store/live.h"
#include "store/relation.h"
#include "store/resolve.h"

static void
live_add(Live *live, uint64 incarnation)
{
	int			at = live->n;

	for (int i = 0; i < live->n; i++)
		if (live->incarnations[i] == incarnation)
			return;
	if (live->n == MAX_INCARNATIONS)
	{
		/* deterministic: the largest are kept */
		if (incarnation < live->incarnations[0])
			return;
		memmove(live->incarnations, live->incarnations + 1, sizeof(uint64) * (MAX_INCARNATIONS - 1));
		at = --live->n;
	}
	while (at > 0 && live->incarnations[at - 1] > incarnation)
	{
		live->incarnations[at] = live->incarnations[at - 1];
		at--;
	}
	live->incarnations[at] = incarnation;
	live->n++;
}

Live
live_of(const ZoneRef *zone, const VersionSet *set)
{
	Live		live = {.all = zone->table != 0};
	uint8		key[DOMAINS_KEY_SIZE] = {0, TABLE_DOMAINS};
	ResolveUnit u = {.zone = zone, .table = key_table(key, sizeof(key)), .key = key, .key_len = sizeof(key), .set = set};
	Served		served;

	if (live.all)
		return live;
	resolve(&u, &served);
	if (!served.live)
		return live;
	for (int i = 0; i < set->n; i++)
	{
		ImageHead	head;

		if (!image_head(set->v[i].image, set->v[i].image_len, &head) || image_is_deletion(&head))
			continue;
		for (int k = 0; k < head.nincarnations; k++)
			live_add(&live, image_incarnation(&head, k));
	}
	return live;
}

Live
live_read(Store *store, Snapshot snapshot, const ZoneRef *zone)
{
	uint8		key[DOMAINS_KEY_SIZE] = {0, TABLE_DOMAINS};
	VersionSet	set = {0};

	if (!zone->table && zone->number)
		set = version_read(store, snapshot, zone->number, key, sizeof(key));
	return live_of(zone, &set);
}

Live
live_from_array(struct ArrayType *array)
{
	Live		live = {0};
	Datum	   *values;
	int			n;

	deconstruct_array(array, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values, NULL, &n);
	live.n = Min(n, MAX_INCARNATIONS);
	for (int i = 0; i < live.n; i++)
		live.incarnations[i] = (uint64) DatumGetInt64(values[i]);
	return live;
}

Live
live_shown(const ZoneRef *zone)
{
	Live		live = zone->state.live;

	live.all = zone->table != 0;
	return live;
}

Live
live_left(Store *store, const ZoneRef *zone)
{
	const ZoneTally *t = store_tally(store, zone->number);

	return t->live_set ? t->live : live_shown(zone);
}

bool
live_same(const Live *a, const Live *b)
{
	return a->all == b->all && a->n == b->n &&
		memcmp(a->incarnations, b->incarnations, sizeof(uint64) * (size_t) a->n) == 0;
}

bool
version_lives(const Live *live, const uint8 *key, size_t key_len, const Version *v)
{
	ImageHead	head;
	int			table = key_number(key, key_len);

	if (live->all || table == TABLE_DOMAINS || table == TABLE_SERIAL)
		return true;
	if (live->n == 0 || !image_head(v->image, v->image_len, &head))
		return false;
	for (int k = 0; k < head.nincarnations; k++)
		for (int i = 0; i < live->n; i++)
			if (live->incarnations[i] == image_incarnation(&head, k))
				return true;
	return false;
}
