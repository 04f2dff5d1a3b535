/*
 * stripe.c: see stripe.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "dnsrepl.h"
#include "store/clock.h"
#include "store/origin.h"
#include "store/stripe.h"

uint32
stripe_of(const ZoneRef *z)
{
	if (z->table)
		return (uint32) z->table % STRIPES;
	return hash_bytes(z->name, (int) z->name_len) % STRIPES;
}

void
stripe_share(const ZoneRef *z)
{
	private_lock(LOCK_STRIPE, stripe_of(z), ShareLock, false);
	clock_stripe_held();
}

bool
stripe_exclude(uint32 stripe, int wait_ms)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	int			timeout = LockTimeout;
	volatile bool got = false;

	if (private_lock(LOCK_STRIPE, stripe, ExclusiveLock, true))
		return true;
	if (wait_ms <= 0)
		return false;
	BeginInternalSubTransaction(NULL);
	LockTimeout = wait_ms;
	PG_TRY();
	{
		got = private_lock(LOCK_STRIPE, stripe, ExclusiveLock, false);
		LockTimeout = timeout;
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		int			code = geterrcode();

		LockTimeout = timeout;
		if (code != ERRCODE_LOCK_NOT_AVAILABLE && code != ERRCODE_T_R_DEADLOCK_DETECTED)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return got;
}
