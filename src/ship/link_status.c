/*
 * link_status.c: link_status(): what dnsrepl.status shows of one link. Reads only.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "dnsrepl.h"
#include "ship/launcher.h"
#include "ship/link_state.h"
#include "ship/roster.h"
#include "store/clock.h"
#include "store/delta.h"
#include "store/origin.h"

#define MAX_BEHIND 1000000

enum
{
	STATUS_STATE, STATUS_BEHIND_UNITS, STATUS_BEHIND_SINCE, STATUS_LAST_CONTACT, STATUS_LAST_ERROR, STATUS_CLOCK_SKEW, STATUS_WAITING_SINCE, STATUS_NATTS
};

PG_FUNCTION_INFO_V1(link_status);

/* Why this database has no links at all, in words; NULL if it has, or could. */
static const char *
node_obstacle(bool set_up)
{
	List	   *names;
	ListCell   *lc;
	bool		valid;

	if (!clock_available() || !link_state_available())
		return "dnsrepl is not preloaded (shared_preload_libraries)";
	if (RecoveryInProgress())
		return "this server is a standby: its links start when it is promoted";
	if (!set_up)
		return "this database is not a node yet: run dnsrepl.setup()";
	names = databases_listed(&valid);
	if (!valid)
		return "the list in dnsrepl.databases is not valid";
	foreach(lc, names)
		if (strcmp(lfirst(lc), get_database_name(MyDatabaseId)) == 0)
			return NULL;
	return "this database is not in dnsrepl.databases";
}

static const char *
phase_name(LinkPhase phase)
{
	switch (phase)
	{
		case LINK_CONNECTING:
			return "connecting";
		case LINK_CATCHING_UP:
			return "catching up";
		case LINK_STREAMING:
			return "streaming";
		case LINK_DOWN:
			break;
	}
	return "down";
}

/* What the peer lacks, going by what it said last; by nothing at all if it has said nothing since the server started. */
static void
status_behind(const LinkState *link, bool known, Datum *values, bool *nulls)
{
	int64		oldest = 0;
	int64		units = 0;

	if (known && link->acked >= pg_atomic_read_u64(&clock_slot()->commits))
		units = 0;
	else if (known && link->known && link->vector_len < 0)
		return;					/* too large to be kept: not known */
	else if (known && link->known)
		units = delta_count_lacking(link->vector, (size_t) link->vector_len, MAX_BEHIND, &oldest);
	else
		units = delta_count_lacking(NULL, 0, MAX_BEHIND, &oldest);
	values[STATUS_BEHIND_UNITS] = Int64GetDatum(units);
	nulls[STATUS_BEHIND_UNITS] = false;
	if (units > 0 && oldest)
	{
		values[STATUS_BEHIND_SINCE] = TimestampTzGetDatum(stamp_time(oldest));
		nulls[STATUS_BEHIND_SINCE] = false;
	}
}

/* link_status(name text, paused boolean) */
Datum
link_status(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		paused = PG_GETARG_BOOL(1);
	NodeInfo	node;
	bool		set_up = node_read(&node);
	const char *obstacle = node_obstacle(set_up);
	LinkState  *link = palloc0(sizeof(LinkState));
	bool		known = link_state_available() && link_state_read(MyDatabaseId, name, link);
	const char *error = NULL;
	Datum		values[STATUS_NATTS] = {0};
	bool		nulls[STATUS_NATTS];
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	memset(nulls, true, sizeof(nulls));

	if (known && *link->last_error)
		error = link->last_error;
	if (obstacle)
		error = obstacle;
	else if (!paused && !link->pid && !manager_enlisted(MyDatabaseId))
		error = "the manager of links is not running: see the server's log";
	else if (!paused && !known)
		error = "the link has not been started (a server can have 256)";
	values[STATUS_STATE] = CStringGetTextDatum(paused ? "paused" : obstacle || !known ? "down" : phase_name(link->phase));
	nulls[STATUS_STATE] = false;
	if (known && link->last_contact)
	{
		values[STATUS_LAST_CONTACT] = TimestampTzGetDatum(link->last_contact);
		nulls[STATUS_LAST_CONTACT] = false;
	}
	if (known && link->waits_since)
	{
		values[STATUS_WAITING_SINCE] = TimestampTzGetDatum(link->waits_since);
		nulls[STATUS_WAITING_SINCE] = false;
	}
	if (known && link->skew_known)
	{
		Interval   *skew = palloc0(sizeof(Interval));

		skew->time = link->skew;
		values[STATUS_CLOCK_SKEW] = IntervalPGetDatum(skew);
		nulls[STATUS_CLOCK_SKEW] = false;
	}
	if (error && !(paused && !obstacle))
	{
		values[STATUS_LAST_ERROR] = CStringGetTextDatum(error);
		nulls[STATUS_LAST_ERROR] = false;
	}
	if (set_up && clock_available())
		status_behind(link, known, values, nulls);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
