/*
 * check_zone.c: dnsrepl.check_zone() and check_all(): all rules, for all names of a zone.
 *
 * Walks the groups of the store in canonical order, as they are served by what has been projected: what the tables show
 * (dnsrepl.check_store() tells if they do not). One group at a time is in memory. Interruptible.
 */
#include "postgres.h"

#include "access/table.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "dns/name.h"
#include "dns/rrtype.h"
#include "store/live.h"
#include "store/policy.h"
#include "store/progress.h"
#include "store/relation.h"
#include "store/result_set.h"
#include "zone/zone_rule.h"
#include "zone/zone_signing.h"

PG_FUNCTION_INFO_V1(dnsrepl_check_zone);
PG_FUNCTION_INFO_V1(dnsrepl_check_all);

typedef struct CheckZone
{
	ZoneLook	look;
	Tuplestorestate *out;
	TupleDesc	desc;
	bool		all;			/* of all zones: each row says of which */
	MemoryContext scratch;		/* reset for each group */
	bool		presigned;
} CheckZone;

static void
finding_put(const ZoneFinding *f, void *arg)
{
	CheckZone  *c = arg;
	Datum		values[7];
	bool		nulls[7] = {false, false, false, f->type < 0, false, false, false};
	int			first = c->all ? 0 : 1;

	values[0] = PointerGetDatum(varlena_make(c->look.zone->name, c->look.zone->name_len));
	values[1] = CStringGetTextDatum(zone_rule_is_error(f->rule) ? "error" : "warning");
	values[2] = PointerGetDatum(varlena_make(f->name, f->name_len));
	values[3] = UInt16GetDatum((uint16) Max(f->type, 0));
	values[4] = CStringGetTextDatum(zone_rule_name(f->rule));
	values[5] = CStringGetTextDatum(f->message);
	values[6] = CStringGetTextDatum(zone_rule_rfc(f->rule));
	tuplestore_putvalues(c->out, c->desc, values + first, nulls + first);
}

static bool
check_group(const uint8 *prefix, size_t prefix_len, void *arg)
{
	CheckZone  *c = arg;
	MemoryContext old = MemoryContextSwitchTo(c->scratch);
	UnitGroup  *g;

	progress();
	g = group_read(c->look.store, c->look.snapshot, c->look.zone, prefix, prefix_len);
	group_judge(g, c->look.live, true, c->look.store, c->look.snapshot);
	zone_rules_alone(&c->look, g);
	if (zone_rules_look_around(c->look.zone, g))
		zone_rules_around(&c->look, g);
	zone_rules_more(&c->look, g, c->presigned);
	MemoryContextSwitchTo(old);
	MemoryContextReset(c->scratch);
	return true;
}

/* What a zone has at its apex. */
static void
check_apex(CheckZone *c)
{
	const ZoneRef *z = c->look.zone;
	UnitGroup  *apex = zone_group(&c->look, z->name, z->name_len);
	const GroupUnit *ns = group_type(apex, RRTYPE_NS);

	if (!group_type(apex, RRTYPE_SOA))
		zone_report(&c->look, ZONE_NO_SOA, z->name, z->name_len, RRTYPE_SOA, "no SOA record");
	if (!ns)
		zone_report(&c->look, ZONE_NO_NS, z->name, z->name_len, RRTYPE_NS, "no NS record");
	else if (unit_enabled(ns) < 2)
		zone_report(&c->look, ZONE_ONE_NS, z->name, z->name_len, RRTYPE_NS, "one name server");
}

/* How its names are hashed, if they are. */
static void
check_nsec3(CheckZone *c, const ZoneSigning *s)
{
	const ZoneRef *z = c->look.zone;
	const char *what = "validators treat the zone as unsigned";

	if (s->unreadable)
		zone_report(&c->look, ZONE_NSEC3_PARAM, z->name, z->name_len, RRTYPE_NSEC3PARAM, "metadata NSEC3PARAM cannot be read: the names are in the order of NSEC");
	if (!s->nsec3 || s->asked <= SIGNED_ITERATIONS)
		return;
	if (s->iterations < s->asked)
		what = psprintf("the names are put in order with %d", s->iterations);
	zone_report(&c->look, ZONE_NSEC3_PARAM, z->name, z->name_len, RRTYPE_NSEC3PARAM, psprintf("%d iterations of the hash: %s", s->asked, what));
}

