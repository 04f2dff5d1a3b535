/*
 * delta_read.c: see delta_read.h. Nothing in a delta is trusted: impossible octets are 08P01.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "dnsrepl.h"
#include "store/claim.h"
#include "store/clock.h"
#include "store/delta.h"
#include "store/delta_read.h"
#include "store/image.h"
#include "store/live.h"
#include "store/origin.h"
#include "store/progress.h"
#include "store/relation.h"

/* ---------- the header ---------- */

static void
header_vector(DeltaRead *d, WireReader *r, const char *name)
{
	WireEntry  *entries;

	d->vector = r->p;
	entries = entries_decode(r, &d->norigins);
	if (!entries)
		peer_nonsense("The vector of a delta cannot be read.");
	d->vector_len = (size_t) (r->p - d->vector);
	claims_check_delta(entries, d->norigins, name);
	d->theirs = vector_new();
	d->origins = palloc(sizeof(int32) * (size_t) (d->norigins + 1));
	for (int i = 0; i < d->norigins; i++)
	{
		progress();
		if (entries[i].node[0] == '\0')
			peer_nonsense("An origin has no node.");
		pg_verifymbstr(entries[i].node, (int) strlen(entries[i].node), false);
		d->origins[i] = origin_number(&entries[i].origin, entries[i].node);
		if (vector_find(d->theirs, d->origins[i]))
			peer_nonsense("An origin is twice in a vector.");
		vector_add(d->theirs, d->origins[i], entries[i].head, entries[i].ranges, entries[i].nranges);
	}
}

/* Does this node hold all that the delta leaves out? */
static bool
header_base(WireReader *r, const Vector *mine, const char *name)
{
	int			n;
	WireEntry  *entries = entries_decode(r, &n);

	if (!entries)
		peer_nonsense("The base of a delta cannot be read.");
	claims_check_delta(entries, n, name);
	for (int i = 0; i < n; i++)
	{
		VectorEntry e = {.origin = origin_find(&entries[i].origin), .head = entries[i].head,
		.nranges = entries[i].nranges, .ranges = entries[i].ranges};

		progress();
		if (!vector_covers_entry(mine, &e))
			return false;
	}
	return true;
}

static void
header_collected(DeltaRead *d, WireReader *r)
{
	int			n;
	WireEntry  *entries;

	d->flags = wire_get_u8(r);
	entries = entries_decode(r, &n);
	if (!entries || (d->flags & ~DELTA_FLAGS))
		peer_nonsense("What a delta says of collected deletions cannot be read.");
	d->collected = vector_new();
	for (int i = 0; i < n; i++)
	{
		int32		origin = origin_find(&entries[i].origin);

		progress();
		if (origin && vector_covers(d->theirs, origin, entries[i].head))
			vector_add(d->collected, origin, entries[i].head, NULL, 0);
	}
}

/* Origins that are in the vector too; others it could not have written. */
static void
header_salvage(DeltaRead *d, WireReader *r)
{
	int			n;
	WireEntry  *entries = entries_decode(r, &n);
	uint64		count = wire_get_varint(r);

	if (!entries || r->bad || count > MAX_MEMBERS || count > (uint64) (r->end - r->p) / UUID_LEN)
		peer_nonsense("What a damaged node says of its versions cannot be read.");
	d->since = vector_new();
	for (int i = 0; i < n; i++)
	{
		int32		origin = origin_find(&entries[i].origin);

		progress();
		if (origin && vector_find(d->theirs, origin))
			vector_add(d->since, origin, entries[i].head, entries[i].ranges, entries[i].nranges);
	}
	d->since = vector_meet(d->since, d->theirs);
	d->nsalvaged = (int) count;
	d->salvaged = palloc(sizeof(pg_uuid_t) * (count + 1));
	for (int i = 0; i < d->nsalvaged; i++)
		wire_get_uuid(r, &d->salvaged[i]);
}

