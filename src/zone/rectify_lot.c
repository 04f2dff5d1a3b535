/*
 * rectify_lot.c: see rectify_lot.h.
 *
 * The names come out in canonical order, each once, all names between them and the apex among them. Then
 *   - downwards: what rows has a name, and is it below a delegation?
 *   - upwards: has it descendants that are served, with authority, with an NSEC3? Of one without records that is all that
 *     counts; what the lot does not know is read from the store;
 *   - rows that differ are written.
 * What a row should have is what PowerDNS's own rectification gives (4.7): it has nothing to do afterwards. One that is
 * disabled, which that does not look at, has what a new one has. A zone that comes signed, which that does not touch, has what its
 * transfer gives: there RRSIG records make no name.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "dns/name.h"
#include "dns/ordername.h"
#include "dns/rrtype.h"
#include "store/group.h"
#include "store/parked.h"
#include "store/progress.h"
#include "store/subxact.h"
#include "store/writer.h"
#include "zone/rectify.h"
#include "zone/rectify_lot.h"

#define MAX_ORDERNAME 255		/* characters, in PowerDNS's schema */
#define BUSY		"a local transaction is editing a row whose ordername or auth has to change"

/* A row of a name, as it is. */
typedef struct NameRow
{
	ItemPointerData tid;
	uint16		type;			/* 0: an empty non-terminal */
	bool		disabled;
	bool		auth;
	const char *ordername;		/* NULL: null */
} NameRow;

/* What is known of what is below a name, and served. */
typedef struct Below
{
	bool		any,
				auth,			/* something has authority */
				chained;		/* and something an NSEC3 */
} Below;

typedef struct ZoneName
{
	const uint8 *name;
	size_t		len;
	int			parent;			/* among the lot's; -1: the apex, or it is the apex */
	int			n,
				cap;
	NameRow    *rows;
	bool		apex,
				full,			/* it has records */
				ns,				/* and is a delegation */
				ds,
				other,			/* has records of other types than NS */
				occluded;		/* there is a delegation above it */
	Below		below;
} ZoneName;

typedef struct Change
{
	enum
	{
		ROW_SET, ROW_ADD, ROW_DROP
	}			kind;
	const ZoneName *name;
	const NameRow *row;
	bool		auth;
	const char *ordername;
	bool		done;
} Change;

struct RectifyLot
{
	Store	   *store;
	Snapshot	snapshot;
	const RectifyZone *zone;
	TableDesc  *t;
	AttrNumber	type_att,
				disabled_att,
				ordername_att,
				auth_att;
	int			n,
				cap;
	ZoneName   *names;
	int			nchanges,
				cap_changes;
	Change	   *changes;
	int			from,			/* those that are written together */
				to;
};

bool
rectify_columns(TableDesc *t, AttrNumber *ordername, AttrNumber *auth)
{
	*ordername = get_attnum(t->relid, "ordername");
	*auth = get_attnum(t->relid, "auth");
	return *ordername > 0 && *auth > 0 && get_atttype(t->relid, *auth) == BOOLOID &&
		(get_atttype(t->relid, *ordername) == VARCHAROID || get_atttype(t->relid, *ordername) == TEXTOID);
}

/* ---------- the names of a lot ---------- */

static void
name_put(RectifyLot *l, const uint8 *name, size_t len)
{
	uint8	   *copy;

	if (l->n == l->cap)
	{
		l->cap = l->cap ? l->cap * 2 : 256;
		l->names = l->names ? repalloc_huge(l->names, sizeof(ZoneName) * (size_t) l->cap) : palloc(sizeof(ZoneName) * (size_t) l->cap);
	}
	copy = palloc(len + 1);
	memcpy(copy, name, len);
	l->names[l->n++] = (ZoneName) {.name = copy, .len = len, .parent = -1, .apex = len == l->zone->ref->name_len};
}

/* And what is between it and the apex. */
static void
name_add(RectifyLot *l, const uint8 *name, size_t len)
{
	size_t		apex = l->zone->ref->name_len;

	name_put(l, name, len);
	while (len > apex && (len = name_parent(name, len)) > apex)
		name_put(l, name, len);
}

static bool
group_add(const uint8 *prefix, size_t prefix_len, void *arg)
{
	progress();
	name_add(arg, prefix + 2, prefix_len - 3);
	return true;
}

