/*
 * writer.c: see writer.h.
 *
 * The executor's routines for replicated rows (as logical replication uses them): constraints, indexes, generated
 * columns and triggers are the executor's business, and there is no plan per row.
 *
 * Whatever of that is the owner's code runs with his rights in a security-restricted context, and finds by name what is in
 * CODE_SEARCH_PATH (store/schema.h) only, whoever has caused the write: a worker, a peer's merge, an author whose commit has the
 * serial follow. Else somebody's schema or temporary table would choose what the owner's rights are lent to.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "store/schema.h"
#include "store/table_code.h"
#include "store/writer.h"

struct Writer
{
	TableDesc  *t;
	Relation	rel;
	EState	   *estate;
	ResultRelInfo *result;
	EPQState	epq;
	TupleTableSlot *found;		/* the row that is there */
	TupleTableSlot *row;		/* the row to be */
	ExprState **defaults;		/* by attribute; NULL: none, or given */
	OwnerScope	scope;			/* to return from */
	ErrorContextCallback hint;
};

/* ---------- the owner's code ---------- */

/* What follows may call CHECKs, defaults, triggers, and what indexes are made of: what they do not find is their error. */
static void
owner_code_begin(Writer *w)
{
	w->hint = (ErrorContextCallback) {.callback = table_code_hint, .previous = error_context_stack};
	error_context_stack = &w->hint;
}

static void
owner_code_end(Writer *w)
{
	error_context_stack = w->hint.previous;
}

char *
writer_error(const ErrorData *e)
{
	bool		hinted = e->hint && strstr(e->hint, CODE_SEARCH_PATH);

	return !e->message ? pstrdup("unknown error") : hinted ? psprintf("%s. %s", e->message, e->hint) : pstrdup(e->message);
}

static Bitmapset *
shipped_columns(TableDesc *t)
{
	Bitmapset  *set = NULL;

	for (int c = 0; c < t->ncolumns; c++)
		set = bms_add_member(set, t->columns[c].att - FirstLowInvalidHeapAttributeNumber);
	return set;
}

static bool
is_given(TableDesc *t, AttrNumber att)
{
	if (t->zone != ZONE_NONE && att == t->zone_att)
		return true;
	for (int k = 0; k < t->nkeys; k++)
		if (t->keys[k].att == att)
			return true;
	for (int c = 0; c < t->ncolumns; c++)
		if (t->columns[c].att == att)
			return true;
	return false;
}

static void
defaults_prepare(Writer *w)
{
	TupleDesc	desc = RelationGetDescr(w->rel);
	MemoryContext old = MemoryContextSwitchTo(w->estate->es_query_cxt);

	w->defaults = palloc0(sizeof(ExprState *) * (size_t) desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		Expr	   *expr;

		if (att->attisdropped || att->attgenerated || is_given(w->t, att->attnum))
			continue;
		expr = (Expr *) build_column_default(w->rel, att->attnum);
		if (expr)
			w->defaults[i] = ExecInitExpr(expression_planner(expr), NULL);
	}
	MemoryContextSwitchTo(old);
}

/*
 * Deferred triggers that fire for replicas too run at once, as the table's owner: the executor does not let them be queued
 * in a restricted operation. What this transaction has deferred so far runs now, so not with the owner's rights yet; what an
 * author has deferred has run before his commit comes here.
 */
void
triggers_at_once(const TriggerDesc *triggers, bool of_edits)
{
	bool		any = false;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
		any |= triggers->triggers[i].tginitdeferred && (of_edits || triggers->triggers[i].tgenabled != TRIGGER_FIRES_ON_ORIGIN);
	if (any)
	{
		ConstraintsSetStmt *all = makeNode(ConstraintsSetStmt);

		AfterTriggerSetState(all);
		pfree(all);
	}
}

