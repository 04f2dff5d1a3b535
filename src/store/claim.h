/*
 * claim.h: what is believed of the vectors that others send.
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

/* The same for encoded ones, and for all that a greeting has. What cannot be read is nobody's claim. */
extern void claims_check_encoded(const uint8 *vector, size_t len, const char *by);
extern void claims_check_greeting(const Greeting *g, const char *by);

/* Is nothing in an entry further ahead of the clock than dnsrepl.max_clock_skew? */
extern bool claim_in_time(const WireEntry *e);

/* Adds what of an entry is not further ahead, and what is, as ranges. */
extern void claim_add(Vector *in_time, Vector *beyond, int32 origin, const WireEntry *e);

/* A version that came with a stamp further ahead: that one is believed. In v's context. */
extern void claim_add_stamp(Vector *v, int32 origin, int64 stamp);

#endif
