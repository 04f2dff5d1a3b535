/*
 * unit_json.c: see unit_json.h.
 *
 * The types of the tables here may refuse what others wrote (a domain's CHECK, an enum, another type), and a store that is damaged
 * has anything: it must be shown all the same, and logged, as far as it can be. So values are decoded in a subtransaction.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "store/attempt.h"
#include "store/clock.h"
#include "store/image.h"
#include "store/origin.h"
#include "store/resolve.h"
#include "store/unit_json.h"

static void
json_member(StringInfo out, TableDesc *t, const ColumnDesc *c, Datum value, bool isnull)
{
	escape_json(out, NameStr(c->attname));
	appendStringInfoString(out, ": ");
	if (isnull)
		appendStringInfoString(out, "null");
	else if (c->type == INT4OID || c->type == INT8OID || c->type == INT2OID)
		appendStringInfoString(out, column_text(c, value));
	else if (c->type == BOOLOID)
		appendStringInfoString(out, DatumGetBool(value) ? "true" : "false");
	else
		escape_json(out, column_text(c, value));
}

Datum
json_datum(StringInfo json)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json->data));
}

static void
json_row(StringInfo out, TableDesc *t, const Row *row)
{
	Datum		values[MAX_COLUMNS];
	bool		nulls[MAX_COLUMNS];

	row_decode(t, row->data, row->len, values, nulls);
	appendStringInfoChar(out, '{');
	for (int c = 0; c < t->ncolumns; c++)
	{
		if (c)
			appendStringInfoString(out, ", ");
		json_member(out, t, &t->columns[c], values[c], nulls[c]);
	}
	appendStringInfoChar(out, '}');
}

/* A key column of which the key has the SHA-256 only: "sha256:" and its hexadecimal digits. */
static void
json_hash(StringInfo out, TableDesc *t, int column, const uint8 *key, size_t key_len)
{
	WireReader	r;
	const uint8 *hash = NULL;
	size_t		len = 0;

	wire_reader_init(&r, key, key_len);
	(void) wire_get_u16(&r);
	for (int k = 0; k <= column; k++)
		hash = wire_get_string(&r, MAX_KEY_SIZE, &len);
	escape_json(out, NameStr(t->keys[column].attname));
	appendStringInfoString(out, ": \"sha256:");
	for (size_t i = 0; hash && i < len; i++)
		appendStringInfo(out, "%02x", hash[i]);
	appendStringInfoChar(out, '"');
}

/* What is to be appended: rows, or (NULL) a key. */
typedef struct Shown
{
	StringInfo	out;
	TableDesc  *t;
	int			ncolumns;
	const RowSet *rows;
	const uint8 *key;
	size_t		key_len;
} Shown;

/* Of a table that is not here, and of what cannot be decoded, a row is "?". */
static void
rows_put(const Shown *s, bool decode)
{
	appendStringInfoChar(s->out, '[');
	for (int i = 0; i < s->rows->n; i++)
	{
		if (i)
			appendStringInfoString(s->out, ", ");
		if (decode && s->t && !s->t->problem && s->t->ncolumns == s->ncolumns)
			json_row(s->out, s->t, &s->rows->rows[i]);
		else
			appendStringInfoString(s->out, "\"?\"");
	}
	appendStringInfoChar(s->out, ']');
}

static void
key_put(const Shown *s)
{
	Datum		values[MAX_KEY_COLUMNS];
	bool		nulls[MAX_KEY_COLUMNS];

	key_decode(s->t, s->key, s->key_len, values, nulls);
	appendStringInfoChar(s->out, '{');
	for (int k = 0; k < s->t->nkeys; k++)
	{
		if (k)
			appendStringInfoString(s->out, ", ");
		if (s->t->keys[k].hashed)
			json_hash(s->out, s->t, k, s->key, s->key_len);
		else
			json_member(s->out, s->t, &s->t->keys[k], values[k], nulls[k]);
	}
	appendStringInfoChar(s->out, '}');
}

static void
key_octets_put(const Shown *s)
{
	appendStringInfoString(s->out, "{\"octets\": \"");
	for (size_t i = 0; i < s->key_len; i++)
		appendStringInfo(s->out, "%02x", s->key[i]);
	appendStringInfoString(s->out, "\"}");
}

static void
shown_put(void *arg)
{
	const Shown *s = arg;

	if (s->rows)
		rows_put(s, true);
	else
		key_put(s);
}

/* NULL, or why it could not be decoded; then nothing has been appended. */
static const char *
shown_try(Shown *s)
{
	int			before = s->out->len;
	const char *why = attempt(shown_put, s);

	if (why)
		s->out->len = before;
	return why;
}

const char *
json_rows(StringInfo out, TableDesc *t, int ncolumns, const RowSet *rows)
{
	Shown		s = {.out = out, .t = t, .ncolumns = ncolumns, .rows = rows};
	const char *why = rows->n > 0 ? shown_try(&s) : NULL;

	if (why || rows->n == 0)
		rows_put(&s, false);
	return why;
}

void
json_key(StringInfo out, TableDesc *t, const uint8 *key, size_t key_len)
{
	Shown		s = {.out = out, .t = t, .key = key, .key_len = key_len};

	if (shown_try(&s))
		key_octets_put(&s);
}

