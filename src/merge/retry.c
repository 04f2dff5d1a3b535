/*
 * retry.c: dnsrepl.project_parked(): what could not be projected when it came is tried again (store/parked.h has the states).
 *
 * Called by the manager: soon after a merge, when an author's transaction that stood in the way has ended, and after a
 * growing while. One call is one transaction and one turn: some sets of zones that wait together, or some zones of which something is
 * queued or refused; the next call goes on after them, and round. Each set is projected as one, in a subtransaction: all
 * of it, or, if a lock is not free, nothing. Then the unit that has run into it is tried, for a look and no more, after pauses that grow
 * to a second; if it runs into it no more, so is the whole, again and again after a pause that grows with what it has cost. Only a zone that is
 * queued goes in steps: nothing of it waits, and each step leaves it whole.
 *
 * Locks as a merge does: stripes, then the zones' rows, in zone_order (parked_set.c).
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "dnsrepl.h"
#include "merge/defer.h"
#include "merge/parked_set.h"
#include "merge/project.h"
#include "merge/zone_work.h"
#include "store/clock.h"
#include "store/origin.h"
#include "store/own.h"
#include "store/parked.h"
#include "store/policy.h"
#include "store/relation.h"
#include "store/schema.h"
#include "store/shown.h"
#include "store/subxact.h"
#include "store/version_row.h"

PG_FUNCTION_INFO_V1(dnsrepl_project_parked);

#define QUEUE_STEP AT_ONCE(5000, 3) /* groups of a queued zone in one turn */
#define BLOCKED_FIRST 50		/* ms until a set that ran into a lock is tried again, growing */
#define BLOCKED_MOST 1000
#define BLOCKED_COST 4			/* or so many times as long as the attempt took, */
#define BLOCKED_COST_MOST 60000	/* ms */
#define MAX_BLOCKED 64			/* sets of which that is remembered */

/* ---------- whose turn it is ---------- */

static struct
{
	bool		queue;			/* zones of which something is queued or refused; else sets that wait */
	int32		after;			/* the last set's, or zone's, number */
} turn;

typedef struct Blocked
{
	int32		number;			/* of a set, or -zone; 0: free */
	int			delay;			/* ms */
	TimestampTz due;
	int32		zone;			/* the unit that ran into the lock; 0: not known */
	size_t		key_len;
	uint8		key[MAX_KEY_SIZE];
} Blocked;

static Blocked blocked[MAX_BLOCKED];

static int32
set_name(const ParkedSet *s)
{
	return s->number ? s->number : -s->zones[0].ref.number;
}

static Blocked *
blocked_find(int32 name)
{
	for (int i = 0; i < MAX_BLOCKED; i++)
		if (blocked[i].number == name)
			return &blocked[i];
	return NULL;
}

/* Also where the lock was: the next look is at that unit first. The set that is due first gives way. */
static void
blocked_note(int32 name, TimestampTz began)
{
	Blocked    *b = blocked_find(name);
	TimestampTz now = GetCurrentTimestamp();
	long		took = TimestampDifferenceMilliseconds(began, now);

	if (!b)
	{
		b = &blocked[0];
		for (int i = 1; i < MAX_BLOCKED && b->number; i++)
			if (blocked[i].number == 0 || blocked[i].due < b->due)
				b = &blocked[i];
		*b = (Blocked) {.number = name};
	}
	b->delay = Min(BLOCKED_MOST, Max(BLOCKED_FIRST, b->delay * 2));
	b->due = TimestampTzPlusMilliseconds(now, Max(b->delay, Min(BLOCKED_COST_MOST, took * BLOCKED_COST)));
	b->zone = projection_zone;
	b->key_len = projection_key_len;
	memcpy(b->key, projection_key, b->key_len);
}

static bool
blocked_still(int32 name)
{
	const Blocked *b = blocked_find(name);

	if (!b || b->due <= GetCurrentTimestamp())
		return false;
	parked_turn.due = Min(parked_turn.due, b->due);
	return true;
}

static void
blocked_forget(int32 name)
{
	Blocked    *b = blocked_find(name);

	if (b)
		b->number = 0;
}

/*
 * Which of the sets are to be projected in this turn: as many as are free, until there is enough to do. One that has waited long may
 * make authors wait, if nothing is held yet. Where the next turn goes on.
 */
