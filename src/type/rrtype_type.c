/*
 * rrtype_type.c: type rrtype: a record type in 16 bits, in numeric order.
 *
 * Input takes whatever PowerDNS may ask for (ANY, TYPE65534); that only types of data are stored is for the checks of
 * records to see to. Comparison with text reads the text as a type; text that is none is equal to no type and sorts
 * after all of them, as in dnsname_text.c.
 */
#include "postgres.h"

#include "catalog/pg_collation_d.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/sortsupport.h"

#include "type/input_error.h"
#include "type/rrtype_type.h"

#define NO_TYPE (UINT16_MAX + 1)	/* what text that is no type counts as */

PG_FUNCTION_INFO_V1(rrtype_in);
PG_FUNCTION_INFO_V1(rrtype_out);
PG_FUNCTION_INFO_V1(rrtype_recv);
PG_FUNCTION_INFO_V1(rrtype_send);
PG_FUNCTION_INFO_V1(rrtype_from_text_sql);
PG_FUNCTION_INFO_V1(rrtype_from_int4);
PG_FUNCTION_INFO_V1(rrtype_to_int4);
PG_FUNCTION_INFO_V1(rrtype_is_meta_sql);
PG_FUNCTION_INFO_V1(rrtype_sortsupport);
PG_FUNCTION_INFO_V1(rrtype_hash);
PG_FUNCTION_INFO_V1(rrtype_hash_extended);
PG_FUNCTION_INFO_V1(rrtype_larger);
PG_FUNCTION_INFO_V1(rrtype_smaller);
PG_FUNCTION_INFO_V1(rrtype_text_text_cmp);
PG_FUNCTION_INFO_V1(rrtype_text_text_eq);
PG_FUNCTION_INFO_V1(rrtype_text_hash);
PG_FUNCTION_INFO_V1(rrtype_text_hash_extended);
PG_FUNCTION_INFO_V1(rrtype_like);
PG_FUNCTION_INFO_V1(rrtype_not_like);
PG_FUNCTION_INFO_V1(rrtype_ilike);
PG_FUNCTION_INFO_V1(rrtype_not_ilike);

#define BAD_TYPE_DETAIL "It is neither the name of a record type nor TYPE with a number up to 65535 (RFC 3597)."

Datum
rrtype_in(PG_FUNCTION_ARGS)
{
	char	   *source = PG_GETARG_CSTRING(0);
	uint16		type;

	if (!rrtype_from_text(source, strlen(source), &type))
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid record type \"%s\"", source),
				 errdetail(BAD_TYPE_DETAIL)));
	PG_RETURN_RRTYPE(type);
}

Datum
rrtype_out(PG_FUNCTION_ARGS)
{
	char	   *result = palloc(RRTYPE_TEXT_MAX);

	rrtype_to_text(PG_GETARG_RRTYPE(0), result);
	PG_RETURN_CSTRING(result);
}

Datum
rrtype_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);

	PG_RETURN_RRTYPE(pq_getmsgint(buf, sizeof(uint16)));
}

Datum
rrtype_send(PG_FUNCTION_ARGS)
{
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint16(&buf, PG_GETARG_RRTYPE(0));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* The number that a text stands for; NO_TYPE if none. */
static int
text_number(const text *source)
{
	uint16		type;

	if (!rrtype_from_text(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), &type))
		return NO_TYPE;
	return type;
}

Datum
rrtype_from_text_sql(PG_FUNCTION_ARGS)
{
	text	   *source = PG_GETARG_TEXT_PP(0);
	int			type = text_number(source);

	if (type == NO_TYPE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid record type \"%s\"", text_to_cstring(source)),
				 errdetail(BAD_TYPE_DETAIL)));
	PG_RETURN_RRTYPE(type);
}

Datum
rrtype_from_int4(PG_FUNCTION_ARGS)
{
	int32		value = PG_GETARG_INT32(0);

	if (value < 0 || value > UINT16_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("record type %d out of range", value),
				 errdetail("Record types are numbers from 0 to 65535.")));
	PG_RETURN_RRTYPE(value);
}

Datum
rrtype_to_int4(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(PG_GETARG_RRTYPE(0));
}

Datum
rrtype_is_meta_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(rrtype_is_meta(PG_GETARG_RRTYPE(0)));
}

/* Comparison: rrtype with rrtype, with text on the right, with text on the left. */

static inline int
compare_rrtype(FunctionCallInfo fcinfo)
{
	return (int) PG_GETARG_RRTYPE(0) - (int) PG_GETARG_RRTYPE(1);
}

static inline int
compare_rrtype_text(FunctionCallInfo fcinfo)
{
	return (int) PG_GETARG_RRTYPE(0) - text_number(PG_GETARG_TEXT_PP(1));
}

