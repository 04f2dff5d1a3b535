/*
 * relation.c: see relation.h.
 *
 * A key is the table's number (2 octets) and for each key column its length as a varint and its octets: what the
 * type's send function gives, or for text and its kin the octets in the database's encoding (a send function would
 * convert to the client's). Rows are read through an index that the table happens to have, in the executor's
 * stead: no permission and no row security stands between the store and the rows.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "dns/name.h"
#include "store/progress.h"
#include "store/relation.h"
#include "store/schema.h"
#include "store/table_shape.h"
#include "store/table_code.h"

#define MAX_TABLES 256

bool		projecting = false;

static MemoryContext tables_context = NULL;
static MemoryContext tables_former = NULL;	/* has those of this transaction that are not in force any more */
static LocalTransactionId tables_former_of = InvalidLocalTransactionId;
static uint64 tables_changes = 1;	/* heard of */
static TableDesc *tables[MAX_TABLES];
static int	ntables = 0;
static bool tables_stale = true;
static bool tables_whole = false;	/* no error has ended the making of them */
int			tables_generation = 0;
static bool watching = false;
static Oid	tab_relid = InvalidOid; /* dnsrepl.tab */

static void
tables_invalidate(Datum arg, Oid relid)
{
	bool		ours = relid == InvalidOid || relid == tab_relid;

	for (int i = 0; i < ntables; i++)
		ours |= tables[i]->relid == relid;
	tables_stale |= ours;
	tables_changes += ours;
}

/* ---------- descriptions ---------- */

Oid
name_type(void)
{
	return get_atttype(schema_oid("zone"), 2);	/* dnsrepl.zone.name */
}

bool
type_has_code(Oid type)
{
	return type >= FirstNormalObjectId && getExtensionOfObject(TypeRelationId, type) != getExtensionOfObject(RelationRelationId, schema_oid("tab"));
}

static void
column_describe(ColumnDesc *c, TableDesc *t, Relation rel, const char *name)
{
	ShapeKind	kind = table_shape_kind(t->number, name);
	Oid			send,
				recv,
				in;
	bool		varlena;

	memset(c, 0, sizeof(*c));
	namestrcpy(&c->attname, name);
	c->name = kind == SHAPE_NAME;	/* keys are read by that, whatever the table is like */
	if (!t->problem)
		t->problem = table_shape_column_problem(rel, t->number, name);
	if (t->problem)
		return;
	c->att = get_attnum(t->relid, name);
	get_atttypetypmodcoll(t->relid, c->att, &c->type, &c->typmod, &in);
	c->domain = getBaseType(c->type) != c->type;
	c->name |= table_shape_fits(SHAPE_NAME, c->type);
	c->raw = table_shape_fits(SHAPE_TEXT, c->type);
	if (c->raw)
	{
		getTypeInputInfo(c->type, &in, &c->ioparam);
		fmgr_info_cxt(in, &c->in, tables_context);
	}
	else
	{
		getTypeBinaryOutputInfo(c->type, &send, &varlena);
		getTypeBinaryInputInfo(c->type, &recv, &c->ioparam);
		fmgr_info_cxt(send, &c->send, tables_context);
		fmgr_info_cxt(recv, &c->recv, tables_context);
	}
}

static int
column_list(TableDesc *t, Relation rel, Datum array, ColumnDesc *out, int most)
{
	Datum	   *names;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &names, NULL, &n);
	if (n > most)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("table \"%s\" has more than %d such columns", t->name, most)));
	for (int i = 0; i < n; i++)
		column_describe(&out[i], t, rel, TextDatumGetCString(names[i]));
	return n;
}

#define BY_ID (-1)				/* in place of the number of key columns: what is known is the id, as if it was the first of them */

/* Which part of a unit's address an index column is: one of the first `nkeys` key columns' number, -1 for the zone, -2 for none. */
static int
path_part(const TableDesc *t, int nkeys, AttrNumber att)
{
	if (nkeys == BY_ID)
		return att == t->id_att ? 0 : -2;
	if (t->zone != ZONE_NONE && att == t->zone_att)
		return -1;
	for (int k = 0; k < nkeys; k++)
		if (t->keys[k].att == att && !t->keys[k].hashed)
			return k;
	return -2;
}

