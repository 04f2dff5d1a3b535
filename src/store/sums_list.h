/*
 * sums_list.h: what a node serves, zone by zone, as octets: for two nodes that hold the same and serve different things.
 */
#ifndef DNSREPL_SUMS_LIST_H
#define DNSREPL_SUMS_LIST_H

#include "lib/stringinfo.h"

#include "store/version.h"
#include "store/wire.h"

/* How compare() (merge/compare.c) finds two nodes. */
typedef enum CompareVerdict
{
	COMPARE_NOT_NOW = 0,		/* one of them holds something that the other does not */
	COMPARE_EQUAL = 1,
	COMPARE_DIFFERENT = 2
} CompareVerdict;

/* The zones that a node serves something of, in zone_order: items of zones as in a delta, each followed by u64 zone_sum(). */
extern void sums_list_encode(StringInfo out, const ZoneRef *zones, int n);

/* The next of them, and its sum; false at the end. Raises 08P01, 22P03. */
extern bool sums_list_next(WireReader *r, ZoneRef *zone, uint64 *sum);

#endif
