/*
 * call.h: what every call of a link has in common (dnsrepl.hello() and the others that role dnsrepl_link may execute).
 */
#ifndef DNSREPL_CALL_H
#define DNSREPL_CALL_H

#include "postgres.h"

/*
 * First and last thing in such a function. name: a literal, for messages. user_code: triggers and the like of users' may run in it.
 * Raises 25001 within a transaction block or behind another command in a pipeline, 42501 in a session with temporary objects, 55000 in one
 * with settings that it cannot work with.
 */
extern int	call_begin(const char *name, bool user_code);
extern void call_end(int level);

/* hello(): the settings of its session. */
extern void call_session_settings(void);

#endif
