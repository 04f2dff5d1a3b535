/*
 * capture.c: see capture.h.
 *
 * Runs in XACT_EVENT_PRE_COMMIT, when all triggers, deferred ones too, have fired:
 *   1. which zones the notes touch; their rows are locked in zone_order (version.h), the only locks;
 *   2. a new snapshot, which shows all that was committed before the locks were had, and this transaction's rows;
 *   3. for each group of units (store/group.h) that notes name: the final rows of its units against what is served of the
 *      versions seen (where some are not, against the rows before this transaction). Where they differ, one version of this life replaces those that were seen; versions that are not
 *      projected yet stay, as siblings. An edit in a group settles it: what had siblings, or was hidden by a rule, becomes
 *      what the tables show. What the rules would hide of the result is refused;
 *   4. the serials of zones whose content has changed are raised (zone_serial.c);
 *   5. what is derived of the records of the names touched is put right (zone/rectify.c);
 *   6. if it has written in several zones, which (store/transaction_zones.h).
 * The stamp is drawn with the first difference, after all locks: it is larger than all that this author saw.
 * Notes that stand for many units are unfolded into notes of units, which are the next lot.
 * A zone that is deleted costs one version, its own: its units are of an incarnation that lives no more (store/live.h).
 * Fails: the transaction fails, and nothing is left; so it may be cancelled, or run into statement_timeout, at any step. Memory: the zones touched, and one group at a time.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

#include "compat.h"
#include "dnsrepl.h"
#include "store/clock.h"
#include "store/conflict.h"
#include "store/group.h"
#include "store/image.h"
#include "store/own.h"
#include "store/policy.h"
#include "store/progress.h"
#include "store/rejection.h"
#include "store/schema.h"
#include "store/shown.h"
#include "store/soa.h"
#include "store/table_code.h"
#include "store/transaction_zones.h"
#include "write/capture.h"
#include "write/name_shown.h"
#include "write/note.h"
#include "write/rrset_ttl.h"
#include "write/zone_check.h"
#include "write/zone_look.h"
#include "write/zone_serial.h"
#include "write/zone_touch.h"
#include "zone/rectify.h"
#include "zone/zone_keys.h"

#define PROGRESS 500000			/* units of a table that is captured whole: then a line tells of it */

/* A name that was written in a zone that has DNAMEs. */
typedef struct DnameName
{
	ZoneTouch  *zone;
	struct varlena *prefix;		/* of its group */
} DnameName;

enum
{
	UNIT_NEW, UNIT_LOOKED_AT, UNIT_WRITTEN
};

typedef struct Capture
{
	Store	   *store;
	Touched		touched;
	const char *user;
	TableDesc  *table;			/* the one that is open */
	Relation	rel;
	int			lot;			/* from 1; later ones are unfolded notes: nobody has edited just that unit */
	uint64		units;			/* looked at in later lots */

	/* the group at hand; all of it is in `scratch` */
	MemoryContext scratch;
	ZoneTouch  *zone;
	UnitGroup  *group;			/* NULL: none */
	UnitGroup  *before;
	uint8	   *progress;		/* of group's units: UNIT_... */
	NameShown	name;			/* if it is a name's: what the tables show of it */
	bool		written;
	List	   *dname_names;
	ZoneLooks	looks;
	Rectify    *rectify;		/* of this lot */
	int			nwritten,
				cap_written;
	TransactionZone *zones_written; /* of all lots */
} Capture;

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
	c->rel = table_open_as(t, AccessShareLock);
	return t;
}

static bool
was_there(const VersionSet *set, const Version *v)
{
	for (int i = 0; i < set->n; i++)
		if (set->v[i].dot.origin == v->dot.origin && set->v[i].dot.stamp == v->dot.stamp && set->v[i].seen == v->seen)
			return true;
	return false;
}

/* Under REPEATABLE READ an author has not seen what his snapshot does not show. A row may be younger than its versions. */
static void
seen_by_snapshot(Capture *c, const GroupUnit *u)
{
	const VersionSet *set = &u->set;
	Snapshot	snapshot;

	if (!IsolationUsesXactSnapshot())
		return;
	snapshot = GetTransactionSnapshot();
	for (int i = 0; i < set->n; i++)
	{
		VersionSet	had;

		if (!TransactionIdIsNormal(set->v[i].xmin) || TransactionIdIsCurrentTransactionId(set->v[i].xmin) ||
			!XidInMVCCSnapshot(set->v[i].xmin, snapshot))
			continue;
		had = version_read(c->store, snapshot, c->zone->ref.number, u->key, u->key_len);
		if (!was_there(&had, &set->v[i]))
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not serialize access due to concurrent update"),
					 errdetail("What was changed here was changed by another transaction, or another node, meanwhile."),
					 errhint("Try the transaction again.")));
	}
}

