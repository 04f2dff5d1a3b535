/*
 * roster.c: see roster.h.
 *
 * An entry lives as long as its database has a manager or is held. Lock: roster_lock, for all of it; taken alone.
 * Processes take themselves off in before_shmem_exit; a crash makes all of this anew.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "dnsrepl.h"
#include "ship/link_state.h"
#include "ship/roster.h"

typedef struct RosterEntry
{
	Oid			database;		/* InvalidOid: free */
	pid_t		manager;		/* 0: none */
	int			holds;
} RosterEntry;

typedef struct Roster
{
	LWLock	   *lock;
	Latch	   *launcher;
	ConditionVariable left;		/* broadcast when a manager has left */
	RosterEntry entries[2 * MAX_NODES]; /* half for databases that are only held */
} Roster;

static Roster *roster = NULL;

Size
roster_shmem_size(void)
{
	return MAXALIGN(sizeof(Roster));
}

void
roster_shmem_init(LWLock *lock)
{
	bool		found;

	roster = ShmemInitStruct("dnsrepl roster", roster_shmem_size(), &found);
	if (found)
		return;
	memset(roster, 0, sizeof(*roster));
	roster->lock = lock;
	ConditionVariableInit(&roster->left);
}

/* The entry of a database, made if wanted and there is room. The lock is held. */
static RosterEntry *
entry_find(Oid database, bool make)
{
	RosterEntry *gap = NULL;

	for (int i = 0; i < (int) lengthof(roster->entries); i++)
	{
		RosterEntry *e = &roster->entries[i];

		if (e->database == database)
			return e;
		if (!gap && e->database == InvalidOid)
			gap = e;
	}
	if (!make || !gap)
		return NULL;
	memset(gap, 0, sizeof(*gap));
	gap->database = database;
	return gap;
}

static void
entry_tidy(RosterEntry *e)
{
	if (!e->manager && e->holds == 0)
		e->database = InvalidOid;
}

static void
launcher_leave(int code, Datum arg)
{
	LWLockAcquire(roster->lock, LW_EXCLUSIVE);
	if (roster->launcher == MyLatch)
		roster->launcher = NULL;
	LWLockRelease(roster->lock);
}

void
launcher_enlist(void)
{
	LWLockAcquire(roster->lock, LW_EXCLUSIVE);
	roster->launcher = MyLatch;
	LWLockRelease(roster->lock);
	before_shmem_exit(launcher_leave, (Datum) 0);
}

void
launcher_wake(void)
{
	if (!roster)
		return;
	LWLockAcquire(roster->lock, LW_SHARED);
	if (roster->launcher)
		SetLatch(roster->launcher);
	LWLockRelease(roster->lock);
}

static void
manager_leave(int code, Datum arg)
{
	RosterEntry *e;

	LWLockAcquire(roster->lock, LW_EXCLUSIVE);
	e = entry_find(MyDatabaseId, false);
	if (e && e->manager == MyProcPid)
	{
		e->manager = 0;
		entry_tidy(e);
	}
	LWLockRelease(roster->lock);
	ConditionVariableBroadcast(&roster->left);
}

bool
manager_enlist(void)
{
	RosterEntry *e;
	bool		free;

	LWLockAcquire(roster->lock, LW_EXCLUSIVE);
	e = entry_find(MyDatabaseId, true);
	free = e && !e->manager && e->holds == 0;
	if (free)
		e->manager = MyProcPid;
	LWLockRelease(roster->lock);
	if (free)
		before_shmem_exit(manager_leave, (Datum) 0);
	return free;
}

bool
manager_enlisted(Oid database)
{
	RosterEntry *e;
	bool		result;

	if (!roster)
		return false;
	LWLockAcquire(roster->lock, LW_SHARED);
	e = entry_find(database, false);
	result = e && e->manager;
	LWLockRelease(roster->lock);
	return result;
}

void
database_hold(Oid database, int timeout)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout);
	RosterEntry *e;

	LWLockAcquire(roster->lock, LW_EXCLUSIVE);
	e = entry_find(database, true);
	if (e)
	{
		e->holds++;
		if (e->manager)
			kill(e->manager, SIGTERM);
	}
	LWLockRelease(roster->lock);
	link_state_terminate(database);

	ConditionVariablePrepareToSleep(&roster->left);
	while (manager_enlisted(database) || link_state_running(database))
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);

		if (left <= 0)
			break;
		/* Links do not announce their end: look again soon. */
		ConditionVariableTimedSleep(&roster->left, Min(left, 20), PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
}

void
database_release(Oid database)
{
	RosterEntry *e;

	LWLockAcquire(roster->lock, LW_EXCLUSIVE);
	e = entry_find(database, false);
	if (e && e->holds > 0)
	{
		e->holds--;
		entry_tidy(e);
	}
	LWLockRelease(roster->lock);
	launcher_wake();
}

bool
database_held(Oid database)
{
	RosterEntry *e;
	bool		result;

	LWLockAcquire(roster->lock, LW_SHARED);
	e = entry_find(database, false);
	result = e && e->holds > 0;
	LWLockRelease(roster->lock);
	return result;
}
