/*
 * conflict_view.c: dnsrepl.conflict_now(): one unit that is in conflict, as the store has it at this moment.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "store/conflict.h"
#include "store/policy.h"
#include "store/unit_json.h"

PG_FUNCTION_INFO_V1(dnsrepl_conflict_now);

static void
unit_values(const ZoneRef *zone, const GroupUnit *u, Datum *values, bool *nulls)
{
	TableDesc  *t = key_table(u->key, u->key_len);
	StringInfoData served,
				siblings;
	const Policy *policy = policy_for(zone, t, u->key, u->key_len);

	values[0] = CStringGetTextDatum(u->rule != RULE_NONE ? rule_name(u->rule) : policy ? policy->resolver : "latest");
	nulls[0] = false;
	if (u->served.live)
	{
		RowSet		shown = rows_without_secrets(t, u->served.ncolumns, &u->served.rows);

		initStringInfo(&served);
		json_rows(&served, t, u->served.ncolumns, &shown);
		values[1] = json_datum(&served);
		nulls[1] = false;
	}
	initStringInfo(&siblings);
	json_versions(&siblings, t, &u->set, false);
	values[2] = json_datum(&siblings);
	nulls[2] = false;
}

/* conflict_now(zone int, key bytea, OUT rule text, OUT served jsonb, OUT siblings jsonb); all null: it is in no conflict */
Datum
dnsrepl_conflict_now(PG_FUNCTION_ARGS)
{
	bytea	   *b = PG_GETARG_BYTEA_PP(1);
	const uint8 *key = (uint8 *) VARDATA_ANY(b);
	size_t		len = VARSIZE_ANY_EXHDR(b);
	TupleDesc	desc;
	Datum		values[3] = {0};
	bool		nulls[3] = {true, true, true};
	ZoneRef		zone;
	Live		live;
	Store	   *store;
	UnitGroup  *g;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	tables_refresh();
	if (!key_well_formed(key, len))
		PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
	zone = zone_argument(PG_GETARG_INT32(0));
	live = live_shown(&zone);
	store = store_open(false);
	g = group_read(store, GetActiveSnapshot(), &zone, key, group_prefix(key, len));
	group_judge(g, &live, false, store, GetActiveSnapshot());
	for (int i = 0; i < g->n; i++)
		if (g->units[i].key_len == len && memcmp(g->units[i].key, key, len) == 0 && unit_in_conflict(&g->units[i], &live))
			unit_values(&zone, &g->units[i], values, nulls);
	store_close(store);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
