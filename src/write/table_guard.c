/*
 * table_guard.c: the event trigger that refuses DDL which makes a replicated table one that cannot be replicated (store/table_shape.h).
 *
 * It looks before a command and after it: what was wrong before may stay so, or it could not be mended step by step. It waits for
 * nobody: a table that somebody else has locked is his to look at. Who has disabled the trigger is told when the table is used.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "commands/event_trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "store/relation.h"
#include "store/schema.h"
#include "store/table_shape.h"

PG_FUNCTION_INFO_V1(dnsrepl_table_guard);
PG_FUNCTION_INFO_V1(dnsrepl_table_problem);

static Bitmapset *right_before = NULL;	/* numbers of tables; in TopMemoryContext */

static void
table_before(int16 number, const char *name, bool looked, const char *problem)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	if (looked && !problem && number > 0)
		right_before = bms_add_member(right_before, number);
	MemoryContextSwitchTo(old);
}

static void
table_after(int16 number, const char *name, bool looked, const char *problem)
{
	if (looked && problem && number > 0 && bms_is_member(number, right_before))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" cannot be replicated when it is altered so", name),
				 errdetail("%s", problem),
				 errhint("Columns that dnsrepl does not replicate may be added and altered at will; text may be of any length.")));
}

/* All of dnsrepl.tab. */
static void
tables_look(void (*fn) (int16 number, const char *name, bool looked, const char *problem))
{
	Relation	rel = schema_table("tab", AccessShareLock, TAB_NATTS);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	HeapTuple	tuple;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Datum		values[TAB_NATTS];
		bool		nulls[TAB_NATTS];
		char	   *problem;
		bool		looked;

		heap_deform_tuple(tuple, RelationGetDescr(rel), values, nulls);
		looked = table_shape_look(DatumGetObjectId(values[TAB_REL - 1]), DatumGetInt16(values[TAB_NUMBER - 1]), &problem);
		fn(DatumGetInt16(values[TAB_NUMBER - 1]), TextDatumGetCString(values[TAB_NAME - 1]), looked, problem);
	}
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
}

/* event trigger on ddl_command_start and ddl_command_end */
Datum
dnsrepl_table_guard(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED), errmsg("this function is an event trigger's")));
	if (!OidIsValid(schema_find("tab")))
		return PointerGetDatum(NULL);	/* the extension is being dropped */
	if (strcmp(((EventTriggerData *) fcinfo->context)->event, "ddl_command_start") == 0)
	{
		bms_free(right_before);
		right_before = NULL;
		tables_look(table_before);
	}
	else
		tables_look(table_after);
	return PointerGetDatum(NULL);
}

/* table_problem(no int, rel oid) returns text: why this replicated table cannot be replicated as it is; null: it can, or who knows */
Datum
dnsrepl_table_problem(PG_FUNCTION_ARGS)
{
	char	   *problem;

	(void) table_shape_look(PG_GETARG_OID(1), (int16) PG_GETARG_INT32(0), &problem);
	if (!problem)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(problem));
}
