/*
 * stripe.h: the locks that let authors and projection stay out of each other's rows (DESIGN 4).
 *
 * An author's transaction holds its zones in share mode from its first change to its end; projection of a zone holds it
 * exclusively, and gives up soon rather than wait. A zone has a lock of its own, and is of one of STRIPES stripes: whoever has many
 * zones locks stripes instead, so that any number of zones fits the server's lock table. Whoever locks a zone says so at its stripe, by
 * the modes that PostgreSQL itself has for tables and their rows:
 *
 *                                   the stripe         the zone
 *   author of few zones             RowShareLock       ShareLock
 *   author of many                  ShareLock          -
 *   projection of few zones         RowExclusiveLock   ExclusiveLock
 *   projection of many              ExclusiveLock      -
 *
 * So a transaction in one zone keeps that one waiting and no other; one over more than ZONES_ONE_BY_ONE zones may keep others.
 * Lock order: stripes and zones, then zone rows (zone_order), then serving rows.
 */
#ifndef DNSREPL_STRIPE_H
#define DNSREPL_STRIPE_H

#include "store/version.h"

#define ZONES_ONE_BY_ONE AT_ONCE(250, 3)	/* zones of one transaction that it locks so; the others by stripes */

/* For an author: waits. */
extern void stripe_share(const ZoneRef *zone);

/*
 * For projection: locks zones as far as they are to be had, waiting for each one, or stripe, so long (ms), and for all that long; how
 * many were not. why[i]: NULL, or what keeps zone i, in words. Runs subtransactions if it has to wait.
 */
extern int	zones_exclude(const ZoneRef *const *zones, int n, int each_ms, int all_ms, const char **why);

/* The process of an author of a zone, or of many; 0: none. */
extern int	zone_author(const ZoneRef *zone);

#endif
