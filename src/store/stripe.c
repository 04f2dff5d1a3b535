/*
 * stripe.c: see stripe.h.
 */
#include "postgres.h"

#include "common/hashfn.h"

#include "dnsrepl.h"
#include "store/clock.h"
#include "store/private_lock.h"
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
stripe_excluded(uint32 stripe)
{
	return private_lock_held(LOCK_STRIPE, stripe, ExclusiveLock);
}

void
stripe_release(uint32 stripe)
{
	private_unlock(LOCK_STRIPE, stripe, ExclusiveLock);
}

bool
stripe_exclude(uint32 stripe, int wait_ms)
{
	return private_lock_within(LOCK_STRIPE, stripe, ExclusiveLock, wait_ms);
}
