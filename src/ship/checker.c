/*
 * checker.c: see checker.h.
 *
 * In rounds: books are kept (dnsrepl.keep_books(), which is told since when this node is up), then all zones are looked at, some thousand units at a time
 * (dnsrepl.check_zones()), each in a transaction of its own. Between two of them it rests, so that it takes a small part of
 * one processor at most, and sees to it that the store is vacuumed (store_vacuum.c); a round begins dnsrepl.check_interval
 * after the last one did, or when that is done, if it took longer. What may be collected is found out at the start of a round; if since one that was completed nothing has been added to
 * it, nor to the store (a deletion that has been collected may come back from a node that has not heard), nothing is.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "dnsrepl.h"
#include "ship/checker.h"
#include "ship/link_state.h"
#include "ship/store_vacuum.h"
#include "ship/worker.h"
#include "store/clock.h"
#include "store/node.h"

#define UNITS_AT_ONCE	AT_ONCE(5000, 20)
#define REST			99		/* times as long as a step took */
#define REST_LEAST		10		/* ms */
#define LOOK			5000	/* ms: so often the store is looked at while this rests */
#define RETRY_FIRST		1000	/* ms, after an error */
#define RETRY_MOST		60000
#define UP_GAP			600		/* s: after a longer one between two looks this node was not up, but its machine asleep, or its clock was set */

typedef struct Checker
{
	MemoryContext round;		/* reset when one begins */
	MemoryContext kept;			/* what was collected last */
	bytea	   *stable;			/* may be collected; NULL: nothing, or nothing new */
	bytea	   *collected;		/* has been, all of it */
	uint64		commits,		/* of the store, when this round began */
				collected_at;	/* and that one */
	int32		next;
	bool		missed;			/* not all of `stable` could be collected */
	int32		damaged;		/* a zone whose store is not right, or 0 */
	bool		locked;			/* one such is locked, */
	char		hindered[LINK_ERROR_SIZE];	/* or a lock that is needed for all of them: which; empty: none */
	Backoff		backoff;
	char		complaint[LINK_ERROR_SIZE];
} Checker;

/* Since when this node is up without a gap, and when it was last seen to be. */
static TimestampTz up_since,
			up_seen;

static void
up_look(void)
{
	TimestampTz now = GetCurrentTimestamp();

	if (now < up_seen || now > TimestampTzPlusMilliseconds(up_seen, UP_GAP * 1000L))
		up_since = now;
	up_seen = now;
}

/* Is this database a node? */
static bool
checker_may(void)
{
	NodeInfo	node;

	return OidIsValid(get_extension_oid("dnsrepl", true)) && node_read(&node);
}

static bytea *
checker_bytea(const char *sql, MemoryContext context)
{
	bytea	   *result = NULL;
	bool		isnull;

	if (SPI_execute(sql, false, 0) == SPI_OK_SELECT && SPI_processed == 1)
	{
		Datum		d = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
		MemoryContext old = MemoryContextSwitchTo(context);

		if (!isnull)
			result = DatumGetByteaPCopy(d);
		MemoryContextSwitchTo(old);
	}
	return result;
}

static bool
bytea_same(const bytea *a, const bytea *b)
{
	return a && b && VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

/* False: there is nothing to look after. */
static bool
round_begin(Checker *c)
{
	bool		may;

	MemoryContextReset(c->round);
	c->stable = NULL;
	c->next = 0;
	c->missed = false;
	c->locked = false;
	c->hindered[0] = '\0';
	c->commits = pg_atomic_read_u64(&clock_slot()->commits);
	worker_begin();
	may = checker_may();
	if (may)
	{
		Oid			types[1] = {TIMESTAMPTZOID};
		Datum		values[1];

		up_look();
		values[0] = TimestampTzGetDatum(up_since);
		SPI_connect();
		SPI_execute_with_args("SELECT dnsrepl.keep_books($1)", 1, types, values, NULL, false, 0);
		c->stable = checker_bytea("SELECT dnsrepl.stable()", c->round);
		SPI_finish();
	}
	worker_commit();
	if (c->commits == c->collected_at && bytea_same(c->stable, c->collected))
		c->stable = NULL;
	return may;
}

bool
zone_damaged(int32 zone)
{
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(zone)};
	bool		done,
				isnull;

	worker_begin();
	SPI_connect();
	done = SPI_execute_with_args("SELECT dnsrepl.damage($1)", 1, types, values, NULL, false, 0) == SPI_OK_SELECT && SPI_processed == 1 &&
		DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	worker_commit();
	return done;
}

/*
 * The same in a round, which goes on if locks are not to be had, but soon begins again. Nothing is collected of a store that is not right.
 */
static void
round_damage(Checker *c)
{
	int32		zone = c->damaged;

	c->damaged = 0;
	c->stable = NULL;
	if (c->hindered[0])
		return;
	PG_TRY();
	{
		if (!zone_damaged(zone))
			c->locked = true;
	}
	PG_CATCH();
	{
		ErrorData  *error = worker_recover(c->round);

		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
			ReThrowError(error);
		link_error_format(c->hindered, sizeof(c->hindered), error->message ? error->message : "");
	}
	PG_END_TRY();
	MemoryContextSwitchTo(TopMemoryContext);
}

