/*
 * database.c: DROP DATABASE, ALTER DATABASE ... RENAME and SET TABLESPACE, CREATE DATABASE ... TEMPLATE need a
 * database that nobody uses. Here its manager and links are told to end first; when the transaction has ended,
 * whichever way, the launcher starts again what is to run. So are the sessions of its peers' links. Only for those who
 * own the database: others are refused by the command itself.
 *
 * CREATE DATABASE wakes the launcher, which may have been waiting for it; DROP EXTENSION wakes the manager.
 */
#include "postgres.h"

#include <signal.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"

#include "compat.h"
#include "dnsrepl.h"
#include "ship/database.h"
#include "ship/link_state.h"
#include "ship/roster.h"
#include "store/clock.h"

#define HOLD_WAIT	5000		/* ms for the workers to end; the command itself waits as long again */

static ProcessUtility_hook_type next_utility = NULL;

/* Until the end of this transaction. */
static Oid	held = InvalidOid;
static bool dropping = false;
static bool databases_changed = false;

static void
database_xact_callback(XactEvent event, void *arg)
{
	Oid			database = held;

	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT)
		return;
	held = InvalidOid;
	if (OidIsValid(database))
	{
		if (dropping && event == XACT_EVENT_COMMIT)
		{
			link_state_sweep(database, NULL, NULL);
			clock_forget(database);
		}
		database_release(database);
	}
	else if (databases_changed)
		launcher_wake();
	dropping = databases_changed = false;
}

static bool
database_owned(Oid database)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	bool		owned;

	if (!HeapTupleIsValid(tuple))
		return false;
	owned = has_privs_of_role(GetUserId(), ((Form_pg_database) GETSTRUCT(tuple))->datdba);
	ReleaseSysCache(tuple);
	return owned;
}

/*
 * Ends the sessions that peers' links have in a database: those of role dnsrepl_link and its members. The peers come
 * again by themselves when they can.
 */
static void
guests_terminate(Oid database)
{
	Oid			link_role = get_role_oid("dnsrepl_link", true);
	int			nprocs = (int) ProcGlobal->allProcCount;
	pid_t	   *pids = palloc(sizeof(pid_t) * (size_t) nprocs);
	Oid		   *roles = palloc(sizeof(Oid) * (size_t) nprocs);
	int			n = 0;

	LWLockAcquire(ProcArrayLock, LW_SHARED);
	for (int i = 0; i < nprocs; i++)
	{
		const PGPROC *proc = &ProcGlobal->allProcs[i];

		if (proc->pid == 0 || proc->databaseId != database || !OidIsValid(proc->roleId))
			continue;
		pids[n] = proc->pid;
		roles[n++] = proc->roleId;
	}
	LWLockRelease(ProcArrayLock);

	for (int i = 0; i < n; i++)
		if (OidIsValid(link_role) && is_member_of_role_nosuper(roles[i], link_role))
			kill(pids[i], SIGTERM);
	pfree(pids);
	pfree(roles);
}

/* The database that must be unused for this statement, or NULL. */
static const char *
database_wanted(Node *parsetree)
{
	ListCell   *lc;

	if (IsA(parsetree, DropdbStmt))
		return ((DropdbStmt *) parsetree)->dbname;
	if (IsA(parsetree, RenameStmt) && ((RenameStmt *) parsetree)->renameType == OBJECT_DATABASE)
		return ((RenameStmt *) parsetree)->subname;
	if (IsA(parsetree, AlterDatabaseStmt))
	{
		foreach(lc, ((AlterDatabaseStmt *) parsetree)->options)
			if (strcmp(((DefElem *) lfirst(lc))->defname, "tablespace") == 0)
				return ((AlterDatabaseStmt *) parsetree)->dbname;
	}
	if (IsA(parsetree, CreatedbStmt))
	{
		foreach(lc, ((CreatedbStmt *) parsetree)->options)
		{
			DefElem    *option = (DefElem *) lfirst(lc);

			if (strcmp(option->defname, "template") == 0 && option->arg && IsA(option->arg, String))
				return strVal(option->arg);
		}
	}
	return NULL;
}

/* Before the statement. */
static void
database_clear(Node *parsetree)
{
	const char *name = database_wanted(parsetree);
	Oid			database = name ? get_database_oid(name, true) : InvalidOid;

	if (!OidIsValid(database) || database == MyDatabaseId || OidIsValid(held) || !database_owned(database))
		return;
	held = database;
	dropping = IsA(parsetree, DropdbStmt);
	database_hold(database, HOLD_WAIT);
	guests_terminate(database);
}

static bool
changes_databases(Node *parsetree)
{
	return IsA(parsetree, DropdbStmt) || IsA(parsetree, CreatedbStmt) || IsA(parsetree, AlterDatabaseStmt) ||
		(IsA(parsetree, RenameStmt) && ((RenameStmt *) parsetree)->renameType == OBJECT_DATABASE);
}

static bool
drops_extension(Node *parsetree)
{
	ListCell   *lc;

	if (!IsA(parsetree, DropStmt) || ((DropStmt *) parsetree)->removeType != OBJECT_EXTENSION)
		return false;
	foreach(lc, ((DropStmt *) parsetree)->objects)
		if (strcmp(strVal(lfirst(lc)), "dnsrepl") == 0)
			return true;
	return false;
}

static void
database_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context,
				 ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *qc)
{
	Node	   *parsetree = pstmt->utilityStmt;

	if (changes_databases(parsetree))
	{
		databases_changed = true;
		database_clear(parsetree);
	}
	if (drops_extension(parsetree) && manager_enlisted(MyDatabaseId))
	{
		(void) clock_slot();
		clock_links_changed();
	}

	if (next_utility)
		next_utility(pstmt, query, read_only_tree, context, params, environment, dest, qc);
	else
		standard_ProcessUtility(pstmt, query, read_only_tree, context, params, environment, dest, qc);
}

void
database_hook_install(void)
{
	next_utility = ProcessUtility_hook;
	ProcessUtility_hook = database_utility;
	RegisterXactCallback(database_xact_callback, NULL);
}
