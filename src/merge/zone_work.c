/*
 * zone_work.c: see zone_work.h.
 *
 * A group is projected as a whole where a rule hides something of it: then its units are bound together, and fail together.
 * The serial of a zone is known when all its content is: so zones are finished after the batch that has the last of it,
 * and their SOA records are written then, unless the first guess was right.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "storage/proc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "dnsrepl.h"
#include "merge/zone_work.h"
#include "store/conflict.h"
#include "store/image.h"
#include "store/progress.h"
#include "store/serial.h"
#include "store/soa.h"
#include "store/zone_sum.h"
#include "zone/rectify.h"

#define BATCH AT_ONCE(500, 4)		/* units projected together */
#define BATCH_SIZE AT_ONCE(8 * 1024 * 1024, 2000)

struct Work
{
	Store	   *store;
	Snapshot	before;
	MemoryContext context,		/* of the work */
				batch;			/* what the batch's units point to */
	Size		size;
	int			n,
				cap;
	ProjectUnit *units;
	Rectify    *rectify;
	bool		plain_known;	/* asked for when a zone comes: */
	bool		plain;			/* rectify_plain_defaults() */
	List	   *ended;			/* ZoneWorks whose last group is in the batch, or before it */
};

Work *
work_begin(Store *store, Snapshot before)
{
	Work	   *w = palloc0(sizeof(Work));

	resolver_projects();
	w->store = store;
	w->before = before;
	w->context = CurrentMemoryContext;
	w->batch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl batch", ALLOCSET_DEFAULT_SIZES);
	w->rectify = rectify_begin();
	w->cap = BATCH;
	w->units = palloc(sizeof(ProjectUnit) * BATCH);
	return w;
}

void
work_zone(Work *w, ZoneWork *z, ZoneRef *ref)
{
	memset(z, 0, sizeof(*z));
	z->ref = ref;
	if (ref->made && !w->plain_known)
	{
		w->plain = rectify_plain_defaults();
		w->plain_known = true;
	}
	z->was = live_shown(ref);
	z->now = live_read(w->store, w->before, ref);
	z->walk = !live_same(&z->was, &z->now);	/* the zone's row had to wait */
}

/* The store as it is now: what this transaction wrote of it too. */
static void
snapshot_now(void)
{
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
}

static uint64
zone_known_serial(const ZoneWork *z)
{
	return Max(z->ref->state.serial, Max(z->ref->state.heard, z->peer_serial));
}

/* ---------- serials ---------- */

static SerialMerge
zone_serial_facts(Work *w, ZoneWork *z)
{
	ZoneTally  *t = store_tally(w->store, z->ref->number);
	SerialMerge m = {.mine = z->ref->state.serial, .heard = z->ref->state.heard, .theirs = z->peer_serial,
		.before = z->ref->state.served, .after = z->ref->state.served + t->served, .peer = z->peer_served,
	.fresh = z->fresh, .fell_back = z->fell_back};

	/* the sums do not know what was served of a unit that had to wait, or under another policy: the tables do */
	if (z->changes && m.before == m.after)
		m.before = ~m.after;
	if (z->late)
	{
		/* what the peers serve by now is not known: other than what is here */
		m.theirs = Max(m.mine, m.heard);
		m.peer = ~m.after;
	}
	return m;
}

static void
unit_add(Work *w, const ProjectUnit *u)
{
	if (w->n == w->cap)
	{
		w->cap *= 2;
		w->units = repalloc_huge(w->units, sizeof(ProjectUnit) * (size_t) w->cap);
	}
	w->units[w->n++] = *u;
}

static uint8 *
batch_copy(Work *w, const uint8 *data, size_t len)
{
	uint8	   *copy = MemoryContextAlloc(w->batch, Max(len, 1));

	memcpy(copy, data, len);
	w->size += len;
	return copy;
}

/*
 * The unit of the zone's SOA record with another serial, if it is one whose serial this extension keeps. If it has to wait, it
 * gets the zone's when it is projected.
 */
