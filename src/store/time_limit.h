/*
 * time_limit.h: how long something may take in this session before the server puts an end to it.
 */
#ifndef DNSREPL_TIME_LIMIT_H
#define DNSREPL_TIME_LIMIT_H

#include "postgres.h"

/*
 * What follows is cancelled (57014) after so many ms, and if that does not end it, the session ends TIME_LIMIT_GRACE ms later.
 * what: a literal, for the log.
 */
#define TIME_LIMIT_GRACE 1000
extern void time_limit_begin(int ms, const char *what);

/* It is over, by itself or by an error. True: it was cancelled by its limit, and by nobody else. */
extern bool time_limit_end(void);

/* Has the limit made this session end? For before_shmem_exit(). */
extern bool time_limit_ends_session(void);

/* If this transaction is still open after so many ms, its session ends. The first call in a transaction counts. */
extern void time_limit_transaction(int ms);

#endif
