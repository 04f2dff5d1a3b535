/*
 * dnsname.h: the type dnsname as other C code sees it.
 *
 * A varlena around the stored form of dns/name.h. With STORAGE main values may come with a short
 * header or compressed: get at the octets by these functions only.
 */
#ifndef TYPE_DNSNAME_H
#define TYPE_DNSNAME_H

#include "postgres.h"

#include "compat.h"
#include "fmgr.h"

#include "dns/name.h"

typedef struct varlena Dnsname;

#define DatumGetDnsname(d)	  ((Dnsname *) PG_DETOAST_DATUM_PACKED(d))
#define PG_GETARG_DNSNAME(n)  DatumGetDnsname(PG_GETARG_DATUM(n))
#define PG_RETURN_DNSNAME(x)  PG_RETURN_POINTER(x)

static inline const uint8 *
dnsname_octets(const Dnsname *name)
{
	return (const uint8 *) VARDATA_ANY(name);
}

static inline size_t
dnsname_length(const Dnsname *name)
{
	return VARSIZE_ANY_EXHDR(name);
}

/* A dnsname (palloc'd) of a stored form. */
extern Dnsname *dnsname_make(const uint8 *stored, size_t len);

/* The text of a dnsname (palloc'd): no final dot, the root is ".". */
extern char *dnsname_cstring(const Dnsname *name);

/* RFC 4034 6.1. */
extern int	dnsname_compare(const Dnsname *a, const Dnsname *b);

/* SQL: the end of the range of the names at and below a zone (name_subtree_end). */
extern Datum dnsname_subtree_end(PG_FUNCTION_ARGS);

#endif