/* Takes the index if more of its leading columns are known than of the one taken so far. */
static void
path_consider(const TableDesc *t, int nkeys, bool must, TablePath *path, Relation index)
{
	TablePath	p = {.index = RelationGetRelid(index)};

	if (index->rd_rel->relam != BTREE_AM_OID || !index->rd_index->indisvalid || !index->rd_index->indisready ||
		!heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL) ||
		!heap_attisnull(index->rd_indextuple, Anum_pg_index_indexprs, NULL))
		return;
	while (p.n < index->rd_index->indnkeyatts && p.n < MAX_KEY_COLUMNS + 1)
	{
		int			part = path_part(t, nkeys, index->rd_index->indkey.values[p.n]);
		Oid			type = index->rd_opcintype[p.n];
		Oid			equal = get_opfamily_member(index->rd_opfamily[p.n], type, type, BTEqualStrategyNumber);

		if (part == -2 || !OidIsValid(equal))
			break;
		must &= part != 0;
		p.columns[p.n] = (PathColumn) {part, get_opcode(equal), index->rd_indcollation[p.n]};
		p.n++;
	}
	if (!must && p.n > path->n)
		*path = p;
}

/* The zone and the first `nkeys` key columns are known; must: an index that does not use the first of these does not help. */
static TablePath
path_choose(const TableDesc *t, Relation rel, int nkeys, bool must)
{
	List	   *indexes = RelationGetIndexList(rel);
	TablePath	path = {0};
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		path_consider(t, nkeys, must, &path, index);
		index_close(index, AccessShareLock);
	}
	return path;
}

static void
columns_describe(TableDesc *t, Relation rel, Datum *values, bool *nulls)
{
	t->nkeys = column_list(t, rel, values[TAB_KEY - 1], t->keys, MAX_KEY_COLUMNS);
	t->ncolumns = column_list(t, rel, values[TAB_COLUMNS - 1], t->columns, MAX_COLUMNS);
	for (int k = 0; k < t->nkeys && !nulls[TAB_HASHED - 1]; k++)
		t->keys[k].hashed = strcmp(NameStr(t->keys[k].attname), TextDatumGetCString(values[TAB_HASHED - 1])) == 0;
	if (t->zone != ZONE_NONE)
		column_describe(&t->zone_column, t, rel, t->zone == ZONE_SELF ? "name" : "domain_id");
	if (t->zone == ZONE_SELF)
		column_describe(&t->id_column, t, rel, "id");
	if (t->problem)
		return;
	for (int k = 0; k < t->nkeys; k++)
		t->code_in_values |= type_has_code(t->keys[k].type);
	for (int c = 0; c < t->ncolumns; c++)
		t->code_in_values |= type_has_code(t->columns[c].type);
	t->zone_att = t->zone_column.att;
	t->id_att = t->id_column.att;
	t->by_unit = path_choose(t, rel, t->nkeys, false);
	t->by_name = path_choose(t, rel, 1, true);	/* without the name it would be all of a zone, which may be many */
	t->by_zone = path_choose(t, rel, 0, false);
	if (t->id_att)
		t->by_id = path_choose(t, rel, BY_ID, true);
}

/* NULL: it has been dropped. */
static TableDesc *
table_describe(Datum *values, bool *nulls)
{
	Relation	rel = try_relation_open(DatumGetObjectId(values[TAB_REL - 1]), AccessShareLock);
	TableDesc  *t;
	MemoryContext old;

	if (!rel)
		return NULL;
	t = MemoryContextAllocZero(tables_context, sizeof(TableDesc));
	old = MemoryContextSwitchTo(tables_context);
	t->number = DatumGetInt16(values[TAB_NUMBER - 1]);
	t->relid = RelationGetRelid(rel);
	t->owner = rel->rd_rel->relowner;
	t->looked_at = tables_changes;	/* it is locked */
	t->zone = (ZoneKind) DatumGetChar(values[TAB_ZONE - 1]);
	strlcpy(t->name, TextDatumGetCString(values[TAB_NAME - 1]), NAMEDATALEN);
	t->inside = t->number == TABLE_RECORDS;
	t->problem = table_shape_problem(rel, t->number);
	columns_describe(t, rel, values, nulls);
	MemoryContextSwitchTo(old);
	relation_close(rel, AccessShareLock);
	return t;
}

/* Whoever holds one of them goes on doing so. */
static void
tables_retire(void)
{
	if (!tables_former)
		tables_former = AllocSetContextCreate(CacheMemoryContext, "dnsrepl former tables", ALLOCSET_SMALL_SIZES);
	if (tables_former_of != MY_LXID)
		MemoryContextDeleteChildren(tables_former);
	tables_former_of = MY_LXID;
	if (tables_context)
		MemoryContextSetParent(tables_context, tables_former);
	tables_context = NULL;
	ntables = 0;
}

