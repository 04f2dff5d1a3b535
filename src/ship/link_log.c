/*
 * link_log.c: see link_log.h.
 *
 * A reason is the same if it differs in its numbers only (a clock that is 600 s behind, then 601). A link that has been up for less than
 * LINK_STABLE and goes down for the reason for which it was down before has not changed: the log hears of it once, and of the next change.
 */
#include "postgres.h"

#include "ship/link_log.h"

#define LINK_STABLE		300000	/* ms */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
reason_same(const char *a, const char *b)
{
	for (;; a++, b++)
	{
		if (is_digit(*a) && is_digit(*b))
		{
			while (is_digit(a[1]))
				a++;
			while (is_digit(b[1]))
				b++;
		}
		else if (*a != *b)
			return false;
		else if (*a == '\0')
			return true;
	}
}

static bool
is_stable(const LinkLog *log)
{
	return TimestampDifferenceExceeds(log->up_since, GetCurrentTimestamp(), LINK_STABLE);
}

void
link_log_up(LinkLog *log, const char *kind, const char *name)
{
	log->waits[0] = '\0';
	if (!log->up)
	{
		log->up = true;
		log->up_since = GetCurrentTimestamp();
		if (!log->unstable)
			ereport(LOG, (errmsg("%s \"%s\" is up", kind, name)));
	}
	else if (*log->reason && is_stable(log))
	{
		if (log->unstable)
			ereport(LOG, (errmsg("%s \"%s\" is up", kind, name)));
		log->unstable = false;
		log->reason[0] = '\0';
	}
}

void
link_log_down(LinkLog *log, const char *kind, const char *name, const char *reason, const char *hint)
{
	bool		same = reason_same(log->reason, reason) && !(log->up && is_stable(log));

	if (!same)
	{
		log->unstable = false;
		ereport(LOG, (errmsg("%s \"%s\" is down: %s", kind, name, reason), hint ? errhint("%s", hint) : 0));
	}
	else if (log->up && !log->unstable)
	{
		log->unstable = true;
		ereport(LOG,
				(errmsg("%s \"%s\" is down again: %s", kind, name, reason),
				 errdetail("That is not logged again before it has been up for %d s, or is down for another reason.", LINK_STABLE / 1000),
				 hint ? errhint("%s", hint) : 0));
	}
	log->up = false;
	strlcpy(log->reason, reason, sizeof(log->reason));
}

void
link_log_waits(LinkLog *log, const char *kind, const char *name, const char *reason)
{
	if (!reason_same(log->waits, reason))
		ereport(LOG, (errmsg("%s \"%s\" waits: %s", kind, name, reason)));
	log->up = false;
	strlcpy(log->waits, reason, sizeof(log->waits));
}
