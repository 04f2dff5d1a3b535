/*
 * server_work.c: see server_work.h. The functions are server.sql's, by name: when something is tried again is decided there.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "ship/server_work.h"
#include "store/relation.h"
#include "type/dnsname.h"

Todo *
todo_copy(const Todo *t, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Todo	   *copy = palloc(sizeof(Todo));
	uint8	   *zone = palloc(t->zone_len + 1);
	uint8	   *name = palloc(t->name_len + 1);

	*copy = *t;
	memcpy(zone, t->zone, t->zone_len);
	copy->zone = zone;
	if (t->name)
	{
		memcpy(name, t->name, t->name_len);
		copy->name = name;
	}
	MemoryContextSwitchTo(old);
	return copy;
}

/* The key of a row, and what else a function takes. */
typedef struct Call
{
	int			n;
	Oid			types[8];
	Datum		values[8];
	char		nulls[8];
} Call;

static void
call_put(Call *c, Oid type, Datum value, bool isnull)
{
	c->types[c->n] = type;
	c->values[c->n] = value;
	c->nulls[c->n++] = isnull ? 'n' : ' ';
}

static Call
call_of(const char *server, const Todo *t)
{
	Call		c = {0};

	call_put(&c, TEXTOID, CStringGetTextDatum(server), false);
	call_put(&c, name_type(), PointerGetDatum(dnsname_make(t->zone, t->zone_len)), false);
	call_put(&c, name_type(), t->name ? PointerGetDatum(dnsname_make(t->name, t->name_len)) : (Datum) 0, !t->name);
	call_put(&c, INT4OID, Int32GetDatum((int32) t->type), false);
	call_put(&c, BOOLOID, BoolGetDatum(t->extra), false);
	return c;
}

/* One that returns a truth, or nothing. */
static bool
call_do(Call *c, const char *sql)
{
	bool		isnull;
	bool		truth;

	SPI_connect();
	if (SPI_execute_with_args(sql, c->n, c->types, c->values, c->nulls, false, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not write dnsrepl.server_work");
	truth = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)) && !isnull;
	SPI_finish();
	return truth;
}

void
work_ask(const char *server, const Todo *t, bool at_once)
{
	Call		c = call_of(server, t);

	call_put(&c, BOOLOID, BoolGetDatum(at_once), false);
	(void) call_do(&c, "SELECT false FROM dnsrepl.server_ask($1, $2, $3, $4, $5, $6)");
}

bool
work_fails(const char *server, const Todo *t, const char *why, int took)
{
	Call		c = call_of(server, t);

	call_put(&c, TEXTOID, why ? CStringGetTextDatum(why) : (Datum) 0, !why);
	call_put(&c, INT4OID, Int32GetDatum(took), false);
	return call_do(&c, "SELECT dnsrepl.server_fails($1, $2, $3, $4, $5, $6, $7)");
}

bool
work_done(const char *server, const Todo *t)
{
	Call		c = call_of(server, t);

	return call_do(&c, "SELECT dnsrepl.server_done($1, $2, $3, $4, $5)");
}

/* ---------- reading ---------- */

static const uint8 *
name_copy(Datum d, size_t *len)
{
	Dnsname    *name = DatumGetDnsname(d);
	uint8	   *copy = palloc(dnsname_length(name) + 1);

	*len = dnsname_length(name);
	memcpy(copy, dnsname_octets(name), *len);
	return copy;
}

static Todo *
todo_from_row(HeapTuple row, TupleDesc desc, TimestampTz *due)
{
	Todo	   *t = palloc0(sizeof(Todo));
	bool		isnull;
	Datum		d;

	t->zone = name_copy(SPI_getbinval(row, desc, 1, &isnull), &t->zone_len);
	d = SPI_getbinval(row, desc, 2, &isnull);
	t->number = isnull ? 0 : DatumGetInt32(d);
	d = SPI_getbinval(row, desc, 3, &isnull);
	if (!isnull)
		t->name = name_copy(d, &t->name_len);
	t->type = (uint16) DatumGetInt32(SPI_getbinval(row, desc, 4, &isnull));
	t->extra = DatumGetBool(SPI_getbinval(row, desc, 5, &isnull));
	t->tries = DatumGetInt32(SPI_getbinval(row, desc, 6, &isnull));
	d = SPI_getbinval(row, desc, 7, &isnull);
	*due = isnull ? 0 : DatumGetTimestampTz(d);
	return t;
}

static void
query(const char *sql, int n, Oid *types, Datum *values)
{
	if (SPI_execute_with_args(sql, n, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read dnsrepl.server_work");
}

Todo *
work_next(const char *server, TimestampTz *due)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(server)};
	MemoryContext context = CurrentMemoryContext;
	Todo	   *t = NULL;

	SPI_connect();
	query("SELECT zone, zone_no, name, type, extra, tries, due FROM dnsrepl.server_todo($1) WHERE zone IS NOT NULL", 1, types, values);
	if (SPI_processed == 1)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		t = todo_from_row(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, due);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return t;
}

int32 *
work_waiting(const char *server, int *n)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(server)};
	MemoryContext context = CurrentMemoryContext;
	int32	   *numbers = NULL;
	bool		isnull;
	Datum		d;

	*n = 0;
	SPI_connect();
	query("SELECT dnsrepl.server_waiting($1)", 1, types, values);
	d = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull)
	{
		ArrayType  *array = DatumGetArrayTypeP(d);

		*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
		numbers = MemoryContextAlloc(context, sizeof(int32) * (size_t) (*n + 1));
		memcpy(numbers, ARR_DATA_PTR(array), sizeof(int32) * (size_t) *n);	/* there are no nulls */
	}
	SPI_finish();
	return numbers;
}

/* ---------- what it has been told ---------- */

bool
vector_read(const ServerRow *server, const pg_uuid_t *life, StringInfo vector)
{
	Oid			types[3] = {TEXTOID, UUIDOID, INT4OID};
	Datum		values[3] = {CStringGetTextDatum(server->name), UUIDPGetDatum(life), Int32GetDatum(server->resyncs)};
	bool		found;

	SPI_connect();
	query("SELECT vector FROM dnsrepl.server_state WHERE server = $1 AND life = $2 AND resyncs = $3", 3, types, values);
	found = SPI_processed == 1;
	if (found)
	{
		bool		isnull;
		bytea	   *b = DatumGetByteaPP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));

		appendBinaryStringInfo(vector, VARDATA_ANY(b), (int) VARSIZE_ANY_EXHDR(b));
	}
	SPI_finish();
	return found;
}

void
vector_write(const ServerRow *server, const pg_uuid_t *life, const uint8 *vector, size_t len)
{
	Oid			types[4] = {TEXTOID, BYTEAOID, UUIDOID, INT4OID};
	Datum		values[4] = {CStringGetTextDatum(server->name), PointerGetDatum(varlena_make(vector, len)), UUIDPGetDatum(life),
	Int32GetDatum(server->resyncs)};

	SPI_connect();
	(void) SPI_execute_with_args("INSERT INTO dnsrepl.server_state AS t (server, vector, life, resyncs) SELECT s.name, $2, $3, $4 FROM dnsrepl.server s WHERE s.name = $1 "
								 "ON CONFLICT (server) DO UPDATE SET vector = excluded.vector, life = excluded.life, resyncs = excluded.resyncs, written = now()",
								 4, types, values, NULL, false, 0);
	SPI_finish();
}
