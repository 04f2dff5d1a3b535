/*
 * dnsname_text.c: names and text in one expression.
 *
 * Comparison reads the text as a name (any case, with or without the final dot). Text that is no name is not an
 * error here, since it may come from anybody who asks something: it is equal to no name and sorts after all names.
 * So these operators are total, and can stand in the operator families: an index on a dnsname column answers
 * `name = 'x'::text`, which the types of many drivers make of a plain parameter, and tables join by hash.
 *
 * LIKE, ILIKE and || work on the text of the name: lower case, no final dot.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "dns/name.h"
#include "type/dnsname.h"

/* A name read from text, or the fact that it is none. */
typedef struct TextName
{
	int			len;			/* -1: no name */
	uint8		stored[NAME_STORED_MAX];
} TextName;

static void
text_name_read(const text *source, TextName *name)
{
	name->len = name_from_text(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), name->stored, NULL);
}

/* The same text is compared with many names on the way through an index: it is read once. */
static const TextName *
name_of_text(const text *source)
{
	static TextName last;
	static size_t last_len = SIZE_MAX;	/* of the text */
	static char last_text[NAME_TEXT_MAX];
	size_t		len = VARSIZE_ANY_EXHDR(source);

	if (len == last_len && memcmp(VARDATA_ANY(source), last_text, len) == 0)
		return &last;
	text_name_read(source, &last);
	last_len = len <= sizeof(last_text) ? len : SIZE_MAX;
	if (len <= sizeof(last_text))
		memcpy(last_text, VARDATA_ANY(source), len);
	return &last;
}

static int
args_compare(FunctionCallInfo fcinfo, int name_arg)
{
	Dnsname    *name = PG_GETARG_DNSNAME(name_arg);
	text	   *source = PG_GETARG_TEXT_PP(1 - name_arg);
	const TextName *other = name_of_text(source);
	int			result = -1;

	if (other->len >= 0)
		result = name_compare(dnsname_octets(name), dnsname_length(name), other->stored, (size_t) other->len);
	PG_FREE_IF_COPY(name, name_arg);
	PG_FREE_IF_COPY(source, 1 - name_arg);
	return name_arg == 0 ? result : -result;
}

