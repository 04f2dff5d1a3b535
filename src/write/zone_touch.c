/*
 * zone_touch.c: see zone_touch.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "utils/snapmgr.h"

#include "store/metadata.h"
#include "store/progress.h"
#include "store/relation.h"
#include "write/zone_stripe.h"
#include "write/zone_touch.h"

static void
touched_add(Touched *t, ZoneRef ref)
{
	if (t->n == t->cap)
	{
		t->cap = t->cap ? t->cap * 2 : 8;
		t->zones = t->zones ? repalloc_huge(t->zones, sizeof(ZoneTouch) * (size_t) t->cap)
			: palloc(sizeof(ZoneTouch) * (size_t) t->cap);
	}
	t->zones[t->n++] = (ZoneTouch) {.ref = ref};
}

static void
touched_add_name(Touched *t, const uint8 *name, size_t len)
{
	ZoneRef		ref = {.name_len = len};

	/* sorted notes name the same zone in a row */
	if (t->n && !t->zones[t->n - 1].ref.table && t->zones[t->n - 1].ref.name_len == len &&
		memcmp(t->zones[t->n - 1].ref.name, name, len) == 0)
		return;
	ref.name = palloc(len + 1);
	memcpy(ref.name, name, len);
	touched_add(t, ref);
}

/* Notes are sorted by table. */
static void
touched_add_table(Touched *t, int16 number)
{
	if (t->n == 0 || t->zones[t->n - 1].ref.table != number)
		touched_add(t, (ZoneRef) {.table = number});
}

static void
touched_add_id(Touched *t, int32 id)
{
	ZoneRef		ref = {0};
	ItemPointerData row;

	if (t->nids && t->ids[t->nids - 1].id == id)
		return;
	ItemPointerSetInvalid(&row);
	if ((t->again || !stripe_zone_name(id, &ref.name, &ref.name_len, &row)) &&
		!domain_name(GetActiveSnapshot(), id, &ref.name, &ref.name_len, &row))
		ref.name = NULL;
	if (t->nids == t->cap_ids)
	{
		t->cap_ids = t->cap_ids ? t->cap_ids * 2 : 8;
		t->ids = t->ids ? repalloc_huge(t->ids, sizeof(ZoneId) * (size_t) t->cap_ids)
			: palloc(sizeof(ZoneId) * (size_t) t->cap_ids);
	}
	t->ids[t->nids++] = (ZoneId) {.id = id, .zone = -1, .ref = ref, .row = row};
	if (ref.name)
		touched_add(t, ref);
}

static void
add_domain_row(TableDesc *d, TupleTableSlot *slot, void *arg)
{
	ZoneValue	zone;

	if (zone_value(d, slot, &zone))
		touched_add_name(arg, zone.name, zone.name_len);
}

/* A whole table may have rows in any zone. */
static void
touched_add_all(Touched *t)
{
	TableDesc  *domains = table_domains();
	Relation	rel = table_open_as(domains, AccessShareLock);
	int			n;
	ZoneRef    *all = zone_all(&n);

	for (int i = 0; i < n; i++)
	{
		progress();
		touched_add(t, all[i]);
	}
	zone_rows(domains, rel, GetActiveSnapshot(), NULL, add_domain_row, t);
	table_close(rel, AccessShareLock);
}

static int
touch_order(const void *a, const void *b)
{
	return zone_order(&((const ZoneTouch *) a)->ref, &((const ZoneTouch *) b)->ref);
}

static ZoneTouch *
touched_search(Touched *t, const ZoneRef *ref)
{
	ZoneTouch	key = {.ref = *ref};

	return t->n ? bsearch(&key, t->zones, (size_t) t->n, sizeof(ZoneTouch), touch_order) : NULL;
}

static void
touched_sort(Touched *t)
{
	int			kept = 0;

	if (t->n > 1)
		qsort(t->zones, (size_t) t->n, sizeof(ZoneTouch), touch_order);
	for (int i = 0; i < t->n; i++)
		if (!kept || touch_order(&t->zones[kept - 1], &t->zones[i]) != 0)
			t->zones[kept++] = t->zones[i];
	t->n = kept;
	for (int i = 0; i < t->nids; i++)
		if (t->ids[i].ref.name)
			t->ids[i].zone = (int) (touched_search(t, &t->ids[i].ref) - t->zones);
}

static void
touched_add_note(Touched *t, const Note *note)
{
	TableDesc  *table;

	switch (note->kind)
	{
		case NOTE_TABLE:
			touched_add_all(t);
			break;
		case NOTE_UNIT:
			table = key_table(note->key, note->key_len);
			if (!table)
				break;			/* dropped by this transaction */
			if (table->zone == ZONE_NONE)
				touched_add_table(t, table->number);
			else
				touched_add_id(t, note->id);
			break;
		default:
			touched_add_name(t, note->name, note->name_len);
			break;
	}
}

void
touched_collect(Touched *t, bool again)
{
	Note		note;
	bool		all = false;

	t->n = t->nids = 0;
	t->again = again;
	while (notes_next(&note))
	{
		if (note.kind == NOTE_TABLE && all)
			continue;
		all |= note.kind == NOTE_TABLE;
		touched_add_note(t, &note);
	}
	touched_sort(t);
}

bool
touched_ids(Touched *t)
{
	for (int i = 0; i < t->nids; i++)
	{
		const ZoneId *z = &t->ids[i];

		if (z->zone >= 0 && domain_stands(GetActiveSnapshot(), &z->row, z->id, z->ref.name, z->ref.name_len))
			t->zones[z->zone].id = z->id;
	}
	for (int i = 0; i < t->n; i++)
		if (!t->zones[i].ref.table && !t->zones[i].id)
			t->zones[i].id = domain_id(GetActiveSnapshot(), t->zones[i].ref.name, t->zones[i].ref.name_len);
	for (int i = 0; i < t->nids; i++)
	{
		ZoneId	   *z = &t->ids[i];
		uint8	   *name;
		size_t		len;

		if (z->zone >= 0 && t->zones[z->zone].id == z->id)
			continue;
		if (domain_name(GetActiveSnapshot(), z->id, &name, &len, NULL))
			return false;
		z->zone = -1;			/* it has gone since it was noted */
	}
	return true;
}

bool
touch_has_metadata(ZoneTouch *z)
{
	if (!z->metadata_known)
		z->has_metadata = zone_has_metadata(z->id, GetActiveSnapshot());
	z->metadata_known = true;
	return z->has_metadata;
}

static int
id_order(const void *a, const void *b)
{
	/* as notes are sorted: by octets */
	uint32		x = (uint32) ((const ZoneId *) a)->id,
				y = (uint32) ((const ZoneId *) b)->id;

	return (x > y) - (x < y);
}

ZoneTouch *
touched_find(Touched *t, const Note *note)
{
	ZoneRef		ref = {0};
	TableDesc  *table;

	if (note->kind == NOTE_TABLE)
		return NULL;
	if (note->kind != NOTE_UNIT)
	{
		ref.name = unconstify(uint8 *, note->name);
		ref.name_len = note->name_len;
	}
	else if ((table = key_table(note->key, note->key_len)) == NULL)
		return NULL;
	else if (table->zone == ZONE_NONE)
		ref.table = table->number;
	else
	{
		ZoneId		key = {.id = note->id};
		ZoneId	   *found = t->nids ? bsearch(&key, t->ids, (size_t) t->nids, sizeof(ZoneId), id_order) : NULL;

		return found && found->zone >= 0 ? &t->zones[found->zone] : NULL;
	}
	return touched_search(t, &ref);
}
