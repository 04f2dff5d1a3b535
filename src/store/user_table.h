/*
 * user_table.h: how SQL functions of this extension read and write users' tables.
 */
#ifndef DNSREPL_USER_TABLE_H
#define DNSREPL_USER_TABLE_H

#include "postgres.h"

#include "utils/rel.h"

/* May the current user read all rows of it? Raises 42501 if not, also where row security would hide some from him. */
extern void user_table_may_read(Relation rel);

#endif
