/*
 * project.c: see project.h.
 *
 * Units are projected in batches, each in a subtransaction; a batch that the tables refuse is halved until the unit that is refused
 * is alone: that one is parked (dnsrepl.parked, REFUSED), everything else goes on. The rows of a unit are compared as octets;
 * equal rows stay as they are, others are changed in place as far as there are as many, so that ids and what is local
 * to a node last. Rows and tables are waited for no longer than PROJECTION_WAIT: an author who waits for this transaction must not
 * find himself in a deadlock with it.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "dnsrepl.h"
#include "merge/project.h"
#include "store/group.h"
#include "store/own.h"
#include "store/parked.h"
#include "store/progress.h"
#include "store/shown.h"
#include "store/soa.h"
#include "store/subxact.h"
#include "store/writer.h"

int32		projection_zone = 0;
uint8		projection_key[MAX_KEY_SIZE];
size_t		projection_key_len = 0;
int			projection_refusals = 0;

typedef struct Projection
{
	Store	   *store;
	Writer	   *writer;			/* of `table` */
	TableDesc  *table;
	const ZoneRef *zone;		/* the one whose id is known */
	int32		id;
	MemoryContext scratch;		/* reset for each unit */
	MemoryContext batch;		/* for the writer */
} Projection;

static void
projection_close_writer(Projection *p)
{
	if (p->writer)
		writer_close(p->writer);
	p->writer = NULL;
	p->table = NULL;
}

/* Later reads see what was written so far. */
static void
projection_step(void)
{
	CommandCounterIncrement();
	UpdateActiveSnapshotCommandId();
}

static Writer *
projection_writer(Projection *p, TableDesc *t)
{
	MemoryContext old;

	if (p->table == t)
		return p->writer;
	projection_close_writer(p);
	projection_step();
	old = MemoryContextSwitchTo(p->batch);
	p->writer = writer_open(t);
	p->table = t;
	MemoryContextSwitchTo(old);
	return p->writer;
}

/* ---------- rows ---------- */

/* What `old` has and `new` has not, and the other way round: both sorted. */
static void
rows_differ(const RowSet *old, const RowSet *new, RowSet *gone, RowSet *come)
{
	int			i = 0,
				k = 0;

	gone->rows = palloc(sizeof(Row) * (size_t) (old->n + 1));
	come->rows = palloc(sizeof(Row) * (size_t) (new->n + 1));
	gone->n = come->n = 0;
	while (i < old->n || k < new->n)
	{
		int			c;

		if (i == old->n || k == new->n)
			c = i == old->n ? 1 : -1;
		else
		{
			const Row  *x = &old->rows[i],
					   *y = &new->rows[k];

			c = memcmp(x->data, y->data, Min(x->len, y->len));
			c = c ? c : (x->len > y->len) - (x->len < y->len);
		}
		if (c < 0)
			gone->rows[gone->n++] = old->rows[i++];
		else if (c > 0)
			come->rows[come->n++] = new->rows[k++];
		else
		{
			i++;
			k++;
		}
	}
}

/* Returns the id of the row that is there at the end, for domains. */
static int32
rows_replace(Projection *p, TableDesc *t, const ZoneValue *at, const ProjectUnit *u, const RowSet *old,
			 const RowSet *new)
{
	RowSet		gone,
				come;
	int			i = 0;
	int32		id = old->n ? old->rows[0].id : 0;

	rows_differ(old, new, &gone, &come);
	if (gone.n == 0 && come.n == 0)
		return id;
	for (; i < gone.n && i < come.n; i++)
		writer_update(projection_writer(p, t), &gone.rows[i], &come.rows[i]);
	for (int k = i; k < come.n; k++)
		id = writer_insert(projection_writer(p, t), at, u->key, u->key_len, &come.rows[k]);
	for (int k = i; k < gone.n; k++)
		writer_delete(projection_writer(p, t), &gone.rows[k].tid);
	return id;
}

static void
columns_check(TableDesc *t, const ProjectUnit *u)
{
	if (u->rows.n && u->ncolumns != t->ncolumns)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("a version of \"%s\" has %d columns, the table here has %d", t->name, u->ncolumns,
						t->ncolumns)));
}

/* ---------- zones ---------- */

typedef struct TidList
{
	int			n,
				cap;
	ItemPointerData *tids;
} TidList;

