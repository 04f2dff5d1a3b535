/*
 * server.c: see server.h.
 *
 * what the server lacks, by its vector --> a spool --> UPDATEs --> NOERROR to all --> the vector moves --+
 *              ^  nothing: what is left to do (zones to be compared, what was refused), or wait           |
 *              +------------------------------------------------------------------------------------------+
 *
 * The server keeps nothing for us: its vector is in dnsrepl.server_state. It moves only when the server has taken, or refused for good,
 * all that was told; what was refused is in dnsrepl.server_work, and tried again. Zones that are new, or of which it is not known what
 * has changed, go there too: they are fetched, compared, and told what differs. So is everything, once, by each life of this node: its
 * server may have been restored from a backup.
 * No transaction is open while the server is waited for, and this worker alone tells it anything: what is told later was read later,
 * and what is there is read after what an earlier worker may have told (feed_settle()).
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "dnsrepl.h"
#include "ship/compare_server.h"
#include "ship/dns_conn.h"
#include "ship/feed.h"
#include "ship/link.h"
#include "ship/link_state.h"
#include "ship/roster.h"
#include "ship/server.h"
#include "ship/server_row.h"
#include "ship/worker.h"
#include "store/changes.h"
#include "store/clock.h"
#include "store/policy.h"
#include "store/relation.h"
#include "type/dnsname.h"

#define SERVER_RETRY_FIRST	200		/* ms */
#define SERVER_RETRY_MOST	30000
#define REFUSED_RETRY_FIRST	1000	/* ms until what was refused is tried again */
#define REFUSED_RETRY_MOST	3600000
#define MAX_RETRIED			AT_ONCE(1000, 2)	/* of those, at a time */
#define VECTOR_WRITTEN		10000	/* ms at the most, where nothing of what changes is for the server */
#define MAX_SERVFAILS		3		/* in a row, before they count as refusals */

typedef struct Server
{
	LinkState  *state;
	NodeSlot   *slot;
	char		name[NAMEDATALEN];
	Backoff		backoff,
				retry;			/* of what was refused */
	bool		up;				/* as the log was told */
	char		reason[LINK_ERROR_SIZE];
	int			servfails;		/* in a row */
	struct Todo *doing;			/* what is left to do and being done, in TopMemoryContext: the session may end by it */

	/* One session. */
	MemoryContext session;
	MemoryContext work;
	ServerRow  *row;
	DnsConn    *conn;
	HTAB	   *settled;		/* see feed.h */
	Spool	   *spool,			/* to be told */
			   *fetched;
	bool		begun;			/* the vector is known, and dnsrepl.server_state is of this life and of what dnsrepl.server says */
	uint8	   *vector;
	size_t		vector_len;		/* 0: it is not known what the server has */
	TimestampTz written;		/* when the vector was */
	uint64		acked;
	TimestampTz heard,
				delivered;		/* when something was told last */
	StringInfoData differing,	/* a name, while a zone is compared, and what of it differs */
				differing_sets;
	int			ndiffering;
	bool		todo;			/* something has not been tried yet */
	bool		refused;		/* something was refused */
} Server;

static Server mine;

/* ---------- SQL ---------- */

static Datum
name_datum(const uint8 *name, size_t len)
{
	return PointerGetDatum(dnsname_make(name, len));
}

