/*
 * server.c: see server.h.
 *
 * what the server lacks, by its vector --> a spool --> UPDATEs --> NOERROR to all --> the vector moves --+
 *              ^  nothing: what is left to do (zones to be compared, what was refused), or wait           |
 *              +------------------------------------------------------------------------------------------+
 *
 * The server keeps nothing for us: its vector is in dnsrepl.server_state. It moves only when the server has taken, or refused,
 * all that was told; what was refused is in dnsrepl.server_work, and tried again. Zones that are new, or of which it is not known what
 * has changed, go there too: they are fetched, compared, and told what differs. So is everything, once, by each life of this node: its
 * server may have been restored from a backup.
 * What goes wrong with one zone is that zone's: it waits, with a reason, longer each time, and everything else goes on. That is so for what
 * the server answers; and also if sessions end in the middle of it, the second time: once may be the server's fault. The log hears
 * of a zone that begins to wait, for another reason than before, or goes on.
 * No transaction is open while the server is waited for, and this worker alone tells it anything: what is told later was read later,
 * and what is there is read after what an earlier worker may have told (feed_settle()).
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "compat.h"
#include "dnsrepl.h"
#include "ship/compare_server.h"
#include "ship/dns_conn.h"
#include "ship/extras.h"
#include "ship/feed.h"
#include "ship/link.h"
#include "ship/link_log.h"
#include "ship/link_state.h"
#include "ship/roster.h"
#include "ship/server.h"
#include "ship/server_cut.h"
#include "ship/server_work.h"
#include "ship/worker.h"
#include "store/clock.h"
#include "store/relation.h"

#define SERVER_RETRY_FIRST	200		/* ms */
#define SERVER_RETRY_MOST	30000
#define VECTOR_WRITTEN		10000	/* ms at the most, where nothing of what changes is for the server; */
#define VECTOR_RENEWED		86400000	/* where nothing changes at all: deletions are kept for who is told */
#define MAX_SERVFAILS		3		/* of a zone, before it is found out which of its RRsets the server fails on */
#define MAX_ZONE_LINES		10		/* of single zones in the log, in ZONE_LINES_IN ms */
#define ZONE_LINES_IN		60000

typedef struct Server
{
	LinkState  *state;
	NodeSlot   *slot;
	char		name[NAMEDATALEN];
	Backoff		backoff;
	LinkLog		log;
	TimestampTz lines_since;
	int			lines;			/* of single zones that the log has had since then */
	Todo	   *doing;			/* what is being done, in TopMemoryContext: the session may end by it */
	TimestampTz doing_since;
	Todo	   *suspect;		/* and has ended by it, */
	char		suspicion[LINK_ERROR_SIZE];	/* with this error (empty: which may be every zone's), */
	int			suspect_took;	/* after so many ms */
	uint8		good[NAME_STORED_MAX];	/* a zone for which the server has shown that it has the key: the root if none is known */
	size_t		good_len;

	/* One session. */
	MemoryContext session;
	MemoryContext work;
	ServerRow  *row;
	DnsConn    *conn;
	HTAB	   *settled;		/* see feed.h */
	Extras	   *extras;			/* NULL: to be read */
	Spool	   *spool,			/* to be told */
			   *fetched;
	bool		begun;			/* the vector is known, and dnsrepl.server_state is of this life and of what dnsrepl.server says */
	uint8	   *vector;
	size_t		vector_len;		/* 0: it is not known what the server has */
	TimestampTz written;		/* when the vector was */
	uint64		acked;
	TimestampTz heard,
				delivered;		/* when something was told last */
	TimestampTz due;			/* the next of what is left to do; 0: look; DT_NOEND: nothing is */
} Server;

static Server mine;

/* ---------- one thing at a time ---------- */

static void
doing_end(Server *s)
{
	if (s->doing)
	{
		pfree(unconstify(uint8 *, s->doing->zone));
		if (s->doing->name)
			pfree(unconstify(uint8 *, s->doing->name));
		pfree(s->doing);
	}
	s->doing = NULL;
}

static void
doing_begin(Server *s, const Todo *t)
{
	doing_end(s);
	s->doing = todo_copy(t, TopMemoryContext);
	s->doing_since = GetCurrentTimestamp();
}

