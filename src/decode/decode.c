/*
 * decode.c: the logical decoding output plugin: PowerDNS's tables as input of nsupdate, for those who want no store.
 *
 *   pg_recvlogical -d pdns --slot=dns --start -f - | nsupdate
 *
 * A transaction's changes to a zone are one block: "zone", its "update" lines, "send". What a transaction removes and puts back is
 * not in it. Of a name removals come first, so that a CNAME record can take the place of others; NS records of the apex the other way
 * round, since no server removes the last one (RFC 2136 3.4.2.4). A block that would not fit into a DNS message is cut between names,
 * those that get records before those that only lose some.
 *
 * The plugin sees rows, not tables. A row that goes must come whole: REPLICA IDENTITY FULL on records. The zone is found by its id in
 * domains, as it was at that time: user_catalog_table on domains. Where one of the two is missing, an error says so.
 *
 * Of a column's type it calls the output function, which nobody but a superuser can make: no code of the table's owner.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "nodes/parsenodes.h"
#include "replication/logical.h"
#include "replication/origin.h"
#include "replication/output_plugin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/varlena.h"

#include "compat.h"
#include "dns/message.h"
#include "dns/rdata.h"
#include "dns/record.h"
#include "dns/rrtype.h"
#include "store/pattern.h"

#define BLOCK_MAX (MESSAGE_MAX - 1000)	/* octets of a message, without its signature */

extern PGDLLEXPORT void _PG_output_plugin_init(OutputPluginCallbacks *cb);

/* One record that came or went. */
typedef struct Changed
{
	int			zone;			/* of Decoding.zones */
	uint8	   *name;
	size_t		name_len;
	uint16		type;
	uint32		ttl;
	uint8	   *rdata;			/* canonical */
	size_t		len;
	int			count;			/* 1: came, -1: went; sums of both */
} Changed;

typedef struct DecodedZone
{
	int32		id;
	bool		known;			/* false: there is none of this id any more */
	bool		wanted;
	uint8	   *name;
	size_t		name_len;
} DecodedZone;

typedef struct Decoding
{
	List	   *patterns;		/* NIL: all zones */
	bool		skip_origins;
	MemoryContext row;
	MemoryContext transaction;
	int			nzones;
	DecodedZone *zones;
	int			nchanges,
				cap;
	Changed    *changes;
	StringInfoData notes;		/* comments for the transaction's output */
} Decoding;

/* ---------- options ---------- */

static void
option_zones(Decoding *d, const char *value)
{
	List	   *texts;
	ListCell   *lc;

	if (!SplitIdentifierString(pstrdup(value), ',', &texts))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("option \"zones\" is not a list of patterns"),
				 errhint("Separate them by commas: zones=example.org,*.example.org")));
	foreach(lc, texts)
		d->patterns = lappend(d->patterns, pattern_read(lfirst(lc)));
}

static void
decode_startup(LogicalDecodingContext *ctx, OutputPluginOptions *opt, bool is_init)
{
	Decoding   *d = palloc0(sizeof(Decoding));
	ListCell   *lc;

	opt->output_type = OUTPUT_PLUGIN_TEXTUAL_OUTPUT;
	ctx->output_plugin_private = d;
	d->row = AllocSetContextCreate(ctx->context, "dnsrepl row", ALLOCSET_DEFAULT_SIZES);
	d->transaction = AllocSetContextCreate(ctx->context, "dnsrepl transaction", ALLOCSET_DEFAULT_SIZES);
	foreach(lc, ctx->output_plugin_options)
	{
		DefElem    *option = lfirst(lc);
		char	   *value = option->arg ? strVal(option->arg) : NULL;

		if (strcmp(option->defname, "zones") == 0 && value)
			option_zones(d, value);
		else if (strcmp(option->defname, "skip-origins") == 0)
		{
			d->skip_origins = true;
			if (value && !parse_bool(value, &d->skip_origins))
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("option \"skip-origins\" is neither on nor off")));
		}
		else
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("option \"%s\" is not known, or has no value", option->defname),
					 errhint("There are zones (patterns, separated by commas) and skip-origins (leave out what came from another node).")));
	}
}

