/*
 * dnsname_op.c: comparison of names with names: canonical order, hash, the DNS tree.
 *
 * All of it works on the stored octets: memcmp for order, a common beginning for "below". Names that are equal are
 * equal byte for byte.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/sortsupport.h"

#include "dns/name.h"
#include "type/dnsname.h"

PG_FUNCTION_INFO_V1(dnsname_eq);
PG_FUNCTION_INFO_V1(dnsname_ne);
PG_FUNCTION_INFO_V1(dnsname_lt);
PG_FUNCTION_INFO_V1(dnsname_le);
PG_FUNCTION_INFO_V1(dnsname_gt);
PG_FUNCTION_INFO_V1(dnsname_ge);
PG_FUNCTION_INFO_V1(dnsname_cmp);
PG_FUNCTION_INFO_V1(dnsname_sortsupport);
PG_FUNCTION_INFO_V1(dnsname_larger);
PG_FUNCTION_INFO_V1(dnsname_smaller);
PG_FUNCTION_INFO_V1(dnsname_hash);
PG_FUNCTION_INFO_V1(dnsname_hash_extended);
PG_FUNCTION_INFO_V1(dnsname_below);
PG_FUNCTION_INFO_V1(dnsname_below_eq);
PG_FUNCTION_INFO_V1(dnsname_above);
PG_FUNCTION_INFO_V1(dnsname_above_eq);
PG_FUNCTION_INFO_V1(dnsname_subtree_end);

int
dnsname_compare(const Dnsname *a, const Dnsname *b)
{
	return name_compare(dnsname_octets(a), dnsname_length(a), dnsname_octets(b), dnsname_length(b));
}

/* Index code wants no copies left behind. */
static int
args_compare(FunctionCallInfo fcinfo)
{
	Dnsname    *a = PG_GETARG_DNSNAME(0);
	Dnsname    *b = PG_GETARG_DNSNAME(1);
	int			result = dnsname_compare(a, b);

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result;
}

Datum
dnsname_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(args_compare(fcinfo) == 0);
}

Datum
dnsname_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(args_compare(fcinfo) != 0);
}

Datum
dnsname_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(args_compare(fcinfo) < 0);
}

Datum
dnsname_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(args_compare(fcinfo) <= 0);
}

Datum
dnsname_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(args_compare(fcinfo) > 0);
}

Datum
dnsname_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(args_compare(fcinfo) >= 0);
}

Datum
dnsname_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(args_compare(fcinfo));
}

static int
sort_compare(Datum x, Datum y, SortSupport ssup)
{
	Dnsname    *a = DatumGetDnsname(x);
	Dnsname    *b = DatumGetDnsname(y);
	int			result = dnsname_compare(a, b);

	if ((Pointer) a != DatumGetPointer(x))
		pfree(a);
	if ((Pointer) b != DatumGetPointer(y))
		pfree(b);
	return result;
}

/* Without abbreviated keys: the first octets of names that are sorted together are mostly the same zone. */
Datum
dnsname_sortsupport(PG_FUNCTION_ARGS)
{
	SortSupport ssup = (SortSupport) PG_GETARG_POINTER(0);

	ssup->comparator = sort_compare;
	PG_RETURN_VOID();
}

Datum
dnsname_larger(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(args_compare(fcinfo) >= 0 ? PG_GETARG_DATUM(0) : PG_GETARG_DATUM(1));
}

Datum
dnsname_smaller(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(args_compare(fcinfo) <= 0 ? PG_GETARG_DATUM(0) : PG_GETARG_DATUM(1));
}

Datum
dnsname_hash(PG_FUNCTION_ARGS)
{
	Dnsname    *name = PG_GETARG_DNSNAME(0);
	uint32		hash = hash_bytes(dnsname_octets(name), (int) dnsname_length(name));

	PG_FREE_IF_COPY(name, 0);
	PG_RETURN_UINT32(hash);
}

Datum
dnsname_hash_extended(PG_FUNCTION_ARGS)
{
	Dnsname    *name = PG_GETARG_DNSNAME(0);
	uint64		hash = hash_bytes_extended(dnsname_octets(name), (int) dnsname_length(name),
										   (uint64) PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(name, 0);
	PG_RETURN_INT64((int64) hash);
}

static bool
args_below(FunctionCallInfo fcinfo, int name_arg, bool or_same)
{
	Dnsname    *name = PG_GETARG_DNSNAME(name_arg);
	Dnsname    *zone = PG_GETARG_DNSNAME(1 - name_arg);

	return name_below(dnsname_octets(name), dnsname_length(name),
					  dnsname_octets(zone), dnsname_length(zone)) &&
		(or_same || dnsname_length(name) > dnsname_length(zone));
}

Datum
dnsname_below(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(args_below(fcinfo, 0, false));
}

Datum
dnsname_below_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(args_below(fcinfo, 0, true));
}

Datum
dnsname_above(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(args_below(fcinfo, 1, false));
}

Datum
dnsname_above_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(args_below(fcinfo, 1, true));
}

/* What dnsname_support.c compares with: not always a legal name. */
Datum
dnsname_subtree_end(PG_FUNCTION_ARGS)
{
	Dnsname    *name = PG_GETARG_DNSNAME(0);
	uint8		end[NAME_STORED_MAX];
	int			len;

	if (!name_valid(dnsname_octets(name), dnsname_length(name)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("not a domain name but the end of a range of names")));
	len = name_subtree_end(dnsname_octets(name), dnsname_length(name), end);
	PG_RETURN_DNSNAME(dnsname_make(end, (size_t) len));
}
