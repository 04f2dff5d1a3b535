/*
 * rule.c: see rule.h.
 *
 * Whoever loses is decided by ranks: the larger (stamp, origin) of what two units would serve. A CNAME and the rest of
 * its name: whichever has the latest version. A DNAME and what is below it: the DNAME stands unless something below is
 * later. At the apex a CNAME always loses, since the zone's SOA cannot. Records that are disabled are not served, so they
 * neither win nor lose.
 */
#include "postgres.h"

#include "dns/name.h"
#include "store/group.h"
#include "store/image.h"
#include "store/relation.h"

static const struct
{
	const char *name;
	const char *sentence;
}			rules[] = {
	[RULE_NONE] = {"", ""},
	[RULE_IN_ZONE] = {"in-zone", "A zone holds names at or below its own (RFC 1035 section 5)."},
	[RULE_SOA_AT_APEX] = {"soa-at-apex", "A zone has one SOA record, at its apex (RFC 1035 section 5.2)."},
	[RULE_CNAME_ALONE] = {"cname-alone", "Beside a CNAME record there is no other data (RFC 1034 section 3.6.2)."},
	[RULE_DNAME_ALONE] = {"dname-alone", "Below a DNAME record there are no other names (RFC 6672 section 2.4)."},
	[RULE_KEY_SIGNING_KEY] = {"key-signing-key", "The last active key-signing key of a zone stays until its removal is meant."},
	[RULE_ZONE_DELETED] = {"zone-deleted", "The zone that this was part of has been deleted."},
};

const char *
rule_name(Rule rule)
{
	return rules[rule].name;
}

const char *
rule_sentence(Rule rule)
{
	return rules[rule].sentence;
}

static void
unit_hide(GroupUnit *u, Rule rule)
{
	if (u->rule != RULE_NONE || !u->resolved.live)
		return;
	u->rule = rule;
	memset(&u->served, 0, sizeof(u->served));
	u->served.rank = u->resolved.rank;
	u->served.resolver = rule_name(rule);
}

int
unit_enabled(const GroupUnit *u)
{
	TableDesc  *t = key_table(u->key, u->key_len);
	int			n = 0;

	if (!u->served.live)
		return 0;
	for (int i = 0; i < u->served.rows.n; i++)
		n += !t || row_enabled(t, &u->served.rows.rows[i]);
	return n;
}

bool
unit_present(const GroupUnit *u)
{
	return unit_enabled(u) > 0;
}

/* ---------- one name ---------- */

static void
cname_apply(UnitGroup *g, bool apex)
{
	NameUnit   *units = palloc(sizeof(NameUnit) * (size_t) (g->n + 1));

	for (int i = 0; i < g->n; i++)
	{
		const GroupUnit *u = &g->units[i];

		units[i] = (NameUnit) {.type = record_type(u->key, u->key_len), .present = unit_present(u)};
		if (units[i].present)
			units[i].rank = dot_rank(u->served.rank);
	}
	name_cname_alone(units, g->n, apex);
	for (int i = 0; i < g->n; i++)
		if (units[i].hidden)
			unit_hide(&g->units[i], RULE_CNAME_ALONE);
}

/* What the units of one name are to one another, and to the zone. */
static void
name_apply(UnitGroup *g)
{
	size_t		len;
	const uint8 *name;
	bool		apex;

	if (g->n == 0)
		return;
	name = key_name(g->units[0].key, g->units[0].key_len, &len);
	apex = len == g->zone->name_len;
	if (len < g->zone->name_len || memcmp(name, g->zone->name, g->zone->name_len) != 0)
	{
		for (int i = 0; i < g->n; i++)
			unit_hide(&g->units[i], RULE_IN_ZONE);
		return;
	}
	for (int i = 0; i < g->n && !apex; i++)
		if (record_type(g->units[i].key, g->units[i].key_len) == TYPE_SOA && unit_present(&g->units[i]))
			unit_hide(&g->units[i], RULE_SOA_AT_APEX);
	cname_apply(g, apex);
}

/* ---------- DNAME and its subtree ---------- */

typedef struct Below
{
	const ZoneRef *zone;
	const Live *live;
	bool		seen_only;
	Store	   *store;
	Snapshot	snapshot;
	size_t		own;			/* length of the DNAME's own group's prefix */
	Dot			rank;			/* of the DNAME */
	bool		later;			/* something below is */
} Below;

static bool
below_group(const uint8 *prefix, size_t prefix_len, void *arg)
{
	Below	   *b = arg;
	UnitGroup  *g;

	if (prefix_len == b->own)
		return true;
	g = group_read(b->store, b->snapshot, b->zone, prefix, prefix_len);
	group_judge(g, b->live, b->seen_only, NULL, b->snapshot);
	for (int i = 0; i < g->n && !b->later; i++)
		b->later = unit_present(&g->units[i]) && dot_later(g->units[i].served.rank, b->rank);
	return !b->later;
}

GroupUnit *
group_dname(UnitGroup *g)
{
	for (int i = 0; i < g->n; i++)
		if (record_type(g->units[i].key, g->units[i].key_len) == TYPE_DNAME && unit_present(&g->units[i]))
			return &g->units[i];
	return NULL;
}