static int
doing_took(const Server *s)
{
	return (int) Min(TimestampDifferenceMilliseconds(s->doing_since, GetCurrentTimestamp()), 3600000);
}

/* The log hears of single zones, and not of too many of them. */
static void
zone_log(Server *s, const Todo *t, const char *why)
{
	char		name[NAME_TEXT_MAX];

	if (t->name)
		return;
	if (TimestampDifferenceExceeds(s->lines_since, GetCurrentTimestamp(), ZONE_LINES_IN))
	{
		s->lines_since = GetCurrentTimestamp();
		s->lines = 0;
	}
	if (s->lines++ > MAX_ZONE_LINES)
		return;
	(void) name_to_text(t->zone, t->zone_len, name);
	if (s->lines > MAX_ZONE_LINES)
		ereport(LOG, (errmsg("server \"%s\": more zones wait, or go on: see dnsrepl.problem", s->name)));
	else if (why)
		ereport(LOG, (errmsg("server \"%s\": zone \"%s\" waits: %s", s->name, name, why)));
	else
		ereport(LOG, (errmsg("server \"%s\": zone \"%s\" goes on", s->name, name)));
}

static void
todo_fails(Server *s, const Todo *t, const char *why, int took)
{
	if (work_fails(s->name, t, why, took))
		zone_log(s, t, why);
	s->due = 0;
}

static void
todo_done(Server *s, const Todo *t)
{
	if (work_done(s->name, t))
		zone_log(s, t, NULL);
	s->due = 0;
}

static Todo
refusal_todo(const Refusal *r)
{
	return (Todo) {.zone = r->zone, .zone_len = r->zone_len, .name = r->name, .name_len = r->name_len, .type = r->type};
}

static void
refusals_write(Server *s, const List *refusals, int took)
{
	ListCell   *lc;

	foreach(lc, refusals)
	{
		const Refusal *r = lfirst(lc);
		Todo		t = refusal_todo(r);

		todo_fails(s, &t, r->why, took);
	}
}

/* ---------- telling ---------- */

static void
heard(void)
{
	mine.heard = GetCurrentTimestamp();
	link_state_heard(mine.state, NULL, NULL, NULL, 0);
	if (mine.good_len == 0 && mine.doing && dns_trusted(mine.conn))
	{
		mine.good_len = mine.doing->zone_len;
		memcpy(mine.good, mine.doing->zone, mine.good_len);
	}
}

static void
zone_told(const uint8 *zone, size_t zone_len)
{
	doing_begin(&mine, &(Todo) {.zone = zone, .zone_len = zone_len});
}

static Feed
feed_begin(Server *s)
{
	return (Feed) {.server = s->row, .conn = s->conn, .settled = s->settled, .progress = heard};
}

static void
spools_end(Server *s)
{
	if (s->spool)
		spool_close(s->spool);
	if (s->fetched)
		spool_close(s->fetched);
	s->spool = s->fetched = NULL;
}

static Cut
cut_begin(Server *s)
{
	if (!s->extras)
		s->extras = extras_read(s->name, s->session);
	MemoryContextSwitchTo(s->work);
	return (Cut) {.row = s->row, .spool = s->spool, .extras = s->extras};
}

static void
vector_keep(Server *s, const StringInfoData *vector)
{
	uint8	   *copy = MemoryContextAlloc(s->session, (Size) vector->len + 1);

	memcpy(copy, vector->data, (size_t) vector->len);
	if (s->vector)
		pfree(s->vector);
	s->vector = copy;
	s->vector_len = (size_t) vector->len;
}

/* Zones that have to be compared, at once, whatever made one wait before: new ones, such as are gone, and (nothing is known of the server) all. */
static void
whole_write(Server *s)
{
	SpoolKind	kind;

	spool_rewind(s->spool);
	while ((kind = spool_next(s->spool)) != SPOOL_END)
		if (kind == SPOOL_WHOLE)
		{
			work_ask(s->name, &(Todo) {.zone = (uint8 *) s->spool->entry.data, .zone_len = (size_t) s->spool->entry.len}, true);
			s->due = 0;
		}
}