void
tables_refresh(void)
{
	Oid			relid;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;
	Snapshot	snapshot;

	if (!tables_stale && tables_whole)
		return;
	tables_whole = false;
	if (!watching)
	{
		CacheRegisterRelcacheCallback(tables_invalidate, (Datum) 0);
		watching = true;
	}
	tables_retire();
	tables_context = AllocSetContextCreate(CacheMemoryContext, "dnsrepl tables", ALLOCSET_DEFAULT_SIZES);
	relid = tab_relid = schema_find("tab");
	if (!OidIsValid(relid))
		return;
	tables_stale = false;
	rel = schema_table("tab", AccessShareLock, TAB_NATTS);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	scan = table_beginscan(rel, snapshot, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL && ntables < MAX_TABLES)
	{
		Datum		values[TAB_NATTS];
		bool		nulls[TAB_NATTS];

		heap_deform_tuple(tuple, RelationGetDescr(rel), values, nulls);
		tables[ntables] = table_describe(values, nulls);
		ntables += tables[ntables] != NULL;
	}
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	tables_whole = true;
	tables_generation++;
}

void
tables_changed(void)
{
	CacheInvalidateRelcacheByRelid(schema_oid("tab"));
	tables_stale = true;
}

TableDesc *
table_by_relid(Oid relid)
{
	for (int i = 0; i < ntables; i++)
		if (tables[i]->relid == relid)
			return tables[i];
	return NULL;
}

TableDesc *
table_by_number(int16 number)
{
	for (int i = 0; i < ntables; i++)
		if (tables[i]->number == number)
			return tables[i];
	return NULL;
}

TableDesc *
table_next(int *position)
{
	return *position < ntables ? tables[(*position)++] : NULL;
}

TableDesc *
table_domains(void)
{
	for (int i = 0; i < ntables; i++)
		if (tables[i]->zone == ZONE_SELF)
		{
			table_require(tables[i]);
			return tables[i];
		}
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"domains\" is not replicated here"),
			 errhint("Run SELECT dnsrepl.setup('name of this node').")));
	return NULL;
}

void
table_require(const TableDesc *t)
{
	if (likely(!t->problem))
		return;
	tables_stale = true;		/* not all that mends it is heard of */
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" has been altered so that it cannot be replicated", t->name),
			 errdetail("%s", t->problem),
			 errhint("Alter it back. Then all goes on by itself.")));
}

static bool
column_stands(const ColumnDesc *c, TupleDesc desc)
{
	Form_pg_attribute att;

	if (c->att > desc->natts)
		return false;
	att = TupleDescAttr(desc, c->att - 1);
	return !att->attisdropped && att->atttypid == c->type && strcmp(NameStr(att->attname), NameStr(c->attname)) == 0;
}

/* Is it what it was when it was described? */
static bool
table_stands(const TableDesc *t, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		stands = rel->rd_rel->relkind == RELKIND_RELATION;

	for (int k = 0; k < t->nkeys; k++)
		stands &= column_stands(&t->keys[k], desc);
	for (int c = 0; c < t->ncolumns; c++)
		stands &= column_stands(&t->columns[c], desc);
	return stands && (!t->zone_att || column_stands(&t->zone_column, desc)) && (!t->id_att || column_stands(&t->id_column, desc));
}

/* An index that has been dropped is not used any more. */
static void
path_stand(TablePath *path, Relation rel)
{
	if (path->n > 0 && !list_member_oid(RelationGetIndexList(rel), path->index))
		path->n = 0;
}

Relation
table_open_as(TableDesc *t, LOCKMODE mode)
{
	Relation	rel;

	table_require(t);
	rel = try_relation_open(t->relid, mode);
	if (likely(rel && t->looked_at == tables_changes))
		return rel;
	if (!rel || !table_stands(t, rel))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("table \"%s\" has been altered or dropped meanwhile", t->name),
				 errhint("Try again.")));
	path_stand(&t->by_unit, rel);
	path_stand(&t->by_name, rel);
	path_stand(&t->by_zone, rel);
	path_stand(&t->by_id, rel);
	t->looked_at = tables_changes;
	return rel;
}

/* ---------- values and octets ---------- */

