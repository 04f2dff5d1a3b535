/*
 * greet.c: dnsrepl.hello(), the first call of a link.
 *
 * The receiver's side of who may be a peer: the same protocol, another node, another name, the same encoding. The
 * answer is this node's greeting with its vector (delta.h). The session is told to end by itself when its peer has
 * gone silent.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

#include "dnsrepl.h"
#include "merge/greet.h"
#include "store/clock.h"
#include "store/codec.h"
#include "store/delta.h"
#include "store/peer_vector.h"
#include "store/schema.h"

PG_FUNCTION_INFO_V1(dnsrepl_hello);

static Guest guest;

const Guest *
guest_require(void)
{
	if (!guest.greeted)
		peer_nonsense("The session has not begun with dnsrepl.hello().");
	return &guest;
}

static void
guest_check(const Guest *g, const NodeInfo *me, int32 protocol, const char *encoding)
{
	if (protocol != PROTOCOL_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("peer speaks version %d of the link protocol, node \"%s\" speaks %d", protocol, me->name,
						PROTOCOL_VERSION),
				 errhint("Install the same version of dnsrepl on both.")));
	if (memcmp(&g->node, &me->id, UUID_LEN) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 memcmp(&g->life, &clock_slot()->life, UUID_LEN) == 0
				 ? errmsg("node \"%s\" cannot be its own peer", me->name)
				 : errmsg("both databases have the identity of node \"%s\": one is a copy of the other", me->name),
				 errhint("Check the connection string of the link.")));
	if (strcmp(g->name, me->name) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("two nodes have the same name, \"%s\"", me->name),
				 errhint("Every node needs a name of its own: see dnsrepl.setup().")));
	if (strcmp(encoding, GetDatabaseEncodingName()) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the databases have different encodings: that of node \"%s\" %s, that of node \"%s\" %s",
						g->name, encoding, me->name, GetDatabaseEncodingName())));
}

/* Who has called is known from then on, even if nothing of it was ever merged: as a node that holds nothing. */
static void
guest_remember(const Guest *g)
{
	static const uint8 nothing[1] = {0};
	size_t		len;
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	if (!peer_vector_read(snapshot, &g->node, &g->life, &len))
		peer_vector_write(&g->node, &g->life, g->name, nothing, sizeof(nothing));
	UnregisterSnapshot(snapshot);
}

/* Chunks of a delta that has not come whole are of no use to a new session. */
static void
staging_clear(const pg_uuid_t *node)
{
	OwnerScope	scope = owner_enter();
	Oid			types[1] = {UUIDOID};
	Datum		values[1] = {UUIDPGetDatum(node)};

	SPI_connect();
	SPI_execute_with_args("DELETE FROM dnsrepl.staging WHERE node = $1", 1, types, values, NULL, false, 0);
	SPI_finish();
	owner_leave(scope);
}

static void
session_begin(NodeSlot *slot, const Guest *g)
{
	char		timeout[32];

	snprintf(timeout, sizeof(timeout), "%d", Max(60000, 4 * setting_keepalive));
	SetConfigOption("idle_session_timeout", timeout, PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("idle_in_transaction_session_timeout", timeout, PGC_USERSET, PGC_S_SESSION);
#ifdef __linux__
	/* whoever hangs up while this session waits for a lock is not merged in vain */
	snprintf(timeout, sizeof(timeout), "%d", setting_keepalive);
	SetConfigOption("client_connection_check_interval", timeout, PGC_USERSET, PGC_S_SESSION);
#endif
	staging_clear(&g->node);
	guest_remember(g);
	/* whoever could not reach that peer may try again now */
	pg_atomic_fetch_add_u32(&slot->greetings, 1);
	wake_all(slot, WAKE_LINK);
}

/* hello(protocol int, node uuid, life uuid, name text, encoding text) returns bytea: a greeting */
Datum
dnsrepl_hello(PG_FUNCTION_ARGS)
{
	NodeSlot   *slot = clock_slot();
	Guest		g = {.node = *PG_GETARG_UUID_P(1), .life = *PG_GETARG_UUID_P(2)};
	char	   *encoding = text_to_cstring(PG_GETARG_TEXT_PP(4));
	NodeInfo	me;
	Vector	   *held;
	StringInfoData out;

	if (VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(3)) >= NAMEDATALEN)
		peer_nonsense("The name of a node is too long.");
	strlcpy(g.name, text_to_cstring(PG_GETARG_TEXT_PP(3)), NAMEDATALEN);
	node_require(&me);
	guest_check(&g, &me, PG_GETARG_INT32(0), encoding);
	if (!guest.greeted || memcmp(&g.node, &guest.node, UUID_LEN) != 0)
		session_begin(slot, &g);
	g.greeted = true;
	guest = g;

	initStringInfo(&out);
	appendStringInfoSpaces(&out, VARHDRSZ);
	held = holdings_push_snapshot();
	greeting_encode(&out, &me, &slot->life, held);
	PopActiveSnapshot();
	SET_VARSIZE(out.data, out.len);
	PG_RETURN_BYTEA_P((bytea *) out.data);
}