/* What is projected is not captured: the trigger that notes edits is not even queued. */
static void
trigger_leave_out(TriggerDesc *triggers)
{
	Oid			note = triggers ? schema_function("note") : InvalidOid;
	int			n = 0;

	if (!OidIsValid(note))
		return;
	triggers->trig_insert_after_row = triggers->trig_update_after_row = triggers->trig_delete_after_row = false;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		Trigger    *g = &triggers->triggers[i];

		if (g->tgfoid == note)
			continue;
		triggers->triggers[n++] = *g;
		triggers->trig_insert_after_row |= TRIGGER_TYPE_MATCHES(g->tgtype, TRIGGER_TYPE_ROW, TRIGGER_TYPE_AFTER, TRIGGER_TYPE_INSERT);
		triggers->trig_update_after_row |= TRIGGER_TYPE_MATCHES(g->tgtype, TRIGGER_TYPE_ROW, TRIGGER_TYPE_AFTER, TRIGGER_TYPE_UPDATE);
		triggers->trig_delete_after_row |= TRIGGER_TYPE_MATCHES(g->tgtype, TRIGGER_TYPE_ROW, TRIGGER_TYPE_AFTER, TRIGGER_TYPE_DELETE);
	}
	triggers->numtriggers = n;
}

Writer *
writer_open(TableDesc *t)
{
	Writer	   *w = palloc0(sizeof(Writer));

	w->t = t;
	w->rel = table_open_as(t, RowExclusiveLock);
	if (w->rel->rd_rel->relkind != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s\" is not an ordinary table", t->name)));
	table_code_guard(w->rel);
	triggers_at_once(w->rel->trigdesc, false);
	w->scope = restricted_enter(table_code_role(w->rel->rd_rel->relowner));
	w->estate = compat_estate_create(w->rel, shipped_columns(t));
	w->estate->es_output_cid = GetCurrentCommandId(true);
	w->estate->es_snapshot = RegisterSnapshot(GetActiveSnapshot());
	w->result = makeNode(ResultRelInfo);
	InitResultRelInfo(w->result, w->rel, 1, NULL, 0);
	trigger_leave_out(w->result->ri_TrigDesc);
	/* where AFTER triggers look for it */
	w->estate->es_opened_result_relations = lappend(w->estate->es_opened_result_relations, w->result);
	owner_code_begin(w);
	ExecOpenIndices(w->result, false);
	owner_code_end(w);
	compat_epq_init(&w->epq, w->estate);
	w->found = table_slot_create(w->rel, &w->estate->es_tupleTable);
	w->row = ExecInitExtraTupleSlot(w->estate, RelationGetDescr(w->rel), &TTSOpsVirtual);
	AfterTriggerBeginQuery();
	return w;
}

void
writer_close(Writer *w)
{
	owner_code_begin(w);
	AfterTriggerEndQuery(w->estate);
	owner_code_end(w);
	EvalPlanQualEnd(&w->epq);
	ExecCloseIndices(w->result);
	ExecResetTupleTable(w->estate->es_tupleTable, false);
	UnregisterSnapshot(w->estate->es_snapshot);
	w->estate->es_snapshot = InvalidSnapshot;
	FreeExecutorState(w->estate);
	owner_leave(w->scope);
	table_close(w->rel, NoLock);
}

Relation
writer_relation(Writer *w)
{
	return w->rel;
}

static void
slot_set(TupleTableSlot *slot, AttrNumber att, Datum value, bool isnull)
{
	slot->tts_values[att - 1] = value;
	slot->tts_isnull[att - 1] = isnull;
}

static void
slot_set_row(Writer *w, const Row *row)
{
	Datum		values[MAX_COLUMNS];
	bool		nulls[MAX_COLUMNS];

	row_decode(w->t, row->data, row->len, values, nulls);
	for (int c = 0; c < w->t->ncolumns; c++)
		slot_set(w->row, w->t->columns[c].att, values[c], nulls[c]);
}

static void
slot_set_defaults(Writer *w)
{
	TupleDesc	desc = RelationGetDescr(w->rel);
	ExprContext *context = GetPerTupleExprContext(w->estate);

	for (int i = 0; i < desc->natts; i++)
	{
		w->row->tts_isnull[i] = true;
		if (!w->defaults[i])
			continue;
		w->row->tts_values[i] = ExecEvalExpr(w->defaults[i], context, &w->row->tts_isnull[i]);
	}
}

