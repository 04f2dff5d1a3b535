/*
 * greet.c: dnsrepl.hello(), the first call of a link, and again whenever it has been quiet.
 *
 * The receiver's side of who may be a peer: the same protocol, another node, another name, the same encoding, the same cluster
 * or one that can become it. The answer is this node's greeting. The session is told to end by itself when its peer has gone
 * silent. A role of a peer's own is bound to the node that speaks through it first (peer_role.c).
 *
 * It gets a number, which every later call has to name: so two peers that a connection pooler lets share a session notice that. Who has
 * said hello is forgotten when the session is reset, or the role is another.
 *
 * A copy of a node: two lives of one node that speak by turns. The one whose life began later is told (SQLSTATE 42710), and
 * becomes a node of its own (dnsrepl.become_other()). A server that has restarted does not speak in its former life any more.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "dnsrepl.h"
#include "merge/accept.h"
#include "merge/call.h"
#include "merge/chunks.h"
#include "merge/greet.h"
#include "merge/peer_role.h"
#include "store/claim.h"
#include "store/clock.h"
#include "store/codec.h"
#include "store/damage.h"
#include "store/guest_life.h"
#include "store/private_lock.h"
#include "store/progress.h"
#include "store/schema.h"

PG_FUNCTION_INFO_V1(dnsrepl_hello);

static Guest guest;

const Guest *
guest_require(int64 session)
{
	progress_begin();
	if (!setting_greeted || !guest.session || guest.login != GetSessionUserId() || guest.user != GetUserId())
		peer_nonsense("The session has not begun with dnsrepl.hello(): it has been reset, or a connection pooler has given the link another one.");
	if (guest.session != (uint64) session)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the link shares its session with another client"),
				 errdetail("A connection pooler must not give a session to another client as long as a link has it."),
				 errhint("Let links connect to the server itself, or by a pooler in session mode.")));
	if (guest.sound)
		damage_sound_spoke();
	peer_role_check(&guest.node, guest.name);	/* somebody may have been bound meanwhile */
	return &guest;
}

void
guest_has_sent(void)
{
	guest.sent = true;
}

/* Both have this node's identity: which of them is the copy? */
static void
guest_is_me(const Greeting *g, const NodeInfo *me)
{
	const NodeSlot *slot = clock_slot();

	if (memcmp(&g->life, &slot->life, UUID_LEN) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("node \"%s\" cannot be its own peer", me->name),
				 errhint("Check the connection string of the link.")));
	ereport(ERROR,
			(errcode(g->began > slot->began ? ERRCODE_DUPLICATE_OBJECT : ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("both databases have the identity of node \"%s\": one is a copy of the other", me->name)));
}

static void
guest_check(const Greeting *g, const NodeInfo *me, const char *encoding)
{
	if (g->protocol != PROTOCOL_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("peer speaks version %u of the link protocol, node \"%s\" speaks %d", g->protocol, me->name,
						PROTOCOL_VERSION),
				 errhint("Install the same version of dnsrepl on both.")));
	pg_verifymbstr(g->name, (int) strlen(g->name), false);
	peer_role_check(&g->node, g->name);
	if (memcmp(&g->node, &me->id, UUID_LEN) == 0)
		guest_is_me(g, me);
	if (strcmp(g->name, me->name) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("two nodes have the same name, \"%s\"", me->name),
				 errhint("Every node needs a name of its own: see dnsrepl.rename_node().")));
	if (strcmp(encoding, GetDatabaseEncodingName()) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the databases have different encodings: that of node \"%s\" %s, that of node \"%s\" %s",
						g->name, encoding, me->name, GetDatabaseEncodingName())));
}

/* The first word of a session: chunks of a delta that has not come whole are of no use to it. */
static void
session_begin(NodeSlot *slot, const Greeting *g)
{
	if (guest.session)
		chunks_unstage(&guest.node);
	if (!pg_strong_random(&guest.session, sizeof(guest.session)) || guest.session == 0)
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random bytes")));
	call_session_settings();
	/* whoever could not reach that peer may try again now */
	pg_atomic_fetch_add_u32(&slot->greetings, 1);
	wake_all(slot, WAKE_LINK);
}

Meeting
guest_meeting(const NodeInfo *me)
{
	Greeting	g = {.flags = guest.flags, .nclusters = guest.nclusters, .clusters = guest.clusters};

	return greeting_meet(me, node_has_data(me), &g);
}

