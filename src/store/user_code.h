/*
 * user_code.h: with which settings code of users' runs in a merge: functions that choose, triggers, CHECKs, defaults.
 */
#ifndef DNSREPL_USER_CODE_H
#define DNSREPL_USER_CODE_H

#include "postgres.h"

/* Until the (sub)transaction ends: the same for everybody and at every node, whatever the session, the role or the database has. */
extern void user_code_settings_fixed(void);

/*
 * Until AtEOXact_GUC() or an error: what the client has set, by SET, in its options or for its role, is as it is there. One of a
 * name of its own (x.y), which users' code may ask for, is refused: 55000. What the server and the database have stays.
 */
extern void user_code_settings_guarded(void);

#endif