static void
soa_add(Work *w, ZoneWork *z, uint32 serial)
{
	StringInfoData key;
	UnitGroup  *g;
	MemoryContext old = MemoryContextSwitchTo(w->batch);
	Live		live = live_left(w->store, z->ref);

	initStringInfo(&key);
	record_key(&key, z->ref->name, z->ref->name_len, TYPE_SOA);
	snapshot_now();
	g = group_read(w->store, GetActiveSnapshot(), z->ref, (uint8 *) key.data,
				   group_prefix((uint8 *) key.data, (size_t) key.len));
	group_judge(g, &live, true, w->store, GetActiveSnapshot());
	PopActiveSnapshot();
	for (int i = 0; i < g->n; i++)
	{
		const GroupUnit *u = &g->units[i];
		TableDesc  *t = key_table(u->key, u->key_len);
		ProjectUnit p = {.zone = z->ref, .key = u->key, .key_len = u->key_len, .ncolumns = u->served.ncolumns,
		.rows = u->served.rows};
		uint32		in_image;

		if (record_type(u->key, u->key_len) != TYPE_SOA || !u->served.live || !t ||
			u->served.ncolumns != t->ncolumns || !soa_row_serial(t, &u->served.rows.rows[0], &in_image) || in_image != 0)
			continue;
		p.was = p.is = served_hash(u->key, u->key_len, &u->served);
		for (int k = 0; k < p.rows.n; k++)
			p.rows.rows[k] = soa_row_with_serial(t, &p.rows.rows[k], serial);
		if (z->soa_serial != serial)
			unit_add(w, &p);
	}
	MemoryContextSwitchTo(old);
}

/*
 * Of a zone that has gone nothing is served. One that has got other incarnations, or has not although it should have, is
 * counted anew.
 */
static void
zone_sums(Work *w, ZoneWork *z)
{
	ZoneTally  *t = store_tally(w->store, z->ref->number);
	bool		gone = t->live_set && t->live.n == 0;

	if (t->inexact || z->count_anew || (!gone && z->ref->state.held != 0 && !live_same(&z->was, &z->now)))
		zone_sum_anew(w->store, z->ref);
}

static void
zone_finish(Work *w, ZoneWork *z)
{
	uint64		serial;
	bool		carry;
	ZoneTally  *t;
	SerialMerge m;

	if (z->ref->table)
		return;
	zone_sums(w, z);
	m = zone_serial_facts(w, z);
	serial = serial_merge(&m, &carry);
	if (serial == z->ref->state.serial && z->ref->state.heard == 0)
		return;
	soa_add(w, z, (uint32) serial);
	t = store_tally(w->store, z->ref->number);
	t->serial_set = true;
	t->serial = serial;
	t->heard = 0;
	if (carry)
		serial_unit_write(w->store, z->ref->number, serial);
}

/* ---------- batches ---------- */

static void
batch_project(Work *w)
{
	CommandCounterIncrement();
	project_units(w->store, w->before, w->units, w->n);
	w->n = 0;
	w->size = 0;
	MemoryContextReset(w->batch);
	progress();
}

static void
work_flush(Work *w)
{
	ListCell   *lc;
	List	   *ended = w->ended;

	batch_project(w);
	w->ended = NIL;
	foreach(lc, ended)
	{
		progress();
		zone_finish(w, lfirst(lc));
	}
	list_free(ended);
	if (w->n)
		batch_project(w);
}

static void
group_room(Work *w, const UnitGroup *g)
{
	if (w->n > 0 && (w->n + g->n > BATCH || w->size > BATCH_SIZE))
		work_flush(w);
}

static const GroupUnit *
unit_in(const UnitGroup *g, const GroupUnit *u)
{
	for (int i = 0; i < g->n; i++)
		if (g->units[i].key_len == u->key_len && memcmp(g->units[i].key, u->key, u->key_len) == 0)
			return &g->units[i];
	return NULL;
}

static bool
mark_seen(Work *w, const ZoneWork *z, GroupUnit *u)
{
	bool		any = false;

	for (int i = 0; i < u->set.n; i++)
		if (!u->set.v[i].seen)
		{
			version_mark(w->store, z->ref->number, u->key, u->key_len, &u->set.v[i], true);
			u->set.v[i].seen = true;
			any = true;
		}
	return any;
}

static bool
has_rule(const UnitGroup *g)
{
	for (int i = 0; i < g->n; i++)
		if (g->units[i].rule != RULE_NONE)
			return true;
	return false;
}

static void
unit_rows_copy(Work *w, ZoneWork *z, const GroupUnit *u, ProjectUnit *p)
{
	TableDesc  *t = key_table(u->key, u->key_len);
	uint32		in_image;

	p->ncolumns = u->served.ncolumns;
	p->rows.n = u->served.rows.n;
	p->rows.rows = MemoryContextAlloc(w->batch, sizeof(Row) * (size_t) (p->rows.n + 1));
	for (int i = 0; i < p->rows.n; i++)
	{
		Row			row = u->served.rows.rows[i];

		if (record_type(u->key, u->key_len) == TYPE_SOA && t && t->ncolumns == p->ncolumns &&
			soa_row_serial(t, &row, &in_image) && in_image == 0)
		{
			z->soa_serial = (uint32) zone_known_serial(z);
			p->serial_kept = true;
			row = soa_row_with_serial(t, &row, z->soa_serial);
		}
		p->rows.rows[i] = row;
		p->rows.rows[i].data = batch_copy(w, row.data, row.len);
	}
}

