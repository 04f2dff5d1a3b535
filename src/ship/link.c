/*
 * link.c: see link.h.
 *
 * greet --> cut a delta --> send it --> the peer's answer says what it holds now --+
 *              ^  nothing to send: wait for a commit, greet again when all is quiet |
 *              +-------------------------------------------------------------------+
 *
 * What the peer holds is known from its greeting and its answers alone; nothing is remembered over a connection.
 * Invariant: `commits` is read before a delta is cut, so when the peer has confirmed the delta (or lacked nothing) it
 * holds what that many commits changed: this is what wait_for_peers() waits for.
 * No transaction is open between deltas. All trouble is an ERROR that ends the session with the peer; the worker
 * shows it, waits, and begins anew.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/pg_bswap.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "dnsrepl.h"
#include "ship/checker.h"
#include "ship/compare_peer.h"
#include "ship/connect.h"
#include "ship/link.h"
#include "ship/link_log.h"
#include "ship/link_state.h"
#include "ship/peer.h"
#include "ship/roster.h"
#include "ship/worker.h"
#include "store/claim.h"
#include "store/clock.h"
#include "store/damage.h"
#include "store/delta.h"
#include "store/greeting.h"
#include "store/origin.h"
#include "store/private_lock.h"
#include "store/sums.h"

#define MAX_CHUNKS_IN_FLIGHT	4
#define MAX_REBASES				3		/* in a row, before the link is taken down for a while */
#define LINK_RETRY_FIRST		100		/* ms */
#define LINK_RETRY_MOST			30000

static const CallKind call_hello = {false, "hello", "SELECT dnsrepl.hello($1, $2)", 2, {TEXTOID, BYTEAOID}};
static const CallKind call_merges[] = {
	{true, "merge", "SELECT dnsrepl.merge($1, $2)", 2, {INT8OID, BYTEAOID}},
	{true, "chunk", "SELECT dnsrepl.merge($1, $2, $3, $4)", 4, {INT8OID, BYTEAOID, INT8OID, INT4OID}},
	{true, "done", "SELECT dnsrepl.merge_done($1, $2, $3)", 3, {INT8OID, INT8OID, INT4OID}},
	{true, "flush", "SELECT dnsrepl.flush($1)", 1, {INT8OID}},
};
#define call_merge	(&call_merges[0])
#define call_chunk	(&call_merges[1])
#define call_done	(&call_merges[2])
#define call_flush	(&call_merges[3])

typedef struct Link
{
	LinkState  *state;
	NodeSlot   *slot;
	char		name[NAMEDATALEN];
	Backoff		backoff;
	bool		unreachable;	/* the last attempt did not get as far as a session */
	uint32		greetings;		/* of peers, counted when it was made */
	bool		greeting;		/* it waits for the answer to hello() */
	bool		is_copy;		/* the peer says that this node is a copy of another that lives */
	LinkLog		log;

	/* One session with the peer. */
	MemoryContext session;
	MemoryContext work;			/* one delta */
	NodeInfo	node;			/* this one */
	pg_uuid_t	life;
	PeerConn   *conn;
	PeerTrust	trust;			/* may it carry private keys? */
	Delta	   *delta;
	pg_uuid_t	peer_node;
	pg_uuid_t	peer_life;
	TimestampTz greeted;		/* when it was last */
	TimestampTz told;			/* when it was last told what is known of others */
	Meeting		meeting;		/* how the two nodes stand to each other */
	uint8	   *vector;			/* what the peer holds, encoded */
	size_t		vector_len;
	uint64		acked;
	TimestampTz shipped;		/* when a delta was cut last */
	TimestampTz compared;		/* when it was last */
	uint64		different;		/* what was, then */
	bool		exact;			/* cut the next delta for exactly that */
	bool		kept;			/* a stranger has got what this node holds */
	bool		peer_damaged;	/* its store is */
	int			salvaged;		/* and it has got the versions of so many damaged nodes, this one's among them; 0: not yet */
	int			rebases;
} Link;

static Link mine;

