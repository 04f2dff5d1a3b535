/*
 * merge.c: dnsrepl.merge() and dnsrepl.merge_done(): a peer's delta becomes part of this store, whole or not at all.
 *
 * In one transaction: the lock that lets one merge run at a time; this node's vector, and with it whether the delta was
 * cut for what this node holds (else: answer REBASE); stripes of its zones, as far as authors leave them; the zones'
 * rows, in zone_order as capture takes them; then for each unit merge_rule.c, and what is served of the result is
 * projected. Zones whose stripe an author holds are stored unseen and parked. At the end this node's vector moves to
 * the join of both. The commit is flushed whatever synchronous_commit says: only then does the peer count on it.
 *
 * Nothing in the payload is trusted: impossible octets are 08P01, and the transaction is gone, nothing else.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "dnsrepl.h"
#include "merge/chunks.h"
#include "merge/greet.h"
#include "merge/zone_work.h"
#include "store/clock.h"
#include "store/codec.h"
#include "store/delta.h"
#include "store/image.h"
#include "store/merge_rule.h"
#include "store/origin.h"
#include "store/parked.h"
#include "store/peer_vector.h"
#include "store/private_lock.h"
#include "store/relation.h"
#include "store/stripe.h"
#include "store/version.h"

PG_FUNCTION_INFO_V1(dnsrepl_merge);
PG_FUNCTION_INFO_V1(dnsrepl_merge_chunk);
PG_FUNCTION_INFO_V1(dnsrepl_merge_done);

#define STRIPE_WAIT 10				/* ms that a merge waits for the authors of a stripe; they may wait for one another */
#define STRIPES_WAIT 20				/* ms in all */
#define AUTHOR_IN_ZONE "a local transaction is editing the zone"
#define TELL_AFTER 1000				/* ms of work without a word to the peer */
#define PARKED_KEYS 50				/* units of a zone that are parked one by one; more: the zone as a whole */

typedef struct MergeZone
{
	ZoneRef		ref;
	ZoneWork	work;
	uint64		serial,			/* what the peer says of the zone */
				served;
	bool		free;			/* its stripe is ours */
	int			unseen;			/* if not: how many units were stored without being projected */
} MergeZone;

typedef struct Merge
{
	Store	   *store;
	Vector	   *mine,
			   *theirs;
	int32	   *origins;			/* local numbers by index in the header's vector */
	int			norigins;
	const uint8 *vector;			/* the header's, encoded */
	size_t		vector_len;
	int			nzones,
				cap_zones;
	MergeZone  *zones;				/* in zone_order */
	Snapshot	before;
	Work	   *work;
	int			zone;				/* index of the zone being read, -1 at first */
	StringInfoData last_key;
	MemoryContext group_context;	/* the group being read, and its versions */
	UnitGroup  *group,				/* NULL: none */
			   *group_before;
	bool		group_changed;
	bool		changed;
	TimestampTz told;				/* when the peer last heard of us */
} Merge;

/* A merge may take minutes: the peer is told that somebody is at work. */
static void
merge_tell(void *arg)
{
	Merge	   *m = arg;
	TimestampTz now = GetCurrentTimestamp();

	CHECK_FOR_INTERRUPTS();
	if (!TimestampDifferenceExceeds(m->told, now, TELL_AFTER))
		return;
	m->told = now;
	ereport(NOTICE, (errmsg("merging")));
}

/* ---------- the header ---------- */

/* Somebody holds writes of this life that it has not made. */
static void
life_check(const WireEntry *e, const Vector *mine)
{
	NodeSlot   *slot = clock_slot();
	VectorEntry claim = {.origin = slot->origin, .head = e->head, .nranges = e->nranges, .ranges = e->ranges};

	if (memcmp(&e->origin, &slot->life, UUID_LEN) != 0)
		return;
	if (slot->origin == 0 || !vector_covers_entry(mine, &claim))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the peer holds writes of this node's present life that it has not made"),
				 errhint("A copy of this node may be running.")));
}

