/*
 * rectify.h: what PowerDNS derives from a zone's records: ordername, auth, and empty non-terminals (rows without a type).
 *
 * Each node derives them itself, in the transaction that changes the records, for the names that were touched, those above
 * them, and those below a delegation that was; for the whole zone if it is signed in another way than before.
 */
#ifndef DNSREPL_RECTIFY_H
#define DNSREPL_RECTIFY_H

#include "store/group.h"
#include "store/relation.h"
#include "store/version.h"

typedef struct Rectify Rectify;

/* In the current context; reads nothing. */
extern Rectify *rectify_begin(void);

/* A row of this name was written or removed; `cut`: of type NS. The zone must last. `id`: in domains; 0: it is not known here. */
extern void rectify_name(Rectify *r, const ZoneRef *zone, int32 id, const uint8 *name, size_t name_len, bool cut);

/*
 * A zone of which all names are given, or are plain (ordername and auth of a new record, in a zone that is not signed): it need
 * not be looked at as a whole.
 */
extern void rectify_new(Rectify *r, const ZoneRef *zone, int32 id);

/* Of a name's group: may it be plain? At the apex or right below it, where nothing is between, and no delegation. */
extern bool rectify_may_be_plain(const UnitGroup *g);

/* Is that what a row gets that is written without them? A table that was adopted may have other defaults. */
extern bool rectify_plain_defaults(void);

/* Is a zone not signed, and was it not when its names were put in order? */
extern bool rectify_unsigned(const ZoneRef *zone);

/* Its keys or metadata were. */
extern void rectify_zone(Rectify *r, const ZoneRef *zone);

/* What a lock on a table keeps is an error, for a projection, which is undone as a whole then. */
extern bool rectify_gives_way;

/*
 * Does it, when store and tables have been written; the caller holds the zones' rows. A row that somebody else has locked is
 * left to a later time: its unit is parked.
 */
extern void rectify_end(Rectify *r, Store *store);

#endif