/* A key in other octets than this node would write would never find its rows again. */
static void
key_same(Writer *w, const uint8 *key, size_t key_len)
{
	StringInfoData made;

	initStringInfo(&made);
	if (!key_encode(&made, w->t, w->row) || (size_t) made.len != key_len || memcmp(made.data, key, key_len) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("a version of \"%s\" has rows of another key", w->t->name)));
	pfree(made.data);
}

/* ---------- triggers of the user's ---------- */

static void
row_suppressed(Writer *w)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
			 errmsg("a row of \"%s\" was suppressed by a trigger", w->t->name),
			 errhint("A trigger that fires ALWAYS, or for replicas, has to let pass what other nodes wrote.")));
}

/* Is it there, and as it was meant to be? Else the table would not be what the store says, and nobody would know. */
static void
row_as_meant(Writer *w, const uint8 *key, size_t key_len, const Row *row, bool triggers)
{
	StringInfoData made;

	if (!ItemPointerIsValid(&w->row->tts_tid))
		row_suppressed(w);
	if (!triggers)
		return;
	key_same(w, key, key_len);
	initStringInfo(&made);
	row_encode(&made, w->t, w->row);
	if ((size_t) made.len != row->len || memcmp(made.data, row->data, row->len) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
				 errmsg("a row of \"%s\" was changed by a trigger", w->t->name),
				 errhint("A trigger that fires ALWAYS, or for replicas, has to let pass what other nodes wrote.")));
	pfree(made.data);
}

int32
writer_insert(Writer *w, const ZoneValue *zone, const uint8 *key, size_t key_len, const Row *row)
{
	TableDesc  *t = w->t;
	Datum		values[MAX_KEY_COLUMNS];
	bool		nulls[MAX_KEY_COLUMNS];
	bool		isnull;
	int32		id = 0;

	owner_code_begin(w);
	if (!w->defaults)
		defaults_prepare(w);
	ResetPerTupleExprContext(w->estate);
	ExecClearTuple(w->row);
	slot_set_defaults(w);
	key_decode(t, key, key_len, values, nulls);
	for (int k = 0; k < t->nkeys; k++)
		slot_set(w->row, t->keys[k].att, values[k], nulls[k]);
	if (t->zone != ZONE_NONE)
		slot_set(w->row, t->zone_att, zone_datum(t, zone), false);
	slot_set_row(w, row);		/* last: a hashed key column is among the shipped ones */
	ExecStoreVirtualTuple(w->row);
	key_same(w, key, key_len);
	ExecSimpleRelationInsert(w->result, w->estate, w->row);
	owner_code_end(w);
	row_as_meant(w, key, key_len, row, w->rel->trigdesc && w->rel->trigdesc->trig_insert_before_row);
	if (t->id_att)
		id = DatumGetInt32(slot_getattr(w->row, t->id_att, &isnull));
	return id;
}

/* Fetches a row and locks it; never waits: whoever has it may be waiting for what this transaction has. */
static bool
row_lock_as(Writer *w, const ItemPointerData *tid, LockWaitPolicy policy)
{
	ItemPointerData at = *tid;
	TM_FailureData tmfd;

	return table_tuple_lock(w->rel, &at, w->estate->es_snapshot, w->found, w->estate->es_output_cid,
							LockTupleExclusive, policy, 0, &tmfd) == TM_Ok;
}

static void
row_lock(Writer *w, const ItemPointerData *tid)
{
	if (!row_lock_as(w, tid, LockWaitError))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("a row of \"%s\" was changed by another transaction meanwhile", w->t->name)));
}

/* The row to be is the one that is there, until columns of it are set. */
static void
slot_set_found(Writer *w)
{
	int			natts = RelationGetDescr(w->rel)->natts;

	slot_getallattrs(w->found);
	ExecClearTuple(w->row);
	memcpy(w->row->tts_values, w->found->tts_values, sizeof(Datum) * (size_t) natts);
	memcpy(w->row->tts_isnull, w->found->tts_isnull, sizeof(bool) * (size_t) natts);
}