static void
inside_zone(TableDesc *t, const ZoneRef *zone, const uint8 *key, size_t key_len)
{
	size_t		len;
	const uint8 *name = key_name(key, key_len, &len);

	if (len >= zone->name_len && memcmp(name, zone->name, zone->name_len) == 0)
		return;
	rejection_note(&(Refusal) {.sqlstate = ERRCODE_CHECK_VIOLATION, .zone = zone_text(zone->name, zone->name_len),
							   .name = zone_text(name, len), .rule = "out-of-zone", .message = "The name is not in the zone."});
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("record \"%s\" is outside its zone \"%s\"", zone_text(name, len),
					zone_text(zone->name, zone->name_len)),
			 errdetail("A zone holds names at or below its own (RFC 1035 section 5)."),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "out-of-zone")));
}

static void
zone_look(Capture *c, ZoneTouch *z)
{
	if (z->looked)
		return;
	z->live = live_shown(&z->ref);
	z->was_live = z->live.all || z->live.n > 0;
	z->level = -1;
	z->looked = true;
}

/* ---------- images ---------- */

/*
 * The zone's incarnations, for the image of its domains unit: those that were seen, or a new one. Of those of the store a deletion takes away what
 * was seen, no more; one that is made again by the same transaction is edited.
 */
static void
zone_incarnations(Capture *c, const RowSet *rows)
{
	Live	   *live = &c->zone->live;
	Live		stored = live_stored(c->store, &c->zone->ref);

	if (rows->n == 0)
	{
		live_remove(&stored, live);
		live->n = 0;
	}
	else if (live->n == 0)
	{
		live_add(live, &c->zone->ref, own_dot());
		live_add(&stored, &c->zone->ref, own_dot());
	}
	tally_live(c->store, &c->zone->ref, live);
	live_store(c->store, &c->zone->ref, &stored);
}

/* The rows of the latest version seen, one that keeps what it deleted too. */
static RowSet
rows_kept(const GroupUnit *u)
{
	const Version *last = NULL;
	Image		image;

	if (u->served.live)
		return u->served.rows;
	for (int i = 0; i < u->set.n; i++)
		if (u->set.v[i].seen && (!last || dot_later(u->set.v[i].dot, last->dot)))
			last = &u->set.v[i];
	return last && image_decode(last->image, last->image_len, true, &image) ? image.rows : (RowSet) {0};
}

/* A private key that is deleted may have to come back: its image keeps it (store/rule.c). */
static uint8
deletion_flags(const GroupUnit *u, const RowSet *rows, RowSet *kept)
{
	if (rows->n > 0 || key_number(u->key, u->key_len) != TABLE_CRYPTOKEYS)
		return 0;
	*kept = rows_kept(u);
	return kept->n > 0 ? IMAGE_GONE : 0;
}

/* Do the tables show versions of the zone that are not in the store any more, as what has replaced them waits? */
static bool
zone_shows_more(Capture *c)
{
	ZoneTouch  *z = c->zone;

	if (!z->shown_known)
		z->shown = !z->ref.made && shown_any(GetActiveSnapshot(), &z->ref);
	z->shown_known = true;
	return z->shown;
}

/* What the resolver in force wants to know of an edit: it supersedes what was seen, whatever has become of that in the store. */
static void
unit_carry(Capture *c, TableDesc *t, const GroupUnit *u, ImageParts *p)
{
	VersionSet	seen = {.v = palloc(sizeof(Version) * (size_t) (u->set.n + MAX_SHOWN + 1))},
				more = {.v = seen.v + u->set.n};
	ResolveUnit r = {.zone = &c->zone->ref, .table = t, .key = u->key, .key_len = u->key_len, .set = &seen};

	if (!policy_for(r.zone, t, r.key, r.key_len))
		return;
	for (int i = 0; i < u->set.n; i++)
		if (u->set.v[i].seen && version_lives(&c->zone->live, u->key, u->key_len, &u->set.v[i]))
			seen.v[seen.n++] = u->set.v[i];
	if (zone_shows_more(c))
		shown_add(GetActiveSnapshot(), &c->zone->ref, u->key, u->key_len, &more);
	for (int i = 0; i < more.n; i++)
		if (version_lives(&c->zone->live, u->key, u->key_len, &more.v[i]))
			seen.v[seen.n++] = more.v[i];
	resolve_carry(&r, own_dot(), p);
}

