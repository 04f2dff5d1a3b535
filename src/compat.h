/*
 * compat.h: every difference between PostgreSQL 14 and 18 that this project meets.
 *
 * No other file tests PG_VERSION_NUM.
 */
#ifndef DNSREPL_COMPAT_H
#define DNSREPL_COMPAT_H

#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/tableam.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "parser/parse_relation.h"
#include "postmaster/autovacuum.h"
#include "replication/reorderbuffer.h"
#include "replication/walsender.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/guc_tables.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/timeout.h"
#include "utils/tuplesort.h"

#if PG_VERSION_NUM < 140000 || PG_VERSION_NUM >= 190000
#error "dnsrepl supports PostgreSQL 14 to 18"
#endif

/* VARDATA() and its kin */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* This process's place in arrays of BACKEND_SLOTS entries. */
#if PG_VERSION_NUM >= 170000
#define BACKEND_SLOT ((int) MyProcNumber)
#define MY_LXID (MyProc->vxid.lxid)
#else
#define BACKEND_SLOT ((int) MyBackendId - 1)
#define MY_LXID (MyProc->lxid)
#endif

/* How many such places there are. 14 computes MaxBackends after the libraries have asked for memory. */
static inline int
compat_backend_slots(void)
{
#if PG_VERSION_NUM >= 170000
	return MaxBackends + NUM_AUXILIARY_PROCS;
#elif PG_VERSION_NUM >= 150000
	return MaxBackends;
#else
	return MaxConnections + autovacuum_max_workers + 1 + max_worker_processes + max_wal_senders;
#endif
}

#if PG_VERSION_NUM >= 150000
#define HAVE_SHMEM_REQUEST_HOOK 1
#define compat_reserve_prefix(name) MarkGUCPrefixReserved(name)
#else
#define compat_reserve_prefix(name) EmitWarningsOnPlaceholders(name)
#endif

static inline IndexScanDesc
compat_index_beginscan(Relation heap, Relation index, Snapshot snapshot, int nkeys)
{
#if PG_VERSION_NUM >= 180000
	return index_beginscan(heap, index, snapshot, NULL, nkeys, 0);
#else
	return index_beginscan(heap, index, snapshot, nkeys, 0);
#endif
}

/* heap_update() as simple_heap_update() calls it, as of a command of this transaction. */
static inline TM_Result
compat_heap_update(Relation rel, ItemPointer old, HeapTuple new, CommandId cid)
{
	TM_FailureData tmfd;
	LockTupleMode lockmode;
#if PG_VERSION_NUM >= 160000
	TU_UpdateIndexes indexes;

	return heap_update(rel, old, new, cid, InvalidSnapshot, true, &tmfd, &lockmode, &indexes);
#else
	return heap_update(rel, old, new, cid, InvalidSnapshot, true, &tmfd, &lockmode);
#endif
}

static inline void
compat_epq_init(EPQState *epq, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	EvalPlanQualInit(epq, estate, NULL, NIL, -1, NIL);
#else
	EvalPlanQualInit(epq, estate, NULL, NIL, -1);
#endif
}

/* All settings of this session. */
static inline struct config_generic **
compat_settings(int *n)
{
#if PG_VERSION_NUM >= 160000
	return get_guc_variables(n);
#else
	*n = GetNumConfigOptions();
	return get_guc_variables();
#endif
}

static inline void
compat_settings_free(struct config_generic **settings)
{
#if PG_VERSION_NUM >= 160000
	pfree(settings);
#endif
}

/* transaction_timeout does not end what runs now. */
static inline void
compat_disarm_transaction_timeout(void)
{
#if PG_VERSION_NUM >= 170000
	disable_timeout(TRANSACTION_TIMEOUT, false);
#endif
}

/* A decoded change's rows; NULL: there is none. */
static inline HeapTuple
compat_decoded_old(ReorderBufferChange *change)
{
#if PG_VERSION_NUM >= 170000
	return change->data.tp.oldtuple;
#else
	return change->data.tp.oldtuple ? &change->data.tp.oldtuple->tuple : NULL;
#endif
}

static inline HeapTuple
compat_decoded_new(ReorderBufferChange *change)
{
#if PG_VERSION_NUM >= 170000
	return change->data.tp.newtuple;
#else
	return change->data.tp.newtuple ? &change->data.tp.newtuple->tuple : NULL;
#endif
}

/* InvalidOid: there is none. */
static inline Oid
compat_primary_key(Relation rel)
{
	(void) RelationGetIndexList(rel);
#if PG_VERSION_NUM >= 180000
	return RelationGetPrimaryKeyIndex(rel, false);
#else
	return rel->rd_pkindex;
#endif
}

/* The next datum of a sort, in the current memory context. */
static inline bool
compat_tuplesort_getdatum(Tuplesortstate *sort, Datum *d, bool *isnull)
{
#if PG_VERSION_NUM >= 160000
	return tuplesort_getdatum(sort, true, true, d, isnull, NULL);
#else
	return tuplesort_getdatum(sort, true, d, isnull, NULL);
#endif
}

/* An executor state that knows one table, in which `updated` (attribute numbers, offset as in RTEs) may change. */
static inline EState *
compat_estate_create(Relation rel, Bitmapset *updated)
{
	EState	   *estate = CreateExecutorState();
	RangeTblEntry *rte = makeNode(RangeTblEntry);
	List	   *rtable = list_make1(rte);

	rte->rtekind = RTE_RELATION;
	rte->relid = RelationGetRelid(rel);
	rte->relkind = rel->rd_rel->relkind;
	rte->rellockmode = AccessShareLock;
#if PG_VERSION_NUM >= 160000
	{
		List	   *perms = NIL;
		RTEPermissionInfo *perm = addRTEPermissionInfo(&perms, rte);

		perm->updatedCols = updated;
		perm->insertedCols = updated;
#if PG_VERSION_NUM >= 180000
		ExecInitRangeTable(estate, rtable, perms, bms_make_singleton(1));
#else
		ExecInitRangeTable(estate, rtable, perms);
#endif
	}
#else
	rte->updatedCols = updated;
	rte->insertedCols = updated;
	ExecInitRangeTable(estate, rtable);
#endif
	return estate;
}

#endif