/* server_note() and server_done(): by name, they are this folder's. */
static void
work_write(const Server *s, bool done, const uint8 *zone, size_t zone_len, const uint8 *name, size_t name_len, uint16 type, const char *problem)
{
	Oid			types[5] = {TEXTOID, name_type(), name_type(), INT4OID, TEXTOID};
	Datum		values[5] = {CStringGetTextDatum(s->name), name_datum(zone, zone_len), name ? name_datum(name, name_len) : (Datum) 0,
	Int32GetDatum((int32) type), problem ? CStringGetTextDatum(problem) : (Datum) 0};
	char		nulls[6] = "     ";

	nulls[2] = name ? ' ' : 'n';
	nulls[4] = problem ? ' ' : 'n';
	SPI_connect();
	if (SPI_execute_with_args(done ? "SELECT dnsrepl.server_done($1, $2, $3, $4)" : "SELECT dnsrepl.server_note($1, $2, $3, $4, $5)",
							  done ? 4 : 5, types, values, nulls, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not write dnsrepl.server_work");
	SPI_finish();
}

static void
refusals_write(const Server *s, const List *refusals)
{
	ListCell   *lc;

	foreach(lc, refusals)
	{
		const Refusal *r = lfirst(lc);

		work_write(s, false, r->zone, r->zone_len, r->name, r->name_len, r->type, r->why);
	}
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

/* Only one of this life of the node and of these zones counts: else everything is compared. */
static void
vector_read(Server *s)
{
	Oid			types[3] = {TEXTOID, UUIDOID, INT4OID};
	Datum		values[3] = {CStringGetTextDatum(s->name), UUIDPGetDatum(&s->slot->life), Int32GetDatum(s->row->resyncs)};

	SPI_connect();
	if (SPI_execute_with_args("SELECT vector FROM dnsrepl.server_state WHERE server = $1 AND life = $2 AND resyncs = $3",
							  3, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read dnsrepl.server_state");
	if (SPI_processed == 1)
	{
		bool		isnull;
		bytea	   *found = DatumGetByteaPP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));

		vector_keep(s, &(StringInfoData) {.data = VARDATA_ANY(found), .len = (int) VARSIZE_ANY_EXHDR(found)});
	}
	SPI_finish();
}

/* It is of what dnsrepl.server said when this session began: what has been asked for since is for the next one. */
static void
vector_write(const Server *s)
{
	Oid			types[4] = {TEXTOID, BYTEAOID, UUIDOID, INT4OID};
	Datum		values[4] = {CStringGetTextDatum(s->name), PointerGetDatum(varlena_make(s->vector, s->vector_len)),
	UUIDPGetDatum(&s->slot->life), Int32GetDatum(s->row->resyncs)};

	SPI_connect();
	(void) SPI_execute_with_args("INSERT INTO dnsrepl.server_state AS t (server, vector, life, resyncs) SELECT s.name, $2, $3, $4 FROM dnsrepl.server s WHERE s.name = $1 "
								 "ON CONFLICT (server) DO UPDATE SET vector = excluded.vector, life = excluded.life, resyncs = excluded.resyncs",
								 4, types, values, NULL, false, 0);
	SPI_finish();
}

/* What is left to do: a row of dnsrepl.server_work. */
typedef struct Todo
{
	uint8	   *zone;
	size_t		zone_len;
	int32		number;			/* 0: nobody knows such a zone any more */
	uint8	   *name;			/* NULL: all of it */
	size_t		name_len;
	uint16		type;
} Todo;

static uint8 *
name_copy(Datum d, size_t *len)
{
	Dnsname    *name = DatumGetDnsname(d);
	uint8	   *copy = palloc(dnsname_length(name) + 1);

	*len = dnsname_length(name);
	memcpy(copy, dnsname_octets(name), *len);
	return copy;
}

/* What has been tried, or has not; or zones only. */
static List *
todo_read(Server *s, bool tried, bool zones, int most)
{
	Oid			types[4] = {TEXTOID, BOOLOID, BOOLOID, INT4OID};
	Datum		values[4] = {CStringGetTextDatum(s->name), BoolGetDatum(tried), BoolGetDatum(zones), Int32GetDatum(most)};
	MemoryContext context = CurrentMemoryContext;
	List	   *list = NIL;

	worker_begin();
	SPI_connect();
	if (SPI_execute_with_args("SELECT zone, zone_no, name, type FROM dnsrepl.server_todo($1, $2, $3, $4)", 4, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read dnsrepl.server_work");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		MemoryContext old = MemoryContextSwitchTo(context);
		Todo	   *t = palloc0(sizeof(Todo));
		Datum		d;

		t->zone = name_copy(SPI_getbinval(row, desc, 1, &isnull), &t->zone_len);
		d = SPI_getbinval(row, desc, 2, &isnull);
		t->number = isnull ? 0 : DatumGetInt32(d);
		d = SPI_getbinval(row, desc, 3, &isnull);
		if (!isnull)
			t->name = name_copy(d, &t->name_len);
		t->type = (uint16) DatumGetInt32(SPI_getbinval(row, desc, 4, &isnull));
		list = lappend(list, t);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	worker_commit();
	MemoryContextSwitchTo(context);
	return list;
}

/* ---------- finding out ---------- */

static void
entry_put(Server *s, SpoolKind kind, const uint8 *name, size_t name_len, const UpdateSet *sets, int n)
{
	UpdateItem	item = {.name = name, .name_len = name_len, .n = n, .sets = unconstify(UpdateSet *, sets)};
	StringInfoData octets;

	if (n == 0)
		return;
	initStringInfo(&octets);
	item_encode(&octets, &item);
	spool_put(s->spool, kind, octets.data, (size_t) octets.len);
	pfree(octets.data);
}

static void
cannot_put(const uint8 *name, size_t name_len, uint16 type, const char *why, void *arg)
{
	Server	   *s = arg;
	StringInfoData octets;

	initStringInfo(&octets);
	wire_put_u16(&octets, type);
	wire_put_string(&octets, name, name_len);
	appendStringInfoString(&octets, why);
	spool_put(s->spool, SPOOL_CANNOT, octets.data, (size_t) octets.len);
	pfree(octets.data);
}

/* The SOA record, which comes last: for its content, or its serial. */
static void
soa_put(Server *s, ServedZone *zone)
{
	DifferenceSink sink = {.arg = s, .cannot = cannot_put};
	ServedSet  *sets;
	UpdateSet	soa;
	int			n = served_name(zone, zone->ref.name, zone->ref.name_len, &sets);

	for (int i = 0; i < n; i++)
		if (sets[i].type == TYPE_SOA && sets[i].n == 1 &&
			sets_prepare(s->row, zone->ref.name, zone->ref.name_len, &sets[i], 1, &soa, &sink) == 1)
			entry_put(s, SPOOL_LAST, zone->ref.name, zone->ref.name_len, &soa, 1);
}

typedef struct Cutting
{
	Server	   *server;
	List	   *refused;		/* Todos: zones of which nothing is told, as they will be compared */
	int32		zone;			/* the one that the spool is at; 0: none */
	bool		soa;			/* which has to be told of its SOA record */
} Cutting;

static void
zone_end(ServedZone *zone, void *arg)
{
	Cutting    *c = arg;

	if (c->zone == zone->ref.number && c->soa)
		soa_put(c->server, zone);
	c->zone = 0;
	c->soa = false;
}

static bool
wants(const ZoneRef *zone, void *arg)
{
	const Cutting *c = arg;

	return !zone->table && patterns_match(c->server->row->zones, zone->name, zone->name_len);
}

static bool
zone_refused(const Cutting *c, int32 number)
{
	ListCell   *lc;

	foreach(lc, c->refused)
		if (((Todo *) lfirst(lc))->number == number)
			return true;
	return false;
}

static void
whole_put(ServedZone *zone, void *arg)
{
	Cutting    *c = arg;

	spool_put(c->server->spool, SPOOL_WHOLE, zone->ref.name, zone->ref.name_len);
}

static void
name_put(ServedZone *zone, const uint8 *name, size_t name_len, const ServedSet *sets, int n, void *arg)
{
	Cutting    *c = arg;
	DifferenceSink sink = {.arg = c->server, .cannot = cannot_put};
	UpdateSet  *out = palloc(sizeof(UpdateSet) * (size_t) (n + 1));
	bool		apex = name_len == zone->ref.name_len;
	int			kept,
				others = 0;

	if (served_gone(zone) || zone_refused(c, zone->ref.number))
		return;
	if (zone->ref.number != c->zone)
	{
		spool_put(c->server->spool, SPOOL_ZONE, zone->ref.name, zone->ref.name_len);
		c->zone = zone->ref.number;
		c->soa = c->server->row->our_serial;
	}
	kept = sets_prepare(c->server->row, name, name_len, sets, n, out, &sink);
	for (int i = 0; i < kept; i++)
	{
		if (apex && out[i].type == TYPE_SOA)
			c->soa = true;
		else
			out[others++] = out[i];
	}
	entry_put(c->server, SPOOL_ITEM, name, name_len, out, others);
}

/* Zones that have to be compared: new ones, and such as are gone. */
static void
whole_write(Server *s)
{
	SpoolKind	kind;

	spool_rewind(s->spool);
	while ((kind = spool_next(s->spool)) != SPOOL_END)
		if (kind == SPOOL_WHOLE)
		{
			work_write(s, false, (uint8 *) s->spool->entry.data, (size_t) s->spool->entry.len, NULL, 0, 0, NULL);
			s->todo = true;
		}
}

/* ---------- telling ---------- */

static void
heard(void)
{
	mine.heard = GetCurrentTimestamp();
	link_state_heard(mine.state, NULL, NULL, NULL, 0);
}

static Feed
feed_begin(Server *s)
{
	return (Feed) {.server = s->row, .conn = s->conn, .settled = s->settled, .splits_servfail = s->servfails >= MAX_SERVFAILS, .progress = heard};
}

static void
spool_end(Server *s)
{
	if (s->spool)
		spool_close(s->spool);
	s->spool = NULL;
}

/* Tells the server what has changed since its vector; all of it has been taken, or noted, when this returns. */
static void
server_deliver(Server *s)
{
	MemoryContext caller = MemoryContextSwitchTo(s->work);
	Cutting		c = {.server = s};
	ChangeSink	sink = {.arg = &c, .wants = wants, .zone = whole_put, .name = name_put, .end = zone_end};
	Changes		changes;
	Feed		feed;
	uint64		commits;

	worker_pace(&s->delivered);
	commits = pg_atomic_read_u64(&s->slot->commits);
	if (s->refused)
		c.refused = todo_read(s, true, true, MAX_RETRIED);
	s->spool = spool_open();
	worker_begin();
	MemoryContextSwitchTo(s->work);
	if (!s->begun)
		vector_read(s);
	changes = changes_tell(s->vector_len ? s->vector : NULL, s->vector_len, &sink);
	worker_commit();
	MemoryContextSwitchTo(s->work);
	XLogFlush(changes.flush);

	feed = feed_begin(s);
	feed_spool(&feed, s->spool);

	vector_keep(s, changes.vector);
	if (s->spool->file || !s->begun || TimestampDifferenceExceeds(s->written, GetCurrentTimestamp(), VECTOR_WRITTEN))
	{
		worker_begin();
		refusals_write(s, feed.refusals);
		whole_write(s);
		vector_write(s);
		worker_commit();
		MemoryContextSwitchTo(s->work);
		s->written = GetCurrentTimestamp();
	}
	s->refused |= feed.refusals != NIL;
	s->begun = true;
	link_state_heard(s->state, &s->slot->life, &s->slot->life, s->vector, s->vector_len);
	spool_end(s);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(s->work);
	s->acked = commits;
}

/* ---------- what is left to do ---------- */

/* What differs of the name at hand: one item, for a CNAME record is not taken before the others have gone. */
static void
differing_put(Server *s)
{
	StringInfoData octets;

	if (s->ndiffering > 0)
	{
		initStringInfo(&octets);
		wire_put_string(&octets, s->differing.data, (size_t) s->differing.len);
		wire_put_varint(&octets, (uint64) s->ndiffering);
		appendBinaryStringInfo(&octets, s->differing_sets.data, s->differing_sets.len);
		spool_put(s->spool, SPOOL_ITEM, octets.data, (size_t) octets.len);
		pfree(octets.data);
	}
	s->ndiffering = 0;
	resetStringInfo(&s->differing);
	resetStringInfo(&s->differing_sets);
}

static void
differs(const uint8 *name, size_t name_len, const UpdateSet *ours, const UpdateSet *theirs, void *arg)
{
	Server	   *s = arg;

	if (ours->type == TYPE_SOA)	/* it is put for all of the zone */
		return;
	if (s->differing.len != (int) name_len || memcmp(s->differing.data, name, name_len) != 0)
	{
		differing_put(s);
		appendBinaryStringInfo(&s->differing, (const char *) name, (int) name_len);
	}
	set_encode(&s->differing_sets, ours);
	s->ndiffering++;
}

/* Puts into the spool what a zone lacks at the server, or one name. False: there is no such zone here. */
static bool
todo_cut(Server *s, const Todo *t, bool compare)
{
	DifferenceSink sink = {.arg = s, .difference = differs, .cannot = cannot_put};
	Store	   *store;
	ServedZone	zone;
	XLogRecPtr	flush = InvalidXLogRecPtr;
	bool		there;

	worker_begin();
	tables_refresh();
	policies_refresh();
	store = store_open(false);
	PushActiveSnapshot(GetLatestSnapshot());
	there = t->number && served_open(&zone, store, GetActiveSnapshot(), t->number) && !served_gone(&zone) &&
		patterns_match(s->row->zones, t->zone, t->zone_len);
	if (there)
	{
		spool_put(s->spool, SPOOL_ZONE, t->zone, t->zone_len);
		if (!t->name && compare)
		{
			initStringInfo(&s->differing);
			initStringInfo(&s->differing_sets);
			s->ndiffering = 0;
			comparison_end(comparison_begin(s->row, &zone), s->fetched, &sink);
			differing_put(s);
			soa_put(s, &zone);
		}
		else if (t->name)
		{
			ServedSet  *sets;
			int			n = served_name(&zone, t->name, t->name_len, &sets);
			UpdateSet  *out = palloc(sizeof(UpdateSet) * (size_t) (n + 1));
			int			kept = 0;

			for (int i = 0; i < n; i++)
				if (t->type == 0 || sets[i].type == t->type)
					sets[kept++] = sets[i];
			entry_put(s, SPOOL_ITEM, t->name, t->name_len, out, sets_prepare(s->row, t->name, t->name_len, sets, kept, out, &sink));
		}
		flush = zone.flush;
	}
	PopActiveSnapshot();
	store_close(store);
	worker_commit();
	XLogFlush(flush);
	return there;
}

/* A zone that is not here any more, or not this server's: is it still there? Why it cannot be left at that, or NULL. */
static const char *
zone_left(Server *s, const Todo *t)
{
	Feed		feed = feed_begin(s);
	UpdateSet	soa;

	if (!patterns_match(s->row->zones, t->zone, t->zone_len) || !feed_query(&feed, t->zone, t->zone_len, TYPE_SOA, &soa))
		return NULL;
	return "the zone has been deleted here, and the server still has it: no UPDATE deletes a zone";
}

static void
doing_end(Server *s)
{
	if (!s->doing)
		return;
	pfree(s->doing->zone);
	if (s->doing->name)
		pfree(s->doing->name);
	pfree(s->doing);
	s->doing = NULL;
}

static void
doing_begin(Server *s, const Todo *t)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	s->doing = palloc(sizeof(Todo));
	*s->doing = *t;
	s->doing->zone = palloc(t->zone_len + 1);
	memcpy(s->doing->zone, t->zone, t->zone_len);
	if (t->name)
	{
		s->doing->name = palloc(t->name_len + 1);
		memcpy(s->doing->name, t->name, t->name_len);
	}
	MemoryContextSwitchTo(old);
}

/* In a transaction: what the last session ended by waits its turn, or nothing else would be done. */
static void
doing_put_off(Server *s)
{
	const Todo *t = s->doing;

	if (t)
		work_write(s, false, t->zone, t->zone_len, t->name, t->name_len, t->type, s->reason);
	doing_end(s);
}

/* Does one thing. True: it was taken. */
static bool
todo_do(Server *s, Todo *t)
{
	Feed		feed = feed_begin(s);
	const char *why = NULL;
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
	MemoryContextSwitchTo(s->work);
	there = todo_cut(s, t, !why);
	MemoryContextSwitchTo(s->work);
	if (!there)
		why = zone_left(s, t);
	else if (!why)
		feed_spool(&feed, s->spool);
	worker_begin();
	if (!why && feed.refusals == NIL)
		work_write(s, true, t->zone, t->zone_len, t->name, t->name_len, t->type, NULL);
	else if (why)
		work_write(s, false, t->zone, t->zone_len, t->name, t->name_len, t->type, why);
	else
	{
		bool		same = false;	/* as what was to be done */
		ListCell   *lc;

		foreach(lc, feed.refusals)
		{
			const Refusal *r = lfirst(lc);

			same |= t->type == r->type && (t->name ? r->name && r->name_len == t->name_len && memcmp(r->name, t->name, t->name_len) == 0 : !r->name);
		}
		if (!same)
			work_write(s, true, t->zone, t->zone_len, t->name, t->name_len, t->type, NULL);
		refusals_write(s, feed.refusals);
	}
	worker_commit();
	doing_end(s);
	MemoryContextSwitchTo(s->work);
	spool_end(s);
	if (s->fetched)
		spool_close(s->fetched);
	s->fetched = NULL;
	s->refused |= why || feed.refusals != NIL;
	return !why && feed.refusals == NIL;
}

/* One zone that has not been compared yet. */
static void
server_work(Server *s)
{
	MemoryContext caller = MemoryContextSwitchTo(s->work);
	List	   *list = todo_read(s, false, false, 1);

	if (list == NIL)
		s->todo = false;
	else
	{
		link_state_set_phase(s->state, LINK_CATCHING_UP);
		pgstat_report_activity(STATE_RUNNING, "comparing a zone");
		(void) todo_do(s, linitial(list));
	}
	MemoryContextSwitchTo(caller);
	MemoryContextReset(s->work);
}

/* What was refused: perhaps it is taken now. */
static void
server_retry(Server *s)
{
	MemoryContext caller = MemoryContextSwitchTo(s->session);
	MemoryContext lists = AllocSetContextCreate(s->session, "dnsrepl refused", ALLOCSET_DEFAULT_SIZES);
	List	   *list;
	ListCell   *lc;

	MemoryContextSwitchTo(lists);
	list = todo_read(s, true, false, MAX_RETRIED);
	s->refused = list != NIL;
	foreach(lc, list)
	{
		MemoryContextSwitchTo(s->work);
		if (todo_do(s, lfirst(lc)))
			backoff_init(&s->retry, REFUSED_RETRY_FIRST, REFUSED_RETRY_MOST);
		MemoryContextReset(s->work);
	}
	backoff_fail(&s->retry);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(lists);
}

/* Nothing was heard for a while: is it there? */
static void
server_ask(Server *s)
{
	MemoryContext caller = MemoryContextSwitchTo(s->work);

	(void) dns_exchange(s->conn, dns_message(OPCODE_QUERY, (const uint8 *) "", 0, TYPE_SOA));
	dns_finish(s->conn);
	heard();
	MemoryContextSwitchTo(caller);
	MemoryContextReset(s->work);
}

/* ---------- sessions ---------- */

static void
server_is_up(Server *s)
{
	s->servfails = 0;
	backoff_init(&s->backoff, SERVER_RETRY_FIRST, SERVER_RETRY_MOST);
	link_state_set_phase(s->state, LINK_STREAMING);
	link_state_set_error(s->state, s->refused ? "some of it was refused: see dnsrepl.problem" : NULL);
	link_state_set_acked(s->state, s->acked);
	ConditionVariableBroadcast(&s->slot->acked);
	if (!s->up)
		ereport(LOG, (errmsg("server \"%s\" is up", s->name)));
	s->up = true;
	s->reason[0] = '\0';
}

static void
server_prepare(Server *s)
{
	worker_begin();
	s->row = server_row(s->name, s->session);
	if (s->row)
		doing_put_off(s);
	worker_commit();
	if (!s->row)
		proc_exit(0);			/* dropped: the manager will find out too */
	link_state_set_resyncs(s->state, s->row->resyncs);
	MemoryContextSwitchTo(s->session);
	s->conn = dns_open(s->row->address, s->row->key);
	s->settled = feed_settled_make(s->session);
	s->todo = s->refused = true;	/* perhaps: an earlier session may have left something */
	backoff_init(&s->retry, REFUSED_RETRY_FIRST, REFUSED_RETRY_MOST);
}

/* Ends by an error only. */
static void
server_session(Server *s)
{
	link_state_set_phase(s->state, LINK_CONNECTING);
	pgstat_report_activity(STATE_RUNNING, "connecting");
	server_prepare(s);
	server_ask(s);
	for (;;)
	{
		TimestampTz due = TimestampTzPlusMilliseconds(s->heard, setting_keepalive);

		worker_check();
		if (!s->begun || s->acked != pg_atomic_read_u64(&s->slot->commits))
		{
			pgstat_report_activity(STATE_RUNNING, "sending");
			server_deliver(s);
		}
		else if (s->todo)
			server_work(s);
		else if (s->refused && backoff_due(&s->retry))
			server_retry(s);
		else
		{
			server_is_up(s);
			pgstat_report_activity(STATE_IDLE, NULL);
			if (GetCurrentTimestamp() >= due)
				server_ask(s);
			else
				(void) worker_wait(0, PGINVALID_SOCKET, s->refused ? Min(due, s->retry.due) : due);
			s->delivered = 0;
		}
	}
}

static void
server_clean(Server *s)
{
	spool_end(s);
	if (s->fetched)
		spool_close(s->fetched);
	s->fetched = NULL;
	dns_close(s->conn);
	s->conn = NULL;
	s->settled = NULL;
	s->row = NULL;
	s->begun = false;
	s->vector = NULL;
	s->vector_len = 0;
	s->acked = 0;
}

/* In PG_CATCH: shows what went wrong. */
static void
server_fail(Server *s)
{
	ErrorData  *error = worker_recover(s->session);
	const char *message = error->message ? error->message : "unknown error";
	char		reason[LINK_ERROR_SIZE];

	if (error->sqlerrcode == ERRCODE_CONNECTION_EXCEPTION)
		s->servfails++;
	link_error_format(reason, sizeof(reason), error->detail ? psprintf("%s: %s", message, error->detail) : message);
	server_clean(s);
	link_state_set_error(s->state, reason);
	link_state_set_phase(s->state, LINK_DOWN);
	if (s->up || strcmp(s->reason, reason) != 0)
		ereport(LOG, (errmsg("server \"%s\" is down: %s", s->name, reason), error->hint ? errhint("%s", error->hint) : 0));
	s->up = false;
	strlcpy(s->reason, reason, sizeof(s->reason));
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
