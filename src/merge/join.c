/*
 * join.c: see join.h; and dnsrepl.join_preview(), what would change.
 *
 * A node contributes nothing before it has joined, so nobody else knows its versions: where the cluster's count, this node's
 * own are simply dropped; where its own count, it writes them anew, over both. What only one side has, both get. A zone that
 * both have gets the incarnations of both, so that the records of either live on: its row in domains is written anew.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "merge/chunks.h"
#include "merge/join.h"
#include "store/attempt.h"
#include "store/delta_read.h"
#include "store/image.h"
#include "store/origin.h"
#include "store/own.h"
#include "store/private_lock.h"
#include "store/progress.h"
#include "store/resolve.h"
#include "store/result_set.h"
#include "store/unit_json.h"

PG_FUNCTION_INFO_V1(dnsrepl_join_differences);

/* The versions of one side, and what they come to. */
typedef struct Side
{
	VersionSet	set;
	Served		served;
} Side;

/* What those of a unit's versions come to that are of a live incarnation. */
static Served
unit_served(const ZoneRef *zone, const Live *live, const uint8 *key, size_t key_len, const VersionSet *set)
{
	VersionSet	alive = {.v = palloc(sizeof(Version) * (size_t) (set->n + 1))};
	ResolveUnit r = {.zone = zone, .table = key_table(key, key_len), .key = key, .key_len = key_len, .set = &alive};
	Served		served;

	for (int i = 0; i < set->n; i++)
		if (version_lives(live, key, key_len, &set->v[i]))
			alive.v[alive.n++] = set->v[i];
	resolve(&r, &served);
	return served;
}

static void
side_take(Side *s, const ZoneRef *zone, const Live *live, const GroupUnit *u, const Vector *theirs, bool their_side)
{
	memset(s, 0, sizeof(*s));
	s->set.v = palloc(sizeof(Version) * (size_t) (u->set.n + 1));
	for (int i = 0; i < u->set.n; i++)
		if (vector_covers(theirs, u->set.v[i].dot.origin, u->set.v[i].dot.stamp) == their_side)
			s->set.v[s->set.n++] = u->set.v[i];
	s->served = unit_served(zone, live, u->key, u->key_len, &s->set);
}

static void
side_drop(Store *store, const ZoneRef *zone, GroupUnit *u, const Side *gone, const Side *left)
{
	for (int i = 0; i < gone->set.n; i++)
		version_delete(store, zone->number, u->key, u->key_len, &gone->set.v[i]);
	u->set = left->set;
}

/* One version, of this node, in place of all. */
static void
side_write(Store *store, const ZoneRef *zone, GroupUnit *u, const Side *s, const Live *live)
{
	StringInfoData image;
	bool	   *over = palloc(sizeof(bool) * (size_t) (u->set.n + 1));
	ImageParts	p = {.user = GetUserNameFromId(GetSessionUserId(), true), .ncolumns = s->served.ncolumns,
	.rows = &s->served.rows, .live = live};
	VersionSet	one = {.n = 1, .v = palloc(sizeof(Version))};

	if (!p.user)
		p.user = "";
	memset(over, true, sizeof(bool) * (size_t) (u->set.n + 1));
	initStringInfo(&image);
	image_encode(&image, &p);
	one.v[0] = own_write(store, zone->number, u->key, u->key_len, &u->set, over, (uint8 *) image.data, (size_t) image.len);
	u->set = one;
}

/* With the row of a zone that is not here any more go the incarnations that only this node knew. */
static void
live_drop(Store *store, const ZoneRef *zone, const Vector *theirs)
{
	Live		stored = live_stored(store, zone),
				left = {0};

	for (int i = 0; i < stored.n; i++)
		if (vector_covers(theirs, stored.incarnations[i].origin, stored.incarnations[i].stamp))
			live_add(&left, zone, stored.incarnations[i]);
	live_store(store, zone, &left);
}

void
join_unit(Store *store, const ZoneRef *zone, const Live *now, JoinMode mode, const Vector *theirs, GroupUnit *u)
{
	int			table = key_number(u->key, u->key_len);
	Side		a,
				b;
	Live		live = *now;

	if (mode == JOIN_CONFLICT || table == TABLE_SERIAL || table == TABLE_ROLL)
		return;
	CommandCounterIncrement();	/* theirs have just been written, and may go */
	if (table == TABLE_DOMAINS)
		live = live_of(store, zone, &u->set);
	side_take(&a, zone, &live, u, theirs, false);
	side_take(&b, zone, &live, u, theirs, true);
	if (a.set.n == 0 || b.set.n == 0)
		return;
	if (a.served.live && b.served.live && table == TABLE_DOMAINS)
		side_write(store, zone, u, mode == JOIN_MINE ? &a : &b, &live);
	else if (mode == JOIN_MINE && a.served.live && !rows_same(&a.served.rows, &b.served.rows))
		side_write(store, zone, u, &a, &live);
	else
	{
		side_drop(store, zone, u, &a, &b);
		if (table == TABLE_DOMAINS)
			live_drop(store, zone, theirs);
	}
}

