/*
 * allowance.c: see allowance.h. The table dnsrepl.allowed_resolver: (oid, name, digest, allowed_by, allowed_at).
 *
 * What was allowed is a function as it was: its oid, and the SHA-256 of its row in pg_proc but for costs and privileges. Replaced, altered,
 * dropped and made again it is another one. The table is not replicated, and not dumped: after pg_restore or pg_upgrade functions have
 * other oids, and are allowed anew.
 *
 * Allowed are functions f(jsonb, jsonb) returns jsonb that are IMMUTABLE, not SECURITY DEFINER, in a trusted language, and not in a
 * temporary schema. That is looked at when one is allowed, and is in the digest.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "compat.h"
#include "store/allowance.h"
#include "store/clock.h"
#include "store/policy.h"
#include "store/schema.h"

PG_FUNCTION_INFO_V1(dnsrepl_allow_resolver);
PG_FUNCTION_INFO_V1(dnsrepl_disallow_resolver);
PG_FUNCTION_INFO_V1(dnsrepl_resolver_obstacle);

enum
{
	ALLOWED_FUNCTION = 1, ALLOWED_NAME, ALLOWED_DIGEST
};

/* ---------- what a function is ---------- */

static bool
language_is_trusted(Oid language)
{
	HeapTuple	tuple = SearchSysCache1(LANGOID, ObjectIdGetDatum(language));
	bool		trusted;

	if (!HeapTupleIsValid(tuple))
		return false;
	trusted = ((Form_pg_language) GETSTRUCT(tuple))->lanpltrusted;
	ReleaseSysCache(tuple);
	return trusted;
}

/* Why a function can never be allowed; NULL: it can. */
static const char *
function_fault(HeapTuple tuple)
{
	Form_pg_proc f = (Form_pg_proc) GETSTRUCT(tuple);

	if (f->prokind != PROKIND_FUNCTION || f->proretset || f->pronargs != 2 || f->prorettype != JSONBOID ||
		f->proargtypes.values[0] != JSONBOID || f->proargtypes.values[1] != JSONBOID)
		return "it is not a function (unit jsonb, siblings jsonb) that returns jsonb";
	if (f->provolatile != PROVOLATILE_IMMUTABLE)
		return "it is not declared IMMUTABLE";
	if (f->prosecdef)
		return "it is SECURITY DEFINER";
	if (!language_is_trusted(f->prolang))
		return "its language is not a trusted one";
	if (isAnyTempNamespace(f->pronamespace))
		return "it is in a temporary schema";
	return NULL;
}

static void
digest_add(StringInfo out, Datum value, bool isnull, Form_pg_attribute att)
{
	appendStringInfoChar(out, isnull ? '-' : '+');
	if (isnull)
		return;
	if (att->attbyval)
		appendBinaryStringInfo(out, (const char *) &value, sizeof(value));
	else if (att->attlen > 0)
		appendBinaryStringInfo(out, DatumGetPointer(value), att->attlen);
	else
	{
		struct varlena *v = PG_DETOAST_DATUM(value);
		int32		len = (int32) VARSIZE(v);

		appendBinaryStringInfo(out, (const char *) &len, sizeof(len));
		appendBinaryStringInfo(out, VARDATA(v), len - VARHDRSZ);
	}
}