static void
value_encode(StringInfo out, ColumnDesc *c, Datum value)
{
	if (c->raw)
	{
		struct varlena *text = PG_DETOAST_DATUM_PACKED(value);

		appendBinaryStringInfo(out, VARDATA_ANY(text), (int) VARSIZE_ANY_EXHDR(text));
	}
	else
	{
		bytea	   *sent = SendFunctionCall(&c->send, value);

		appendBinaryStringInfo(out, VARDATA(sent), (int) (VARSIZE(sent) - VARHDRSZ));
		pfree(sent);
	}
}

static Datum
value_decode(ColumnDesc *c, const uint8 *data, size_t len)
{
	StringInfoData buf;
	Datum		value;

	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, (const char *) data, (int) len);
	if (c->raw)
	{
		if (memchr(buf.data, 0, len))
			ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION), errmsg("text contains a zero octet")));
		pg_verifymbstr(buf.data, (int) len, false);
		return InputFunctionCall(&c->in, buf.data, c->ioparam, c->typmod);
	}
	value = ReceiveFunctionCall(&c->recv, &buf, c->ioparam, c->typmod);
	if (buf.cursor != buf.len)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION), errmsg("value has trailing octets")));
	return value;
}

static void
put_hash(StringInfo out, const char *data, size_t len)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	pg_cryptohash_ctx *ctx = pg_cryptohash_create(PG_SHA256);

	if (!ctx || pg_cryptohash_init(ctx) < 0 || pg_cryptohash_update(ctx, (const uint8 *) data, len) < 0 ||
		pg_cryptohash_final(ctx, digest, sizeof(digest)) < 0)
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not compute SHA-256")));
	pg_cryptohash_free(ctx);
	wire_put_string(out, digest, sizeof(digest));
}

bool
key_encode(StringInfo out, TableDesc *t, TupleTableSlot *slot)
{
	StringInfoData value;

	table_require(t);
	wire_put_u16(out, (uint16) t->number);
	if (t->nkeys)
		initStringInfo(&value);
	for (int k = 0; k < t->nkeys; k++)
	{
		bool		isnull;
		Datum		d = slot_getattr(slot, t->keys[k].att, &isnull);

		if (isnull)
			return false;
		if (t->keys[k].name)
		{
			struct varlena *name = PG_DETOAST_DATUM_PACKED(d);

			appendBinaryStringInfo(out, VARDATA_ANY(name), (int) VARSIZE_ANY_EXHDR(name));
			wire_put_u8(out, 0);
			continue;
		}
		resetStringInfo(&value);
		value_encode(&value, &t->keys[k], d);
		if (t->keys[k].hashed)
			put_hash(out, value.data, (size_t) value.len);
		else
			wire_put_string(out, value.data, (size_t) value.len);
	}
	if (t->nkeys)
		pfree(value.data);
	if (out->len > MAX_KEY_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the key of a row of \"%s\" is longer than %d octets", t->name, MAX_KEY_SIZE)));
	return true;
}

/* The octets of a name in a key, without the 0 that ends it; the reader is bad if they are no name. */
static const uint8 *
get_name(WireReader *r, size_t *len)
{
	const uint8 *start = r->p,
			   *p = start;

	while (p && p < r->end && *p != 0)
	{
		p = memchr(p, 0, (size_t) (r->end - p));
		p = p ? p + 1 : NULL;
	}
	if (!p || p >= r->end || !name_valid(start, (size_t) (p - start)))
	{
		r->bad = true;
		*len = 0;
		return start;
	}
	*len = (size_t) (p - start);
	r->p = p + 1;
	return start;
}

const uint8 *
key_name(const uint8 *key, size_t len, size_t *name_len)
{
	WireReader	r;

	wire_reader_init(&r, key, len);
	(void) wire_get_u16(&r);
	return get_name(&r, name_len);
}

uint16
record_type(const uint8 *key, size_t len)
{
	if (key_number(key, len) != TABLE_RECORDS || len < 6)
		return 0;
	return (uint16) (key[len - 2] << 8 | key[len - 1]);
}

void
record_key(StringInfo out, const uint8 *name, size_t name_len, uint16 type)
{
	wire_put_u16(out, TABLE_RECORDS);
	appendBinaryStringInfo(out, (const char *) name, (int) name_len);
	wire_put_u8(out, 0);
	wire_put_u8(out, 2);
	wire_put_u16(out, type);
}

