/*
 * conflict_view.c: dnsrepl.conflict_now(): one unit that is in conflict, as the store has it at this moment.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "store/attempt.h"
#include "store/conflict.h"
#include "store/policy.h"
#include "store/unit_json.h"

PG_FUNCTION_INFO_V1(dnsrepl_conflict_now);

typedef struct ConflictNow
{
	ZoneRef		zone;
	Live		live;
	Store	   *store;
	const uint8 *key;
	size_t		key_len;
	Datum		values[3];		/* rule, served, siblings */
	bool		nulls[3];
} ConflictNow;

static void
siblings_put(ConflictNow *c, const VersionSet *set)
{
	StringInfoData siblings;

	initStringInfo(&siblings);
	(void) json_versions(&siblings, key_table(c->key, c->key_len), set, false);
	c->values[2] = json_datum(&siblings);
	c->nulls[2] = false;
}

static void
unit_put(ConflictNow *c, const GroupUnit *u)
{
	TableDesc  *t = key_table(u->key, u->key_len);
	StringInfoData served;
	const Policy *policy = policy_for(&c->zone, t, u->key, u->key_len);

	c->values[0] = CStringGetTextDatum(u->rule != RULE_NONE ? rule_name(u->rule) : policy ? policy->resolver : "latest");
	c->nulls[0] = false;
	if (u->served.live)
	{
		RowSet		shown = rows_without_secrets(t, u->served.ncolumns, &u->served.rows);

		initStringInfo(&served);
		(void) json_rows(&served, t, u->served.ncolumns, &shown);
		c->values[1] = json_datum(&served);
		c->nulls[1] = false;
	}
	siblings_put(c, &u->set);
}

static void
conflict_read(void *arg)
{
	ConflictNow *c = arg;
	UnitGroup  *g = group_read(c->store, GetActiveSnapshot(), &c->zone, c->key, group_prefix(c->key, c->key_len));

	group_judge(g, &c->live, false, c->store, GetActiveSnapshot());
	for (int i = 0; i < g->n; i++)
		if (g->units[i].key_len == c->key_len && memcmp(g->units[i].key, c->key, c->key_len) == 0 &&
			unit_in_conflict(&g->units[i], &c->live))
			unit_put(c, &g->units[i]);
}

/*
 * conflict_now(zone int, key bytea, OUT rule text, OUT served jsonb, OUT siblings jsonb); all null: it is in no conflict. If what is served
 * cannot be told, the rule says why.
 */
Datum
dnsrepl_conflict_now(PG_FUNCTION_ARGS)
{
	bytea	   *b = PG_GETARG_BYTEA_PP(1);
	ConflictNow c = {.key = (uint8 *) VARDATA_ANY(b), .key_len = VARSIZE_ANY_EXHDR(b), .nulls = {true, true, true}};
	TupleDesc	desc;
	const char *why;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	tables_refresh();
	if (!key_well_formed(c.key, c.key_len))
		PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), c.values, c.nulls)));
	c.zone = zone_argument(PG_GETARG_INT32(0));
	c.live = live_shown(&c.zone);
	c.store = store_open(false);
	why = attempt(conflict_read, &c);
	if (why)
	{
		VersionSet	set = version_read(c.store, GetActiveSnapshot(), c.zone.number, c.key, c.key_len);

		c.values[0] = CStringGetTextDatum(psprintf("cannot be told: %s", why));
		c.nulls[0] = false;
		c.nulls[1] = true;
		siblings_put(&c, &set);
	}
	store_close(c.store);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), c.values, c.nulls)));
}