/* Are the two of one cluster, or can they be? True if the roll has got a new version by that. */
static bool
guest_unite(const Greeting *g, const NodeInfo *me)
{
	Meeting		meeting = guest_meeting(me);

	if (meeting == MEET_BOTH_JOIN)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("nodes \"%s\" and \"%s\" have both been told to join the other", me->name, g->name),
				 errhint("Run SELECT dnsrepl.join(NULL) on the one that stays as it is.")));
	if (meeting != MEET_SAME && meeting != MEET_UNITE)
		return false;
	node_unite(me, g->clusters, g->nclusters, !node_has_data(me));
	return member_heard(&g->node, g->name, guest.sent);
}

static void
guest_enter(const Greeting *g)
{
	if (guest.clusters)
		pfree(guest.clusters);
	guest = (Guest) {.session = guest.session, .sent = guest.sent && memcmp(&guest.node, &g->node, UUID_LEN) == 0, .login = GetSessionUserId(),
	.user = GetUserId(), .node = g->node, .life = g->life, .flags = g->flags, .nclusters = g->nclusters};
	strlcpy(guest.name, g->name, NAMEDATALEN);
	guest.clusters = MemoryContextAlloc(TopMemoryContext, sizeof(pg_uuid_t) * (size_t) (g->nclusters + 1));
	memcpy(guest.clusters, g->clusters, sizeof(pg_uuid_t) * (size_t) g->nclusters);
}

/* For the sender's dnsrepl.status: it has sent all, and not all of it is shown here. */
static void
waits_tell(void)
{
	OwnerScope	scope = owner_enter();
	char	   *waits;

	SPI_connect();
	SPI_execute("SELECT dnsrepl.what_waits()", true, 1);
	waits = SPI_processed == 1 ? SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1) : NULL;
	if (waits)
		ereport(NOTICE,
				(errcode(MAKE_SQLSTATE(SQLSTATE_ZONES_WAIT[0], SQLSTATE_ZONES_WAIT[1], SQLSTATE_ZONES_WAIT[2], SQLSTATE_ZONES_WAIT[3], SQLSTATE_ZONES_WAIT[4])),
				 errmsg_internal("%s", waits)));
	SPI_finish();
	owner_leave(scope);
}

/* hello(encoding text, greeting bytea) returns bytea: a greeting */
Datum
dnsrepl_hello(PG_FUNCTION_ARGS)
{
	static TimestampTz told = 0;
	NodeSlot   *slot = clock_slot();
	bytea	   *said = PG_GETARG_BYTEA_PP(1);
	Greeting	g;
	NodeInfo	me;
	StringInfoData out;
	pg_uuid_t	life;
	int			level = call_begin("dnsrepl.hello()", false);

	progress_begin();
	node_require(&me);
	if (!greeting_decode(VARDATA_ANY(said), VARSIZE_ANY_EXHDR(said), &g))
		peer_nonsense("Its greeting cannot be read.");
	guest_check(&g, &me, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (g.session)
		(void) guest_require((int64) g.session);
	else
	{
		session_begin(slot, &g);
		told = 0;
	}
	chunks_unstage(&g.node);
	if (!guest_life_speaks(&g.node, &g.life, g.began))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("two servers say that they are node \"%s\": this is the copy", g.name)));
	claims_check_greeting(&g, g.name);
	peer_role_bind(&g.node, g.name);
	accept_know(&g.node, g.name);
	guest_enter(&g);
	/* what is known is of no great concern, and its lock comes after all others: capture may take some at the end */
	if (!guest_unite(&g, &me) && private_lock(LOCK_VECTOR, 0, ExclusiveLock, true))
		greeting_learn(&g);
	guest.sound = !(g.flags & GREETING_DAMAGED) && guest_meeting(&me) == MEET_SAME;
	if (guest.sound)
		damage_sound_spoke();
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());

	initStringInfo(&out);
	appendStringInfoSpaces(&out, VARHDRSZ);
	greeting_encode(&out, guest.session, greeting_tells_known(&told), &life);
	waits_tell();
	PopActiveSnapshot();
	SET_VARSIZE(out.data, out.len);
	call_end(level);
	PG_RETURN_BYTEA_P((bytea *) out.data);
}
