/*
 * manager.c: see manager.h.
 *
 * Wakes by latch: links have changed, units are parked and a stripe has become free, a link's worker has ended, the
 * configuration is read anew. Each time it looks at everything: the extension (looked up by name: it may have gone),
 * the peers, the parked units. It holds no transaction between, so that DROP EXTENSION passes.
 * When it ends, it takes its links with it.
 */
#include "postgres.h"

#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "dnsrepl.h"
#include "ship/checker.h"
#include "ship/link.h"
#include "ship/link_state.h"
#include "ship/manager.h"
#include "ship/peer.h"
#include "ship/roster.h"
#include "ship/worker.h"
#include "store/clock.h"
#include "store/origin.h"
#include "store/parked.h"

#define PARKED_RETRY_FIRST	1000	/* ms */
#define PARKED_RETRY_MOST	60000
#define PARKED_TURNS		20		/* without a look at the links */
#define PARKED_PAUSE_FIRST	20		/* ms between two attempts at the least, */
#define PARKED_PAUSE_MOST	2000	/* more while they are of no use */
#define LIFE_STEPS_AT_ONCE	100
#define LOOK_RETRY_FIRST	500		/* ms, after an error */
#define LOOK_RETRY_MOST		30000

/* A link that runs, is to run, or has to end. In TopMemoryContext. */
typedef struct ManagedLink
{
	char		name[NAMEDATALEN];
	char	   *conninfo;
	bool		server;			/* a DNS server */
	bool		listed;			/* in the table */
	bool		paused;
	LinkState  *state;			/* NULL: there was no room */
	Keeper		keeper;
} ManagedLink;

static List *links = NIL;
static Keeper checker;

static ManagedLink *
managed_link(const PeerRow *row)
{
	ManagedLink *link;
	ListCell   *lc;
	MemoryContext caller;

	foreach(lc, links)
	{
		link = lfirst(lc);
		if (strcmp(link->name, row->name) == 0)
			return link;
	}
	caller = MemoryContextSwitchTo(TopMemoryContext);
	link = palloc0(sizeof(ManagedLink));
	strlcpy(link->name, row->name, sizeof(link->name));
	link->conninfo = pstrdup(row->conninfo);
	keeper_init(&link->keeper);
	links = lappend(links, link);
	MemoryContextSwitchTo(caller);
	return link;
}

/* What the table says, in a transaction; no rows where the extension is not there or not set up. */
static List *
peers_read(MemoryContext context)
{
	List	   *rows = NIL;
	NodeInfo	node;
	bool		found;

	worker_begin();
	MemoryContextSwitchTo(context);
	if (OidIsValid(get_extension_oid("dnsrepl", true)) && node_read(&node))
		rows = peer_read_all(GetActiveSnapshot(), &found);
	worker_commit();
	MemoryContextSwitchTo(context);
	return rows;
}

static bool
link_is_listed(const char *peer, void *arg)
{
	ListCell   *lc;

	foreach(lc, links)
		if (strcmp(((ManagedLink *) lfirst(lc))->name, peer) == 0)
			return true;
	return false;
}

/* Compares the table with what runs. */
static void
links_list(List *rows)
{
	ListCell   *lc;

	foreach(lc, links)
		((ManagedLink *) lfirst(lc))->listed = false;
	foreach(lc, rows)
	{
		const PeerRow *row = lfirst(lc);
		ManagedLink *link;

		if (strlen(row->name) >= NAMEDATALEN)
			continue;
		link = managed_link(row);
		if (strcmp(link->conninfo, row->conninfo) != 0)
		{
			explicit_bzero(link->conninfo, strlen(link->conninfo));
			pfree(link->conninfo);
			link->conninfo = MemoryContextStrdup(TopMemoryContext, row->conninfo);
			(void) keeper_stop(&link->keeper);	/* it is started again with the new one */
			keeper_forgive(&link->keeper);
		}
		if (link->paused != row->paused)
		{
			ereport(LOG, (errmsg("link \"%s\" is %s", link->name, row->paused ? "paused" : "resumed")));
			keeper_forgive(&link->keeper);
		}
		link->listed = true;
		link->server = row->server;
		link->paused = row->paused;
		if (!link->state)
			link->state = link_state_open(row->name);
	}
	link_state_sweep(MyDatabaseId, link_is_listed, NULL);
}

