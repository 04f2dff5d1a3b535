/*
 * resolve_function.c: a policy's own function chooses: f(unit jsonb, siblings jsonb) returns jsonb.
 *
 * unit: {"zone", "tab", "key"}; siblings: an array of {"node", "user", "written_at", "stamp", "rows"}, by (stamp, origin),
 * rows null for a deletion. It returns the rows to be served, as they stand in siblings; [] or null: none. If it fails or may not choose
 * here (allowance.h), the latest is served, and dnsrepl.resolver_problem says why: as it was when the unit was projected. Others who ask
 * note nothing, since what fails for them may not have failed then, and the other way round (resolve.h, ResolverLooks).
 *
 * It gets nothing but its arguments, and leaves nothing but its result: it runs as role dnsrepl_nobody, in a restricted context, with
 * fixed settings, in a read-only subtransaction that is always rolled back, and so do the input functions of the columns' types. What a
 * rollback leaves are session advisory locks, and what is sent to the client. It has CHOICE_LIMIT; one that goes on when it is cancelled
 * ends with its session, and is not called any more.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "store/allowance.h"
#include "store/resolver.h"
#include "store/schema.h"
#include "store/subxact.h"
#include "store/time_limit.h"
#include "store/unit_json.h"
#include "store/user_code.h"
#include "store/wire.h"

#define CHOICE_LIMIT	1000	/* ms */

static Oid	choosing = InvalidOid;	/* the function that runs */

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

/* InvalidOid: there is none, or it is more than nobody. */
static Oid
nobody_find(void)
{
	Oid			role = get_role_oid("dnsrepl_nobody", true);
	CatCList   *groups;
	bool		alone;

	if (!OidIsValid(role) || superuser_arg(role))
		return InvalidOid;
	groups = SearchSysCacheList1(AUTHMEMMEMROLE, ObjectIdGetDatum(role));
	alone = groups->n_members == 0;
	ReleaseSysCacheList(groups);
	return alone ? role : InvalidOid;
}

static void
function_call(const ResolveUnit *u, Oid function, Oid nobody, RowSet *rows)
{
	FmgrInfo	info;
	LOCAL_FCINFO(fcinfo, 2);
	Datum		result;

	user_code_settings_fixed();
	fmgr_info(function, &info);
	InitFunctionCallInfoData(*fcinfo, &info, 2, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = JsonbPGetDatum(unit_jsonb(u));
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = JsonbPGetDatum(siblings_jsonb(u));
	fcinfo->args[1].isnull = false;
	(void) restricted_enter(nobody);
	choosing = function;
	time_limit_begin(CHOICE_LIMIT, "a function that chooses between versions did not end when it was cancelled");
	result = FunctionCallInvoke(fcinfo);
	rows->n = 0;
	if (!fcinfo->isnull)
		*rows = rows_from_json(u->table, DatumGetJsonbP(result));
}

/* Was this session told to stop? A function can raise the same SQLSTATE. */
static bool
error_is_interrupt(const ErrorData *e)
{
	return e->funcname && strcmp(e->funcname, "ProcessInterrupts") == 0;
}

typedef struct Choice
{
	const ResolveUnit *u;
	Oid			function,
				nobody;
	RowSet	   *rows;
	bool		timed_out;		/* which it may have caught */
} Choice;

static void
choice_run(void *arg)
{
	Choice	   *c = arg;

	XactReadOnly = true;		/* to the end of the subtransaction */
	PG_TRY();
	{
		function_call(c->u, c->function, c->nobody, c->rows);
	}
	PG_FINALLY();
	{
		c->timed_out = time_limit_end();
		choosing = InvalidOid;
	}
	PG_END_TRY();
}

/* The error of the function, or NULL. */
static const char *
function_try(const ResolveUnit *u, Oid function, Oid nobody, RowSet *rows)
{
	Choice		c = {.u = u, .function = function, .nobody = nobody, .rows = rows};
	ErrorData  *error = subxact_try_and_undo(choice_run, &c);

	if (error && error_is_interrupt(error) && !c.timed_out)
		ReThrowError(error);
	if (c.timed_out && (!error || error_is_interrupt(error)))
		return psprintf("it has not ended within %d ms", CHOICE_LIMIT);
	return !error ? NULL : error->message ? error->message : "unknown error";
}

/* The session ends: because of the function? */
static void
choice_exit(int code, Datum arg)
{
	if (time_limit_ends_session())
		allowance_suspend(choosing);
}

/* Why the latest is served, or NULL. */
static const char *
function_choose(const ResolveUnit *u, const Policy *policy, RowSet *rows)
{
	static bool watching = false;
	Obstacle	o;
	Oid			function = allowance_find(policy->resolver, &o);
	Oid			nobody;

	if (!OidIsValid(function))
		return o.problem;
	if (OidIsValid(choosing))
		return pstrdup("a function that chooses has asked for what another one chooses");
	nobody = nobody_find();
	if (!OidIsValid(nobody))
		return pstrdup("there is no role dnsrepl_nobody that is neither a superuser nor a member of another role");
	if (!watching)
		before_shmem_exit(choice_exit, (Datum) 0);
	watching = true;
	return function_try(u, function, nobody, rows);
}

static LocalTransactionId projects = InvalidLocalTransactionId;
ResolverLooks resolver_looks = {0};

void
resolver_projects(void)
{
	projects = MY_LXID;
}

/* Was the function found to fail when the unit was projected? */
static bool
failed_then(const ResolveUnit *u)
{
	Relation	rel = table_open(schema_oid("resolver_problem"), AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	bool		failed;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(u->zone->number));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_BYTEAEQ, PointerGetDatum(varlena_make(u->key, u->key_len)));
	scan = systable_beginscan(rel, schema_oid("resolver_problem_pkey"), true, GetActiveSnapshot(), 2, keys);
	failed = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return failed;
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
	const char *error;

	if (!u->table)
		return false;
	error = function_choose(u, policy, &served->rows);
	if (projects == MY_LXID)
		complain(u, policy, error);
	else if (ActiveSnapshotSet() && u->zone->number)
	{
		bool		failed = failed_then(u);

		resolver_looks.fails += error && !failed;
		resolver_looks.works += !error && failed;
	}
	if (error)
	{
		memset(&served->rows, 0, sizeof(served->rows));
		return false;
	}
	served->live = served->rows.n > 0;
	served->ncolumns = u->table->ncolumns;
	return true;
}