static void
header_vector(Merge *m, WireReader *r)
{
	WireEntry  *entries;

	m->vector = r->p;
	entries = entries_decode(r, &m->norigins);
	if (!entries)
		peer_nonsense("The vector of a delta cannot be read.");
	m->vector_len = (size_t) (r->p - m->vector);
	m->theirs = vector_new();
	m->origins = palloc(sizeof(int32) * (size_t) (m->norigins + 1));
	for (int i = 0; i < m->norigins; i++)
	{
		CHECK_FOR_INTERRUPTS();
		life_check(&entries[i], m->mine);
		if (entries[i].node[0] == '\0')
			peer_nonsense("An origin has no node.");
		pg_verifymbstr(entries[i].node, (int) strlen(entries[i].node), false);
		m->origins[i] = origin_number(&entries[i].origin, entries[i].node);
		vector_add(m->theirs, m->origins[i], entries[i].head, entries[i].ranges, entries[i].nranges);
	}
}

/* Does this node hold all that the delta leaves out? */
static bool
header_base(Merge *m, WireReader *r)
{
	int			n;
	WireEntry  *entries = entries_decode(r, &n);

	if (!entries)
		peer_nonsense("The base of a delta cannot be read.");
	for (int i = 0; i < n; i++)
	{
		VectorEntry e = {.origin = origin_find(&entries[i].origin), .head = entries[i].head,
		.nranges = entries[i].nranges, .ranges = entries[i].ranges};

		if (!vector_covers_entry(m->mine, &e))
			return false;
	}
	return true;
}

static bool
header_read(Merge *m, WireReader *r, const Guest *guest)
{
	pg_uuid_t	node,
				life;
	size_t		len;

	if (wire_get_u8(r) != CHUNK_FIRST)
		peer_nonsense("A delta does not begin with its header.");
	wire_get_uuid(r, &node);
	wire_get_uuid(r, &life);
	(void) wire_get_string(r, NAMEDATALEN - 1, &len);
	if (r->bad || memcmp(&node, &guest->node, UUID_LEN) != 0 || memcmp(&life, &guest->life, UUID_LEN) != 0)
		peer_nonsense("A delta is not of the node that said hello.");
	header_vector(m, r);
	return header_base(m, r);
}

/* ---------- items ---------- */

typedef struct DeltaItem
{
	ItemKind	kind;
	ZoneRef		zone;
	uint64		serial,			/* of a zone, and the sum of what is served of it, at the sender's */
				served;
	const uint8 *key;
	size_t		key_len;
	int			nversions;
	Version    *versions;			/* their dots have local origins */
} DeltaItem;

static void
item_zone(WireReader *r, DeltaItem *item)
{
	size_t		len;
	const uint8 *name;

	memset(&item->zone, 0, sizeof(item->zone));
	if (item->kind == ITEM_TABLE)
	{
		item->zone.table = (int16) wire_get_u16(r);
		if (r->bad || item->zone.table <= 0)
			peer_nonsense("The number of a table is impossible.");
		return;
	}
	name = wire_get_string(r, 255, &len);
	if (!name)
		peer_nonsense("The name of a zone cannot be read.");
	item->serial = wire_get_u64(r);
	item->served = wire_get_u64(r);
	if (r->bad || item->serial > PG_INT64_MAX / 2)
		peer_nonsense("The serial of a zone is impossible.");
	zone_decode_name(name, len, &item->zone);
}

static void
item_version(Merge *m, WireReader *r, Version *v)
{
	uint64		origin = wire_get_varint(r);
	Image		image;

	memset(v, 0, sizeof(*v));
	if (r->bad || origin >= (uint64) m->norigins)
		peer_nonsense("A version's origin is not in the vector.");
	v->dot.origin = m->origins[origin];
	v->dot.stamp = (int64) wire_get_u64(r);
	v->image = wire_get_string(r, MAX_IMAGE_SIZE, &v->image_len);
	if (r->bad || v->dot.stamp <= 0 || !image_decode(v->image, v->image_len, false, &image))
		peer_nonsense("A version cannot be read.");
}