/* All at and below a name, or strictly below it: groups of records in the store. */
static void
subtree_walk(const RectifyLot *l, const ZoneName *top, GroupCallback fn, void *arg)
{
	StringInfoData key;

	initStringInfo(&key);
	record_key(&key, top->name, top->len, 0);
	/* without the 0 that ends the name, the prefix is that of all names at and below it */
	group_walk(l->store, l->snapshot, l->zone->ref->number, (uint8 *) key.data, 2 + top->len,
			   (uint8 *) key.data, 2 + top->len + 1, fn, arg);
}

RectifyLot *
lot_begin(Store *store, const RectifyZone *zone, TableDesc *t)
{
	RectifyLot *l = palloc0(sizeof(RectifyLot));

	l->store = store;
	l->zone = zone;
	l->t = t;
	l->type_att = t->keys[1].att;
	l->disabled_att = get_attnum(t->relid, "disabled");
	(void) rectify_columns(t, &l->ordername_att, &l->auth_att);
	return l;
}

void
lot_add(RectifyLot *l, const uint8 *name, size_t len, bool below)
{
	name_add(l, name, len);
	if (!below)
		return;
	PushActiveSnapshot(GetLatestSnapshot());
	l->snapshot = GetActiveSnapshot();
	subtree_walk(l, &(ZoneName) {.name = name, .len = len}, group_add, l);
	PopActiveSnapshot();
}

static int
name_order(const void *a, const void *b)
{
	const ZoneName *x = a,
			   *y = b;
	int			c = memcmp(x->name, y->name, Min(x->len, y->len));

	return c ? c : (x->len > y->len) - (x->len < y->len);
}

/* In order, each once, each with its parent: which comes before it. */
static void
lot_order(RectifyLot *l)
{
	int			n = 0;
	int			above[NAME_LABELS_MAX + 1];
	int			depth = 0;

	qsort(l->names, (size_t) l->n, sizeof(ZoneName), name_order);
	for (int i = 0; i < l->n; i++)
		if (n == 0 || name_order(&l->names[n - 1], &l->names[i]) != 0)
			l->names[n++] = l->names[i];
	l->n = n;
	for (int i = 0; i < n; i++)
	{
		ZoneName	   *x = &l->names[i];

		if (x->apex)
			continue;
		while (depth > 0 && !name_below(x->name, x->len, l->names[above[depth - 1]].name, l->names[above[depth - 1]].len))
			depth--;
		x->parent = depth > 0 ? above[depth - 1] : -1;
		above[depth++] = i;
	}
}

/* Does a record of this type make a name of the zone? */
static bool
type_counts(const ZoneSigning *s, uint16 type)
{
	return type != 0 && !(s->presigned && type == RRTYPE_RRSIG);
}

/* ---------- downwards ---------- */

typedef struct RowRead
{
	RectifyLot *l;
	ZoneName	   *name;
} RowRead;

static void
row_read(TableDesc *t, TupleTableSlot *slot, void *arg)
{
	RowRead    *read = arg;
	const RectifyLot  *l = read->l;
	ZoneName	   *x = read->name;
	bool		isnull;
	Datum		d = slot_getattr(slot, l->disabled_att, &isnull);
	NameRow		row = {.tid = slot->tts_tid};

	row.disabled = !isnull && DatumGetBool(d);
	d = slot_getattr(slot, l->type_att, &isnull);
	row.type = isnull ? 0 : (uint16) DatumGetInt16(d);
	d = slot_getattr(slot, l->auth_att, &isnull);
	row.auth = !isnull && DatumGetBool(d);
	d = slot_getattr(slot, l->ordername_att, &isnull);
	row.ordername = isnull ? NULL : TextDatumGetCString(d);
	if (x->n == x->cap)
	{
		x->cap = x->cap ? x->cap * 2 : 2;
		x->rows = x->rows ? repalloc_huge(x->rows, sizeof(NameRow) * (size_t) x->cap) : palloc(sizeof(NameRow) * (size_t) x->cap);
	}
	x->rows[x->n++] = row;
	if (row.disabled)
		return;
	x->full |= type_counts(&l->zone->signing, row.type);
	x->ns |= row.type == RRTYPE_NS && !x->apex;
	x->ds |= row.type == RRTYPE_DS;
	x->other |= type_counts(&l->zone->signing, row.type) && row.type != RRTYPE_NS;
}

