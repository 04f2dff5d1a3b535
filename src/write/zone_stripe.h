/*
 * zone_stripe.h: the stripes (store/stripe.h) that this transaction holds, by the ids of its zones.
 */
#ifndef DNSREPL_ZONE_STRIPE_H
#define DNSREPL_ZONE_STRIPE_H

#include "postgres.h"

#include "storage/itemptr.h"

/* Takes the stripe of a zone, or of a table that has none, with its first note. */
extern void stripe_by_id(int32 id);
extern void stripe_by_table(int16 table);

/*
 * The name that a zone whose stripe was taken by id had then, and where its row was; false if none. Lasts until the end of the
 * transaction.
 */
extern bool stripe_zone_name(int32 id, uint8 **name, size_t *name_len, ItemPointer row);

#endif