static void
item_unit(Merge *m, WireReader *r, DeltaItem *item)
{
	uint64		n;

	item->key = wire_get_string(r, MAX_KEY_SIZE, &item->key_len);
	if (!item->key || !key_well_formed(item->key, item->key_len))
		peer_nonsense("The key of a unit cannot be read.");
	n = wire_get_varint(r);
	if (r->bad || n > MAX_SIBLINGS || n > (uint64) (r->end - r->p))
		peer_nonsense("A unit has an impossible number of versions.");
	item->nversions = (int) n;
	item->versions = palloc(sizeof(Version) * (n + 1));
	for (int i = 0; i < item->nversions; i++)
	{
		item_version(m, r, &item->versions[i]);
		for (int k = 0; k < i; k++)
			if (item->versions[k].dot.origin == item->versions[i].dot.origin &&
				item->versions[k].dot.stamp == item->versions[i].dot.stamp)
				peer_nonsense("A unit has the same version twice.");
	}
}

static bool
item_next(Merge *m, WireReader *r, DeltaItem *item)
{
	if (wire_at_end(r))
		return false;
	item->kind = (ItemKind) wire_get_u8(r);
	if (item->kind == ITEM_ZONE || item->kind == ITEM_TABLE)
		item_zone(r, item);
	else if (item->kind == ITEM_UNIT)
		item_unit(m, r, item);
	else
		peer_nonsense("An item of a delta is of no known kind.");
	return true;
}

/* Opens the next chunk; the first one's header is skipped, it was read before. */
static bool
chunk_open(Merge *m, Chunks *chunks, WireReader *r)
{
	bool		first = chunks->next == 0;
	int			n;
	size_t		len;

	if (!chunks_next(chunks, r))
		return false;
	if (wire_get_u8(r) != (first ? CHUNK_FIRST : CHUNK_NEXT))
		peer_nonsense("A chunk is out of place.");
	if (first)
	{
		(void) wire_get_bytes(r, 2 * UUID_LEN);
		(void) wire_get_string(r, NAMEDATALEN - 1, &len);
		if (!entries_decode(r, &n) || !entries_decode(r, &n))
			peer_nonsense("The header of a delta cannot be read.");
	}
	merge_tell(m);
	return true;
}

/* ---------- first pass: zones and their locks ---------- */

static void
zones_add(Merge *m, const DeltaItem *item)
{
	const ZoneRef *z = &item->zone;
	MergeZone  *new;

	if (m->nzones)
	{
		int			order = zone_order(&m->zones[m->nzones - 1].ref, z);

		if (order > 0)
			peer_nonsense("The zones of a delta are not in order.");
		if (order == 0)
			return;				/* goes on in the next chunk */
	}
	if (m->nzones == m->cap_zones)
	{
		m->cap_zones = m->cap_zones ? m->cap_zones * 2 : 16;
		m->zones = m->zones ? repalloc_huge(m->zones, sizeof(MergeZone) * (size_t) m->cap_zones)
			: palloc(sizeof(MergeZone) * (size_t) m->cap_zones);
	}
	new = &m->zones[m->nzones++];
	memset(new, 0, sizeof(*new));
	new->ref = *z;
	new->serial = item->serial;
	new->served = item->served;
	new->ref.name = palloc(z->name_len + 1);
	if (z->name_len)
		memcpy(new->ref.name, z->name, z->name_len);
}

static void
zones_collect(Merge *m, Chunks chunks)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl chunk", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	WireReader	r;

	while (chunk_open(m, &chunks, &r))
	{
		DeltaItem		item;

		while (item_next(m, &r, &item))
			if (item.kind != ITEM_UNIT)
			{
				MemoryContextSwitchTo(old);
				zones_add(m, &item);
				MemoryContextSwitchTo(scratch);
			}
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

static void
zone_wait(void *arg)
{
	(void) zone_lock(arg, true);
}

/* A capture that commits slowly may have it for long. */
static void
zone_take(Merge *m, ZoneRef *z)
{
	if (zone_lock(z, false))
		return;
	while (!wait_within(TELL_AFTER / 2, zone_wait, z))
		merge_tell(m);
}

static void
zones_lock(Merge *m)
{
	bool		wanted[STRIPES] = {0},
				got[STRIPES] = {0};
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), STRIPES_WAIT);

	for (int i = 0; i < m->nzones; i++)
		wanted[stripe_of(&m->zones[i].ref)] = true;
	for (uint32 s = 0; s < STRIPES; s++)
		if (wanted[s])
		{
			long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);

			got[s] = stripe_exclude(s, Min((int) Max(left, 0), STRIPE_WAIT));
		}
	for (int i = 0; i < m->nzones; i++)
	{
		m->zones[i].free = got[stripe_of(&m->zones[i].ref)];
		zone_take(m, &m->zones[i].ref);
	}
}

