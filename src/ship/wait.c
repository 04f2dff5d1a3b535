/*
 * wait.c: wait_for_peers(): until every link that is not paused has confirmed what had been committed.
 *
 * The commits of this session are counted before its client hears of them, so the count at the start covers them.
 * The table is looked at again each time, in a snapshot of that moment: a peer that is dropped or paused meanwhile
 * is not waited for, and the manager wakes us for it.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "dnsrepl.h"
#include "ship/link_state.h"
#include "ship/peer.h"
#include "store/clock.h"

PG_FUNCTION_INFO_V1(wait_for_peers);

static bool
peers_have_acked(MemoryContext work, uint64 commits)
{
	MemoryContext caller = MemoryContextSwitchTo(work);
	bool		all = true;
	bool		found;
	List	   *rows;
	ListCell   *lc;

	PushActiveSnapshot(GetLatestSnapshot());
	rows = peer_read_all(GetActiveSnapshot(), &found);
	PopActiveSnapshot();
	foreach(lc, rows)
	{
		const PeerRow *row = lfirst(lc);

		if (!row->paused && !link_state_has_acked(MyDatabaseId, row->name, commits, row->resyncs))
			all = false;
	}
	MemoryContextSwitchTo(caller);
	MemoryContextReset(work);
	return all;
}

/* wait_for_peers(timeout interval) */
Datum
wait_for_peers(PG_FUNCTION_ARGS)
{
	NodeSlot   *slot = clock_slot();
	uint64		commits = pg_atomic_read_u64(&slot->commits);
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz end = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(now),
															  PG_GETARG_DATUM(0)));
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl wait", ALLOCSET_SMALL_SIZES);
	bool		done;

	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("recovery is in progress"),
				 errhint("A standby sends nothing: ask its primary.")));
	ConditionVariablePrepareToSleep(&slot->acked);
	while (!(done = peers_have_acked(work, commits)))
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);

		if (left <= 0)
			break;
		ConditionVariableTimedSleep(&slot->acked, Min(left, 3600 * 1000L), PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
	MemoryContextDelete(work);
	PG_RETURN_BOOL(done);
}
