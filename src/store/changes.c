/*
 * changes.c: see changes.h.
 *
 * The index on (origin, stamp) gives the units of which something is lacking. More may depend on one of them than itself:
 *   - all of a zone, if its own row was written (it was made, deleted, made again);
 *   - all at and below a name at or above it that has or had a DNAME record: that hides what is there, or is hidden (store/rule.h);
 *   - all RRsets of a name that has or had a CNAME record;
 * What a policy chooses changes without a new version: when it comes into force, which may be long after its own version has come, and when its
 * function is another one. So behind the vector stands the number of the last of dnsrepl.policy_change: all is told of the zones of later ones.
 * A sort makes zones and names of them. Where deletions may have been collected that the vector lacks, it is not known what has
 * changed.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

#include "compat.h"
#include "dns/name.h"
#include "store/changes.h"
#include "store/delta.h"
#include "store/group.h"
#include "store/origin.h"
#include "store/policy.h"
#include "store/progress.h"
#include "store/relation.h"
#include "store/schema.h"

#define WHOLE	0				/* of an item: all of the zone; else a name */
#define NAME	1

typedef struct Subtree
{
	int32		zone;
	size_t		name_len;
	uint8		name[FLEXIBLE_ARRAY_MEMBER];
} Subtree;

typedef struct Tell
{
	const ChangeSink *sink;
	Store	   *store;
	Snapshot	snapshot;
	Tuplesortstate *sort;
	bool		all;
	ServedZone	zone;			/* the one at hand, if its number is not 0 */
	bool		wanted;
	bool		whole;			/* it has been told of as such */
	bool		told;			/* names of it have been */
	StringInfoData name;		/* the group at hand: its key's prefix; empty: none */
	bool		every;			/* RRset of it */
	int			ntypes,
				cap_types;
	uint16	   *types;
	XLogRecPtr	flush;
	ZoneRef		ref;			/* of what was lacking last; number 0: none */
	List	   *subtrees;		/* that have been put */
	MemoryContext context,
				scratch,
				group;			/* like scratch; not reset by item_put() */
} Tell;

/* ---------- what is lacking ---------- */

/* u32 zone, u8 kind, a key or the prefix of a group. */
static void
item_put(Tell *t, int32 zone, uint8 kind, const uint8 *key, size_t key_len)
{
	MemoryContext old = MemoryContextSwitchTo(t->scratch);
	StringInfoData s;

	initStringInfo(&s);
	appendStringInfoSpaces(&s, VARHDRSZ);
	wire_put_u32(&s, (uint32) zone);
	wire_put_u8(&s, kind);
	appendBinaryStringInfo(&s, (const char *) key, (int) key_len);
	SET_VARSIZE(s.data, s.len);
	tuplesort_putdatum(t->sort, PointerGetDatum(s.data), false);
	MemoryContextSwitchTo(old);
	MemoryContextReset(t->scratch);
}

typedef struct Below
{
	Tell	   *t;
	int32		zone;
} Below;

static bool
below_put(const uint8 *prefix, size_t prefix_len, void *arg)
{
	Below	   *b = arg;

	progress();
	item_put(b->t, b->zone, NAME, prefix, prefix_len);
	return true;
}

/* All at and below a name, if that has not been put already. */
static void
subtree_put(const uint8 *name, size_t name_len, void *arg)
{
	Below	   *b = arg;
	Tell	   *t = b->t;
	MemoryContext old = MemoryContextSwitchTo(t->context);
	StringInfoData prefix;
	Subtree    *s;
	ListCell   *lc;

	foreach(lc, t->subtrees)
	{
		s = lfirst(lc);
		if (s->zone == b->zone && name_below(name, name_len, s->name, s->name_len))
		{
			MemoryContextSwitchTo(old);
			return;
		}
	}
	s = palloc(sizeof(Subtree) + name_len);
	s->zone = b->zone;
	s->name_len = name_len;
	memcpy(s->name, name, name_len);
	t->subtrees = lappend(t->subtrees, s);
	/* without the 0 that ends the name, the prefix is that of all names at and below it */
	initStringInfo(&prefix);
	wire_put_u16(&prefix, TABLE_RECORDS);
	appendBinaryStringInfo(&prefix, (const char *) name, (int) name_len);
	group_walk(t->store, t->snapshot, b->zone, (uint8 *) prefix.data, (size_t) prefix.len, NULL, 0, below_put, b);
	pfree(prefix.data);
	MemoryContextSwitchTo(old);
}

