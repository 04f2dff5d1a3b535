/*
 * table_shape.c: see table_shape.h.
 *
 * Tables belong to their users, who may alter them; a value that is taken for another type than it has is an address that is none.
 * So a description of a table (relation.c) is made only of columns that have been looked at here, and counts for as long as the
 * table is not altered.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "store/relation.h"
#include "store/schema.h"
#include "store/table_shape.h"

/* Numbers as setup_tables() and setup() give them. */
static const struct
{
	int16		table;
	const char *column;
	ShapeKind	kind;
}			shapes[] = {
	{TABLE_DOMAINS, "id", SHAPE_INT4}, {TABLE_DOMAINS, "name", SHAPE_NAME}, {TABLE_DOMAINS, "type", SHAPE_TEXT},
	{TABLE_DOMAINS, "master", SHAPE_TEXT}, {TABLE_DOMAINS, "account", SHAPE_TEXT}, {TABLE_DOMAINS, "options", SHAPE_TEXT},
	{TABLE_DOMAINS, "catalog", SHAPE_TEXT},
	{TABLE_RECORDS, "domain_id", SHAPE_INT4}, {TABLE_RECORDS, "name", SHAPE_NAME}, {TABLE_RECORDS, "type", SHAPE_RRTYPE},
	{TABLE_RECORDS, "content", SHAPE_TEXT}, {TABLE_RECORDS, "ttl", SHAPE_INT4}, {TABLE_RECORDS, "prio", SHAPE_INT4},
	{TABLE_RECORDS, "disabled", SHAPE_BOOL},
	{TABLE_METADATA, "domain_id", SHAPE_INT4}, {TABLE_METADATA, "kind", SHAPE_TEXT}, {TABLE_METADATA, "content", SHAPE_TEXT},
	{TABLE_CRYPTOKEYS, "domain_id", SHAPE_INT4}, {TABLE_CRYPTOKEYS, "flags", SHAPE_INT4}, {TABLE_CRYPTOKEYS, "active", SHAPE_BOOL},
	{TABLE_CRYPTOKEYS, "published", SHAPE_BOOL}, {TABLE_CRYPTOKEYS, "content", SHAPE_TEXT},
	{TABLE_COMMENTS, "domain_id", SHAPE_INT4}, {TABLE_COMMENTS, "name", SHAPE_NAME}, {TABLE_COMMENTS, "type", SHAPE_RRTYPE},
	{TABLE_COMMENTS, "modified_at", SHAPE_INT4}, {TABLE_COMMENTS, "account", SHAPE_TEXT}, {TABLE_COMMENTS, "comment", SHAPE_TEXT},
	{TABLE_TSIGKEYS, "name", SHAPE_NAME}, {TABLE_TSIGKEYS, "algorithm", SHAPE_TEXT}, {TABLE_TSIGKEYS, "secret", SHAPE_TEXT},
	{TABLE_SUPERMASTERS, "ip", SHAPE_INET}, {TABLE_SUPERMASTERS, "nameserver", SHAPE_NAME}, {TABLE_SUPERMASTERS, "account", SHAPE_TEXT},
	{TABLE_POLICY, "scope", SHAPE_TEXT}, {TABLE_POLICY, "zone", SHAPE_NAME}, {TABLE_POLICY, "tab", SHAPE_TEXT},
	{TABLE_POLICY, "type", SHAPE_RRTYPE}, {TABLE_POLICY, "resolver", SHAPE_TEXT}, {TABLE_POLICY, "options", SHAPE_JSONB},
	{TABLE_POLICY, "doubted", SHAPE_BOOL},
	{TABLE_ROLL, "node", SHAPE_UUID}, {TABLE_ROLL, "name", SHAPE_TEXT}, {TABLE_ROLL, "evicted", SHAPE_BOOL}
};

ShapeKind
table_shape_kind(int16 table, const char *column)
{
	for (int i = 0; i < (int) lengthof(shapes); i++)
		if (shapes[i].table == table && strcmp(shapes[i].column, column) == 0)
			return shapes[i].kind;
	return SHAPE_ANY;
}

