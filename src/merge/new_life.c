/*
 * new_life.c: dnsrepl.settle_dispute(): somebody claims writes of this node's present life that it has not made (store/claim.h).
 *
 * That life ends, with no stamp of it in flight, and another begins, of which nobody can have claimed anything. What the old one
 * has written under stamps that were claimed before is nowhere taken but here: so its versions of the last while are written anew,
 * in the new life, each with the same image in place of itself. A claim is shown with the next message of whoever has come to
 * believe it, which takes a keepalive from node to node: SKEWS and KEEPALIVES cover that over several nodes. What all members
 * were seen to hold before that is left out. Whatever is older, or more than ANEW_MOST units, is left to the peers' comparing
 * (compare.c), which takes what differs for two writes that did not know each other.
 *
 * A zone that was made under such a stamp is held to be deleted by whoever believes the claim: it gets another incarnation, which its units name
 * besides.
 *
 * A version that is written anew supersedes itself everywhere; one that somebody has edited meanwhile, unknown to this node, stands
 * beside that edit, as a conflict of two who did not know each other.
 *
 * Locks: LOCK_LIFE for the change of lives, in a transaction of its own; zones' rows in zone_order, without waiting, for the rest.
 * After a restart nothing is written anew, and comparing does all of it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "dnsrepl.h"
#include "merge/collect.h"
#include "store/clock.h"
#include "store/image.h"
#include "store/live.h"
#include "store/own.h"
#include "store/private_lock.h"
#include "store/relation.h"

PG_FUNCTION_INFO_V1(dnsrepl_settle_dispute);
PG_FUNCTION_INFO_V1(dnsrepl_disputed);

#define SKEWS 2
#define KEEPALIVES 10
#define ANEW_AT_ONCE AT_ONCE(1000, 2)	/* units in a transaction */
#define ANEW_MOST 100000
#define LIFE_WAIT 1000			/* ms for commits under way to end; else it is tried again */

static void
life_begin(NodeSlot *slot)
{
	int64		back = (SKEWS * (int64) setting_max_clock_skew + KEEPALIVES * (int64) setting_keepalive) * 1000;
	int64		since = clock_now() - (back << STAMP_COUNTER_BITS);
	Vector	   *members;
	const VectorEntry *known;

	if (!private_lock_within(LOCK_LIFE, 0, ExclusiveLock, LIFE_WAIT))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("a new life of this node waits for commits that are under way")));
	members = collect_members();
	known = members ? vector_find(members, slot->origin) : NULL;
	if (known)
		since = Max(since, known->head);
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	if (slot->anew == 0)
	{
		slot->anew = slot->origin;
		slot->anew_since = since;
		slot->anew_left = ANEW_MOST;
	}
	LWLockRelease(slot->lock);
	clock_renew();
	slot->disputed = false;
	clock_store_changed();		/* links greet anew */
	ereport(LOG,
			(errmsg("dnsrepl: peer \"%s\" holds writes of this node's life that it has not made: a new life begins", slot->disputed_by),
			 errhint("Somebody claims what is not so, or a copy of this machine runs, memory and all.")));
}

/* ---------- written anew ---------- */

typedef struct AnewUnit
{
	ZoneRef		zone;
	uint8	   *key;
	size_t		key_len;
} AnewUnit;

typedef struct Anew
{
	int			n;
	AnewUnit	units[ANEW_AT_ONCE];
	MemoryContext context;
} Anew;

static bool
anew_collect(int32 zone, const uint8 *key, size_t key_len, Dot dot, TransactionId xmin, void *arg)
{
	Anew	   *a = arg;
	MemoryContext old = MemoryContextSwitchTo(a->context);
	AnewUnit   *u = &a->units[a->n++];

	u->zone = zone_by_number(zone);
	u->key = palloc(key_len);
	memcpy(u->key, key, key_len);
	u->key_len = key_len;
	MemoryContextSwitchTo(old);
	return a->n < ANEW_AT_ONCE;
}

static int
anew_order(const void *a, const void *b)
{
	return zone_order(&((const AnewUnit *) a)->zone, &((const AnewUnit *) b)->zone);
}

/* The versions of a life after a stamp. */
static void
anew_find(Anew *a, int32 origin, int64 since)
{
	Vector	   *held = vector_new(),
			   *ours = vector_new();
	Store	   *store = store_open(false);

	vector_add(held, origin, Max(since, 1), NULL, 0);
	vector_add(ours, origin, PG_INT64_MAX - 1, NULL, 0);
	version_lacking(store, GetActiveSnapshot(), held, ours, anew_collect, a);
	store_close(store);
	qsort(a->units, (size_t) a->n, sizeof(AnewUnit), anew_order);
}

/* The live incarnations that a version names, and those of this life. */
static Live
incarnations_anew(Store *store, const ZoneRef *zone, const uint8 *key, size_t key_len, const Version *v)
{
	Live		stored = live_stored(store, zone),
				live = {0};

	for (int i = 0; i < stored.n; i++)
	{
		Live		one = {.n = 1, .incarnations = {stored.incarnations[i]}};

		if (stored.incarnations[i].origin == own_dot().origin || version_lives(&one, key, key_len, v))
			live_add(&live, zone, stored.incarnations[i]);
	}
	return live;
}

