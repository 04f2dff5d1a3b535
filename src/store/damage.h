/*
 * damage.h: a node whose store was changed behind the extension's back (dnsrepl.node.damaged): what is known of that. How it is
 * mended: merge/mend.c.
 */
#ifndef DNSREPL_DAMAGE_H
#define DNSREPL_DAMAGE_H

#include "postgres.h"

#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "store/vector.h"

typedef struct Damage
{
	TimestampTz since;
	Vector	   *held;			/* what it held by its vector, and what the damaged members held whose versions have come since */
	int			n;
	pg_uuid_t  *salvaged;		/* those members */
} Damage;

/* Under the active snapshot; false if the store of this node is what it should be. */
extern bool damage_read(Damage *d);

/* The same, damaged since now: with what this node held. What is held of others is not known from now on. */
extern void damage_write(const Vector *held);

/*
 * The versions of a damaged member are in this store now, and with them those of the members that it had got them of: what they held.
 * Of those, members only are remembered.
 */
extern void damage_salvaged(const Damage *d, const Vector *held, const pg_uuid_t *from, const pg_uuid_t *by_it, int n);

/* In dnsrepl.check_problem, of a zone whose store was changed. */
#define DAMAGE_PROBLEM "the store has been changed behind the extension's back"

/* Has it been told that the zone's tables were not what the store had, before this was changed? */
extern bool damage_difference_told(int32 zone);

/* The store is what it should be. */
extern void damage_over(void);

/* Has every member that is not evicted sent its versions, damaged as it is? So there is nobody left to ask. */
extern bool damage_nobody_left(void);

/* A member that is not damaged has spoken: what it holds is waited for. */
extern void damage_sound_spoke(void);

/* Has none done so for a while? */
extern bool damage_none_sound(const Damage *d);

#endif
