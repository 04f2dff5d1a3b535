/*
 * version_view.c: the store's octets as JSON, for dnsrepl.version and its kin.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "store/image.h"
#include "store/live.h"
#include "store/unit_json.h"

PG_FUNCTION_INFO_V1(dnsrepl_image_rows);
PG_FUNCTION_INFO_V1(dnsrepl_key_columns);
PG_FUNCTION_INFO_V1(dnsrepl_image_author);
PG_FUNCTION_INFO_V1(dnsrepl_version_lives);

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
	json_rows(&out, t, image.head.ncolumns, &image.rows);
	return json_datum(&out);
}

/* key_columns(key bytea) returns jsonb */
Datum
dnsrepl_key_columns(PG_FUNCTION_ARGS)
{
	bytea	   *key = PG_GETARG_BYTEA_PP(0);
	TableDesc  *t;
	StringInfoData out;

	tables_refresh();
	t = key_table((uint8 *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
	if (!t)
		PG_RETURN_NULL();
	initStringInfo(&out);
	json_key(&out, t, (uint8 *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
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
