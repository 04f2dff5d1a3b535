/*
 * verify.c: dnsrepl.verify(): what a DNS server has, against what it should have, RRset by RRset.
 *
 * The server's vector is read before its zone is fetched, and what has changed since is left out: all else must be the same, also while
 * changes stream, and while the link is paused.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "dns/rdata.h"
#include "ship/compare_server.h"
#include "store/changes.h"
#include "store/policy.h"
#include "store/relation.h"
#include "store/result_set.h"
#include "type/dnsname.h"

PG_FUNCTION_INFO_V1(dnsrepl_verify);

enum
{
	VERIFY_ZONE, VERIFY_NAME, VERIFY_TYPE, VERIFY_OURS, VERIFY_THEIRS, VERIFY_NATTS
};

typedef struct Verify
{
	Tuplestorestate *out;
	TupleDesc	desc;
	ServerRow  *row;
	DnsConn    *conn;
	Spool	   *fetched;
	bytea	   *vector;			/* NULL: the server has not been told anything yet */
	const ZoneRef *zone;
	ZoneComparison *comparison;
	int64		excepted;		/* names */
	bool		whole;			/* the zone at hand */
	MemoryContext scratch;
} Verify;

static Datum
texts_datum(Datum *texts, int n)
{
	return PointerGetDatum(construct_array(texts, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* An RRset as zone files have it, TTLs first. */
static Datum
set_datum(const UpdateSet *set)
{
	Datum	   *texts = palloc(sizeof(Datum) * (size_t) (set->n + 1));

	for (int i = 0; i < set->n; i++)
	{
		const char *rdata = rdata_to_text(set->type, set->rdata[i], set->len[i]);

		texts[i] = CStringGetTextDatum(psprintf("%u %s", set->ttl, rdata ? rdata : "?"));
	}
	return texts_datum(texts, set->n);
}

static void
row_put(Verify *v, const uint8 *name, size_t name_len, int type, Datum ours, Datum theirs)
{
	Datum		values[VERIFY_NATTS] = {PointerGetDatum(dnsname_make(v->zone->name, v->zone->name_len)), (Datum) 0, Int16GetDatum((int16) type),
	ours, theirs};
	bool		nulls[VERIFY_NATTS] = {[VERIFY_NAME] = !name, [VERIFY_TYPE] = type == 0, [VERIFY_OURS] = !ours, [VERIFY_THEIRS] = !theirs};

	if (name)
		values[VERIFY_NAME] = PointerGetDatum(dnsname_make(name, name_len));
	tuplestore_putvalues(v->out, v->desc, values, nulls);
}

static void
difference(const uint8 *name, size_t name_len, const UpdateSet *ours, const UpdateSet *theirs, void *arg)
{
	Verify	   *v = arg;
	MemoryContext old = MemoryContextSwitchTo(v->scratch);

	row_put(v, name, name_len, ours->type, ours->n ? set_datum(ours) : (Datum) 0, theirs->n ? set_datum(theirs) : (Datum) 0);
	MemoryContextSwitchTo(old);
	MemoryContextReset(v->scratch);
}

static void
cannot(const uint8 *name, size_t name_len, uint16 type, const char *why, void *arg)
{
	Datum		text = CStringGetTextDatum(psprintf("it cannot be told: %s", why));

	row_put(arg, name, name_len, type, texts_datum(&text, 1), (Datum) 0);
}

/* ---------- what has changed since ---------- */

static bool
is_zone(const ZoneRef *zone, void *arg)
{
	return zone->number == ((Verify *) arg)->zone->number;
}

static void
zone_changed(ServedZone *zone, void *arg)
{
	((Verify *) arg)->whole = true;
}

static void
name_changed(ServedZone *zone, const uint8 *name, size_t name_len, const ServedSet *sets, int n, void *arg)
{
	Verify	   *v = arg;

	comparison_except(v->comparison, name, name_len);
	v->excepted++;
}

/* ---------- zones ---------- */

static void
zone_verify(Verify *v, Store *store)
{
	ServedZone	zone;
	ChangeSink	changes = {.arg = v, .wants = is_zone, .zone = zone_changed, .name = name_changed};
	DifferenceSink sink = {.arg = v, .difference = difference, .cannot = cannot};
	const char *why;

	v->fetched = spool_open();
	why = zone_fetch(v->conn, v->row->transfer_most, v->zone->name, v->zone->name_len, v->fetched);
	v->whole = false;
	PushActiveSnapshot(GetLatestSnapshot());
	if (!served_open(&zone, store, GetActiveSnapshot(), v->zone->number) || served_gone(&zone))
		 /* deleted meanwhile */ ;
	else if (why)
	{
		Datum		text = CStringGetTextDatum(why);

		row_put(v, NULL, 0, 0, (Datum) 0, texts_datum(&text, 1));
	}
	else
	{
		v->comparison = comparison_begin(v->row, &zone);
		/* in a snapshot that shows no less */
		if (v->vector)
			(void) changes_tell((uint8 *) VARDATA_ANY(v->vector), VARSIZE_ANY_EXHDR(v->vector), &changes);
		if (!v->whole)
			comparison_end(v->comparison, v->fetched, &sink);
		else
			v->excepted++;
	}
	PopActiveSnapshot();
	spool_close(v->fetched);
	v->fetched = NULL;
}

static void
zones_verify(Verify *v)
{
	Store	   *store = store_open(false);
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl verification", ALLOCSET_DEFAULT_SIZES);
	ZoneRef    *zones;
	int			n;

	PushActiveSnapshot(GetLatestSnapshot());
	zones = zone_all_at(GetActiveSnapshot(), &n);
	PopActiveSnapshot();
	for (int i = 0; i < n; i++)
	{
		MemoryContext old;

		if (zones[i].table || zones[i].state.live.n == 0 || !patterns_match(v->row->zones, zones[i].name, zones[i].name_len))
			continue;
		v->zone = &zones[i];
		old = MemoryContextSwitchTo(work);
		zone_verify(v, store);
		MemoryContextSwitchTo(old);
		MemoryContextReset(work);
	}
	store_close(store);
	MemoryContextDelete(work);
}

/* What the server had been told, as this transaction can see it. */
static bytea *
vector_read(const char *server)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(server)};
	MemoryContext context = CurrentMemoryContext;
	bytea	   *vector = NULL;

	SPI_connect();
	if (SPI_execute_with_args("SELECT vector FROM dnsrepl.server_state WHERE server = $1", 1, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read dnsrepl.server_state");
	if (SPI_processed == 1)
	{
		bool		isnull;
		bytea	   *found = DatumGetByteaPP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		MemoryContext old = MemoryContextSwitchTo(context);

		vector = (bytea *) varlena_make(VARDATA_ANY(found), VARSIZE_ANY_EXHDR(found));
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return vector;
}

/* verify(server text, OUT zone dnsname, OUT name dnsname, OUT type rrtype, OUT ours text[], OUT theirs text[]) returns setof record */
Datum
dnsrepl_verify(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Verify	   *v = palloc0(sizeof(Verify));

	v->out = result_set_begin(fcinfo, &v->desc);
	tables_refresh();
	policies_refresh();
	v->row = server_row(name, CurrentMemoryContext);
	if (!v->row)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("server \"%s\" does not exist", name)));
	v->vector = vector_read(name);
	v->scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl difference", ALLOCSET_DEFAULT_SIZES);
	v->conn = dns_open(v->row->address, v->row->key);
	PG_TRY();
	{
		zones_verify(v);
	}
	PG_FINALLY();
	{
		dns_close(v->conn);
		if (v->fetched)
			spool_close(v->fetched);
	}
	PG_END_TRY();
	if (v->excepted > 0)
		ereport(NOTICE,
				(errmsg(INT64_FORMAT " names have changed since the server was told last, and are not compared", v->excepted)));
	return (Datum) 0;
}