/* ---------- second pass: units ---------- */

/* A version that is taken, in the context of its group: the chunk it came in may be gone before that is complete. */
static Version
version_take(Merge *m, MergeZone *z, const GroupUnit *u, const Version *v)
{
	Version		taken = *v;
	uint8	   *image = palloc(Max(v->image_len, 1));

	memcpy(image, v->image, v->image_len);
	taken.image = image;
	taken.seen = z->free;
	taken.tid = version_insert(m->store, z->ref.number, u->key, u->key_len, &taken);
	clock_saw(taken.dot.stamp);
	if (key_number(u->key, u->key_len) != TABLE_SERIAL)
		z->work.fresh = true;
	z->work.fell_back |= origin_info(taken.dot.origin)->own;
	return taken;
}

/* The unit's versions after the merge rule, written to the store; false if nothing has changed. */
static bool
unit_store(Merge *m, MergeZone *z, const DeltaItem *item, GroupUnit *u)
{
	VersionSet	set = u->set;
	Dot		   *mine = palloc(sizeof(Dot) * (size_t) (set.n + 1));
	Dot		   *theirs = palloc(sizeof(Dot) * (size_t) (item->nversions + 1));
	bool	   *keep = palloc(sizeof(bool) * (size_t) (set.n + 1));
	bool	   *take = palloc(sizeof(bool) * (size_t) (item->nversions + 1));
	bool		changed = false;

	for (int i = 0; i < set.n; i++)
		mine[i] = set.v[i].dot;
	for (int i = 0; i < item->nversions; i++)
		theirs[i] = item->versions[i].dot;
	merge_rule(mine, set.n, m->mine, theirs, item->nversions, m->theirs, keep, take);

	u->set.v = palloc(sizeof(Version) * (size_t) (set.n + item->nversions + 1));
	u->set.n = 0;
	for (int i = 0; i < set.n; i++)
		if (keep[i])
			u->set.v[u->set.n++] = set.v[i];
		else
		{
			version_delete(m->store, z->ref.number, u->key, u->key_len, &set.v[i]);
			changed = true;
		}
	for (int i = 0; i < item->nversions; i++)
		if (take[i])
		{
			u->set.v[u->set.n++] = version_take(m, z, u, &item->versions[i]);
			changed = true;
		}
	return changed;
}

/* ---------- groups ---------- */

static void
group_start(Merge *m, MergeZone *z, const DeltaItem *item)
{
	size_t		len = group_prefix(item->key, item->key_len);
	uint8	   *prefix = palloc(len);

	memcpy(prefix, item->key, len);
	m->group = group_read(m->store, m->before, &z->ref, prefix, len);
	group_judge(m->group, &z->work.was, true, m->store, m->before);
	m->group_before = group_copy(m->group);
	m->group_changed = false;
}

/* Projection has to wait for an author: what the tables show is less than what is held. The sums follow. */
static void
group_defer(Merge *m, MergeZone *z)
{
	for (int i = 0; i < m->group->n; i++)
	{
		GroupUnit  *u = &m->group->units[i];
		uint64		was = 0;

		for (int k = 0; k < m->group_before->n; k++)
			if (m->group_before->units[k].key_len == u->key_len &&
				memcmp(m->group_before->units[k].key, u->key, u->key_len) == 0)
				was = served_hash(u->key, u->key_len, &m->group_before->units[k].served);
		tally_served(m->store, z->ref.number, u->key, u->key_len, served_hash(u->key, u->key_len, &u->served) - was);
	}
}

static void
group_finish(Merge *m)
{
	MergeZone  *z = &m->zones[Max(m->zone, 0)];
	MemoryContext old;

	if (!m->group)
		return;
	old = MemoryContextSwitchTo(m->group_context);
	if (m->group_changed)
	{
		if (key_number(m->group->prefix, m->group->prefix_len) == TABLE_DOMAINS && z->free)
			z->work.now = live_of(&z->ref, m->group->n ? &m->group->units[0].set : &(VersionSet) {0});
		CommandCounterIncrement();
		PushActiveSnapshot(GetLatestSnapshot());
		group_judge(m->group, z->free ? &z->work.now : &z->work.was, !z->free, m->store, GetActiveSnapshot());
		PopActiveSnapshot();
		if (z->free)
			work_group(m->work, &z->work, m->group_before, m->group);
		else
			group_defer(m, z);
	}
	m->group = m->group_before = NULL;
	MemoryContextSwitchTo(old);
	MemoryContextReset(m->group_context);
}

