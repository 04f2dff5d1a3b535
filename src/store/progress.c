/*
 * progress.c: see progress.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "store/progress.h"

static bool reports = false;	/* this session is a peer's */
static TimestampTz reported;	/* when the peer last heard of us */

void
progress_begin(void)
{
	reports = true;
	reported = GetCurrentTimestamp();
}

void
progress(void)
{
	TimestampTz now;

	CHECK_FOR_INTERRUPTS();
	if (!reports)
		return;
	now = GetCurrentTimestamp();
	if (!TimestampDifferenceExceeds(reported, now, PROGRESS_EVERY))
		return;
	reported = now;
	ereport(NOTICE, (errmsg("at work")));
}
