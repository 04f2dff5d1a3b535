/*
 * changes_since.c: dnsrepl.changes_since(): what has changed of what is served, as rows, for whoever feeds something else.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "dns/rdata.h"
#include "store/changes.h"
#include "store/result_set.h"
#include "store/wire.h"
#include "type/dnsname.h"

PG_FUNCTION_INFO_V1(dnsrepl_changes_since);

enum
{
	CHANGE_ZONE, CHANGE_NAME, CHANGE_TYPE, CHANGE_TTL, CHANGE_RECORDS, CHANGE_VECTOR, CHANGE_NATTS
};

typedef struct Rows
{
	Tuplestorestate *out;
	TupleDesc	desc;
	MemoryContext scratch;
} Rows;

static void
row_put(Rows *rows, Datum *values, const bool *nulls)
{
	bool		all[CHANGE_NATTS];

	memcpy(all, nulls, sizeof(all));
	tuplestore_putvalues(rows->out, rows->desc, values, all);
}

/* The records of an RRset as zone files have them; one that cannot be read as it stands. */
static Datum
set_texts(const ServedSet *set)
{
	Datum	   *texts = palloc(sizeof(Datum) * (size_t) (set->n + 1));

	for (int i = 0; i < set->n; i++)
	{
		const ServedRecord *r = &set->records[i];
		const uint8 *wire;
		const char *why;
		int			len = served_rdata(set->type, r, &wire, &why);
		uint8	   *copy = len < 0 ? NULL : palloc((Size) len + 1);
		const char *text;

		if (copy)
			memcpy(copy, wire, (size_t) len);
		text = copy ? rdata_to_text(set->type, copy, (size_t) len) : NULL;
		texts[i] = text ? CStringGetTextDatum(text) : PointerGetDatum(cstring_to_text_with_len(r->content, (int) r->content_len));
	}
	return PointerGetDatum(construct_array(texts, set->n, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
name_rows_put(ServedZone *zone, const uint8 *name, size_t name_len, const ServedSet *sets, int n, void *arg)
{
	Rows	   *rows = arg;
	MemoryContext old = MemoryContextSwitchTo(rows->scratch);
	Datum		values[CHANGE_NATTS] = {PointerGetDatum(dnsname_make(zone->ref.name, zone->ref.name_len)),
	PointerGetDatum(dnsname_make(name, name_len))};

	for (int i = 0; i < n; i++)
	{
		bool		nulls[CHANGE_NATTS] = {[CHANGE_TTL] = sets[i].n == 0, [CHANGE_RECORDS] = sets[i].n == 0, [CHANGE_VECTOR] = true};

		values[CHANGE_TYPE] = Int16GetDatum((int16) sets[i].type);
		values[CHANGE_TTL] = Int64GetDatum((int64) sets[i].ttl);
		if (sets[i].n > 0)
			values[CHANGE_RECORDS] = set_texts(&sets[i]);
		row_put(rows, values, nulls);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(rows->scratch);
}

static void
present_put(ServedZone *zone, const uint8 *name, size_t name_len, const ServedSet *sets, int n, void *arg)
{
	ServedSet  *present = palloc(sizeof(ServedSet) * (size_t) (n + 1));
	int			kept = 0;

	for (int i = 0; i < n; i++)
		if (sets[i].n > 0)
			present[kept++] = sets[i];
	name_rows_put(zone, name, name_len, present, kept, arg);
}

static void
zone_rows_put(ServedZone *zone, void *arg)
{
	Rows	   *rows = arg;
	bool		nulls[CHANGE_NATTS];
	Datum		values[CHANGE_NATTS] = {PointerGetDatum(dnsname_make(zone->ref.name, zone->ref.name_len))};

	memset(nulls, true, sizeof(nulls));
	nulls[CHANGE_ZONE] = false;
	row_put(rows, values, nulls);
	if (!served_gone(zone))
		served_walk(zone, present_put, rows);
}

static void
nothing_put(void *arg)
{
	bool		nulls[CHANGE_NATTS];
	Datum		values[CHANGE_NATTS] = {0};

	memset(nulls, true, sizeof(nulls));
	row_put(arg, values, nulls);
}

/*
 * changes_since(vector bytea, OUT zone dnsname, OUT name dnsname, OUT type rrtype, OUT ttl bigint, OUT records text[], OUT vector bytea)
 * returns setof record. A row of nulls: forget all; with a zone alone: forget that zone; without records: forget that RRset. The last
 * row has the vector alone.
 */
Datum
dnsrepl_changes_since(PG_FUNCTION_ARGS)
{
	Rows		rows = {0};
	ChangeSink	sink = {.arg = &rows, .all = nothing_put, .zone = zone_rows_put, .name = name_rows_put};
	bytea	   *given = PG_ARGISNULL(0) ? NULL : PG_GETARG_BYTEA_PP(0);
	Changes		c;
	Datum		values[CHANGE_NATTS] = {0};
	bool		nulls[CHANGE_NATTS];

	rows.out = result_set_begin(fcinfo, &rows.desc);
	rows.scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl rows", ALLOCSET_DEFAULT_SIZES);
	c = changes_tell(given ? (const uint8 *) VARDATA_ANY(given) : NULL, given ? VARSIZE_ANY_EXHDR(given) : 0, &sink);
	memset(nulls, true, sizeof(nulls));
	nulls[CHANGE_VECTOR] = false;
	values[CHANGE_VECTOR] = PointerGetDatum(varlena_make(c.vector->data, (size_t) c.vector->len));
	row_put(&rows, values, nulls);
	if (!RecoveryInProgress())
		XLogFlush(c.flush);
	return (Datum) 0;
}