/* `made`: its zone has been made in this life too. */
static void
version_anew(Store *store, const ZoneRef *zone, const uint8 *key, size_t key_len, const VersionSet *set, int at, bool made)
{
	const Version *v = &set->v[at];
	bool	   *over = palloc0(sizeof(bool) * (size_t) set->n);
	Live		stored = live_stored(store, zone),
				live = incarnations_anew(store, zone, key, key_len, v);
	StringInfoData image;
	ImageHead	head;

	initStringInfo(&image);
	if (made && version_lives(&stored, key, key_len, v) && image_head(v->image, v->image_len, &head))
		image_copy_live(&image, v->image, v->image_len, &head, &live);
	else
		appendBinaryStringInfo(&image, (const char *) v->image, (int) v->image_len);
	over[at] = true;
	(void) own_write(store, zone->number, key, key_len, set, over, (uint8 *) image.data, (size_t) image.len);
}

/* The version of a life, or (0) any that is served; -1: there is none. */
static int
version_of(const VersionSet *set, int32 origin)
{
	for (int i = 0; i < set->n; i++)
		if ((!origin || set->v[i].dot.origin == origin) && set->v[i].seen)
			return i;
	return -1;
}

/* If a zone was made in that life, after that stamp, it is made in this one too, once, and its row is written with that. False: it was not. */
static bool
zone_anew(Store *store, const ZoneRef *zone, int32 origin, int64 since)
{
	static const uint8 key[DOMAINS_KEY_SIZE] = {0, TABLE_DOMAINS};
	VersionSet	set;
	Live		stored = live_stored(store, zone),
				live = live_left(store, zone);
	bool		then = false,
				now = false;
	int			at;

	for (int i = 0; i < stored.n; i++)
	{
		then |= stored.incarnations[i].origin == origin && stored.incarnations[i].stamp > since;
		now |= stored.incarnations[i].origin == own_dot().origin;
	}
	if (!then || now)
		return then;
	set = version_read(store, GetActiveSnapshot(), zone->number, key, sizeof(key));
	at = version_of(&set, origin) >= 0 ? version_of(&set, origin) : version_of(&set, 0);
	if (at < 0 || stored.n == MAX_INCARNATIONS)
		return false;
	live_add(&stored, zone, own_dot());
	live_store(store, zone, &stored);
	if (live.n > 0)
	{
		live_add(&live, zone, own_dot());
		tally_live(store, zone, &live);
	}
	version_anew(store, zone, key, sizeof(key), &set, at, true);
	return true;
}

static void
unit_write(Store *store, AnewUnit *u, int32 origin, int64 since)
{
	VersionSet	set = version_read(store, GetActiveSnapshot(), u->zone.number, u->key, u->key_len);
	int			at = version_of(&set, origin);
	bool		made = !u->zone.table && zone_anew(store, &u->zone, origin, since);

	if (made && key_number(u->key, u->key_len) == TABLE_DOMAINS)
		return;					/* has been done */
	if (at >= 0)
		version_anew(store, &u->zone, u->key, u->key_len, &set, at, made);
}

/* Returns how many units were written; those of zones that somebody is editing wait. */
static int
anew_write(Anew *a, int32 origin, int64 since)
{
	Store	   *store;
	int			done = 0;
	bool		locked = false;
	bool	   *free = palloc0(sizeof(bool) * (size_t) (a->n + 1));

	for (int i = 0; i < a->n; i++)
	{
		if (i == 0 || anew_order(&a->units[i - 1], &a->units[i]) != 0)
			locked = zone_lock(&a->units[i].zone, false);
		else
			a->units[i].zone = a->units[i - 1].zone;
		free[i] = locked;
	}
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());	/* newer than the locks */
	store = store_open(true);
	for (int i = 0; i < a->n; i++)
		if (free[i])
		{
			unit_write(store, &a->units[i], origin, since);
			done++;
		}
	store_close(store);
	PopActiveSnapshot();
	return done;
}

/* Is there more to do at once? What waits for somebody is tried again later. */
static bool
anew_step(NodeSlot *slot)
{
	Anew	   *a = palloc0(sizeof(Anew));
	int			done;

	a->context = CurrentMemoryContext;
	tables_refresh();
	(void) table_domains();
	PushActiveSnapshot(GetLatestSnapshot());
	anew_find(a, slot->anew, slot->anew_since);
	PopActiveSnapshot();
	done = anew_write(a, slot->anew, slot->anew_since);
	slot->anew_left -= done;
	if (a->n == 0 || slot->anew_left <= 0)
		slot->anew = 0;
	return slot->anew != 0 && done > 0;
}

/* settle_dispute() returns boolean: for the manager; true: there is more to do at once */
Datum
dnsrepl_settle_dispute(PG_FUNCTION_ARGS)
{
	NodeSlot   *slot = clock_slot();

	if (slot->disputed)
	{
		life_begin(slot);
		PG_RETURN_BOOL(true);
	}
	PG_RETURN_BOOL(slot->anew && anew_step(slot));
}

/* disputed(OUT at, OUT peer, OUT times): for dnsrepl.problem */
Datum
dnsrepl_disputed(PG_FUNCTION_ARGS)
{
	Datum		values[3] = {0};
	bool		nulls[3] = {true, true, true};
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (clock_available())
	{
		NodeSlot   *slot = clock_slot();

		LWLockAcquire(slot->lock, LW_SHARED);
		if (slot->disputed_at)
		{
			values[0] = TimestampTzGetDatum(slot->disputed_at);
			values[1] = CStringGetTextDatum(slot->disputed_by);
			values[2] = Int64GetDatum(slot->disputes);
			memset(nulls, false, sizeof(nulls));
		}
		LWLockRelease(slot->lock);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