static bool
bytes_begin(const bytea *b, const uint8 *prefix, size_t len)
{
	return VARSIZE(b) - VARHDRSZ >= len && memcmp(VARDATA(b), prefix, len) == 0;
}

/* A subtree that is to be looked at; one that contains others takes their place. */
static void
remember_subtree(const uint8 *name, size_t name_len, void *arg)
{
	ZoneWork   *z = arg;
	StringInfoData prefix;
	ListCell   *lc;

	z->found = true;
	initStringInfo(&prefix);
	wire_put_u16(&prefix, TABLE_RECORDS);
	appendBinaryStringInfo(&prefix, (const char *) name, (int) name_len);
	foreach(lc, z->subtrees)
	{
		bytea	   *b = lfirst(lc);

		if ((size_t) prefix.len >= VARSIZE(b) - VARHDRSZ && memcmp(prefix.data, VARDATA(b), VARSIZE(b) - VARHDRSZ) == 0)
			return;
		if (bytes_begin(b, (uint8 *) prefix.data, (size_t) prefix.len))
			z->subtrees = foreach_delete_current(z->subtrees, lc);
	}
	z->subtrees = lappend(z->subtrees, varlena_make(prefix.data, (size_t) prefix.len));
}

/* The DNAMEs at a group's name and above it, of before and now: all below is looked at by work_zone_end(). False: there are none. */
static bool
remember_dnames(Work *w, ZoneWork *z, const UnitGroup *g)
{
	MemoryContext old = MemoryContextSwitchTo(w->context);

	z->found = false;
	snapshot_now();
	dnames_above(g, w->store, w->before, remember_subtree, z);
	dnames_above(g, w->store, GetActiveSnapshot(), remember_subtree, z);
	PopActiveSnapshot();
	MemoryContextSwitchTo(old);
	return z->found;
}

/* Does it depend on more of the zone than is known yet? Then it is looked at when all of the zone has been written. */
static bool
group_is_early(Work *w, ZoneWork *z, const UnitGroup *after)
{
	if (z->walking || z->walk)
		return z->walk && !z->walking;
	return remember_dnames(w, z, after);
}

static void
zone_row_came(Work *w, ZoneWork *z, const UnitGroup *domains)
{
	z->row = true;
	z->now = live_of(w->store, z->ref, domains->n ? &domains->units[0].set : &(VersionSet) {0});
	z->walk = z->now.n > 0 && z->ref->state.held != 0 && !live_same(&z->was, &z->now);
}

/* What was put off, the store shows when it is looked at again; but not units of which nothing is left. */
static void
remember_absent(Work *w, ZoneWork *z, const UnitGroup *after)
{
	for (int i = 0; i < after->n; i++)
		if (after->units[i].set.n == 0)
			work_absent(w, z, after->units[i].key, after->units[i].key_len);
}

/*
 * Has a name what rectification would give it, once it is projected? In a zone that came with this transaction, and so has no
 * empty non-terminals yet, one with records has, if it is no delegation and nothing is between it and the apex.
 */
static bool
name_plain(const Work *w, const ZoneWork *z, const UnitGroup *g)
{
	bool		full = false;

	if (!w->plain || !z->ref->made || z->walking || !rectify_may_be_plain(g))
		return false;
	for (int i = 0; i < g->n; i++)
	{
		const GroupUnit *u = &g->units[i];
		TableDesc  *t = key_table(u->key, u->key_len);

		for (int k = 0; t && u->served.live && k < u->served.rows.n; k++)
			full |= row_enabled(t, &u->served.rows.rows[k]);
	}
	return full;
}

/* What is derived of the records, when a unit is projected. */
static void
unit_rectify(Work *w, const ZoneWork *z, const UnitGroup *g, const GroupUnit *u)
{
	int			table = key_number(u->key, u->key_len);

	if (z->ref->made)
		rectify_new(w->rectify, z->ref, 0);
	if (table == TABLE_RECORDS && name_plain(w, z, g))
		return;
	if (table == TABLE_RECORDS)
	{
		size_t		len;
		const uint8 *name = key_name(u->key, u->key_len, &len);

		rectify_name(w->rectify, z->ref, 0, name, len, record_type(u->key, u->key_len) == TYPE_NS);
	}
	else if (table == TABLE_METADATA || table == TABLE_CRYPTOKEYS)
		rectify_zone(w->rectify, z->ref);
}