static void
unit_image(Capture *c, TableDesc *t, GroupUnit *u, const RowSet *rows, StringInfo out)
{
	RowSet		kept = *rows;
	ImageParts	p = {.user = c->user, .ncolumns = t->ncolumns, .rows = &kept};

	p.flags = deletion_flags(u, rows, &kept);
	if (t->zone == ZONE_SELF)
		zone_incarnations(c, rows);
	if (key_number(u->key, u->key_len) == TABLE_CRYPTOKEYS && !zone_has_active_key(c->zone->id, true, GetActiveSnapshot()))
		p.flags |= IMAGE_UNSIGNED;
	unit_carry(c, t, u, &p);
	p.live = &c->zone->live;
	image_encode(out, &p);
	if (out->len > MAX_IMAGE_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the rows of one unit of \"%s\" are larger than %d octets", t->name, MAX_IMAGE_SIZE)));
}

/* ---------- units ---------- */

/* Whether the serial is content of the SOA record has changed, perhaps: it is looked at when this can be seen, in the next lot. */
static void
soa_later(const Capture *c, const GroupUnit *u)
{
	StringInfoData key;

	initStringInfo(&key);
	wire_put_u16(&key, TABLE_METADATA);
	wire_put_string(&key, SERIAL_METADATA, strlen(SERIAL_METADATA));
	if (c->zone->id && u->key_len == (size_t) key.len && memcmp(u->key, key.data, u->key_len) == 0)
	{
		resetStringInfo(&key);
		record_key(&key, c->zone->ref.name, c->zone->ref.name_len, TYPE_SOA);
		note_add(&(Note) {.kind = NOTE_UNIT, .id = c->zone->id, .key = (uint8 *) key.data, .key_len = (size_t) key.len});
	}
	pfree(key.data);
}

static void
unit_write(Capture *c, TableDesc *t, GroupUnit *u, const RowSet *rows)
{
	StringInfoData image;
	VersionSet	left = {.v = palloc(sizeof(Version) * (size_t) (u->set.n + 1))};
	Served		now = {.live = rows->n > 0, .ncolumns = t->ncolumns, .rows = *rows};
	uint64		was_hash = served_hash(u->key, u->key_len, &u->served),
				now_hash = served_hash(u->key, u->key_len, &now);

	seen_by_snapshot(c, u);
	initStringInfo(&image);
	unit_image(c, t, u, rows, &image);
	for (int i = 0; i < u->set.n; i++)
		if (!u->set.v[i].seen)
			left.v[left.n++] = u->set.v[i];
	left.v[left.n++] = own_write(c->store, c->zone->ref.number, u->key, u->key_len, &u->set, NULL,
								 (uint8 *) image.data, (size_t) image.len);
	if (zone_shows_more(c))
		shown_drop(&c->zone->ref, u->key, u->key_len);
	u->set = left;
	u->served = now;
	u->served.rank = left.v[left.n - 1].dot;
	c->written = c->zone->written = true;
	soa_later(c, u);
	/* a zone that goes has taken all of its sums along: tally_live() */
	if (now.live || t->zone != ZONE_SELF)
		tally_served(c->store, c->zone->ref.number, u->key, u->key_len, now_hash - was_hash);
}

/* All of the group at hand, if it is a name's, is read with its first unit. */
static RowSet
rows_now(Capture *c, TableDesc *t, const uint8 *key, size_t key_len)
{
	const ZoneTouch *z = c->zone;
	ZoneValue	at = {.id = z->id, .name = z->ref.name, .name_len = z->ref.name_len};

	if (t->number != TABLE_RECORDS || t->nkeys != 2 || !t->keys[0].name)
		return unit_rows(t, c->rel, GetActiveSnapshot(), &at, key, key_len);
	if (!c->name.read)
		name_shown_read(&c->name, t, c->rel, GetActiveSnapshot(), &at, c->group->prefix, c->group->prefix_len);
	return name_shown_unit(&c->name, key, key_len);
}