static bool
decode_filter_origin(LogicalDecodingContext *ctx, RepOriginId origin)
{
	return ((Decoding *) ctx->output_plugin_private)->skip_origins && origin != InvalidRepOriginId;
}

/* ---------- zones ---------- */

static bool
key_is_id(Relation rel, AttrNumber id_att)
{
	Oid			key = compat_primary_key(rel);
	Relation	index;
	bool		is;

	if (!OidIsValid(key))
		return false;
	index = index_open(key, AccessShareLock);
	is = index->rd_index->indkey.values[0] == id_att;
	index_close(index, NoLock);
	return is;
}

/* The zone's name, as the transaction had it at this point; NULL: there is none of that id. */
static char *
domain_name_of(Oid domains, int32 id)
{
	Relation	rel = table_open(domains, AccessShareLock);
	AttrNumber	id_att = get_attnum(domains, "id");
	AttrNumber	name_att = get_attnum(domains, "name");
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	char	   *name = NULL;

	if (!RelationIsAccessibleInLogicalDecoding(rel))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" cannot be read while its changes are decoded", RelationGetRelationName(rel)),
				 errdetail("A record's zone is found there by its id."),
				 errhint("ALTER TABLE %s SET (user_catalog_table = true), and make the slot anew.", RelationGetRelationName(rel))));
	if (id_att <= 0 || name_att <= 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("table \"%s\" has not the columns id and name", RelationGetRelationName(rel))));
	if (getBaseType(TupleDescAttr(RelationGetDescr(rel), id_att - 1)->atttypid) != INT4OID || !key_is_id(rel, id_att))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the primary key of table \"%s\" is not its column \"id\", an integer", RelationGetRelationName(rel))));
	ScanKeyInit(&key, id_att, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(id));
	scan = systable_beginscan(rel, compat_primary_key(rel), true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, name_att, RelationGetDescr(rel), &isnull);
		Oid			out;
		bool		is_varlena;

		getTypeOutputInfo(TupleDescAttr(RelationGetDescr(rel), name_att - 1)->atttypid, &out, &is_varlena);
		name = isnull ? NULL : OidOutputFunctionCall(out, value);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return name;
}

/* Among the transaction's; looked up once. */
static int
zone_of(Decoding *d, Relation records, int32 id)
{
	DecodedZone *z;
	char	   *text;
	uint8		stored[NAME_STORED_MAX];
	int			len;
	Oid			domains;
	MemoryContext old;

	for (int i = d->nzones - 1; i >= 0; i--)
		if (d->zones[i].id == id)
			return i;
	domains = get_relname_relid("domains", RelationGetNamespace(records));
	if (!OidIsValid(domains))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("there is no table \"domains\" beside \"%s\"", RelationGetRelationName(records))));
	text = domain_name_of(domains, id);
	len = text ? name_from_text(text, strlen(text), stored, NULL) : -1;
	old = MemoryContextSwitchTo(d->transaction);
	d->zones = d->zones ? repalloc(d->zones, sizeof(DecodedZone) * (size_t) (d->nzones + 1)) : palloc(sizeof(DecodedZone));
	z = &d->zones[d->nzones];
	*z = (DecodedZone) {.id = id, .known = len >= 0};
	if (len >= 0)
	{
		z->name = palloc((Size) len + 1);
		memcpy(z->name, stored, (size_t) len);
		z->name_len = (size_t) len;
		z->wanted = d->patterns == NIL || patterns_match(d->patterns, z->name, z->name_len);
	}
	else
		appendStringInfo(&d->notes, "; zone %d has been deleted: no UPDATE does that\n", id);
	MemoryContextSwitchTo(old);
	return d->nzones++;
}

/* ---------- rows ---------- */