void
work_group(Work *w, ZoneWork *z, const UnitGroup *before, UnitGroup *after)
{
	bool		bound = has_rule(before) || has_rule(after);
	bool		waited = group_waits(before);	/* then nobody knows what the tables show */
	bool		first = true;
	bool		other_life;
	bool		gone = !z->now.all && z->now.n == 0;

	if (key_number(after->prefix, after->prefix_len) == TABLE_DOMAINS)
	{
		if (!z->walking)
			zone_row_came(w, z, after);
		gone = false;
	}
	else if (group_is_early(w, z, after))
	{
		remember_absent(w, z, after);
		return;
	}
	/* if its row has to wait, so have these, even those that stay what they are: so they are given too */
	other_life = !live_same(&z->was, &z->now) && !(gone && z->walking);
	group_room(w, after);
	for (int i = 0; i < after->n; i++)
	{
		GroupUnit  *u = &after->units[i];
		const GroupUnit *b = unit_in(before, u);
		bool		unseen = mark_seen(w, z, u) || waited;
		uint64		was = b ? served_hash(u->key, u->key_len, &b->served) : 0;
		uint64		is = served_hash(u->key, u->key_len, &u->served);
		ProjectUnit p = {.zone = z->ref, .is = is, .expected = u->served.live, .first = z->ref->made && !z->walking};

		progress();
		/* with its zone all that was served of it has gone from the sums: tally_live() */
		p.was = was = gone ? 0 : was;

		if (key_number(u->key, u->key_len) == TABLE_SERIAL || (was == is && !unseen && !z->late && !other_life))
			continue;
		p.key = batch_copy(w, u->key, u->key_len);
		p.key_len = u->key_len;
		p.by_tables = z->whole && !unseen;
		p.changes = &z->changes;
		p.bound = bound && !first;
		if (key_number(u->key, u->key_len) == TABLE_DOMAINS)
			p.live = &z->now;
		unit_rows_copy(w, z, u, &p);
		unit_add(w, &p);
		unit_rectify(w, z, after, u);
		first = false;
	}
	conflict_note(before, &z->was, after, &z->now);
	if (other_life && z->now.n == 0)
		conflict_zone_gone(w->store, w->before, z->ref, &z->was);
}

/* ---------- looking at groups anew ---------- */

typedef struct PrefixWalk
{
	Work	   *w;
	ZoneWork   *z;
	MemoryContext scratch;
	int			left;			/* groups; -1: no bound */
	StringInfo	last;
} PrefixWalk;

