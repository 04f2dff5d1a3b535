/*
 * version_row.c: see version_row.h.
 *
 * An ordinary table, written by the routines below the executor. A row that replaces one at the same key is an update of it:
 * what it leaves is pruned with its page when that is needed, so that a name that is rewritten ten thousand times takes the
 * place of a few rows.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "catalog/index.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/fmgroids.h"

#include "compat.h"
#include "store/version_row.h"
#include "store/wire.h"

enum
{
	VERSION_STAMP = 1, VERSION_LOW, VERSION_ERA, VERSION_ZONE, VERSION_ORIGIN, VERSION_SEEN, VERSION_KEY, VERSION_IMAGE,
	VERSION_OVER, VERSION_MORE
};

/* ---------- reading ---------- */

static void
over_decode(Version *v, Datum over)
{
	bytea	   *b = DatumGetByteaPP(over);
	WireReader	r;
	StampRange *ranges;

	wire_reader_init(&r, VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b));
	ranges = palloc(sizeof(StampRange) * (VARSIZE_ANY_EXHDR(b) / 8 + 1));
	while (!wire_at_end(&r))
	{
		int64		stamp = (int64) wire_get_u64(&r);

		ranges[v->nover++] = (StampRange) {stamp, stamp};
	}
	v->over = ranges;
}

static const uint8 *
octets(TupleTableSlot *slot, int attribute, size_t *len)
{
	bytea	   *b;

	*len = 0;
	if (slot->tts_isnull[attribute - 1])
		return NULL;
	b = DatumGetByteaPP(slot->tts_values[attribute - 1]);
	*len = VARSIZE_ANY_EXHDR(b);
	return (const uint8 *) VARDATA_ANY(b);
}

VersionRow
version_row(TupleTableSlot *slot, bool image)
{
	VersionRow	row = {0};
	Version    *v = &row.v;
	bool		shouldFree;
	HeapTuple	tuple = ExecFetchSlotHeapTuple(slot, false, &shouldFree);

	slot_getallattrs(slot);
	v->tid = slot->tts_tid;
	v->xmin = HeapTupleHeaderGetXmin(tuple->t_data);
	v->dot.origin = DatumGetInt32(slot->tts_values[VERSION_ORIGIN - 1]);
	v->dot.stamp = DatumGetInt64(slot->tts_values[VERSION_STAMP - 1]);
	v->low = slot->tts_isnull[VERSION_LOW - 1] ? 0 : DatumGetInt64(slot->tts_values[VERSION_LOW - 1]);
	v->seen = DatumGetBool(slot->tts_values[VERSION_SEEN - 1]);
	if (!slot->tts_isnull[VERSION_OVER - 1])
		over_decode(v, slot->tts_values[VERSION_OVER - 1]);
	row.zone = DatumGetInt32(slot->tts_values[VERSION_ZONE - 1]);
	row.key = octets(slot, VERSION_KEY, &row.key_len);
	row.more = octets(slot, VERSION_MORE, &row.more_len);
	v->packed = row.more != NULL;
	if (image || row.more)
		v->image = octets(slot, VERSION_IMAGE, &v->image_len);
	if (shouldFree)
		heap_freetuple(tuple);
	return row;
}

IndexScanDesc
version_row_scan(Store *s, Snapshot snapshot, int32 zone, const uint8 *from, size_t from_len)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(zone));
	ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_BYTEAGE, PointerGetDatum(varlena_make(from, from_len)));
	scan = compat_index_beginscan(s->heap, s->unit_index, snapshot, 2);
	index_rescan(scan, keys, 2, NULL, 0);
	return scan;
}

/* ---------- writing ---------- */

