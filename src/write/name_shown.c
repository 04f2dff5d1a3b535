/*
 * name_shown.c: see name_shown.h.
 */
#include "postgres.h"


#include "write/name_shown.h"
#include "zone/rectify_lot.h"

typedef struct ShownRow
{
	uint8		type[2];		/* how its key ends */
	Row			row;
} ShownRow;

typedef struct ShownRead
{
	NameShown  *shown;
	TableDesc  *t;
	StringInfoData key;
	int			disabled;		/* attributes; 0: there is none */
	AttrNumber	ordername,
				auth;
} ShownRead;

static bool
attribute_true(TupleTableSlot *slot, AttrNumber att)
{
	bool		isnull = true;
	Datum		d = att > 0 ? slot_getattr(slot, att, &isnull) : (Datum) 0;

	return !isnull && DatumGetBool(d);
}

static void
shown_row(TableDesc *by_name, TupleTableSlot *slot, void *arg)
{
	ShownRead  *r = arg;
	NameShown  *s = r->shown;
	ShownRow   *new;
	bool		isnull;

	resetStringInfo(&r->key);
	(void) slot_getattr(slot, r->ordername, &isnull);
	s->plain &= isnull && attribute_true(slot, r->auth);
	if (!key_encode(&r->key, r->t, slot))
	{
		s->plain = false;
		return;
	}
	if (s->n == s->cap)
	{
		s->cap = s->cap ? s->cap * 2 : 4;
		s->rows = s->rows ? repalloc_huge(s->rows, sizeof(ShownRow) * (size_t) s->cap) : palloc(sizeof(ShownRow) * (size_t) s->cap);
	}
	new = &s->rows[s->n++];
	memcpy(new->type, r->key.data + r->key.len - 2, 2);
	new->row = row_from_slot(r->t, slot);
	s->full |= !attribute_true(slot, (AttrNumber) r->disabled);
}

void
name_shown_read(NameShown *s, TableDesc *t, Relation rel, Snapshot snapshot, const ZoneValue *zone,
				const uint8 *prefix, size_t prefix_len)
{
	ShownRead	r = {.shown = s, .t = t};
	int			disabled = table_column(t, "disabled");

	initStringInfo(&r.key);
	r.disabled = disabled < 0 ? 0 : t->columns[disabled].att;
	*s = (NameShown) {.read = true, .plain = rectify_columns(t, &r.ordername, &r.auth)};
	if (!s->plain)
		r.ordername = r.auth = t->keys[0].att;	/* which is there */
	name_rows(t, rel, snapshot, zone, prefix + 2, prefix_len - 3, shown_row, &r);
}

RowSet
name_shown_unit(const NameShown *s, const uint8 *key, size_t key_len)
{
	RowSet		set = {.rows = palloc(sizeof(Row) * (size_t) (s->n + 1))};

	for (int i = 0; i < s->n; i++)
		if (memcmp(s->rows[i].type, key + key_len - 2, 2) == 0)
			set.rows[set.n++] = s->rows[i].row;
	rows_sort(&set);
	return set;
}