/* The SHA-256 of all that a function is. */
static Datum
function_digest(HeapTuple tuple)
{
	Relation	rel = table_open(ProcedureRelationId, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoSpaces(&out, VARHDRSZ);
	for (AttrNumber i = 1; i <= desc->natts; i++)
	{
		bool		isnull;
		Datum		value;

		if (i == Anum_pg_proc_procost || i == Anum_pg_proc_prorows || i == Anum_pg_proc_proacl)
			continue;
		value = SysCacheGetAttr(PROCOID, tuple, i, &isnull);
		digest_add(&out, value, isnull, TupleDescAttr(desc, i - 1));
	}
	table_close(rel, AccessShareLock);
	SET_VARSIZE(out.data, out.len);
	return DirectFunctionCall1(sha256_bytea, PointerGetDatum(out.data));
}

/* ---------- is it allowed? ---------- */

static char *
function_text(HeapTuple tuple)
{
	Form_pg_proc f = (Form_pg_proc) GETSTRUCT(tuple);

	return psprintf("%s(jsonb, jsonb)", quote_qualified_identifier(get_namespace_name(f->pronamespace), NameStr(f->proname)));
}

/* schema.name as an exact name of one of two jsonb, whatever the search path; NULL: there is none. */
static HeapTuple
function_named(const char *resolver)
{
	Oid			types[2] = {JSONBOID, JSONBOID};
	List	   *names;
	Oid			schema;

	if (!SplitIdentifierString(pstrdup(resolver), '.', &names) || list_length(names) != 2)
		return NULL;
	schema = get_namespace_oid(linitial(names), true);
	if (!OidIsValid(schema))
		return NULL;
	return SearchSysCache3(PROCNAMEARGSNSP, CStringGetDatum(lsecond(names)), PointerGetDatum(buildoidvector(types, 2)),
						   ObjectIdGetDatum(schema));
}

/* As it is now. */
static bool
function_is_allowed(Oid function, HeapTuple tuple)
{
	Relation	rel = table_open(schema_oid("allowed_resolver"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;
	bool		allowed = false,
				isnull;

	ScanKeyInit(&key, ALLOWED_FUNCTION, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(function));
	scan = systable_beginscan(rel, schema_oid("allowed_resolver_pkey"), true, NULL, 1, &key);
	if (HeapTupleIsValid(row = systable_getnext(scan)))
	{
		Datum		digest = heap_getattr(row, ALLOWED_DIGEST, RelationGetDescr(rel), &isnull);

		allowed = !isnull && DatumGetBool(DirectFunctionCall2(byteaeq, digest, function_digest(tuple)));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return allowed;
}

static bool
function_is_suspended(Oid function)
{
	return clock_available() && pg_atomic_read_u32(&clock_slot()->suspended_resolver) == function;
}

Oid
allowance_find(const char *resolver, Obstacle *o)
{
	HeapTuple	tuple = function_named(resolver);
	Oid			function;
	const char *fault,
			   *name;

	memset(o, 0, sizeof(*o));
	if (!HeapTupleIsValid(tuple))
	{
		o->problem = psprintf("there is no immutable function %s(jsonb, jsonb) that returns jsonb", resolver);
		o->advice = pstrdup("make it and allow it to choose, with dnsrepl.allow_resolver(), or change dnsrepl.policy");
		return InvalidOid;
	}
	function = ((Form_pg_proc) GETSTRUCT(tuple))->oid;
	name = function_text(tuple);
	fault = function_fault(tuple);
	if (fault)
		o->problem = psprintf("function %s cannot be allowed to choose: %s", name, fault);
	else if (function_is_suspended(function))
		o->problem = psprintf("function %s did not end when it was cancelled", name);
	else if (!function_is_allowed(function, tuple))
		o->problem = psprintf("function %s as it is now has not been allowed to choose at this node", name);
	ReleaseSysCache(tuple);
	if (!o->problem)
		return function;
	o->allowable = !fault;
	o->advice = fault ? pstrdup("change the function, or dnsrepl.policy")
		: psprintf("look at it, then run SELECT dnsrepl.allow_resolver(%s)", quote_literal_cstr(name));
	return InvalidOid;
}

void
allowance_suspend(Oid function)
{
	if (clock_available() && OidIsValid(function))
		pg_atomic_write_u32(&clock_slot()->suspended_resolver, function);
}

/* ---------- who says so ---------- */

static void
owner_require(void)
{
	OwnerScope	scope = owner_enter();
	Oid			owner = GetUserId();

	owner_leave(scope);
	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to say which functions may choose"),
				 errdetail("Only a superuser or the owner of extension dnsrepl may.")));
}

/* allow_resolver(function regprocedure) */
Datum
dnsrepl_allow_resolver(PG_FUNCTION_ARGS)
{
	Oid			function = PG_GETARG_OID(0);
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			types[4] = {OIDOID, TEXTOID, BYTEAOID, TEXTOID};
	Datum		values[4];
	const char *fault;

	owner_require();
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION), errmsg("function with OID %u does not exist", function)));
	fault = function_fault(tuple);
	if (fault)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("function %s cannot be allowed to choose: %s", format_procedure_qualified(function), fault)));
	values[0] = ObjectIdGetDatum(function);
	values[1] = CStringGetTextDatum(function_text(tuple));
	values[2] = function_digest(tuple);
	values[3] = CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
	ReleaseSysCache(tuple);
	(void) owner_execute("DELETE FROM dnsrepl.allowed_resolver a WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = a.function)", 0, NULL, NULL);
	(void) owner_execute("INSERT INTO dnsrepl.allowed_resolver (function, name, digest, allowed_by) VALUES ($1, $2, $3, $4) ON CONFLICT (function)"
						 " DO UPDATE SET name = excluded.name, digest = excluded.digest, allowed_by = excluded.allowed_by, allowed_at = now()",
						 4, types, values);
	if (function_is_suspended(function))
		pg_atomic_write_u32(&clock_slot()->suspended_resolver, InvalidOid);
	PG_RETURN_VOID();
}

/* disallow_resolver(function regprocedure) */
Datum
dnsrepl_disallow_resolver(PG_FUNCTION_ARGS)
{
	Oid			types[1] = {OIDOID};
	Datum		values[1] = {PG_GETARG_DATUM(0)};

	owner_require();
	if (owner_execute("DELETE FROM dnsrepl.allowed_resolver WHERE function = $1", 1, types, values) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("function %s has not been allowed to choose", format_procedure_qualified(PG_GETARG_OID(0)))));
	PG_RETURN_VOID();
}

/* resolver_obstacle(resolver text, OUT problem text, OUT advice text, OUT allowable boolean): all null: it is none, or in force */
Datum
dnsrepl_resolver_obstacle(PG_FUNCTION_ARGS)
{
	char	   *resolver = text_to_cstring(PG_GETARG_TEXT_PP(0));
	TupleDesc	desc;
	Datum		values[3] = {0};
	bool		nulls[3] = {true, true, true};
	Obstacle	o = {0};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (resolver_is_function(resolver))
		(void) allowance_find(resolver, &o);
	if (o.problem)
	{
		values[0] = CStringGetTextDatum(o.problem);
		values[1] = CStringGetTextDatum(o.advice);
		values[2] = BoolGetDatum(o.allowable);
		memset(nulls, false, sizeof(nulls));
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