/* A column as text; NULL: null, or there is none. Of a new row that has it unchanged out of line, the old one's. */
static char *
column_of(Relation rel, HeapTuple tuple, HeapTuple old, const char *column)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		bool		isnull;
		Datum		value;
		Oid			out;
		bool		is_varlena;

		if (att->attisdropped || strcmp(NameStr(att->attname), column) != 0)
			continue;
		value = heap_getattr(tuple, i + 1, desc, &isnull);
		if (!isnull && att->attlen == -1 && VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(value)))
		{
			if (!old)
				return NULL;
			value = heap_getattr(old, i + 1, desc, &isnull);
		}
		if (isnull)
			return NULL;
		getTypeOutputInfo(att->atttypid, &out, &is_varlena);
		return OidOutputFunctionCall(out, value);
	}
	return NULL;
}

static void
note_row(Decoding *d, const char *name, const char *type, const char *why)
{
	appendStringInfoString(&d->notes, "; left out: ");
	for (const char *p = psprintf("%s %s: %s", name, type, why); *p; p++)
		appendStringInfoChar(&d->notes, (unsigned char) *p < ' ' ? '?' : *p);
	appendStringInfoChar(&d->notes, '\n');
}

/* A row that came (1) or went (-1). */
static void
row_take(Decoding *d, Relation rel, HeapTuple tuple, HeapTuple other, int count)
{
	char	   *domain = column_of(rel, tuple, other, "domain_id");
	char	   *name = column_of(rel, tuple, other, "name");
	char	   *type_text = column_of(rel, tuple, other, "type");
	char	   *content = column_of(rel, tuple, other, "content");
	char	   *ttl = column_of(rel, tuple, other, "ttl");
	char	   *prio = column_of(rel, tuple, other, "prio");
	char	   *disabled = column_of(rel, tuple, other, "disabled");
	uint8		stored[NAME_STORED_MAX];
	char		reason[NAME_REASON_MAX];
	RecordError err;
	const uint8 *wire;
	uint16		type;
	int			name_len,
				len,
				zone;
	Changed    *c;
	MemoryContext old;

	if (!domain || !name || !type_text || !content || (disabled && disabled[0] == 't'))
		return;					/* of no zone, an empty non-terminal, switched off */
	zone = zone_of(d, rel, atoi(domain));
	if (!d->zones[zone].known || !d->zones[zone].wanted)
		return;
	name_len = name_from_text(name, strlen(name), stored, reason);
	if (name_len < 0 || !name_below(stored, (size_t) name_len, d->zones[zone].name, d->zones[zone].name_len))
	{
		note_row(d, name, type_text, "its name is not in the zone");
		return;
	}
	if (!rrtype_from_text(type_text, strlen(type_text), &type) || rrtype_is_meta(type) || type >= RRTYPE_ADDR)
	{
		note_row(d, name, type_text, "nsupdate does not know the type");
		return;
	}
	len = record_rdata(type, !prio, prio ? atoi(prio) : 0, content, strlen(content), &wire, &err);
	if (len < 0)
	{
		note_row(d, name, type_text, err.reason);
		return;
	}
	old = MemoryContextSwitchTo(d->transaction);
	if (d->nchanges == d->cap)
	{
		d->cap = d->cap ? d->cap * 2 : 64;
		d->changes = d->changes ? repalloc_huge(d->changes, sizeof(Changed) * (size_t) d->cap) : palloc(sizeof(Changed) * (size_t) d->cap);
	}
	c = &d->changes[d->nchanges++];
	*c = (Changed) {.zone = zone, .name_len = (size_t) name_len, .type = type, .ttl = ttl ? (uint32) atoi(ttl) : 3600, .len = (size_t) len, .count = count};
	c->name = palloc((Size) (name_len + len + 1));
	memcpy(c->name, stored, (size_t) name_len);
	c->rdata = c->name + name_len;
	memcpy(c->rdata, wire, (size_t) len);
	MemoryContextSwitchTo(old);
}

/* Is it the same record? What PowerDNS derives does not count. */
static bool
rows_same(Relation rel, HeapTuple was, HeapTuple is)
{
	static const char *const columns[] = {"domain_id", "name", "type", "content", "ttl", "prio", "disabled"};

	for (size_t i = 0; i < lengthof(columns); i++)
	{
		char	   *a = column_of(rel, was, NULL, columns[i]);
		char	   *b = column_of(rel, is, was, columns[i]);

		if ((a == NULL) != (b == NULL) || (a && strcmp(a, b) != 0))
			return false;
	}
	return true;
}