/* The zone of this number, looked up once while it stays the same; NULL: there is none. */
static const ZoneRef *
zone_at(Tell *t, int32 number)
{
	if (t->ref.number != number)
	{
		MemoryContext old = MemoryContextSwitchTo(t->context);

		if (t->ref.name)
			pfree(t->ref.name);
		if (!zone_by_number_at(t->snapshot, number, &t->ref))
			memset(&t->ref, 0, sizeof(t->ref));
		MemoryContextSwitchTo(old);
	}
	return t->ref.number ? &t->ref : NULL;
}

/* The DNAME records at a name and above it: each hides what is below it, or is hidden by that. */
static void
dnames_put(Tell *t, int32 number, const uint8 *key, size_t key_len)
{
	MemoryContext old = MemoryContextSwitchTo(t->group);
	Below		b = {t, number};
	UnitGroup	g = {.zone = zone_at(t, number), .prefix = key, .prefix_len = group_prefix(key, key_len)};
	size_t		name_len;
	const uint8 *name = key_name(key, key_len, &name_len);

	if (g.zone)
		dnames_above(&g, t->store, t->snapshot, subtree_put, &b);
	if (record_type(key, key_len) == TYPE_DNAME)
		subtree_put(name, name_len, &b);
	MemoryContextSwitchTo(old);
	MemoryContextReset(t->group);
}

/* The zone's serial has changed, and nothing else. */
static void
soa_item_put(Tell *t, int32 number)
{
	MemoryContext old = MemoryContextSwitchTo(t->scratch);
	StringInfoData key;
	const ZoneRef *zone = zone_at(t, number);

	initStringInfo(&key);
	if (zone && !zone->table)
		record_key(&key, zone->name, zone->name_len, TYPE_SOA);
	MemoryContextSwitchTo(old);
	if (key.len > 0)
		item_put(t, number, NAME, (uint8 *) key.data, (size_t) key.len);
}

static bool
lacking(int32 zone, const uint8 *key, size_t key_len, Dot dot, TransactionId xmin, void *arg)
{
	Tell	   *t = arg;

	progress();
	switch (key_number(key, key_len))
	{
		case TABLE_RECORDS:
			item_put(t, zone, NAME, key, key_len);
			dnames_put(t, zone, key, key_len);
			break;
		case TABLE_DOMAINS:
			item_put(t, zone, WHOLE, key, 0);
			break;
		case TABLE_SERIAL:
			soa_item_put(t, zone);
			break;
		default:
			break;
	}
	return true;
}

/* The zones in which policies may choose otherwise than after that change. Returns the last one. */
static int64
policies_put(Tell *t, int64 since)
{
	OwnerScope	scope = owner_enter();
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(since)};
	int64		last = since;

	SPI_connect();
	if (SPI_execute_with_args("SELECT no, everywhere, zone_no FROM dnsrepl.policy_changes($1)", 1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read dnsrepl.policy_change");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;
		int32		zone;

		last = DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull));	/* of the last row */
		t->all |= DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull));
		zone = DatumGetInt32(SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &isnull));
		if (!isnull && t->sort)
			item_put(t, zone, WHOLE, (const uint8 *) "", 0);
	}
	SPI_finish();
	owner_leave(scope);
	return last;
}

/* ---------- telling ---------- */

static bool
type_listed(const Tell *t, uint16 type)
{
	for (int i = 0; i < t->ntypes; i++)
		if (t->types[i] == type)
			return true;
	return false;
}