RowSet
rows_without_secrets(TableDesc *t, int ncolumns, const RowSet *rows)
{
	static const uint8 hidden[] = "(hidden)";
	int			column = !t || ncolumns != t->ncolumns ? -1 :
		t->number == TABLE_CRYPTOKEYS ? table_column(t, "content") :
		t->number == TABLE_TSIGKEYS ? table_column(t, "secret") : -1;
	RowSet		shown = *rows;

	if (column < 0)
		return shown;
	shown.rows = palloc(sizeof(Row) * (size_t) (rows->n + 1));
	for (int i = 0; i < rows->n; i++)
		shown.rows[i] = row_with_column(t, &rows->rows[i], column, hidden, sizeof(hidden) - 1);
	return shown;
}

static int
version_order(const void *a, const void *b)
{
	return dot_later((*(const Version *const *) a)->dot, (*(const Version *const *) b)->dot) ? 1 : -1;
}

/* False: its rows cannot be shown, and it is said why. */
static bool
json_version(StringInfo out, TableDesc *t, const Version *v, bool secrets)
{
	Image		image;
	const char *why = NULL;
	const OriginInfo *origin = origin_known(v->dot.origin);

	appendStringInfoString(out, "{\"node\": ");
	escape_json(out, origin ? origin->node : "?");
	appendStringInfo(out, ", \"stamp\": " INT64_FORMAT ", \"written_at\": ", v->dot.stamp);
	escape_json(out, timestamptz_to_str(stamp_time(v->dot.stamp)));
	if (!image_decode(v->image, v->image_len, true, &image))
	{
		appendStringInfoString(out, ", \"user\": \"?\", \"rows\": null");
		why = IMAGE_UNREADABLE;
	}
	else
	{
		RowSet		rows = secrets ? image.rows : rows_without_secrets(t, image.head.ncolumns, &image.rows);

		appendStringInfoString(out, ", \"user\": ");
		escape_json(out, image_user(&image.head));
		appendStringInfoString(out, ", \"rows\": ");
		if (image_is_deletion(&image.head))
			appendStringInfoString(out, "null");
		else
			why = json_rows(out, t, image.head.ncolumns, &rows);
	}
	if (why)
	{
		appendStringInfoString(out, ", \"problem\": ");
		escape_json(out, why);
	}
	appendStringInfoChar(out, '}');
	return why == NULL;
}

bool
json_versions(StringInfo out, TableDesc *t, const VersionSet *set, bool secrets)
{
	const Version **sorted = palloc(sizeof(Version *) * (size_t) (set->n + 1));
	bool		good = true;

	for (int i = 0; i < set->n; i++)
		sorted[i] = &set->v[i];
	qsort(sorted, (size_t) set->n, sizeof(Version *), version_order);
	appendStringInfoChar(out, '[');
	for (int i = 0; i < set->n; i++)
	{
		if (i)
			appendStringInfoString(out, ", ");
		good &= json_version(out, t, sorted[i], secrets);
	}
	appendStringInfoChar(out, ']');
	return good;
}

/* ---------- the other way ---------- */

/* One shipped column of a JSON object, as text; NULL if it is null or not there. */
static char *
member_text(JsonbContainer *object, const char *name)
{
	JsonbValue *v = getKeyJsonValueFromContainer(object, name, (int) strlen(name), NULL);

	if (!v || v->type == jbvNull)
		return NULL;
	switch (v->type)
	{
		case jbvString:
			return pnstrdup(v->val.string.val, v->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(v->val.numeric)));
		case jbvBool:
			return pstrdup(v->val.boolean ? "true" : "false");
		default:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column \"%s\" of a row must be a string, a number, true, false or null", name)));
	}
	return NULL;
}

static void
row_from_json(TableDesc *t, Relation rel, TupleTableSlot *slot, JsonbContainer *object, Row *row)
{
	StringInfoData out;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, sizeof(bool) * (size_t) RelationGetDescr(rel)->natts);
	for (int c = 0; c < t->ncolumns; c++)
	{
		const ColumnDesc *column = &t->columns[c];
		char	   *text = member_text(object, get_attname(t->relid, column->att, false));
		Oid			in,
					ioparam;

		if (!text)
			continue;
		getTypeInputInfo(column->type, &in, &ioparam);
		slot->tts_values[column->att - 1] = OidInputFunctionCall(in, text, ioparam, column->typmod);
		slot->tts_isnull[column->att - 1] = false;
	}
	ExecStoreVirtualTuple(slot);
	initStringInfo(&out);
	row_encode(&out, t, slot);
	*row = (Row) {.data = (uint8 *) out.data, .len = (size_t) out.len};
}

RowSet
rows_from_json(TableDesc *t, Jsonb *json)
{
	Relation	rel = table_open_as(t, AccessShareLock);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	int			n = JB_ROOT_IS_ARRAY(json) ? (int) JB_ROOT_COUNT(json) : -1;
	RowSet		rows = {0};

	if (n < 0 || n > MAX_JSON_ROWS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("rows must be a JSON array of at most %d objects", MAX_JSON_ROWS)));
	rows.rows = palloc(sizeof(Row) * (size_t) (n + 1));
	for (int i = 0; i < n; i++)
	{
		JsonbValue *v = getIthJsonbValueFromContainer(&json->root, (uint32) i);

		if (!v || v->type != jbvBinary || !JsonContainerIsObject(v->val.binary.data))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a row must be a JSON object")));
		row_from_json(t, rel, slot, v->val.binary.data, &rows.rows[rows.n++]);
	}
	rows_sort(&rows);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, AccessShareLock);
	return rows;
}
