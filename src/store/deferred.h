/*
 * deferred.h: what has come for zones whose rows are not free: dnsrepl.deferred.
 *
 * Nothing can be written into the store of a zone whose row somebody else has, and he may have it for long: a commit that waits for a
 * standby, a bulk load. A merge does not wait for that, or all zones would, from all peers. It keeps what the delta has of such a zone
 * as a delta of its own (a row here), which is merged when the row is free (merge/defer.c), as it would have been when it came: `mine`
 * is what this node held then.
 *
 * What is kept is held: this node claims it, and hands it on. So whoever reads the store to tell others what is held looks here too:
 * deferred_fold(). Nobody else need: authors have not seen it, and what they write meanwhile it will be a sibling of; the tables do not
 * show it. Meanwhile what comes for the zone is kept as well, in the order in which it comes; its sums are not compared with those of
 * peers, and no deletions are collected.
 *
 * A node whose store turns out to be damaged has what is kept like its versions: it is merged as soon as it can be, and nothing of a peer's
 * before it. Nothing more is kept until the store is mended.
 *
 * Rows are written, and taken away, under LOCK_MERGE.
 */
#ifndef DNSREPL_DEFERRED_H
#define DNSREPL_DEFERRED_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/snapshot.h"

#include "store/delta_read.h"
#include "store/version.h"

#define MAX_DEFERRED (64 * 1024 * 1024)	/* octets that are kept; then deltas with such zones are refused */

typedef struct DeferredUnit
{
	const uint8 *key;
	size_t		key_len;
	int			nversions;
	Version    *versions;
	Live		live;			/* as in DeltaItem */
} DeferredUnit;

typedef struct DeferredZone
{
	ZoneRef		ref;			/* without its number */
	uint64		serial;
	int			nunits,
				cap;
	DeferredUnit *units;		/* by key */
} DeferredZone;

/* A row: a delta of one chunk, of some zones. */
typedef struct DeferredDelta
{
	int64		no;
	pg_uuid_t	node;			/* who sent it */
	bool		failed;			/* could not be merged, for another reason than the lock, a short while ago */
	const uint8 *payload;
	size_t		payload_len;
	Vector	   *mine;			/* what this node held when it came */
	DeltaRead	in;
	int			nzones,
				cap;
	DeferredZone *zones;		/* in zone_order */
} DeferredDelta;

typedef struct Deferred
{
	int			n;
	DeferredDelta *deltas;		/* in the order in which they came */
} Deferred;

extern bool deferred_any(Snapshot snapshot);

/* All that the active snapshot shows; NULL: nothing. Without `units` only which zones. */
extern Deferred *deferred_read(bool units);

/* The rest of one that was read without. */
extern void deferred_read_units(DeferredDelta *d);

/* What a delta has of a zone, or NULL. */
extern DeferredZone *deferred_zone(const DeferredDelta *d, const ZoneRef *zone);

/* Is there anything of a zone? */
extern bool deferred_has(const Deferred *d, const ZoneRef *zone);

/*
 * The versions of a unit as they would be if all had been merged when it came; of a zone's unit in domains also the incarnations that
 * would live (in: those of the store).
 */
extern void deferred_fold(const Deferred *d, const ZoneRef *zone, const uint8 *key, size_t key_len, VersionSet *set, Live *live);

/* Keeps a delta of zones in zone_order. Raises 53400 if too much is kept already. */
extern void deferred_write(const pg_uuid_t *node, const char *peer, const Vector *mine, StringInfo payload, const ZoneRef *const *zones, int n);
extern void deferred_delete(int64 no);
extern void deferred_fail(int64 no, const char *error);

#endif