static void
link_run(ManagedLink *link)
{
	char		name[BGW_MAXLEN];
	LinkOrder	order;

	if (!link->state)
		return;					/* status says that there is no room */
	order.database = MyDatabaseId;
	order.index = link_state_index(link->state);
	snprintf(name, sizeof(name), "dnsrepl %s %s", link->server ? "server" : "link", link->name);
	if (keeper_run(&link->keeper, link->server ? "server_main" : "link_main", name, link->server ? "dnsrepl server" : "dnsrepl link",
				   &order, sizeof(order)) == KEEPER_NO_SLOT)
	{
		link_state_set_phase(link->state, LINK_DOWN);
		link_state_set_error(link->state, "there is no free worker slot (max_worker_processes)");
	}
}

/* Starts and stops; returns when to look again. */
static TimestampTz
links_run(void)
{
	TimestampTz due = DT_NOEND;
	ListCell   *lc;

	foreach(lc, links)
	{
		ManagedLink *link = lfirst(lc);

		if (link->listed && !link->paused)
		{
			TimestampTz link_due;

			link_run(link);
			link_due = link->state ? keeper_due(&link->keeper) : DT_NOEND;
			due = Min(due, link_due);
		}
		else if (keeper_stop(&link->keeper) && !link->listed)
		{
			ereport(LOG, (errmsg("link \"%s\" is dropped", link->name)));
			if (link->state)
				link_state_free(link->state);
			explicit_bzero(link->conninfo, strlen(link->conninfo));
			pfree(link->conninfo);
			pfree(link);
			links = foreach_delete_current(links, lc);
		}
	}
	return due;
}

/* Gives parked units a chance; returns how many are left. */
static int64
parked_project(void)
{
	int64		left = 0;
	bool		isnull;

	worker_begin();
	if (OidIsValid(get_extension_oid("dnsrepl", true)))
	{
		SPI_connect();
		if (SPI_execute("SELECT dnsrepl.project_parked()::pg_catalog.int8", false, 0) == SPI_OK_SELECT && SPI_processed == 1)
			left = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		SPI_finish();
	}
	worker_commit();
	return left;
}

/* One of the manager's duties: done, or its error logged and its time put off. */
typedef struct Duty
{
	void		(*fn) (MemoryContext work);
	Backoff		backoff;
	char		complaint[LINK_ERROR_SIZE]; /* the last error that was logged */
} Duty;

static Duty duty_links;
static Duty duty_origin;
static Duty duty_parked;
static Duty duty_life;
static Backoff parked_pause;	/* woken for every stripe that becomes free: not more often than this */
static int64 parked_left = -1;	/* by the last attempt; -1: there was none */
static TimestampTz parked_due = DT_NOEND;	/* when something of it is to be tried again */

static void
links_look(MemoryContext work)
{
	List	   *rows = peers_read(work);

	links_list(rows);
	ConditionVariableBroadcast(&clock_slot()->acked);	/* waiters look at the table again */
}

static void
origin_look(MemoryContext work)
{
	worker_begin();
	if (OidIsValid(get_extension_oid("dnsrepl", true)))
		origin_make_wanted();
	worker_commit();
}

static void
parked_look(MemoryContext work)
{
	int64		before = parked_left;
	int64		left = 1;
	bool		came_on = false;

	parked_left = -1;			/* not known, if this fails */
	parked_due = DT_NOEND;
	parked_turn.round_over = false;
	for (int i = 0; i < PARKED_TURNS && left > 0 && !parked_turn.round_over; i++)
	{
		left = parked_project();
		came_on |= parked_turn.came_on;
		parked_due = Min(parked_due, parked_turn.due);
		CHECK_FOR_INTERRUPTS();
	}
	if (left == 0 || left != before || came_on)
		backoff_init(&parked_pause, PARKED_PAUSE_FIRST, PARKED_PAUSE_MOST);
	parked_left = left;
	if (left > 0)
		backoff_fail(&duty_parked.backoff); /* nothing may ever wake us for them */
	else
		backoff_init(&duty_parked.backoff, PARKED_RETRY_FIRST, PARKED_RETRY_MOST);
}

/* Somebody claims writes of this life that it has not made: see merge/new_life.c. By SQL name: it is not this folder's. */
static void
life_look(MemoryContext work)
{
	bool		isnull;
	bool		more = true;

	for (int i = 0; more && i < LIFE_STEPS_AT_ONCE; i++)
	{
		more = false;
		worker_begin();
		if (OidIsValid(get_extension_oid("dnsrepl", true)))
		{
			SPI_connect();
			if (SPI_execute("SELECT dnsrepl.settle_dispute()", false, 0) == SPI_OK_SELECT && SPI_processed == 1)
				more = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
			SPI_finish();
		}
		worker_commit();
		worker_check();
	}
	if (more || clock_slot()->anew)
		backoff_fail(&duty_life.backoff);	/* somebody is editing a zone */
	else
		backoff_init(&duty_life.backoff, PARKED_RETRY_FIRST, PARKED_RETRY_MOST);
}

