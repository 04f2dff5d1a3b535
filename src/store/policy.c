/*
 * policy.c: see policy.h. Every backend keeps the policies it has read until the table changes.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"

#include "compat.h"
#include "store/clock.h"
#include "store/policy.h"
#include "store/private_lock.h"
#include "store/schema.h"

PG_FUNCTION_INFO_V1(dnsrepl_policy_changed);
PG_FUNCTION_INFO_V1(dnsrepl_policy_hold);

#define MAX_POLICIES 100000

enum
{
	POLICY_ZONE = 1, POLICY_TAB, POLICY_TYPE, POLICY_RESOLVER, POLICY_OPTIONS, POLICY_DOUBTED, POLICY_NATTS = 7
};

static List *policies = NIL;	/* of Policy, the most specific first */
static MemoryContext policies_context = NULL;
static Oid	policies_relid = InvalidOid;
static bool policies_known = false;
static uint64 policies_reads = 0;
static uint64 held_generation;	/* before policy_hold() ... */
static LocalTransactionId held_by = InvalidLocalTransactionId;	/* ... of this transaction */
static bool watching = false;

static void
policies_invalidate(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == policies_relid)
		policies_known = false;
}

static const struct
{
	const char *name;
	ResolverKind kind;
}			resolvers[] = {
	{"latest", RESOLVER_LATEST}, {"merge", RESOLVER_MERGE}, {"prefer", RESOLVER_PREFER}, {"hold", RESOLVER_HOLD}
};

static ResolverKind
resolver_kind(const char *name)
{
	for (int i = 0; i < (int) lengthof(resolvers); i++)
		if (strcmp(resolvers[i].name, name) == 0)
			return resolvers[i].kind;
	return RESOLVER_FUNCTION;
}

/* {"order": ["seattle", "tacoma"]} */
static List *
options_order(Jsonb *options)
{
	JsonbValue *order;
	List	   *list = NIL;

	if (!JB_ROOT_IS_OBJECT(options))
		return NIL;
	order = getKeyJsonValueFromContainer(&options->root, "order", 5, NULL);
	if (!order || order->type != jbvBinary || !JsonContainerIsArray(order->val.binary.data))
		return NIL;
	for (uint32 i = 0; i < JsonContainerSize(order->val.binary.data); i++)
	{
		JsonbValue *v = getIthJsonbValueFromContainer(order->val.binary.data, i);

		if (v && v->type == jbvString)
			list = lappend(list, pnstrdup(v->val.string.val, v->val.string.len));
	}
	return list;
}

static Policy *
policy_from_tuple(HeapTuple tuple, TupleDesc desc)
{
	Datum		values[POLICY_NATTS];
	bool		nulls[POLICY_NATTS];
	Policy	   *p = palloc0(sizeof(Policy));

	heap_deform_tuple(tuple, desc, values, nulls);
	p->everywhere = nulls[POLICY_ZONE - 1];
	if (!p->everywhere)
	{
		struct varlena *name = PG_DETOAST_DATUM_PACKED(values[POLICY_ZONE - 1]);

		p->zone_len = VARSIZE_ANY_EXHDR(name);
		p->zone = palloc(p->zone_len + 1);
		memcpy(p->zone, VARDATA_ANY(name), p->zone_len);
	}
	p->tab = nulls[POLICY_TAB - 1] ? NULL : TextDatumGetCString(values[POLICY_TAB - 1]);
	p->type = nulls[POLICY_TYPE - 1] ? -1 : (int) DatumGetUInt16(values[POLICY_TYPE - 1]);
	p->resolver = TextDatumGetCString(values[POLICY_RESOLVER - 1]);
	p->kind = resolver_kind(p->resolver);
	if (p->kind == RESOLVER_FUNCTION && DatumGetBool(values[POLICY_DOUBTED - 1]))
	{
		p->kind = RESOLVER_LATEST;
		p->resolver = pstrdup("latest");
	}
	if (!nulls[POLICY_OPTIONS - 1])
		p->order = options_order(DatumGetJsonbP(values[POLICY_OPTIONS - 1]));
	return p;
}

