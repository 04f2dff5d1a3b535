/*
 * table_code.c: see table_code.h.
 *
 * No search_path keeps a session's temporary tables and types from being found by their bare names. One that has the name of what
 * an owner's trigger writes to would have its own triggers run with that owner's rights. So where rows are written as their owner
 * on behalf of somebody who is not, there must be no temporary objects, or no code.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/syscache.h"

#include "compat.h"
#include "store/relation.h"
#include "store/schema.h"
#include "store/table_code.h"

void
table_code_hint(void *arg)
{
	int			code = geterrcode();

	if (code == ERRCODE_UNDEFINED_FUNCTION || code == ERRCODE_UNDEFINED_TABLE || code == ERRCODE_UNDEFINED_OBJECT)
		errhint("It was called with search_path = " CODE_SEARCH_PATH
				": name the schema, or give the function that names it a SET search_path.");
}

/* ---------- is there any? ---------- */

static bool
function_is_code(Oid function, void *arg)
{
	return function >= FirstNormalObjectId;
}

static bool
expression_has_code(Node *node, void *arg)
{
	if (node == NULL)
		return false;
	if (IsA(node, CoerceToDomain) || check_functions_in_node(node, function_is_code, NULL))
		return true;
	return expression_tree_walker(node, expression_has_code, arg);
}

static bool
triggers_have_code(const TriggerDesc *triggers)
{
	Oid			note = schema_function("note"),
				note_truncate = schema_function("note_truncate");

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *g = &triggers->triggers[i];

		if ((g->tgenabled == TRIGGER_FIRES_ALWAYS || g->tgenabled == TRIGGER_FIRES_ON_REPLICA) &&
			g->tgfoid != note && g->tgfoid != note_truncate)
			return true;
	}
	return false;
}

static bool
columns_have_code(TupleDesc desc)
{
	const TupleConstr *constr = desc->constr;

	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped && type_has_code(TupleDescAttr(desc, i)->atttypid))
			return true;
	for (int i = 0; constr && i < constr->num_check; i++)
		if (expression_has_code(stringToNode(constr->check[i].ccbin), NULL))
			return true;
	for (int i = 0; constr && i < constr->num_defval; i++)
		if (expression_has_code(stringToNode(constr->defval[i].adbin), NULL))
			return true;
	return false;
}

static bool
index_has_code(HeapTuple index)
{
	static const int parts[] = {Anum_pg_index_indexprs, Anum_pg_index_indpred};

	for (size_t i = 0; i < lengthof(parts); i++)
	{
		bool		isnull;
		Datum		d = SysCacheGetAttr(INDEXRELID, index, (AttrNumber) parts[i], &isnull);

		if (!isnull && expression_has_code(stringToNode(TextDatumGetCString(d)), NULL))
			return true;
	}
	return false;
}

/* Triggers that fire for replicas, CHECKs, defaults, indexes, domains. */
static bool
table_has_code(Relation rel)
{
	ListCell   *lc;
	bool		has = triggers_have_code(rel->trigdesc) || columns_have_code(RelationGetDescr(rel));

	foreach(lc, has ? NIL : RelationGetIndexList(rel))
	{
		HeapTuple	index = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));

		if (!HeapTupleIsValid(index))
			continue;
		has |= index_has_code(index);
		ReleaseSysCache(index);
	}
	return has;
}

/* ---------- temporary objects ---------- */

static bool
schema_has_objects(Oid schema)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData key[2];
	SysScanDesc scan;
	bool		has;

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(NamespaceRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(schema));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2, key);
	has = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return has;
}

static LocalTransactionId in_call = InvalidLocalTransactionId;

void
table_code_in_call(bool begins)
{
	in_call = begins ? MY_LXID : InvalidLocalTransactionId;
}

Oid
table_code_role(Oid owner)
{
	return in_call == MY_LXID || has_privs_of_role(GetUserId(), owner) ? owner : GetUserId();
}

static Oid
temporary_schema(void)
{
	Oid			schema,
				toast;

	GetTempNamespaceState(&schema, &toast);
	return schema;
}

void
temporary_objects_refuse(Oid role)
{
	Oid			schema = temporary_schema();

	if (!OidIsValid(schema) || has_privs_of_role(GetUserId(), role) || !schema_has_objects(schema))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("functions of role \"%s\" cannot be called in a session that has temporary objects", GetUserNameFromId(role, false)),
			 errdetail("They are called with that role's rights when rows of its tables are written for replication, and might find the temporary objects by name."),
			 errhint("Run DISCARD TEMP first, or use another session.")));
}

void
table_code_guard(Relation rel)
{
	if (OidIsValid(temporary_schema()) && table_has_code(rel))
		temporary_objects_refuse(rel->rd_rel->relowner);
}