static void
lot_read(RectifyLot *l)
{
	Relation	rel = table_open_as(l->t, AccessShareLock);
	ZoneValue	at = {.id = l->zone->id};

	for (int i = 0; i < l->n; i++)
	{
		ZoneName	   *x = &l->names[i];
		RowRead		read = {l, x};

		progress();
		name_rows(l->t, rel, l->snapshot, &at, x->name, x->len, row_read, &read);
		x->occluded = x->parent >= 0 && (l->names[x->parent].occluded || l->names[x->parent].ns);
	}
	table_close(rel, NoLock);
}

/* ---------- upwards ---------- */

/* Is there a chain of NSEC3 records that names take part in? */
static bool
chain_counts(const ZoneSigning *s)
{
	return s->nsec3 && !(s->narrow && s->opt_out);
}

/* Does a name with records have an NSEC3? Under opt-out a delegation without DS has none. */
static bool
full_chained(const ZoneSigning *s, bool occluded, bool other, bool ns)
{
	return chain_counts(s) && !occluded && (!s->opt_out || other || !ns);
}

static Below
below_and_itself(const RectifyLot *l, const ZoneName *x)
{
	Below		b = x->below;

	if (x->full)
	{
		b.any = true;
		b.auth |= !x->occluded && !x->ns;
		b.chained |= full_chained(&l->zone->signing, x->occluded, x->other, x->ns);
	}
	return b;
}

typedef struct BelowLook
{
	const RectifyLot  *l;
	Below		found;
	Live		live;
	bool		occluded;		/* the top itself is: then only `any` is asked for */
	uint8		cut[MAX_KEY_SIZE];	/* the delegation that was met last */
	size_t		cut_len;
	MemoryContext scratch;
} BelowLook;

static bool
below_done(const BelowLook *b)
{
	const ZoneSigning *s = &b->l->zone->signing;

	return b->found.any && (b->occluded || (b->found.auth && (b->found.chained || !chain_counts(s))));
}

