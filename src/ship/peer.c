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

/* And of dnsrepl.server, as server.sql does. */
#define SERVER_ADDRESS	2
#define SERVER_ZONES	3
#define SERVER_TSIG_KEY	4
#define SERVER_SERIAL	5
#define SERVER_PAUSED	6
#define SERVER_RESYNCS	7
#define SERVER_ORDERS	8

PG_FUNCTION_INFO_V1(peer_add);
PG_FUNCTION_INFO_V1(peer_drop);
PG_FUNCTION_INFO_V1(peer_pause);
PG_FUNCTION_INFO_V1(peer_resume);
PG_FUNCTION_INFO_V1(peer_changed);

static char *
attribute(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		d = heap_getattr(tuple, column, desc, &isnull);
	Oid			out;
	bool		varlena;

	if (isnull)
		return pstrdup("");
	getTypeOutputInfo(TupleDescAttr(desc, column - 1)->atttypid, &out, &varlena);
	return OidOutputFunctionCall(out, d);
}

static void
row_read(HeapTuple tuple, TupleDesc desc, bool server, PeerRow *row)
{
	bool		isnull;

	row->name = attribute(tuple, desc, PEER_NAME);
	row->server = server;
	row->paused = DatumGetBool(heap_getattr(tuple, server ? SERVER_PAUSED : PEER_PAUSED, desc, &isnull));
	row->resyncs = !server ? 0 : DatumGetInt32(heap_getattr(tuple, SERVER_RESYNCS, desc, &isnull)) +
		DatumGetInt32(heap_getattr(tuple, SERVER_ORDERS, desc, &isnull));
	if (!server)
		row->conninfo = attribute(tuple, desc, PEER_CONNINFO);
	else
		row->conninfo = psprintf("%s %s %s %s %d", attribute(tuple, desc, SERVER_ADDRESS), attribute(tuple, desc, SERVER_ZONES),
								 attribute(tuple, desc, SERVER_TSIG_KEY), attribute(tuple, desc, SERVER_SERIAL), row->resyncs);
}

/* Appends the rows of a table; false if there is none. */
static bool
table_read(Snapshot snapshot, const char *name, bool server, List **rows)
{
	Oid			schema = get_namespace_oid("dnsrepl", true);
	Oid			table = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
	Relation	rel = OidIsValid(table) ? try_relation_open(table, AccessShareLock) : NULL;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!rel)
		return false;
	scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		PeerRow    *row = palloc0(sizeof(PeerRow));

		row_read(tuple, RelationGetDescr(rel), server, row);
		*rows = lappend(*rows, row);
	}
	systable_endscan(scan);
	relation_close(rel, AccessShareLock);
	return true;
}

List *
peer_read_all(Snapshot snapshot, bool *found)
{
	List	   *rows = NIL;

	*found = table_read(snapshot, "peer", false, &rows) && table_read(snapshot, "server", true, &rows);
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
	if (peer_execute("SELECT FROM dnsrepl.server WHERE name = $1", 1, values) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("there is a DNS server of this name"), errhint("Choose another name for the peer."),
				 errhidestmt(true)));
	peer_execute("INSERT INTO dnsrepl.peer (name, conninfo) VALUES ($1, $2) "
				 "ON CONFLICT (name) DO UPDATE SET conninfo = excluded.conninfo", 2, values);
	if (!PG_ARGISNULL(2))
	{
		Datum		mode = PG_GETARG_DATUM(2);

		peer_execute("SELECT dnsrepl.\"join\"($1)", 1, &mode);
	}
	PG_RETURN_VOID();
}

/* One of the two tables has it. */
static Datum
peer_change(FunctionCallInfo fcinfo, const char *sql, const char *server_sql)
{
	Datum		name = PG_GETARG_DATUM(0);

	if (peer_execute(sql, 1, &name) == 0 && (!server_sql || peer_execute(server_sql, 1, &name) == 0))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("link \"%s\" does not exist", TextDatumGetCString(name))));
	PG_RETURN_VOID();
}

Datum
peer_drop(PG_FUNCTION_ARGS)
{
	return peer_change(fcinfo, "DELETE FROM dnsrepl.peer WHERE name = $1", NULL);
}

Datum
peer_pause(PG_FUNCTION_ARGS)
{
	return peer_change(fcinfo, "UPDATE dnsrepl.peer SET paused = true WHERE name = $1",
					   "UPDATE dnsrepl.server SET paused = true WHERE name = $1");
}

Datum
peer_resume(PG_FUNCTION_ARGS)
{
	return peer_change(fcinfo, "UPDATE dnsrepl.peer SET paused = false WHERE name = $1",
					   "UPDATE dnsrepl.server SET paused = false WHERE name = $1");
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
