/*
 * roster.h: which databases have a manager, and which must have none for a while.
 */
#ifndef DNSREPL_ROSTER_H
#define DNSREPL_ROSTER_H

#include "postgres.h"

extern Size roster_shmem_size(void);
extern void roster_shmem_init(LWLock *lock);

/* The launcher: this process is to be woken by launcher_wake(). Undone at exit. */
extern void launcher_enlist(void);
extern void launcher_wake(void);

/* The manager of this database: false if there is one or there must be none now. Undone at exit. */
extern bool manager_enlist(void);

/* Is there one? */
extern bool manager_enlisted(Oid database);

/*
 * No manager and no links for this database until as many releases: those that run are told to end. Waits,
 * at most so many ms, until they have.
 */
extern void database_hold(Oid database, int timeout);
extern void database_release(Oid database);
extern bool database_held(Oid database);

#endif
