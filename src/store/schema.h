/*
 * schema.h: the extension's own relations by name.
 */
#ifndef DNSREPL_SCHEMA_H
#define DNSREPL_SCHEMA_H

#include "postgres.h"

#include "utils/rel.h"
#include "utils/snapshot.h"

/* A relation (table, index, sequence) of schema dnsrepl; InvalidOid if it is not there. Names are literals. */
extern Oid	schema_find(const char *name);

/* A function of schema dnsrepl without arguments; InvalidOid if it is not there. */
extern Oid	schema_function(const char *name);

/* As schema_find(), or 55000: the extension is not installed in this database. */
extern Oid	schema_oid(const char *name);

/*
 * Opens a table of schema dnsrepl that has just so many columns. 55000: it has been given others. (Rows are read by the place of
 * their columns.)
 */
extern Relation schema_table(const char *name, LOCKMODE mode, int natts);

/* Has it any row? */
extern bool schema_table_any(const char *name, Snapshot snapshot);

/*
 * The search_path of all code that is not its caller's: this extension's own SQL, and what the owner of a table has put on it
 * (CHECKs, defaults, triggers, index expressions) where this extension calls it. Temporary objects come last, since they come
 * first where they are not named.
 */
#define CODE_SEARCH_PATH "pg_catalog, pg_temp"

/*
 * Runs with the rights of the extension's owner, and with nobody else's search_path, until owner_leave(), or until an
 * error ends the (sub)transaction.
 */
typedef struct OwnerScope
{
	Oid			user;
	int			context;
	int			settings;
} OwnerScope;
extern OwnerScope owner_enter(void);
extern void owner_leave(OwnerScope scope);

/*
 * The same for code that is a role's, such as what a table's owner has put on it: with his rights, as a security-restricted
 * operation, so that nothing of it is left to run later with the rights of the caller. Ends by owner_leave() too.
 */
extern OwnerScope restricted_enter(Oid role);

/* One statement so; returns how many rows it has read or written. */
extern uint64 owner_execute(const char *sql, int nargs, Oid *types, Datum *values);

#endif
