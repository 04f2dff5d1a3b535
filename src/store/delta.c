/*
 * delta.c: see delta.h; the octets are codec.h's.
 *
 * One snapshot, taken after the pending stamps were read, shows the vector and every version it claims. The index on
 * (origin, era) gives what the peer lacks, a sort puts it in order, by zone and key, and each unit is written with
 * all its versions. Before the delta is handed out, every commit that it shows is flushed: a peer may never hold what
 * a crash here would take back.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

#include "compat.h"
#include "dnsrepl.h"
#include "store/clock.h"
#include "store/codec.h"
#include "store/damage.h"
#include "store/deferred.h"
#include "store/delta.h"
#include "store/image.h"
#include "store/pack.h"
#include "store/peer_vector.h"
#include "store/progress.h"
#include "store/relation.h"
#include "store/sums.h"
#include "store/transaction_zones.h"
#include "store/unit_json.h"
#include "store/version_row.h"


struct Delta
{
	MemoryContext context;
	int			chunks;
	int			given;			/* chunks handed out */
	StringInfoData buf;			/* the only chunk, or the one being written or read */
	BufFile    *file;			/* NULL: there is one chunk */
};

typedef struct ZoneName
{
	int32		number;
	ZoneRef		ref;
	bool		deferred;		/* something of it is kept, and not in the store yet */
} ZoneName;

typedef struct Cut
{
	Delta	   *delta;
	Store	   *store;
	Vector	   *ours,
			   *base;
	Tuplesortstate *sort;
	HTAB	   *zones;			/* ZoneName by number */
	const Deferred *deferred;	/* NULL: nothing is kept */
	int32		zone;			/* of the item written last */
	int			ntransaction_zones; /* items of that kind */
	uint8		flags;
	const DeltaFor *peer;
	Vector	   *collected,
			   *since;			/* DELTA_SALVAGE: what was written here since the store is damaged */
	Damage		damage;
	int			secrets;		/* units with private keys that must not be sent, and the zone of the first */
	int32		secret_zone;
	XLogRecPtr	flush;
	MemoryContext scratch;
} Cut;

static const ZoneRef *
cut_zone(Cut *c, int32 number)
{
	bool		found;
	ZoneName   *z = hash_search(c->zones, &number, HASH_ENTER, &found);

	if (!found)
	{
		MemoryContext old = MemoryContextSwitchTo(c->delta->context);

		if (hash_get_num_entries(c->zones) > MAX_ZONES)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("what the peer lacks is of more than %d zones, which are too many for a delta", MAX_ZONES)));
		if (!zone_by_number_at(GetActiveSnapshot(), number, &z->ref))
			elog(ERROR, "zone %d of a version is not there", number);
		z->deferred = false;
		MemoryContextSwitchTo(old);
	}
	return &z->ref;
}

static bool
cut_deferred(Cut *c, int32 number)
{
	const ZoneName *z = c->deferred ? hash_search(c->zones, &number, HASH_FIND, NULL) : NULL;

	return z && z->deferred;
}

/* A zone of which something is kept. One that is not in the store yet has a number less than 0 here. */
static int32
cut_deferred_zone(Cut *c, const DeferredZone *kept, int *unknown)
{
	MemoryContext old = MemoryContextSwitchTo(c->delta->context);
	int32		number = zone_number_at(GetActiveSnapshot(), &kept->ref);
	ZoneName   *z;
	bool		found;

	for (int i = 0; i < c->deferred->n && !number; i++)
	{
		const DeferredZone *earlier = deferred_zone(&c->deferred->deltas[i], &kept->ref);

		number = earlier ? earlier->ref.number : 0;
	}
	if (!number)
		number = --*unknown;
	z = hash_search(c->zones, &number, HASH_ENTER, &found);
	if (!found)
		z->ref = kept->ref;
	if (!found && number > 0 && !zone_by_number_at(GetActiveSnapshot(), number, &z->ref))
		elog(ERROR, "zone %d is not there", number);
	z->ref.number = number;
	z->ref.state.heard = Max(z->ref.state.heard, kept->serial);
	z->deferred = true;
	MemoryContextSwitchTo(old);
	return number;
}

static void
cut_deferred_begin(Cut *c)
{
	Deferred   *all = deferred_read(true);
	int			unknown = 0;

	c->deferred = all;
	for (int i = 0; all && i < all->n; i++)
		for (int k = 0; k < all->deltas[i].nzones; k++)
			all->deltas[i].zones[k].ref.number = cut_deferred_zone(c, &all->deltas[i].zones[k], &unknown);
}

