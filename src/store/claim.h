/*
 * claim.h: what others say that this node has written.
 */
#ifndef DNSREPL_CLAIM_H
#define DNSREPL_CLAIM_H

#include "postgres.h"

#include "store/codec.h"
#include "store/greeting.h"

/*
 * A vector from elsewhere. If it has stamps of this node's present life that this has never drawn: asks for a new life, in the
 * name of who has shown it (NULL: only looks), and raises 55000.
 */
extern void claims_check(const WireEntry *entries, int n, const char *by);

/* Of a delta: asks for a new life when it has been merged, and lets it pass; 55000 if it is too soon for another one. */
extern void claims_check_delta(const WireEntry *entries, int n, const char *by);

/* The same for encoded ones, and for all that a greeting has. What cannot be read is nobody's claim. */
extern void claims_check_encoded(const uint8 *vector, size_t len, const char *by);
extern void claims_check_greeting(const Greeting *g, const char *by);

#endif