void
join_done(const NodeInfo *me, const char *peer, const pg_uuid_t *clusters, int n)
{
	node_unite(me, clusters, n, true);
	strangers_forget();
	ereport(LOG,
			(errmsg("dnsrepl: node \"%s\" has joined the cluster of node \"%s\"", me->name, peer)));
}

/* ---------- the preview ---------- */

typedef struct Preview
{
	Store	   *store;
	Tuplestorestate *out;
	TupleDesc	desc;
	ZoneRef    *zones;			/* this node's */
	int			nzones;
	ZoneRef		zone;			/* the one at hand, of this node if it has it (number is not 0) */
	Live		their_live;		/* its incarnations at the other side */
	int			readable;		/* nodes whose deltas are */
	int64		unreadable;		/* units of this node that are not */
	HTAB	   *told;			/* hashes of units that the other side has something of */
	MemoryContext scratch;
} Preview;

static uint64
unit_hash(const ZoneRef *zone, const uint8 *key, size_t key_len)
{
	return hash_combine64(hash_bytes_extended(key, (int) key_len, 1),
						  hash_bytes_extended(zone->name, (int) zone->name_len, (uint64) zone->table));
}

/* False: it cannot be read; that is counted. */
static bool
here_served(Preview *p, const uint8 *key, size_t key_len, VersionSet *set, Served *served)
{
	Live		live = live_shown(&p->zone);

	memset(set, 0, sizeof(*set));
	if (p->zone.number)
		*set = version_read(p->store, GetActiveSnapshot(), p->zone.number, key, key_len);
	for (int i = 0; i < set->n; i++)
	{
		Image		image;

		if (!image_decode(set->v[i].image, set->v[i].image_len, false, &image) || !origin_known(set->v[i].dot.origin))
		{
			p->unreadable++;
			return false;
		}
	}
	*served = unit_served(&p->zone, &live, key, key_len, set);
	return true;
}

/* Rows, null for a deletion; *none: there is nothing at all. */
static Datum
served_datum(TableDesc *t, const Served *served, bool nothing, bool *none)
{
	StringInfoData out;
	RowSet		shown;

	*none = nothing;
	if (nothing)
		return (Datum) 0;
	initStringInfo(&out);
	if (served->live)
	{
		shown = rows_without_secrets(t, served->ncolumns, &served->rows);
		(void) json_rows(&out, t, served->ncolumns, &shown);
	}
	else
		appendStringInfoString(&out, "null");
	return json_datum(&out);
}

static void
preview_tell(Preview *p, const uint8 *key, size_t key_len, const Served *here, bool not_here, const Served *there, bool not_there)
{
	TableDesc  *t = key_table(key, key_len);
	Datum		values[4];
	bool		nulls[4] = {p->zone.table != 0, false, false, false};

	if (!t || t->problem || (here->live && here->ncolumns != t->ncolumns) || (there->live && there->ncolumns != t->ncolumns))
		return;
	values[0] = PointerGetDatum(varlena_make(p->zone.name, p->zone.name_len));
	values[1] = PointerGetDatum(varlena_make(key, key_len));
	values[2] = served_datum(t, here, not_here, &nulls[2]);
	values[3] = served_datum(t, there, not_there, &nulls[3]);
	tuplestore_putvalues(p->out, p->desc, values, nulls);
}

static bool
preview_skips(const uint8 *key, size_t key_len)
{
	int			table = key_number(key, key_len);

	return table == TABLE_SERIAL || table == TABLE_ROLL;
}

static void
preview_unit(Preview *p, const DeltaItem *item)
{
	VersionSet	theirs = {.n = item->nversions, .v = item->versions};
	VersionSet	mine;
	Served		here,
				there;
	uint64		hash = unit_hash(&p->zone, item->key, item->key_len);

	if (preview_skips(item->key, item->key_len))
		return;
	hash_search(p->told, &hash, HASH_ENTER, NULL);
	if (key_number(item->key, item->key_len) == TABLE_DOMAINS)
		p->their_live = live_served(&p->zone, &item->live, &theirs);
	there = unit_served(&p->zone, &p->their_live, item->key, item->key_len, &theirs);
	if (!here_served(p, item->key, item->key_len, &mine, &here))
		return;
	if (here.live == there.live && (!here.live || rows_same(&here.rows, &there.rows)))
		return;
	if (mine.n == 0 && !there.live)
		return;					/* deleted there, and never here */
	preview_tell(p, item->key, item->key_len, &here, mine.n == 0, &there, false);
}

