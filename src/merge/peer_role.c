/*
 * peer_role.c: see peer_role.h. The table dnsrepl.peer_role.
 *
 * Through dnsrepl_link anybody who may log in as it can speak as any node. So each peer can have a role of its own, a member of
 * dnsrepl_link: the first node that says hello through it is the only one that ever does, and is not heard through any other role,
 * dnsrepl_link included. What counts is the session's user: SET ROLE does not change it. A node keeps its id in a new life, as a
 * restored backup and under another name; one that turns out to be a copy, or is made anew, has another: until somebody has said
 * dnsrepl.unbind_role(), it is refused, or a stolen certificate would be good for any number of nodes.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "merge/peer_role.h"
#include "store/schema.h"

enum
{
	PEER_ROLE_ROLE = 1, PEER_ROLE_NODE
};

const char *
session_peer_role(void)
{
	Oid			link = get_role_oid("dnsrepl_link", true);
	Oid			user = GetSessionUserId();

	return OidIsValid(link) && user != link && is_member_of_role_nosuper(user, link) ? GetUserNameFromId(user, false) : NULL;
}

/* True if the session's role is bound to the node. */
static bool
bound_check(const pg_uuid_t *node, const char *name)
{
	const char *user = GetUserNameFromId(GetSessionUserId(), false);
	Relation	rel = table_open(schema_oid("peer_role"), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple	tuple;
	bool		bound = false,
				mine = false,
				its = false;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		const char *role = NameStr(*DatumGetName(heap_getattr(tuple, PEER_ROLE_ROLE, RelationGetDescr(rel), &isnull)));
		bool		same = memcmp(DatumGetUUIDP(heap_getattr(tuple, PEER_ROLE_NODE, RelationGetDescr(rel), &isnull)), node, UUID_LEN) == 0;
		bool		here = strcmp(role, user) == 0;

		bound |= same && here;
		mine |= here && !same;
		its |= same && !here;
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	if (mine)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" is bound to another node than this \"%s\"", user, name),
				 errhint("If it is to be this one's from now on, run dnsrepl.unbind_role() there.")));
	if (its)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("node \"%s\" may not speak through role \"%s\": it is bound to another role", name, user),
				 errhint("If it is to use this one from now on, run dnsrepl.unbind_role() for the other there.")));
	return bound;
}

void
peer_role_check(const pg_uuid_t *node, const char *name)
{
	(void) bound_check(node, name);
}

void
peer_role_bind(const pg_uuid_t *node, const char *name)
{
	const char *role = session_peer_role();
	Oid			types[2] = {NAMEOID, UUIDOID};
	Datum		values[2];

	if (!role || bound_check(node, name))
		return;
	values[0] = DirectFunctionCall1(namein, CStringGetDatum(role));
	values[1] = UUIDPGetDatum(node);
	if (owner_execute("INSERT INTO dnsrepl.peer_role (role, node) VALUES ($1, $2) ON CONFLICT DO NOTHING", 2, types, values) > 0)
		ereport(LOG, (errmsg("dnsrepl: role \"%s\" is bound to node \"%s\" from now on", role, name)));
	CommandCounterIncrement();
	(void) bound_check(node, name);	/* somebody else may have been first */
}
