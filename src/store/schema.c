/*
 * schema.c: see schema.h. What was found is remembered until a relation or a schema changes: the extension may be dropped
 * and made again under a worker's feet. It is found in the catalogs' caches, by nobody's rights: who writes a replicated table
 * need not be let into schema dnsrepl.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "store/schema.h"

#define FOUND	32

typedef struct Found
{
	const char *name;			/* a literal: the pointer is compared */
	Oid			oid;
} Found;

static Found found[FOUND];

static void
found_forget(Datum arg, int cache, uint32 hash)
{
	memset(found, 0, sizeof(found));
}

static Oid
relation_find(const char *name)
{
	Oid			schema = get_namespace_oid("dnsrepl", true);

	return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

static Oid
function_find(const char *name)
{
	Oid			schema = get_namespace_oid("dnsrepl", true);

	if (!OidIsValid(schema))
		return InvalidOid;
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name), PointerGetDatum(buildoidvector(NULL, 0)),
						   ObjectIdGetDatum(schema));
}

static Oid
find(const char *name, Oid (*look_up) (const char *name))
{
	static bool watching = false;
	Found	   *f = &found[(uintptr_t) name % FOUND];
	Oid			oid;

	if (f->name == name)
		return f->oid;
	if (!watching)
	{
		CacheRegisterSyscacheCallback(RELNAMENSP, found_forget, (Datum) 0);
		CacheRegisterSyscacheCallback(PROCNAMEARGSNSP, found_forget, (Datum) 0);
		CacheRegisterSyscacheCallback(NAMESPACENAME, found_forget, (Datum) 0);
		watching = true;
	}
	oid = look_up(name);
	if (OidIsValid(oid))
		*f = (Found) {name, oid};
	return oid;
}

Oid
schema_find(const char *name)
{
	return find(name, relation_find);
}

Oid
schema_function(const char *name)
{
	return find(name, function_find);
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

Relation
schema_table(const char *name, LOCKMODE mode, int natts)
{
	Relation	rel = table_open(schema_oid(name), mode);

	if (RelationGetDescr(rel)->natts != natts)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table dnsrepl.%s has other columns than this version of dnsrepl made", name),
				 errhint("The extension's own tables must not be altered.")));
	return rel;
}

bool
schema_table_any(const char *name, Snapshot snapshot)
{
	Relation	rel = table_open(schema_oid(name), AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	bool		any = HeapTupleIsValid(systable_getnext(scan));

	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return any;
}

static OwnerScope
scope_enter(Oid role, int context)
{
	OwnerScope	scope;

	GetUserIdAndSecContext(&scope.user, &scope.context);
	SetUserIdAndSecContext(role, scope.context | context);
	scope.settings = NewGUCNestLevel();
	(void) set_config_option("search_path", CODE_SEARCH_PATH, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return scope;
}

OwnerScope
owner_enter(void)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(schema_oid("version_store")));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for dnsrepl.version_store");
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return scope_enter(owner, SECURITY_LOCAL_USERID_CHANGE);
}

OwnerScope
restricted_enter(Oid role)
{
	return scope_enter(role, SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
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