static void
unit_park_for(MergeZone *z, const DeltaItem *item)
{
	if (++z->unseen <= PARKED_KEYS)
		unit_park(&z->ref, item->key, item->key_len, AUTHOR_IN_ZONE);
	else if (z->unseen == PARKED_KEYS + 1)
		unit_park(&z->ref, NULL, 0, AUTHOR_IN_ZONE);
}

static void
key_in_order(Merge *m, const DeltaItem *item)
{
	if (m->last_key.len)
	{
		int			c = memcmp(m->last_key.data, item->key, Min((size_t) m->last_key.len, item->key_len));

		if (c > 0 || (c == 0 && (size_t) m->last_key.len >= item->key_len))
			peer_nonsense("The units of a zone are not in order.");
	}
	resetStringInfo(&m->last_key);
	appendBinaryStringInfo(&m->last_key, (const char *) item->key, (int) item->key_len);
}

static void
unit_merge(Merge *m, const DeltaItem *item)
{
	MergeZone  *z;
	GroupUnit  *u;
	int			had;
	MemoryContext old;

	if (m->zone < 0)
		peer_nonsense("A unit comes before its zone.");
	z = &m->zones[m->zone];
	key_in_order(m, item);
	if (m->group && (m->group->prefix_len != group_prefix(item->key, item->key_len) ||
					 memcmp(m->group->prefix, item->key, m->group->prefix_len) != 0))
		group_finish(m);
	old = MemoryContextSwitchTo(m->group_context);
	if (!m->group)
		group_start(m, z, item);
	had = m->group->n;
	u = group_unit(m->group, item->key, item->key_len);
	if (m->group->n > had)
	{
		uint8	   *key = palloc(item->key_len);

		memcpy(key, item->key, item->key_len);
		u->key = key;
	}
	if (unit_store(m, z, item, u))
	{
		m->group_changed = m->changed = true;
		if (!z->free && key_number(item->key, item->key_len) != TABLE_SERIAL)
			unit_park_for(z, item);
	}
	MemoryContextSwitchTo(old);
}

/* The zone before is complete. */
static void
zone_leave(Merge *m)
{
	MergeZone  *z;

	group_finish(m);
	if (m->zone < 0)
		return;
	z = &m->zones[m->zone];
	if (z->free)
		work_zone_end(m->work, &z->work);
	else if (z->serial > Max(z->ref.state.serial, z->ref.state.heard))
	{
		ZoneTally  *t = store_tally(m->store, z->ref.number);

		t->serial_set = true;
		t->serial = z->ref.state.serial;
		t->heard = z->serial;
	}
}

static void
zone_enter(Merge *m, const ZoneRef *z)
{
	MergeZone  *new;

	if (m->zone >= 0 && zone_order(&m->zones[m->zone].ref, z) == 0)
		return;
	zone_leave(m);
	m->zone++;
	resetStringInfo(&m->last_key);
	Assert(m->zone < m->nzones && zone_order(&m->zones[m->zone].ref, z) == 0);
	new = &m->zones[m->zone];
	work_zone(m->work, &new->work, &new->ref);
	new->work.peer_serial = new->serial;
	new->work.peer_served = new->served;
}

