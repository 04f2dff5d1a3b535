/*
 * call.c: see call.h. A link's session is a guest here.
 *
 * A call is a transaction of its own, which PreventInTransactionBlock() has the server commit when the call has been executed, without
 * waiting for the client's Sync. What that cannot see (a call within DO, beside others in one SELECT, in COPY, a portal that is not read
 * to its end) keeps the locks for CALL_OPEN after the call has returned, half a keepalive if that is longer: then the session ends.
 *
 * Triggers, CHECKs and defaults of a replicated table would find temporary objects of the session, whatever the search path is; so
 * there may be none. Settings that the client has made do not reach them (store/user_code.c). statement_timeout and the like are those
 * of somebody who waits for an answer, and do not end a merge; whoever waits for this one hangs up.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/timeout.h"

#include "compat.h"
#include "dnsrepl.h"
#include "merge/call.h"
#include "store/table_code.h"
#include "store/time_limit.h"
#include "store/user_code.h"

#define CALL_OPEN 5000			/* ms */

static void
settings_check(void)
{
	const char *setting = IsolationUsesXactSnapshot() ? "transaction_isolation" :
		XactReadOnly && !RecoveryInProgress() ? "transaction_read_only" : NULL;

	if (setting)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a link cannot work with \"%s\" set to \"%s\"", setting, GetConfigOption(setting, false, false)),
				 errhint("Set \"default_%s\" to \"%s\" in the options of its connection.", setting,
						 IsolationUsesXactSnapshot() ? "read committed" : "off")));
}

static void
temporary_check(void)
{
	Oid			schema,
				toast;

	GetTempNamespaceState(&schema, &toast);
	if (OidIsValid(schema))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("a session of a link may have no temporary objects")));
}

int
call_begin(const char *name, bool user_code)
{
	int			level;

	PreventInTransactionBlock(true, name);
	settings_check();
	temporary_check();
	disable_timeout(STATEMENT_TIMEOUT, false);
	compat_disarm_transaction_timeout();
	level = NewGUCNestLevel();
	if (user_code)
	{
		user_code_settings_guarded();
		table_code_in_call(true);
	}
	return level;
}

void
call_end(int level)
{
	AtEOXact_GUC(true, level);
	table_code_in_call(false);
	/* what is merged is flushed by flush(): nobody else waits for a disk, or a standby, while this transaction has its locks */
	if (synchronous_commit != SYNCHRONOUS_COMMIT_OFF)
		SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION);
	time_limit_transaction(Max(CALL_OPEN, setting_keepalive / 2));
}

void
call_session_settings(void)
{
	char		ms[32];

	snprintf(ms, sizeof(ms), "%d", Max(60000, 4 * setting_keepalive));
	SetConfigOption("idle_session_timeout", ms, PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("idle_in_transaction_session_timeout", ms, PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("lock_timeout", "0", PGC_USERSET, PGC_S_SESSION);
#ifdef __linux__
	/* whoever hangs up while this session waits for a lock is not merged in vain */
	snprintf(ms, sizeof(ms), "%d", setting_keepalive);
	SetConfigOption("client_connection_check_interval", ms, PGC_USERSET, PGC_S_SESSION);
#endif
	SetConfigOption("dnsrepl.greeted", "on", PGC_SUSET, PGC_S_SESSION);
}