static bool
below_look(const uint8 *prefix, size_t prefix_len, void *arg)
{
	BelowLook  *b = arg;
	const RectifyLot  *l = b->l;
	MemoryContext old = MemoryContextSwitchTo(b->scratch);
	const uint8 *name = prefix + 2;
	size_t		len = prefix_len - 3;
	UnitGroup  *g;
	bool		ns = false,
				other = false;

	progress();
	g = group_read(l->store, l->snapshot, l->zone->ref, prefix, prefix_len);
	group_judge(g, &b->live, true, l->store, l->snapshot);
	for (int i = 0; i < g->n; i++)
		if (unit_present(&g->units[i]))
		{
			uint16		type = record_type(g->units[i].key, g->units[i].key_len);

			ns |= type == TYPE_NS;
			other |= type != TYPE_NS && type_counts(&l->zone->signing, type);
		}
	if (ns || other)
	{
		bool		occluded = b->occluded || (b->cut_len && name_below(name, len, b->cut, b->cut_len));

		b->found.any = true;
		b->found.auth |= !occluded && !ns;
		b->found.chained |= full_chained(&l->zone->signing, occluded, other, ns);
		if (ns && !occluded)
		{
			memcpy(b->cut, name, len);
			b->cut_len = len;
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(b->scratch);
	return !below_done(b);
}

/* What the lot does not know of what is below a name without records. */
static void
below_read(const RectifyLot *l, ZoneName *x)
{
	BelowLook	b = {.l = l, .found = x->below, .occluded = x->occluded, .live = live_left(l->store, l->zone->ref)};

	if (below_done(&b))
		return;
	b.scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl names below", ALLOCSET_DEFAULT_SIZES);
	subtree_walk(l, x, below_look, &b);
	MemoryContextDelete(b.scratch);
	x->below = b.found;
}

static void
lot_below(RectifyLot *l)
{
	for (int i = l->n - 1; i >= 0; i--)
	{
		ZoneName	   *x = &l->names[i];
		Below		b;

		progress();
		if (!x->full && !x->apex)
			below_read(l, x);
		b = below_and_itself(l, x);
		if (x->parent >= 0)
		{
			Below	   *p = &l->names[x->parent].below;

			p->any |= b.any;
			p->auth |= b.auth;
			p->chained |= b.chained;
		}
	}
}

/* ---------- what should be ---------- */

static void
change_add(RectifyLot *l, Change change)
{
	if (l->nchanges == l->cap_changes)
	{
		l->cap_changes = l->cap_changes ? l->cap_changes * 2 : 64;
		l->changes = l->changes ? repalloc_huge(l->changes, sizeof(Change) * (size_t) l->cap_changes)
			: palloc(sizeof(Change) * (size_t) l->cap_changes);
	}
	l->changes[l->nchanges++] = change;
}

static void
row_should(RectifyLot *l, const ZoneName *x, const NameRow *row, const char *ordername, bool auth)
{
	if (row->auth == auth && (row->ordername ? ordername && strcmp(row->ordername, ordername) == 0 : !ordername))
		return;
	change_add(l, (Change) {ROW_SET, x, row, auth, ordername});
}

/* The name's place in the zone's order; NULL: it has none. */
static const char *
name_ordername(const RectifyLot *l, const ZoneName *x, bool chained)
{
	const ZoneSigning *s = &l->zone->signing;
	char		text[ORDERNAME_MAX];
	int			n;

	if (!s->secured || s->narrow || (s->nsec3 ? !chained : !x->full))
		return NULL;
	if (s->nsec3)
		n = ordername_nsec3(x->name, x->len, s->iterations, s->salt, (size_t) s->salt_len, text);
	else
		n = ordername_nsec(x->name, x->len, l->zone->ref->name_len, text);
	return n > MAX_ORDERNAME ? NULL : pnstrdup(text, (Size) n);
}

static void
name_with_records(RectifyLot *l, const ZoneName *x)
{
	const ZoneSigning *s = &l->zone->signing;
	bool		auth = !x->occluded && !x->ns;
	const char *ordername = name_ordername(l, x, full_chained(s, x->occluded, x->other, x->ns));

	for (int i = 0; i < x->n; i++)
	{
		const NameRow *row = &x->rows[i];
		/* below a delegation these are out of the order */
		bool		address = row->type == RRTYPE_A || row->type == RRTYPE_AAAA || (s->presigned && row->type != RRTYPE_NS);

		if (row->type == 0)
			change_add(l, (Change) {ROW_DROP, x, row});
		else if (row->disabled || !type_counts(s, row->type))
			row_should(l, x, row, NULL, true);
		else if (row->type == RRTYPE_DS && x->ds)
			row_should(l, x, row, ordername, true);
		else if (!auth && (address || (row->type == RRTYPE_NS && s->nsec3 && s->opt_out && !x->ds)))
			row_should(l, x, row, NULL, false);
		else
			row_should(l, x, row, ordername, auth);
	}
}

static void
name_without(RectifyLot *l, const ZoneName *x)
{
	const ZoneSigning *s = &l->zone->signing;
	bool		auth = x->below.auth || (x->below.chained && !s->opt_out);
	const char *ordername = name_ordername(l, x, x->below.chained);
	bool		there = false;

	for (int i = 0; i < x->n; i++)
	{
		const NameRow *row = &x->rows[i];

		if (row->type != 0)
			row_should(l, x, row, NULL, true);
		else if (there || row->disabled || !x->below.any || x->apex)
			change_add(l, (Change) {ROW_DROP, x, row});
		else
		{
			row_should(l, x, row, ordername, auth);
			there = true;
		}
	}
	if (!there && x->below.any && !x->apex)
		change_add(l, (Change) {ROW_ADD, x, NULL, auth, ordername});
}

/* ---------- writing ---------- */

static void
row_park(const RectifyLot *l, const Change *c, const char *refused)
{
	StringInfoData key;

	initStringInfo(&key);
	record_key(&key, c->name->name, c->name->len, c->row ? c->row->type : 0);
	if (refused)
		unit_refuse(l->zone->ref, (uint8 *) key.data, (size_t) key.len, refused, true);
	else
		unit_queue(l->zone->ref, (uint8 *) key.data, (size_t) key.len, BUSY);
}

/*
 * Rows that are added have no foreign key's trigger: so the zone's row is locked as that would. False: somebody has it, to
 * delete or rename it.
 */
static bool
zone_held(const RectifyLot *l)
{
	uint8		key[DOMAINS_KEY_SIZE];
	TableDesc  *t = domains_key(key);
	ZoneValue	at = {.name = l->zone->ref->name, .name_len = l->zone->ref->name_len};
	Relation	rel = table_open_as(t, RowShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	RowSet		rows = unit_rows(t, rel, GetActiveSnapshot(), &at, key, sizeof(key));
	TM_FailureData tmfd;
	bool		held = false;

	if (rows.n > 0)
		held = table_tuple_lock(rel, &rows.rows[0].tid, GetActiveSnapshot(), slot, GetCurrentCommandId(false),
								LockTupleKeyShare, LockWaitSkip, TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS, &tmfd) == TM_Ok;
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	return held;
}

static Locals
change_locals(const RectifyLot *l, const Change *c)
{
	Locals		v = {.n = 2, .att = {l->ordername_att, l->auth_att}, .nulls = {!c->ordername}};
	ZoneValue	at = {.id = l->zone->id};

	if (c->ordername)
		v.values[0] = CStringGetTextDatum(c->ordername);
	v.values[1] = BoolGetDatum(c->auth);
	if (c->kind == ROW_ADD)
	{
		v.n = 5;
		v.att[2] = l->t->keys[0].att;
		v.values[2] = PointerGetDatum(varlena_make(c->name->name, c->name->len));
		v.att[3] = l->t->zone_att;
		v.values[3] = zone_datum(l->t, &at);
		v.att[4] = l->disabled_att;
		v.values[4] = BoolGetDatum(false);
	}
	return v;
}

static void
lot_write(void *arg)
{
	RectifyLot *l = arg;
	bool		adds = false,
				may_add;
	Writer	   *w;

	for (int i = l->from; i < l->to; i++)
		adds |= l->changes[i].kind == ROW_ADD;
	may_add = !adds || zone_held(l);
	w = writer_open(l->t);
	for (int i = l->from; i < l->to; i++)
	{
		const Change *c = &l->changes[i];
		Locals		v = change_locals(l, c);

		progress();
		if (c->kind == ROW_ADD && may_add)
			writer_add_local(w, &v);
		else if (c->kind == ROW_ADD ||
				 !(c->kind == ROW_SET ? writer_set_locals(w, &c->row->tid, &v) : writer_drop_local(w, &c->row->tid)))
			continue;
		l->changes[i].done = true;
	}
	writer_close(w);
}

static void
lot_work(void *arg)
{
	writing_locals(lot_write, arg);
}

/*
 * In a subtransaction: a trigger or a constraint of the user's that refuses what is derived must not stop what it is derived from.
 * NULL, or the error that undid it.
 */
static const char *
lot_try(RectifyLot *l)
{
	ErrorData  *error = subxact_try(lot_work, l);

	if (!error)
		return NULL;
	if (error_is_ours(error->sqlerrcode) || (rectify_gives_way && error_is_concurrency(error->sqlerrcode)))
		ReThrowError(error);
	for (int i = l->from; i < l->to; i++)
		l->changes[i].done = false;
	return writer_error(error);
}

/* All at once; if that fails, in halves: so that what fails is alone in the end. */
static void
changes_do(RectifyLot *l, int from, int to)
{
	const char *why;

	l->from = from;
	l->to = to;
	if (from == to)
		return;
	why = lot_try(l);
	if (why && to - from > 1)
	{
		changes_do(l, from, (from + to) / 2);
		changes_do(l, (from + to) / 2, to);
		return;
	}
	for (int i = from; i < to; i++)
		if (progress(), !l->changes[i].done)
			row_park(l, &l->changes[i], why);
}

/* Under a snapshot of its own: the lot before has written. */
void
lot_do(RectifyLot *l)
{
	PushActiveSnapshot(GetLatestSnapshot());
	l->snapshot = GetActiveSnapshot();
	lot_order(l);
	lot_read(l);
	lot_below(l);
	for (int i = 0; i < l->n; i++)
	{
		progress();				/* the hash of a name may be one of hundreds */
		if (l->names[i].full)
			name_with_records(l, &l->names[i]);
		else
			name_without(l, &l->names[i]);
	}
	PopActiveSnapshot();
	changes_do(l, 0, l->nchanges);
}