static void
collect_tid(TableDesc *t, TupleTableSlot *slot, void *arg)
{
	TidList    *list = arg;

	if (list->n == list->cap)
	{
		list->cap = list->cap ? list->cap * 2 : 64;
		list->tids = list->tids ? repalloc_huge(list->tids, sizeof(ItemPointerData) * (size_t) list->cap)
			: palloc(sizeof(ItemPointerData) * (size_t) list->cap);
	}
	list->tids[list->n++] = slot->tts_tid;
}

/* All that refers to a zone goes with it, empty non-terminals too. */
static void
zone_empty(Projection *p, int32 id)
{
	ZoneValue	at = {.id = id};
	TableDesc  *t;
	int			position = 0;

	while ((t = table_next(&position)) != NULL)
	{
		TidList		list = {0};

		if (t->zone != ZONE_BY_ID)
			continue;
		zone_rows(t, writer_relation(projection_writer(p, t)), GetActiveSnapshot(), &at, collect_tid, &list);
		for (int i = 0; i < list.n; i++)
			writer_delete(projection_writer(p, t), &list.tids[i]);
	}
}

static void
domain_project(Projection *p, TableDesc *t, const ProjectUnit *u, const RowSet *old, const RowSet *new)
{
	ZoneValue	at = {.name = u->zone->name, .name_len = u->zone->name_len};

	if (old->n && !new->n)
		zone_empty(p, old->rows[0].id);
	p->id = rows_replace(p, t, &at, u, old, new);
	p->zone = NULL;
	if (old->n == 0 && new->n > 0)
		store_tally(p->store, u->zone->number)->born = true;
	if ((old->n == 0) == (new->n == 0))
		return;
	projection_close_writer(p);
	projection_step();
}

/* ---------- units ---------- */

/*
 * Rows that refer to a zone are written without the foreign key's trigger: so the zone's row is locked as that would,
 * or an author who has deleted or renamed it, and has yet to wait for the stripe, would leave orphans. The version that
 * an update in progress has made is locked too: of local columns only (last_check), it holds no stripe, and what it makes
 * could be deleted next.
 */
static void
zone_hold(TableDesc *t, Relation rel, const ZoneRef *zone, ItemPointerData tid)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	ZoneValue	now;
	TM_FailureData tmfd;
	TM_Result	result = table_tuple_lock(rel, &tid, GetActiveSnapshot(), slot, GetCurrentCommandId(false),
										  LockTupleKeyShare, LockWaitError,
										  TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS | TUPLE_LOCK_FLAG_FIND_LAST_VERSION,
										  &tmfd);

	if (result != TM_Ok || !zone_value(t, slot, &now) || now.name_len != zone->name_len ||
		memcmp(now.name, zone->name, zone->name_len) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("the zone was changed by another transaction meanwhile")));
	ExecDropSingleTupleTableSlot(slot);
}

static int32
zone_id(Projection *p, const ZoneRef *zone)
{
	TableDesc  *t;
	Relation	rel;
	RowSet		rows;
	uint8		key[DOMAINS_KEY_SIZE];
	ZoneValue	at = {.name = zone->name, .name_len = zone->name_len};

	if (p->zone == zone)
		return p->id;
	/* this batch may have changed the zone's row */
	if (p->table && p->table->zone == ZONE_SELF)
	{
		projection_close_writer(p);
		projection_step();
	}
	t = domains_key(key);
	rel = table_open_as(t, RowShareLock);
	rows = unit_rows(t, rel, GetActiveSnapshot(), &at, key, sizeof(key));
	if (rows.n)
		zone_hold(t, rel, zone, rows.rows[0].tid);
	table_close(rel, NoLock);
	p->id = rows.n ? rows.rows[0].id : 0;
	p->zone = zone;
	return p->id;
}

/* What the tables show of a unit, as served_hash() has it: an SOA record whose serial is kept here counts with serial 0. */
static uint64
shown_hash(TableDesc *t, const ProjectUnit *u, const RowSet *old)
{
	Served		shown = {.live = old->n > 0, .ncolumns = t->ncolumns, .rows = {.n = old->n}};

	shown.rows.rows = palloc(sizeof(Row) * (size_t) (old->n + 1));
	for (int i = 0; i < old->n; i++)
		shown.rows.rows[i] = u->serial_kept ? soa_row_with_serial(t, &old->rows[i], 0) : old->rows[i];
	rows_sort(&shown.rows);
	return served_hash(u->key, u->key_len, &shown);
}

/* Has the zone's row been parked, and with it what makes the other units what they are? They come with it. */
static bool
zone_waits(Projection *p, const ProjectUnit *u)
{
	return !u->zone->table && !u->live && store_tally(p->store, u->zone->number)->waits;
}

