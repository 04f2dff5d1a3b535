/*
 * server_row.c: see server_row.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "dns/rrtype.h"
#include "ship/dns_conn.h"
#include "ship/server_row.h"

/* What a server may have of a zone: so many octets, and so many times what this whole database holds. */
#define TRANSFER_LEAST	(64 * 1024 * 1024)
#define TRANSFER_TIMES	4

typedef struct Unmanaged
{
	Pattern    *pattern;
	int			ntypes;			/* 0: all */
	uint16	   *types;
} Unmanaged;

static char *
column_text(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

/* An array of text without NULL in it; n is 0 for null. */
static Datum *
column_texts(uint64 row, int column, int *n)
{
	bool		isnull;
	Datum		d = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);
	Datum	   *texts = NULL;
	bool	   *nulls;

	*n = 0;
	if (isnull)
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(d), TEXTOID, -1, false, TYPALIGN_INT, &texts, &nulls, n);
	for (int i = 0; i < *n; i++)
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a pattern or type of a server is null")));
	return texts;
}

/* Of the tables that a worker reads no more than what can be used is taken on trust. */
static char *
column_needed(uint64 row, int column)
{
	char	   *text = column_text(row, column);

	if (!text)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a server needs an address, patterns, and a choice of serial")));
	return text;
}

static void
query(const char *sql, const char *name)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(name)};

	if (SPI_execute_with_args(sql, 1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read dnsrepl.server");
}

static void
unmanaged_read(ServerRow *s, MemoryContext context)
{
	query("SELECT pattern, types FROM dnsrepl.server_unmanaged WHERE server = $1", s->name);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		int			n;
		Datum	   *texts = column_texts(i, 2, &n);
		MemoryContext old = MemoryContextSwitchTo(context);
		Unmanaged  *u = palloc0(sizeof(Unmanaged));

		u->pattern = pattern_read(column_needed(i, 1));
		u->types = palloc(sizeof(uint16) * (size_t) (n + 1));
		for (int k = 0; k < n; k++)
		{
			char	   *type = TextDatumGetCString(texts[k]);

			if (!rrtype_from_text(type, strlen(type), &u->types[u->ntypes++]))
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"%s\" is not a record type", type)));
		}
		s->unmanaged = lappend(s->unmanaged, u);
		MemoryContextSwitchTo(old);
	}
}

ServerRow *
server_row(const char *name, MemoryContext context)
{
	ServerRow  *s = NULL;

	SPI_connect();
	query("SELECT address, zones, dnsrepl.server_key(tsig_key), serial = 'ours', resyncs, orders, pg_relation_size('dnsrepl.version_store') FROM dnsrepl.server WHERE name = $1", name);
	if (SPI_processed == 1)
	{
		int			n;
		Datum	   *texts = column_texts(0, 2, &n);
		char	   *address = column_needed(0, 1);
		char	   *key = column_text(0, 3);
		bool		our_serial = strcmp(column_needed(0, 4), "t") == 0,
					isnull;
		int32		resyncs = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 5, &isnull));
		int32		orders = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 6, &isnull));
		int64		store = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 7, &isnull));
		MemoryContext old = MemoryContextSwitchTo(context);

		s = palloc0(sizeof(ServerRow));
		s->name = pstrdup(name);
		s->address = pstrdup(address);
		s->resyncs = resyncs;
		s->orders = orders;
		s->transfer_most = TRANSFER_LEAST + TRANSFER_TIMES * (uint64) store;
		s->our_serial = our_serial;
		for (int i = 0; i < n; i++)
			s->zones = lappend(s->zones, pattern_read(TextDatumGetCString(texts[i])));
		if (key)
			s->key = tsig_key(key);
		MemoryContextSwitchTo(old);
		if (key)
			explicit_bzero(key, strlen(key));
		unmanaged_read(s, context);
	}
	SPI_finish();
	return s;
}

/* What a server that signs makes by itself, and BIND's notes on signing. */
static bool
by_server(uint16 type)
{
	switch (type)
	{
		case RRTYPE_RRSIG:
		case RRTYPE_NSEC:
		case RRTYPE_NSEC3:
		case RRTYPE_NSEC3PARAM:
		case RRTYPE_DNSKEY:
		case RRTYPE_CDS:
		case RRTYPE_CDNSKEY:
		case 65534:
			return true;
		default:
			return false;
	}
}

bool
server_manages(const ServerRow *s, const uint8 *name, size_t len, uint16 type)
{
	ListCell   *lc;

	if (by_server(type))
		return false;
	foreach(lc, s->unmanaged)
	{
		const Unmanaged *u = lfirst(lc);
		bool		listed = u->ntypes == 0;

		for (int i = 0; i < u->ntypes; i++)
			listed |= u->types[i] == type;
		if (listed && pattern_matches(u->pattern, name, len))
			return false;
	}
	return true;
}

PG_FUNCTION_INFO_V1(dnsrepl_server_check);

/* server_check(address text, zones text[], key text): raises what server_row() would. */
Datum
dnsrepl_server_check(PG_FUNCTION_ARGS)
{
	ArrayType  *zones;
	Datum	   *texts;
	bool	   *nulls;
	int			n;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a server needs an address and zones")));
	zones = PG_GETARG_ARRAYTYPE_P(1);
	(void) dns_open(text_to_cstring(PG_GETARG_TEXT_PP(0)), NULL);
	deconstruct_array(zones, TEXTOID, -1, false, TYPALIGN_INT, &texts, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a pattern is null")));
		(void) pattern_read(TextDatumGetCString(texts[i]));
	}
	if (!PG_ARGISNULL(2))
		(void) tsig_key(text_to_cstring(PG_GETARG_TEXT_PP(2)));
	PG_RETURN_VOID();
}
