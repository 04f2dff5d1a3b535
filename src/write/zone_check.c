/*
 * zone_check.c: see zone_check.h.
 *
 * Rules that hide a loser when two nodes' edits meet are errors where one author would break them by himself: or else his
 * tables would show what every other node hides.
 */
#include "postgres.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "utils/snapmgr.h"

#include "dns/rrtype.h"
#include "store/own.h"
#include "store/parked.h"
#include "store/rejection.h"
#include "store/relation.h"
#include "write/zone_check.h"

#define MAX_TOLD 10				/* records that an error shows */

/* The records of a group, or its SOA records where those are too many: what is to be looked at. */
static void
records_tell(StringInfo out, const UnitGroup *g, Rule rule)
{
	TableDesc  *t = key_table(g->prefix, g->prefix_len);
	int			content = t ? table_column(t, "content") : -1;
	int			told = 0;

	for (int i = 0; i < g->n && content >= 0; i++)
	{
		const GroupUnit *u = &g->units[i];
		uint16		type = record_type(u->key, u->key_len);
		char		text[RRTYPE_TEXT_MAX];

		if (!unit_present(u) || u->served.ncolumns != t->ncolumns || (rule == RULE_SOA_AT_APEX && type != TYPE_SOA))
			continue;
		(void) rrtype_to_text(type, text);
		for (int k = 0; k < u->served.rows.n; k++)
		{
			const uint8 *data;
			size_t		len;

			if (!row_enabled(t, &u->served.rows.rows[k]) || !row_column(&u->served.rows.rows[k], content, &data, &len))
				continue;
			if (told++ < MAX_TOLD)
				appendStringInfo(out, "%s%s %s %.*s", told == 1 ? "" : "; ", zone_text(g->prefix + 2, g->prefix_len - 3), text,
								 pg_mbcliplen((const char *) data, (int) len, 80), (const char *) data);
		}
	}
	if (told > MAX_TOLD)
		appendStringInfo(out, "; and %d more", told - MAX_TOLD);
}

/* `g`: whose records it is about; `other`: what else stands in the way, or NULL. */
static void
refuse(const UnitGroup *g, Rule rule, const UnitGroup *other)
{
	const ZoneRef *zone = g->zone;
	const char *name = zone_text(g->prefix + 2, g->prefix_len - 3);
	StringInfoData told;

	rejection_note(&(Refusal) {.sqlstate = ERRCODE_CHECK_VIOLATION, .zone = zone_text(zone->name, zone->name_len),
							   .name = name, .rule = rule_name(rule), .message = rule_sentence(rule)});
	initStringInfo(&told);
	if (other)
	{
		records_tell(&told, other, rule);
		appendStringInfoString(&told, "; ");
	}
	records_tell(&told, g, rule);
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("records at \"%s\" in zone \"%s\" break the rule \"%s\"", name,
					zone_text(zone->name, zone->name_len), rule_name(rule)),
			 errdetail("%s\nThey are: %s", rule_sentence(rule), told.data),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, rule_name(rule))));
}

static void
snapshot_now(void)
{
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
}

/* Of these there is one at a name: CNAME (RFC 2181 10.1), DNAME (RFC 6672 2.4), SOA. Two authors may each have written one. */
static Rule
one_record_rule(const GroupUnit *u)
{
	if (unit_enabled(u) < 2)
		return RULE_NONE;
	switch (record_type(u->key, u->key_len))
	{
		case TYPE_CNAME:
			return RULE_CNAME_ALONE;
		case TYPE_DNAME:
			return RULE_DNAME_ALONE;
		case TYPE_SOA:
			return RULE_SOA_AT_APEX;
		default:
			return RULE_NONE;
	}
}

void
group_check(Store *store, const ZoneTouch *z, const UnitGroup *left)
{
	UnitGroup  *g;
	bool		shown = false;

	if (key_number(left->prefix, left->prefix_len) != TABLE_RECORDS)
		return;
	for (int i = 0; i < left->n; i++)
		if (one_record_rule(&left->units[i]) != RULE_NONE)
			refuse(left, one_record_rule(&left->units[i]), NULL);
	g = group_copy(left);
	snapshot_now();
	group_judge(g, &z->live, true, NULL, GetActiveSnapshot());
	for (int i = 0; i < g->n; i++)
		if (left->units[i].served.live && !g->units[i].resolved.live)
		{
			/* no version says so, but the tables */
			g->units[i].resolved = left->units[i].served;
			shown = true;
		}
	for (int i = 0; i < g->n && shown; i++)
	{
		g->units[i].served = g->units[i].resolved;
		g->units[i].rule = RULE_NONE;
	}
	if (shown)
		rules_apply(g, &z->live, true, NULL, GetActiveSnapshot());
	PopActiveSnapshot();
	for (int i = 0; i < g->n; i++)
		if (g->units[i].rule != RULE_NONE && left->units[i].served.live)
			refuse(left, g->units[i].rule, NULL);
}

