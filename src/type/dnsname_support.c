/*
 * dnsname_support.c: tells the planner that the names below a zone are a range of a btree.
 *
 *		name <<= zone		name >= zone AND name < dnsname_subtree_end(zone)
 *		name <<  zone		name >  zone AND name < dnsname_subtree_end(zone)
 *
 * and the same for zone >>= name and zone >> name. The zone may be anything that the scan knows beforehand: a
 * constant, a parameter, a column of the outer side of a nested loop. The range is exact, no recheck is needed.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "type/dnsname.h"

PG_FUNCTION_INFO_V1(dnsname_below_support);
PG_FUNCTION_INFO_V1(dnsname_below_eq_support);
PG_FUNCTION_INFO_V1(dnsname_above_support);
PG_FUNCTION_INFO_V1(dnsname_above_eq_support);

/* Everything is below the root: its range has no end worth asking for. */
static bool
is_root(Node *zone)
{
	return IsA(zone, Const) && dnsname_length(DatumGetDnsname(((Const *) zone)->constvalue)) == 0;
}

/* dnsname_subtree_end(zone), computed now if the zone is a constant; NULL if there is no such function. */
static Expr *
subtree_end_expr(Node *zone, Oid type, Oid schema)
{
	Oid			function;

	if (IsA(zone, Const))
		return (Expr *) makeConst(type, -1, InvalidOid, -1,
								  DirectFunctionCall1(dnsname_subtree_end, ((Const *) zone)->constvalue),
								  false, false);
	/* whoever may use the operator may have no right to name the schema it is in */
	function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("dnsname_subtree_end"),
							   PointerGetDatum(buildoidvector(&type, 1)), ObjectIdGetDatum(schema));
	if (!OidIsValid(function))
		return NULL;
	return (Expr *) makeFuncExpr(function, type, list_make1(copyObject(zone)), InvalidOid, InvalidOid,
								 COERCE_EXPLICIT_CALL);
}

/* The two index conditions, or NIL if this index cannot answer. */
static List *
index_range(SupportRequestIndexCondition *req, int name_arg, StrategyNumber from)
{
	OpExpr	   *clause = (OpExpr *) req->node;
	Oid			type = req->index->opcintype[req->indexcol];
	Oid			from_op;
	Oid			to_op;
	Node	   *name;
	Node	   *zone;
	Expr	   *start;
	Expr	   *end;

	/* One way round only: the name is the indexed column. Others than operators are not worth a search. */
	if (!is_opclause((Node *) clause) || req->indexarg != name_arg || req->index->relam != BTREE_AM_OID)
		return NIL;
	name = (Node *) list_nth(clause->args, name_arg);
	zone = (Node *) list_nth(clause->args, 1 - name_arg);
	if (exprType(zone) != type || (IsA(zone, Const) && ((Const *) zone)->constisnull))
		return NIL;

	from_op = get_opfamily_member(req->opfamily, type, type, (int16) from);
	to_op = get_opfamily_member(req->opfamily, type, type, BTLessStrategyNumber);
	end = subtree_end_expr(zone, type, get_func_namespace(req->funcid));
	if (!OidIsValid(from_op) || !OidIsValid(to_op) || end == NULL)
		return NIL;

	req->lossy = false;
	start = make_opclause(from_op, BOOLOID, false, (Expr *) name, (Expr *) zone, InvalidOid, InvalidOid);
	if (is_root(zone))
		return list_make1(start);
	return list_make2(start,
					  make_opclause(to_op, BOOLOID, false, (Expr *) copyObject(name), end,
									InvalidOid, InvalidOid));
}

static Datum
support(FunctionCallInfo fcinfo, int name_arg, StrategyNumber from)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	List	   *range = NIL;

	if (IsA(request, SupportRequestIndexCondition))
		range = index_range((SupportRequestIndexCondition *) request, name_arg, from);
	PG_RETURN_POINTER(range);
}

Datum
dnsname_below_support(PG_FUNCTION_ARGS)
{
	return support(fcinfo, 0, BTGreaterStrategyNumber);
}

Datum
dnsname_below_eq_support(PG_FUNCTION_ARGS)
{
	return support(fcinfo, 0, BTGreaterEqualStrategyNumber);
}

Datum
dnsname_above_support(PG_FUNCTION_ARGS)
{
	return support(fcinfo, 1, BTGreaterStrategyNumber);
}

Datum
dnsname_above_eq_support(PG_FUNCTION_ARGS)
{
	return support(fcinfo, 1, BTGreaterEqualStrategyNumber);
}
