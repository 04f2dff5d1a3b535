/*
 * live.c: see live.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/array.h"

#include "store/image.h"
#include "store/live.h"
#include "store/merge_rule.h"
#include "store/origin.h"
#include "store/relation.h"

static int
incarnation_order(Dot a, Dot b)
{
	if (a.stamp != b.stamp)
		return a.stamp < b.stamp ? -1 : 1;
	return (a.origin > b.origin) - (a.origin < b.origin);
}

void
live_add(Live *live, const ZoneRef *zone, Dot incarnation)
{
	int			at = live->n;

	while (at > 0 && incarnation_order(live->incarnations[at - 1], incarnation) > 0)
		at--;
	if (at > 0 && incarnation_order(live->incarnations[at - 1], incarnation) == 0)
		return;
	if (live->n == MAX_INCARNATIONS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a zone would have more incarnations than %d: \"%s\"", MAX_INCARNATIONS, zone_text(zone->name, zone->name_len)),
				 errdetail("So many nodes have made it, none of which knew of the others."),
				 errhint("Delete the zone at one of these nodes.")));
	memmove(&live->incarnations[at + 1], &live->incarnations[at], sizeof(Dot) * (size_t) (live->n - at));
	live->incarnations[at] = incarnation;
	live->n++;
}

static bool
live_has(const Live *live, Dot incarnation)
{
	for (int i = 0; i < live->n; i++)
		if (incarnation_order(live->incarnations[i], incarnation) == 0)
			return true;
	return false;
}

void
live_remove(Live *live, const Live *gone)
{
	int			left = 0;

	for (int i = 0; i < live->n; i++)
		if (!live_has(gone, live->incarnations[i]))
			live->incarnations[left++] = live->incarnations[i];
	live->n = left;
}

Live
live_merge(const ZoneRef *zone, const Live *mine, const Vector *my_vector, const Live *theirs, const Vector *their_vector, bool united)
{
	bool		keep[MAX_INCARNATIONS],
				take[MAX_INCARNATIONS];
	Live		live = {.all = mine->all};

	merge_rule(mine->incarnations, mine->n, my_vector, theirs->incarnations, theirs->n, their_vector, keep, take);
	for (int i = 0; i < mine->n; i++)
		if (keep[i] || united)
			live_add(&live, zone, mine->incarnations[i]);
	for (int i = 0; i < theirs->n; i++)
		if (take[i] || united)
			live_add(&live, zone, theirs->incarnations[i]);
	return live;
}

uint64
live_hash(const Live *live)
{
	uint64		sum = 0;

	for (int i = 0; i < live->n; i++)
		sum += hash_combine64(hash_bytes_extended((const unsigned char *) &live->incarnations[i].stamp, sizeof(int64), 9),
							  (uint64) live->incarnations[i].origin);
	return sum;
}

Live
live_stored(const Store *store, const ZoneRef *zone)
{
	const ZoneTally *t = store_tallied(store, zone->number);
	Live		live = t && t->stored_set ? t->stored : zone->state.stored;

	live.all = zone->table != 0;
	return live;
}

void
live_store(Store *store, const ZoneRef *zone, const Live *live)
{
	Live		was = live_stored(store, zone);
	ZoneTally  *t = store_tally(store, zone->number);

	t->held += live_hash(live) - live_hash(&was);
	t->stored = *live;
	t->stored_set = true;
}

Live
live_served(const ZoneRef *zone, const Live *stored, const VersionSet *domains)
{
	static const uint8 key[DOMAINS_KEY_SIZE] = {0, TABLE_DOMAINS};
	Live		live = *stored;
	bool		row = false;

	for (int i = 0; i < domains->n && !row; i++)
		row = version_lives(stored, key, sizeof(key), &domains->v[i]);
	live.all = zone->table != 0;
	if (!row)
		live.n = 0;
	return live;
}

Live
live_of(const Store *store, const ZoneRef *zone, const VersionSet *domains)
{
	Live		stored = live_stored(store, zone),
				shown = live_shown(zone);

	/* Not even a deletion of what lives, and the tables show it: a damaged store has lost the versions. */
	if (domains->n == 0 && live_same(&stored, &shown))
		return stored;
	return live_served(zone, &stored, domains);
}

Live
live_read(Store *store, Snapshot snapshot, const ZoneRef *zone)
{
	static const uint8 key[DOMAINS_KEY_SIZE] = {0, TABLE_DOMAINS};
	VersionSet	set = {0};

	if (!zone->table && zone->number)
		set = version_read(store, snapshot, zone->number, key, sizeof(key));
	return live_of(store, zone, &set);
}

Live
live_from_array(struct ArrayType *array)
{
	Live		live = {0};
	Datum	   *values;
	int			n;

	deconstruct_array(array, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values, NULL, &n);
	live.n = Min(n / 2, MAX_INCARNATIONS);
	for (int i = 0; i < live.n; i++)
		live.incarnations[i] = (Dot) {.origin = (int32) DatumGetInt64(values[2 * i]), .stamp = DatumGetInt64(values[2 * i + 1])};
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
	const ZoneTally *t = store_tallied(store, zone->number);

	return t && t->live_set ? t->live : live_shown(zone);
}

bool
live_same(const Live *a, const Live *b)
{
	if (a->all != b->all || a->n != b->n)
		return false;
	for (int i = 0; i < a->n; i++)
		if (incarnation_order(a->incarnations[i], b->incarnations[i]) != 0)
			return false;
	return true;
}

static bool
is_of(Birth birth, Dot incarnation)
{
	return birth.stamp == (uint64) incarnation.stamp && origin_known(incarnation.origin) &&
		birth_order(birth, dot_birth(incarnation)) == 0;
}

bool
version_lives(const Live *live, const uint8 *key, size_t key_len, const Version *v)
{
	ImageHead	head;
	int			table = key_number(key, key_len);

	if (live->all || table == TABLE_SERIAL)
		return true;
	if (live->n == 0 || !image_head(v->image, v->image_len, &head) || (table == TABLE_DOMAINS && image_is_deletion(&head)))
		return false;
	for (int k = 0; k < head.nincarnations; k++)
		for (int i = 0; i < live->n; i++)
			if (is_of(image_incarnation(&head, k), live->incarnations[i]))
				return true;
	return false;
}