/* Does the DNAME of a group, as it stands by the rules of its own name, fall to something later below it? */
static bool
dname_falls(const UnitGroup *g, const GroupUnit *dname, const Live *live, bool seen_only, Store *store, Snapshot snapshot)
{
	Below		b = {.zone = g->zone, .live = live, .seen_only = seen_only, .store = store, .snapshot = snapshot,
	.own = g->prefix_len, .rank = dname->served.rank};

	/* without the 0 that ends the name, the prefix is that of all names at and below it */
	group_walk(store, snapshot, g->zone->number, g->prefix, g->prefix_len - 1, NULL, 0, below_group, &b);
	return b.later;
}

size_t
group_ancestor(const UnitGroup *g, size_t prefix_len, uint8 *out)
{
	size_t		name_len = prefix_len - 3;
	size_t		parent;

	if (name_len <= g->zone->name_len)
		return 0;
	parent = name_parent(g->prefix + 2, name_len);
	memcpy(out, g->prefix, 2 + parent);
	out[2 + parent] = 0;
	return 2 + parent + 1;
}

static bool
zone_has_dnames(const UnitGroup *g, Store *store)
{
	return store && (g->zone->state.dnames > 0 || store_tally(store, g->zone->number)->dnames > 0);
}

static void
dname_apply(UnitGroup *g, const Live *live, bool seen_only, Store *store, Snapshot snapshot)
{
	GroupUnit  *own = group_dname(g);
	uint8		prefix[MAX_KEY_SIZE + 4];
	size_t		len = g->prefix_len;

	if (own && dname_falls(g, own, live, seen_only, store, snapshot))
		unit_hide(own, RULE_DNAME_ALONE);
	while ((len = group_ancestor(g, len, prefix)) > 0)
	{
		UnitGroup  *above = group_read(store, snapshot, g->zone, prefix, len);
		GroupUnit  *dname;

		group_judge(above, live, seen_only, NULL, snapshot);
		dname = group_dname(above);
		if (!dname || dname_falls(above, dname, live, seen_only, store, snapshot))
			continue;
		for (int i = 0; i < g->n; i++)
			if (unit_present(&g->units[i]))
				unit_hide(&g->units[i], RULE_DNAME_ALONE);
		return;
	}
}

void
dnames_above(const UnitGroup *g, Store *store, Snapshot snapshot, NameCallback fn, void *arg)
{
	uint8		prefix[MAX_KEY_SIZE + 4];
	size_t		len = g->prefix_len;

	if (key_number(g->prefix, g->prefix_len) != TABLE_RECORDS || !zone_has_dnames(g, store))
		return;
	memcpy(prefix, g->prefix, len);
	do
	{
		StringInfoData key;

		initStringInfo(&key);
		record_key(&key, prefix + 2, len - 3, TYPE_DNAME);
		if (version_read(store, snapshot, g->zone->number, (uint8 *) key.data, (size_t) key.len).n > 0)
			fn(prefix + 2, len - 3, arg);
		pfree(key.data);
	} while ((len = group_ancestor(g, len, prefix)) > 0);
}

/* ---------- keys ---------- */

static bool
is_key_signing(const GroupUnit *u)
{
	/* u16 table, then the flags: a length and an int4; the secure entry point is the lowest bit (RFC 4034 2.1.1) */
	return u->key_len >= 7 && u->key[2] == 4 && (u->key[6] & 1);
}

static bool
is_active(const GroupUnit *u, int active)
{
	return u->served.live && rows_flagged(&u->served.rows, active);
}

/*
 * Two nodes that each take a different key out of service leave none. Then the one that went last comes back: unless
 * its author meant it, as his commit left the zone without such a key where he was.
 */
static void
keys_apply(UnitGroup *g, const Live *live, bool seen_only)
{
	TableDesc  *t = key_table(g->prefix, g->prefix_len);
	int			active = t ? table_column(t, "active") : -1;
	GroupUnit  *last = NULL;
	const Version *by = NULL;
	Image		image;

	if (active < 0)
		return;
	for (int i = 0; i < g->n; i++)
	{
		GroupUnit  *u = &g->units[i];

		if (!is_key_signing(u))
			continue;
		if (is_active(u, active))
			return;
		for (int k = 0; k < u->set.n; k++)
			if ((u->set.v[k].seen || !seen_only) && version_lives(live, u->key, u->key_len, &u->set.v[k]) &&
				(!by || dot_later(u->set.v[k].dot, by->dot)))
			{
				by = &u->set.v[k];
				last = u;
			}
	}
	if (!by || !image_decode(by->image, by->image_len, true, &image) || (image.head.flags & IMAGE_UNSIGNED) ||
		image.rows.n == 0 || image.head.ncolumns != t->ncolumns)
		return;
	last->rule = RULE_KEY_SIGNING_KEY;
	last->served = last->resolved;
	last->served.live = true;
	last->served.ncolumns = image.head.ncolumns;
	last->served.rows = image.rows;
	rows_flag(t, &last->served.rows, active);
	last->served.resolver = rule_name(RULE_KEY_SIGNING_KEY);
}

void
rules_apply(UnitGroup *g, const Live *live, bool seen_only, Store *store, Snapshot snapshot)
{
	switch (key_number(g->prefix, g->prefix_len))
	{
		case TABLE_RECORDS:
			name_apply(g);
			if (zone_has_dnames(g, store))
				dname_apply(g, live, seen_only, store, snapshot);
			break;
		case TABLE_CRYPTOKEYS:
			keys_apply(g, live, seen_only);
			break;
		default:
			break;
	}
}