/* The last octet of a sort key. */
enum
{
	SORT_UNIT, SORT_PACK, SORT_TRANSACTION
};

/*
 * Sorts as zone_order, then key: u8 0, u16 table | u8 1, name, u8 0; then zone number and key, of a pack that of its first unit, and
 * `more`; u8 SORT_...
 */
static void
cut_item(Cut *c, int32 zone, const uint8 *key, size_t key_len, const void *more, size_t more_len, uint8 kind)
{
	const ZoneRef *z = cut_zone(c, zone);
	MemoryContext old = MemoryContextSwitchTo(c->scratch);
	StringInfoData s;

	initStringInfo(&s);
	appendStringInfoSpaces(&s, VARHDRSZ);
	wire_put_u8(&s, z->table ? 0 : 1);
	if (z->table)
		wire_put_u16(&s, (uint16) z->table);
	else
	{
		appendBinaryStringInfo(&s, (char *) z->name, (int) z->name_len);
		wire_put_u8(&s, 0);		/* no label begins with it, so a zone comes before those below it */
	}
	wire_put_u32(&s, (uint32) zone);
	appendBinaryStringInfo(&s, (const char *) key, (int) key_len);
	appendBinaryStringInfo(&s, more, (int) more_len);
	wire_put_u8(&s, kind);
	SET_VARSIZE(s.data, s.len);
	tuplesort_putdatum(c->sort, PointerGetDatum(s.data), false);
	MemoryContextSwitchTo(old);
	MemoryContextReset(c->scratch);
}

/* Of its zones those that are in the delta, if they are several. */
static bool
cut_transaction(Dot dot, const int32 *zones, int n, void *arg)
{
	static const uint8 before_units[] = {0, 0}; /* no table has this number */
	Cut		   *c = arg;
	uint8		octets[sizeof(dot.origin) + sizeof(dot.stamp)];
	int			present = 0;

	memcpy(octets, &dot.origin, sizeof(dot.origin));
	memcpy(octets + sizeof(dot.origin), &dot.stamp, sizeof(dot.stamp));
	for (int i = 0; i < n; i++)
		present += hash_search(c->zones, &zones[i], HASH_FIND, NULL) != NULL;
	if (present < 2)
		return true;
	if (c->ntransaction_zones + present > MAX_TRANSACTION_ZONES)
		return false;
	c->ntransaction_zones += present;
	for (int i = 0; i < n; i++)
		if (progress(), hash_search(c->zones, &zones[i], HASH_FIND, NULL) != NULL)
			cut_item(c, zones[i], before_units, sizeof(before_units), octets, sizeof(octets), SORT_TRANSACTION);
	return true;
}

/* The length of the name that begins a sort key: labels, each ended by 0, and then an empty one. */
static size_t
cut_name_len(const uint8 *p, const uint8 *end)
{
	const uint8 *start = p;

	while (p < end && *p != 0)
		p = (const uint8 *) memchr(p, 0, (size_t) (end - p)) + 1;
	return (size_t) (p - start);
}

/* ---------- writing ---------- */

static void
chunk_spill(Cut *c)
{
	Delta	   *d = c->delta;
	uint32		len;

	chunk_seal(&d->buf);
	len = (uint32) d->buf.len;
	if (!d->file)
	{
		MemoryContext old = MemoryContextSwitchTo(d->context);

		d->file = BufFileCreateTemp(true);
		MemoryContextSwitchTo(old);
	}
	BufFileWrite(d->file, &len, sizeof(len));
	BufFileWrite(d->file, d->buf.data, len);
	d->chunks++;
	resetStringInfo(&d->buf);
	wire_put_u8(&d->buf, CHUNK_NEXT);
	c->zone = 0;
}

static void
cut_header(Cut *c)
{
	NodeInfo	node;
	StringInfo	out = &c->delta->buf;

	node_require(&node);
	wire_put_u8(out, CHUNK_FIRST);
	wire_put_uuid(out, &node.id);
	wire_put_uuid(out, &clock_slot()->life);
	wire_put_string(out, node.name, strlen(node.name));
	vector_encode(out, c->ours);
	vector_encode(out, c->base);
	wire_put_u8(out, c->flags);
	vector_encode(out, c->collected);
	if (!(c->flags & DELTA_SALVAGE))
		return;
	vector_encode(out, c->since);
	wire_put_varint(out, (uint64) c->damage.n);
	for (int i = 0; i < c->damage.n; i++)
		wire_put_uuid(out, &c->damage.salvaged[i]);
}

