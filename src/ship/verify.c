/*
 * verify.c: dnsrepl.verify(): what a DNS server has, against what it should have, RRset by RRset; dnsrepl.server_preview(): what it would be
 * told of that now.
 *
 * For verify() the server's vector is read before its zone is fetched, and what has changed since is left out: all else must be the same,
 * also while changes stream, and while the link is paused. A preview leaves nothing out. Neither changes anything, here or there.
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
#include "ship/extras.h"
#include "store/changes.h"
#include "store/policy.h"
#include "store/relation.h"
#include "store/result_set.h"
#include "store/wire.h"
#include "type/dnsname.h"

PG_FUNCTION_INFO_V1(dnsrepl_verify);
PG_FUNCTION_INFO_V1(dnsrepl_server_preview);

/* The columns of both; one has `extra`, the other `action`. */
typedef struct Columns
{
	int			action,
				ours,
				theirs,
				extra,
				n;
} Columns;

enum
{
	COLUMN_ZONE, COLUMN_NAME, COLUMN_TYPE, COLUMNS_MOST = 6
};

static const Columns verify_columns = {-1, 3, 4, 5, 6};
static const Columns preview_columns = {3, 4, 5, -1, 6};

typedef struct Verify
{
	const Columns *columns;
	Tuplestorestate *out;
	TupleDesc	desc;
	ServerRow  *row;
	DnsConn    *conn;
	Spool	   *fetched;
	bytea	   *vector;			/* NULL: nothing is left out */
	const ZoneRef *zone;
	ZoneComparison *comparison;
	int64		excepted;		/* names */
	bool		whole;			/* the zone at hand */
	/* A preview: the name at hand. */
	List	   *pending;		/* Pendings: what is ours and to be added or replaced there */
	int			there;			/* EXTRA_CNAME and the like */
	StringInfoData name;
	MemoryContext scratch;
} Verify;