/* The rows of a unit by the active snapshot (now: that of the pass); id: the zone's. */
static RowSet
unit_shown(Capture *c, TableDesc *t, int32 id, bool now, const uint8 *key, size_t key_len)
{
	const ZoneTouch *z = c->zone;
	ZoneValue	at = {.id = id, .name = z->ref.name, .name_len = z->ref.name_len};
	RowSet		rows = {0};

	if (t->zone == ZONE_BY_ID && !id)
		return rows;
	rows = now ? rows_now(c, t, key, key_len) : unit_rows(t, c->rel, GetActiveSnapshot(), &at, key, key_len);
	if (rows.n && t->inside)
		inside_zone(t, &z->ref, key, key_len);
	if (record_type(key, key_len) == TYPE_SOA && group_prefix(key, key_len) == 2 + z->ref.name_len + 1)	/* the apex's */
		zone_serial_hide(c->zone, t, now, &rows);
	return rows;
}

/*
 * What the tables showed of a unit before this transaction, which has held the zone since its first note: by a snapshot that
 * shows nothing of what it has done itself.
 */
static RowSet
unit_before(Capture *c, TableDesc *t, const uint8 *key, size_t key_len)
{
	const ZoneRef *z = &c->zone->ref;
	RowSet		rows;

	PushCopiedSnapshot(GetLatestSnapshot());
	GetActiveSnapshot()->curcid = FirstCommandId;
	rows = unit_shown(c, t, z->table ? 0 : domain_id(GetActiveSnapshot(), z->name, z->name_len), false, key, key_len);
	PopActiveSnapshot();
	return rows;
}

/*
 * Is it an edit? Where a version waits, what it superseded is not in the store any more: then the tables tell what there was
 * to be edited. So they do of a unit that is in neither: a store that was changed behind the extension's back may have lost it, and
 * its deletion is an edit all the same.
 */
static bool
unit_edited(Capture *c, TableDesc *t, const GroupUnit *u, const RowSet *rows)
{
	RowSet		before;
	bool		nowhere = u->set.n == 0 && rows->n == 0 && c->lot == 1 && !c->zone->ref.made;

	if (!versions_wait(&u->set) && !nowhere)
		return (rows->n > 0) != u->served.live || !rows_same(rows, &u->served.rows);
	before = unit_before(c, t, u->key, u->key_len);
	return !rows_same(rows, &before);
}

static bool
has_siblings(const Capture *c, const GroupUnit *u)
{
	int			seen = 0;

	for (int i = 0; i < u->set.n; i++)
		seen += u->set.v[i].seen && version_lives(&c->zone->live, u->key, u->key_len, &u->set.v[i]);
	return seen > 1;
}

/*
 * An edit of a unit that has siblings, or is hidden, settles that, even if it leaves what was served. An edit that was
 * rolled back to a savepoint is noted, and is none.
 */
static bool
edit_settles(const Capture *c, const GroupUnit *u, const RowSet *rows)
{
	bool		ours = false;

	for (int i = 0; i < rows->n; i++)
		ours |= rows->rows[i].ours;
	return c->lot == 1 && ours && (has_siblings(c, u) || u->rule != RULE_NONE);
}

/* `settle`: whatever its rows are, the group has been edited. */
static void
unit_capture(Capture *c, int at, bool settle)
{
	GroupUnit  *u = &c->group->units[at];
	TableDesc  *t = capture_table(c, u->key, u->key_len);
	RowSet		rows;
	bool		edited;

	if (!t || c->progress[at] == UNIT_WRITTEN || (c->progress[at] == UNIT_LOOKED_AT && !settle))
		return;
	c->progress[at] = UNIT_LOOKED_AT;
	rows = unit_shown(c, t, c->zone->id, true, u->key, u->key_len);
	if (rows.n > 1 && t->number == TABLE_RECORDS && record_type(u->key, u->key_len) != TYPE_RRSIG &&
		record_type(u->key, u->key_len) != TYPE_SOA)	/* whose serial is hidden in these rows */
		rrset_ttl_even(t, &rows);
	edited = unit_edited(c, t, u, &rows);
	c->zone->changed |= edited && t->number == TABLE_RECORDS;
	if (!edited && !settle && !edit_settles(c, u, &rows))
		return;
	c->progress[at] = UNIT_WRITTEN;
	unit_write(c, t, u, &rows);
}

