/*
 * stripe.h: the locks that let authors and projection stay out of each other's rows (DESIGN 4).
 *
 * An author's transaction holds its zones' stripes in share mode from its first change to its end; projection of a
 * zone holds it exclusively, and gives up soon rather than wait. There is a fixed number, so any number of zones fits
 * the server's lock table. Lock order: stripes, then zone rows (zone_order), then serving rows.
 */
#ifndef DNSREPL_STRIPE_H
#define DNSREPL_STRIPE_H

#include "store/version.h"

extern uint32 stripe_of(const ZoneRef *zone);

/* For an author: waits. */
extern void stripe_share(const ZoneRef *zone);

/* For projection: false if it is not to be had within the time (ms). Runs a subtransaction if it has to wait. */
extern bool stripe_exclude(uint32 stripe, int wait_ms);

/* Does this transaction hold it so? */
extern bool stripe_excluded(uint32 stripe);

/* Before the transaction has done anything by it. */
extern void stripe_release(uint32 stripe);

#endif