static void
decode_change(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, Relation rel, ReorderBufferChange *change)
{
	Decoding   *d = ctx->output_plugin_private;
	HeapTuple	was = compat_decoded_old(change);
	HeapTuple	is = compat_decoded_new(change);
	MemoryContext old;

	if (strcmp(RelationGetRelationName(rel), "records") != 0)
		return;
	if (change->action != REORDER_BUFFER_CHANGE_INSERT &&
		(!was || rel->rd_rel->relreplident != REPLICA_IDENTITY_FULL))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a row of \"%s\" that was changed or deleted is not in the log as it was", RelationGetRelationName(rel)),
				 errhint("ALTER TABLE %s REPLICA IDENTITY FULL, and make the slot anew.", RelationGetRelationName(rel))));
	old = MemoryContextSwitchTo(d->row);
	if (!was || !is || !rows_same(rel, was, is))
	{
		if (was)
			row_take(d, rel, was, NULL, -1);
		if (is)
			row_take(d, rel, is, was, 1);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(d->row);
}

static void
decode_truncate(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, int nrelations, Relation relations[], ReorderBufferChange *change)
{
	Decoding   *d = ctx->output_plugin_private;

	for (int i = 0; i < nrelations; i++)
		if (strcmp(RelationGetRelationName(relations[i]), "records") == 0)
			appendStringInfoString(&d->notes, "; table records was truncated: what the servers have of it stays there\n");
}

/* ---------- transactions ---------- */

static void
transaction_reset(Decoding *d)
{
	MemoryContext old;

	MemoryContextReset(d->transaction);
	d->nzones = d->nchanges = d->cap = 0;
	d->zones = NULL;
	d->changes = NULL;
	old = MemoryContextSwitchTo(d->transaction);
	initStringInfo(&d->notes);
	MemoryContextSwitchTo(old);
}

static void
decode_begin(LogicalDecodingContext *ctx, ReorderBufferTXN *txn)
{
	transaction_reset(ctx->output_plugin_private);
}

static int
octets_order(const uint8 *a, size_t alen, const uint8 *b, size_t blen)
{
	int			c = memcmp(a, b, Min(alen, blen));

	return c ? c : (alen > blen) - (alen < blen);
}

/* By zone, name, type, rdata, TTL. */
static int
changed_order(const void *a, const void *b)
{
	const Changed *x = a,
			   *y = b;
	int			c = (x->zone > y->zone) - (x->zone < y->zone);

	c = c ? c : octets_order(x->name, x->name_len, y->name, y->name_len);
	c = c ? c : (x->type > y->type) - (x->type < y->type);
	c = c ? c : octets_order(x->rdata, x->len, y->rdata, y->len);
	return c ? c : (x->ttl > y->ttl) - (x->ttl < y->ttl);
}

/* Each record once, with what its comings and goings come to; none that came and went. */
static void
changes_sum(Decoding *d)
{
	int			n = 0;

	qsort(d->changes, (size_t) d->nchanges, sizeof(Changed), changed_order);
	for (int i = 0; i < d->nchanges; i++)
	{
		if (n > 0 && changed_order(&d->changes[n - 1], &d->changes[i]) == 0)
			d->changes[n - 1].count += d->changes[i].count;
		else
			d->changes[n++] = d->changes[i];
		if (d->changes[n - 1].count == 0 && (i + 1 == d->nchanges || changed_order(&d->changes[n - 1], &d->changes[i + 1]) != 0))
			n--;
	}
	d->nchanges = n;
}

typedef struct ZoneBlock
{
	LogicalDecodingContext *ctx;
	const DecodedZone *zone;
	StringInfoData text;		/* of a name; then of the block */
	StringInfoData lines;
	size_t		octets,			/* of the message that the block becomes */
				name_octets;
} ZoneBlock;

