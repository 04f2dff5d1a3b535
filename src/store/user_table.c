/*
 * user_table.c: how SQL functions of this extension read and write users' tables (user_table.sql).
 *
 * An SQL statement over a table may call code of the table's owner: a view or a rule in its place, a cast or an operator of a
 * type of his, the constant parts of an index's expressions (which the planner computes), CHECKs, defaults, triggers. Who calls
 * dnsrepl.setup() or dnsrepl.import_zone() is often a superuser, and the processes of this extension are. So
 *   - rows are read in the executor's stead (rows_of), each value given by PostgreSQL's own code or this extension's; SQL makes of
 *     the copies what it likes;
 *   - statements that write, and ALTER TABLE, run as the owner, as REINDEX and the like do, if the caller could become him: a
 *     superuser, and the owner himself (execute_as_owner). Anybody else's statement runs as his own, like any that he types.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "dnsrepl.h"
#include "store/relation.h"
#include "store/result_set.h"
#include "store/schema.h"
#include "store/table_code.h"
#include "store/user_table.h"
#include "store/writer.h"

PG_FUNCTION_INFO_V1(dnsrepl_rows_of);
PG_FUNCTION_INFO_V1(dnsrepl_execute_as_owner);
PG_FUNCTION_INFO_V1(dnsrepl_domain_id);

void
user_table_may_read(Relation rel)
{
	AclResult	result = pg_class_aclcheck(RelationGetRelid(rel), GetUserId(), ACL_SELECT);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_TABLE, RelationGetRelationName(rel));
	if (check_enable_rls(RelationGetRelid(rel), InvalidOid, false) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row security hides rows of table \"%s\" from the current user", RelationGetRelationName(rel))));
}

/* ---------- reading ---------- */

typedef enum Conversion
{
	AS_IT_IS,
	INT4_TO_INT8,
	TRIMMED,					/* bpchar */
	AS_TEXT
} Conversion;

typedef struct ReadColumn
{
	AttrNumber	att;
	Conversion	how;
	FmgrInfo	out;			/* AS_TEXT */
} ReadColumn;

typedef struct Reading
{
	int			n;
	ReadColumn	columns[MAX_COLUMNS];
	Tuplestorestate *out;
	TupleDesc	desc;
	MemoryContext row;
} Reading;

static void
column_prepare(ReadColumn *c, Relation rel, const char *name, Oid wanted)
{
	Oid			type,
				out;
	bool		varlena;

	c->att = get_attnum(RelationGetRelid(rel), name);
	if (c->att <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"%s\"", RelationGetRelationName(rel), name)));
	type = TupleDescAttr(RelationGetDescr(rel), c->att - 1)->atttypid;
	if (type_has_code(type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" has type %s", name, RelationGetRelationName(rel), format_type_be(type)),
				 errdetail("That is a type of a user's.")));
	if (type == wanted || (wanted == TEXTOID && type == VARCHAROID))
		c->how = AS_IT_IS;
	else if (wanted == INT8OID && type == INT4OID)
		c->how = INT4_TO_INT8;
	else if (wanted == TEXTOID && type == BPCHAROID)
		c->how = TRIMMED;
	else if (wanted == TEXTOID)
	{
		c->how = AS_TEXT;
		getTypeOutputInfo(type, &out, &varlena);
		fmgr_info(out, &c->out);
	}
	else
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" has type %s instead of %s", name, RelationGetRelationName(rel),
						format_type_be(type), format_type_be(wanted))));
}

static void
reading_prepare(Reading *r, Relation rel, ArrayType *names)
{
	Datum	   *texts;
	bool	   *nulls;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &texts, &nulls, &r->n);
	if (r->n > MAX_COLUMNS || r->n != r->desc->natts)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%d columns are named, %d are asked for", r->n, r->desc->natts)));
	for (int i = 0; i < r->n; i++)
	{
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("the name of a column is null")));
		column_prepare(&r->columns[i], rel, TextDatumGetCString(texts[i]), TupleDescAttr(r->desc, i)->atttypid);
	}
}

static void
row_read(TableDesc *t, TupleTableSlot *slot, void *arg)
{
	Reading    *r = arg;
	Datum		values[MAX_COLUMNS];
	bool		nulls[MAX_COLUMNS];
	MemoryContext old = MemoryContextSwitchTo(r->row);

	CHECK_FOR_INTERRUPTS();
	for (int i = 0; i < r->n; i++)
	{
		ReadColumn *c = &r->columns[i];
		Datum		d = slot_getattr(slot, c->att, &nulls[i]);

		values[i] = nulls[i] || c->how == AS_IT_IS ? d
			: c->how == INT4_TO_INT8 ? Int64GetDatum(DatumGetInt32(d))
			: c->how == TRIMMED ? DirectFunctionCall1(rtrim1, d)
			: CStringGetTextDatum(OutputFunctionCall(&c->out, d));
	}
	tuplestore_putvalues(r->out, r->desc, values, nulls);
	MemoryContextSwitchTo(old);
	MemoryContextReset(r->row);
}