/* The peer holds this. */
static void
link_learn(Link *link, const uint8 *vector, size_t len)
{
	uint8	   *copy = MemoryContextAllocHuge(link->session, len + 1);

	memcpy(copy, vector, len);
	if (link->vector)
		pfree(link->vector);
	link->vector = copy;
	link->vector_len = len;
	link_state_heard(link->state, &link->peer_node, &link->peer_life, vector, len);
}

/* It lacks nothing of what that many commits changed. */
static void
link_acknowledge(Link *link, uint64 commits)
{
	link->acked = commits;
	backoff_init(&link->backoff, LINK_RETRY_FIRST, LINK_RETRY_MOST);
	link_state_set_acked(link->state, commits);
	ConditionVariableBroadcast(&link->slot->acked);
}

/* Refuses a peer that this node must not talk to. */
static void
greeting_check(const Link *link, const Greeting *peer)
{
	const char *detail = NULL;

	if (peer->protocol != PROTOCOL_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("the peer speaks version %u of the link protocol, this node version %d",
						peer->protocol, PROTOCOL_VERSION)));
	if (memcmp(&peer->node, &link->node.id, UUID_LEN) == 0)
		detail = memcmp(&peer->life, &link->life, UUID_LEN) == 0 ?
			"This peer is this node itself." :
			"The peer has this node's identity: one is a copy of the other.";
	else if (strcmp(peer->name, link->node.name) == 0)
		detail = "The peer is another node of the same name.";
	if (detail)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("refused to replicate with this peer"),
				 errdetail("%s", detail)));
}

/* What the peer has said of itself, in a transaction: clusters that become one, what is known of who holds what. */
static void
link_take_greeting(Link *link, const Greeting *peer)
{
	worker_begin();
	node_require(&link->node);
	link->meeting = greeting_meet(&link->node, node_has_data(&link->node), peer);
	if (link->meeting == MEET_SAME || link->meeting == MEET_UNITE)
		node_unite(&link->node, peer->clusters, peer->nclusters, !node_has_data(&link->node));
	if (private_lock(LOCK_VECTOR, 0, ExclusiveLock, true))
		greeting_learn(peer);
	link->peer_damaged = (peer->flags & GREETING_DAMAGED) != 0;
	if (link->meeting == MEET_SAME && !link->peer_damaged)
		damage_sound_spoke();
	worker_commit();
}

/* Tells the peer who we are, and learns who it is and what it holds. */
static void
link_greet(Link *link)
{
	const char *encoding = GetDatabaseEncodingName();
	CallParam	params[2];
	MemoryContext caller = MemoryContextSwitchTo(link->work);
	StringInfoData said;
	uint8	   *answer;
	size_t		len = 0;
	Greeting	peer;
	TimestampTz asked;
	pg_uuid_t	life = link->life;

	initStringInfo(&said);
	worker_begin();
	MemoryContextSwitchTo(link->work);
	greeting_encode(&said, peer_session(link->conn), greeting_tells_known(&link->told), &link->life);
	worker_commit();
	MemoryContextSwitchTo(link->work);
	params[0] = (CallParam) {encoding, (int) strlen(encoding)};
	params[1] = (CallParam) {said.data, said.len};
	asked = stamp_time(clock_now());
	link->greeting = true;
	link_state_set_waiting(link->state, true);
	peer_waits_forget(link->conn);
	peer_send(link->conn, &call_hello, params);
	answer = peer_answer(link->conn, &len);
	link_state_set_waiting(link->state, false);
	link->greeting = false;
	if (!answer || !greeting_decode(answer, len, &peer))
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("the peer's greeting is not one of dnsrepl")));
	greeting_check(link, &peer);
	peer_set_session(link->conn, peer.session);
	claims_check_greeting(&peer, link->name);
	/* each damage begins a new life, here and there */
	if (memcmp(&life, &link->life, UUID_LEN) != 0 || memcmp(&peer.life, &link->peer_life, UUID_LEN) != 0)
		link->salvaged = 0;
	link->peer_node = peer.node;
	link->peer_life = peer.life;
	link->greeted = GetCurrentTimestamp();
	/* asked half way between question and answer, as far as one can know */
	link_state_set_skew(link->state, peer.time - (asked + (stamp_time(clock_now()) - asked) / 2));
	link_take_greeting(link, &peer);
	MemoryContextSwitchTo(link->work);
	link_learn(link, peer.vector, peer.vector_len);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(link->work);
}