static void
units_merge(Merge *m, Chunks chunks)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl chunk", ALLOCSET_DEFAULT_SIZES);
	MemoryContext unit = AllocSetContextCreate(scratch, "dnsrepl unit", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	WireReader	r;

	m->group_context = AllocSetContextCreate(old, "dnsrepl group", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(old);
	m->work = work_begin(m->store, m->before, merge_tell, m);
	MemoryContextSwitchTo(scratch);
	m->zone = -1;
	while (chunk_open(m, &chunks, &r))
	{
		DeltaItem		item;

		MemoryContextSwitchTo(unit);
		while (item_next(m, &r, &item))
		{
			if (item.kind == ITEM_UNIT)
				unit_merge(m, &item);
			else
			{
				MemoryContextSwitchTo(old);
				zone_enter(m, &item.zone);
				MemoryContextSwitchTo(unit);
			}
			MemoryContextReset(unit);
		}
		MemoryContextSwitchTo(scratch);
		MemoryContextResetOnly(scratch);
	}
	MemoryContextSwitchTo(old);
	zone_leave(m);
	work_end(m->work);
	MemoryContextDelete(m->group_context);
	MemoryContextDelete(scratch);
}

/* ---------- the whole ---------- */

static Datum
merge_answer(AnswerStatus status, const Vector *held)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoSpaces(&out, VARHDRSZ);
	answer_encode(&out, status, held);
	SET_VARSIZE(out.data, out.len);
	return PointerGetDatum(out.data);
}

static Datum
merge_refused(Merge *m)
{
	Datum		answer = merge_answer(ANSWER_REBASE, m->mine);

	PopActiveSnapshot();
	return answer;
}

static void
merge_units(Merge *m, const Chunks *chunks)
{
	zones_collect(m, *chunks);
	PopActiveSnapshot();
	zones_lock(m);
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	m->before = GetActiveSnapshot();
	m->store = store_open(true);
	units_merge(m, *chunks);
	store_close(m->store);
}

static Datum
merge_run(const Chunks *chunks)
{
	const Guest *guest = guest_require();
	Merge	   *m = palloc0(sizeof(Merge));
	Chunks		first = *chunks;
	Vector	   *now;
	WireReader	r;

	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("a delta cannot be merged in a transaction whose snapshot is fixed"),
				 errhint("Use READ COMMITTED.")));
	tables_refresh();
	(void) table_domains();
	m->told = GetCurrentTimestamp();
	initStringInfo(&m->last_key);
	while (!private_lock_within(LOCK_MERGE, 0, ExclusiveLock, TELL_AFTER / 2))
		merge_tell(m);
	ForceSyncCommit();
	m->mine = holdings_push_snapshot();
	if (!chunks_next(&first, &r))
		peer_nonsense("A delta has no chunk.");
	if (!header_read(m, &r, guest))
		return merge_refused(m);
	merge_units(m, chunks);

	now = vector_copy(m->mine);
	vector_join(now, m->theirs);
	if (m->changed || !vector_covers_all(m->mine, now))
		clock_store_changed();
	holdings_write(now);
	peer_vector_write(&guest->node, &guest->life, guest->name, m->vector, m->vector_len);
	PopActiveSnapshot();
	return merge_answer(ANSWER_MERGED, now);
}

/* merge(payload bytea) returns bytea: a delta of one chunk; an answer (delta.h) */
Datum
dnsrepl_merge(PG_FUNCTION_ARGS)
{
	bytea	   *payload = PG_GETARG_BYTEA_PP(0);
	Chunks		chunks = {.payload = (uint8 *) VARDATA_ANY(payload), .payload_len = VARSIZE_ANY_EXHDR(payload), .n = 1};

	return merge_run(&chunks);
}

/* merge(payload bytea, delta bigint, seq int) returns bytea: one of several chunks, kept until merge_done(); null */
Datum
dnsrepl_merge_chunk(PG_FUNCTION_ARGS)
{
	if (PG_GETARG_INT32(2) == 0)	/* a delta begins: what there is of an earlier one is of no use */
		chunks_unstage(&guest_require()->node);
	chunk_stage(&guest_require()->node, PG_GETARG_INT64(1), PG_GETARG_INT32(2),
				(struct varlena *) PG_GETARG_BYTEA_PP(0));
	PG_RETURN_NULL();
}

/* merge_done(delta bigint, chunks int) returns bytea: merges what was kept; an answer */
Datum
dnsrepl_merge_done(PG_FUNCTION_ARGS)
{
	Chunks		chunks = {.node = guest_require()->node, .delta = PG_GETARG_INT64(0), .n = PG_GETARG_INT32(1)};
	Datum		answer;

	if (chunks.n < 1)
		peer_nonsense("A delta has no chunk.");
	answer = merge_run(&chunks);
	chunks_unstage(&chunks.node);
	return answer;
}