static void
preview_zone(Preview *p, const DeltaItem *item)
{
	ZoneRef    *found = p->nzones ? bsearch(&item->zone, p->zones, (size_t) p->nzones, sizeof(ZoneRef), zone_order) : NULL;

	p->their_live = (Live) {.all = item->zone.table != 0};
	if (found)
		p->zone = *found;
	else
	{
		p->zone = item->zone;
		if (item->zone.name_len)
		{
			p->zone.name = MemoryContextAlloc(TopTransactionContext, item->zone.name_len);
			memcpy(p->zone.name, item->zone.name, item->zone.name_len);
		}
	}
}

/* With `p`: reports it. Without: only reads all of it. */
static void
preview_delta(Preview *p, Chunks chunks, const Vector *mine, MemoryContext scratch)
{
	Chunks		first = chunks;
	DeltaRead	in = {0};
	WireReader	r;
	DeltaItem	item;

	if (!chunks_next(&first, &r))
		return;
	(void) delta_header(&in, &r, &chunks.node, NULL, NULL, mine);
	while (chunks_items(&chunks, &r))
		for (;;)
		{
			MemoryContext old = MemoryContextSwitchTo(scratch);
			bool		more = delta_item(&in, &r, &item);

			progress();
			if (p && more && item.kind == ITEM_UNIT)
				preview_unit(p, &item);
			else if (p && more && item.kind != ITEM_TRANSACTION)
				preview_zone(p, &item);
			MemoryContextSwitchTo(old);
			MemoryContextReset(scratch);
			if (!more)
				break;
		}
}

typedef struct Stranger
{
	const Chunks *chunks;
	const Vector *mine;
	MemoryContext scratch;
} Stranger;

static void
stranger_read(void *arg)
{
	const Stranger *s = arg;

	preview_delta(NULL, *s->chunks, s->mine, s->scratch);
}

/* What cannot be read of what somebody has sent hides nobody else's. */
static void
preview_stranger(Preview *p, const Chunks *chunks, const Vector *mine)
{
	Stranger	s = {.chunks = chunks, .mine = mine, .scratch = p->scratch};
	const char *why = attempt(stranger_read, &s);

	if (!why)
	{
		preview_delta(p, *chunks, mine, p->scratch);
		p->readable++;
		return;
	}
	MemoryContextReset(p->scratch);
	ereport(WARNING,
			(errmsg("what node \"%s\" has sent cannot be read, and is left out", chunks->name),
			 errdetail_internal("%s", why)));
}

static bool
preview_mine(int32 zone, const uint8 *key, size_t key_len, void *arg)
{
	Preview    *p = arg;
	uint64		hash = unit_hash(&p->zone, key, key_len);
	bool		told;
	VersionSet	mine;
	Served		here,
				none = {0};

	hash_search(p->told, &hash, HASH_FIND, &told);
	if (!told && !preview_skips(key, key_len))
	{
		MemoryContext old = MemoryContextSwitchTo(p->scratch);

		if (here_served(p, key, key_len, &mine, &here) && here.live)
			preview_tell(p, key, key_len, &here, false, &none, true);
		MemoryContextSwitchTo(old);
		MemoryContextReset(p->scratch);
	}
	return true;
}

static void
preview_run(Preview *p)
{
	HASHCTL		ctl = {.keysize = sizeof(uint64), .entrysize = sizeof(uint64), .hcxt = CurrentMemoryContext};
	Vector	   *mine;
	int			n;
	Chunks	   *strangers = strangers_read(&n);

	p->told = hash_create("dnsrepl units told", 1024, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	p->scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl preview", ALLOCSET_DEFAULT_SIZES);
	private_lock(LOCK_MERGE, 0, ExclusiveLock, false);	/* origins get numbers */
	mine = holdings_push_snapshot();
	p->zones = zone_all_at(GetActiveSnapshot(), &p->nzones);
	p->store = store_open(false);
	for (int i = 0; i < n; i++)
		preview_stranger(p, &strangers[i], mine);
	for (int i = 0; i < p->nzones && p->readable > 0; i++)
	{
		p->zone = p->zones[i];
		unit_walk(p->store, GetActiveSnapshot(), p->zone.number, (const uint8 *) "", 0, NULL, 0, preview_mine, p);
	}
	if (p->unreadable)
		ereport(WARNING,
				(errmsg(INT64_FORMAT " units of this node cannot be read, and are left out", p->unreadable),
				 errhint("SELECT * FROM dnsrepl.check_store() shows them.")));
	store_close(p->store);
	PopActiveSnapshot();
}

/* join_differences(OUT zone dnsname, OUT key bytea, OUT here jsonb, OUT there jsonb) returns setof record */
Datum
dnsrepl_join_differences(PG_FUNCTION_ARGS)
{
	Preview		p = {0};

	tables_refresh();
	(void) table_domains();
	p.out = result_set_begin(fcinfo, &p.desc);
	preview_run(&p);
	return (Datum) 0;
}