/* ---------- groups ---------- */

static int
group_place(Capture *c, const uint8 *key, size_t key_len)
{
	int			had = c->group->n;
	GroupUnit  *u = group_unit(c->group, key, key_len);
	int			at = (int) (u - c->group->units);

	if (c->group->n > had)		/* new: the others have moved up */
	{
		uint8	   *copy = palloc(key_len);

		memcpy(copy, key, key_len);
		u->key = copy;
		c->progress = repalloc(c->progress, (size_t) c->group->cap);
		memmove(c->progress + at + 1, c->progress + at, (size_t) (had - at));
		c->progress[at] = UNIT_NEW;
	}
	return at;
}

static void
group_begin(Capture *c, ZoneTouch *z, const uint8 *key, size_t key_len)
{
	size_t		len = group_prefix(key, key_len);
	uint8	   *prefix = palloc(len);

	memcpy(prefix, key, len);
	c->zone = z;
	c->written = false;
	c->group = z->ref.made ? group_none(&z->ref, prefix, len) : group_read(c->store, GetActiveSnapshot(), &z->ref, prefix, len);
	c->name.read = false;
	group_judge(c->group, &z->live, true, c->store, GetActiveSnapshot());
	c->before = group_copy(c->group);
	c->progress = palloc0((size_t) Max(c->group->cap, 1));
}

/* A name in a zone with DNAMEs: it is checked when all of the lot has been written. */
static void
dname_later(Capture *c)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	DnameName  *n = palloc(sizeof(DnameName));

	n->zone = c->zone;
	n->prefix = varlena_make(c->group->prefix, c->group->prefix_len);
	c->dname_names = lappend(c->dname_names, n);
	MemoryContextSwitchTo(old);
}

static void
dnames_check(Capture *c)
{
	ListCell   *lc;

	foreach(lc, c->dname_names)
	{
		DnameName  *n = lfirst(lc);
		MemoryContext old = MemoryContextSwitchTo(c->scratch);

		dname_check(c->store, GetActiveSnapshot(), n->zone, (uint8 *) VARDATA(n->prefix), VARSIZE(n->prefix) - VARHDRSZ);
		MemoryContextSwitchTo(old);
		MemoryContextReset(c->scratch);
	}
	list_free_deep(c->dname_names);
	c->dname_names = NIL;
}

/* What was in conflict is not any more, as far as it was seen. */
static void
conflict_settle(Capture *c)
{
	Live		was = live_shown(&c->zone->ref);

	for (int i = 0; i < c->group->n; i++)
		c->group->units[i].rule = RULE_NONE;	/* group_check() has seen to it */
	conflict_note(c->before, &was, c->group, &c->zone->live);
	if (key_number(c->group->prefix, c->group->prefix_len) == TABLE_DOMAINS && was.n > 0 && c->zone->live.n == 0)
		conflict_zone_gone(c->store, GetActiveSnapshot(), &c->zone->ref, &was);
}

/* What waits may have replaced in the store what the tables still show: his author sees that, and must fit in with it. */
static void
group_shown(Capture *c)
{
	for (int i = 0; i < c->group->n; i++)
	{
		GroupUnit  *u = &c->group->units[i];
		TableDesc  *t = capture_table(c, u->key, u->key_len);
		RowSet		rows;

		if (!t || c->progress[i] == UNIT_WRITTEN || u->served.live || !versions_wait(&u->set))
			continue;
		rows = unit_shown(c, t, c->zone->id, true, u->key, u->key_len);
		if (rows.n > 0)
			u->served = (Served) {.live = true, .ncolumns = t->ncolumns, .rows = rows, .rank = {.origin = own_dot().origin}};
	}
}

static void
group_look(Capture *c)
{
	bool	   *written = palloc(sizeof(bool) * (size_t) (c->group->n + 1));

	for (int i = 0; i < c->group->n; i++)
		written[i] = c->progress[i] == UNIT_WRITTEN;
	zone_look_at(&c->looks, c->store, c->zone, c->group, written);
}

/*
 * Of the keys of a zone the latest version tells whether it was meant to be left without one (store/rule.c). A key that was
 * written by a clock that is ahead may have a later stamp, though this author has seen it: it is written again, as it is.
 */
