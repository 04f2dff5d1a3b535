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

/*
 * Whose rights such code runs with: its owner's, where this extension writes for a peer or for whoever has them anyway. At the commit of
 * somebody else it is that author, as when he wrote his rows: what his session has compiled of the owner's functions may be bound to types
 * and functions of his.
 */
extern Oid	table_code_role(Oid owner);

/* A call of a link begins, and ends. */
extern void table_code_in_call(bool begins);

/* Before rows of a table are written as a replica does: the same, if that calls functions that are not PostgreSQL's. */
extern void table_code_guard(Relation rel);

#endif