static int
policy_order(const ListCell *a, const ListCell *b)
{
	const Policy *x = lfirst(a),
			   *y = lfirst(b);

	if (x->everywhere != y->everywhere)
		return x->everywhere ? 1 : -1;
	if (x->zone_len != y->zone_len)
		return x->zone_len > y->zone_len ? -1 : 1;	/* of two that apply, one is a prefix of the other */
	if (!x->tab != !y->tab)
		return x->tab ? -1 : 1;
	return (x->type < 0) - (y->type < 0);
}

static void
policies_read(void)
{
	Relation	rel;
	Snapshot	snapshot;
	TableScanDesc scan;
	HeapTuple	tuple;
	MemoryContext old;

	if (!watching)
	{
		CacheRegisterRelcacheCallback(policies_invalidate, (Datum) 0);
		watching = true;
	}
	if (policies_context)
		MemoryContextDelete(policies_context);
	policies_context = AllocSetContextCreate(CacheMemoryContext, "dnsrepl policies", ALLOCSET_SMALL_SIZES);
	policies = NIL;
	policies_relid = schema_oid("policy");
	policies_known = true;
	policies_reads++;
	rel = schema_table("policy", AccessShareLock, POLICY_NATTS);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	scan = table_beginscan(rel, snapshot, 0, NULL);
	old = MemoryContextSwitchTo(policies_context);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL && list_length(policies) < MAX_POLICIES)
		policies = lappend(policies, policy_from_tuple(tuple, RelationGetDescr(rel)));
	list_sort(policies, policy_order);
	MemoryContextSwitchTo(old);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
}

void
policies_refresh(void)
{
	policies_known = false;
}

uint64
policies_generation(void)
{
	AcceptInvalidationMessages();
	if (!policies_known)
		policies_read();
	return policies_reads;
}

bool
policies_stand(uint64 generation)
{
	if (!private_lock(LOCK_POLICY, 0, ShareLock, true))
		return false;
	/* what this transaction has changed, it has seen to */
	return (held_by == MY_LXID ? held_generation : policies_generation()) == generation;
}

/*
 * policy_hold(): before a policy is changed. Until this transaction ends, no other changes one, and no merge that has made a zone ends
 * without knowing of it; those of merges that have ended are seen by the statements that follow.
 */
Datum
dnsrepl_policy_hold(PG_FUNCTION_ARGS)
{
	(void) private_lock(LOCK_POLICY, 0, ExclusiveLock, false);
	if (held_by != MY_LXID)
		held_generation = policies_generation();
	held_by = MY_LXID;
	PG_RETURN_VOID();
}

const Policy *
policy_for(const ZoneRef *zone, TableDesc *t, const uint8 *key, size_t key_len)
{
	ListCell   *lc;
	uint16		type = record_type(key, key_len);

	if (!policies_known)
		policies_read();
	foreach(lc, policies)
	{
		const Policy *p = lfirst(lc);

		if (!p->everywhere && (zone->table || p->zone_len > zone->name_len ||
							   memcmp(p->zone, zone->name, p->zone_len) != 0))
			continue;
		if (p->tab && (!t || strcmp(p->tab, t->name) != 0))
			continue;
		if (p->type >= 0 && p->type != type)
			continue;
		return p;
	}
	return NULL;
}

bool
resolver_is_function(const char *resolver)
{
	return resolver_kind(resolver) == RESOLVER_FUNCTION;
}

/* policy_changed(): every backend reads the policies again; the manager comes and projects what was parked; DNS servers are told */
Datum
dnsrepl_policy_changed(PG_FUNCTION_ARGS)
{
	CacheInvalidateRelcacheByRelid(schema_oid("policy"));
	policies_known = false;
	(void) clock_slot();
	clock_units_parked();
	clock_store_changed();
	PG_RETURN_VOID();
}
