/*
 * worker.c: see worker.h.
 *
 * A worker that waits is ended quietly by SIGTERM (no line in the log). One that is in the database,
 * where it may wait for a lock, is ended as any backend is.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/sinval.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "ship/worker.h"
#include "store/schema.h"

#define WORKER_RETRY_FIRST	500		/* ms until a worker that died is started again */
#define WORKER_RETRY_MOST	60000
#define WORKER_SETTLED		60000	/* ms: one that ran this long had no trouble starting */

static volatile sig_atomic_t in_database = false;
static int	worker_exit_code = 0;

void
backoff_init(Backoff *b, int first, int most)
{
	b->first = first;
	b->most = most;
	b->delay = 0;
	b->due = 0;
}

void
backoff_fail(Backoff *b)
{
	uint32		dice = 0;

	b->delay = b->delay ? Min(b->delay * 2, b->most) : b->first;
	(void) pg_strong_random(&dice, sizeof(dice));
	b->due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), b->delay - (int) (dice % (b->delay / 2 + 1)));
}

bool
backoff_due(const Backoff *b)
{
	return b->due <= GetCurrentTimestamp();
}

void
keeper_init(Keeper *k)
{
	memset(k, 0, sizeof(*k));
	backoff_init(&k->backoff, WORKER_RETRY_FIRST, WORKER_RETRY_MOST);
}

/* Notices a worker's end. */
static void
keeper_look(Keeper *k)
{
	pid_t		pid;

	if (!k->handle || GetBackgroundWorkerPid(k->handle, &pid) != BGWH_STOPPED)
		return;
	pfree(k->handle);
	k->handle = NULL;
	if (k->stopping || TimestampDifferenceExceeds(k->started, GetCurrentTimestamp(), WORKER_SETTLED))
		k->backoff.delay = 0;
	if (k->stopping)
		k->backoff.due = 0;
	else
		backoff_fail(&k->backoff);
	k->stopping = false;
}

KeeperResult
keeper_run(Keeper *k, const char *function, const char *name, const char *type, const void *extra, size_t extra_len)
{
	BackgroundWorker worker;
	MemoryContext caller;
	bool		registered;

	keeper_look(k);
	if (k->handle)
		return k->stopping ? KEEPER_LATER : KEEPER_RUNNING;
	if (!backoff_due(&k->backoff))
		return KEEPER_LATER;

	Assert(extra_len <= BGW_EXTRALEN);
	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "dnsrepl", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, function, sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, name, sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, type, sizeof(worker.bgw_type));
	memcpy(worker.bgw_extra, extra, extra_len);
	worker.bgw_notify_pid = MyProcPid;

	caller = MemoryContextSwitchTo(TopMemoryContext);
	registered = RegisterDynamicBackgroundWorker(&worker, &k->handle);
	MemoryContextSwitchTo(caller);
	if (!registered)
	{
		k->handle = NULL;
		backoff_fail(&k->backoff);
		return KEEPER_NO_SLOT;
	}
	k->started = GetCurrentTimestamp();
	k->stopping = false;
	return KEEPER_STARTED;
}

bool
keeper_stop(Keeper *k)
{
	keeper_look(k);
	if (!k->handle)
		return true;
	if (!k->stopping)
	{
		TerminateBackgroundWorker(k->handle);
		k->stopping = true;
	}
	return false;
}

void
keeper_forgive(Keeper *k)
{
	keeper_look(k);
	backoff_init(&k->backoff, WORKER_RETRY_FIRST, WORKER_RETRY_MOST);
}

TimestampTz
keeper_due(const Keeper *k)
{
	return k->handle ? DT_NOEND : k->backoff.due;
}

static void
worker_sigterm(SIGNAL_ARGS)
{
	int			save_errno = errno;

	ShutdownRequestPending = true;
	SetLatch(MyLatch);
	if (in_database)
		die(postgres_signal_arg);
	errno = save_errno;
}

void
worker_start(int exit_code)
{
	worker_exit_code = exit_code;
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, worker_sigterm);
	in_database = true;
	BackgroundWorkerUnblockSignals();
}

static void
worker_connected(void)
{
	/* What somebody has set for all sessions, a database or a role is not meant for us. Those that a version does not have are left out. */
	static const char *const settings[][2] = {
		{"role", "none"},
		{"search_path", CODE_SEARCH_PATH},
		{"statement_timeout", "0"},
		{"transaction_timeout", "0"},
		{"lock_timeout", "0"},
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"default_transaction_deferrable", "off"},
		{"session_replication_role", "origin"},
		/* a standby that is away must not keep locks here that others need */
		{"synchronous_commit", "local"},
	};

	in_database = false;
	for (size_t i = 0; i < lengthof(settings); i++)
		if (GetConfigOption(settings[i][0], true, false))
			SetConfigOption(settings[i][0], settings[i][1], PGC_SUSET, PGC_S_OVERRIDE);
	worker_check();
}

void
worker_connect(const char *database)
{
	BackgroundWorkerInitializeConnection(database, NULL, 0);
	worker_connected();
}

void
worker_connect_oid(Oid database)
{
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	worker_connected();
}

void
worker_check(void)
{
	if (ShutdownRequestPending)
		proc_exit(worker_exit_code);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	if (catchupInterruptPending)
		ProcessCatchupInterrupt();
}

int
worker_wait(int events, pgsocket sock, TimestampTz until)
{
	long		timeout = -1;
	int			rc;

	events |= WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;
	if (until != DT_NOEND)
	{
		timeout = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);
		/* Never longer than an hour at once: clocks are set. */
		timeout = Min(Max(timeout, 0), 3600 * 1000L);
		events |= WL_TIMEOUT;
	}
	rc = WaitLatchOrSocket(MyLatch, events, sock, timeout, PG_WAIT_EXTENSION);
	if (rc & WL_LATCH_SET)
		ResetLatch(MyLatch);
	worker_check();
	return rc;
}

/* Not for the latch: as long as it is set, who commits need not wake anybody. */
void
worker_pace(TimestampTz *last)
{
	TimestampTz due = TimestampTzPlusMilliseconds(*last, WORKER_PACE);
	TimestampTz now = GetCurrentTimestamp();

	if (due > now && due <= TimestampTzPlusMilliseconds(now, WORKER_PACE))	/* clocks are set */
		(void) WaitLatch(NULL, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, Max(TimestampDifferenceMilliseconds(now, due), 1), PG_WAIT_EXTENSION);
	worker_check();
	*last = GetCurrentTimestamp();
}

void
worker_enter(void)
{
	in_database = true;
	worker_check();				/* a SIGTERM that came just before */
}

void
worker_leave(void)
{
	in_database = false;
}

void
worker_begin(void)
{
	worker_enter();
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
}

void
worker_commit(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	worker_leave();
}

ErrorData *
worker_recover(MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	HOLD_INTERRUPTS();
	FlushErrorState();
	AbortOutOfAnyTransaction();
	LWLockReleaseAll();
	ConditionVariableCancelSleep();
	RESUME_INTERRUPTS();
	in_database = false;
	MemoryContextSwitchTo(context);
	return error;
}