static bool
key_overtakes(const GroupUnit *u)
{
	for (int i = 0; i < u->set.n; i++)
		if (key_number(u->key, u->key_len) == TABLE_CRYPTOKEYS && u->set.v[i].seen && dot_later(u->set.v[i].dot, own_dot()))
			return true;
	return false;
}

/*
 * Has a name, as nearly all have, what rectification would give it? In a zone that is not signed, with records, no delegation
 * there and nothing between it and the apex, that is what a new record has.
 */
static bool
name_plain(const Capture *c)
{
	const ZoneRef *z = &c->zone->ref;

	return c->name.read && c->name.plain && c->name.full && (z->made || rectify_unsigned(z)) && rectify_may_be_plain(c->group);
}

/* What is derived of its records follows: also if only that has been edited. */
static void
group_rectify(Capture *c)
{
	int			table = key_number(c->group->prefix, c->group->prefix_len);
	bool		cut = false;

	if (!c->zone->id)
		return;
	if (c->zone->ref.made)
		rectify_new(c->rectify, &c->zone->ref, c->zone->id);
	if (table == TABLE_RECORDS && name_plain(c))
		return;
	for (int i = 0; i < c->group->n; i++)
		cut |= c->progress[i] == UNIT_WRITTEN && record_type(c->group->units[i].key, c->group->units[i].key_len) == TYPE_NS;
	if (table == TABLE_RECORDS)
		rectify_name(c->rectify, &c->zone->ref, c->zone->id, c->group->prefix + 2, c->group->prefix_len - 3, cut);
	else if (c->written && (table == TABLE_METADATA || table == TABLE_CRYPTOKEYS))
		rectify_zone(c->rectify, &c->zone->ref);
}

static void
group_end(Capture *c)
{
	MemoryContext old;

	if (!c->group)
		return;
	old = MemoryContextSwitchTo(c->scratch);
	if (c->written)
	{
		for (int i = 0; i < c->group->n; i++)
			if (c->progress[i] != UNIT_WRITTEN && (has_siblings(c, &c->group->units[i]) ||
												   c->group->units[i].rule != RULE_NONE || key_overtakes(&c->group->units[i])))
				unit_capture(c, i, true);
		group_shown(c);
		group_check(c->store, c->zone, c->group);
		conflict_settle(c);
		if (key_number(c->group->prefix, c->group->prefix_len) == TABLE_RECORDS)
		{
			group_look(c);
			if (zone_has_dname(c->store, c->zone))
				dname_later(c);
		}
	}
	group_rectify(c);
	c->group = c->before = NULL;
	MemoryContextSwitchTo(old);
	MemoryContextReset(c->scratch);
}

static bool
group_has(const Capture *c, const ZoneTouch *z, const uint8 *key, size_t key_len)
{
	return c->group && c->zone == z && key_len >= c->group->prefix_len &&
		memcmp(c->group->prefix, key, c->group->prefix_len) == 0 &&
		group_prefix(key, key_len) == c->group->prefix_len;
}

static void
note_unit(Capture *c, ZoneTouch *z, const uint8 *key, size_t key_len)
{
	static const uint8 domains[DOMAINS_KEY_SIZE] = {0, TABLE_DOMAINS};
	MemoryContext old;

	progress();
	if (c->lot > 1 && ++c->units % PROGRESS == 0)
		ereport(NOTICE, (errmsg("dnsrepl: %llu units captured", (unsigned long long) c->units)));
	zone_look(c, z);
	/* what is of no incarnation is dead everywhere: first the zone */
	if (z->id && z->live.n == 0 && key_number(key, key_len) != TABLE_DOMAINS)
		note_unit(c, z, domains, sizeof(domains));
	if (!group_has(c, z, key, key_len))
		group_end(c);
	old = MemoryContextSwitchTo(c->scratch);
	if (!c->group)
		group_begin(c, z, key, key_len);
	unit_capture(c, group_place(c, key, key_len), false);
	MemoryContextSwitchTo(old);
}

/* Of the zone's SOA record nothing but the serial has changed, and that is of no version: zone_serial_raise() sees to it. */
static bool
note_of_serial(Capture *c, ZoneTouch *z, const Note *note)
{
	size_t		len;
	const uint8 *name;

	if (!note->serial)
		return false;
	name = key_name(note->key, note->key_len, &len);
	zone_look(c, z);
	return z->live.n > 0 && len == z->ref.name_len && memcmp(name, z->ref.name, len) == 0 && zone_serial_kept(z);
}

/* ---------- unfolding ---------- */