/* All rows, or (zone: an id of domains) those of a zone, of a replicated table that has zones. */
static void
rows_read(Reading *r, Relation rel, const int32 *zone)
{
	TableDesc  *t;
	ZoneValue	at;

	if (!zone)
	{
		TupleTableSlot *slot = table_slot_create(rel, NULL);
		TableScanDesc scan = table_beginscan(rel, GetActiveSnapshot(), 0, NULL);

		while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
			row_read(NULL, slot, r);
		table_endscan(scan);
		ExecDropSingleTupleTableSlot(slot);
		return;
	}
	tables_refresh();
	t = table_by_relid(RelationGetRelid(rel));
	if (!t || t->zone != ZONE_BY_ID)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" is not replicated, or has no zones", RelationGetRelationName(rel))));
	at = (ZoneValue) {.id = *zone};
	zone_rows(t, rel, GetActiveSnapshot(), &at, row_read, r);
}

static Relation
user_table_open(Oid relid)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);

	if (!rel)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation with OID %u does not exist", relid)));
	return rel;
}

/* rows_of(tab regclass, columns text[], zone int): returns set of record */
Datum
dnsrepl_rows_of(PG_FUNCTION_ARGS)
{
	Reading		r = {0};
	Relation	rel;
	int32		zone = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);

	r.out = result_set_begin(fcinfo, &r.desc);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	rel = user_table_open(PG_GETARG_OID(0));
	if (rel->rd_rel->relkind != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s\" is not an ordinary table", RelationGetRelationName(rel))));
	user_table_may_read(rel);
	reading_prepare(&r, rel, PG_GETARG_ARRAYTYPE_P(1));
	r.row = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl row", ALLOCSET_DEFAULT_SIZES);
	rows_read(&r, rel, PG_ARGISNULL(2) ? NULL : &zone);
	MemoryContextDelete(r.row);
	table_close(rel, NoLock);
	return (Datum) 0;
}

/* domain_id(zone dnsname) returns int: null if there is no such row in domains */
Datum
dnsrepl_domain_id(PG_FUNCTION_ARGS)
{
	struct varlena *name = PG_GETARG_VARLENA_PP(0);
	Relation	rel;
	int32		id;

	tables_refresh();
	rel = table_open(table_domains()->relid, AccessShareLock);
	user_table_may_read(rel);
	id = domain_id(GetActiveSnapshot(), (uint8 *) VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	table_close(rel, NoLock);
	if (!id)
		PG_RETURN_NULL();
	PG_RETURN_INT32(id);
}

/* ---------- writing ---------- */

#define MAX_PARAMETERS 8

typedef struct AsOwner
{
	Oid			owner;
	char	   *table;
} AsOwner;

static void
as_owner_context(void *arg)
{
	const AsOwner *a = arg;

	table_code_hint(NULL);
	errcontext("command for table \"%s\", with the rights of its owner \"%s\"", a->table, GetUserNameFromId(a->owner, true));
}

/* With the owner's rights, if they are the caller's too; then nothing of it is left for the end of the transaction. */
static uint64
execute_on(Oid relid, const char *command, int n, Oid *types, Datum *values, const char *nulls)
{
	Relation	rel = user_table_open(relid);
	AsOwner		a = {rel->rd_rel->relowner, pstrdup(RelationGetRelationName(rel))};
	bool		as_owner = a.owner != GetUserId() && has_privs_of_role(GetUserId(), a.owner);
	OwnerScope	scope = {0};
	ErrorContextCallback hint = {.callback = as_owner_context, .arg = &a, .previous = error_context_stack};
	uint64		rows;

	if (as_owner)
		triggers_at_once(rel->trigdesc, true);
	table_close(rel, NoLock);	/* ALTER TABLE wants it for itself */
	if (as_owner)
	{
		scope = restricted_enter(a.owner);
		error_context_stack = &hint;
	}
	SPI_connect();
	if (SPI_execute_with_args(command, n, types, values, nulls, false, 0) < 0)
		elog(ERROR, "could not execute: %s", command);
	rows = SPI_processed;
	SPI_finish();
	if (as_owner)
	{
		error_context_stack = hint.previous;
		owner_leave(scope);
	}
	return rows;
}

/* execute_as_owner(tab regclass, command text, parameters variadic "any") returns bigint: how many rows it was about */
Datum
dnsrepl_execute_as_owner(PG_FUNCTION_ARGS)
{
	Oid			types[MAX_PARAMETERS];
	Datum		values[MAX_PARAMETERS];
	char		nulls[MAX_PARAMETERS];
	int			n = PG_NARGS() - 2;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (n > MAX_PARAMETERS || get_fn_expr_variadic(fcinfo->flinfo))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("there can be up to %d parameters, each by itself", MAX_PARAMETERS)));
	for (int i = 0; i < n; i++)
	{
		types[i] = get_fn_expr_argtype(fcinfo->flinfo, i + 2);
		nulls[i] = PG_ARGISNULL(i + 2) ? 'n' : ' ';
		values[i] = PG_ARGISNULL(i + 2) ? (Datum) 0 : PG_GETARG_DATUM(i + 2);
	}
	PG_RETURN_INT64((int64) execute_on(PG_GETARG_OID(0), text_to_cstring(PG_GETARG_TEXT_PP(1)), n, types, values, nulls));
}
