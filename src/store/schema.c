/*
 * schema.c: see schema.h. Names are looked up each time: the syscache is quick, and the extension may be dropped
 * and made again under a worker's feet.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "store/schema.h"

Oid
schema_find(const char *name)
{
	Oid			schema = get_namespace_oid("dnsrepl", true);

	return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

Oid
schema_oid(const char *name)
{
	Oid			relid = schema_find(name);

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension dnsrepl is not installed in this database"),
				 errhint("Run CREATE EXTENSION dnsrepl.")));
	return relid;
}

OwnerScope
owner_enter(void)
{
	OwnerScope	scope;
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(schema_oid("version_store")));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for dnsrepl.version_store");
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	GetUserIdAndSecContext(&scope.user, &scope.context);
	SetUserIdAndSecContext(owner, scope.context | SECURITY_LOCAL_USERID_CHANGE);
	scope.settings = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
							 0, false);
	return scope;
}

void
owner_leave(OwnerScope scope)
{
	AtEOXact_GUC(true, scope.settings);
	SetUserIdAndSecContext(scope.user, scope.context);
}

uint64
owner_execute(const char *sql, int nargs, Oid *types, Datum *values)
{
	OwnerScope	scope = owner_enter();
	uint64		rows;

	SPI_connect();
	if (SPI_execute_with_args(sql, nargs, types, values, NULL, false, 0) < 0)
		elog(ERROR, "could not execute: %s", sql);
	rows = SPI_processed;
	SPI_finish();
	owner_leave(scope);
	return rows;
}
