/*
 * rr.h: the type rr as other C code sees it.
 */
#ifndef TYPE_RR_H
#define TYPE_RR_H

#include "postgres.h"

#include "compat.h"
#include "fmgr.h"

typedef struct varlena Rr;

#define DatumGetRr(d)	 ((Rr *) PG_DETOAST_DATUM_PACKED(d))
#define PG_GETARG_RR(n)	 DatumGetRr(PG_GETARG_DATUM(n))

/* One record, its parts pointing into an Rr or elsewhere. */
typedef struct RrView
{
	const uint8 *owner;			/* stored form, dns/name.h */
	size_t		owner_len;
	const uint8 *rdata;			/* canonical wire form */
	size_t		rdata_len;
	uint32		ttl;
	uint16		type;
} RrView;

extern RrView rr_view(const Rr *rr);

/* An Rr (palloc'd) of parts that are known to be right. */
extern Rr  *rr_build(const RrView *view);

/* Canonical order (RFC 4034 6): owner, type, rdata; then TTL. */
extern int	rr_compare(const RrView *a, const RrView *b);

#endif