/*
 * As the row's own trigger would note it, so that a unit that is in the store and in the tables is captured once: within
 * one lot nothing shows what was written.
 */
static bool
unfold_stored(int32 zone, const uint8 *key, size_t key_len, void *arg)
{
	const ZoneTouch *z = arg;
	TableDesc  *t = key_table(key, key_len);
	Note		note = {.kind = NOTE_NAMED, .name = z->ref.name, .name_len = z->ref.name_len,
	.key = key, .key_len = key_len};

	if (!t)
		return true;			/* of a table that is not here */
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
	return true;
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
	Relation	rel = table_open_as(t, AccessShareLock);
	StringInfoData key;
	ZoneValue	at = {.id = z ? z->id : 0};

	initStringInfo(&key);
	zone_rows(t, rel, GetActiveSnapshot(), z ? &at : NULL, unfold_row, &key);
	pfree(key.data);
	table_close(rel, NoLock);
}

/*
 * A zone whose row was deleted or made in this transaction. One that is gone, or that is new, has nothing of an earlier
 * incarnation to tell; one that was replaced is the same as before, and what the store has of it is compared.
 */
static void
unfold_zone(Capture *c, ZoneTouch *z, bool rows)
{
	TableDesc  *t;
	int			position = 0;

	zone_look(c, z);
	if (z->was_live && z->id)
		unit_walk(c->store, GetActiveSnapshot(), z->ref.number, (const uint8 *) "", 0, NULL, 0, unfold_stored, z);
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
		unit_walk(c->store, GetActiveSnapshot(), c->touched.zones[i].ref.number, prefix, sizeof(prefix), NULL, 0,
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
			note_unit(c, z, key, sizeof(key));
			break;
		case NOTE_STORED:
		case NOTE_ZONE:
			unfold_zone(c, z, note->kind == NOTE_ZONE);
			break;
		case NOTE_UNIT:
		case NOTE_NAMED:
			/* without a zone, or with one that is gone by now: it went in this transaction, and takes all with it */
			if (z && (z->id || z->ref.table) && !note_of_serial(c, z, note))
				note_unit(c, z, note->key, note->key_len);
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
		touched_collect(&c->touched, tries > 0);
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
zone_written(Capture *c, const ZoneTouch *z)
{
	if (c->nwritten == c->cap_written)
	{
		c->cap_written = Max(c->cap_written * 2, 16);
		c->zones_written = c->zones_written ? repalloc_huge(c->zones_written, sizeof(TransactionZone) * (size_t) c->cap_written)
			: palloc(sizeof(TransactionZone) * (size_t) c->cap_written);
	}
	c->zones_written[c->nwritten++] = (TransactionZone) {own_dot(), z->ref.number};
}

static void
capture_lot(Capture *c)
{
	Note		note;

	c->lot++;
	notes_begin();
	capture_lock(c);
	c->store = store_open(true);
	c->rectify = rectify_begin();
	notes_rewind();
	while (notes_next(&note))
		capture_note(c, &note);
	group_end(c);
	dnames_check(c);
	zone_looks_end(&c->looks, c->store, c->scratch);
	if (c->rel)
		table_close(c->rel, NoLock);
	c->rel = NULL;
	c->table = NULL;
	for (int i = 0; i < c->touched.n; i++)
	{
		ZoneTouch  *z = &c->touched.zones[i];

		if (z->looked)
			zone_serial_raise(c->store, z);
		if (z->written)
			zone_written(c, z);
	}
	rectify_end(c->rectify, c->store);
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
	transaction_zones_write(c.zones_written, c.nwritten);
	zone_looks_done(&c.looks);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(c.scratch);
}

/*
 * statement_timeout bounds the pass too: PostgreSQL has disarmed it when a transaction comes to its end. A timeout that comes when all
 * is done counts here, not when the transaction has been committed.
 */
static void
capture_within_timeout(void)
{
	bool		arm = MyBackendType == B_BACKEND && StatementTimeout > 0 && !get_timeout_active(STATEMENT_TIMEOUT);

	if (arm)
		enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
	capture_run();
	if (arm)
		disable_timeout(STATEMENT_TIMEOUT, false);
	CHECK_FOR_INTERRUPTS();
}

static void
capture_callback(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			table_code_in_call(false);	/* a call that failed may have left it so */
			if (notes_any())
				capture_within_timeout();
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