/* What a delta leaves to be done. */
static void
cut_write(Server *s, const Cut *c)
{
	ListCell   *lc;

	foreach(lc, c->changed)
	{
		work_ask(s->name, lfirst(lc), false);
		s->due = 0;
	}
	foreach(lc, c->claimed)
	{
		todo_done(s, lfirst(lc));
		s->extras = NULL;
	}
}

/* Tells the server what has changed since its vector; all of it has been taken, or noted, when this returns. */
static void
server_deliver(Server *s)
{
	MemoryContext caller = MemoryContextSwitchTo(s->work);
	Cut			c;
	Changes		changes;
	Feed		feed = feed_begin(s);
	StringInfo	known = makeStringInfo();
	uint64		commits;

	worker_pace(&s->delivered);
	commits = pg_atomic_read_u64(&s->slot->commits);
	s->spool = spool_open();
	worker_begin();
	if (!s->begun && vector_read(s->row, &s->slot->life, known))
		vector_keep(s, known);
	c = cut_begin(s);
	if (s->due != DT_NOEND)
		c.waiting = work_waiting(s->name, &c.nwaiting);
	MemoryContextSwitchTo(s->work);
	changes = cut_changes(&c, s->vector, s->vector_len);
	worker_commit();
	MemoryContextSwitchTo(s->work);
	XLogFlush(changes.flush);

	feed.zone = zone_told;
	feed_spool(&feed, s->spool);
	doing_end(s);

	vector_keep(s, changes.vector);
	if (s->spool->file || c.changed || !s->begun || TimestampDifferenceExceeds(s->written, GetCurrentTimestamp(), VECTOR_WRITTEN))
	{
		worker_begin();
		refusals_write(s, feed.refusals, 0);
		whole_write(s);
		cut_write(s, &c);
		vector_write(s->row, &s->slot->life, s->vector, s->vector_len);
		worker_commit();
		MemoryContextSwitchTo(s->work);
		s->written = GetCurrentTimestamp();
	}
	s->begun = true;
	link_state_heard(s->state, &s->slot->life, &s->slot->life, s->vector, s->vector_len);
	spools_end(s);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(s->work);
	s->acked = commits;
}

/* ---------- what is left to do ---------- */

/* A zone that is not here any more, or not this server's: is it still there? Why it cannot be left at that, or NULL. */
static const char *
zone_left(Server *s, const Todo *t)
{
	Feed		feed = feed_begin(s);
	UpdateSet	soa;

	if (t->name || !patterns_match(s->row->zones, t->zone, t->zone_len) || !feed_query(&feed, t->zone, t->zone_len, TYPE_SOA, &soa))
		return NULL;
	return "the zone has been deleted here, and the server still has it: no UPDATE deletes a zone";
}

static bool
is_refused(const Todo *t, const List *refusals)
{
	ListCell   *lc;

	foreach(lc, refusals)
	{
		Todo		r = refusal_todo(lfirst(lc));

		if (t->type == r.type &&
			(t->name ? r.name && r.name_len == t->name_len && memcmp(r.name, t->name, t->name_len) == 0 : !r.name))
			return true;
	}
	return false;
}

/* In a transaction. What was found of others is written if the zone was compared, or is gone. */
static void
todo_end(Server *s, const Todo *t, const Cut *c, const char *why, const List *refusals, bool compared)
{
	int			took = doing_took(s);

	if (why || (t->extra && refusals))
		todo_fails(s, t, why ? why : ((Refusal *) linitial(refusals))->why, took);
	else
	{
		if (!is_refused(t, refusals))
			todo_done(s, t);
		refusals_write(s, refusals, took);
	}
	if (compared)
		extras_write(s->name, t->zone, t->zone_len, &c->found);
	if (compared || t->extra)
		s->extras = NULL;
}