/* This node has begun a new life (a copy of it was found out): the peer has to know whose delta comes. */
static bool
link_life_is_over(const Link *link)
{
	bool		over;

	LWLockAcquire(link->slot->lock, LW_SHARED);
	over = memcmp(&link->slot->life, &link->life, UUID_LEN) != 0;
	LWLockRelease(link->slot->lock);
	return over;
}

/* A chunk that waits for others: its answer says nothing. */
static void
link_take_receipt(Link *link)
{
	size_t		len = 0;

	(void) peer_answer(link->conn, &len);
}

/* What merge() or merge_done() said, which counts when flush() has answered: the call that was sent is followed by that. */
static bool
link_take_answer(Link *link)
{
	size_t		len = 0;
	uint8	   *bytes;
	Answer		answer;

	peer_send(link->conn, call_flush, NULL);
	bytes = peer_answer(link->conn, &len);
	link_take_receipt(link);
	if (!bytes || !answer_decode(bytes, len, &answer))
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("the peer's answer is not one of dnsrepl")));
	claims_check_encoded(answer.vector, answer.vector_len, link->name);
	link_learn(link, answer.vector, answer.vector_len);
	if (answer.status == ANSWER_KEPT)
		link->meeting = MEET_STRANGERS;
	return answer.status != ANSWER_REBASE;
}

/* A delta of several chunks: each is stored by the peer in a transaction of its own, then all are merged in one. */
static bool
link_send_chunks(Link *link)
{
	uint64		id = pg_hton64((uint64) GetCurrentTimestamp());
	uint32		count = 0;
	uint32		number;
	int			in_flight = 0;
	StringInfo	chunk;
	CallParam	done[2];

	while ((chunk = delta_next_chunk(link->delta)) != NULL)
	{
		CallParam	params[3];

		if (in_flight == MAX_CHUNKS_IN_FLIGHT)
		{
			link_take_receipt(link);
			in_flight--;
		}
		number = pg_hton32(count);
		params[0] = (CallParam) {chunk->data, chunk->len};
		params[1] = (CallParam) {&id, sizeof(id)};
		params[2] = (CallParam) {&number, sizeof(number)};
		peer_send(link->conn, call_chunk, params);
		count++;
		in_flight++;
	}
	while (in_flight-- > 0)
		link_take_receipt(link);

	number = pg_hton32(count);
	done[0] = (CallParam) {&id, sizeof(id)};
	done[1] = (CallParam) {&number, sizeof(number)};
	peer_send(link->conn, call_done, done);
	return link_take_answer(link);
}

static bool
link_send_delta(Link *link)
{
	CallParam	params[1];
	StringInfo	chunk;

	if (delta_chunks(link->delta) > 1)
	{
		link_state_set_phase(link->state, LINK_CATCHING_UP);
		return link_send_chunks(link);
	}
	chunk = delta_next_chunk(link->delta);
	params[0] = (CallParam) {chunk->data, chunk->len};
	peer_send(link->conn, call_merge, params);
	return link_take_answer(link);
}

/*
 * A damaged peer drops what this node held and has not any more: so that had better be so. False: this node is damaged too, and has to
 * find out now; the checker may not have come to it yet.
 */
static bool
link_store_right(Link *link)
{
	int32		zone;

	worker_begin();
	zone = store_damaged(GetActiveSnapshot());
	worker_commit();
	if (!zone)
		return true;
	if (!zone_damaged(zone))
		ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE), errmsg("a zone whose store is to be mended is locked by another transaction"), errhint("It will be tried again.")));
	link_greet(link);
	return false;
}

/* What every delta for the peer is cut by. */
static DeltaFor
link_delta_for(const Link *link)
{
	return (DeltaFor) {.node = link->peer_node, .life = link->peer_life, .vector = link->vector,
		.vector_len = link->vector_len, .trust = setting_allow_plaintext_secrets ? PEER_VERIFIED : link->trust};
}

