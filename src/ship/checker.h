/*
 * checker.h: the process that has a node look after itself.
 */
#ifndef DNSREPL_CHECKER_H
#define DNSREPL_CHECKER_H

#include "postgres.h"

/* The worker's main function. */
extern PGDLLEXPORT void checker_main(Datum arg);

/*
 * The store of a zone is not what it was: dnsrepl.damage(), in a transaction of its own, since it takes the locks of a merge.
 * Raises 55P03 if these are not to be had; false: the zone is locked.
 */
extern bool zone_damaged(int32 zone);

#endif
