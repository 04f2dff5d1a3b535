/*
 * capture.c: see capture.h.
 *
 * Runs in XACT_EVENT_PRE_COMMIT, when all triggers, deferred ones too, have fired:
 *   1. which zones the notes touch; their rows are locked in zone_order (version.h), the only locks;
 *   2. a new snapshot, which shows all that was committed before the locks were had, and this transaction's rows;
 *   3. for each unit noted: its final rows against what is served of the versions seen. Where they differ, one version
 *      of this life replaces those that were seen (so does any edit of a unit that has siblings: it settles them);
 *      versions that are not projected yet stay, as siblings.
 * The stamp is drawn with the first difference, after all locks: it is larger than all that this author saw.
 * Notes that stand for many units are unfolded into notes of units, which are the next lot.
 * Fails: the transaction fails, and nothing is left. Memory: the zones touched, and one unit at a time.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "dnsrepl.h"
#include "store/clock.h"
#include "store/image.h"
#include "store/origin.h"
#include "store/resolve.h"
#include "store/schema.h"
#include "store/version.h"
#include "write/capture.h"
#include "write/note.h"
#include "write/zone_touch.h"

typedef struct Capture
{
	Store	   *store;
	Touched		touched;
	int32		origin;			/* 0 until the stamp is drawn */
	int64		stamp,
				low;
	const char *user;
	MemoryContext scratch;		/* reset for each unit */
	TableDesc  *table;			/* the one that is open */
	Relation	rel;
	int			lot;			/* from 1; later ones are unfolded notes: nobody has edited just that unit */
} Capture;

/* The stamp of this transaction, for all lots. */
static int64 my_stamp = 0;
static int64 my_low;
static int32 my_origin;

static void
capture_draw(Capture *c)
{
	if (!my_stamp)
	{
		my_origin = origin_current();
		my_stamp = clock_draw(&my_low);
	}
	c->origin = my_origin;
	c->stamp = my_stamp;
	c->low = my_low;
	clock_store_changed();
}

/* The table of a key, open. */
static TableDesc *
capture_table(Capture *c, const uint8 *key, size_t key_len)
{
	TableDesc  *t = key_table(key, key_len);

	if (!t || t == c->table)
		return t;
	if (c->rel)
		table_close(c->rel, NoLock);
	c->table = t;
	c->rel = table_open(t->relid, AccessShareLock);
	return t;
}

/* Under REPEATABLE READ an author has not seen what his snapshot does not show. */
static void
seen_by_snapshot(const VersionSet *set)
{
	Snapshot	snapshot;

	if (!IsolationUsesXactSnapshot())
		return;
	snapshot = GetTransactionSnapshot();
	for (int i = 0; i < set->n; i++)
		if (TransactionIdIsNormal(set->v[i].xmin) && !TransactionIdIsCurrentTransactionId(set->v[i].xmin) &&
			XidInMVCCSnapshot(set->v[i].xmin, snapshot))
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not serialize access due to concurrent update"),
					 errdetail("What was changed here was changed by another transaction, or another node, meanwhile."),
					 errhint("Try the transaction again.")));
}

static void
inside_zone(TableDesc *t, const ZoneRef *zone, const uint8 *key, size_t key_len)
{
	Datum		values[MAX_KEY_COLUMNS];
	bool		nulls[MAX_KEY_COLUMNS];
	struct varlena *name;

	key_decode(t, key, key_len, values, nulls);
	name = PG_DETOAST_DATUM_PACKED(values[0]);
	if (VARSIZE_ANY_EXHDR(name) >= zone->name_len && memcmp(VARDATA_ANY(name), zone->name, zone->name_len) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("record \"%s\" is outside its zone \"%s\"", column_text(&t->keys[0], values[0]),
					zone_text(zone->name, zone->name_len)),
			 errdetail("A zone holds names at or below its own (RFC 1035 section 5)."),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "out-of-zone")));
}

/* Own stamps beyond `low` that the new version hides: after a crash the vector is read from what is there. */
static void
over_add(Version *new, const Version *old)
{
	StampRange *over;

	if (old->dot.origin != new->dot.origin || old->dot.stamp <= new->low)
		return;
	over = palloc(sizeof(StampRange) * (size_t) (new->nover + old->nover + 1));
	if (new->nover)
		memcpy(over, new->over, sizeof(StampRange) * (size_t) new->nover);
	for (int i = 0; i < old->nover; i++)
		if (old->over[i].first > new->low)
			over[new->nover++] = old->over[i];
	over[new->nover++] = (StampRange) {old->dot.stamp, old->dot.stamp};
	new->over = over;
}