static HeapTuple
row_form(Store *s, const VersionRow *row)
{
	const Version *v = &row->v;
	Datum		values[VERSION_NATTS] = {0};
	bool		nulls[VERSION_NATTS] = {0};

	values[VERSION_STAMP - 1] = Int64GetDatum(v->dot.stamp);
	values[VERSION_LOW - 1] = Int64GetDatum(v->low);
	nulls[VERSION_LOW - 1] = v->low == 0;
	values[VERSION_ERA - 1] = Int64GetDatum(STAMP_ERA(v->dot.stamp));
	values[VERSION_ZONE - 1] = Int32GetDatum(row->zone);
	values[VERSION_ORIGIN - 1] = Int32GetDatum(v->dot.origin);
	values[VERSION_SEEN - 1] = BoolGetDatum(v->seen);
	values[VERSION_KEY - 1] = PointerGetDatum(varlena_make(row->key, row->key_len));
	values[VERSION_IMAGE - 1] = PointerGetDatum(varlena_make(v->image, v->image_len));
	nulls[VERSION_OVER - 1] = v->nover == 0;
	if (v->nover)
	{
		StringInfoData over;

		initStringInfo(&over);
		for (int i = 0; i < v->nover; i++)
			wire_put_u64(&over, (uint64) v->over[i].first);
		values[VERSION_OVER - 1] = PointerGetDatum(varlena_make(over.data, (size_t) over.len));
	}
	nulls[VERSION_MORE - 1] = row->more == NULL;
	if (row->more)
		values[VERSION_MORE - 1] = PointerGetDatum(varlena_make(row->more, row->more_len));
	return heap_form_tuple(RelationGetDescr(s->heap), values, nulls);
}

void
row_index(ResultRelInfo *all, HeapTuple tuple, Oid same_key)
{
	Relation	heap = all->ri_RelationDesc;
	TupleTableSlot *slot;

	if (HeapTupleIsHeapOnly(tuple))
		return;
	slot = MakeSingleTupleTableSlot(RelationGetDescr(heap), &TTSOpsHeapTuple);
	ExecStoreHeapTuple(tuple, slot, false);
	for (int i = 0; i < all->ri_NumIndices; i++)
	{
		Relation	index = all->ri_IndexRelationDescs[i];
		IndexInfo  *info = all->ri_IndexRelationInfo[i];
		Datum		values[INDEX_MAX_KEYS];
		bool		isnull[INDEX_MAX_KEYS];

		if (!info->ii_ReadyForInserts)
			continue;
		if (info->ii_Expressions != NIL || info->ii_Predicate != NIL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("index \"%s\" of dnsrepl.%s has an expression or a predicate",
							RelationGetRelationName(index), RelationGetRelationName(heap)),
					 errhint("Drop it: the store cannot keep such an index up to date.")));
		FormIndexDatum(info, slot, NULL, values, isnull);
		index_insert(index, values, isnull, &tuple->t_self, heap, info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO,
					 RelationGetRelid(index) == same_key, info);
	}
	ExecDropSingleTupleTableSlot(slot);
}

void
version_row_insert(Store *s, const VersionRow *row, CommandId cid)
{
	HeapTuple	tuple = row_form(s, row);

	heap_insert(s->heap, tuple, cid, 0, NULL);
	row_index(s->indstate, tuple, InvalidOid);
	heap_freetuple(tuple);
}

static void
row_written(TM_Result result)
{
	if (result != TM_Ok)
		elog(ERROR, "a row of dnsrepl.version_store was changed by somebody else: %d", (int) result);
}

void
version_row_delete(Store *s, const ItemPointerData *tid, CommandId cid)
{
	ItemPointerData old = *tid;
	TM_FailureData tmfd;

	s->replaced++;
	row_written(heap_delete(s->heap, &old, cid, InvalidSnapshot, true, &tmfd, false));
}

void
version_row_update(Store *s, const ItemPointerData *tid, const VersionRow *row, CommandId cid)
{
	ItemPointerData old = *tid;
	HeapTuple	tuple = row_form(s, row);

	s->replaced++;
	row_written(compat_heap_update(s->heap, &old, tuple, cid));
	row_index(s->indstate, tuple, RelationGetRelid(s->unit_index));
	heap_freetuple(tuple);
}