/* Keys that nobody else may know are counted, where the link must not carry them. */
static void
cut_secret(Cut *c, int32 zone, const uint8 *key, size_t key_len, const VersionSet *set)
{
	int			table = key_number(key, key_len);

	if (c->peer->trust == PEER_VERIFIED || (table != TABLE_CRYPTOKEYS && table != TABLE_TSIGKEYS))
		return;
	for (int i = 0; i < set->n; i++)
	{
		ImageHead	head;

		if (image_head(set->v[i].image, set->v[i].image_len, &head) && head.nrows > 0)
		{
			if (c->secrets++ == 0)
				c->secret_zone = zone;
			return;
		}
	}
}

static void
secrets_refuse(Cut *c)
{
	const ZoneRef *z = cut_zone(c, c->secret_zone);

	/* the status has room for message and detail: what to do comes first */
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 c->peer->trust == PEER_READABLE ? errmsg("private keys are not sent over a link without encryption")
			 : errmsg("private keys are not sent to a peer that is not verified"),
			 errdetail("The connection string needs sslmode=verify-full and sslrootcert. %d keys wait, and all that was written with or after them; the first: %s.", c->secrets,
					   z->table ? "a TSIG key" : psprintf("a key of zone \"%s\"", zone_text(z->name, z->name_len))),
			 errhint("dnsrepl.allow_plaintext_secrets sends keys over any link.")));
}

/* A unit with more than a peer takes: whoever edits it leaves one version. */
static void
unit_refuse(Cut *c, int32 zone, const uint8 *key, size_t key_len, const VersionSet *set)
{
	const ZoneRef *z = cut_zone(c, zone);
	StringInfoData shown;
	TableDesc  *t = key_table(key, key_len);

	initStringInfo(&shown);
	if (t)
		json_key(&shown, t, key, key_len);
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("a unit has more versions than can be sent: %d", set->n),
			 errdetail("It is %s of table \"%s\" in zone \"%s\"; %d versions, and %d MB of them, can go.", shown.data, t ? t->name : "?",
					   z->table ? "" : zone_text(z->name, z->name_len), MAX_SIBLINGS, MAX_UNIT_SIZE / 1024 / 1024),
			 errhint("An edit of it leaves one.")));
}

static void
dot_put(Cut *c, Dot dot)
{
	const VectorEntry *e = vector_find(c->ours, dot.origin);

	wire_put_varint(&c->delta->buf, (uint64) (e - c->ours->entries));
	wire_put_u64(&c->delta->buf, (uint64) dot.stamp);
}

/* With the unit of a zone in domains go the incarnations that live. */
static void
incarnations_put(Cut *c, const Live *live)
{
	int			claimed = 0;

	for (int i = 0; i < live->n; i++)
		claimed += vector_covers(c->ours, live->incarnations[i].origin, live->incarnations[i].stamp);
	wire_put_varint(&c->delta->buf, (uint64) claimed);
	for (int i = 0; i < live->n; i++)
		if (vector_covers(c->ours, live->incarnations[i].origin, live->incarnations[i].stamp))
			dot_put(c, live->incarnations[i]);
}

static void
zone_put(Cut *c, int32 zone)
{
	if (zone != c->zone)
		zone_encode(&c->delta->buf, cut_zone(c, zone));
	c->zone = zone;
}

/* An item is written. */
static void
item_end(Cut *c)
{
	if (c->delta->buf.len >= setting_chunk_size * 1024)
		chunk_spill(c);
}

static void
transaction_put(Cut *c, int32 zone, Dot dot)
{
	zone_put(c, zone);
	wire_put_u8(&c->delta->buf, ITEM_TRANSACTION);
	dot_put(c, dot);
	item_end(c);
}

static void
unit_put(Cut *c, int32 zone, const uint8 *key, size_t key_len, VersionSet set, const Live *live)
{
	StringInfo	out = &c->delta->buf;
	int			claimed = 0;

	cut_secret(c, zone, key, key_len, &set);
	zone_put(c, zone);
	/* what is not claimed is not sent, but it may have replaced what is */
	for (int i = 0; i < set.n; i++)
	{
		if (TransactionIdIsNormal(set.v[i].xmin))
			c->flush = Max(c->flush, TransactionIdGetCommitLSN(set.v[i].xmin));
		if (vector_covers(c->ours, set.v[i].dot.origin, set.v[i].dot.stamp))
			set.v[claimed++] = set.v[i];
	}
	set.n = claimed;
	if (!versions_fit(&set))
		unit_refuse(c, zone, key, key_len, &set);
	wire_put_u8(out, ITEM_UNIT);
	wire_put_string(out, key, key_len);
	wire_put_varint(out, (uint64) set.n);
	for (int i = 0; i < set.n; i++)
	{
		dot_put(c, set.v[i].dot);
		wire_put_string(out, set.v[i].image, set.v[i].image_len);
	}
	if (key_number(key, key_len) == TABLE_DOMAINS)
		incarnations_put(c, live);
	item_end(c);
}