/* The row that was found. */
static void
found_update(Writer *w, const Row *new)
{
	bool		triggers = w->rel->trigdesc && w->rel->trigdesc->trig_update_before_row;
	StringInfoData key = {0};

	owner_code_begin(w);
	slot_set_found(w);
	if (triggers)
	{
		initStringInfo(&key);
		(void) key_encode(&key, w->t, w->found);
	}
	slot_set_row(w, new);
	ExecStoreVirtualTuple(w->row);
	ExecSimpleRelationUpdate(w->result, w->estate, &w->epq, w->found, w->row);
	owner_code_end(w);
	row_as_meant(w, (uint8 *) key.data, (size_t) key.len, new, triggers);
}

void
writer_update(Writer *w, const Row *old, const Row *new)
{
	ResetPerTupleExprContext(w->estate);
	row_lock(w, &old->tid);
	found_update(w, new);
}

void
writer_delete(Writer *w, const ItemPointerData *tid)
{
	ResetPerTupleExprContext(w->estate);
	row_lock(w, tid);
	owner_code_begin(w);
	ExecSimpleRelationDelete(w->result, w->estate, &w->epq, w->found);
	owner_code_end(w);
	/* could it be locked, had a trigger not let it be deleted? */
	if (w->rel->trigdesc && w->rel->trigdesc->trig_delete_before_row && row_lock_as(w, tid, LockWaitError))
		row_suppressed(w);
}

/* ---------- what is local ---------- */

static void
slot_set_locals(Writer *w, const Locals *l)
{
	for (int i = 0; i < l->n; i++)
		slot_set(w->row, l->att[i], l->values[i], l->nulls[i]);
}

bool
writer_set_locals(Writer *w, const ItemPointerData *tid, const Locals *locals)
{
	ResetPerTupleExprContext(w->estate);
	if (!row_lock_as(w, tid, LockWaitSkip))
		return false;
	slot_set_found(w);
	slot_set_locals(w, locals);
	ExecStoreVirtualTuple(w->row);
	owner_code_begin(w);
	ExecSimpleRelationUpdate(w->result, w->estate, &w->epq, w->found, w->row);
	owner_code_end(w);
	return true;
}

void
writer_add_local(Writer *w, const Locals *locals)
{
	owner_code_begin(w);
	if (!w->defaults)
		defaults_prepare(w);
	ResetPerTupleExprContext(w->estate);
	ExecClearTuple(w->row);
	slot_set_defaults(w);
	slot_set_locals(w, locals);
	ExecStoreVirtualTuple(w->row);
	ExecSimpleRelationInsert(w->result, w->estate, w->row);
	owner_code_end(w);
}

bool
writer_drop_local(Writer *w, const ItemPointerData *tid)
{
	ResetPerTupleExprContext(w->estate);
	if (!row_lock_as(w, tid, LockWaitSkip))
		return false;
	owner_code_begin(w);
	ExecSimpleRelationDelete(w->result, w->estate, &w->epq, w->found);
	owner_code_end(w);
	return true;
}

void
writing_locals(void (*fn) (void *arg), void *arg)
{
	int			role = SessionReplicationRole;
	bool		was = projecting;

	CommandCounterIncrement();
	PushCopiedSnapshot(GetLatestSnapshot());
	UpdateActiveSnapshotCommandId();
	SessionReplicationRole = SESSION_REPLICATION_ROLE_REPLICA;
	projecting = true;
	PG_TRY();
	{
		fn(arg);
	}
	PG_FINALLY();
	{
		SessionReplicationRole = role;
		projecting = was;
	}
	PG_END_TRY();
	PopActiveSnapshot();
	CommandCounterIncrement();
}

/* ---------- one row ---------- */

typedef struct Overwrite
{
	TableDesc  *t;
	const Row  *row,
			   *new;
	bool		done;
} Overwrite;

static void
overwrite(void *arg)
{
	Overwrite  *o = arg;
	Writer	   *w = writer_open(o->t);

	ItemPointerData at = o->row->tid;

	/* nobody else can have locked what this transaction has written */
	o->done = o->row->ours ? table_tuple_fetch_row_version(w->rel, &at, w->estate->es_snapshot, w->found)
		: row_lock_as(w, &o->row->tid, LockWaitSkip);
	if (o->done)
		found_update(w, o->new);
	writer_close(w);
}

bool
row_overwrite(TableDesc *t, const Row *row, const Row *new)
{
	Overwrite	o = {t, row, new, false};

	writing_locals(overwrite, &o);
	return o.done;
}
