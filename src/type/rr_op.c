/*
 * rr_op.c: comparison of records.
 *
 * Order and equality are those of RFC 4034 6 (owner, type, rdata in canonical form), and then of the TTL, so that
 * records that print differently are different.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/sortsupport.h"

#include "dns/name.h"
#include "type/rr.h"

PG_FUNCTION_INFO_V1(rr_sortsupport);
PG_FUNCTION_INFO_V1(rr_hash);
PG_FUNCTION_INFO_V1(rr_hash_extended);

int
rr_compare(const RrView *a, const RrView *b)
{
	int			result = name_compare(a->owner, a->owner_len, b->owner, b->owner_len);

	if (result == 0)
		result = (int) a->type - (int) b->type;
	if (result == 0)			/* RFC 4034 6.3: as octets, the shorter first */
		result = name_compare(a->rdata, a->rdata_len, b->rdata, b->rdata_len);
	if (result == 0)
		result = (a->ttl > b->ttl) - (a->ttl < b->ttl);
	return result;
}

static int
datum_compare(Datum x, Datum y)
{
	Rr		   *a = DatumGetRr(x);
	Rr		   *b = DatumGetRr(y);
	RrView		va = rr_view(a);
	RrView		vb = rr_view(b);
	int			result = rr_compare(&va, &vb);

	if ((Pointer) a != DatumGetPointer(x))
		pfree(a);
	if ((Pointer) b != DatumGetPointer(y))
		pfree(b);
	return result;
}

#define COMPARISON(function, give, with) \
	PG_FUNCTION_INFO_V1(function); \
	Datum \
	function(PG_FUNCTION_ARGS) \
	{ \
		give(datum_compare(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) with); \
	}

COMPARISON(rr_eq, PG_RETURN_BOOL, == 0)
COMPARISON(rr_ne, PG_RETURN_BOOL, != 0)
COMPARISON(rr_lt, PG_RETURN_BOOL, < 0)
COMPARISON(rr_le, PG_RETURN_BOOL, <= 0)
COMPARISON(rr_gt, PG_RETURN_BOOL, > 0)
COMPARISON(rr_ge, PG_RETURN_BOOL, >= 0)
COMPARISON(rr_cmp, PG_RETURN_INT32, + 0)

static int
sort_compare(Datum x, Datum y, SortSupport ssup)
{
	return datum_compare(x, y);
}

Datum
rr_sortsupport(PG_FUNCTION_ARGS)
{
	SortSupport ssup = (SortSupport) PG_GETARG_POINTER(0);

	ssup->comparator = sort_compare;
	PG_RETURN_VOID();
}

/* Equal records are equal octet by octet. */
Datum
rr_hash(PG_FUNCTION_ARGS)
{
	Rr		   *rr = PG_GETARG_RR(0);
	uint32		hash = hash_bytes((const uint8 *) VARDATA_ANY(rr), (int) VARSIZE_ANY_EXHDR(rr));

	PG_FREE_IF_COPY(rr, 0);
	PG_RETURN_UINT32(hash);
}

Datum
rr_hash_extended(PG_FUNCTION_ARGS)
{
	Rr		   *rr = PG_GETARG_RR(0);
	uint64		hash = hash_bytes_extended((const uint8 *) VARDATA_ANY(rr), (int) VARSIZE_ANY_EXHDR(rr),
										   (uint64) PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(rr, 0);
	PG_RETURN_INT64((int64) hash);
}