/* As it is held: with what is kept of it. */
static void
cut_unit(Cut *c, int32 zone, const uint8 *key, size_t key_len)
{
	VersionSet	set = version_read(c->store, GetActiveSnapshot(), zone, key, key_len);
	Live		live = cut_zone(c, zone)->state.stored;

	if (cut_deferred(c, zone))
		deferred_fold(c->deferred, cut_zone(c, zone), key, key_len, &set, &live);
	unit_put(c, zone, key, key_len, set, &live);
}

/* Calls fn with all units of a pack, from where it was seen; the snapshot is the same. */
static void
pack_each(Cut *c, int32 zone, const ItemPointerData *at, void (*fn) (Cut *c, int32 zone, const PackReader *p, Version v))
{
	ItemPointerData tid = *at;
	TupleTableSlot *slot = table_slot_create(c->store->heap, NULL);
	VersionRow	row;
	PackReader	p;

	if (!table_tuple_fetch_row_version(c->store->heap, &tid, GetActiveSnapshot(), slot))
		elog(ERROR, "a row of dnsrepl.version_store is gone");
	row = version_row(slot, true);
	pack_read_begin(&p, row.key, row.key_len, row.v.image, row.v.image_len, row.more, row.more_len);
	while (pack_read(&p))
	{
		Version		v = row.v;

		v.image = (const uint8 *) p.image.data;
		v.image_len = (size_t) p.image.len;
		fn(c, zone, &p, v);
	}
	pack_read_end(&p);
	ExecDropSingleTupleTableSlot(slot);
}

static void
pack_unit_put(Cut *c, int32 zone, const PackReader *p, Version v)
{
	unit_put(c, zone, (const uint8 *) p->key.data, (size_t) p->key.len, (VersionSet) {1, &v}, &cut_zone(c, zone)->state.stored);
}

static void
pack_unit_unfold(Cut *c, int32 zone, const PackReader *p, Version v)
{
	cut_item(c, zone, (const uint8 *) p->key.data, (size_t) p->key.len, "", 0, SORT_UNIT);
}

/* Of the units of a pack there is no other version: it goes as it is, unless something is kept. */
static bool
cut_lacking(const VersionRow *row, void *arg)
{
	if (row->more && cut_deferred(arg, row->zone))
		pack_each(arg, row->zone, &row->v.tid, pack_unit_unfold);
	else
		cut_item(arg, row->zone, row->key, row->key_len, &row->v.tid, row->more ? sizeof(row->v.tid) : 0, row->more ? SORT_PACK : SORT_UNIT);
	return true;
}

static void
cut_units(Cut *c)
{
	StringInfoData last;
	Datum		d;
	bool		isnull;

	initStringInfo(&last);
	while (compat_tuplesort_getdatum(c->sort, &d, &isnull))
	{
		struct varlena *b = (struct varlena *) DatumGetPointer(d);
		int			len = (int) VARSIZE_ANY_EXHDR(b);
		WireReader	r;
		MemoryContext old;
		int32		zone;
		const uint8 *end;

		progress();
		if (last.len == len && memcmp(last.data, VARDATA_ANY(b), (size_t) len) == 0)
		{
			pfree(b);
			continue;
		}
		resetStringInfo(&last);
		appendBinaryStringInfo(&last, VARDATA_ANY(b), len);
		pfree(b);
		wire_reader_init(&r, last.data, (size_t) len);
		if (wire_get_u8(&r) == 0)
			(void) wire_get_u16(&r);
		else
			r.p = (const uint8 *) last.data + 1 + cut_name_len((const uint8 *) last.data + 1, r.end) + 1;
		zone = (int32) wire_get_u32(&r);
		end = r.end - 1;
		old = MemoryContextSwitchTo(c->scratch);
		if (*end == SORT_PACK)
		{
			ItemPointerData tid;

			memcpy(&tid, end - sizeof(tid), sizeof(tid));
			pack_each(c, zone, &tid, pack_unit_put);
		}
		else if (*end == SORT_TRANSACTION)
		{
			Dot			dot;

			memcpy(&dot.stamp, end - sizeof(dot.stamp), sizeof(dot.stamp));
			memcpy(&dot.origin, end - sizeof(dot.stamp) - sizeof(dot.origin), sizeof(dot.origin));
			transaction_put(c, zone, dot);
		}
		else
			cut_unit(c, zone, r.p, (size_t) (end - r.p));
		MemoryContextSwitchTo(old);
		MemoryContextReset(c->scratch);
	}
	pfree(last.data);
}

