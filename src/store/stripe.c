/*
 * stripe.c: see stripe.h.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "dnsrepl.h"
#include "store/clock.h"
#include "store/parked.h"
#include "store/private_lock.h"
#include "store/progress.h"
#include "store/stripe.h"

#define ZONES_OF_STRIPES AT_ONCE(1000, 5)	/* zones that are locked one by one, of many, where a stripe is not to be had */

static uint32
zone_hash(const ZoneRef *z)
{
	return z->table ? (uint32) z->table : hash_bytes(z->name, (int) z->name_len);
}

static uint32
stripe_of(const ZoneRef *z)
{
	return zone_hash(z) % STRIPES;
}

/* ---------- authors ---------- */

void
stripe_share(const ZoneRef *z)
{
	static LocalTransactionId shared_by = InvalidLocalTransactionId;
	static int	shared = 0;

	if (shared_by != MY_LXID)
	{
		shared_by = MY_LXID;
		shared = 0;
	}
	clock_stripe_held();
	if (shared >= ZONES_ONE_BY_ONE)
	{
		private_lock(LOCK_STRIPE, stripe_of(z), ShareLock, false);
		return;
	}
	shared++;
	private_lock(LOCK_STRIPE, stripe_of(z), RowShareLock, false);
	private_lock(LOCK_ZONE, zone_hash(z), ShareLock, false);
}

/* ---------- projection ---------- */

typedef struct Patience
{
	int			each;
	TimestampTz until;			/* 0: no time at all */
} Patience;

static bool
lock_within(LockClass cls, uint32 object, LOCKMODE mode, const Patience *p)
{
	long		left;

	if (private_lock(cls, object, mode, true))
		return true;
	left = p->until ? TimestampDifferenceMilliseconds(GetCurrentTimestamp(), p->until) : 0;
	return left > 0 && private_lock_within(cls, object, mode, (int) Min(left, p->each));
}

static const char *
zone_exclude(const ZoneRef *z, const Patience *p)
{
	if (!lock_within(LOCK_STRIPE, stripe_of(z), RowExclusiveLock, p))
		return PARKED_AUTHOR_OF_MANY;
	return lock_within(LOCK_ZONE, zone_hash(z), ExclusiveLock, p) ? NULL : PARKED_AUTHOR;
}

int
zones_exclude(const ZoneRef *const *zones, int n, int each_ms, int all_ms, const char **why)
{
	Patience	patient = {each_ms, all_ms > 0 ? TimestampTzPlusMilliseconds(GetCurrentTimestamp(), all_ms) : 0},
				none = {0};
	bool		asked[STRIPES] = {0},
				got[STRIPES] = {0};
	int			singly = n <= ZONES_ONE_BY_ONE ? n : ZONES_OF_STRIPES,
				missed = 0;

	for (int i = 0; i < n; i++)
	{
		uint32		s = stripe_of(zones[i]);

		progress();
		why[i] = NULL;
		if (n > ZONES_ONE_BY_ONE && !asked[s])
			got[s] = lock_within(LOCK_STRIPE, s, ExclusiveLock, &patient);
		asked[s] = true;
		if (!got[s])
			why[i] = singly-- > 0 ? zone_exclude(zones[i], n > ZONES_ONE_BY_ONE ? &none : &patient) : PARKED_AUTHOR_OF_MANY;
		missed += why[i] != NULL;
	}
	return missed;
}

/* ---------- for people ---------- */

int
zone_author(const ZoneRef *z)
{
	int			pid = private_lock_holder(LOCK_ZONE, zone_hash(z), ShareLock);

	return pid ? pid : private_lock_holder(LOCK_STRIPE, stripe_of(z), ShareLock);
}
