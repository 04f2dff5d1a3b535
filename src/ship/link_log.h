/*
 * link_log.h: what the log hears of a link: that it is up, or down and why, once each; and once that it goes up and down.
 */
#ifndef DNSREPL_LINK_LOG_H
#define DNSREPL_LINK_LOG_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "ship/link_state.h"

/* All 0 in the beginning. */
typedef struct LinkLog
{
	bool		up;
	TimestampTz up_since;
	bool		unstable;		/* it came up and went down for the same reason again: the log has been told that */
	char		reason[LINK_ERROR_SIZE];	/* why it was down last, as the log was told; empty: not known */
	char		waits[LINK_ERROR_SIZE]; /* and what for it waits though it is there */
} LinkLog;

/* `kind`: "link" or "server". To be called as long as it is up, too. */
extern void link_log_up(LinkLog *log, const char *kind, const char *name);

/* The hint may be NULL. */
extern void link_log_down(LinkLog *log, const char *kind, const char *name, const char *reason, const char *hint);

/* It is there, and has to wait. */
extern void link_log_waits(LinkLog *log, const char *kind, const char *name, const char *reason);

#endif