/* ---------- the cut ---------- */

/* What the peer holds, as far as it is sure. */
static Vector *
cut_base(const DeltaFor *peer)
{
	WireReader	r;
	Vector	   *base;
	const KnownVector *known;

	wire_reader_init(&r, peer->vector, peer->vector_len);
	base = vector_decode(&r);
	if (!base || !wire_at_end(&r))
		peer_nonsense("Its vector cannot be read.");
	known = peer->exact ? NULL : peer_vector_find(GetActiveSnapshot(), &peer->node);
	if (known && memcmp(&known->life, &peer->life, UUID_LEN) == 0)
	{
		Vector	   *v;

		wire_reader_init(&r, known->vector, known->vector_len);
		v = vector_decode(&r);
		if (v)
			vector_join(base, v);
	}
	return base;
}

static bool
cut_any(int32 zone, const uint8 *key, size_t key_len, void *arg)
{
	cut_item(arg, zone, key, key_len, "", 0, SORT_UNIT);
	return true;
}

/* Units that are kept, and of which the peer lacks something. */
static void
cut_kept_zone(Cut *c, const DeferredZone *z)
{
	for (int i = 0; i < z->nunits; i++)
	{
		const DeferredUnit *u = &z->units[i];
		bool		lacks = false;

		progress();
		for (int v = 0; v < u->nversions; v++)
			lacks |= (c->flags & DELTA_FULL) || !vector_covers(c->base, u->versions[v].dot.origin, u->versions[v].dot.stamp);
		if (lacks)
			cut_item(c, z->ref.number, u->key, u->key_len, "", 0, SORT_UNIT);
	}
}

static void
cut_kept(Cut *c)
{
	for (int i = 0; c->deferred && !(c->flags & DELTA_REPAIR) && i < c->deferred->n; i++)
		for (int k = 0; k < c->deferred->deltas[i].nzones; k++)
			cut_kept_zone(c, &c->deferred->deltas[i].zones[k]);
}

/* The units that go in: those of which the peer lacks something, or all. */
static void
cut_select(Cut *c)
{
	Vector	   *none = vector_new();

	if (c->flags & DELTA_REPAIR)
		for (int i = 0; i < c->peer->nzones; i++)
			unit_walk(c->store, GetActiveSnapshot(), c->peer->zones[i].number, (const uint8 *) "", 0, NULL, 0, cut_any, c);
	else
		version_row_lacking(c->store, GetActiveSnapshot(), (c->flags & DELTA_FULL) ? none : c->base, c->ours, cut_lacking, c);
	cut_kept(c);
	if (c->base->n > 0)			/* who holds nothing has nothing that could be shown in part; a repair has no new transactions */
		transaction_zones_lacking(GetActiveSnapshot(), c->base, c->ours, cut_transaction, c);
	tuplesort_performsort(c->sort);
}

static void
cut_run(Cut *c)
{
	HASHCTL		ctl = {.keysize = sizeof(int32), .entrysize = sizeof(ZoneName), .hcxt = CurrentMemoryContext};

	tables_refresh();
	c->scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl cut", ALLOCSET_DEFAULT_SIZES);
	c->zones = hash_create("dnsrepl zones of a cut", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	c->store = store_open(false);
	c->sort = tuplesort_begin_datum(BYTEAOID, BYTEA_LESS, InvalidOid, false, work_mem, NULL, 0);
	cut_deferred_begin(c);
	if (c->deferred)
		c->flags |= DELTA_DEFERS;
	cut_select(c);
	cut_header(c);
	cut_units(c);
	if (c->secrets)
		secrets_refuse(c);
	if (c->delta->file)
	{
		if (c->delta->buf.len > 1)
			chunk_spill(c);
		if (BufFileSeek(c->delta->file, 0, 0, SEEK_SET) != 0)
			ereport(ERROR, (errcode_for_file_access(), errmsg("could not rewind temporary file: %m")));
	}
	else
	{
		chunk_seal(&c->delta->buf);
		c->delta->chunks = 1;
	}
	tuplesort_end(c->sort);
	store_close(c->store);
	XLogFlush(c->flush);
}

/* A store that has lost something would have the peer delete it too. */
static void
cut_check(Cut *c)
{
	NodeInfo	me;

	node_require(&me);
	if (c->flags & DELTA_SALVAGE)
		return;
	if (!me.damaged && (!(c->flags & DELTA_FULL) || c->base->n == 0 || store_damaged(GetActiveSnapshot()) == 0))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the store of this node has been changed behind the extension's back"),
			 errdetail("It sends nothing until it has taken the state of a peer.")));
}

