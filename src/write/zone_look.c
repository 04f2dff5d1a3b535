/*
 * zone_look.c: see zone_look.h.
 *
 * Errors are of what was written itself. Warnings may be of what depends on it: the names below a new delegation; who
 * named a host that has lost its last address, as far as that is the apex or a delegation above it (dnsrepl.check_zone() finds
 * the others). A transaction looks at MAX_NAMES names in this way at most, and says MAX_WARNINGS things.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "dns/name.h"
#include "dns/rrtype.h"
#include "store/own.h"
#include "store/rejection.h"
#include "store/relation.h"
#include "write/zone_look.h"
#include "zone/zone_level.h"
#include "zone/zone_rule.h"

#define MAX_NAMES		1000
#define MAX_BELOW		100
#define MAX_WARNINGS	20

#define ALL_RULES		(~(uint32) 0)

typedef struct NameLook
{
	ZoneTouch  *zone;
	struct varlena *prefix;		/* of its group */
	bool		cut,			/* a delegation has been written */
				address;		/* its addresses have gone */
} NameLook;

/* A look at one group, and what it finds. */
typedef struct Teller
{
	ZoneLooks  *looks;
	const ZoneTouch *zone;
	const UnitGroup *group;		/* with `written`: only those units count; NULL: all */
	const bool *written;
	uint32		rules;			/* a bit for each that counts */
	int			left;			/* names to look at */
	ZoneLook	look;
} Teller;

static bool
counts(const Teller *t, const ZoneFinding *f)
{
	if (!(t->rules & ((uint32) 1 << f->rule)))
		return false;
	for (int i = 0; t->group && i < t->group->n; i++)
		if (record_type(t->group->units[i].key, t->group->units[i].key_len) == f->type)
			return t->written[i];
	return true;
}

/* The sentence, and its RFC before the full stop. */
static int
finding_detail(ZoneRule rule)
{
	const char *sentence = zone_rule_sentence(rule);

	return errdetail("%.*s (%s).", (int) strlen(sentence) - 1, sentence, zone_rule_rfc(rule));
}

static void
finding_tell(const ZoneFinding *f, void *arg)
{
	Teller	   *t = arg;
	const ZoneRef *zone = &t->zone->ref;
	char		type[RRTYPE_TEXT_MAX + 1] = " ";	/* behind a space */

	if (!counts(t, f))
		return;
	if (f->type >= 0)
		(void) rrtype_to_text((uint16) f->type, type + 1);
	if (zone_rule_is_error(f->rule) && t->zone->level == LEVEL_STRICT)
	{
		rejection_note(&(Refusal) {.sqlstate = ERRCODE_CHECK_VIOLATION, .zone = zone_text(zone->name, zone->name_len),
								   .name = zone_text(f->name, f->name_len), .type = type + 1, .rule = zone_rule_name(f->rule),
								   .message = f->message});
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("records at \"%s\" in zone \"%s\" break the rule \"%s\": %s", zone_text(f->name, f->name_len),
						zone_text(zone->name, zone->name_len), zone_rule_name(f->rule), f->message),
				 finding_detail(f->rule),
				 err_generic_string(PG_DIAG_CONSTRAINT_NAME, zone_rule_name(f->rule))));
	}
	if (t->looks->warned++ >= MAX_WARNINGS)
		return;
	ereport(WARNING,
			(errmsg("%s%s: %s", zone_text(f->name, f->name_len), f->type < 0 ? "" : type, f->message),
			 finding_detail(f->rule),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, zone_rule_name(f->rule))));
}

static void
teller_init(Teller *t, ZoneLooks *looks, Store *store, const ZoneTouch *zone)
{
	*t = (Teller) {.looks = looks, .zone = zone, .rules = ALL_RULES, .left = MAX_BELOW};
	t->look = (ZoneLook) {.store = store, .snapshot = GetActiveSnapshot(), .zone = &zone->ref, .live = &zone->live,
	.report = finding_tell, .arg = t};
}

static bool
has_address(const UnitGroup *g)
{
	return group_type(g, RRTYPE_A) || group_type(g, RRTYPE_AAAA);
}