static inline int
compare_text_rrtype(FunctionCallInfo fcinfo)
{
	return text_number(PG_GETARG_TEXT_PP(0)) - (int) PG_GETARG_RRTYPE(1);
}

#define COMPARISON(function, compare, give, with) \
	PG_FUNCTION_INFO_V1(function); \
	Datum \
	function(PG_FUNCTION_ARGS) \
	{ \
		give(compare(fcinfo) with); \
	}

#define COMPARISONS(prefix, compare) \
	COMPARISON(prefix##_eq, compare, PG_RETURN_BOOL, == 0) \
	COMPARISON(prefix##_ne, compare, PG_RETURN_BOOL, != 0) \
	COMPARISON(prefix##_lt, compare, PG_RETURN_BOOL, < 0) \
	COMPARISON(prefix##_le, compare, PG_RETURN_BOOL, <= 0) \
	COMPARISON(prefix##_gt, compare, PG_RETURN_BOOL, > 0) \
	COMPARISON(prefix##_ge, compare, PG_RETURN_BOOL, >= 0) \
	COMPARISON(prefix##_cmp, compare, PG_RETURN_INT32, + 0)

COMPARISONS(rrtype, compare_rrtype)
COMPARISONS(rrtype_text, compare_rrtype_text)
COMPARISONS(text_rrtype, compare_text_rrtype)

/* How a btree sorts the array of `type = ANY (array of text)`: as types; what is none after them, by octets. */
Datum
rrtype_text_text_cmp(PG_FUNCTION_ARGS)
{
	text	   *a = PG_GETARG_TEXT_PP(0);
	text	   *b = PG_GETARG_TEXT_PP(1);
	int			x = text_number(a);
	int			y = text_number(b);

	if (x != NO_TYPE || y != NO_TYPE)
		PG_RETURN_INT32(x - y);
	return DirectFunctionCall2Coll(bttextcmp, C_COLLATION_OID, PointerGetDatum(a), PointerGetDatum(b));
}

Datum
rrtype_text_text_eq(PG_FUNCTION_ARGS)
{
	return BoolGetDatum(DatumGetInt32(rrtype_text_text_cmp(fcinfo)) == 0);
}

/* The hash of a text is that of the type that it is. */
Datum
rrtype_text_hash(PG_FUNCTION_ARGS)
{
	PG_RETURN_UINT32(hash_bytes_uint32((uint32) text_number(PG_GETARG_TEXT_PP(0))));
}

Datum
rrtype_text_hash_extended(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64((int64) hash_bytes_uint32_extended((uint32) text_number(PG_GETARG_TEXT_PP(0)),
													   (uint64) PG_GETARG_INT64(1)));
}

static int
sort_compare(Datum x, Datum y, SortSupport ssup)
{
	return (int) DatumGetRrtype(x) - (int) DatumGetRrtype(y);
}

Datum
rrtype_sortsupport(PG_FUNCTION_ARGS)
{
	SortSupport ssup = (SortSupport) PG_GETARG_POINTER(0);

	ssup->comparator = sort_compare;
	PG_RETURN_VOID();
}

Datum
rrtype_hash(PG_FUNCTION_ARGS)
{
	PG_RETURN_UINT32(hash_bytes_uint32(PG_GETARG_RRTYPE(0)));
}

Datum
rrtype_hash_extended(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64((int64) hash_bytes_uint32_extended(PG_GETARG_RRTYPE(0),
													   (uint64) PG_GETARG_INT64(1)));
}

Datum
rrtype_larger(PG_FUNCTION_ARGS)
{
	PG_RETURN_RRTYPE(Max(PG_GETARG_RRTYPE(0), PG_GETARG_RRTYPE(1)));
}

Datum
rrtype_smaller(PG_FUNCTION_ARGS)
{
	PG_RETURN_RRTYPE(Min(PG_GETARG_RRTYPE(0), PG_GETARG_RRTYPE(1)));
}

static Datum
type_match(FunctionCallInfo fcinfo, PGFunction match)
{
	char		name[RRTYPE_TEXT_MAX];
	int			len = rrtype_to_text(PG_GETARG_RRTYPE(0), name);

	return DirectFunctionCall2Coll(match, PG_GET_COLLATION(),
								   PointerGetDatum(cstring_to_text_with_len(name, len)),
								   PG_GETARG_DATUM(1));
}

Datum
rrtype_like(PG_FUNCTION_ARGS)
{
	return type_match(fcinfo, textlike);
}

Datum
rrtype_not_like(PG_FUNCTION_ARGS)
{
	return type_match(fcinfo, textnlike);
}

Datum
rrtype_ilike(PG_FUNCTION_ARGS)
{
	return type_match(fcinfo, texticlike);
}

Datum
rrtype_not_ilike(PG_FUNCTION_ARGS)
{
	return type_match(fcinfo, texticnlike);
}