/* One type of the kind: the first choice. */
static Oid
kind_type(ShapeKind kind)
{
	switch (kind)
	{
		case SHAPE_ANY:
			break;
		case SHAPE_TEXT:
			return TEXTOID;
		case SHAPE_NAME:
			return name_type();
		case SHAPE_RRTYPE:
			return get_atttype(schema_oid("policy"), 3);	/* dnsrepl.policy.type */
		case SHAPE_INT4:
			return INT4OID;
		case SHAPE_BOOL:
			return BOOLOID;
		case SHAPE_INET:
			return INETOID;
		case SHAPE_UUID:
			return UUIDOID;
		case SHAPE_JSONB:
			return JSONBOID;
	}
	return InvalidOid;
}

bool
table_shape_fits(ShapeKind kind, Oid type)
{
	Oid			base = getBaseType(type);

	return kind == SHAPE_ANY || base == kind_type(kind) ||
		(kind == SHAPE_TEXT && (base == VARCHAROID || base == BPCHAROID));
}

char *
table_shape_column_problem(Relation rel, int16 table, const char *column)
{
	HeapTuple	tuple = SearchSysCacheAttName(RelationGetRelid(rel), column);
	Form_pg_attribute att;
	ShapeKind	kind = table_shape_kind(table, column);
	char	   *problem = NULL;

	if (!HeapTupleIsValid(tuple))
		return psprintf("It has no column \"%s\".", column);
	att = (Form_pg_attribute) GETSTRUCT(tuple);
	if (att->attnum <= 0)
		problem = psprintf("It has no column \"%s\".", column);
	else if (!table_shape_fits(kind, att->atttypid))
		problem = psprintf("Its column \"%s\" has type %s instead of %s.", column, format_type_be(att->atttypid),
						   format_type_be(kind_type(kind)));
	else if (att->attgenerated && !(table == TABLE_POLICY && strcmp(column, "scope") == 0))
		problem = psprintf("Its column \"%s\" is generated.", column);
	ReleaseSysCache(tuple);
	return problem;
}

/* Others refer to a zone by its id. */
static bool
id_is_key(Relation rel)
{
	Oid			key = compat_primary_key(rel);
	HeapTuple	tuple = OidIsValid(key) ? SearchSysCache1(INDEXRELID, ObjectIdGetDatum(key)) : NULL;
	bool		is;

	if (!HeapTupleIsValid(tuple))
		return false;
	is = ((Form_pg_index) GETSTRUCT(tuple))->indnkeyatts == 1 &&
		((Form_pg_index) GETSTRUCT(tuple))->indkey.values[0] == get_attnum(RelationGetRelid(rel), "id");
	ReleaseSysCache(tuple);
	return is;
}

char *
table_shape_problem(Relation rel, int16 table)
{
	if (rel->rd_rel->relkind != RELKIND_RELATION)
		return pstrdup("It is not an ordinary table.");
	if (rel->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		return pstrdup("It is not kept through a crash.");
	if ((rel->rd_rel->relhassubclass && find_inheritance_children(RelationGetRelid(rel), NoLock) != NIL) ||
		has_superclass(RelationGetRelid(rel)))
		return pstrdup("It inherits, or is inherited from.");
	for (int i = 0; i < (int) lengthof(shapes); i++)
	{
		char	   *problem = shapes[i].table == table ? table_shape_column_problem(rel, table, shapes[i].column) : NULL;

		if (problem)
			return problem;
	}
	if (table == TABLE_DOMAINS && !id_is_key(rel))
		return pstrdup("Its primary key is not its column \"id\".");
	return NULL;
}

bool
table_shape_look(Oid relid, int16 table, char **problem)
{
	Relation	rel;

	*problem = NULL;
	if (!ConditionalLockRelationOid(relid, AccessShareLock))
		return false;
	rel = try_relation_open(relid, NoLock);
	if (rel)
	{
		*problem = table_shape_problem(rel, table);
		relation_close(rel, NoLock);
	}
	UnlockRelationOid(relid, AccessShareLock);
	return true;
}