/* The group that was gathered. */
static void
name_tell(Tell *t)
{
	MemoryContext old = MemoryContextSwitchTo(t->scratch);
	const uint8 *name;
	size_t		name_len;
	ServedSet  *sets;
	int			n,
				kept = 0;

	if (t->name.len > 0 && t->wanted && !t->whole && t->sink->name)
	{
		name = key_name((uint8 *) t->name.data, (size_t) t->name.len, &name_len);
		n = served_name(&t->zone, name, name_len, &sets);
		for (int i = 0; i < n; i++)
			t->every |= sets[i].type == TYPE_CNAME;
		for (int i = 0; i < n; i++)
			if (t->every || type_listed(t, sets[i].type))
				sets[kept++] = sets[i];
		if (kept > 0)
			t->sink->name(&t->zone, name, name_len, sets, kept, t->sink->arg);
		t->told |= kept > 0;
		t->flush = Max(t->flush, t->zone.flush);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(t->scratch);
	resetStringInfo(&t->name);
	t->every = false;
	t->ntypes = 0;
}

static void
zone_end(Tell *t)
{
	if (t->told && t->sink->end)
		t->sink->end(&t->zone, t->sink->arg);
	t->flush = Max(t->flush, t->zone.flush);
	t->told = false;
}

static void
zone_begin(Tell *t, int32 number)
{
	zone_end(t);
	t->whole = false;
	t->wanted = served_open(&t->zone, t->store, t->snapshot, number) &&
		(!t->sink->wants || t->sink->wants(&t->zone.ref, t->sink->arg));
	t->zone.ref.number = number;
}

static void
zone_tell(Tell *t)
{
	if (t->wanted && !t->whole && t->sink->zone)
		t->sink->zone(&t->zone, t->sink->arg);
	t->flush = Max(t->flush, t->zone.flush);
	t->whole = true;
}

static void
item_take(Tell *t, const uint8 *item, size_t len)
{
	WireReader	r;
	int32		zone;
	uint8		kind;
	size_t		prefix;

	wire_reader_init(&r, item, len);
	zone = (int32) wire_get_u32(&r);
	kind = wire_get_u8(&r);
	len = (size_t) (r.end - r.p);
	if (zone != t->zone.ref.number)
	{
		name_tell(t);
		zone_begin(t, zone);
	}
	if (kind == WHOLE)
	{
		zone_tell(t);
		return;
	}
	prefix = group_prefix(r.p, len);
	if (t->name.len != (int) prefix || memcmp(t->name.data, r.p, prefix) != 0)
	{
		name_tell(t);
		appendBinaryStringInfo(&t->name, (const char *) r.p, (int) prefix);
	}
	if (len == prefix)
		t->every = true;
	else if (!type_listed(t, record_type(r.p, len)))
	{
		if (t->ntypes == t->cap_types)
		{
			t->cap_types = t->cap_types ? t->cap_types * 2 : 16;
			t->types = t->types ? repalloc(t->types, sizeof(uint16) * (size_t) t->cap_types) : palloc(sizeof(uint16) * (size_t) t->cap_types);
		}
		t->types[t->ntypes++] = record_type(r.p, len);
	}
}

static void
items_tell(Tell *t)
{
	Datum		d;
	bool		isnull;

	memset(&t->zone, 0, sizeof(t->zone));
	tuplesort_performsort(t->sort);
	while (compat_tuplesort_getdatum(t->sort, &d, &isnull))
	{
		struct varlena *b = (struct varlena *) DatumGetPointer(d);

		progress();
		item_take(t, (const uint8 *) VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b));
		pfree(b);
	}
	name_tell(t);
	zone_end(t);
}

static void
all_tell(Tell *t)
{
	int			n;
	ZoneRef    *zones = zone_all_at(t->snapshot, &n);

	if (t->sink->all)
		t->sink->all(t->sink->arg);
	for (int i = 0; i < n; i++)
	{
		progress();
		zone_begin(t, zones[i].number);
		zone_tell(t);
	}
}

Changes
changes_tell(const uint8 *vector, size_t len, const ChangeSink *sink)
{
	Tell		t = {.sink = sink};
	Changes		c = {0};
	Vector	   *ours = holdings_push_snapshot();
	Vector	   *base = NULL;
	int64		policies = 0;
	WireReader	r;

	tables_refresh();
	policies_refresh();
	t.snapshot = GetActiveSnapshot();
	t.store = store_open(false);
	t.context = CurrentMemoryContext;
	t.scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl changes", ALLOCSET_DEFAULT_SIZES);
	t.group = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl changed group", ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&t.name);
	wire_reader_init(&r, vector, len);
	if (vector)
	{
		base = vector_decode(&r);
		policies = (int64) wire_get_varint(&r);
	}
	if (vector && (!base || policies < 0 || r.bad || !wire_at_end(&r)))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("this is not a vector"),
						errhint("Pass what an earlier call has given, or NULL.")));
	t.all = !base || !vector_covers_upto(base, ours, collected_read(t.snapshot));
	if (!t.all)
		t.sort = tuplesort_begin_datum(BYTEAOID, BYTEA_LESS, InvalidOid, false, work_mem, NULL, 0);
	policies = policies_put(&t, policies);
	if (!t.all)
	{
		version_lacking(t.store, t.snapshot, base, ours, lacking, &t);
		items_tell(&t);
	}
	if (t.sort)
		tuplesort_end(t.sort);
	if (t.all)
		all_tell(&t);
	c.flush = t.flush;
	c.vector = makeStringInfo();
	vector_encode(c.vector, ours);
	wire_put_varint(c.vector, (uint64) policies);
	store_close(t.store);
	MemoryContextDelete(t.scratch);
	MemoryContextDelete(t.group);
	PopActiveSnapshot();
	return c;
}
