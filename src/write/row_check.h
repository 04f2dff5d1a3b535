/*
 * row_check.h: the check of one row of PowerDNS's tables as it is written.
 */
#ifndef DNSREPL_ROW_CHECK_H
#define DNSREPL_ROW_CHECK_H

#include "store/relation.h"

/* Raises 22P02 for a record that is not valid DNS: which part, and why. */
extern void row_check(TableDesc *t, TupleTableSlot *slot);

/* A row that belongs to no unit: an empty non-terminal, or 23502. */
extern void row_check_unitless(TableDesc *t, TupleTableSlot *slot);

#endif