static Datum
texts_datum(Datum *texts, int n)
{
	return PointerGetDatum(construct_array(texts, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
text_datum(const char *text)
{
	Datum		d = CStringGetTextDatum(text);

	return texts_datum(&d, 1);
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
row_put(Verify *v, const uint8 *name, size_t name_len, int type, const char *action, Datum ours, Datum theirs)
{
	const Columns *c = v->columns;
	Datum		values[COLUMNS_MOST] = {PointerGetDatum(dnsname_make(v->zone->name, v->zone->name_len)), (Datum) 0, Int16GetDatum((int16) type)};
	bool		nulls[COLUMNS_MOST] = {[COLUMN_NAME] = !name, [COLUMN_TYPE] = type == 0};

	if (name)
		values[COLUMN_NAME] = PointerGetDatum(dnsname_make(name, name_len));
	values[c->ours] = ours;
	nulls[c->ours] = !ours;
	values[c->theirs] = theirs;
	nulls[c->theirs] = !theirs;
	if (c->action >= 0)
		values[c->action] = CStringGetTextDatum(action);
	else
		values[c->extra] = BoolGetDatum(strcmp(action, "keep") == 0);
	tuplestore_putvalues(v->out, v->desc, values, nulls);
}

static const char *const actions[] = {
	[DIFFERENCE_ADD] = "add", [DIFFERENCE_REPLACE] = "replace", [DIFFERENCE_REMOVE] = "remove", [DIFFERENCE_EXTRA] = "keep"
};

static void
difference(const uint8 *name, size_t name_len, Difference kind, const UpdateSet *ours, const UpdateSet *theirs, void *arg)
{
	Verify	   *v = arg;
	MemoryContext old = MemoryContextSwitchTo(v->scratch);

	row_put(v, name, name_len, ours->type, actions[kind], ours->n ? set_datum(ours) : (Datum) 0, theirs->n ? set_datum(theirs) : (Datum) 0);
	MemoryContextSwitchTo(old);
	MemoryContextReset(v->scratch);
}

static void
cannot(const uint8 *name, size_t name_len, uint16 type, const char *why, void *arg)
{
	row_put(arg, name, name_len, type, "cannot", text_datum(psprintf("it cannot be told: %s", why)), (Datum) 0);
}

/* ---------- a preview ---------- */

typedef struct Pending
{
	UpdateSet	set;			/* its type, and how many records: all that extras_clash() looks at */
	Difference	kind;
	Datum		ours,
				theirs;
} Pending;

/* The name at hand: what cannot stand beside what others keep there is not told. */
static void
pending_put(Verify *v)
{
	DifferenceSink sink = {.arg = v, .cannot = cannot};
	MemoryContext old = MemoryContextSwitchTo(v->scratch);
	ListCell   *lc;

	foreach(lc, v->pending)
	{
		Pending    *p = lfirst(lc);

		if (extras_clash(v->there, (uint8 *) v->name.data, (size_t) v->name.len, &p->set, 1, &sink) == 1)
			row_put(v, (uint8 *) v->name.data, (size_t) v->name.len, p->set.type, actions[p->kind], p->ours, p->theirs);
	}
	v->pending = NIL;
	v->there = 0;
	resetStringInfo(&v->name);
	MemoryContextSwitchTo(old);
	MemoryContextReset(v->scratch);
}

static void
preview(const uint8 *name, size_t name_len, Difference kind, const UpdateSet *ours, const UpdateSet *theirs, void *arg)
{
	Verify	   *v = arg;
	MemoryContext old;
	Pending    *p;

	if (ours->type == TYPE_SOA)
		return;					/* see soa_preview() */
	if (v->name.len != (int) name_len || memcmp(v->name.data, name, name_len) != 0)
	{
		pending_put(v);
		appendBinaryStringInfo(&v->name, (const char *) name, (int) name_len);
	}
	if (kind == DIFFERENCE_EXTRA)
		v->there |= ours->type == TYPE_CNAME ? EXTRA_CNAME : EXTRA_OTHER;
	old = MemoryContextSwitchTo(v->scratch);
	p = palloc0(sizeof(Pending));
	p->set = (UpdateSet) {.type = ours->type, .n = ours->n};
	p->kind = kind;
	p->ours = ours->n ? set_datum(ours) : (Datum) 0;
	p->theirs = theirs->n ? set_datum(theirs) : (Datum) 0;
	v->pending = lappend(v->pending, p);
	MemoryContextSwitchTo(old);
}

/* The SOA record that was fetched, which came first. */
static bool
soa_fetched(Spool *fetched, const ZoneRef *zone, UpdateSet *soa)
{
	spool_rewind(fetched);
	while (spool_next(fetched) == SPOOL_ITEM)
	{
		WireReader	r;
		size_t		name_len;
		uint16		type;

		wire_reader_init(&r, fetched->entry.data, (size_t) fetched->entry.len);
		(void) wire_get_string(&r, NAME_STORED_MAX, &name_len);
		type = wire_get_u16(&r);
		*soa = (UpdateSet) {.type = type, .ttl = wire_get_u32(&r), .n = 1};
		if (type != TYPE_SOA || name_len != zone->name_len)
			continue;
		soa->rdata = palloc(sizeof(uint8 *));
		soa->len = palloc(sizeof(uint16));
		soa->rdata[0] = r.p;
		soa->len[0] = (uint16) (r.end - r.p);
		return true;
	}
	return false;
}

/* As it would be told: with the serial that it would have. */
static void
soa_preview(Verify *v, ServedZone *zone)
{
	DifferenceSink sink = {.arg = v, .cannot = cannot};
	ServedSet  *sets;
	UpdateSet	theirs,
				ours;
	int			n = served_name(zone, zone->ref.name, zone->ref.name_len, &sets);

	for (int i = 0; i < n; i++)
	{
		uint8	   *told;

		if (sets[i].type != TYPE_SOA || sets[i].n != 1 || !soa_fetched(v->fetched, v->zone, &theirs) ||
			sets_prepare(v->row, zone->ref.name, zone->ref.name_len, &sets[i], 1, &ours, &sink) != 1 ||
			!(told = soa_told(&ours, &theirs, v->row->our_serial)))
			continue;
		ours.rdata[0] = told;
		row_put(v, zone->ref.name, zone->ref.name_len, TYPE_SOA, actions[DIFFERENCE_REPLACE], set_datum(&ours), set_datum(&theirs));
	}
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
	bool		previews = v->columns == &preview_columns;
	DifferenceSink sink = {.arg = v, .difference = previews ? preview : difference, .cannot = cannot};
	const char *why;

	v->fetched = spool_open();
	why = zone_fetch(v->conn, v->row->transfer_most, v->zone->name, v->zone->name_len, v->fetched);
	v->whole = false;
	PushActiveSnapshot(GetLatestSnapshot());
	if (!served_open(&zone, store, GetActiveSnapshot(), v->zone->number) || served_gone(&zone))
		 /* deleted meanwhile */ ;
	else if (why)
		row_put(v, NULL, 0, 0, "cannot", (Datum) 0, text_datum(why));
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
		if (previews)
		{
			pending_put(v);
			soa_preview(v, &zone);
		}
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

static Datum
server_verify(FunctionCallInfo fcinfo, const Columns *columns)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Verify	   *v = palloc0(sizeof(Verify));

	v->columns = columns;
	v->out = result_set_begin(fcinfo, &v->desc);
	tables_refresh();
	policies_refresh();
	v->row = server_row(name, CurrentMemoryContext);
	if (!v->row)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("server \"%s\" does not exist", name)));
	if (columns == &verify_columns)
		v->vector = vector_read(name);
	v->scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl difference", ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&v->name);
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

/* verify(server text, OUT zone dnsname, OUT name dnsname, OUT type rrtype, OUT ours text[], OUT theirs text[], OUT extra boolean) returns setof record */
Datum
dnsrepl_verify(PG_FUNCTION_ARGS)
{
	return server_verify(fcinfo, &verify_columns);
}

/* server_preview(server text, OUT zone dnsname, OUT name dnsname, OUT type rrtype, OUT action text, OUT ours text[], OUT theirs text[]) returns setof record */
Datum
dnsrepl_server_preview(PG_FUNCTION_ARGS)
{
	return server_verify(fcinfo, &preview_columns);
}
