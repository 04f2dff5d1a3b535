/*
 * result_set.h: a function that returns a set, all of it at once.
 */
#ifndef DNSREPL_RESULT_SET_H
#define DNSREPL_RESULT_SET_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/tuplestore.h"

/* Where its rows go, and what they look like. Raises 0A000 where a set cannot be taken. */
extern Tuplestorestate *result_set_begin(FunctionCallInfo fcinfo, TupleDesc *desc);

#endif
