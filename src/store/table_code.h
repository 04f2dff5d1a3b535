/*
 * table_code.h: code that the owner of a table has put on it, where this extension calls it.
 */
#ifndef DNSREPL_TABLE_CODE_H
#define DNSREPL_TABLE_CODE_H

#include "postgres.h"

#include "utils/rel.h"

/*
 * An error context callback for what may call such code: where something that it names was not found, the hint says by which
 * search_path it was looked for.
 */
extern void table_code_hint(void *arg);

/*
 * Before such code runs with this role's rights: raises 42501 if the current user does not have them, and has temporary objects.
 * What the code names without a schema may be one of them.
 */
extern void temporary_objects_refuse(Oid role);

/* Before rows of a table are written as a replica does: the same, if that calls functions that are not PostgreSQL's. */
extern void table_code_guard(Relation rel);

#endif