/* A damaged node may have nobody left to wait for. */
static void
damage_end(void)
{
	NodeInfo	node;

	worker_begin();
	if (OidIsValid(get_extension_oid("dnsrepl", true)) && node_read(&node) && node.damaged)
	{
		SPI_connect();
		SPI_execute("SELECT dnsrepl.end_damage()", false, 0);
		SPI_finish();
	}
	worker_commit();
}

static void
rest(TimestampTz until)
{
	TimestampTz now;

	while ((now = GetCurrentTimestamp()) < until)
	{
		up_look();
		store_vacuum();
		damage_end();
		(void) worker_wait(0, PGINVALID_SOCKET, Min(until, TimestampTzPlusMilliseconds(now, LOOK)));
	}
}

/* Some zones; false when that were all. */
static bool
round_step(Checker *c)
{
	Oid			types[3] = {INT4OID, INT8OID, BYTEAOID};
	Datum		values[3] = {Int32GetDatum(c->next), Int64GetDatum(UNITS_AT_ONCE), PointerGetDatum(c->stable)};
	bool		last = true,
				sound = true,
				isnull;

	worker_begin();
	if (checker_may())
	{
		SPI_connect();
		if (SPI_execute_with_args("SELECT next, damaged, missed FROM dnsrepl.check_zones($1, $2, $3)", 3, types, values,
								  c->stable ? NULL : "  n", false, 0) == SPI_OK_SELECT && SPI_processed == 1)
		{
			c->next = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &last));
			c->missed |= DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3, &isnull));
			c->damaged = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &sound));
		}
		SPI_finish();
	}
	worker_commit();
	if (sound)
		c->damaged = 0;
	return !last;
}

static void
round_end(Checker *c)
{
	if (!c->stable || c->missed)
		return;
	MemoryContextReset(c->kept);
	c->collected_at = c->commits;
	c->collected = MemoryContextAlloc(c->kept, VARSIZE(c->stable));
	memcpy(c->collected, c->stable, VARSIZE(c->stable));
}

/* All of it has been looked at, but not all that was found could be dealt with, and why; or why not even that. */
static TimestampTz
round_again(Checker *c, const char *complaint)
{
	if (strcmp(complaint, c->complaint) != 0)
		ereport(LOG, (errmsg("dnsrepl could not check all of its store: %s", complaint)));
	strlcpy(c->complaint, complaint, sizeof(c->complaint));
	backoff_fail(&c->backoff);
	return c->backoff.due;
}

/* All of a round, with rests between; returns when the next is due. */
static TimestampTz
round_do(Checker *c)
{
	TimestampTz started = GetCurrentTimestamp(),
				due;

	if (round_begin(c) && setting_check_interval > 0)
	{
		for (;;)
		{
			TimestampTz step = GetCurrentTimestamp();
			bool		more = round_step(c);
			TimestampTz now = GetCurrentTimestamp();

			if (c->damaged)
				round_damage(c);
			if (!more)
				break;
			rest(GetCurrentTimestamp() + Max((now - step) * REST, REST_LEAST * INT64CONST(1000)));
		}
		round_end(c);
	}
	due = TimestampTzPlusMilliseconds(started, setting_check_interval > 0 ? setting_check_interval : RETRY_MOST);
	if (c->hindered[0])
		return Min(due, round_again(c, c->hindered));
	if (c->locked)
		return Min(due, round_again(c, "a zone whose store is to be mended is locked by another transaction"));
	c->complaint[0] = '\0';
	backoff_init(&c->backoff, RETRY_FIRST, RETRY_MOST);
	return due;
}

static TimestampTz
round_failed(Checker *c)
{
	ErrorData  *error = worker_recover(c->round);
	char		complaint[LINK_ERROR_SIZE];

	link_error_format(complaint, sizeof(complaint), error->message ? error->message : "");
	return round_again(c, complaint);
}

void
checker_main(Datum arg)
{
	Oid			database;
	Checker		c = {0};

	worker_start(0);
	memcpy(&database, MyBgworkerEntry->bgw_extra, sizeof(database));
	worker_connect_oid(database);
	(void) clock_slot();
	c.round = AllocSetContextCreate(TopMemoryContext, "dnsrepl check", ALLOCSET_DEFAULT_SIZES);
	c.kept = AllocSetContextCreate(TopMemoryContext, "dnsrepl collected", ALLOCSET_DEFAULT_SIZES);
	backoff_init(&c.backoff, RETRY_FIRST, RETRY_MOST);
	for (;;)
	{
		volatile TimestampTz due = 0;

		MemoryContextSwitchTo(TopMemoryContext);
		PG_TRY();
		{
			due = round_do(&c);
			pgstat_report_activity(STATE_IDLE, NULL);
			rest(due);
		}
		PG_CATCH();
		{
			due = round_failed(&c);
		}
		PG_END_TRY();
		MemoryContextSwitchTo(TopMemoryContext);
		pgstat_report_activity(STATE_IDLE, NULL);
		while (GetCurrentTimestamp() < due)
			(void) worker_wait(0, PGINVALID_SOCKET, due);
	}
}
