/*
 * version_row.h: rows of dnsrepl.version_store, and its indexes: (zone, key) for a unit's versions, (origin, era) for what a
 * peer lacks.
 *
 * A row holds a version of one unit, or a pack: units that follow one another in their zone, by key, each of which has just
 * this one version, all of one write, projected. Its key is its last unit's. A pack holds groups (group.h) whole, and no other
 * row of the zone lies between its units: so the first row at or after a key tells all that there is of a unit. (After, as
 * who writes goes on by key: rows that a snapshot does not show, since they have just been written, are behind.)
 */
#ifndef DNSREPL_VERSION_ROW_H
#define DNSREPL_VERSION_ROW_H

#include "access/genam.h"
#include "access/relscan.h"
#include "executor/tuptable.h"

#include "store/version.h"

#define VERSION_NATTS 10			/* columns of dnsrepl.version_store */

/* A stamp by its 16 milliseconds: index entries of one era share a key, and take 7 octets in place of 28. */
#define STAMP_ERA(stamp) ((stamp) >> 26)

/* Keys are in order by their octets, a shorter one before what it begins. */
static inline int
key_compare(const uint8 *a, size_t a_len, const uint8 *b, size_t b_len)
{
	int			c = memcmp(a, b, Min(a_len, b_len));

	return c ? c : (a_len > b_len) - (a_len < b_len);
}

static inline bool
key_begins(const uint8 *key, size_t key_len, const uint8 *prefix, size_t prefix_len)
{
	return key_len >= prefix_len && memcmp(key, prefix, prefix_len) == 0;
}

/* Points into its slot, or the current context. */
typedef struct VersionRow
{
	int32		zone;
	const uint8 *key;
	size_t		key_len;
	Version		v;				/* of the last unit */
	const uint8 *more;			/* NULL: no other unit; else pack.h's octets */
	size_t		more_len;
} VersionRow;

/* Without `image` the image of a row of one unit is left out. */
extern VersionRow version_row(TupleTableSlot *slot, bool image);

/* Rows of a zone from the first on whose key is not less than `from`: for index_getnext_slot(). */
extern IndexScanDesc version_row_scan(Store *store, Snapshot snapshot, int32 zone, const uint8 *from, size_t from_len);

/*
 * Calls fn for each row whose dot `held` does not cover and `ours` does: what a peer that holds `held` lacks, by the index on
 * (origin, era). Images of rows of one unit are left out. Ends when fn returns false.
 */
typedef bool (*LackingRow) (const VersionRow *row, void *arg);
extern void version_row_lacking(Store *store, Snapshot snapshot, const Vector *held, const Vector *ours, LackingRow fn, void *arg);

/* Rows are written as of the command `cid` of this transaction. Their tallies are the caller's. */
extern void version_row_insert(Store *store, const VersionRow *row, CommandId cid);
extern void version_row_delete(Store *store, const ItemPointerData *tid, CommandId cid);

/* Its place is kept: zone and key are those of the row that was there. */
extern void version_row_update(Store *store, const ItemPointerData *tid, const VersionRow *row, CommandId cid);

/*
 * As CatalogIndexInsert() does it, for a row that was written into a table of dnsrepl's. The index `same_key`, if any, is told that its
 * columns have not changed: then it removes what is dead first.
 */
extern void row_index(CatalogIndexState indexes, HeapTuple tuple, Oid same_key);

#endif
