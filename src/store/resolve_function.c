/*
 * resolve_function.c: a policy's own function chooses: f(unit jsonb, siblings jsonb) returns jsonb.
 *
 * unit: {"zone", "tab", "key"}; siblings: an array of {"node", "user", "written_at", "stamp", "rows"}, by (stamp, origin),
 * rows null for a deletion. It returns the rows to be served, as they stand in siblings; [] or null: none. It runs with the
 * rights of the serving table's owner, in a restricted context, in a subtransaction: if it fails, the latest is served,
 * and dnsrepl.resolver_problem says why.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "compat.h"
#include "store/resolver.h"
#include "store/schema.h"
#include "store/unit_json.h"

static Jsonb *
unit_jsonb(const ResolveUnit *u)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoString(&out, "{\"zone\": ");
	if (u->zone->table)
		appendStringInfoString(&out, "null");
	else
		escape_json(&out, zone_text(u->zone->name, u->zone->name_len));
	appendStringInfoString(&out, ", \"tab\": ");
	escape_json(&out, u->table->name);
	appendStringInfoString(&out, ", \"key\": ");
	json_key(&out, u->table, u->key, u->key_len);
	appendStringInfoChar(&out, '}');
	return DatumGetJsonbP(json_datum(&out));
}

static Jsonb *
siblings_jsonb(const ResolveUnit *u)
{
	StringInfoData out;

	initStringInfo(&out);
	if (!json_versions(&out, u->table, u->set, true))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("rows of a version cannot be decoded here")));
	return DatumGetJsonbP(json_datum(&out));
}

static void
function_call(const ResolveUnit *u, const Policy *policy, RowSet *rows)
{
	Oid			function;
	FmgrInfo	info;
	LOCAL_FCINFO(fcinfo, 2);
	Datum		result;
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(u->table->owner, context | SECURITY_RESTRICTED_OPERATION | SECURITY_LOCAL_USERID_CHANGE);
	function = policy_function(policy->resolver);
	if (!OidIsValid(function))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("there is no immutable function %s(jsonb, jsonb) that returns jsonb", policy->resolver)));
	if (compat_may_execute(function, u->table->owner) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, policy->resolver);
	fmgr_info(function, &info);
	InitFunctionCallInfoData(*fcinfo, &info, 2, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = JsonbPGetDatum(unit_jsonb(u));
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = JsonbPGetDatum(siblings_jsonb(u));
	fcinfo->args[1].isnull = false;
	result = FunctionCallInvoke(fcinfo);
	rows->n = 0;
	if (!fcinfo->isnull)
		*rows = rows_from_json(u->table, DatumGetJsonbP(result));
	SetUserIdAndSecContext(user, context);
}

/* An error of the function's, not of the server's state. */
static bool
error_is_its(int code)
{
	int			category = ERRCODE_TO_CATEGORY(code);

	return category != ERRCODE_INSUFFICIENT_RESOURCES && category != ERRCODE_OPERATOR_INTERVENTION &&
		category != ERRCODE_SYSTEM_ERROR;
}

/* The error of the function, or NULL. */
static char *
function_try(const ResolveUnit *u, const Policy *policy, RowSet *rows)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	char	   *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		MemoryContextSwitchTo(context);
		function_call(u, policy, rows);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *e;

		MemoryContextSwitchTo(context);
		e = CopyErrorData();
		if (!error_is_its(e->sqlerrcode))
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		error = e->message ? e->message : pstrdup("unknown error");
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

/* Kept where a person looks; written only where the store is. */
static void
complain(const ResolveUnit *u, const Policy *policy, const char *error)
{
	OwnerScope	scope;
	Oid			types[4] = {INT4OID, BYTEAOID, TEXTOID, TEXTOID};
	Datum		values[4];

	if (XactReadOnly || RecoveryInProgress() || u->zone->number == 0)
		return;
	scope = owner_enter();
	values[0] = Int32GetDatum(u->zone->number);
	values[1] = PointerGetDatum(varlena_make(u->key, u->key_len));
	values[2] = CStringGetTextDatum(policy->resolver);
	values[3] = CStringGetTextDatum(error ? error : "");
	SPI_connect();
	if (error)
		SPI_execute_with_args("INSERT INTO dnsrepl.resolver_problem AS p (zone, key, resolver, error) VALUES ($1, $2, $3, $4)"
							  " ON CONFLICT (zone, key) DO UPDATE SET resolver = excluded.resolver, error = excluded.error"
							  " WHERE (p.resolver, p.error) <> (excluded.resolver, excluded.error)",
							  4, types, values, NULL, false, 0);
	else
		SPI_execute_with_args("DELETE FROM dnsrepl.resolver_problem WHERE zone = $1 AND key = $2", 2, types, values,
							  NULL, false, 0);
	SPI_finish();
	owner_leave(scope);
}

bool
serve_function(const ResolveUnit *u, const Policy *policy, Served *served)
{
	char	   *error;

	if (!u->table)
		return false;
	error = function_try(u, policy, &served->rows);
	complain(u, policy, error);
	if (error)
	{
		memset(&served->rows, 0, sizeof(served->rows));
		return false;
	}
	served->live = served->rows.n > 0;
	served->ncolumns = u->table->ncolumns;
	return true;
}
