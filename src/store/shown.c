/*
 * shown.c: see shown.h. At most MAX_SHOWN versions of a unit are kept, the first ones.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "store/parked.h"
#include "store/schema.h"
#include "store/shown.h"
#include "store/wire.h"

enum
{
	SHOWN_ZONE = 1, SHOWN_KEY, SHOWN_ORIGIN, SHOWN_STAMP, SHOWN_IMAGE, SHOWN_NATTS = SHOWN_IMAGE
};

typedef struct ShownScan
{
	Relation	rel;
	SysScanDesc scan;
} ShownScan;

/* Rows of a zone, or (key not NULL) of one of its units. */
static ShownScan
shown_begin(Snapshot snapshot, const ZoneRef *zone, const uint8 *key, size_t key_len)
{
	ShownScan	s;
	ScanKeyData keys[2];

	s.rel = table_open(schema_oid("shown"), AccessShareLock);
	ScanKeyInit(&keys[0], SHOWN_ZONE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(zone->number));
	if (key)
		ScanKeyInit(&keys[1], SHOWN_KEY, BTEqualStrategyNumber, F_BYTEAEQ, PointerGetDatum(varlena_make(key, key_len)));
	s.scan = systable_beginscan(s.rel, schema_oid("shown_pkey"), true, snapshot, key ? 2 : 1, keys);
	return s;
}

static void
shown_end(ShownScan *s)
{
	systable_endscan(s->scan);
	table_close(s->rel, AccessShareLock);
}

static Dot
shown_dot(const ShownScan *s, HeapTuple tuple)
{
	bool		isnull;
	Dot			dot;

	dot.origin = DatumGetInt32(heap_getattr(tuple, SHOWN_ORIGIN, RelationGetDescr(s->rel), &isnull));
	dot.stamp = DatumGetInt64(heap_getattr(tuple, SHOWN_STAMP, RelationGetDescr(s->rel), &isnull));
	return dot;
}

/* Is it kept already, or are there too many? */
static bool
shown_enough(const ZoneRef *zone, const uint8 *key, size_t key_len, Dot dot)
{
	ShownScan	s = shown_begin(SnapshotSelf, zone, key, key_len);
	HeapTuple	tuple;
	int			n = 0;
	bool		enough = false;

	while (!enough && HeapTupleIsValid(tuple = systable_getnext(s.scan)))
	{
		Dot			is = shown_dot(&s, tuple);

		enough = (is.origin == dot.origin && is.stamp == dot.stamp) || ++n == MAX_SHOWN;
	}
	shown_end(&s);
	return enough;
}

void
shown_keep(const ZoneRef *zone, const uint8 *key, size_t key_len, const Version *v)
{
	Relation	rel;
	Datum		values[SHOWN_NATTS];
	bool		nulls[SHOWN_NATTS] = {0};

	if (shown_enough(zone, key, key_len, v->dot))
		return;
	values[SHOWN_ZONE - 1] = Int32GetDatum(zone->number);
	values[SHOWN_KEY - 1] = PointerGetDatum(varlena_make(key, key_len));
	values[SHOWN_ORIGIN - 1] = Int32GetDatum(v->dot.origin);
	values[SHOWN_STAMP - 1] = Int64GetDatum(v->dot.stamp);
	values[SHOWN_IMAGE - 1] = PointerGetDatum(varlena_make(v->image, v->image_len));
	rel = table_open(schema_oid("shown"), RowExclusiveLock);
	CatalogTupleInsert(rel, heap_form_tuple(RelationGetDescr(rel), values, nulls));
	table_close(rel, NoLock);
}

bool
shown_any(Snapshot snapshot, const ZoneRef *zone)
{
	ShownScan	s = shown_begin(snapshot, zone, NULL, 0);
	bool		any = HeapTupleIsValid(systable_getnext(s.scan));

	shown_end(&s);
	return any;
}

void
shown_add(Snapshot snapshot, const ZoneRef *zone, const uint8 *key, size_t key_len, VersionSet *set)
{
	ShownScan	s = shown_begin(snapshot, zone, key, key_len);
	HeapTuple	tuple;

	for (int n = 0; n < MAX_SHOWN && HeapTupleIsValid(tuple = systable_getnext(s.scan)); n++)
	{
		bool		isnull;
		bytea	   *image = DatumGetByteaPCopy(heap_getattr(tuple, SHOWN_IMAGE, RelationGetDescr(s.rel), &isnull));

		set->v[set->n++] = (Version) {.dot = shown_dot(&s, tuple), .seen = true, .image = (const uint8 *) VARDATA(image),
		.image_len = VARSIZE(image) - VARHDRSZ};
	}
	shown_end(&s);
}

void
shown_drop(const ZoneRef *zone, const uint8 *key, size_t key_len)
{
	Relation	rel = table_open(schema_oid("shown"), RowExclusiveLock);
	ShownScan	s = shown_begin(SnapshotSelf, zone, key, key_len);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(s.scan)))
		simple_heap_delete(rel, &tuple->t_self);
	shown_end(&s);
	table_close(rel, NoLock);
}

void
shown_forget(const ZoneRef *zone)
{
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(zone->number)};

	parked_execute("DELETE FROM dnsrepl.shown s WHERE s.zone = $1"
				   " AND NOT EXISTS (SELECT FROM dnsrepl.parked p WHERE p.zone = s.zone AND p.key IN (s.key, ''))", 1, types, values);
}