static void
sets_claim(ParkedSet *sets, int n)
{
	int			rows = 0,
				waits = -1,
				npatient = 0;

	for (int i = 0; i < n; i++)
		if (sets[i].patient && random() % ++npatient == 0)
			waits = i;
	if (waits >= 0 && !blocked_still(set_name(&sets[waits])))
	{
		sets[waits].claimed = set_claim(&sets[waits], true);
		rows = sets[waits].claimed ? sets[waits].nrows : 0;
	}
	for (int i = 0; i < n && (i == 0 || rows < ROWS_AT_ONCE); i++)
	{
		turn.after = sets[i].number ? sets[i].number : sets[i].zones[0].ref.number;
		if (i == waits || blocked_still(set_name(&sets[i])) || !set_claim(&sets[i], false))
			continue;
		sets[i].claimed = true;
		rows += sets[i].nrows;
	}
	sets_claim_rows(sets, n);
}

/* ---------- projecting ---------- */

static bool
row_is_zone(const ParkedRow *r)
{
	return VARSIZE_ANY_EXHDR(r->key) == 0;
}

/* The rest of a large zone is for the next turn; unless it has been queued again since, then all of it is. */
static void
row_go_on(const ParkedZone *z, const ParkedRow *r, const StringInfoData *last)
{
	Oid			types[4] = {INT4OID, BYTEAOID, INT4OID, BYTEAOID};
	Datum		values[4] = {Int32GetDatum(z->ref.number), PointerGetDatum(varlena_make(last->data, (size_t) last->len)),
	Int32GetDatum(r->tries), PointerGetDatum(r->after)};

	(void) parked_execute("UPDATE dnsrepl.parked SET after = $2 WHERE zone = $1 AND key = '' AND tries = $3 AND coalesce(after, '') = $4",
						  4, types, values);
}

/* All of a zone, or as much of it as a step takes; one with DNAMEs at once, since one name depends on another. */
static void
zone_retry(Work *w, ZoneWork *work, ParkedZone *z, ParkedRow *r, bool at_once)
{
	StringInfoData last;

	initStringInfo(&last);
	work->whole = true;
	r->goes_on = work_prefix(w, work, (const uint8 *) "", 0, (const uint8 *) VARDATA_ANY(r->after), VARSIZE_ANY_EXHDR(r->after),
							 at_once || z->ref.state.dnames > 0 ? 0 : QUEUE_STEP, &last);
	if (r->goes_on)
		row_go_on(z, r, &last);
	else
		work->count_anew = true;
}

/*
 * A zone that has got other incarnations is looked at as a whole and at once, by work_zone_end(): or it would go on showing
 * what was in it before. Of one of which nothing is shown yet, and all is parked, the walk by its rows does.
 */
static void
zone_rows_retry(Work *w, ZoneWork *work, ParkedZone *z, bool at_once)
{
	work->walk = work->walk && z->n > 0 && (work->was.n > 0 || !row_is_zone(&z->rows[0]));
	for (int i = 0; i < z->n; i++)
	{
		const uint8 *key = (const uint8 *) VARDATA_ANY(z->rows[i].key);
		size_t		len = VARSIZE_ANY_EXHDR(z->rows[i].key);

		if (work->walk && len > 0)
			work_absent(w, work, key, len);
		else if (!work->walk && len > 0)
			work_unit(w, work, key, len);
		else if (!work->walk)
			zone_retry(w, work, z, &z->rows[i], at_once);
	}
}

/* What the rows say has been done; those that were refused have been parked anew. */
static bool
set_projected(ParkedSet *s, const bool *shown)
{
	bool		any = false;

	for (int i = 0; i < s->n; i++)
	{
		ParkedZone *z = &s->zones[i];

		for (int k = 0; k < z->n; k++)
			any |= z->rows[k].goes_on || unit_projected(z->ref.number, z->rows[k].key, z->rows[k].tries, z->rows[k].after);
		if (shown[i])
			shown_forget(&z->ref);
	}
	return any;
}

/* All of a set; a lock that is not free is an error that undoes it. */
static void
set_project(void *arg)
{
	ParkedSet  *s = arg;
	Store	   *store = store_open(true);
	Work	   *work = work_begin(store, GetActiveSnapshot());
	ZoneWork   *done = palloc0(sizeof(ZoneWork) * (size_t) s->n);
	bool	   *shown = palloc0(sizeof(bool) * (size_t) s->n);

	for (int i = 0; i < s->n; i++)
	{
		work_zone(work, &done[i], &s->zones[i].ref);
		done[i].late = true;
		shown[i] = shown_any(GetActiveSnapshot(), &s->zones[i].ref);
		zone_rows_retry(work, &done[i], &s->zones[i], s->number > 0);
		work_zone_end(work, &done[i]);
	}
	work_end(work);
	parked_turn.came_on |= set_projected(s, shown);
	store_close(store);
}

