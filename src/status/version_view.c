/*
 * version_view.c: the store's octets as JSON, for dnsrepl.version and its kin.
 *
 * The types of the tables here may refuse what others wrote (a domain's CHECK, an enum): such a unit waits in
 * dnsrepl.parked, and the views must show it all the same, as octets. So values are decoded in a subtransaction.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "store/image.h"
#include "store/live.h"
#include "store/pack.h"
#include "store/result_set.h"
#include "store/unit_json.h"

PG_FUNCTION_INFO_V1(dnsrepl_image_rows);
PG_FUNCTION_INFO_V1(dnsrepl_key_columns);
PG_FUNCTION_INFO_V1(dnsrepl_image_author);
PG_FUNCTION_INFO_V1(dnsrepl_version_lives);
PG_FUNCTION_INFO_V1(dnsrepl_pack_units);

typedef struct Shown
{
	TableDesc  *t;
	bytea	   *key;
	const Image *image;			/* NULL: the key is shown */
} Shown;

static Datum
shown_json(const Shown *s)
{
	StringInfoData out;

	initStringInfo(&out);
	if (s->image)
		json_rows(&out, s->t, s->image->head.ncolumns, &s->image->rows);
	else
		json_key(&out, s->t, (uint8 *) VARDATA_ANY(s->key), VARSIZE_ANY_EXHDR(s->key));
	return json_datum(&out);
}

/* What stands for values that the types here refuse. */
static Datum
shown_octets(const Shown *s)
{
	StringInfoData out;

	initStringInfo(&out);
	if (s->image)
		json_rows(&out, NULL, s->image->head.ncolumns, &s->image->rows);
	else
	{
		appendStringInfoString(&out, "{\"octets\": \"");
		for (size_t i = 0; i < VARSIZE_ANY_EXHDR(s->key); i++)
			appendStringInfo(&out, "%02x", ((uint8 *) VARDATA_ANY(s->key))[i]);
		appendStringInfoString(&out, "\"}");
	}
	return json_datum(&out);
}

static Datum
shown(const Shown *s)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile Datum json = (Datum) 0;

	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		MemoryContextSwitchTo(context);
		json = shown_json(s);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		int			category;

		MemoryContextSwitchTo(context);
		category = ERRCODE_TO_CATEGORY(geterrcode());
		if (category != ERRCODE_DATA_EXCEPTION && category != ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return json ? json : shown_octets(s);
}

/* image_rows(key bytea, image bytea) returns jsonb */
Datum
dnsrepl_image_rows(PG_FUNCTION_ARGS)
{
	bytea	   *key = PG_GETARG_BYTEA_PP(0);
	bytea	   *data = PG_GETARG_BYTEA_PP(1);
	Image		image;
	Shown		s = {.key = key, .image = &image};

	tables_refresh();
	s.t = key_table((uint8 *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
	if (!image_decode((uint8 *) VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data), true, &image))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("a version's image cannot be read")));
	if (image_is_deletion(&image.head))
		PG_RETURN_NULL();
	return shown(&s);
}

/* key_columns(key bytea) returns jsonb */
Datum
dnsrepl_key_columns(PG_FUNCTION_ARGS)
{
	Shown		s = {.key = PG_GETARG_BYTEA_PP(0)};

	tables_refresh();
	s.t = key_table((uint8 *) VARDATA_ANY(s.key), VARSIZE_ANY_EXHDR(s.key));
	if (!s.t)
		PG_RETURN_NULL();
	return shown(&s);
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
