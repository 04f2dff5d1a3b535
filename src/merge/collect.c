/*
 * collect.c: see collect.h.
 *
 * A deletion may go when every member's vector covers it, and this node has merged all that those vectors cover: then whatever
 * was written without having seen it is here, and beside it; the unit would have a version that is no deletion. What is known
 * of members' vectors is only what this node covers too (store/peer_vector.h). Its age is that of its arrival here: by
 * dnsrepl.vector_log, what this node held when. Stamps say nothing of age: clocks are wrong.
 *
 * A DNS server counts like a member, by what it has been told: what has gone from the store is somebody else's for whoever compares it
 * with what the server has (ship/compare_server.c). One that has not been told anything for dnsrepl.evict_after is not waited for:
 * as for members, time in which this node was down does not count.
 *
 * A version of an incarnation of its zone that lives no more is dead, and goes in the same way once the zone's own unit is
 * stable, that unit's own too: an incarnation that is gone comes back with none of them (store/live.h).
 *
 * How far it has gone is remembered by origin (collected, store/origin.h): a node that lacks something below is compared in
 * full, since it may hold what a deletion that is not there any more had replaced.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "dnsrepl.h"
#include "merge/collect.h"
#include "store/delta.h"
#include "store/group.h"
#include "store/image.h"
#include "store/live.h"
#include "store/origin.h"
#include "store/relation.h"
#include "store/schema.h"
#include "store/transaction_zones.h"

PG_FUNCTION_INFO_V1(dnsrepl_forget_transaction_zones);

/* The vectors that a query gives, met; NULL if one of them is not known, or (with `must`) there is none. */
static Vector *
vectors_meet(Vector *stable, const char *sql, bool must)
{
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(setting_tombstone_retention)};

	SPI_execute_with_args(sql, 1, types, values, NULL, true, 0);
	if (must && SPI_processed == 0)
		return NULL;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		d = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);
		Vector	   *v = isnull ? NULL : vector_from_datum(d);

		if (!v)
			return NULL;
		stable = stable ? vector_meet(stable, v) : v;
	}
	return stable;
}