/* It goes on waiting, for what is said now. */
static void
set_blocked(const ParkedSet *s)
{
	Oid			types[3] = {INT4ARRAYOID, INT4OID, TEXTOID};
	Datum		values[3] = {set_numbers(s), Int32GetDatum(projection_zone), CStringGetTextDatum(PARKED_LOCKED)};

	(void) parked_execute("WITH p AS (SELECT zone, key FROM dnsrepl.parked WHERE zone = ANY ($1) AND zone = $2 AND state <> 'refused'"
						  "  AND error <> $3 FOR UPDATE SKIP LOCKED)"
						  " UPDATE dnsrepl.parked q SET error = $3 FROM p WHERE q.zone = p.zone AND q.key = p.key", 3, types, values);
}

typedef struct Look
{
	ParkedZone *zone;
	const Blocked *at;
} Look;

static void
unit_look(void *arg)
{
	const Look *l = arg;
	Store	   *store = store_open(true);
	Work	   *work = work_begin(store, GetActiveSnapshot());
	ZoneWork	done;

	work_zone(work, &done, &l->zone->ref);
	done.late = true;
	done.walk = false;
	work_unit(work, &done, l->at->key, l->at->key_len);
	work_zone_end(work, &done);
	work_end(work);
	store_close(store);
}

/* Does the unit run into the lock still? Nothing of the look lasts. */
static bool
unit_blocked(ParkedSet *s)
{
	const Blocked *b = blocked_find(set_name(s));
	bool		drawn = own_dot_drawn();
	Look		l = {.at = b};
	ErrorData  *error;

	for (int i = 0; b && b->zone && i < s->n; i++)
		if (s->zones[i].ref.number == b->zone)
			l.zone = &s->zones[i];
	if (!l.zone)
		return false;
	error = subxact_try_and_undo(unit_look, &l);
	if (!drawn)
		own_dot_forget();
	return error && error_is_concurrency(error->sqlerrcode);
}

static void
set_retry(ParkedSet *s)
{
	TimestampTz began = GetCurrentTimestamp();
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl parked set", ALLOCSET_DEFAULT_SIZES),
				old = MemoryContextSwitchTo(context);
	bool		came_on = parked_turn.came_on;
	int			refusals = projection_refusals;
	bool		locked = unit_blocked(s);

	projection_refusals = refusals;
	if (!locked)
	{
		projection_zone = 0;
		began = GetCurrentTimestamp();
		locked = projection_try(set_project, s) != NULL;
	}
	if (!locked)
		blocked_forget(set_name(s));
	else
	{
		parked_turn.came_on = came_on;
		blocked_note(set_name(s), began);
		(void) blocked_still(set_name(s));
		set_blocked(s);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	CommandCounterIncrement();
}

/* The next sets, or zones; false: there is none. */
static bool
turn_take(void)
{
	int			n;
	ParkedSet  *sets = sets_next(turn.queue, turn.after, &n);

	if (n == 0)
		return false;
	sets_claim(sets, n);
	for (int i = 0; i < n; i++)
	{
		if (!sets[i].claimed)
			continue;
		PushActiveSnapshot(GetLatestSnapshot());
		if (set_read(&sets[i], Max(MAX_REFUSALS - projection_refusals, 0)))
		{
			policies_refresh();	/* as new as the rows that say that they have changed */
			set_retry(&sets[i]);
		}
		else
			parked_turn.came_on = true; /* it has: others did it */
		PopActiveSnapshot();
	}
	return true;
}

/* How many rows are left, and when the next that was refused is due. */
static int64
parked_count(void)
{
	OwnerScope	scope = owner_enter();
	int64		n;
	TimestampTz due;
	bool		isnull;

	SPI_connect();
	SPI_execute("SELECT count(*) + (SELECT count(*) FROM dnsrepl.deferred), min(" REFUSED_DUE ") FILTER (WHERE state = 'refused') FROM dnsrepl.parked p", false, 1);	/* with a new snapshot */
	n = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	due = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	if (!isnull)
		parked_turn.due = Min(parked_turn.due, due);
	SPI_finish();
	owner_leave(scope);
	return n;
}

/* project_parked() returns bigint: takes one turn, or merges a delta that was kept; how many rows are left of both */
Datum
dnsrepl_project_parked(PG_FUNCTION_ARGS)
{
	int64		left;

	tables_refresh();
	/* before the look: what is parked after it raises it again */
	pg_atomic_write_u32(&clock_slot()->parked, 0);
	parked_turn = (ParkedTurn) {.due = DT_NOEND};
	projection_refusals = 0;
	parked_turn.came_on = defer_merge();
	for (int i = 0; i < 2 && !parked_turn.came_on && !parked_turn.round_over && !turn_take(); i++)
	{
		parked_turn.round_over = turn.queue;
		turn.queue = !turn.queue;
		turn.after = 0;
	}
	lives_close();				/* here only because the manager calls this first of all; last, as its locks are last */
	left = parked_count();
	if (left)
		clock_units_parked();
	PG_RETURN_INT64(left);
}
