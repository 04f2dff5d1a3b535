/*
 * time_limit.c: see time_limit.h.
 *
 * Timers of the server's own (utils/timeout.h), beside statement_timeout and the others, which they leave alone. The handlers run
 * in a signal handler: they set flags only. To cancel is what pg_cancel_backend() does, to end what pg_terminate_backend() does; the
 * log has the reason, since the client is told nothing but that.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/timeout.h"

#include "store/time_limit.h"

static bool registered = false;
static TimeoutId timer_cancel,
			timer_end,
			timer_transaction;
static volatile sig_atomic_t cancelled = false;
static volatile sig_atomic_t ended = false;
static bool transaction_limited = false;
static bool statement_timed;	/* statement_timeout was running when the limit began */
static const char *subject = NULL;	/* of timer_end */

static void
on_cancel(void)
{
	cancelled = true;
	QueryCancelPending = true;
	InterruptPending = true;
	SetLatch(MyLatch);
}

static void
session_ends(void)
{
	ProcDiePending = true;
	InterruptPending = true;
	SetLatch(MyLatch);
}

static void
on_end(void)
{
	ended = true;
	session_ends();
}

static void
on_transaction(void)
{
	ended = true;
	session_ends();
	subject = "a transaction that went on after a call of a link";
}

static void
exit_log(int code, Datum arg)
{
	if (ended && subject)
		ereport(LOG, (errmsg("dnsrepl ended this session: %s", subject)));
}

static void
transaction_ended(XactEvent event, void *arg)
{
	if (!transaction_limited || (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE))
		return;
	transaction_limited = false;
	disable_timeout(timer_transaction, false);
}

static void
timers_register(void)
{
	if (registered)
		return;
	timer_cancel = RegisterTimeout(USER_TIMEOUT, on_cancel);
	timer_end = RegisterTimeout(USER_TIMEOUT, on_end);
	timer_transaction = RegisterTimeout(USER_TIMEOUT, on_transaction);
	RegisterXactCallback(transaction_ended, NULL);
	on_proc_exit(exit_log, (Datum) 0);
	registered = true;
}

void
time_limit_begin(int ms, const char *what)
{
	timers_register();
	cancelled = false;
	subject = what;
	statement_timed = get_timeout_active(STATEMENT_TIMEOUT);
	enable_timeout_after(timer_cancel, ms);
	enable_timeout_after(timer_end, ms + TIME_LIMIT_GRACE);
}

bool
time_limit_end(void)
{
	bool		ours;

	disable_timeout(timer_cancel, false);
	disable_timeout(timer_end, false);
	if (!ended)
		subject = NULL;
	if (!cancelled)
		return false;
	cancelled = false;
	/* statement_timeout may have come at the same time, and counts for more */
	ours = !statement_timed || get_timeout_active(STATEMENT_TIMEOUT);
	if (ours)
		QueryCancelPending = false; /* it may have come too late to be noticed: it is not for what follows */
	return ours;
}

bool
time_limit_ends_session(void)
{
	return ended;
}

void
time_limit_transaction(int ms)
{
	timers_register();
	if (transaction_limited)
		return;
	transaction_limited = true;
	enable_timeout_after(timer_transaction, ms);
}
