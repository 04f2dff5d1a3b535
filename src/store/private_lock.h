/*
 * private_lock.h: locks of this extension in the server's lock manager, as advisory locks of the database. They are held
 * until the top transaction ends, unless it gives one back, or is prepared: then it has written nothing that is replicated.
 */
#ifndef DNSREPL_PRIVATE_LOCK_H
#define DNSREPL_PRIVATE_LOCK_H

#include "postgres.h"

#include "storage/lock.h"

typedef enum LockClass
{
	LOCK_STRIPE = 0x4400,		/* object: the stripe (stripe.h) */
	LOCK_ORIGIN,				/* making this life's origin row */
	LOCK_MERGE,					/* one merge at a time */
	LOCK_VECTOR,				/* writing dnsrepl.vector */
	LOCK_TURN,					/* object: a zone's id: who deletes records from it (write/delete_turn.c) */
	LOCK_POLICY,				/* exclusive: who changes policies; shared: who has made zones by them */
	LOCK_ZONE,					/* object: a hash of the zone (stripe.h) */
	LOCK_LIFE					/* shared: a stamp of this life is in flight; exclusive: the life ends, with none in flight */
} LockClass;

/* Waits as long as it takes; or with nowait is false if it is not to be had now. */
extern bool private_lock(LockClass cls, uint32 object, LOCKMODE mode, bool nowait);

/* Does this transaction hold it? */
extern bool private_lock_held(LockClass cls, uint32 object, LOCKMODE mode);

/* Gives those back, before the transaction ends, that it has taken since. */
extern int	private_lock_mark(void);
extern void private_unlock_since(int mark);

/* Runs fn, which waits for locks, in a subtransaction: false if they were not to be had within so many milliseconds. */
extern bool wait_within(int ms, void (*fn) (void *arg), void *arg);

/* Waits as long as others may be kept waiting meanwhile: LOCK_WAIT. Else raises 55P03, with `what` it is and who has it. */
#define LOCK_WAIT 500				/* ms; below deadlock_timeout */
extern void private_lock_soon(LockClass cls, uint32 object, LOCKMODE mode, const char *what);

/* The process that has it in that mode; 0: none. */
extern int	private_lock_holder(LockClass cls, uint32 object, LOCKMODE mode);

/* False if it is not to be had within so many milliseconds; waits in a subtransaction. */
extern bool private_lock_within(LockClass cls, uint32 object, LOCKMODE mode, int ms);

#endif
