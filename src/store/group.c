/*
 * group.c: see group.h.
 */
#include "postgres.h"

#include "common/hashfn.h"

#include "store/group.h"
#include "store/image.h"
#include "store/progress.h"
#include "store/relation.h"

size_t
group_prefix(const uint8 *key, size_t key_len)
{
	size_t		name_len;

	switch (key_number(key, key_len))
	{
		case TABLE_RECORDS:
			(void) key_name(key, key_len, &name_len);
			return Min(2 + name_len + 1, key_len);
		case TABLE_CRYPTOKEYS:
			return 2;
		default:
			return key_len;
	}
}

/* Is a group's prefix the whole key of its unit? */
static bool
prefix_is_unit(const uint8 *prefix, size_t len)
{
	int			table = key_number(prefix, len);

	return table != TABLE_RECORDS && table != TABLE_CRYPTOKEYS;
}

GroupUnit *
group_unit(UnitGroup *g, const uint8 *key, size_t key_len)
{
	int			at = g->n;

	while (at > 0)
	{
		const GroupUnit *u = &g->units[at - 1];
		int			c = memcmp(u->key, key, Min(u->key_len, key_len));

		if (c == 0 && u->key_len == key_len)
			return &g->units[at - 1];
		if (c < 0 || (c == 0 && u->key_len < key_len))
			break;
		at--;
	}
	if (g->n == g->cap)
	{
		g->cap = g->cap ? g->cap * 2 : 4;
		g->units = g->units ? repalloc_huge(g->units, sizeof(GroupUnit) * (size_t) g->cap)
			: palloc(sizeof(GroupUnit) * (size_t) g->cap);
	}
	memmove(&g->units[at + 1], &g->units[at], sizeof(GroupUnit) * (size_t) (g->n - at));
	g->n++;
	memset(&g->units[at], 0, sizeof(GroupUnit));
	g->units[at].key = key;
	g->units[at].key_len = key_len;
	return &g->units[at];
}

static void
group_version(const uint8 *key, size_t key_len, const Version *v, void *arg)
{
	UnitGroup  *g = arg;
	GroupUnit  *u = g->n ? &g->units[g->n - 1] : NULL;

	if (!u || u->key_len != key_len || memcmp(u->key, key, key_len) != 0)
	{
		uint8	   *copy = palloc(key_len);

		memcpy(copy, key, key_len);
		u = group_unit(g, copy, key_len);
	}
	/* at most MAX_SIBLINGS, nearly always one: room doubles */
	if (u->set.n == 0)
		u->set.v = palloc(sizeof(Version));
	else if ((u->set.n & (u->set.n - 1)) == 0)
		u->set.v = repalloc_huge(u->set.v, sizeof(Version) * (size_t) u->set.n * 2);
	u->set.v[u->set.n++] = *v;
}

UnitGroup *
group_none(const ZoneRef *zone, const uint8 *prefix, size_t prefix_len)
{
	UnitGroup  *g = palloc0(sizeof(UnitGroup));

	g->zone = zone;
	g->prefix = prefix;
	g->prefix_len = prefix_len;
	return g;
}

UnitGroup *
group_read(Store *store, Snapshot snapshot, const ZoneRef *zone, const uint8 *prefix, size_t prefix_len)
{
	UnitGroup  *g = group_none(zone, prefix, prefix_len);

	if (key_number(prefix, prefix_len) == TABLE_RECORDS && prefix_len < 3)	/* table, name, and the 0 that ends it */
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("a version's key cannot be read")));
	if (zone->number)
		version_walk(store, snapshot, zone->number, prefix, prefix_len, prefix_is_unit(prefix, prefix_len), group_version, g);
	return g;
}

UnitGroup *
group_copy(const UnitGroup *g)
{
	UnitGroup  *copy = palloc(sizeof(UnitGroup));

	*copy = *g;
	copy->cap = Max(g->n, 1);
	copy->units = palloc(sizeof(GroupUnit) * (size_t) copy->cap);
	if (g->n)
		memcpy(copy->units, g->units, sizeof(GroupUnit) * (size_t) g->n);
	return copy;
}

void
group_judge(UnitGroup *g, const Live *live, bool seen_only, Store *store, Snapshot snapshot)
{
	for (int i = 0; i < g->n; i++)
	{
		GroupUnit  *u = &g->units[i];
		VersionSet	candidates = {.v = palloc(sizeof(Version) * (size_t) (u->set.n + 1))};
		ResolveUnit r = {.zone = g->zone, .table = key_table(u->key, u->key_len), .key = u->key, .key_len = u->key_len,
		.set = &candidates};

		progress();
		memset(&u->resolved, 0, sizeof(u->resolved));
		u->rule = RULE_NONE;
		if (key_number(u->key, u->key_len) != TABLE_SERIAL)
		{
			for (int k = 0; k < u->set.n; k++)
				if ((u->set.v[k].seen || !seen_only) && version_lives(live, u->key, u->key_len, &u->set.v[k]))
					candidates.v[candidates.n++] = u->set.v[k];
			resolve(&r, &u->resolved);
		}
		u->served = u->resolved;
	}
	rules_apply(g, live, seen_only, store, snapshot);
}

bool
group_has_conflict(const UnitGroup *g, const Live *live)
{
	for (int i = 0; i < g->n; i++)
	{
		const GroupUnit *u = &g->units[i];
		int			alive = 0;

		if (u->rule != RULE_NONE)
			return true;
		if (u->set.n > 1 && key_number(u->key, u->key_len) != TABLE_SERIAL)
			for (int k = 0; k < u->set.n; k++)
				alive += version_lives(live, u->key, u->key_len, &u->set.v[k]);
		if (alive > 1)
			return true;
	}
	return false;
}

bool
group_waits(const UnitGroup *g)
{
	for (int i = 0; i < g->n; i++)
		if (versions_wait(&g->units[i].set))
			return true;
	return false;
}

uint64
served_hash(const uint8 *key, size_t key_len, const Served *served)
{
	uint64		h;

	if (!served->live)
		return 0;
	h = hash_bytes_extended(key, (int) key_len, 1);
	for (int i = 0; i < served->rows.n; i++)
		h = hash_combine64(h, hash_bytes_extended(served->rows.rows[i].data, (int) served->rows.rows[i].len, 2));
	return h ? h : 1;
}

typedef struct GroupWalk
{
	StringInfoData last;
	bool		any;
	GroupCallback fn;
	void	   *arg;
} GroupWalk;

static bool
walk_unit(int32 zone, const uint8 *key, size_t key_len, void *arg)
{
	GroupWalk  *w = arg;
	size_t		len = group_prefix(key, key_len);

	if (w->any && (size_t) w->last.len == len && memcmp(w->last.data, key, len) == 0)
		return true;
	w->any = true;
	resetStringInfo(&w->last);
	appendBinaryStringInfo(&w->last, (const char *) key, (int) len);
	return w->fn((uint8 *) w->last.data, len, w->arg);
}

void
group_walk(Store *store, Snapshot snapshot, int32 zone, const uint8 *prefix, size_t prefix_len,
		   const uint8 *after, size_t after_len, GroupCallback fn, void *arg)
{
	GroupWalk	w = {.fn = fn, .arg = arg};

	initStringInfo(&w.last);
	if (after_len)
	{
		appendBinaryStringInfo(&w.last, (const char *) after, (int) after_len);
		w.any = true;
	}
	unit_walk(store, snapshot, zone, prefix, prefix_len, after, after_len, walk_unit, &w);
	pfree(w.last.data);
}
