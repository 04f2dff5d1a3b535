/*
 * check_zone.c: dnsrepl.zone_findings(), for check_zone(): all rules, for all names of a zone.
 *
 * Walks the groups of the store in canonical order, as they are served by what has been projected: what the tables show
 * (dnsrepl.check_store() tells if they do not). One group at a time is in memory. Interruptible.
 */
#include "postgres.h"

#include "access/table.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "dns/name.h"
#include "dns/rrtype.h"
#include "store/live.h"
#include "store/metadata.h"
#include "store/policy.h"
#include "store/relation.h"
#include "store/result_set.h"
#include "zone/zone_rule.h"

PG_FUNCTION_INFO_V1(dnsrepl_zone_findings);

typedef struct CheckZone
{
	ZoneLook	look;
	Tuplestorestate *out;
	TupleDesc	desc;
	MemoryContext scratch;		/* reset for each group */
	bool		presigned;
} CheckZone;

static void
finding_put(const ZoneFinding *f, void *arg)
{
	CheckZone  *c = arg;
	Datum		values[6];
	bool		nulls[6] = {false, false, f->type < 0, false, false, false};

	values[0] = CStringGetTextDatum(zone_rule_is_error(f->rule) ? "error" : "warning");
	values[1] = PointerGetDatum(varlena_make(f->name, f->name_len));
	values[2] = UInt16GetDatum((uint16) Max(f->type, 0));
	values[3] = CStringGetTextDatum(zone_rule_name(f->rule));
	values[4] = CStringGetTextDatum(f->message);
	values[5] = CStringGetTextDatum(zone_rule_rfc(f->rule));
	tuplestore_putvalues(c->out, c->desc, values, nulls);
}

static bool
check_group(const uint8 *prefix, size_t prefix_len, void *arg)
{
	CheckZone  *c = arg;
	MemoryContext old = MemoryContextSwitchTo(c->scratch);
	UnitGroup  *g;

	CHECK_FOR_INTERRUPTS();
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

/* zone_findings(zone_no int, OUT severity text, OUT name dnsname, OUT type rrtype, OUT rule text, OUT message text, OUT rfc text) */
Datum
dnsrepl_zone_findings(PG_FUNCTION_ARGS)
{
	CheckZone	c = {0};
	ZoneRef		zone;
	ZoneRef    *all;
	Live		live;
	int			n;
	int32		id;
	char	   *presigned;
	StringInfoData prefix;

	tables_refresh();
	policies_refresh();
	(void) table_domains();
	c.out = result_set_begin(fcinfo, &c.desc);
	if (!zone_by_number_at(GetActiveSnapshot(), PG_GETARG_INT32(0), &zone) || zone.table)
		PG_RETURN_NULL();
	id = domain_id(GetActiveSnapshot(), zone.name, zone.name_len);
	presigned = id ? zone_metadata(id, "PRESIGNED", GetActiveSnapshot()) : NULL;
	c.presigned = presigned && strcmp(presigned, "1") == 0;
	live = live_shown(&zone);
	c.scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl checked group", ALLOCSET_DEFAULT_SIZES);
	c.look = (ZoneLook) {.store = store_open(false), .snapshot = GetActiveSnapshot(), .zone = &zone, .live = &live,
	.report = finding_put, .arg = &c};
	all = zone_all_at(GetActiveSnapshot(), &n);
	check_apex(&c);
	check_above(&c, all, n);
	initStringInfo(&prefix);
	wire_put_u16(&prefix, TABLE_RECORDS);
	group_walk(c.look.store, c.look.snapshot, zone.number, (uint8 *) prefix.data, (size_t) prefix.len, NULL, 0, check_group, &c);
	store_close(c.look.store);
	MemoryContextDelete(c.scratch);
	PG_RETURN_NULL();
}
