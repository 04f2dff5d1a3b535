/*
 * node.c: see node.h.
 *
 * dnsrepl.node has one row. Clusters: setup() gives a node a cluster of its own; when nodes meet, their sets of clusters become
 * one set. Nodes are of one cluster if the sets have an element in common: so it does not matter in which order many new nodes
 * find one another. dnsrepl.roll is a replicated table: every node enters itself.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "dnsrepl.h"
#include "store/greeting.h"
#include "store/node.h"
#include "store/relation.h"
#include "store/schema.h"
#include "store/version.h"

static void
clusters_from_datum(NodeInfo *node, Datum array)
{
	Datum	   *values;

	deconstruct_array(DatumGetArrayTypeP(array), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &values, NULL, &node->nclusters);
	node->nclusters = Min(node->nclusters, MAX_CLUSTERS);
	node->clusters = palloc(sizeof(pg_uuid_t) * (size_t) (node->nclusters + 1));
	for (int i = 0; i < node->nclusters; i++)
		node->clusters[i] = *DatumGetUUIDP(values[i]);
}

bool
node_read(NodeInfo *node)
{
	Oid			relid = schema_find("node");
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(relid))
		return false;
	memset(node, 0, sizeof(*node));
	rel = schema_table("node", AccessShareLock, NODE_NATTS);
	scan = systable_beginscan(rel, InvalidOid, false, GetActiveSnapshot(), 0, NULL);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Datum		values[NODE_NATTS];
		bool		nulls[NODE_NATTS];

		heap_deform_tuple(tuple, RelationGetDescr(rel), values, nulls);
		node->id = *DatumGetUUIDP(values[NODE_ID - 1]);
		strlcpy(node->name, TextDatumGetCString(values[NODE_NAME - 1]), NAMEDATALEN);
		clusters_from_datum(node, values[NODE_CLUSTERS - 1]);
		if (!nulls[NODE_JOINING - 1])
			node->joining = strcmp(TextDatumGetCString(values[NODE_JOINING - 1]), "mine") == 0 ? JOIN_MINE :
				strcmp(TextDatumGetCString(values[NODE_JOINING - 1]), "cluster") == 0 ? JOIN_CLUSTER : JOIN_CONFLICT;
		node->damaged = !nulls[NODE_DAMAGED - 1];
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

void
node_require(NodeInfo *node)
{
	if (!node_read(node))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this database is not a node yet"),
				 errhint("Run SELECT dnsrepl.setup('name of this node').")));
}

/* Once there are data they do not go: deletions are data too. So the answer is kept, for that node. */
bool
node_has_data(const NodeInfo *me)
{
	static pg_uuid_t known;
	Store	   *store;
	ZoneRef    *zones;
	int			n;
	bool		any = false;

	if (memcmp(&known, &me->id, UUID_LEN) == 0)
		return true;
	store = store_open(false);
	zones = zone_all_at(GetActiveSnapshot(), &n);
	for (int i = 0; i < n && !any; i++)
		if (zones[i].table != TABLE_POLICY && zones[i].table != TABLE_ROLL)
			any = zone_holds_any(store, GetActiveSnapshot(), zones[i].number);
	store_close(store);
	if (any)
		known = me->id;
	return any;
}

static bool
has_cluster(const NodeInfo *me, const pg_uuid_t *cluster)
{
	for (int i = 0; i < me->nclusters; i++)
		if (memcmp(&me->clusters[i], cluster, UUID_LEN) == 0)
			return true;
	return false;
}

void
node_unite(const NodeInfo *me, const pg_uuid_t *clusters, int n, bool joined)
{
	Datum	   *values = palloc(sizeof(Datum) * (size_t) (n + 1));
	Oid			types[1] = {UUIDARRAYOID};
	Datum		array;
	bool		new = joined && me->joining != JOIN_NONE;

	for (int i = 0; i < n; i++)
	{
		values[i] = UUIDPGetDatum(&clusters[i]);
		new |= !has_cluster(me, &clusters[i]);
	}
	if (!new || me->nclusters + n > MAX_CLUSTERS)
		return;
	array = PointerGetDatum(construct_array(values, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	(void) owner_execute(joined ? "UPDATE dnsrepl.node SET joining = NULL,"
						 " clusters = ARRAY(SELECT u FROM unnest(clusters || $1) u GROUP BY u ORDER BY u)" :
						 "UPDATE dnsrepl.node SET"
						 " clusters = ARRAY(SELECT u FROM unnest(clusters || $1) u GROUP BY u ORDER BY u)", 1, types, &array);
}

bool
member_heard(const pg_uuid_t *node, const char *name, bool sent)
{
	Oid			types[3] = {UUIDOID, TEXTOID, INT4OID};
	Datum		values[3] = {UUIDPGetDatum(node), CStringGetTextDatum(name), Int32GetDatum(MAX_MEMBERS)};

	/* a look first: links at rest write nothing */
	if (owner_execute("SELECT FROM dnsrepl.roll WHERE node = $1 AND name = $2 AND NOT evicted", 2, types, values) > 0)
		return false;
	if (owner_execute("UPDATE dnsrepl.roll SET name = $2, evicted = false WHERE node = $1", 2, types, values) > 0)
		return true;
	return sent && owner_execute("INSERT INTO dnsrepl.roll (node, name) SELECT $1, $2 WHERE (SELECT count(*) FROM dnsrepl.roll) < $3"
								 " ON CONFLICT DO NOTHING", 3, types, values) > 0;
}

bool
member_known(const pg_uuid_t *node)
{
	Relation	rel = table_open(schema_oid("roll"), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData key;
	SysScanDesc scan;
	bool		known;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(node));
	scan = systable_beginscan(rel, schema_oid("roll_pkey"), true, snapshot, 1, &key);
	known = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return known;
}
