/*
 * delete_turn.c: see delete_turn.h.
 *
 * PowerDNS replaces an RRset by DELETE and INSERT, and the zone's SOA record with it, under READ COMMITTED. A DELETE that
 * waits for the row of another who is doing the same does not see what that one has inserted: then there are two. So a
 * DELETE from a zone whose id it names (domain_id = $1) waits, before it takes its snapshot, until whoever began to delete
 * from the zone has ended; it keeps its turn until its own transaction ends. The second of two then replaces what the first
 * has written, as if it had come later, which it has.
 *
 * Whoever waits for longer than TURN_WAIT goes on, and does not wait again: a transaction that is left open holds up nobody for good. Then, and for a
 * DELETE that names its zone otherwise, the rules of the zone (zone_check.c) see to it that nothing contradictory is left.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "storage/proc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "store/private_lock.h"
#include "store/relation.h"
#include "store/schema.h"
#include "write/delete_turn.h"

#define TURN_WAIT	5000		/* ms */

static ExecutorStart_hook_type next_executor_start = NULL;

typedef struct TurnSearch
{
	AttrNumber	att;			/* of domain_id */
	ParamListInfo params;
	int32		zone;			/* 0: not found */
} TurnSearch;

static bool
value_of(Node *node, ParamListInfo params, int32 *value)
{
	if (IsA(node, Const) && ((Const *) node)->consttype == INT4OID && !((Const *) node)->constisnull)
	{
		*value = DatumGetInt32(((Const *) node)->constvalue);
		return true;
	}
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXTERN && params && ((Param *) node)->paramid <= params->numParams)
	{
		ParamExternData work;
		ParamExternData *p = params->paramFetch ? params->paramFetch(params, ((Param *) node)->paramid, false, &work)
			: &params->params[((Param *) node)->paramid - 1];

		if (p->ptype != INT4OID || p->isnull)
			return false;
		*value = DatumGetInt32(p->value);
		return true;
	}
	return false;
}

static void
quals_search(List *quals, TurnSearch *s)
{
	ListCell   *lc;

	foreach(lc, quals)
	{
		OpExpr	   *op = lfirst(lc);
		Node	   *left,
				   *right;

		if (!IsA(op, OpExpr) || op->opno != Int4EqualOperator || list_length(op->args) != 2)
			continue;
		left = linitial(op->args);
		right = lsecond(op->args);
		if (!IsA(left, Var))
		{
			left = right;
			right = linitial(op->args);
		}
		if (IsA(left, Var) && ((Var *) left)->varattno == s->att)
			(void) value_of(right, s->params, &s->zone);
	}
}

/* Only where nothing is joined: one table, and what of it. */
static void
plan_search(Plan *plan, TurnSearch *s)
{
	if (!plan)
		return;
	quals_search(plan->qual, s);
	if (IsA(plan, IndexScan))
		quals_search(((IndexScan *) plan)->indexqualorig, s);
	else if (IsA(plan, BitmapHeapScan))
		quals_search(((BitmapHeapScan *) plan)->bitmapqualorig, s);
	else if (IsA(plan, ModifyTable))
		plan_search(outerPlan(plan), s);
}

/* The zone that a DELETE from records names; 0: it is another statement. */
static int32
zone_deleted_from(QueryDesc *q)
{
	PlannedStmt *stmt = q->plannedstmt;
	TurnSearch	s = {.params = q->params};
	RangeTblEntry *rte;
	TableDesc  *t;
	const char *name;

	if (q->operation != CMD_DELETE || IsolationUsesXactSnapshot() || projecting || list_length(stmt->resultRelations) != 1 ||
		!OidIsValid(schema_find("tab")))
		return 0;
	rte = list_nth(stmt->rtable, linitial_int(stmt->resultRelations) - 1);
	name = get_rel_name(rte->relid);
	if (!name || strcmp(name, "records") != 0)
		return 0;				/* nor anything of ours, which may be in the midst of it */
	tables_refresh();
	t = table_by_relid(rte->relid);
	if (!t || t->number != TABLE_RECORDS)
		return 0;
	s.att = t->zone_att;
	plan_search(stmt->planTree, &s);
	return s.zone;
}

static void
turn_wait(QueryDesc *q, int32 zone)
{
	static LocalTransactionId gave_up = InvalidLocalTransactionId;
	int			most = LockTimeout > 0 ? Min(LockTimeout, TURN_WAIT) : TURN_WAIT;

	if (!private_lock(LOCK_TURN, (uint32) zone, ExclusiveLock, true))
	{
		if (gave_up == MY_LXID)
			return;				/* a transaction waits in vain once */
		if (!private_lock_within(LOCK_TURN, (uint32) zone, ExclusiveLock, most))
		{
			gave_up = MY_LXID;
			return;
		}
	}
	/* with what others have left until now, even if they had ended when this came here */
	UnregisterSnapshot(q->snapshot);
	q->snapshot = RegisterSnapshot(GetLatestSnapshot());
}

static void
delete_turn_start(QueryDesc *q, int flags)
{
	int32		zone = flags & EXEC_FLAG_EXPLAIN_ONLY ? 0 : zone_deleted_from(q);

	if (zone)
		turn_wait(q, zone);
	if (next_executor_start)
		next_executor_start(q, flags);
	else
		standard_ExecutorStart(q, flags);
}

void
delete_turn_init(void)
{
	next_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = delete_turn_start;
}
