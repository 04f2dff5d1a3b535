/*
 * subxact.h: work that may fail and must not take the rest of the transaction along.
 */
#ifndef DNSREPL_SUBXACT_H
#define DNSREPL_SUBXACT_H

#include "postgres.h"

/*
 * Runs fn in a subtransaction: NULL, or the error that undid it, in the current context. A caller to whom that error means nothing
 * raises it again by ReThrowError(): here, where the subtransaction has ended, and not within it. Outside a block the server would take
 * that for an error in a block that goes on, and refuse the session's next commands (25P02).
 */
extern ErrorData *subxact_try(void (*fn) (void *arg), void *arg);

/* The same, and nothing of it lasts if it succeeds either. */
extern ErrorData *subxact_try_and_undo(void (*fn) (void *arg), void *arg);

/*
 * Is an error of the server's state (no memory, a cancel, a disk), not about the data? Then the whole transaction fails, and is tried again
 * by whoever sent it.
 */
extern bool error_is_ours(int sqlerrcode);

/* Is it one by which somebody else's lock is told? */
extern bool error_is_lock(int sqlerrcode);

/* The same, or by which somebody else's change is: what it undid goes when he has ended. */
extern bool error_is_concurrency(int sqlerrcode);

#endif