/* Cuts a delta, and sends it if there is anything in it; false: the peer has not merged it, since it holds something else by now. */
static bool
link_cut_and_send(Link *link, const DeltaFor *peer)
{
	Delta	   *delta;
	bool		merged;

	worker_enter();
	link->delta = delta_cut(peer);
	worker_leave();
	MemoryContextSwitchTo(link->work);
	if (!link->delta)
		return true;
	delta = link->delta;
	link_state_set_waiting(link->state, true);
	merged = link_send_delta(link);
	link_state_set_waiting(link->state, false);
	link->delta = NULL;
	delta_free(delta);
	return merged;
}

/* The link is well; what has to wait at the peer it has said. */
static void
link_show_waits(Link *link)
{
	char		text[LINK_ERROR_SIZE];

	link_error_format(text, sizeof(text), peer_waits(link->conn));
	link_state_set_error(link->state, *text ? text : NULL);
}

/* Sends what has been committed since the peer confirmed last. */
static void
link_ship(Link *link)
{
	MemoryContext caller = MemoryContextSwitchTo(link->work);
	bool		merged;
	DeltaFor	peer;
	uint64		commits;

	worker_pace(&link->shipped);
	commits = pg_atomic_read_u64(&link->slot->commits);

	/* a peer that holds less than it did may be damaged */
	if (link->exact || link_life_is_over(link))
		link_greet(link);
	if (link->peer_damaged && !link_store_right(link))
	{
		MemoryContextSwitchTo(caller);
		return;
	}
	peer = link_delta_for(link);
	peer.exact = link->exact;
	merged = link_cut_and_send(link, &peer);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(link->work);

	link->exact = !merged;
	link->rebases = merged ? 0 : link->rebases + 1;
	if (link->rebases > MAX_REBASES)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("the peer refuses every delta as cut for more than it holds")));
	if (!merged || link->meeting == MEET_STRANGERS)
		return;
	link_state_set_phase(link->state, LINK_STREAMING);
	link_acknowledge(link, commits);
	if (link->peer_damaged)
		link_greet(link);		/* is it still? */
}

/* A peer that holds the same, and serves something else: the zones concerned are united, here by what this node holds. */
static void
link_compare(Link *link)
{
	MemoryContext caller = MemoryContextSwitchTo(link->work);
	ZoneRef    *zones;
	DeltaFor	peer = link_delta_for(link);

	link_state_set_waiting(link->state, true);
	peer.nzones = compare_peer(link->conn, link->name, link->vector, link->vector_len, &link->different, &zones);
	peer.zones = zones;
	link_state_set_waiting(link->state, false);
	MemoryContextSwitchTo(link->work);
	if (peer.nzones > 0)
	{
		ereport(LOG,
				(errmsg("link \"%s\": %d zones differ, though both nodes hold the same; the peer gets what this node holds of them",
						link->name, peer.nzones)));
		if (link_cut_and_send(link, &peer))
			link->compared = 0;	/* has it helped? */
		else
			link->different = PG_UINT64_MAX;	/* it has not been tried; what was noted before is cleared as at first */
	}
	MemoryContextSwitchTo(caller);
	MemoryContextReset(link->work);
}

/* Two damaged nodes, and no other kind to be seen: the peer gets all versions that are left here, when these have become more. */
static void
link_salvage(Link *link)
{
	MemoryContext caller = MemoryContextSwitchTo(link->work);
	DeltaFor	peer = link_delta_for(link);
	Damage		d;
	bool		due,
				merged = true;

	peer.salvage = true;
	worker_begin();
	due = damage_read(&d) && damage_none_sound(&d) && link->salvaged < d.n + 1;
	worker_commit();
	MemoryContextSwitchTo(link->work);
	if (due)
	{
		merged = link_cut_and_send(link, &peer);
		link->salvaged = d.n + 1;
	}
	MemoryContextSwitchTo(caller);
	MemoryContextReset(link->work);
	if (!merged)
		link_greet(link);		/* it has been mended meanwhile */
}