static Vector *
collect_vector(bool long_ago, bool members)
{
	OwnerScope	scope = owner_enter();
	MemoryContext caller = CurrentMemoryContext;
	Vector	   *v = NULL;

	SPI_connect();
	if (long_ago)
		v = vectors_meet(NULL, "SELECT l.vector FROM dnsrepl.vector_log l, dnsrepl.node n"
					 " WHERE l.at <= now() - make_interval(secs => $1) AND n.damaged IS NULL ORDER BY l.at DESC LIMIT 1", true);
	if (members && (v || !long_ago))
		/* where there are more members than there can be, some were made up: who was never heard of does not count */
		v = vectors_meet(v, "SELECT p.vector FROM dnsrepl.roll r LEFT JOIN dnsrepl.peer_vector p USING (node)"
						 " WHERE NOT r.evicted AND r.node <> (SELECT id FROM dnsrepl.node) AND $1 >= 0"
						 " AND (p.node IS NOT NULL OR (SELECT count(*) FROM dnsrepl.roll) <= " CppAsString2(MAX_MEMBERS) ")", false);
	if (v && members)
		v = vectors_meet(v, "SELECT t.vector FROM dnsrepl.server s LEFT JOIN dnsrepl.server_state t ON t.server = s.name"
						 " WHERE $1 >= 0 AND (dnsrepl.up_for(coalesce(t.written, s.added)) < current_setting('dnsrepl.evict_after')::interval"
						 " OR current_setting('dnsrepl.evict_after')::interval = '0')", false);
	if (v)
	{
		MemoryContext old = MemoryContextSwitchTo(caller);

		v = vector_copy(v);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	owner_leave(scope);
	return v;
}

Vector *
collect_old(void)
{
	return collect_vector(true, false);
}

Vector *
collect_stable(void)
{
	return collect_vector(true, true);
}

Vector *
collect_members(void)
{
	return collect_vector(false, true);
}

/* forget_transaction_zones(): what no member lacks, and what is too much */
Datum
dnsrepl_forget_transaction_zones(PG_FUNCTION_ARGS)
{
	transaction_zones_forget(collect_members());
	PG_RETURN_VOID();
}

/* ---------- one zone ---------- */

typedef struct Collect
{
	Store	   *store;
	const ZoneRef *zone;
	const Vector *stable;
	Vector	   *collected;		/* NULL: only look whether there is something */
	Live		live;			/* by the store */
	bool		settled;		/* the zone's own unit is stable: what is dead stays so */
	bool	   *missed;
	MemoryContext context,
				scratch;
	int64		n,
				most;
} Collect;

static bool
versions_stable(const Collect *c, const VersionSet *set)
{
	bool		seen = true;

	for (int i = 0; i < set->n; i++)
	{
		if (!vector_covers(c->stable, set->v[i].dot.origin, set->v[i].dot.stamp))
			return false;
		seen &= set->v[i].seen;
	}
	*c->missed |= !seen;
	return seen;
}

static void
version_collect(Collect *c, const uint8 *key, size_t key_len, const Version *v)
{
	MemoryContext old;

	c->n++;
	if (!c->collected)
		return;
	version_delete(c->store, c->zone->number, key, key_len, v);
	old = MemoryContextSwitchTo(c->context);
	vector_add(c->collected, v->dot.origin, v->dot.stamp, NULL, 0);
	MemoryContextSwitchTo(old);
}

static bool
all_deletions(const VersionSet *set)
{
	for (int i = 0; i < set->n; i++)
	{
		ImageHead	head;

		if (!image_head(set->v[i].image, set->v[i].image_len, &head) || !image_is_deletion(&head))
			return false;
	}
	return true;
}

/* Is it deleted, everywhere, and not served all the same? */
static bool
key_gone(const Collect *c, const GroupUnit *u)
{
	return !u->served.live && all_deletions(&u->set) && versions_stable(c, &u->set);
}

/* Are the keys of a zone served the same without those that are gone, `keep` apart? */
static bool
keys_served_same(const Collect *c, const UnitGroup *g, const GroupUnit *keep)
{
	UnitGroup  *left = group_copy(g);

	left->n = 0;
	for (int i = 0; i < g->n; i++)
		if (&g->units[i] == keep || !key_gone(c, &g->units[i]))
			left->units[left->n++] = g->units[i];
	group_judge(left, &c->live, false, c->store, GetActiveSnapshot());
	for (int i = 0, k = 0; i < g->n && k < left->n; i++)
	{
		const GroupUnit *u = &g->units[i];

		if (left->units[k].key != u->key)
			continue;
		if (served_hash(u->key, u->key_len, &left->units[k].served) != served_hash(u->key, u->key_len, &u->served))
			return false;
		k++;
	}
	return true;
}

/*
 * The last key-signing key may be served although it was deleted, and one that is not active as if it were: unless the last
 * deletion says that this was meant (store/rule.c). So that one stays as long as it makes a difference.
 */
static bool
key_may_go(const Collect *c, const uint8 *key, size_t key_len)
{
	UnitGroup  *g = group_read(c->store, GetActiveSnapshot(), c->zone, key, group_prefix(key, key_len));
	const GroupUnit *last = NULL;
	const GroupUnit *self;
	Dot			latest = {0};

	group_judge(g, &c->live, false, c->store, GetActiveSnapshot());
	self = group_unit(g, key, key_len);
	for (int i = 0; i < g->n; i++)
		for (int k = 0; key_gone(c, &g->units[i]) && k < g->units[i].set.n; k++)
			if (!last || dot_later(g->units[i].set.v[k].dot, latest))
			{
				last = &g->units[i];
				latest = last->set.v[k].dot;
			}
	return key_gone(c, self) && (keys_served_same(c, g, NULL) || (self != last && keys_served_same(c, g, last)));
}

static bool
unit_may_go(const Collect *c, const uint8 *key, size_t key_len, const VersionSet *set)
{
	int			table = key_number(key, key_len);

	if (!versions_stable(c, set))
		return false;
	if (table == TABLE_SERIAL)
		return c->settled && c->live.n == 0 && !c->live.all;
	return all_deletions(set) && (table != TABLE_CRYPTOKEYS || key_may_go(c, key, key_len));
}

static bool
unit_collect(int32 zone, const uint8 *key, size_t key_len, void *arg)
{
	Collect    *c = arg;
	MemoryContext old = MemoryContextSwitchTo(c->scratch);
	VersionSet	set = version_read(c->store, GetActiveSnapshot(), zone, key, key_len);

	if (unit_may_go(c, key, key_len, &set))
		for (int i = 0; i < set.n; i++)
			version_collect(c, key, key_len, &set.v[i]);
	else if (c->settled && !c->live.all)
		for (int i = 0; i < set.n; i++)
			if (!version_lives(&c->live, key, key_len, &set.v[i]) && set.v[i].seen &&
				vector_covers(c->stable, set.v[i].dot.origin, set.v[i].dot.stamp))
				version_collect(c, key, key_len, &set.v[i]);
	MemoryContextSwitchTo(old);
	MemoryContextReset(c->scratch);
	if (!c->collected)
		return c->n == 0;
	return c->n < c->most || key_number(key, key_len) == TABLE_CRYPTOKEYS;
}

static void
zone_walk(Collect *c)
{
	static const uint8 domains[DOMAINS_KEY_SIZE] = {0, TABLE_DOMAINS};
	VersionSet	set = {0};

	if (!c->zone->table)
		set = version_read(c->store, GetActiveSnapshot(), c->zone->number, domains, sizeof(domains));
	c->live = live_of(c->store, c->zone, &set);
	c->settled = versions_stable(c, &set);
	c->context = CurrentMemoryContext;
	c->scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl collected unit", ALLOCSET_DEFAULT_SIZES);
	unit_walk(c->store, GetActiveSnapshot(), c->zone->number, (const uint8 *) "", 0, NULL, 0, unit_collect, c);
	MemoryContextDelete(c->scratch);
}

/* Is there a DNS server that has yet to be told of all of it? */
static bool
server_waits(const ZoneRef *zone)
{
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(zone->number)};

	return owner_execute("SELECT FROM dnsrepl.server_lacks($1) l WHERE l", 1, types, values) > 0;
}

int64
collect_zone(Store *store, const ZoneRef *zone, const Vector *stable, Vector *collected, int64 most, bool *missed)
{
	Collect		look = {.store = store, .zone = zone, .stable = stable, .most = 1, .missed = missed};
	ZoneRef		locked = *zone;
	Collect		c;

	zone_walk(&look);
	if (look.n == 0)
		return 0;
	if ((!zone->table && server_waits(zone)) || !zone_lock(&locked, false))
	{
		*missed = true;
		return 0;
	}
	c = (Collect) {.store = store, .zone = &locked, .stable = stable, .collected = collected, .most = most,
	.missed = missed};
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());	/* newer than the lock */
	zone_walk(&c);
	PopActiveSnapshot();
	return c.n;
}