/* Several parked units may be of one group, and of a zone that is parked as a whole. */
static bool
looked_before(Work *w, ZoneWork *z, const uint8 *prefix, size_t len)
{
	uint64		hash = hash_bytes_extended(prefix, (int) len, 0);
	bool		found;

	if (!z->looked)
	{
		HASHCTL		ctl = {.keysize = sizeof(uint64), .entrysize = sizeof(uint64), .hcxt = w->context};

		z->looked = hash_create("dnsrepl groups", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	hash_search(z->looked, &hash, HASH_ENTER, &found);
	return found;
}

static bool
group_anew(const uint8 *prefix, size_t prefix_len, void *arg)
{
	PrefixWalk *p = arg;
	MemoryContext old;
	UnitGroup  *before,
			   *now;

	if (p->z->row && key_number(prefix, prefix_len) == TABLE_DOMAINS)
		return true;			/* it came first, and led to this walk */
	if (p->z->late && looked_before(p->w, p->z, prefix, prefix_len))
		return true;
	old = MemoryContextSwitchTo(p->scratch);
	before = group_read(p->w->store, p->w->before, p->z->ref, prefix, prefix_len);
	group_judge(before, &p->z->was, true, p->w->store, p->w->before);
	snapshot_now();
	now = group_read(p->w->store, GetActiveSnapshot(), p->z->ref, prefix, prefix_len);
	group_judge(now, &p->z->now, false, p->w->store, GetActiveSnapshot());
	PopActiveSnapshot();
	work_group(p->w, p->z, before, now);
	if (p->last)
	{
		resetStringInfo(p->last);
		appendBinaryStringInfo(p->last, (const char *) prefix, (int) prefix_len);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(p->scratch);
	return p->left < 0 || --p->left > 0;
}

bool
work_prefix(Work *w, ZoneWork *z, const uint8 *prefix, size_t len, const uint8 *after, size_t after_len,
			int most, StringInfo last)
{
	PrefixWalk	p = {.w = w, .z = z, .left = most > 0 ? most : -1, .last = last};

	p.scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl group", ALLOCSET_DEFAULT_SIZES);
	z->walking = true;
	snapshot_now();
	group_walk(w->store, GetActiveSnapshot(), z->ref->number, prefix, len, after, after_len, group_anew, &p);
	PopActiveSnapshot();
	z->walking = false;
	MemoryContextDelete(p.scratch);
	return p.left == 0;
}

void
work_absent(Work *w, ZoneWork *z, const uint8 *key, size_t key_len)
{
	MemoryContext old = MemoryContextSwitchTo(w->context);

	z->absent = lappend(z->absent, varlena_make(key, key_len));
	MemoryContextSwitchTo(old);
}

/* If the store has nothing of a unit, no group shows it: its rows go, and with them what is counted of it. */
static void
unit_absent(Work *w, ZoneWork *z, const uint8 *key, size_t key_len)
{
	size_t		len = group_prefix(key, key_len);
	UnitGroup  *group = group_read(w->store, w->before, z->ref, key, len),
			   *before = group_none(z->ref, key, len),
			   *after = group_none(z->ref, key, len);
	bool		there;

	snapshot_now();
	there = version_read(w->store, GetActiveSnapshot(), z->ref->number, key, key_len).n > 0;
	PopActiveSnapshot();
	if (there || !key_table(key, key_len))
		return;
	group_judge(group, &z->was, true, w->store, w->before);
	for (int i = 0; i < group->n; i++)
		if (group->units[i].key_len == key_len && memcmp(group->units[i].key, key, key_len) == 0)
			*group_unit(before, key, key_len) = group->units[i];
	(void) group_unit(after, key, key_len);
	z->walking = true;
	work_group(w, z, before, after);
	z->walking = false;
}

static void
absent_units(Work *w, ZoneWork *z)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl absent units", ALLOCSET_DEFAULT_SIZES),
				old = MemoryContextSwitchTo(scratch);
	ListCell   *lc;

	foreach(lc, z->absent)
	{
		const bytea *key = lfirst(lc);

		unit_absent(w, z, (const uint8 *) VARDATA(key), VARSIZE(key) - VARHDRSZ);
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

void
work_unit(Work *w, ZoneWork *z, const uint8 *key, size_t key_len)
{
	size_t		len = group_prefix(key, key_len);
	UnitGroup	none = {.zone = z->ref, .prefix = key, .prefix_len = len};

	(void) remember_dnames(w, z, &none);
	if (record_type(key, key_len) == TYPE_DNAME)	/* which may be in the store no more */
	{
		MemoryContext old = MemoryContextSwitchTo(w->context);

		remember_subtree(key + 2, len - 3, z);
		MemoryContextSwitchTo(old);
	}
	unit_absent(w, z, key, key_len);
	(void) work_prefix(w, z, key, len, NULL, 0, 0, NULL);
}

void
work_zone_end(Work *w, ZoneWork *z)
{
	ListCell   *lc;
	MemoryContext old;

	absent_units(w, z);
	if (z->walk)
		(void) work_prefix(w, z, (const uint8 *) "", 0, NULL, 0, 0, NULL);
	else
		foreach(lc, z->subtrees)
		{
			bytea	   *b = lfirst(lc);

			(void) work_prefix(w, z, (uint8 *) VARDATA(b), VARSIZE(b) - VARHDRSZ, NULL, 0, 0, NULL);
		}
	old = MemoryContextSwitchTo(w->context);
	w->ended = lappend(w->ended, z);
	MemoryContextSwitchTo(old);
}

/* It does not wait for tables either. */
static void
rectify(Work *w)
{
	int			timeout = LockTimeout;

	PG_TRY();
	{
		LockTimeout = PROJECTION_WAIT;
		rectify_gives_way = true;
		rectify_end(w->rectify, w->store);
	}
	PG_FINALLY();
	{
		LockTimeout = timeout;
		rectify_gives_way = false;
	}
	PG_END_TRY();
}

void
work_end(Work *w)
{
	work_flush(w);
	rectify(w);
	MemoryContextDelete(w->batch);
}