/* Is there a reason not to send anything now, though the peer may be one? As the status has it. */
static const char *
link_obstacle(const Link *link)
{
	switch (link->meeting)
	{
		case MEET_I_JOIN:
			return "this node takes the state of the peer's cluster before it sends";
		case MEET_BOTH_JOIN:
			return "both nodes have been told to join the other: run dnsrepl.join(NULL) on the one that stays as it is";
		case MEET_STRANGERS:
			return "both nodes have data and are of different clusters: run dnsrepl.join('cluster') or dnsrepl.join('mine') on the one that joins; dnsrepl.join_preview() shows what would change";
		case MEET_THEY_JOIN:
		case MEET_SAME:
		case MEET_UNITE:
			break;
	}
	if (link->node.damaged)
		return "the store of this node was changed behind the extension's back: it sends nothing until it has taken the state of a peer; dnsrepl.problem says of which";
	return NULL;
}

/* Sends what there is to be sent. To a stranger too, once: it keeps the delta, so that its people can look at it. */
static void
link_go_on(Link *link)
{
	const char *obstacle;

	if (link->meeting == MEET_STRANGERS && !link->kept)
	{
		link_ship(link);
		link->kept = true;
	}
	obstacle = link_obstacle(link);
	if (!obstacle)
	{
		link->kept = false;
		link_ship(link);
		obstacle = link_obstacle(link);
	}
	if (!obstacle)
	{
		link_show_waits(link);
		link_log_up(&link->log, "link", link->name);
		return;
	}
	if (link->node.damaged && link->peer_damaged && link->meeting == MEET_SAME)
		link_salvage(link);
	link_state_set_phase(link->state, LINK_CONNECTING);
	link_state_set_error(link->state, obstacle);
	link_log_waits(&link->log, "link", link->name, obstacle);
}

/* The connection string, and who this node is. */
static char *
link_prepare(Link *link)
{
	char	   *conninfo = NULL;
	MemoryContext caller = CurrentMemoryContext;
	List	   *rows;
	ListCell   *lc;
	bool		found;

	worker_begin();
	rows = peer_read_all(GetActiveSnapshot(), &found);
	foreach(lc, rows)
	{
		PeerRow    *row = lfirst(lc);

		if (strcmp(row->name, link->name) == 0)
			conninfo = MemoryContextStrdup(caller, row->conninfo);
	}
	if (conninfo)
		node_require(&link->node);
	worker_commit();
	MemoryContextSwitchTo(caller);
	if (!conninfo)
		proc_exit(0);			/* dropped: the manager will find out too */
	return conninfo;
}

/* One session with the peer. Ends by an error only. */
static void
link_session(Link *link)
{
	char	   *conninfo = link_prepare(link);

	link->greetings = pg_atomic_read_u32(&link->slot->greetings);
	link_state_set_phase(link->state, LINK_CONNECTING);
	pgstat_report_activity(STATE_RUNNING, "connecting");
	link->conn = peer_open(conninfo, psprintf("dnsrepl %s", link->node.name));
	explicit_bzero(conninfo, strlen(conninfo));
	link->trust = peer_trust(link->conn);
	peer_prepare(link->conn, &call_hello, 1);
	link->told = 0;
	link->different = PG_UINT64_MAX;	/* an earlier session may have noted something: the first comparison that finds nothing clears it */
	link_greet(link);
	peer_prepare(link->conn, call_merges, lengthof(call_merges));
	peer_prepare(link->conn, &call_compare, 1);
	link_state_set_phase(link->state, LINK_CATCHING_UP);
	pgstat_report_activity(STATE_RUNNING, "sending");
	link_go_on(link);
	for (;;)
	{
		TimestampTz due = TimestampTzPlusMilliseconds(link->greeted, setting_keepalive);

		worker_check();
		if (GetCurrentTimestamp() >= due)
		{
			link_greet(link);
			link_go_on(link);	/* the peer may hold less than it did */
			if (!link_obstacle(link) && link->acked && link->acked == pg_atomic_read_u64(&link->slot->commits) && greeting_tells_known(&link->compared))
				link_compare(link);
		}
		else if (link->exact || (pg_atomic_read_u64(&link->slot->commits) != link->acked && !link_obstacle(link)))
		{
			link_ship(link);
			if (!link_obstacle(link) && *peer_waits(link->conn))
				link_show_waits(link);
		}
		else
		{
			peer_idle(link->conn, due);
			link->shipped = 0;
		}
	}
}

