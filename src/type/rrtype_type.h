/*
 * rrtype_type.h: the type rrtype as other C code sees it: 16 bits passed by value.
 *
 * The Datum is always made by way of int16, so that equal values are equal Datums.
 */
#ifndef TYPE_RRTYPE_TYPE_H
#define TYPE_RRTYPE_TYPE_H

#include "postgres.h"

#include "compat.h"
#include "fmgr.h"

#include "dns/rrtype.h"

#define DatumGetRrtype(d)	 DatumGetUInt16(d)
#define RrtypeGetDatum(t)	 Int16GetDatum((int16) (t))
#define PG_GETARG_RRTYPE(n)	 DatumGetRrtype(PG_GETARG_DATUM(n))
#define PG_RETURN_RRTYPE(t)	 return RrtypeGetDatum(t)

#endif
