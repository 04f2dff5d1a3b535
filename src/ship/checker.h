/*
 * checker.h: the process that has a node look after itself.
 */
#ifndef DNSREPL_CHECKER_H
#define DNSREPL_CHECKER_H

#include "postgres.h"

/* The worker's main function. */
extern PGDLLEXPORT void checker_main(Datum arg);

#endif