bool
key_well_formed(const uint8 *key, size_t len)
{
	TableDesc  *t = key_table(key, len);
	WireReader	r;
	size_t		n;

	if (len > MAX_KEY_SIZE || len < 2)
		return false;
	wire_reader_init(&r, key, len);
	if (wire_get_u16(&r) == 0)
		return false;
	if (key_number(key, len) == TABLE_RECORDS)	/* many read these, whether the table is here or not */
	{
		(void) get_name(&r, &n);
		(void) wire_get_string(&r, sizeof(uint16), &n);
		return !r.bad && n == sizeof(uint16) && wire_at_end(&r);
	}
	if (!t)
		return true;
	for (int k = 0; k < t->nkeys && !r.bad; k++)
	{
		if (t->keys[k].name)
			(void) get_name(&r, &n);
		else
			(void) wire_get_string(&r, MAX_KEY_SIZE, &n);
	}
	return !r.bad && wire_at_end(&r);
}

TableDesc *
key_table(const uint8 *key, size_t len)
{
	return len < 2 ? NULL : table_by_number((int16) (key[0] << 8 | key[1]));
}

void
key_decode(TableDesc *t, const uint8 *key, size_t len, Datum *values, bool *nulls)
{
	WireReader	r;
	OwnerScope	scope = {0};

	table_require(t);
	if (t->code_in_values)
	{
		temporary_objects_refuse(t->owner);
		scope = restricted_enter(table_code_role(t->owner));
	}
	wire_reader_init(&r, key, len);
	(void) wire_get_u16(&r);
	for (int k = 0; k < t->nkeys; k++)
	{
		size_t		n;
		const uint8 *p = t->keys[k].name ? get_name(&r, &n) : wire_get_string(&r, MAX_KEY_SIZE, &n);

		if (r.bad)
			break;
		nulls[k] = t->keys[k].hashed;
		values[k] = nulls[k] ? (Datum) 0 : t->keys[k].name ? PointerGetDatum(varlena_make(p, n)) :
			value_decode(&t->keys[k], p, n);
		if (t->keys[k].name && t->keys[k].domain)
			domain_check(values[k], false, t->keys[k].type, NULL, NULL);
	}
	if (t->code_in_values)
		owner_leave(scope);
	if (r.bad || !wire_at_end(&r))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("key of a unit of \"%s\" does not fit the table", t->name)));
}

void
row_encode(StringInfo out, TableDesc *t, TupleTableSlot *slot)
{
	StringInfoData value;

	table_require(t);
	initStringInfo(&value);
	for (int c = 0; c < t->ncolumns; c++)
	{
		bool		isnull;
		Datum		d = slot_getattr(slot, t->columns[c].att, &isnull);

		if (isnull)
		{
			wire_put_varint(out, 0);
			continue;
		}
		resetStringInfo(&value);
		value_encode(&value, &t->columns[c], d);
		wire_put_varint(out, (uint64) value.len + 1);
		appendBinaryStringInfo(out, value.data, value.len);
	}
	pfree(value.data);
}

void
row_decode(TableDesc *t, const uint8 *data, size_t len, Datum *values, bool *nulls)
{
	WireReader	r;
	OwnerScope	scope = {0};

	table_require(t);
	if (t->code_in_values)
	{
		temporary_objects_refuse(t->owner);
		scope = restricted_enter(table_code_role(t->owner));
	}
	wire_reader_init(&r, data, len);
	for (int c = 0; c < t->ncolumns; c++)
	{
		uint64		n = wire_get_varint(&r);
		const uint8 *p = n ? wire_get_bytes(&r, (size_t) (n - 1)) : NULL;

		if (r.bad)
			break;
		nulls[c] = n == 0;
		values[c] = n ? value_decode(&t->columns[c], p, (size_t) (n - 1)) : (Datum) 0;
	}
	if (t->code_in_values)
		owner_leave(scope);
	if (r.bad || !wire_at_end(&r))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("a version's row has other columns than table \"%s\" here", t->name)));
}

int
table_column(TableDesc *t, const char *name)
{
	for (int c = 0; c < t->ncolumns; c++)
		if (strcmp(NameStr(t->columns[c].attname), name) == 0)
			return c;
	return -1;
}

bool
row_column(const Row *row, int column, const uint8 **data, size_t *len)
{
	WireReader	r;

	wire_reader_init(&r, row->data, row->len);
	for (int c = 0; !r.bad; c++)
	{
		uint64		n = wire_get_varint(&r);

		*len = n ? (size_t) (n - 1) : 0;
		*data = n ? wire_get_bytes(&r, *len) : NULL;
		if (c == column)
			return n > 0 && !r.bad;
	}
	return false;
}