static void
link_clean(Link *link)
{
	Delta	   *delta = link->delta;
	PeerConn   *conn = link->conn;

	link->unreachable = conn == NULL;
	link->delta = NULL;
	link->conn = NULL;
	if (delta)
		delta_free(delta);
	peer_close(conn);
	link->vector = NULL;
	link->vector_len = 0;
	link->acked = 0;
	link->exact = false;
	link->kept = false;
	link->salvaged = 0;
	link->compared = 0;
	link->different = 0;
	link->rebases = 0;
}

/* In PG_CATCH: shows what went wrong. */
static void
link_fail(Link *link)
{
	ErrorData  *error = worker_recover(link->session);
	char		reason[LINK_ERROR_SIZE];
	const char *message = error->message ? error->message : "unknown error";

	if (error->context)
		message = psprintf("the peer says: %s", message);
	link_error_format(reason, sizeof(reason),
					  error->detail ? psprintf("%s: %s", message, error->detail) : message);
	link_clean(link);
	link_state_set_waiting(link->state, false);
	link_state_set_error(link->state, reason);
	link_state_set_phase(link->state, LINK_DOWN);
	link_log_down(&link->log, "link", link->name, reason, NULL);
	/* in answer to hello(): from a merge it may be an error of the peer's own triggers */
	link->is_copy = link->greeting && error->sqlerrcode == ERRCODE_DUPLICATE_OBJECT && error->context;
	link->greeting = false;
	pgstat_report_activity(STATE_IDLE, NULL);
}

/*
 * A peer has connected to this node: perhaps the one that could not be reached. Only then: two nodes that refuse each
 * other's deltas must not drive each other round.
 */
static bool
link_is_called(const Link *link)
{
	return link->unreachable && link->greetings != pg_atomic_read_u32(&link->slot->greetings);
}

/* A copy becomes a node of its own: unless another link has seen to it already. */
static void
link_become_other(Link *link)
{
	link->is_copy = false;
	if (link_life_is_over(link))
		return;
	worker_begin();
	SPI_connect();
	SPI_execute("SELECT dnsrepl.become_other()", false, 0);
	SPI_finish();
	worker_commit();
	backoff_init(&link->backoff, LINK_RETRY_FIRST, LINK_RETRY_MOST);
}

static void
link_exit(int code, Datum arg)
{
	/* Only the connection: the peer need not wonder. */
	PeerConn   *conn = mine.conn;

	mine.conn = NULL;
	peer_close(conn);
}

/* The worker's main function. */
void
link_main(Datum arg)
{
	LinkOrder	order;
	Link	   *link = &mine;

	worker_start(0);
	memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof(order));
	worker_connect_oid(order.database);
	if (database_held(MyDatabaseId) || !(link->state = link_state_attach(order.index, MyDatabaseId)))
		proc_exit(0);
	strlcpy(link->name, link->state->peer, sizeof(link->name));
	link->slot = clock_slot();
	wake_register(WAKE_LINK);
	before_shmem_exit(link_exit, (Datum) 0);
	backoff_init(&link->backoff, LINK_RETRY_FIRST, LINK_RETRY_MOST);
	link->session = AllocSetContextCreate(TopMemoryContext, "dnsrepl session", ALLOCSET_DEFAULT_SIZES);
	link->work = AllocSetContextCreate(TopMemoryContext, "dnsrepl delta", ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		MemoryContextSwitchTo(link->session);
		PG_TRY();
		{
			if (link->is_copy)
				link_become_other(link);
			link_session(link);
		}
		PG_CATCH();
		{
			link_fail(link);
		}
		PG_END_TRY();
		MemoryContextSwitchTo(TopMemoryContext);
		MemoryContextReset(link->work);
		MemoryContextReset(link->session);
		backoff_fail(&link->backoff);
		while (!backoff_due(&link->backoff) && !link_is_called(link))
			worker_wait(0, PGINVALID_SOCKET, link->backoff.due);
	}
}