static void
unit_write(Capture *c, const ZoneRef *zone, TableDesc *t, const uint8 *key, size_t key_len,
		   const VersionSet *set, StringInfo image)
{
	Version		new = {.seen = true, .image = (uint8 *) image->data, .image_len = (size_t) image->len};

	capture_draw(c);
	new.dot = (Dot) {c->origin, c->stamp};
	new.low = c->low;
	for (int i = 0; i < set->n; i++)
		if (set->v[i].seen)
		{
			over_add(&new, &set->v[i]);
			version_delete(c->store, &set->v[i]);
		}
	version_insert(c->store, zone->number, key, key_len, &new);
}

/* An edit of a unit that has siblings settles the conflict, even if it leaves what was served. */
static bool
has_siblings(const VersionSet *set)
{
	int			seen = 0;

	for (int i = 0; i < set->n; i++)
		seen += set->v[i].seen;
	return seen > 1;
}

static void
capture_unit(Capture *c, const ZoneTouch *z, const uint8 *key, size_t key_len)
{
	MemoryContext old = MemoryContextSwitchTo(c->scratch);
	TableDesc  *t = capture_table(c, key, key_len);
	ZoneValue	at = {.id = z->id, .name = z->ref.name, .name_len = z->ref.name_len};
	RowSet		rows = {0};
	VersionSet	set;
	const Version *served;
	Image		now,
				was;
	StringInfoData image;

	CHECK_FOR_INTERRUPTS();
	if (!t)
	{
		MemoryContextSwitchTo(old);
		return;
	}
	if (t->zone != ZONE_BY_ID || z->id)
		rows = unit_rows(t, c->rel, GetActiveSnapshot(), &at, key, key_len);
	if (rows.n && t->inside)
		inside_zone(t, &z->ref, key, key_len);
	set = version_read(c->store, GetActiveSnapshot(), z->ref.number, key, key_len);
	served = resolve(&set, true);
	/* a unit that is not projected yet still has its old rows: only who edits just that unit means them */
	if (c->lot > 1 && set.n && !served)
		rows.n = 0;
	if (rows.n || served)
	{
		initStringInfo(&image);
		image_encode(&image, c->user, t->ncolumns, &rows);
		if (image.len > MAX_IMAGE_SIZE)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("the rows of one unit of \"%s\" are larger than %d octets", t->name, MAX_IMAGE_SIZE)));
		image_decode((uint8 *) image.data, (size_t) image.len, false, &now);
		if (!served || !image_decode(served->image, served->image_len, false, &was) || !image_same(&now, &was) ||
			(c->lot == 1 && has_siblings(&set)))
		{
			seen_by_snapshot(&set);
			unit_write(c, &z->ref, t, key, key_len, &set, &image);
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(c->scratch);
}

/* ---------- unfolding ---------- */

/*
 * As the row's own trigger would note it, so that a unit that is in the store and in the tables is captured once: within
 * one lot nothing shows what was written.
 */
static void
unfold_stored(int32 zone, const uint8 *key, size_t key_len, void *arg)
{
	const ZoneTouch *z = arg;
	TableDesc  *t = key_table(key, key_len);
	Note		note = {.kind = NOTE_NAMED, .name = z->ref.name, .name_len = z->ref.name_len,
	.key = key, .key_len = key_len};

	if (!t)
		return;					/* of a table that is not here */
	if (t->zone == ZONE_SELF)
	{
		note.kind = NOTE_DOMAIN;
		note.key = NULL;
		note.key_len = 0;
	}
	else if (z->ref.table || z->id)
	{
		note.kind = NOTE_UNIT;
		note.id = z->id;
	}
	note_add(&note);
}

static void
unfold_row(TableDesc *t, TupleTableSlot *slot, void *arg)
{
	StringInfo	key = arg;
	ZoneValue	zone;
	Note		note = {0};

	resetStringInfo(key);
	if (!key_encode(key, t, slot) || !zone_value(t, slot, &zone))
		return;
	note.kind = t->zone == ZONE_SELF ? NOTE_DOMAIN : NOTE_UNIT;
	note.id = zone.id;
	note.name = zone.name;
	note.name_len = t->zone == ZONE_SELF ? zone.name_len : 0;
	if (t->zone != ZONE_SELF)
	{
		note.key = (uint8 *) key->data;
		note.key_len = (size_t) key->len;
	}
	note_add(&note);
}