Row
row_with_column(TableDesc *t, const Row *row, int column, const uint8 *data, size_t len)
{
	StringInfoData out;
	Row			new = *row;

	initStringInfo(&out);
	for (int c = 0; c < t->ncolumns; c++)
	{
		const uint8 *value = data;
		size_t		value_len = len;

		if (c != column && !row_column(row, c, &value, &value_len))
		{
			wire_put_varint(&out, 0);
			continue;
		}
		wire_put_varint(&out, (uint64) value_len + 1);
		appendBinaryStringInfo(&out, (const char *) value, (int) value_len);
	}
	new.data = (uint8 *) out.data;
	new.len = (size_t) out.len;
	return new;
}

bool
zone_value(TableDesc *t, TupleTableSlot *slot, ZoneValue *zone)
{
	bool		isnull;
	Datum		d;

	table_require(t);
	memset(zone, 0, sizeof(*zone));
	if (t->zone == ZONE_NONE)
		return true;
	d = slot_getattr(slot, t->zone_att, &isnull);
	if (isnull)
		return false;
	if (t->zone == ZONE_BY_ID)
		zone->id = DatumGetInt32(d);
	else
	{
		struct varlena *name = PG_DETOAST_DATUM_PACKED(d);

		zone->name = (const uint8 *) VARDATA_ANY(name);
		zone->name_len = VARSIZE_ANY_EXHDR(name);
	}
	return true;
}

/* ---------- finding rows ---------- */

Datum
zone_datum(TableDesc *t, const ZoneValue *zone)
{
	if (t->zone == ZONE_BY_ID)
		return Int32GetDatum(zone->id);
	return PointerGetDatum(varlena_make(zone->name, zone->name_len));
}

static bool
zone_matches(TableDesc *t, TupleTableSlot *slot, const ZoneValue *zone)
{
	ZoneValue	has;

	if (!zone || t->zone == ZONE_NONE)
		return true;
	return zone_value(t, slot, &has) &&
		(t->zone == ZONE_BY_ID ? has.id == zone->id :
		 has.name_len == zone->name_len && memcmp(has.name, zone->name, has.name_len) == 0);
}

/* Rows by a path, whose key columns have these values. Without zone or path all rows. Callers check what they get. */
static void
rows_scan(TableDesc *t, Relation rel, Snapshot snapshot, const TablePath *path, const ZoneValue *zone, const Datum *values,
		  RowCallback fn, void *arg)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	ScanKeyData keys[MAX_KEY_COLUMNS + 1];
	int			n = 0;

	for (; n < path->n; n++)
	{
		const PathColumn *c = &path->columns[n];

		if (c->key < 0 && !zone)
			break;
		ScanKeyEntryInitialize(&keys[n], 0, (AttrNumber) (n + 1), BTEqualStrategyNumber, InvalidOid, c->collation, c->equal,
							   c->key >= 0 ? values[c->key] : zone_datum(t, zone));
	}
	if (n > 0)
	{
		Relation	index = index_open(path->index, AccessShareLock);
		IndexScanDesc scan = compat_index_beginscan(rel, index, snapshot, n);

		index_rescan(scan, keys, n, NULL, 0);
		while (index_getnext_slot(scan, ForwardScanDirection, slot))
		{
			progress();
			fn(t, slot, arg);
		}
		index_endscan(scan);
		index_close(index, AccessShareLock);
	}
	else
	{
		TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);

		while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		{
			progress();
			fn(t, slot, arg);
		}
		table_endscan(scan);
	}
	ExecDropSingleTupleTableSlot(slot);
}

typedef struct UnitScan
{
	const ZoneValue *zone;
	const uint8 *key;
	size_t		key_len;
	StringInfoData scratch;
	int			cap;
	RowSet		set;
} UnitScan;

/* A subtransaction that was rolled back has left nothing that shows. */
static bool
row_is_ours(TupleTableSlot *slot)
{
	bool		isnull;
	TransactionId xmin = DatumGetTransactionId(slot_getsysattr(slot, MinTransactionIdAttributeNumber, &isnull));

	return !isnull && TransactionIdIsCurrentTransactionId(xmin);
}

Row
row_from_slot(TableDesc *t, TupleTableSlot *slot)
{
	StringInfoData octets;
	Row			row = {.tid = slot->tts_tid, .ours = row_is_ours(slot)};

	initStringInfo(&octets);
	row_encode(&octets, t, slot);
	row.data = (uint8 *) octets.data;
	row.len = (size_t) octets.len;
	if (t->id_att)
	{
		bool		isnull;

		row.id = DatumGetInt32(slot_getattr(slot, t->id_att, &isnull));
		if (isnull)
			row.id = 0;
	}
	return row;
}