bool
zone_has_dname(Store *store, const ZoneTouch *z)
{
	return z->ref.state.dnames > 0 || store_tally(store, z->ref.number)->dnames > 0;
}

typedef struct DnameCheck
{
	Store	   *store;
	Snapshot	before;
	const ZoneTouch *zone;
	const UnitGroup *dname;		/* the group of the DNAME whose subtree is looked at */
} DnameCheck;

/* The units of a group as they are now, with no regard to DNAMEs elsewhere. */
static UnitGroup *
group_now(const DnameCheck *c, const uint8 *prefix, size_t len)
{
	UnitGroup  *g;

	snapshot_now();
	g = group_read(c->store, GetActiveSnapshot(), &c->zone->ref, prefix, len);
	group_judge(g, &c->zone->live, true, NULL, GetActiveSnapshot());
	PopActiveSnapshot();
	return g;
}

/* Do the tables show it? It was written by this transaction, or it was shown before. */
static bool
unit_shown(const DnameCheck *c, const UnitGroup *g, const GroupUnit *u)
{
	UnitGroup  *was;

	for (int i = 0; i < u->set.n; i++)
		if (own_dot_drawn() && u->set.v[i].dot.origin == own_dot().origin && u->set.v[i].dot.stamp == own_dot().stamp)
			return true;
	was = group_read(c->store, c->before, &c->zone->ref, g->prefix, g->prefix_len);
	group_judge(was, &c->zone->ref.state.live, true, c->store, c->before);
	for (int i = 0; i < was->n; i++)
		if (was->units[i].key_len == u->key_len && memcmp(was->units[i].key, u->key, u->key_len) == 0)
			return was->units[i].served.live;
	return false;
}

static bool
below_check(const uint8 *prefix, size_t len, void *arg)
{
	DnameCheck *c = arg;
	UnitGroup  *g;

	if (len == c->dname->prefix_len)
		return true;
	g = group_now(c, prefix, len);
	for (int i = 0; i < g->n; i++)
		if (unit_present(&g->units[i]) && unit_shown(c, g, &g->units[i]))
			refuse(g, RULE_DNAME_ALONE, c->dname);
	return true;
}

/* What was hidden of a group is not shown by the tables: until it has been looked at, it counts as not seen. */
static bool
hidden_unsee(const uint8 *prefix, size_t len, void *arg)
{
	const DnameCheck *c = arg;
	UnitGroup  *was = group_read(c->store, c->before, &c->zone->ref, prefix, len);
	UnitGroup  *now;

	group_judge(was, &c->zone->ref.state.live, true, c->store, c->before);
	now = group_now(c, prefix, len);
	for (int i = 0; i < was->n; i++)
		for (int k = 0; was->units[i].rule == RULE_DNAME_ALONE && k < now->n; k++)
		{
			const GroupUnit *u = &now->units[k];

			if (u->key_len != was->units[i].key_len || memcmp(u->key, was->units[i].key, u->key_len) != 0)
				continue;
			for (int v = 0; v < u->set.n; v++)
				if (u->set.v[v].seen && u->set.v[v].dot.stamp != own_dot().stamp)
					version_mark(c->store, c->zone->ref.number, u->key, u->key_len, &u->set.v[v], false);
		}
	return true;
}

/* What a DNAME hides, or what hides it, may be another thing now: projection looks at it, when this has been committed. */
static void
dname_look_again(const uint8 *name, size_t len, void *arg)
{
	const DnameCheck *c = arg;
	StringInfoData key;

	initStringInfo(&key);
	record_key(&key, name, len, TYPE_DNAME);
	group_walk(c->store, c->before, c->zone->ref.number, (uint8 *) key.data,
			   group_prefix((uint8 *) key.data, (size_t) key.len) - 1, NULL, 0, hidden_unsee, arg);
	unit_queue(&c->zone->ref, (uint8 *) key.data, (size_t) key.len, "what is at or below a DNAME record has been edited");
}

void
dname_check(Store *store, Snapshot before, const ZoneTouch *z, const uint8 *prefix, size_t len)
{
	DnameCheck	c = {.store = store, .before = before, .zone = z};
	UnitGroup  *g = group_now(&c, prefix, len);
	uint8		above[MAX_KEY_SIZE + 4];
	size_t		above_len = len;
	bool		any = false;

	for (int i = 0; i < g->n; i++)
		any |= unit_present(&g->units[i]);
	c.dname = g;
	if (group_dname(g))
	{
		snapshot_now();
		group_walk(store, GetActiveSnapshot(), z->ref.number, prefix, len - 1, NULL, 0, below_check, &c);
		PopActiveSnapshot();
	}
	while (any && (above_len = group_ancestor(g, above_len, above)) > 0)
	{
		UnitGroup  *a = group_now(&c, above, above_len);
		GroupUnit  *dname = group_dname(a);

		if (dname && unit_shown(&c, a, dname))
			refuse(g, RULE_DNAME_ALONE, a);
	}
	dnames_above(g, store, before, dname_look_again, &c);
}
