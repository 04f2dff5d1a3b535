/*
 * schema.h: the extension's own relations by name.
 */
#ifndef DNSREPL_SCHEMA_H
#define DNSREPL_SCHEMA_H

#include "postgres.h"

/* A relation (table, index, sequence) of schema dnsrepl; InvalidOid if it is not there. Names are literals. */
extern Oid	schema_find(const char *name);

/* A function of schema dnsrepl without arguments; InvalidOid if it is not there. */
extern Oid	schema_function(const char *name);

/* As schema_find(), or 55000: the extension is not installed in this database. */
extern Oid	schema_oid(const char *name);

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

/* One statement so; returns how many rows it has read or written. */
extern uint64 owner_execute(const char *sql, int nargs, Oid *types, Datum *values);

#endif
