/*
 * deferred.c: see deferred.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "store/clock.h"
#include "store/codec.h"
#include "store/deferred.h"
#include "store/delta.h"
#include "store/live.h"
#include "store/progress.h"
#include "store/relation.h"
#include "store/schema.h"
#include "store/version_row.h"

bool
deferred_any(Snapshot snapshot)
{
	return schema_table_any("deferred", snapshot);
}

/* ---------- reading ---------- */

static void
zone_add(DeferredDelta *d, const ZoneRef *ref)
{
	if (d->nzones == d->cap)
	{
		d->cap = d->cap ? d->cap * 2 : 8;
		d->zones = d->zones ? repalloc_huge(d->zones, sizeof(DeferredZone) * (size_t) d->cap)
			: palloc(sizeof(DeferredZone) * (size_t) d->cap);
	}
	d->zones[d->nzones++] = (DeferredZone) {.ref = *ref};
}

static void
unit_add(DeferredZone *z, const DeltaItem *item)
{
	if (z->nunits == z->cap)
	{
		z->cap = z->cap ? z->cap * 2 : 8;
		z->units = z->units ? repalloc_huge(z->units, sizeof(DeferredUnit) * (size_t) z->cap)
			: palloc(sizeof(DeferredUnit) * (size_t) z->cap);
	}
	z->units[z->nunits++] = (DeferredUnit) {item->key, item->key_len, item->nversions, item->versions, item->live};
}

/* What is in it points into the payload. The zones, which are known, are found in the same order. */
static void
units_read(DeferredDelta *d)
{
	WireReader	r;
	DeltaItem	item;
	int			at = -1;

	wire_reader_init(&r, d->payload, d->payload_len);
	if (!chunk_unseal(&r))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("a row of dnsrepl.deferred has been changed")));
	(void) delta_header(&d->in, &r, &d->node, NULL, NULL, d->mine);
	while (delta_item(&d->in, &r, &item))
	{
		progress();
		if ((item.kind == ITEM_ZONE || item.kind == ITEM_TABLE) && (at < 0 || zone_order(&d->zones[at].ref, &item.zone) != 0) && ++at < d->nzones)
			d->zones[at].serial = item.serial;
		if (at < 0 || at >= d->nzones)
			ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("a row of dnsrepl.deferred has been changed")));
		if (item.kind == ITEM_UNIT)
			unit_add(&d->zones[at], &item);
	}
}

/* A column of arrays: names and numbers of tables, of which one is null. */
static void
zones_read(DeferredDelta *d, Datum names, Datum tables)
{
	Datum	   *name,
			   *table;
	bool	   *none;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(names), name_type(), -1, false, TYPALIGN_INT, &name, &none, &n);
	deconstruct_array(DatumGetArrayTypeP(tables), INT2OID, 2, true, TYPALIGN_SHORT, &table, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		ZoneRef		ref = {.table = DatumGetInt16(table[i])};

		if (!none[i])
		{
			struct varlena *v = PG_DETOAST_DATUM_PACKED(name[i]);

			ref.name = (uint8 *) VARDATA_ANY(v);
			ref.name_len = VARSIZE_ANY_EXHDR(v);
		}
		zone_add(d, &ref);
	}
}

static void
delta_row(DeferredDelta *d, HeapTuple row, TupleDesc desc)
{
	bool		isnull;

	d->no = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	d->node = *DatumGetUUIDP(SPI_getbinval(row, desc, 2, &isnull));
	d->failed = DatumGetBool(SPI_getbinval(row, desc, 5, &isnull));
	zones_read(d, datumCopy(SPI_getbinval(row, desc, 3, &isnull), false, -1), SPI_getbinval(row, desc, 4, &isnull));
}

