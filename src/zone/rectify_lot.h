/*
 * rectify_lot.h: some names of one zone, and what is derived of their records (for rectify.c).
 */
#ifndef DNSREPL_RECTIFY_LOT_H
#define DNSREPL_RECTIFY_LOT_H

#include "store/version.h"
#include "zone/zone_signing.h"

typedef struct RectifyZone
{
	const ZoneRef *ref;
	int32		id;				/* in domains; 0: gone, or not known yet */
	bool		resigned;		/* its keys or metadata were written */
	bool		fresh;			/* rectify_new() */
	ZoneSigning signing;
} RectifyZone;

typedef struct RectifyLot RectifyLot;

/* In the current context, for what follows. */
extern RectifyLot *lot_begin(Store *store, const RectifyZone *zone, TableDesc *records);

/* A name, and what is between it and the apex; `below`: also all names below it. */
extern void lot_add(RectifyLot *lot, const uint8 *name, size_t len, bool below);

/* Makes their rows what they should be. */
extern void lot_do(RectifyLot *lot);

/* The columns of the table records that are derived; false if it has none such. */
extern bool rectify_columns(TableDesc *records, AttrNumber *ordername, AttrNumber *auth);

#endif
