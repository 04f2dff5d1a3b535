/*
 * transaction_zones.c: see transaction_zones.h.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "store/progress.h"
#include "store/schema.h"
#include "store/transaction_zones.h"

enum
{
	TZ_ORIGIN = 1, TZ_STAMP, TZ_ZONES, TZ_NATTS = TZ_ZONES
};

/* ---------- writing ---------- */

static int
transaction_zone_order(const void *a, const void *b)
{
	const TransactionZone *x = a,
			   *y = b;

	if (x->dot.origin != y->dot.origin)
		return x->dot.origin < y->dot.origin ? -1 : 1;
	if (x->dot.stamp != y->dot.stamp)
		return x->dot.stamp < y->dot.stamp ? -1 : 1;
	return (x->zone > y->zone) - (x->zone < y->zone);
}

/* The zones of one transaction, sorted; a row if they are several. */
static void
row_write(Relation rel, CatalogIndexState indexes, const TransactionZone *all, int n)
{
	Datum	   *zones = palloc(sizeof(Datum) * (size_t) n);
	int			nzones = 0;

	for (int i = 0; i < n; i++)
		if (i == 0 || all[i].zone != all[i - 1].zone)
			zones[nzones++] = Int32GetDatum(all[i].zone);
	if (nzones > 1 && nzones <= MAX_TRANSACTION_ZONES)
	{
		Datum		values[TZ_NATTS] = {Int32GetDatum(all->dot.origin), Int64GetDatum(all->dot.stamp),
		PointerGetDatum(construct_array(zones, nzones, INT4OID, sizeof(int32), true, TYPALIGN_INT))};
		bool		nulls[TZ_NATTS] = {0};
		HeapTuple	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);

		CatalogTupleInsertWithInfo(rel, tuple, indexes);
		heap_freetuple(tuple);
		pfree(DatumGetPointer(values[TZ_ZONES - 1]));
	}
	pfree(zones);
}

void
transaction_zones_write(TransactionZone *all, int n)
{
	Relation	rel;
	CatalogIndexState indexes;

	if (n < 2)
		return;
	qsort(all, (size_t) n, sizeof(TransactionZone), transaction_zone_order);
	rel = schema_table("transaction_zones", RowExclusiveLock, TZ_NATTS);
	indexes = CatalogOpenIndexes(rel);
	for (int i = 0, end; i < n; i = end)
	{
		progress();
		for (end = i + 1; end < n && all[end].dot.origin == all[i].dot.origin && all[end].dot.stamp == all[i].dot.stamp;)
			end++;
		row_write(rel, indexes, all + i, end - i);
	}
	CatalogCloseIndexes(indexes);
	table_close(rel, NoLock);
}

void
transaction_zones_forget(const Vector *held)
{
	Oid			types[2] = {INT4ARRAYOID, INT8ARRAYOID};
	Datum		values[2];
	int			n = held ? held->n : 0;
	Datum	   *origins = palloc(sizeof(Datum) * (size_t) (n + 1));
	Datum	   *heads = palloc(sizeof(Datum) * (size_t) (n + 1));

	for (int i = 0; i < n; i++)
	{
		origins[i] = Int32GetDatum(held->entries[i].origin);
		heads[i] = Int64GetDatum(held->entries[i].head);
	}
	values[0] = PointerGetDatum(construct_array(origins, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
	values[1] = PointerGetDatum(construct_array(heads, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	(void) owner_execute("DELETE FROM dnsrepl.transaction_zones t USING unnest($1, $2) h (origin, head)"
						 " WHERE t.origin = h.origin AND t.stamp <= h.head", 2, types, values);
	(void) owner_execute("DELETE FROM dnsrepl.transaction_zones t"
						 " USING (SELECT ctid AS at, sum(cardinality(zones)) OVER (ORDER BY stamp DESC, origin) AS n FROM dnsrepl.transaction_zones) o"
						 " WHERE t.ctid = o.at AND o.n > " CppAsString2(MAX_TRANSACTION_ZONES), 0, NULL, NULL);
}

/* ---------- reading ---------- */

/* False: that was all that is wanted. What is not as it was written is passed over. */
static bool
row_lacking(const Datum *values, const bool *nulls, TransactionLacking fn, void *arg)
{
	Dot			dot = {DatumGetInt32(values[TZ_ORIGIN - 1]), DatumGetInt64(values[TZ_STAMP - 1])};
	ArrayType  *zones;
	bool		more = true;

	if (nulls[TZ_ZONES - 1])
		return true;
	zones = DatumGetArrayTypePCopy(values[TZ_ZONES - 1]);
	if (ARR_NDIM(zones) == 1 && !ARR_HASNULL(zones) && ARR_ELEMTYPE(zones) == INT4OID)
		more = fn(dot, (const int32 *) ARR_DATA_PTR(zones), ARR_DIMS(zones)[0], arg);
	pfree(zones);
	return more;
}

/* Those of an origin beyond its head in `held`. */
static bool
origin_lacking(Relation rel, Relation index, Snapshot snapshot, const Vector *held, const Vector *ours, int32 origin, TransactionLacking fn,
			   void *arg)
{
	const VectorEntry *e = vector_find(held, origin);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		more = true;

	ScanKeyInit(&keys[0], TZ_ORIGIN, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(origin));
	ScanKeyInit(&keys[1], TZ_STAMP, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(e ? e->head : 0));
	scan = systable_beginscan_ordered(rel, index, snapshot, 2, keys);
	while (more && HeapTupleIsValid(tuple = systable_getnext_ordered(scan, BackwardScanDirection)))
	{
		Datum		values[TZ_NATTS];
		bool		nulls[TZ_NATTS];
		int64		stamp;

		progress();
		heap_deform_tuple(tuple, RelationGetDescr(rel), values, nulls);
		stamp = DatumGetInt64(values[TZ_STAMP - 1]);
		if (vector_covers(ours, origin, stamp) && !vector_covers(held, origin, stamp))
			more = row_lacking(values, nulls, fn, arg);
	}
	systable_endscan_ordered(scan);
	return more;
}

void
transaction_zones_lacking(Snapshot snapshot, const Vector *held, const Vector *ours, TransactionLacking fn, void *arg)
{
	Relation	rel = schema_table("transaction_zones", AccessShareLock, TZ_NATTS);
	Relation	index = index_open(schema_oid("transaction_zones_dot"), AccessShareLock);
	bool		more = true;

	for (int i = 0; i < ours->n && more; i++)
		if (progress(), !vector_covers_entry(held, &ours->entries[i]))
			more = origin_lacking(rel, index, snapshot, held, ours, ours->entries[i].origin, fn, arg);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
}