void
deferred_read_units(DeferredDelta *d)
{
	OwnerScope	scope = owner_enter();
	MemoryContext caller = CurrentMemoryContext,
				old;
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(d->no)};
	bytea	   *mine,
			   *payload;
	bool		isnull;
	WireReader	r;

	SPI_connect();
	if (SPI_execute_with_args("SELECT mine, payload FROM dnsrepl.deferred WHERE no = $1", 1, types, values, NULL, true, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "a row of dnsrepl.deferred is gone");
	old = MemoryContextSwitchTo(caller);
	mine = DatumGetByteaPCopy(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	payload = DatumGetByteaPCopy(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	MemoryContextSwitchTo(old);
	SPI_finish();
	owner_leave(scope);
	wire_reader_init(&r, VARDATA(mine), VARSIZE(mine) - VARHDRSZ);
	d->mine = vector_decode(&r);
	if (!d->mine)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("a row of dnsrepl.deferred has been changed")));
	d->payload = (const uint8 *) VARDATA(payload);
	d->payload_len = VARSIZE(payload) - VARHDRSZ;
	units_read(d);
}

Deferred *
deferred_read(bool units)
{
	MemoryContext caller = CurrentMemoryContext;
	OwnerScope	scope;
	Deferred   *all;

	if (!deferred_any(GetActiveSnapshot()))
		return NULL;
	scope = owner_enter();
	SPI_connect();
	SPI_execute("SELECT no, node, zones, tabs, coalesce(tried > now() - interval '30 s', false) FROM dnsrepl.deferred ORDER BY no", true, 0);
	all = MemoryContextAllocZero(caller, sizeof(Deferred));
	all->n = (int) SPI_processed;
	all->deltas = MemoryContextAllocZero(caller, sizeof(DeferredDelta) * (size_t) (all->n + 1));
	for (int i = 0; i < all->n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(caller);

		delta_row(&all->deltas[i], SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	owner_leave(scope);
	for (int i = 0; i < all->n && units; i++)
		deferred_read_units(&all->deltas[i]);
	return all;
}

/* ---------- looking ---------- */

static int
deferred_zone_order(const void *a, const void *b)
{
	return zone_order(&((const DeferredZone *) a)->ref, &((const DeferredZone *) b)->ref);
}

DeferredZone *
deferred_zone(const DeferredDelta *d, const ZoneRef *zone)
{
	DeferredZone key = {.ref = *zone};

	return d->nzones ? bsearch(&key, d->zones, (size_t) d->nzones, sizeof(DeferredZone), deferred_zone_order) : NULL;
}

bool
deferred_has(const Deferred *d, const ZoneRef *zone)
{
	for (int i = 0; d && i < d->n; i++)
		if (deferred_zone(&d->deltas[i], zone))
			return true;
	return false;
}

static int
unit_order(const void *a, const void *b)
{
	const DeferredUnit *x = a,
			   *y = b;

	return key_compare(x->key, x->key_len, y->key, y->key_len);
}

/* As unit_store() of merge/merge.c does with them. */
static void
versions_merge(const DeferredDelta *d, const DeferredUnit *u, VersionSet *set)
{
	int			n = u ? u->nversions : 0;
	Dot		   *mine = palloc(sizeof(Dot) * (size_t) (set->n + 1));
	Dot		   *theirs = palloc(sizeof(Dot) * (size_t) (n + 1));
	bool	   *keep = palloc(sizeof(bool) * (size_t) (set->n + 1));
	bool	   *take = palloc(sizeof(bool) * (size_t) (n + 1));
	VersionSet	now = {.v = palloc(sizeof(Version) * (size_t) (set->n + n + 1))};

	for (int i = 0; i < set->n; i++)
		mine[i] = set->v[i].dot;
	for (int i = 0; i < n; i++)
		theirs[i] = u->versions[i].dot;
	merge_rule(mine, set->n, d->mine, theirs, n, d->in.theirs, keep, take);
	for (int i = 0; i < set->n; i++)
		if (keep[i])
			now.v[now.n++] = set->v[i];
	for (int i = 0; i < n; i++)
		if (take[i])
			now.v[now.n++] = u->versions[i];
	*set = now;
}

void
deferred_fold(const Deferred *d, const ZoneRef *zone, const uint8 *key, size_t key_len, VersionSet *set, Live *live)
{
	static const Live none = {0};
	DeferredUnit wanted = {.key = key, .key_len = key_len};

	for (int i = 0; i < d->n; i++)
	{
		const DeferredDelta *delta = &d->deltas[i];
		const DeferredZone *z = deferred_zone(delta, zone);
		const DeferredUnit *u = z && z->nunits ? bsearch(&wanted, z->units, (size_t) z->nunits, sizeof(DeferredUnit), unit_order) : NULL;

		if (!u && (!z || !(delta->in.flags & DELTA_FULL)))
			continue;
		versions_merge(delta, u, set);
		if (key_number(key, key_len) == TABLE_DOMAINS)
			*live = live_merge(zone, live, delta->mine, u ? &u->live : &none, delta->in.theirs, false);
	}
}

/* ---------- writing ---------- */

static void
kept_bound(StringInfo payload)
{
	OwnerScope	scope = owner_enter();
	bool		isnull;
	int64		kept;

	SPI_connect();
	SPI_execute("SELECT coalesce(sum(octet_length(payload)), 0) FROM dnsrepl.deferred", false, 1);
	kept = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	owner_leave(scope);
	if (kept + payload->len > MAX_DEFERRED)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("what has come for zones that a transaction keeps locked takes more than %d MB", MAX_DEFERRED / 1024 / 1024),
				 errhint("dnsrepl.problem of the receiver shows them, and for whom they wait.")));
}