/* Does the zone above it, if this database has it, know of it? */
static void
check_above(CheckZone *c, const ZoneRef *all, int n)
{
	const ZoneRef *z = c->look.zone;

	for (size_t at = z->name_len; at > 0;)
	{
		ZoneRef		key = {.name = z->name, .name_len = (at = name_parent(z->name, at))};
		const ZoneRef *above = bsearch(&key, all, (size_t) n, sizeof(ZoneRef), zone_order);
		Live		live;
		ZoneLook	look = c->look;
		char		text[NAME_TEXT_MAX];

		if (!above || (live = live_shown(above), live.n == 0 && !live.all))
			continue;
		look.zone = above;
		look.live = &live;
		(void) name_to_text(above->name, above->name_len, text);
		if (!group_type(zone_group(&look, z->name, z->name_len), RRTYPE_NS))
			zone_report(&c->look, ZONE_NO_DELEGATION, z->name, z->name_len, RRTYPE_NS,
						psprintf("zone %s has no NS records for it", text));
		return;
	}
}

static void
check_begin(CheckZone *c, FunctionCallInfo fcinfo)
{
	memset(c, 0, sizeof(*c));
	tables_refresh();
	policies_refresh();
	(void) table_domains();
	c->out = result_set_begin(fcinfo, &c->desc);
	c->scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl checked group", ALLOCSET_DEFAULT_SIZES);
}

/* False: there is no such zone, or no more. */
static bool
check_one(CheckZone *c, const ZoneRef *zone, const ZoneRef *all, int n)
{
	Live		live = live_shown(zone);
	int32		id = domain_id(GetActiveSnapshot(), zone->name, zone->name_len);
	ZoneSigning signing;
	StringInfoData prefix;

	if (zone->table || !id || (live.n == 0 && !live.all))
		return false;
	signing = zone_signing(id, GetActiveSnapshot());
	c->presigned = signing.presigned;
	c->look = (ZoneLook) {.store = store_open(false), .snapshot = GetActiveSnapshot(), .zone = zone, .live = &live,
	.report = finding_put, .arg = c};
	check_apex(c);
	check_nsec3(c, &signing);
	check_above(c, all, n);
	initStringInfo(&prefix);
	wire_put_u16(&prefix, TABLE_RECORDS);
	group_walk(c->look.store, c->look.snapshot, zone->number, (uint8 *) prefix.data, (size_t) prefix.len, NULL, 0, check_group, c);
	store_close(c->look.store);
	return true;
}

/* check_zone(zone dnsname) returns set of (severity text, name dnsname, type rrtype, rule text, message text, rfc text) */
Datum
dnsrepl_check_zone(PG_FUNCTION_ARGS)
{
	struct varlena *name = PG_GETARG_VARLENA_PP(0);
	ZoneRef		key = {.name = (uint8 *) VARDATA_ANY(name), .name_len = VARSIZE_ANY_EXHDR(name)};
	const ZoneRef *zone;
	ZoneRef    *all;
	int			n;
	CheckZone	c;

	check_begin(&c, fcinfo);
	all = zone_all_at(GetActiveSnapshot(), &n);
	zone = bsearch(&key, all, (size_t) n, sizeof(ZoneRef), zone_order);
	if (!zone || !check_one(&c, zone, all, n))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("zone \"%s\" does not exist", zone_text(key.name, key.name_len))));
	PG_RETURN_NULL();
}

/* check_all() returns set of (zone dnsname, severity text, name dnsname, type rrtype, rule text, message text, rfc text) */
Datum
dnsrepl_check_all(PG_FUNCTION_ARGS)
{
	ZoneRef    *all;
	int			n;
	CheckZone	c;

	check_begin(&c, fcinfo);
	c.all = true;
	all = zone_all_at(GetActiveSnapshot(), &n);
	for (int i = 0; i < n; i++)
		(void) check_one(&c, &all[i], all, n);
	PG_RETURN_NULL();
}