static void
unit_row(TableDesc *t, TupleTableSlot *slot, void *arg)
{
	UnitScan   *u = arg;

	resetStringInfo(&u->scratch);
	if (!zone_matches(t, slot, u->zone) || !key_encode(&u->scratch, t, slot) ||
		(size_t) u->scratch.len != u->key_len || memcmp(u->scratch.data, u->key, u->key_len) != 0)
		return;
	if (u->set.n == u->cap)
	{
		u->cap = u->cap ? u->cap * 2 : 4;
		u->set.rows = u->set.rows ? repalloc(u->set.rows, sizeof(Row) * (size_t) u->cap)
			: palloc(sizeof(Row) * (size_t) u->cap);
	}
	u->set.rows[u->set.n++] = row_from_slot(t, slot);
}

static int
row_order(const void *a, const void *b)
{
	const Row  *x = a,
			   *y = b;
	int			c = memcmp(x->data, y->data, Min(x->len, y->len));

	return c ? c : x->len < y->len ? -1 : x->len > y->len;
}

void
rows_sort(RowSet *rows)
{
	if (rows->n > 1)
		qsort(rows->rows, (size_t) rows->n, sizeof(Row), row_order);
}

bool
row_int(TableDesc *t, const Row *row, const char *column, int32 *value)
{
	const uint8 *data;
	size_t		len;

	if (!row_column(row, table_column(t, column), &data, &len) || len != sizeof(uint32))
		return false;
	memcpy(value, data, sizeof(uint32));
	*value = (int32) pg_ntoh32((uint32) *value);
	return true;
}

bool
row_enabled(TableDesc *t, const Row *row)
{
	int			column = table_column(t, "disabled");
	const uint8 *data;
	size_t		len;

	return column < 0 || !row_column(row, column, &data, &len) || len != 1 || data[0] == 0;
}

bool
rows_flagged(const RowSet *rows, int column)
{
	const uint8 *data;
	size_t		len;

	for (int i = 0; i < rows->n; i++)
		if (row_column(&rows->rows[i], column, &data, &len) && len == 1 && data[0] != 0)
			return true;
	return false;
}

void
rows_flag(TableDesc *t, RowSet *rows, int column)
{
	static const uint8 yes[1] = {1};

	if (rows_flagged(rows, column))
		return;
	rows->rows[0] = row_with_column(t, &rows->rows[0], column, yes, 1);
	rows_sort(rows);
}

RowSet
unit_rows(TableDesc *t, Relation rel, Snapshot snapshot, const ZoneValue *zone, const uint8 *key, size_t key_len)
{
	UnitScan	u = {.zone = zone, .key = key, .key_len = key_len};
	Datum		values[MAX_KEY_COLUMNS];
	bool		nulls[MAX_KEY_COLUMNS];

	initStringInfo(&u.scratch);
	key_decode(t, key, key_len, values, nulls);
	rows_scan(t, rel, snapshot, &t->by_unit, zone, values, unit_row, &u);
	rows_sort(&u.set);
	return u.set;
}

typedef struct ZoneScan
{
	const ZoneValue *zone;
	RowCallback fn;
	void	   *arg;
} ZoneScan;

static void
zone_row(TableDesc *t, TupleTableSlot *slot, void *arg)
{
	ZoneScan   *z = arg;

	if (zone_matches(t, slot, z->zone))
		z->fn(t, slot, z->arg);
}

void
zone_rows(TableDesc *t, Relation rel, Snapshot snapshot, const ZoneValue *zone, RowCallback fn, void *arg)
{
	ZoneScan	z = {zone, fn, arg};

	rows_scan(t, rel, snapshot, &t->by_zone, zone, NULL, zone_row, &z);
}

typedef struct NameScan
{
	const uint8 *name;
	size_t		name_len;
	ZoneScan	zone;
} NameScan;

bool
row_name(TableDesc *t, TupleTableSlot *slot, const uint8 **name, size_t *len)
{
	bool		isnull;
	Datum		d;
	struct varlena *v;

	table_require(t);
	if (t->nkeys == 0 || !t->keys[0].name)
		return false;
	d = slot_getattr(slot, t->keys[0].att, &isnull);
	if (isnull)
		return false;
	v = PG_DETOAST_DATUM_PACKED(d);
	*name = (const uint8 *) VARDATA_ANY(v);
	*len = VARSIZE_ANY_EXHDR(v);
	return true;
}

