/*
 * table_guard.c: the event trigger that refuses DDL which makes a replicated table one that cannot be replicated (store/shape.h).
 *
 * It looks before a command and after it: what was wrong before may stay so, or it could not be mended step by step. Who has
 * disabled the trigger is told when the table is used.
 */
#include "postgres.h"

#include "commands/event_trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "store/relation.h"
#include "store/schema.h"

PG_FUNCTION_INFO_V1(dnsrepl_table_guard);
PG_FUNCTION_INFO_V1(dnsrepl_table_problem);

static Bitmapset *wrong_before = NULL;	/* numbers of tables; in TopMemoryContext */

static void
guard_before(void)
{
	TableDesc  *t;
	int			position = 0;
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	bms_free(wrong_before);
	wrong_before = NULL;
	while ((t = table_next(&position)) != NULL)
		if (t->problem)
			wrong_before = bms_add_member(wrong_before, t->number);
	MemoryContextSwitchTo(old);
}

static void
guard_after(void)
{
	TableDesc  *t;
	int			position = 0;

	while ((t = table_next(&position)) != NULL)
		if (t->problem && !bms_is_member(t->number, wrong_before))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("table \"%s\" cannot be replicated when it is altered so", t->name),
					 errdetail("%s", t->problem),
					 errhint("Columns that dnsrepl does not replicate may be added and altered at will; text may be of any length.")));
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
	tables_reread(true);
	if (strcmp(((EventTriggerData *) fcinfo->context)->event, "ddl_command_start") == 0)
		guard_before();
	else
		guard_after();
	return PointerGetDatum(NULL);
}

/* table_problem(no int) returns text: why this replicated table cannot be replicated as it is; null: it can, or is not here */
Datum
dnsrepl_table_problem(PG_FUNCTION_ARGS)
{
	int32		number = PG_GETARG_INT32(0);
	TableDesc  *t;

	tables_reread(false);
	t = number > 0 && number <= PG_INT16_MAX ? table_by_number((int16) number) : NULL;
	if (!t || !t->problem)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(t->problem));
}
