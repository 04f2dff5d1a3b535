/*
 * worker.h: what the background workers of dnsrepl have in common: signals, waiting, transactions, back-off,
 * and keeping a dynamic worker running.
 */
#ifndef DNSREPL_WORKER_H
#define DNSREPL_WORKER_H

#include "postgres.h"

#include "postmaster/bgworker.h"
#include "utils/timestamp.h"

/* Delays between attempts that double up to a limit, each shortened at random by up to a half. */
typedef struct Backoff
{
	int			first,
				most;			/* ms */
	int			delay;			/* ms; 0: nothing has failed */
	TimestampTz due;			/* no attempt before */
} Backoff;

extern void backoff_init(Backoff *b, int first, int most);
extern void backoff_fail(Backoff *b);
extern bool backoff_due(const Backoff *b);

/* A dynamic background worker that is started, watched, started again and stopped by this process. */
typedef struct Keeper
{
	BackgroundWorkerHandle *handle; /* NULL: none */
	bool		stopping;
	TimestampTz started;
	Backoff		backoff;
} Keeper;

typedef enum KeeperResult
{
	KEEPER_RUNNING,
	KEEPER_STARTED,				/* just now */
	KEEPER_LATER,				/* its time has not come, or its predecessor has not ended */
	KEEPER_NO_SLOT				/* max_worker_processes is exhausted */
} KeeperResult;

extern void keeper_init(Keeper *k);

/* Sees to it that the worker runs. */
extern KeeperResult keeper_run(Keeper *k, const char *function, const char *name, const char *type,
							   const void *extra, size_t extra_len);

/* Sees to it that it does not; true when it has ended. */
extern bool keeper_stop(Keeper *k);

/* Forgets earlier failures: the next keeper_run() does not wait. */
extern void keeper_forgive(Keeper *k);

/* When keeper_run() should be called again although nobody wakes this process; DT_NOEND if never. */
extern TimestampTz keeper_due(const Keeper *k);

/* First thing in a worker's main function; told to end, it will end with this exit code. */
extern void worker_start(int exit_code);

/* BackgroundWorkerInitializeConnection of both kinds, interruptible; and an empty search path. */
extern void worker_connect(const char *database);
extern void worker_connect_oid(Oid database);

/*
 * Waits for the latch, for `events` of the socket, and until `until` (DT_NOEND: without an end). Returns what
 * WaitLatchOrSocket did, with the latch reset. Ends the process if it has been told to; reads the configuration anew.
 */
extern int	worker_wait(int events, pgsocket sock, TimestampTz until);

/*
 * Sees to it that what a busy worker does is not done more often than every WORKER_PACE ms: what has come meanwhile is done
 * together. `last`: when it was done; 0 if the worker has had nothing to do since: then it does not wait.
 */
#define WORKER_PACE 20
extern void worker_pace(TimestampTz *last);

/* The part of worker_wait() that does not wait. */
extern void worker_check(void);

/* A transaction with a snapshot. While it, or worker_enter(), lasts, SIGTERM ends the worker by an error. */
extern void worker_begin(void);
extern void worker_commit(void);
extern void worker_enter(void);
extern void worker_leave(void);

/* In PG_CATCH: ends the transaction; returns the error in the current memory context and forgets it. */
extern ErrorData *worker_recover(MemoryContext context);

#endif
