/*
 * launcher.c: see launcher.h.
 *
 * A static worker, connected to no database in particular: it looks into pg_database, so that a database that does
 * not exist yet is no error. It wakes when the configuration is read anew, when a manager ends, when databases are
 * made, dropped or renamed, and when the time has come to start a manager again that has died.
 * When it ends, it takes its managers with it.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/varlena.h"

#include "compat.h"
#include "dnsrepl.h"
#include "ship/database.h"
#include "ship/launcher.h"
#include "ship/manager.h"
#include "ship/roster.h"
#include "ship/worker.h"

#define LAUNCHER_RESTART 5		/* s */

typedef struct Job
{
	char		database[NAMEDATALEN];	/* empty: free */
	bool		wanted;
	const char *complaint;		/* the last that was logged */
	Keeper		keeper;
} Job;

static Job	jobs[MAX_NODES];

void
launcher_register(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = LAUNCHER_RESTART;
	strlcpy(worker.bgw_library_name, "dnsrepl", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "launcher_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "dnsrepl launcher", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "dnsrepl launcher", sizeof(worker.bgw_type));
	RegisterBackgroundWorker(&worker);
	database_hook_install();
}

List *
databases_listed(bool *valid)
{
	char	   *copy = pstrdup(setting_databases ? setting_databases : "");
	List	   *names = NIL;

	*valid = SplitGUCList(copy, ',', &names);
	return *valid ? names : NIL;
}

static Job *
job_find(const char *database)
{
	for (int i = 0; i < MAX_NODES; i++)
		if (strcmp(jobs[i].database, database) == 0)
			return &jobs[i];
	return NULL;
}

/* Which managers are to run, from the setting. */
static void
jobs_list(void)
{
	static char *listed = NULL; /* the setting as it was read last */
	bool		valid;
	List	   *names;
	ListCell   *lc;

	if (listed && strcmp(listed, setting_databases ? setting_databases : "") == 0)
		return;
	if (listed)
		pfree(listed);
	listed = MemoryContextStrdup(TopMemoryContext, setting_databases ? setting_databases : "");
	names = databases_listed(&valid);
	if (!valid)
	{
		ereport(LOG, (errmsg("the list in \"%s\" is not valid", "dnsrepl.databases")));
		return;
	}

	for (int i = 0; i < MAX_NODES; i++)
		jobs[i].wanted = false;
	foreach(lc, names)
	{
		const char *name = lfirst(lc);
		Job		   *job = strlen(name) < NAMEDATALEN ? job_find(name) : NULL;

		if (!job && *name && strlen(name) < NAMEDATALEN && (job = job_find("")) != NULL)
		{
			memset(job, 0, sizeof(*job));
			strlcpy(job->database, name, sizeof(job->database));
			keeper_init(&job->keeper);
		}
		if (job)
			job->wanted = true;
		else
			ereport(LOG,
					(errmsg("database \"%s\" in \"%s\" is left out", name, "dnsrepl.databases"),
					 errdetail("At most %d databases of one server can be nodes.", MAX_NODES)));
	}
}

/*
 * Why there can be no manager for a database, in words (empty: for the moment); NULL if there can. By a scan of
 * pg_database's heap: in a new cluster a process without a database has no index to use, and no syscache.
 */
static const char *
job_obstacle(const char *database)
{
	const char *obstacle = "it does not exist";
	Relation	rel = table_open(DatabaseRelationId, AccessShareLock);
	TableScanDesc scan = table_beginscan_catalog(rel, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		if (strcmp(NameStr(form->datname), database) != 0)
			continue;
		if (database_held(form->oid))
			obstacle = "";
		else
			obstacle = form->datallowconn ? NULL : "it does not accept connections";
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	return obstacle;
}

/* Sees to it that a job's manager runs; returns when to look again. */
static TimestampTz
job_run(Job *job)
{
	char		name[BGW_MAXLEN];
	const char *obstacle;
	TimestampTz due = DT_NOEND;

	worker_begin();
	obstacle = job_obstacle(job->database);
	worker_commit();
	if (obstacle)
		keeper_forgive(&job->keeper);	/* it is announced when the database can have a manager: no delay then */
	else
	{
		snprintf(name, sizeof(name), "dnsrepl manager %s", job->database);
		if (keeper_run(&job->keeper, "manager_main", name, "dnsrepl manager",
					   job->database, sizeof(job->database)) == KEEPER_NO_SLOT)
			obstacle = "there is no free worker slot (max_worker_processes)";
		due = keeper_due(&job->keeper);
	}

	/* Each complaint once. */
	if (obstacle && *obstacle && (!job->complaint || strcmp(job->complaint, obstacle) != 0))
		ereport(LOG, (errmsg("database \"%s\" is not replicated: %s", job->database, obstacle)));
	if (!obstacle || *obstacle)
		job->complaint = obstacle;
	return due;
}

/* Brings all jobs on their way; returns when to look again. */
static TimestampTz
jobs_run(void)
{
	TimestampTz due = DT_NOEND;

	for (int i = 0; i < MAX_NODES; i++)
	{
		Job		   *job = &jobs[i];

		if (!*job->database)
			continue;
		if (job->wanted)
		{
			TimestampTz job_due = job_run(job);

			due = Min(due, job_due);
		}
		else if (keeper_stop(&job->keeper))
			job->database[0] = '\0';
	}
	return due;
}

static void
launcher_exit(int code, Datum arg)
{
	for (int i = 0; i < MAX_NODES; i++)
		if (*jobs[i].database)
			keeper_stop(&jobs[i].keeper);
}

void
launcher_main(Datum arg)
{
	MemoryContext work;

	worker_start(1);			/* after 0 it would not be started again */
	worker_connect(NULL);
	launcher_enlist();
	before_shmem_exit(launcher_exit, (Datum) 0);
	work = AllocSetContextCreate(TopMemoryContext, "dnsrepl launcher", ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		TimestampTz due;

		MemoryContextSwitchTo(work);
		jobs_list();
		due = jobs_run();
		MemoryContextSwitchTo(TopMemoryContext);
		MemoryContextReset(work);
		worker_wait(0, PGINVALID_SOCKET, due);
	}
}
