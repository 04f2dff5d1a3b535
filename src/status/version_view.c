/*
 * version_view.c: the store's octets as JSON, for dnsrepl.version and its kin.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "store/image.h"
#include "store/live.h"
#include "store/relation.h"

PG_FUNCTION_INFO_V1(dnsrepl_image_rows);
PG_FUNCTION_INFO_V1(dnsrepl_key_columns);
PG_FUNCTION_INFO_V1(dnsrepl_image_author);
PG_FUNCTION_INFO_V1(dnsrepl_version_lives);

static void
json_member(StringInfo out, TableDesc *t, const ColumnDesc *c, Datum value, bool isnull)
{
	escape_json(out, get_attname(t->relid, c->att, false));
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

static Datum
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

/* image_rows(key bytea, image bytea) returns jsonb */
Datum
dnsrepl_image_rows(PG_FUNCTION_ARGS)
{
	bytea	   *key = PG_GETARG_BYTEA_PP(0);
	bytea	   *data = PG_GETARG_BYTEA_PP(1);
	TableDesc  *t;
	Image		image;
	StringInfoData out;

	tables_refresh();
	t = key_table((uint8 *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
	if (!image_decode((uint8 *) VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data), true, &image))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("a version's image cannot be read")));
	if (image_is_deletion(&image.head))
		PG_RETURN_NULL();
	initStringInfo(&out);
	appendStringInfoChar(&out, '[');
	for (int i = 0; i < image.rows.n; i++)
	{
		if (i)
			appendStringInfoString(&out, ", ");
		if (t && t->ncolumns == image.head.ncolumns)
			json_row(&out, t, &image.rows.rows[i]);
		else
			appendStringInfoString(&out, "\"?\"");	/* of a table that is not here */
	}
	appendStringInfoChar(&out, ']');
	return json_datum(&out);
}

/* A key column of which the key has the SHA-256 only: "sha256:" and its hexadecimal digits. */
static void
json_hash(StringInfo out, TableDesc *t, int column, bytea *key)
{
	WireReader	r;
	const uint8 *hash = NULL;
	size_t		len = 0;

	wire_reader_init(&r, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
	(void) wire_get_u16(&r);
	for (int k = 0; k <= column; k++)
		hash = wire_get_string(&r, MAX_KEY_SIZE, &len);
	escape_json(out, get_attname(t->relid, t->keys[column].att, false));
	appendStringInfoString(out, ": \"sha256:");
	for (size_t i = 0; hash && i < len; i++)
		appendStringInfo(out, "%02x", hash[i]);
	appendStringInfoChar(out, '"');
}

/* key_columns(key bytea) returns jsonb */
Datum
dnsrepl_key_columns(PG_FUNCTION_ARGS)
{
	bytea	   *key = PG_GETARG_BYTEA_PP(0);
	TableDesc  *t;
	Datum		values[MAX_KEY_COLUMNS];
	bool		nulls[MAX_KEY_COLUMNS];
	StringInfoData out;

	tables_refresh();
	t = key_table((uint8 *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
	if (!t)
		PG_RETURN_NULL();
	key_decode(t, (uint8 *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), values, nulls);
	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	for (int k = 0; k < t->nkeys; k++)
	{
		if (out.len > 1)
			appendStringInfoString(&out, ", ");
		if (t->keys[k].hashed)
			json_hash(&out, t, k, key);
		else
			json_member(&out, t, &t->keys[k], values[k], nulls[k]);
	}
	appendStringInfoChar(&out, '}');
	return json_datum(&out);
}

/* image_author(image bytea) returns text */
Datum
dnsrepl_image_author(PG_FUNCTION_ARGS)
{
	bytea	   *data = PG_GETARG_BYTEA_PP(0);
	Image		image;

	if (!image_decode((uint8 *) VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data), false, &image))
		PG_RETURN_NULL();
	return PointerGetDatum(cstring_to_text_with_len((const char *) image.head.user, (int) image.head.user_len));
}

/* version_lives(key bytea, image bytea, live bigint[]) returns boolean; live as in dnsrepl.zone */
Datum
dnsrepl_version_lives(PG_FUNCTION_ARGS)
{
	bytea	   *key = PG_GETARG_BYTEA_PP(0);
	bytea	   *image = PG_GETARG_BYTEA_PP(1);
	Version		v = {.image = (uint8 *) VARDATA_ANY(image), .image_len = VARSIZE_ANY_EXHDR(image)};
	Live		live = {0};

	if (!PG_ARGISNULL(2))
		live = live_from_array(PG_GETARG_ARRAYTYPE_P(2));
	PG_RETURN_BOOL(version_lives(&live, (uint8 *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), &v));
}