bool
delta_header(DeltaRead *d, WireReader *r, const pg_uuid_t *sender, const pg_uuid_t *sender_life, const char *name, const Vector *mine)
{
	pg_uuid_t	node,
				life;
	size_t		len;
	bool		based;

	if (wire_get_u8(r) != CHUNK_FIRST)
		peer_nonsense("A delta does not begin with its header.");
	wire_get_uuid(r, &node);
	wire_get_uuid(r, &life);
	(void) wire_get_string(r, NAMEDATALEN - 1, &len);
	if (r->bad || memcmp(&node, sender, UUID_LEN) != 0 || (sender_life && memcmp(&life, sender_life, UUID_LEN) != 0))
		peer_nonsense("A delta is not of the node that said hello.");
	header_vector(d, r, name);
	based = header_base(r, mine, name);
	header_collected(d, r);
	if (d->flags & DELTA_SALVAGE)
		header_salvage(d, r);
	/* it has some zones, not what may be new in others */
	if (d->flags & DELTA_REPAIR)
		based &= vector_covers_all(mine, d->theirs);
	return based;
}

/* ---------- items ---------- */

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

/* What the sender's vector does not cover it does not hold. */
static Dot
item_dot(DeltaRead *d, WireReader *r)
{
	uint64		origin = wire_get_varint(r);
	Dot			dot;

	if (r->bad || origin >= (uint64) d->norigins)
		peer_nonsense("An origin is not in the vector.");
	dot.origin = d->origins[origin];
	dot.stamp = (int64) wire_get_u64(r);
	if (r->bad || dot.stamp <= 0 || !vector_covers(d->theirs, dot.origin, dot.stamp))
		peer_nonsense("A stamp is not in the vector.");
	return dot;
}

static void
item_version(DeltaRead *d, WireReader *r, Version *v)
{
	Image		image;

	memset(v, 0, sizeof(*v));
	v->dot = item_dot(d, r);
	v->image = wire_get_string(r, MAX_IMAGE_SIZE, &v->image_len);
	if (r->bad || !image_decode(v->image, v->image_len, false, &image) ||
		!pg_verifymbstr((const char *) image.head.user, (int) image.head.user_len, true))
		peer_nonsense("A version cannot be read.");
}

static void
item_incarnations(DeltaRead *d, WireReader *r, DeltaItem *item)
{
	uint64		n = wire_get_varint(r);

	if (r->bad || n > MAX_INCARNATIONS)
		peer_nonsense("A zone has an impossible number of incarnations.");
	for (uint64 i = 0; i < n; i++)
		live_add(&item->live, &item->zone, item_dot(d, r));
	if (item->live.n != (int) n)
		peer_nonsense("A zone has an incarnation twice.");
}

static void
item_unit(DeltaRead *d, WireReader *r, DeltaItem *item)
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
		item_version(d, r, &item->versions[i]);
		for (int k = 0; k < i; k++)
			if (item->versions[k].dot.origin == item->versions[i].dot.origin &&
				item->versions[k].dot.stamp == item->versions[i].dot.stamp)
				peer_nonsense("A unit has the same version twice.");
	}
	if (!versions_fit(&(VersionSet) {item->nversions, item->versions}))
		peer_nonsense("A unit is too large.");
	if (key_number(item->key, item->key_len) == TABLE_DOMAINS)
		item_incarnations(d, r, item);
}

bool
delta_item(DeltaRead *d, WireReader *r, DeltaItem *item)
{
	if (wire_at_end(r))
		return false;
	item->kind = (ItemKind) wire_get_u8(r);
	memset(&item->live, 0, sizeof(item->live));
	if (item->kind == ITEM_ZONE || item->kind == ITEM_TABLE)
		item_zone(r, item);
	else if (item->kind == ITEM_UNIT)
		item_unit(d, r, item);
	else if (item->kind == ITEM_TRANSACTION)
		item->dot = item_dot(d, r);
	else
		peer_nonsense("An item of a delta is of no known kind.");
	return true;
}