/* Does one thing. */
static void
todo_do(Server *s, const Todo *t)
{
	Feed		feed = feed_begin(s);
	const char *why = NULL;
	Cut			c;
	XLogRecPtr	flush;
	bool		there;

	doing_begin(s, t);
	s->spool = spool_open();
	if (!t->name && t->number)
	{
		feed_settle(&feed, t->zone, t->zone_len);
		s->fetched = spool_open();
		why = zone_fetch(s->conn, s->row->transfer_most, t->zone, t->zone_len, s->fetched);
		heard();
	}
	worker_begin();
	c = cut_begin(s);
	there = cut_todo(&c, t, why ? NULL : s->fetched, &flush);
	worker_commit();
	XLogFlush(flush);
	MemoryContextSwitchTo(s->work);
	feed.splits_servfail = t->name || t->tries >= MAX_SERVFAILS;
	if (!there)
		why = zone_left(s, t);
	else if (!why)
		feed_spool(&feed, s->spool);
	worker_begin();
	todo_end(s, t, &c, why, feed.refusals, !t->name && (!there || !why));
	worker_commit();
	doing_end(s);
	MemoryContextSwitchTo(s->work);
	spools_end(s);
}

/* ---------- sessions ---------- */

static void
server_is_up(Server *s)
{
	backoff_init(&s->backoff, SERVER_RETRY_FIRST, SERVER_RETRY_MOST);
	link_state_set_phase(s->state, LINK_STREAMING);
	link_state_set_error(s->state, NULL);
	link_state_set_acked(s->state, s->acked);
	ConditionVariableBroadcast(&s->slot->acked);
	link_log_up(&s->log, "server", s->name);
}

/* What has been asked for is done first, and the server has not got all before that is; then what waits, as its time comes. */
static bool
server_work(Server *s)
{
	MemoryContext caller = MemoryContextSwitchTo(s->work);
	Todo	   *t = NULL;

	if (s->due == 0)
	{
		worker_begin();
		MemoryContextSwitchTo(s->work);
		t = work_next(s->name, &s->due);
		worker_commit();
		MemoryContextSwitchTo(s->work);
		if (!t)
			s->due = DT_NOEND;
		else if (s->due == 0)
		{
			link_state_set_phase(s->state, LINK_CATCHING_UP);
			pgstat_report_activity(STATE_RUNNING, t->name ? "telling a name" : "comparing a zone");
		}
		else
			server_is_up(s);
	}
	else if (s->due <= GetCurrentTimestamp())
		s->due = 0;				/* which is it? */
	else
		return false;
	if (t && s->due <= GetCurrentTimestamp())
		todo_do(s, t);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(s->work);
	return true;
}

/* Is it there, and has it the key? Not every server looks at the signature of a question about what it has not. */
static void
server_ask(Server *s)
{
	MemoryContext caller = MemoryContextSwitchTo(s->work);

	(void) dns_exchange(s->conn, dns_message(OPCODE_QUERY, s->good, s->good_len, TYPE_SOA));
	dns_finish(s->conn);
	heard();
	MemoryContextSwitchTo(caller);
	MemoryContextReset(s->work);
}

/* The server is there, and the last session ended in the middle of something: that has its turn last; and it waits, if that was not the first time. */
static void
suspect_put_off(Server *s)
{
	Todo	   *t = s->suspect;

	if (!t)
		return;
	worker_begin();
	todo_fails(s, t, t->tries > 0 && *s->suspicion ? s->suspicion : NULL, s->suspect_took);
	worker_commit();
	MemoryContextSwitchTo(s->session);
	s->suspect = NULL;
	pfree(t);
}

static void
server_prepare(Server *s)
{
	worker_begin();
	s->row = server_row(s->name, s->session);
	worker_commit();
	if (!s->row)
		proc_exit(0);			/* dropped: the manager will find out too */
	link_state_set_resyncs(s->state, s->row->resyncs + s->row->orders);
	MemoryContextSwitchTo(s->session);
	s->conn = dns_open(s->row->address, s->row->key);
	s->settled = feed_settled_make(s->session);
	s->due = 0;
}

