/*
 * attempt.h: what may fail because of the data that it is given, and must not take the rest along.
 */
#ifndef DNSREPL_ATTEMPT_H
#define DNSREPL_ATTEMPT_H

/*
 * Runs fn in a subtransaction. NULL, or the message of the error that undid it, in the current context. Errors that are of the server's
 * state, not of the data (no memory, a cancel, a disk), are raised.
 */
extern const char *attempt(void (*fn) (void *arg), void *arg);

#endif
