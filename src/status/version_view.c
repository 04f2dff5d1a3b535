/*
 * version_view.c: the store's octets as JSON, for dnsrepl.version and its kin. What cannot be read is said, and takes nothing else along.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "store/image.h"
#include "store/live.h"
#include "store/pack.h"
#include "store/result_set.h"
#include "store/unit_json.h"

PG_FUNCTION_INFO_V1(dnsrepl_image_rows);
PG_FUNCTION_INFO_V1(dnsrepl_image_problem);
PG_FUNCTION_INFO_V1(dnsrepl_key_columns);
PG_FUNCTION_INFO_V1(dnsrepl_image_author);
PG_FUNCTION_INFO_V1(dnsrepl_version_lives);
PG_FUNCTION_INFO_V1(dnsrepl_pack_units);

/* image_rows(key bytea, image bytea) returns jsonb; null for a deletion, and if the image cannot be read */
Datum
dnsrepl_image_rows(PG_FUNCTION_ARGS)
{
	bytea	   *key = PG_GETARG_BYTEA_PP(0);
	bytea	   *data = PG_GETARG_BYTEA_PP(1);
	Image		image;
	StringInfoData out;

	tables_refresh();
	if (!image_decode((uint8 *) VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data), true, &image) || image_is_deletion(&image.head))
		PG_RETURN_NULL();
	initStringInfo(&out);
	(void) json_rows(&out, key_table((uint8 *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)), image.head.ncolumns, &image.rows);
	return json_datum(&out);
}

/* image_problem(key bytea, image bytea) returns text: why image_rows() cannot show all; null: it can */
Datum
dnsrepl_image_problem(PG_FUNCTION_ARGS)
{
	bytea	   *key = PG_GETARG_BYTEA_PP(0);
	bytea	   *data = PG_GETARG_BYTEA_PP(1);
	Image		image;
	StringInfoData out;
	const char *why;

	tables_refresh();
	if (!image_decode((uint8 *) VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data), true, &image))
		PG_RETURN_TEXT_P(cstring_to_text(IMAGE_UNREADABLE));
	initStringInfo(&out);
	why = json_rows(&out, key_table((uint8 *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)), image.head.ncolumns, &image.rows);
	if (!why)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(why));
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
	PG_RETURN_TEXT_P(cstring_to_text(image_user(&image.head)));
}

/* version_lives(key bytea, image bytea, live bigint[]) returns boolean; live as in dnsrepl.zone */
Datum
dnsrepl_version_lives(PG_FUNCTION_ARGS)
{
	bytea	   *key,
			   *image;
	Version		v = {0};
	Live		live = {0};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	key = PG_GETARG_BYTEA_PP(0);
	image = PG_GETARG_BYTEA_PP(1);
	v.image = (uint8 *) VARDATA_ANY(image);
	v.image_len = VARSIZE_ANY_EXHDR(image);
	if (!PG_ARGISNULL(2))
		live = live_from_array(PG_GETARG_ARRAYTYPE_P(2));
	PG_RETURN_BOOL(version_lives(&live, (uint8 *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), &v));
}

/* pack_units(key, image, more) returns setof (key bytea, image bytea): the units of a row of dnsrepl.version_store */
Datum
dnsrepl_pack_units(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Tuplestorestate *out = result_set_begin(fcinfo, &desc);
	PackReader	p;
	bytea	   *key,
			   *image,
			   *more;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	key = PG_GETARG_BYTEA_PP(0);
	image = PG_GETARG_BYTEA_PP(1);
	more = PG_ARGISNULL(2) ? NULL : PG_GETARG_BYTEA_PP(2);
	pack_read_begin(&p, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), VARDATA_ANY(image), VARSIZE_ANY_EXHDR(image),
					more ? VARDATA_ANY(more) : NULL, more ? VARSIZE_ANY_EXHDR(more) : 0);
	while (pack_read(&p))
	{
		Datum		values[2] = {PointerGetDatum(varlena_make(p.key.data, (size_t) p.key.len)),
		PointerGetDatum(varlena_make(p.image.data, (size_t) p.image.len))};
		bool		nulls[2] = {false, false};

		tuplestore_putvalues(out, desc, values, nulls);
		pfree(DatumGetPointer(values[0]));
		pfree(DatumGetPointer(values[1]));
	}
	pack_read_end(&p);
	return (Datum) 0;
}
