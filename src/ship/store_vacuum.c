/*
 * store_vacuum.c: see store_vacuum.h.
 *
 * A version that replaces another has another stamp, so its row needs a line pointer and index entries of its own: of the
 * old one some twenty octets stay until VACUUM. Autovacuum comes by once a minute at most; 100,000 changes of a few names
 * take less time than that, and would leave megabytes.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "parser/parser.h"
#include "pgstat.h"
#include "postmaster/autovacuum.h"
#include "tcop/utility.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "ship/store_vacuum.h"
#include "ship/worker.h"
#include "store/clock.h"
#include "store/schema.h"

#define DEAD_LEAST		10000	/* rows, or ... */
#define DEAD_PART		20		/* one of so many: VACUUM reads the indexes whole */

static const char vacuum[] = "VACUUM (SKIP_LOCKED, INDEX_CLEANUP on, TRUNCATE off, PARALLEL 0) dnsrepl.version_store";

/* 0: there is no store. */
static uint64
dead_enough(void)
{
	Oid			relid;
	HeapTuple	tuple;
	uint64		enough = 0;

	worker_begin();
	relid = schema_find("version_store");
	tuple = OidIsValid(relid) ? SearchSysCache1(RELOID, ObjectIdGetDatum(relid)) : NULL;
	if (HeapTupleIsValid(tuple))
	{
		enough = Max(DEAD_LEAST, (uint64) Max(((Form_pg_class) GETSTRUCT(tuple))->reltuples, 0) / DEAD_PART);
		ReleaseSysCache(tuple);
	}
	worker_commit();
	return enough;
}

/* It ends the transaction in which it is called, and begins others. */
static void
vacuum_run(MemoryContext context)
{
	PlannedStmt *stmt;

	worker_enter();
	SetCurrentStatementStartTimestamp();
	pgstat_report_activity(STATE_RUNNING, vacuum);
	StartTransactionCommand();
	MemoryContextSwitchTo(context);
	stmt = makeNode(PlannedStmt);
	stmt->commandType = CMD_UTILITY;
	stmt->utilityStmt = linitial_node(RawStmt, raw_parser(vacuum, RAW_PARSE_DEFAULT))->stmt;
	ProcessUtility(stmt, vacuum, false, PROCESS_UTILITY_TOPLEVEL, NULL, NULL, None_Receiver, NULL);
	CommitTransactionCommand();
	pgstat_report_activity(STATE_IDLE, NULL);
	worker_leave();
}

void
store_vacuum(void)
{
	static uint64 seen = 0;
	uint64		replaced = pg_atomic_read_u64(&clock_slot()->replaced);
	uint64		enough;
	MemoryContext portal = PortalContext;

	if (replaced < seen)
		seen = 0;				/* the slot is of another node by now */
	if (replaced - seen < DEAD_LEAST || !AutoVacuumingActive())
		return;
	enough = dead_enough();
	if (enough == 0 || replaced - seen < enough)
		return;
	seen = replaced;
	PortalContext = AllocSetContextCreate(TopMemoryContext, "dnsrepl vacuum", ALLOCSET_DEFAULT_SIZES);
	PG_TRY();
	{
		vacuum_run(PortalContext);
	}
	PG_FINALLY();
	{
		MemoryContext done = PortalContext;

		MemoryContextSwitchTo(TopMemoryContext);
		PortalContext = portal;
		MemoryContextDelete(done);
	}
	PG_END_TRY();
}