Delta *
delta_cut(const DeltaFor *peer)
{
	MemoryContext caller = CurrentMemoryContext;
	Cut			c = {.peer = peer};
	NodeInfo	me;

	StartTransactionCommand();
	c.ours = holdings_push_snapshot();
	c.flush = holdings_lsn();
	node_require(&me);
	c.base = cut_base(peer);
	c.collected = collected_read(GetActiveSnapshot());
	if (peer->salvage)
	{
		c.flags = DELTA_SALVAGE;
		c.base = vector_new();
		c.since = c.ours;
		if (damage_read(&c.damage))
		{
			c.ours = vector_copy(c.ours);
			vector_join(c.ours, c.damage.held);
		}
	}
	else if (peer->nzones)
	{
		/* it has some zones only: what was written since the peer was asked comes with an ordinary delta */
		c.flags = DELTA_REPAIR;
		c.ours = vector_meet(c.ours, c.base);
	}
	else if (!vector_covers_upto(c.base, c.ours, c.collected))
		c.flags = DELTA_FULL;
	/* one that is damaged claims nothing, so there may be nothing to send: the link has to say why all the same */
	if (peer->salvage ? me.damaged : me.damaged || c.flags || !vector_covers_all(c.base, c.ours))
	{
		MemoryContext context = AllocSetContextCreate(caller, "dnsrepl delta", ALLOCSET_DEFAULT_SIZES);
		MemoryContext old = MemoryContextSwitchTo(context);

		c.delta = palloc0(sizeof(Delta));
		c.delta->context = context;
		initStringInfo(&c.delta->buf);
		MemoryContextSwitchTo(old);
		PG_TRY();
		{
			cut_check(&c);
			cut_run(&c);
		}
		PG_CATCH();
		{
			delta_free(c.delta);
			PG_RE_THROW();
		}
		PG_END_TRY();
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
	return c.delta;
}

int
delta_chunks(const Delta *d)
{
	return d->chunks;
}

StringInfo
delta_next_chunk(Delta *d)
{
	uint32		len;

	if (d->given == d->chunks)
		return NULL;
	d->given++;
	if (!d->file)
		return &d->buf;
	resetStringInfo(&d->buf);
	if (BufFileRead(d->file, &len, sizeof(len)) != sizeof(len))
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not read temporary file: %m")));
	enlargeStringInfo(&d->buf, (int) len);
	if (BufFileRead(d->file, d->buf.data, len) != len)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not read temporary file: %m")));
	d->buf.len = (int) len;
	d->buf.data[len] = '\0';
	return &d->buf;
}

void
delta_free(Delta *d)
{
	if (d->file)
		BufFileClose(d->file);
	MemoryContextDelete(d->context);
}

/* ---------- counting ---------- */

typedef struct Lacking
{
	int64		n,
				most,
				oldest;
} Lacking;

static bool
count_lacking(int32 zone, const uint8 *key, size_t key_len, Dot dot, TransactionId xmin, void *arg)
{
	Lacking    *l = arg;

	if (!l->oldest || dot.stamp < l->oldest)
		l->oldest = dot.stamp;
	return ++l->n < l->most;
}

int64
delta_count_lacking(const uint8 *peer_vector, size_t peer_vector_len, int64 most, int64 *oldest)
{
	Lacking		l = {.most = most};
	WireReader	r;
	Vector	   *ours = holdings_push_snapshot();
	Vector	   *held;
	Store	   *store = store_open(false);

	wire_reader_init(&r, peer_vector, peer_vector_len);
	held = peer_vector_len ? vector_decode(&r) : vector_new();
	if (held)
		version_lacking(store, GetActiveSnapshot(), held, ours, count_lacking, &l);
	store_close(store);
	PopActiveSnapshot();
	*oldest = l.oldest;
	return l.n;
}
