/*
 * rrset_ttl.h: the records of an RRset have one TTL (RFC 2181 section 5.2).
 */
#ifndef DNSREPL_RRSET_TTL_H
#define DNSREPL_RRSET_TTL_H

#include "store/relation.h"

/*
 * The rows of an RRset as a transaction leaves them: if their TTLs differ, all get that of the rows which it has written
 * itself, the smallest if these differ; in the tables too. Rows that somebody else has locked stay as they are.
 */
extern void rrset_ttl_even(TableDesc *records, RowSet *rows);

#endif