/* The rows of one table, of one zone or (NULL) all. */
static void
unfold_rows(TableDesc *t, const ZoneTouch *z)
{
	Relation	rel = table_open(t->relid, AccessShareLock);
	StringInfoData key;
	ZoneValue	at = {.id = z ? z->id : 0};

	initStringInfo(&key);
	zone_rows(t, rel, GetActiveSnapshot(), z ? &at : NULL, unfold_row, &key);
	pfree(key.data);
	table_close(rel, NoLock);
}

static void
unfold_zone(Capture *c, ZoneTouch *z, bool rows)
{
	TableDesc  *t;
	int			position = 0;

	unit_walk(c->store, GetActiveSnapshot(), z->ref.number, (const uint8 *) "", 0, unfold_stored, z);
	while (rows && z->id && (t = table_next(&position)) != NULL)
		if (t->zone == ZONE_BY_ID)
			unfold_rows(t, z);
}

static void
unfold_table(Capture *c, int16 number)
{
	uint8		prefix[2] = {(uint8) (number >> 8), (uint8) number};
	TableDesc  *t = table_by_number(number);

	for (int i = 0; i < c->touched.n; i++)
		unit_walk(c->store, GetActiveSnapshot(), c->touched.zones[i].ref.number, prefix, sizeof(prefix),
				  unfold_stored, &c->touched.zones[i]);
	if (t)
		unfold_rows(t, NULL);
}

/* ---------- the pass ---------- */

static void
capture_note(Capture *c, const Note *note)
{
	ZoneTouch  *z = touched_find(&c->touched, note);
	uint8		key[DOMAINS_KEY_SIZE];

	switch (note->kind)
	{
		case NOTE_TABLE:
			unfold_table(c, note->table);
			break;
		case NOTE_DOMAIN:
			(void) domains_key(key);
			capture_unit(c, z, key, sizeof(key));
			break;
		case NOTE_STORED:
		case NOTE_ZONE:
			unfold_zone(c, z, note->kind == NOTE_ZONE);
			break;
		case NOTE_UNIT:
		case NOTE_NAMED:
			if (z)				/* else its zone went in this transaction, which NOTE_STORED deals with */
				capture_unit(c, z, note->key, note->key_len);
			break;
	}
}

/*
 * Locks the zones touched, and leaves a snapshot active that is newer than the locks. A zone that was renamed by
 * somebody else between the look and the lock is looked at again; that it has all happened again is unlikely.
 */
static void
capture_lock(Capture *c)
{
	for (int tries = 0; tries < 10; tries++)
	{
		notes_rewind();
		PushActiveSnapshot(GetLatestSnapshot());
		touched_collect(&c->touched);
		PopActiveSnapshot();
		for (int i = 0; i < c->touched.n; i++)
			(void) zone_lock(&c->touched.zones[i].ref, true);
		PushActiveSnapshot(GetLatestSnapshot());
		if (touched_ids(&c->touched))
			return;
		PopActiveSnapshot();
	}
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update of zones")));
}

static void
capture_lot(Capture *c)
{
	Note		note;

	c->lot++;
	notes_begin();
	capture_lock(c);
	c->store = store_open(true);
	notes_rewind();
	while (notes_next(&note))
		capture_note(c, &note);
	if (c->rel)
		table_close(c->rel, NoLock);
	c->rel = NULL;
	c->table = NULL;
	store_close(c->store);
	PopActiveSnapshot();
	notes_end();
	CommandCounterIncrement();
}

static void
capture_run(void)
{
	Capture		c = {0};
	MemoryContext old;

	CommandCounterIncrement();	/* what the last statement did is to be seen */
	if (!OidIsValid(schema_find("tab")))
	{
		notes_forget();			/* this transaction has dropped the extension */
		return;
	}
	tables_refresh();
	(void) clock_slot();
	c.scratch = AllocSetContextCreate(TopTransactionContext, "dnsrepl capture", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(TopTransactionContext);
	c.user = GetUserNameFromId(GetSessionUserId(), true);
	if (!c.user)
		c.user = "";
	while (notes_any())
		capture_lot(&c);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(c.scratch);
}

static void
capture_callback(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (notes_any())
				capture_run();
			break;
		case XACT_EVENT_PRE_PREPARE:
			if (notes_any())
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot prepare a transaction that has changed replicated tables"),
						 errhint("Commit it in one phase.")));
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			notes_forget();
			my_stamp = 0;
			break;
		default:
			break;
	}
}

void
capture_init(void)
{
	RegisterXactCallback(capture_callback, NULL);
}

void
capture_expect(void)
{
	if (IsParallelWorker())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("replicated tables cannot be changed by a parallel worker")));
}