static void
duty_do(Duty *duty, MemoryContext work)
{
	MemoryContextSwitchTo(work);
	PG_TRY();
	{
		duty->fn(work);
		duty->complaint[0] = '\0';
	}
	PG_CATCH();
	{
		ErrorData  *error = worker_recover(work);
		char		complaint[LINK_ERROR_SIZE];

		link_error_format(complaint, sizeof(complaint), error->message ? error->message : "");
		if (strcmp(complaint, duty->complaint) != 0)
			ereport(LOG, (errmsg("dnsrepl could not do all of its work: %s", complaint)));
		strlcpy(duty->complaint, complaint, sizeof(duty->complaint));
		backoff_fail(&duty->backoff);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextReset(work);
}

/* All duties that are due; returns when to look again if nobody wakes us. */
static TimestampTz
manager_look(MemoryContext work)
{
	NodeSlot   *slot = clock_slot();
	TimestampTz due;

	if (pg_atomic_read_u32(&slot->origin_wanted) > 0)
		duty_do(&duty_origin, work);
	duty_do(&duty_links, work);
	due = links_run();
	if (duty_links.complaint[0])
		due = Min(due, duty_links.backoff.due);
	else
		backoff_init(&duty_links.backoff, LOOK_RETRY_FIRST, LOOK_RETRY_MOST);

	if (slot->disputed || slot->anew)
	{
		if (backoff_due(&duty_life.backoff))
			duty_do(&duty_life, work);
		if (slot->disputed || slot->anew)
			due = Min(due, duty_life.backoff.due);
	}

	if (parked_left != 0 || pg_atomic_read_u32(&slot->parked) > 0)
	{
		if (backoff_due(&parked_pause))
		{
			duty_do(&duty_parked, work);
			backoff_fail(&parked_pause);
		}
		else
			due = Min(due, parked_pause.due);
		if (duty_parked.backoff.delay)
			due = Min(due, duty_parked.backoff.due);
		if (parked_left != 0)
			due = Min(due, Max(parked_due, parked_pause.due));
	}
	return due;
}

/* The node's own look at itself, in a process of its own: it may take long. */
static TimestampTz
checker_run(void)
{
	NodeSlot   *slot = clock_slot();
	KeeperResult result = keeper_run(&checker, "checker_main", "dnsrepl checker", "dnsrepl checker", &MyDatabaseId, sizeof(MyDatabaseId));

	if (result == KEEPER_STARTED || result == KEEPER_RUNNING)
		pg_atomic_write_u64(&slot->unchecked, 0);
	else if (result == KEEPER_NO_SLOT && pg_atomic_read_u64(&slot->unchecked) == 0)
	{
		ereport(LOG, (errmsg("dnsrepl: there is no free worker slot (max_worker_processes) for the process that checks this node")));
		pg_atomic_write_u64(&slot->unchecked, (uint64) GetCurrentTimestamp());
	}
	return keeper_due(&checker);
}

static void
manager_exit(int code, Datum arg)
{
	ListCell   *lc;

	(void) keeper_stop(&checker);

	foreach(lc, links)
		(void) keeper_stop(&((ManagedLink *) lfirst(lc))->keeper);
}

/* The worker's main function. */
void
manager_main(Datum arg)
{
	char		database[NAMEDATALEN];
	MemoryContext work;

	worker_start(0);
	memcpy(database, MyBgworkerEntry->bgw_extra, sizeof(database));
	worker_connect(database);
	if (!manager_enlist())
		proc_exit(0);			/* held, or its predecessor has not ended: the launcher tries again */
	wake_register(WAKE_MANAGER);
	before_shmem_exit(manager_exit, (Datum) 0);
	backoff_init(&duty_links.backoff, LOOK_RETRY_FIRST, LOOK_RETRY_MOST);
	backoff_init(&duty_origin.backoff, LOOK_RETRY_FIRST, LOOK_RETRY_MOST);
	backoff_init(&duty_parked.backoff, PARKED_RETRY_FIRST, PARKED_RETRY_MOST);
	backoff_init(&parked_pause, PARKED_PAUSE_FIRST, PARKED_PAUSE_MOST);
	keeper_init(&checker);
	duty_links.fn = links_look;
	duty_origin.fn = origin_look;
	duty_parked.fn = parked_look;
	backoff_init(&duty_life.backoff, PARKED_RETRY_FIRST, PARKED_RETRY_MOST);
	duty_life.fn = life_look;
	work = AllocSetContextCreate(TopMemoryContext, "dnsrepl manager", ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		TimestampTz due = manager_look(work);
		TimestampTz due_checker = checker_run();

		due = Min(due, due_checker);
		worker_wait(0, PGINVALID_SOCKET, due);
	}
}