static void
block_send(ZoneBlock *b)
{
	char		name[NAME_TEXT_MAX];

	if (b->text.len == 0)
		return;
	(void) name_to_text(b->zone->name, b->zone->name_len, name);
	OutputPluginPrepareWrite(b->ctx, true);
	appendStringInfo(b->ctx->out, "zone %s\n%ssend", name, b->text.data);
	OutputPluginWrite(b->ctx, true);
	resetStringInfo(&b->text);
	b->octets = 0;
}

static void
line_put(ZoneBlock *b, const Changed *c)
{
	char		name[NAME_TEXT_MAX],
				type[RRTYPE_TEXT_MAX];
	const char *rdata = rdata_to_text(c->type, c->rdata, c->len);
	int			len = name_to_text(c->name, c->name_len, name);

	(void) rrtype_to_text(c->type, type);
	if (c->count < 0)
		appendStringInfo(&b->lines, "update delete %s%s %s %s\n", name, len == 1 && name[0] == '.' ? "" : ".", type, rdata ? rdata : "");
	else
		appendStringInfo(&b->lines, "update add %s%s %u %s %s\n", name, len == 1 && name[0] == '.' ? "" : ".", c->ttl, type, rdata ? rdata : "");
	b->name_octets += c->name_len + 12 + c->len;
}

/* The lines of a name. */
static void
name_put(ZoneBlock *b, const Changed *changes, int n)
{
	bool		apex = changes[0].name_len == b->zone->name_len;

	resetStringInfo(&b->lines);
	b->name_octets = 0;
	for (int i = 0; i < n; i++)
		if (apex && changes[i].type == RRTYPE_NS && changes[i].count > 0)
			line_put(b, &changes[i]);
	for (int i = 0; i < n; i++)
		if (changes[i].count < 0)
			line_put(b, &changes[i]);
	for (int i = 0; i < n; i++)
		if (changes[i].count > 0 && !(apex && changes[i].type == RRTYPE_NS))
			line_put(b, &changes[i]);
	if (b->octets + b->name_octets > BLOCK_MAX)
		block_send(b);
	appendBinaryStringInfo(&b->text, b->lines.data, b->lines.len);
	b->octets += b->name_octets;
}

/* The changes of one zone, in order of names. */
static void
zone_put(ZoneBlock *b, const Changed *changes, int n)
{
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0, next; i < n; i = next)
		{
			bool		adds = false;

			for (next = i; next < n && octets_order(changes[i].name, changes[i].name_len, changes[next].name, changes[next].name_len) == 0; next++)
				adds |= changes[next].count > 0;
			if (adds == (pass == 0))
				name_put(b, &changes[i], next - i);
		}
	block_send(b);
}

static void
decode_commit(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, XLogRecPtr commit_lsn)
{
	Decoding   *d = ctx->output_plugin_private;
	MemoryContext old = MemoryContextSwitchTo(d->transaction);
	ZoneBlock	b = {.ctx = ctx};

	initStringInfo(&b.text);
	initStringInfo(&b.lines);
	changes_sum(d);
	if (d->notes.len > 0)
	{
		OutputPluginPrepareWrite(ctx, d->nchanges == 0);
		appendBinaryStringInfo(ctx->out, d->notes.data, d->notes.len - 1);
		OutputPluginWrite(ctx, d->nchanges == 0);
	}
	for (int i = 0, next; i < d->nchanges; i = next)
	{
		for (next = i; next < d->nchanges && d->changes[next].zone == d->changes[i].zone; next++)
			;
		b.zone = &d->zones[d->changes[i].zone];
		zone_put(&b, &d->changes[i], next - i);
	}
	MemoryContextSwitchTo(old);
	transaction_reset(d);
}

void
_PG_output_plugin_init(OutputPluginCallbacks *cb)
{
	cb->startup_cb = decode_startup;
	cb->begin_cb = decode_begin;
	cb->change_cb = decode_change;
	cb->truncate_cb = decode_truncate;
	cb->commit_cb = decode_commit;
	cb->filter_by_origin_cb = decode_filter_origin;
}
