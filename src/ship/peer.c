/*
 * peer.c: dnsrepl.peer, and the functions that change it. A trigger on it wakes the manager at commit.
 *
 * The functions run with the rights of who calls them. A connection string may hold a password: it is in no message,
 * and the statement that brought it is kept out of the log if we raise an error.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "libpq-fe.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "dnsrepl.h"
#include "ship/peer.h"
#include "store/clock.h"
#include "store/origin.h"

/* Columns of dnsrepl.peer, as ship.sql creates it. */
#define PEER_NAME		1
#define PEER_CONNINFO	2
#define PEER_PAUSED		3

PG_FUNCTION_INFO_V1(peer_add);
PG_FUNCTION_INFO_V1(peer_drop);
PG_FUNCTION_INFO_V1(peer_pause);
PG_FUNCTION_INFO_V1(peer_resume);
PG_FUNCTION_INFO_V1(peer_changed);

List *
peer_read_all(Snapshot snapshot, bool *found)
{
	Oid			schema = get_namespace_oid("dnsrepl", true);
	Oid			table = OidIsValid(schema) ? get_relname_relid("peer", schema) : InvalidOid;
	Relation	rel = OidIsValid(table) ? try_relation_open(table, AccessShareLock) : NULL;
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *rows = NIL;

	*found = rel != NULL;
	if (!rel)
		return NIL;
	scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		TupleDesc	desc = RelationGetDescr(rel);
		PeerRow    *row = palloc0(sizeof(PeerRow));
		bool		isnull;

		row->name = TextDatumGetCString(heap_getattr(tuple, PEER_NAME, desc, &isnull));
		row->conninfo = TextDatumGetCString(heap_getattr(tuple, PEER_CONNINFO, desc, &isnull));
		row->paused = DatumGetBool(heap_getattr(tuple, PEER_PAUSED, desc, &isnull));
		rows = lappend(rows, row);
	}
	systable_endscan(scan);
	relation_close(rel, AccessShareLock);
	return rows;
}

/* One statement; returns the number of rows. */
static uint64
peer_execute(const char *sql, int nargs, Datum *values)
{
	Oid			types[] = {TEXTOID, TEXTOID};
	uint64		rows;

	SPI_connect();
	if (SPI_execute_with_args(sql, nargs, types, values, NULL, false, 0) < 0)
		elog(ERROR, "could not change dnsrepl.peer");
	rows = SPI_processed;
	SPI_finish();
	return rows;
}

static void
conninfo_check(const char *conninfo)
{
	char	   *problem = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &problem);

	if (problem)
		PQfreemem(problem);
	if (!options)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid connection string"),
				 errdetail("It is not shown here because it may hold a password."),
				 errhint("Write it as for libpq, for example: host=192.0.2.7 dbname=pdns user=dnsrepl_link"),
				 errhidestmt(true)));
	PQconninfoFree(options);
}

static void
name_check(const char *name)
{
	bool		good = *name && strlen(name) < NAMEDATALEN;

	for (const char *p = name; good && *p; p++)
		good = (unsigned char) *p >= ' ' && *p != 0x7f;
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid name of a peer"),
				 errdetail("It must have 1 to %d octets and no control characters.", NAMEDATALEN - 1),
				 errhidestmt(true)));
}

/* add_peer(name text, conninfo text, on_join text) */
Datum
peer_add(PG_FUNCTION_ARGS)
{
	Datum		values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	NodeInfo	node;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a peer needs a name and a connection string")));
	name_check(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	conninfo_check(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	node_require(&node);
	peer_execute("INSERT INTO dnsrepl.peer (name, conninfo) VALUES ($1, $2) "
				 "ON CONFLICT (name) DO UPDATE SET conninfo = excluded.conninfo", 2, values);
	if (!PG_ARGISNULL(2))
	{
		Datum		mode = PG_GETARG_DATUM(2);

		peer_execute("SELECT dnsrepl.\"join\"($1)", 1, &mode);
	}
	if (!PG_ARGISNULL(2))
	{
		Datum		mode = PG_GETARG_DATUM(2);

		peer_execute("SELECT dnsrepl.\"join\"($1)", 1, &mode);
	}
	PG_RETURN_VOID();
}

static Datum
peer_change(FunctionCallInfo fcinfo, const char *sql)
{
	Datum		name = PG_GETARG_DATUM(0);

	if (peer_execute(sql, 1, &name) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("link \"%s\" does not exist", TextDatumGetCString(name))));
	PG_RETURN_VOID();
}

Datum
peer_drop(PG_FUNCTION_ARGS)
{
	return peer_change(fcinfo, "DELETE FROM dnsrepl.peer WHERE name = $1");
}

Datum
peer_pause(PG_FUNCTION_ARGS)
{
	return peer_change(fcinfo, "UPDATE dnsrepl.peer SET paused = true WHERE name = $1");
}

Datum
peer_resume(PG_FUNCTION_ARGS)
{
	return peer_change(fcinfo, "UPDATE dnsrepl.peer SET paused = false WHERE name = $1");
}

/* Statement trigger on dnsrepl.peer. */
Datum
peer_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" can only be called as a trigger", "peer_changed")));
	if (clock_available())
	{
		(void) clock_slot();
		clock_links_changed();
	}
	PG_RETURN_POINTER(NULL);
}