static RowSet
unit_old(Projection *p, TableDesc *t, const ZoneValue *at, const ProjectUnit *u)
{
	RowSet		rows = {0};
	Relation	rel;

	if (u->first && t->zone == ZONE_BY_ID && store_tally(p->store, u->zone->number)->born)
		return rows;
	rel = table_open_as(t, AccessShareLock);
	rows = unit_rows(t, rel, GetActiveSnapshot(), at, u->key, u->key_len);
	table_close(rel, NoLock);
	return rows;
}

static void
unit_project(Projection *p, ProjectUnit *u)
{
	TableDesc  *t = key_table(u->key, u->key_len);
	ZoneValue	at = {0};
	RowSet		old;

	progress();
	if (!t)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE), errmsg("the table of a unit is not replicated here"),
				 errhint("It is kept, and projected once the table is there.")));
	if (u->zone->table ? t->number != u->zone->table || t->zone != ZONE_NONE : t->zone == ZONE_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("a unit of \"%s\" came in the wrong kind of zone", t->name)));
	if (zone_waits(p, u))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("the row of the zone has to come first")));
	if (t->zone == ZONE_BY_ID)
		at.id = zone_id(p, u->zone);
	at.name = u->zone->name;
	at.name_len = u->zone->name_len;
	if (t->zone == ZONE_BY_ID && at.id == 0)
	{
		if (!u->expected)
			return;				/* the zone is gone, and took it along */
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("the row of the zone is not there yet")));
	}
	columns_check(t, u);
	old = unit_old(p, t, &at, u);
	if (u->by_tables)
		u->was = shown_hash(t, u, &old);
	if (u->changes && !*u->changes && t->number == TABLE_RECORDS && shown_hash(t, u, &old) != u->is)
		*u->changes = true;
	if (t->zone == ZONE_SELF)
		domain_project(p, t, u, &old, &u->rows);
	else
		rows_replace(p, t, &at, u, &old, &u->rows);
}

static void
batch_run(Projection *p, ProjectUnit *units, int n)
{
	MemoryContext old = CurrentMemoryContext;

	PushCopiedSnapshot(GetLatestSnapshot());
	projection_step();
	p->writer = NULL;
	p->table = NULL;
	p->zone = NULL;
	p->batch = AllocSetContextCreate(old, "dnsrepl projection", ALLOCSET_DEFAULT_SIZES);
	p->scratch = AllocSetContextCreate(old, "dnsrepl projected unit", ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < n; i++)
	{
		MemoryContextSwitchTo(p->scratch);
		projection_zone = units[i].zone->number;
		projection_key_len = Min(units[i].key_len, MAX_KEY_SIZE);
		memcpy(projection_key, units[i].key, projection_key_len);
		unit_project(p, &units[i]);
		MemoryContextSwitchTo(old);
		MemoryContextReset(p->scratch);
	}
	projection_close_writer(p);
	MemoryContextDelete(p->scratch);
	MemoryContextDelete(p->batch);
	PopActiveSnapshot();
}

typedef struct Batch
{
	Projection *p;
	ProjectUnit *units;
	int			n;
} Batch;

static void
batch_work(void *arg)
{
	const Batch *b = arg;

	LockTimeout = PROJECTION_WAIT;
	SessionReplicationRole = SESSION_REPLICATION_ROLE_REPLICA;
	projecting = true;
	batch_run(b->p, b->units, b->n);
}

/* One batch in a subtransaction: NULL, or why it was refused, which undid it. */
static char *
batch_try(Projection *p, ProjectUnit *units, int n)
{
	Batch		b = {p, units, n};
	int			timeout = LockTimeout;
	int			role = SessionReplicationRole;
	ErrorData  *error;

	store_settle(p->store);
	error = subxact_try(batch_work, &b);
	projecting = false;
	LockTimeout = timeout;
	SessionReplicationRole = role;
	if (!error)
		return NULL;
	if (error_is_ours(error->sqlerrcode) || error_is_concurrency(error->sqlerrcode))
		ReThrowError(error);
	return writer_error(error);
}

ErrorData *
projection_try(void (*fn) (void *arg), void *arg)
{
	bool		drawn = own_dot_drawn();
	ErrorData  *error = subxact_try(fn, arg);

	if (!error)
		return NULL;
	if (!drawn)
		own_dot_forget();
	if (!error_is_concurrency(error->sqlerrcode))
		ReThrowError(error);
	return error;
}

/*
 * What this transaction has brought of a unit was not projected: no author has seen it. What it has replaced he sees still. False:
 * the store has nothing of the unit.
 */