/* The six comparisons for one order of arguments, and the btree's three-way one. */
#define COMPARISONS(prefix, name_arg) \
	COMPARISON(prefix##_eq, name_arg, PG_RETURN_BOOL, == 0) \
	COMPARISON(prefix##_ne, name_arg, PG_RETURN_BOOL, != 0) \
	COMPARISON(prefix##_lt, name_arg, PG_RETURN_BOOL, < 0) \
	COMPARISON(prefix##_le, name_arg, PG_RETURN_BOOL, <= 0) \
	COMPARISON(prefix##_gt, name_arg, PG_RETURN_BOOL, > 0) \
	COMPARISON(prefix##_ge, name_arg, PG_RETURN_BOOL, >= 0) \
	COMPARISON(prefix##_cmp, name_arg, PG_RETURN_INT32, + 0)

#define COMPARISON(function, name_arg, give, with) \
	PG_FUNCTION_INFO_V1(function); \
	Datum \
	function(PG_FUNCTION_ARGS) \
	{ \
		give(args_compare(fcinfo, name_arg) with); \
	}

COMPARISONS(dnsname_text, 0)
COMPARISONS(text_dnsname, 1)

PG_FUNCTION_INFO_V1(dnsname_text_text_cmp);
PG_FUNCTION_INFO_V1(dnsname_text_text_eq);
PG_FUNCTION_INFO_V1(dnsname_text_hash);
PG_FUNCTION_INFO_V1(dnsname_text_hash_extended);
PG_FUNCTION_INFO_V1(dnsname_like);
PG_FUNCTION_INFO_V1(dnsname_not_like);
PG_FUNCTION_INFO_V1(dnsname_ilike);
PG_FUNCTION_INFO_V1(dnsname_not_ilike);
PG_FUNCTION_INFO_V1(dnsname_concat_text);
PG_FUNCTION_INFO_V1(text_concat_dnsname);

/* How a btree sorts the array of `name = ANY (array of text)`: as names; what is no name after them, by octets. */
Datum
dnsname_text_text_cmp(PG_FUNCTION_ARGS)
{
	text	   *a = PG_GETARG_TEXT_PP(0);
	text	   *b = PG_GETARG_TEXT_PP(1);
	TextName	x;
	TextName	y;

	text_name_read(a, &x);
	text_name_read(b, &y);
	if (x.len >= 0 && y.len >= 0)
		PG_RETURN_INT32(name_compare(x.stored, (size_t) x.len, y.stored, (size_t) y.len));
	if (x.len < 0 && y.len < 0)
		PG_RETURN_INT32(name_compare((const uint8 *) VARDATA_ANY(a), VARSIZE_ANY_EXHDR(a),
									 (const uint8 *) VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b)));
	PG_RETURN_INT32(x.len < 0 ? 1 : -1);
}

Datum
dnsname_text_text_eq(PG_FUNCTION_ARGS)
{
	return BoolGetDatum(DatumGetInt32(dnsname_text_text_cmp(fcinfo)) == 0);
}

/* The octets to hash of a text: of the name that it is, so that it meets that name in a hash join. */
static const uint8 *
text_hash_octets(const text *source, TextName *name, int *len)
{
	text_name_read(source, name);
	if (name->len >= 0)
	{
		*len = name->len;
		return name->stored;
	}
	*len = (int) VARSIZE_ANY_EXHDR(source);
	return (const uint8 *) VARDATA_ANY(source);
}

Datum
dnsname_text_hash(PG_FUNCTION_ARGS)
{
	TextName	name;
	int			len;
	const uint8 *octets = text_hash_octets(PG_GETARG_TEXT_PP(0), &name, &len);

	PG_RETURN_UINT32(hash_bytes(octets, len));
}

Datum
dnsname_text_hash_extended(PG_FUNCTION_ARGS)
{
	TextName	name;
	int			len;
	const uint8 *octets = text_hash_octets(PG_GETARG_TEXT_PP(0), &name, &len);

	PG_RETURN_INT64((int64) hash_bytes_extended(octets, len, (uint64) PG_GETARG_INT64(1)));
}

static Datum
name_text_datum(FunctionCallInfo fcinfo, int arg)
{
	char		buffer[NAME_TEXT_MAX];
	Dnsname    *name = PG_GETARG_DNSNAME(arg);
	int			len = name_to_text(dnsname_octets(name), dnsname_length(name), buffer);

	return PointerGetDatum(cstring_to_text_with_len(buffer, len));
}

static Datum
name_match(FunctionCallInfo fcinfo, PGFunction match)
{
	return DirectFunctionCall2Coll(match, PG_GET_COLLATION(), name_text_datum(fcinfo, 0),
								   PG_GETARG_DATUM(1));
}

Datum
dnsname_like(PG_FUNCTION_ARGS)
{
	return name_match(fcinfo, textlike);
}

Datum
dnsname_not_like(PG_FUNCTION_ARGS)
{
	return name_match(fcinfo, textnlike);
}

Datum
dnsname_ilike(PG_FUNCTION_ARGS)
{
	return name_match(fcinfo, texticlike);
}

Datum
dnsname_not_ilike(PG_FUNCTION_ARGS)
{
	return name_match(fcinfo, texticnlike);
}

Datum
dnsname_concat_text(PG_FUNCTION_ARGS)
{
	return DirectFunctionCall2(textcat, name_text_datum(fcinfo, 0), PG_GETARG_DATUM(1));
}

Datum
text_concat_dnsname(PG_FUNCTION_ARGS)
{
	return DirectFunctionCall2(textcat, PG_GETARG_DATUM(0), name_text_datum(fcinfo, 1));
}