static void
look_later(ZoneLooks *looks, ZoneTouch *zone, const UnitGroup *g, const bool *written)
{
	MemoryContext old;
	NameLook   *n;
	bool		apex = g->prefix_len - 3 == zone->ref.name_len;
	bool		cut = false,
				address = false;

	for (int i = 0; i < g->n; i++)
	{
		uint16		type = record_type(g->units[i].key, g->units[i].key_len);

		cut |= written[i] && !apex && type == RRTYPE_NS && unit_present(&g->units[i]);
		address |= written[i] && (type == RRTYPE_A || type == RRTYPE_AAAA) && !has_address(g);
	}
	if (looks->nnames >= MAX_NAMES || looks->warned > MAX_WARNINGS || (!cut && !address && !zone_rules_look_around(&zone->ref, g)))
		return;
	looks->nnames++;
	old = MemoryContextSwitchTo(TopTransactionContext);
	n = palloc(sizeof(NameLook));
	*n = (NameLook) {.zone = zone, .prefix = varlena_make(g->prefix, g->prefix_len), .cut = cut, .address = address};
	looks->names = lappend(looks->names, n);
	MemoryContextSwitchTo(old);
}

void
zone_look_at(ZoneLooks *looks, Store *store, ZoneTouch *zone, const UnitGroup *group, const bool *written)
{
	Teller		t;

	if (zone->level < 0)
		zone->level = touch_has_metadata(zone) ? zone_level(zone->id, GetActiveSnapshot()) : LEVEL_STRICT;
	if (zone->level == LEVEL_OFF)
		return;
	teller_init(&t, looks, store, zone);
	t.group = group;
	t.written = written;
	zone_rules_alone(&t.look, group);
	look_later(looks, zone, group, written);
}

/* ---------- around ---------- */

/* Which units of a group this transaction has written. */
static bool *
units_written(const UnitGroup *g)
{
	bool	   *written = palloc0(sizeof(bool) * (size_t) (g->n + 1));

	for (int i = 0; i < g->n; i++)
		for (int k = 0; k < g->units[i].set.n && own_dot_drawn(); k++)
			written[i] |= g->units[i].set.v[k].dot.origin == own_dot().origin && g->units[i].set.v[k].dot.stamp == own_dot().stamp;
	return written;
}

static bool
look_below(const uint8 *prefix, size_t prefix_len, void *arg)
{
	Teller	   *t = arg;

	zone_rules_around(&t->look, zone_group(&t->look, prefix + 2, prefix_len - 3));
	return --t->left > 0;
}

static void
look_around(ZoneLooks *looks, Store *store, const NameLook *n)
{
	const uint8 *prefix = (uint8 *) VARDATA(n->prefix);
	size_t		len = VARSIZE(n->prefix) - VARHDRSZ;
	Teller		t;

	teller_init(&t, looks, store, n->zone);
	t.group = zone_group(&t.look, prefix + 2, len - 3);
	t.written = units_written(t.group);
	zone_rules_around(&t.look, t.group);
	t.group = NULL;
	if (n->cut)
	{
		t.rules = (uint32) 1 << ZONE_OCCLUDED;
		group_walk(store, t.look.snapshot, n->zone->ref.number, prefix, len - 1, prefix, len, look_below, &t);
	}
	for (size_t at = len - 3; n->address && at > n->zone->ref.name_len;)
	{
		at = name_parent(prefix + 2, at);
		t.rules = (uint32) 1 << ZONE_GLUE | (uint32) 1 << ZONE_TARGET_ADDRESS;
		zone_rules_around(&t.look, zone_group(&t.look, prefix + 2, at));
	}
}

void
zone_looks_end(ZoneLooks *looks, Store *store, MemoryContext scratch)
{
	ListCell   *lc;

	if (!looks->names)
		return;
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	foreach(lc, looks->names)
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);

		if (looks->warned <= MAX_WARNINGS)
			look_around(looks, store, lfirst(lc));
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	PopActiveSnapshot();
	list_free_deep(looks->names);
	looks->names = NIL;
}

void
zone_looks_done(ZoneLooks *looks)
{
	if (looks->warned > MAX_WARNINGS)
		ereport(WARNING,
				(errmsg("there is more to be said of the zones that were changed"),
				 errhint("SELECT * FROM dnsrepl.check_zone('...') says it all.")));
}