static bool
unit_unsee(Store *store, Snapshot before, const ProjectUnit *u)
{
	VersionSet	set,
				had = version_read(store, before, u->zone->number, u->key, u->key_len);

	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	set = version_read(store, GetActiveSnapshot(), u->zone->number, u->key, u->key_len);
	for (int i = 0; i < set.n; i++)
	{
		const Version *was = version_find(&had, set.v[i].dot);

		if (set.v[i].seen && !(was && was->seen))
			version_mark(store, u->zone->number, u->key, u->key_len, &set.v[i], false);
	}
	for (int i = 0; i < had.n; i++)
		if (had.v[i].seen && !version_find(&set, had.v[i].dot))
			shown_keep(u->zone, u->key, u->key_len, &had.v[i]);
	PopActiveSnapshot();
	return set.n > 0;
}

/* ---------- batches ---------- */

/* The sums of what is served follow what was done. */
static void
units_tally(Store *store, const ProjectUnit *units, int n)
{
	for (int i = 0; i < n; i++)
	{
		const ProjectUnit *u = &units[i];

		if (u->live)
			tally_live(store, u->zone, u->live);
		if (!u->live || u->live->n > 0)
			tally_served(store, u->zone->number, u->key, u->key_len, u->is - u->was);
	}
}

/* What of a unit counts as shown now that its versions do not: for the sums. A rule may hide others of its group, or of the zone. */
static uint64
unit_shown(Store *store, const ProjectUnit *u)
{
	Live		live = live_left(store, u->zone);
	ZoneTally  *t = store_tally(store, u->zone->number);
	UnitGroup  *g;
	uint64		hash = 0;

	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	g = group_read(store, GetActiveSnapshot(), u->zone, u->key, group_prefix(u->key, u->key_len));
	group_judge(g, &live, true, store, GetActiveSnapshot());
	PopActiveSnapshot();
	t->inexact |= u->zone->state.dnames > 0 || t->dnames > 0;
	for (int i = 0; i < g->n; i++)
	{
		t->inexact |= g->units[i].rule != RULE_NONE;
		if (g->units[i].key_len == u->key_len && memcmp(g->units[i].key, u->key, u->key_len) == 0)
			hash = served_hash(u->key, u->key_len, &g->units[i].served);
	}
	return hash;
}

/* Each by itself, or their zone as a whole: then those by themselves of which nothing is left but the key. */
static void
units_refused(Store *store, Snapshot before, const ProjectUnit *units, int n, const char *error, bool whole, bool tried)
{
	for (int i = 0; i < n; i++)
		if (progress(), !unit_unsee(store, before, &units[i]) && whole)
			unit_refuse(units[i].zone, units[i].key, units[i].key_len, error, tried);
	for (int i = 0; i < n; i++)
	{
		Live		live = live_shown(units[i].zone);

		tally_served(store, units[i].zone->number, units[i].key, units[i].key_len,
					 unit_shown(store, &units[i]) - units[i].was);
		if (units[i].live && !live_same(units[i].live, &live))
			store_tally(store, units[i].zone->number)->waits = true;
	}
	if (whole)
		unit_refuse(units->zone, NULL, 0, error, tried);
	for (int i = 0; i < n && !whole; i++)
		unit_refuse(units[i].zone, units[i].key, units[i].key_len, error, tried);
}

/* Where to cut a batch in two: near the middle, not between units that are bound; 0: nowhere. */
static int
batch_middle(const ProjectUnit *units, int n)
{
	for (int off = 0; off <= n / 2; off++)
	{
		if (n / 2 - off > 0 && !units[n / 2 - off].bound)
			return n / 2 - off;
		if (n / 2 + off < n && n / 2 + off > 0 && !units[n / 2 + off].bound)
			return n / 2 + off;
	}
	return 0;
}

void
project_units(Store *store, Snapshot before, ProjectUnit *units, int n)
{
	Projection	p = {.store = store};
	bool		tried = projection_refusals < MAX_REFUSALS;
	char	   *error;
	int			middle;

	if (n == 0)
		return;
	error = batch_try(&p, units, n);
	if (!error)
	{
		units_tally(store, units, n);
		return;
	}
	middle = batch_middle(units, n);
	if (units[0].zone == units[n - 1].zone && zone_waits(&p, units))
		units_refused(store, before, units, n, error, true, true);
	else if (middle > 0 && tried)
	{
		project_units(store, before, units, middle);
		project_units(store, before, units + middle, n - middle);
	}
	else
	{
		projection_refusals++;
		units_refused(store, before, units, n, error, false, tried);
	}
}