static void
name_row(TableDesc *t, TupleTableSlot *slot, void *arg)
{
	NameScan   *n = arg;
	const uint8 *name;
	size_t		len;

	if (row_name(t, slot, &name, &len) && len == n->name_len && memcmp(name, n->name, len) == 0)
		zone_row(t, slot, &n->zone);
}

void
name_rows(TableDesc *t, Relation rel, Snapshot snapshot, const ZoneValue *zone, const uint8 *name, size_t name_len,
		  RowCallback fn, void *arg)
{
	NameScan	n = {name, name_len, {zone, fn, arg}};
	Datum		values[1] = {PointerGetDatum(varlena_make(name, name_len))};

	rows_scan(t, rel, snapshot, &t->by_name, zone, values, name_row, &n);
	pfree(DatumGetPointer(values[0]));
}

/* ---------- words for messages ---------- */

static char *
type_text(Oid type, Datum value)
{
	Oid			out;
	bool		varlena;

	getTypeOutputInfo(type, &out, &varlena);
	return OidOutputFunctionCall(out, value);
}

char *
column_text(const ColumnDesc *c, Datum value)
{
	return type_text(c->type, value);
}

char *
zone_text(const uint8 *name, size_t name_len)
{
	TableDesc  *t = table_domains();
	ZoneValue	zone = {.name = name, .name_len = name_len};

	return type_text(name_type(), zone_datum(t, &zone));
}

/* ---------- domains ---------- */

TableDesc *
domains_key(uint8 *key)
{
	TableDesc  *t = table_domains();

	key[0] = (uint8) (t->number >> 8);
	key[1] = (uint8) t->number;
	return t;
}

int32
domain_id(Snapshot snapshot, const uint8 *name, size_t name_len)
{
	uint8		key[DOMAINS_KEY_SIZE];
	TableDesc  *t = domains_key(key);
	Relation	rel = table_open_as(t, AccessShareLock);
	ZoneValue	zone = {.name = name, .name_len = name_len};
	RowSet		rows = unit_rows(t, rel, snapshot, &zone, key, sizeof(key));

	table_close(rel, AccessShareLock);
	return rows.n ? rows.rows[0].id : 0;
}

typedef struct IdScan
{
	int32		id;
	bool		found;
	ItemPointerData tid;
	uint8	   *name;
	size_t		name_len;
} IdScan;

static void
id_row(TableDesc *t, TupleTableSlot *slot, void *arg)
{
	IdScan	   *s = arg;
	bool		isnull;
	int32		id = DatumGetInt32(slot_getattr(slot, t->id_att, &isnull));
	ZoneValue	zone;

	if (isnull || id != s->id || s->found || !zone_value(t, slot, &zone))
		return;
	s->found = true;
	s->tid = slot->tts_tid;
	s->name = palloc(zone.name_len + 1);
	memcpy(s->name, zone.name, zone.name_len);
	s->name_len = zone.name_len;
}

bool
domain_name(Snapshot snapshot, int32 id, uint8 **name, size_t *name_len, ItemPointer tid)
{
	TableDesc  *t = table_domains();
	Relation	rel = table_open_as(t, AccessShareLock);
	IdScan		s = {.id = id};
	Datum		values[1] = {Int32GetDatum(id)};

	rows_scan(t, rel, snapshot, &t->by_id, NULL, values, id_row, &s);
	table_close(rel, AccessShareLock);
	if (!s.found)
		return false;
	*name = s.name;
	*name_len = s.name_len;
	if (tid)
		*tid = s.tid;
	return true;
}

bool
domain_stands(Snapshot snapshot, const ItemPointerData *tid, int32 id, const uint8 *name, size_t name_len)
{
	TableDesc  *t = table_domains();
	Relation	rel = table_open_as(t, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	ItemPointerData at = *tid;
	ZoneValue	zone;
	bool		isnull;
	bool		stands = ItemPointerGetBlockNumber(tid) < RelationGetNumberOfBlocks(rel) &&
		table_tuple_fetch_row_version(rel, &at, snapshot, slot) && zone_value(t, slot, &zone) &&
		DatumGetInt32(slot_getattr(slot, t->id_att, &isnull)) == id && !isnull && zone.name_len == name_len &&
		memcmp(zone.name, name, name_len) == 0;

	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, AccessShareLock);
	return stands;
}
