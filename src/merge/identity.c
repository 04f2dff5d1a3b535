/*
 * identity.c: dnsrepl.become_other(): a copy of a node becomes a node of its own. Also wake_links().
 *
 * A restored backup, a promoted standby, a server that comes back from a crash are the node that they were: they begin a new
 * life, and that is all. A copy is another matter, since both live: it gets an id and a name of its own, keeps all that it
 * holds, and the lives that it has copied are from now on another node's. A peer finds it out (merge/greet.c), or the node
 * itself when it meets the other. Once in a server's life: a peer that says it again and again is not believed.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "store/clock.h"
#include "store/node.h"
#include "store/origin.h"
#include "store/private_lock.h"
#include "store/schema.h"

PG_FUNCTION_INFO_V1(dnsrepl_become_other);
PG_FUNCTION_INFO_V1(dnsrepl_wake_links);

Datum
dnsrepl_become_other(PG_FUNCTION_ARGS)
{
	NodeSlot   *slot = clock_slot();
	NodeInfo	was,
				is;

	/* two links may have been told at once */
	private_lock_soon(LOCK_LIFE, 0, ExclusiveLock, "the present life of this node");
	if (slot->other)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this node has become another one before, since its server started"),
				 errhint("If it is a copy again, restart the server.")));
	node_require(&was);
	lives_close();
	(void) owner_execute("UPDATE dnsrepl.origin SET own = false WHERE own AND closed", 0, NULL, NULL);
	(void) owner_execute("UPDATE dnsrepl.node SET id = gen_random_uuid(),"
					 " name = left(name, CASE WHEN octet_length(left(name, 56)) <= 56 THEN 56 ELSE 14 END) || '-' || substr(md5(gen_random_uuid()::text), 1, 6)", 0, NULL, NULL);
	(void) owner_execute("INSERT INTO dnsrepl.roll (node, name) SELECT id, name FROM dnsrepl.node", 0, NULL, NULL);
	PushActiveSnapshot(GetLatestSnapshot());
	node_require(&is);
	PopActiveSnapshot();
	slot->other = true;
	clock_renew();
	clock_links_changed();
	ereport(LOG,
			(errmsg("dnsrepl: this is a copy of node \"%s\", and has become node \"%s\"", was.name, is.name),
			 errhint("Use dnsrepl.rename_node() to give it another name.")));
	PG_RETURN_VOID();
}

Datum
dnsrepl_wake_links(PG_FUNCTION_ARGS)
{
	(void) clock_slot();
	clock_store_changed();
	PG_RETURN_VOID();
}