void
deferred_write(const pg_uuid_t *node, const char *peer, const Vector *mine, StringInfo payload, const ZoneRef *const *zones, int n)
{
	StringInfoData vector;
	Datum	   *names = palloc(sizeof(Datum) * (size_t) (n + 1)),
			   *tables = palloc(sizeof(Datum) * (size_t) (n + 1));
	bool	   *none = palloc(sizeof(bool) * (size_t) (n + 1));
	int			lower = 1;
	Oid			names_type = get_array_type(name_type());
	Oid			types[6] = {UUIDOID, TEXTOID, BYTEAOID, names_type, INT2ARRAYOID, BYTEAOID};
	Datum		values[6];

	kept_bound(payload);
	initStringInfo(&vector);
	vector_encode(&vector, mine);
	for (int i = 0; i < n; i++)
	{
		none[i] = zones[i]->table != 0;
		names[i] = none[i] ? (Datum) 0 : PointerGetDatum(varlena_make(zones[i]->name, zones[i]->name_len));
		tables[i] = Int16GetDatum(zones[i]->table);
	}
	values[0] = UUIDPGetDatum(node);
	values[1] = CStringGetTextDatum(peer);
	values[2] = PointerGetDatum(varlena_make(vector.data, (size_t) vector.len));
	values[3] = PointerGetDatum(construct_md_array(names, none, 1, &n, &lower, name_type(), -1, false, TYPALIGN_INT));
	values[4] = PointerGetDatum(construct_array(tables, n, INT2OID, 2, true, TYPALIGN_SHORT));
	values[5] = PointerGetDatum(varlena_make(payload->data, (size_t) payload->len));
	(void) owner_execute("INSERT INTO dnsrepl.deferred (node, peer, mine, zones, tabs, payload) VALUES ($1, $2, $3, $4, $5, $6)", 6, types, values);
	clock_units_parked();		/* the manager comes, again when an author's transaction has ended */
}

void
deferred_delete(int64 no)
{
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(no)};

	(void) owner_execute("DELETE FROM dnsrepl.deferred WHERE no = $1", 1, types, values);
}

void
deferred_fail(int64 no, const char *error)
{
	Oid			types[2] = {INT8OID, TEXTOID};
	Datum		values[2] = {Int64GetDatum(no), CStringGetTextDatum(error)};

	(void) owner_execute("UPDATE dnsrepl.deferred SET error = $2, tried = now() WHERE no = $1", 2, types, values);
}