/* Ends by an error only. */
static void
server_session(Server *s)
{
	link_state_set_phase(s->state, LINK_CONNECTING);
	pgstat_report_activity(STATE_RUNNING, "connecting");
	server_prepare(s);
	server_ask(s);
	suspect_put_off(s);
	for (;;)
	{
		TimestampTz due = TimestampTzPlusMilliseconds(s->heard, setting_keepalive);

		worker_check();
		if (!s->begun || s->acked != pg_atomic_read_u64(&s->slot->commits) || TimestampDifferenceExceeds(s->written, GetCurrentTimestamp(), VECTOR_RENEWED))
		{
			pgstat_report_activity(STATE_RUNNING, "sending");
			server_deliver(s);
		}
		else if (!server_work(s))
		{
			server_is_up(s);
			pgstat_report_activity(STATE_IDLE, NULL);
			if (GetCurrentTimestamp() >= due)
				server_ask(s);
			else
				(void) worker_wait(0, PGINVALID_SOCKET, Min(due, s->due));
			s->delivered = 0;
		}
	}
}

static void
server_clean(Server *s)
{
	spools_end(s);
	dns_close(s->conn);
	s->conn = NULL;
	s->settled = NULL;
	s->extras = NULL;
	s->row = NULL;
	s->begun = false;
	s->vector = NULL;
	s->vector_len = 0;
	s->acked = 0;
}

/*
 * In PG_CATCH. The server was there, and what it was told or asked of one zone ended the session: is it that zone? A signature that is
 * refused is every zone's matter, unless the server has taken others in this session.
 */
static bool
server_suspects(Server *s, const ErrorData *error, const char *reason)
{
	bool		all = error->sqlerrcode == ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION && !dns_trusted(s->conn);

	if (!s->doing || error->sqlerrcode == ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION)
	{
		doing_end(s);
		return false;
	}
	s->suspect = s->doing;
	s->suspect_took = doing_took(s);
	s->doing = NULL;
	strlcpy(s->suspicion, all ? "" : reason, sizeof(s->suspicion));
	if (!all)
		backoff_init(&s->backoff, SERVER_RETRY_FIRST, SERVER_RETRY_MOST);
	return !all;
}

/* In PG_CATCH: shows what went wrong. */
static void
server_fail(Server *s)
{
	ErrorData  *error = worker_recover(s->session);
	const char *message = error->message ? error->message : "unknown error";
	char		reason[LINK_ERROR_SIZE];
	bool		zone;

	link_error_format(reason, sizeof(reason), error->detail ? psprintf("%s: %s", message, error->detail) : message);
	zone = server_suspects(s, error, reason);
	server_clean(s);
	if (zone)
		link_state_set_phase(s->state, LINK_CONNECTING);
	else
	{
		link_state_set_error(s->state, reason);
		link_state_set_phase(s->state, LINK_DOWN);
		link_log_down(&s->log, "server", s->name, reason, error->hint);
	}
	pgstat_report_activity(STATE_IDLE, NULL);
}

/* The worker's main function. */
void
server_main(Datum arg)
{
	LinkOrder	order;
	Server	   *s = &mine;

	worker_start(0);
	memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof(order));
	worker_connect_oid(order.database);
	if (database_held(MyDatabaseId) || !(s->state = link_state_attach(order.index, MyDatabaseId)))
		proc_exit(0);
	strlcpy(s->name, s->state->peer, sizeof(s->name));
	s->slot = clock_slot();
	wake_register(WAKE_LINK);
	/* of no consequence if it is lost: what has been told is told again */
	SetConfigOption("synchronous_commit", "off", PGC_SUSET, PGC_S_OVERRIDE);
	backoff_init(&s->backoff, SERVER_RETRY_FIRST, SERVER_RETRY_MOST);
	s->session = AllocSetContextCreate(TopMemoryContext, "dnsrepl session", ALLOCSET_DEFAULT_SIZES);
	s->work = AllocSetContextCreate(TopMemoryContext, "dnsrepl update", ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		MemoryContextSwitchTo(s->session);
		PG_TRY();
		{
			server_session(s);
		}
		PG_CATCH();
		{
			server_fail(s);
		}
		PG_END_TRY();
		MemoryContextSwitchTo(TopMemoryContext);
		MemoryContextReset(s->work);
		MemoryContextReset(s->session);
		backoff_fail(&s->backoff);
		while (!backoff_due(&s->backoff))
			worker_wait(0, PGINVALID_SOCKET, s->backoff.due);
	}
}
