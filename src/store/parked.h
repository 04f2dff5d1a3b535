/*
 * parked.h: units whose versions are in the store and cannot be in the serving tables yet: dnsrepl.parked.
 *
 * A row is a unit, or (no key) all units of a zone, in one of three states; without a row it is PROJECTED:
 *
 *   WAITING  what came is stored unseen, since a local transaction is in the way; the zone waits as a whole with all that comes
 *            for it, and with the zones that a peer's transaction has changed along with it (`together`): they are shown as one
 *   QUEUED   to be looked at anew: a policy has changed, a repair, a table made anew, a locked row of which what is derived is behind
 *   REFUSED  by the table's own constraints or triggers, or there is no table; unseen; tried again after pauses that grow
 *
 *   from                          to        by
 *   PROJECTED, QUEUED, REFUSED    WAITING   unit_wait(): a merge, of a zone that is not free
 *   PROJECTED, REFUSED            QUEUED    unit_queue(), dnsrepl.queue_units(): anybody; what WAITS stays so, and is looked at then
 *   PROJECTED, QUEUED, WAITING    REFUSED   unit_refuse(): projection
 *   WAITING, QUEUED, REFUSED      PROJECTED unit_projected(): the manager, when it has done what the row says
 *
 * Who writes rows of a zone that is WAITING, and reads whether it is, holds the row of one zone at least of those that wait together;
 * the manager holds all of them.
 */
#ifndef DNSREPL_PARKED_H
#define DNSREPL_PARKED_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "store/version.h"

/* Why a zone waits: the stripe, or a row or table, is not free. */
#define PARKED_AUTHOR "a local transaction is editing the zone"
#define PARKED_AUTHOR_OF_MANY "a local transaction is editing many zones, and may be editing this one"
#define PARKED_BEFORE "what came for the zone before has to wait"
#define PARKED_LATE "it came while another transaction had the zone"
#define PARKED_LOCKED "another transaction has locked rows or tables that have to change"

/* What dnsrepl.project_parked() tells the manager, in whose process it runs. */
typedef struct ParkedTurn
{
	bool		came_on;		/* something was projected */
	bool		round_over;		/* everything has had its turn since the last time that this was so */
	TimestampTz due;			/* when something is to be tried again; DT_NOEND: nothing is known of that */
} ParkedTurn;

extern ParkedTurn parked_turn;	/* the last one */

/* Writes dnsrepl.parked; a merge, or the manager, does not wait long for whoever else does: an error then. How many rows. */
extern uint64 parked_execute(const char *sql, int n, Oid *types, Datum *values);

/* `together`: the number of the zones it waits with; see zone_waits_with(). */
extern void unit_wait(const ZoneRef *zone, const uint8 *key, size_t key_len, int32 together, const char *reason);

extern void unit_queue(const ZoneRef *zone, const uint8 *key, size_t key_len, const char *reason);

/* Without `tried` it was not even tried: too much has been refused before it. */
extern void unit_refuse(const ZoneRef *zone, const uint8 *key, size_t key_len, const char *error, bool tried);

/* A row as the manager has read it: `tries` and `after` tell whether it has been parked again since; then it stays: false. */
extern bool unit_projected(int32 zone, struct varlena *key, int32 tries, struct varlena *after);

/* With which number a zone waits; 0: it does not. Under a snapshot that is newer than the lock on its row. */
extern int32 zone_waits_with(Snapshot snapshot, const ZoneRef *zone);

/* Zones that waited under one number go on under another. */
extern void waiting_join(int32 from, int32 together);

/* What of a zone waits for its projection: keys (bytea); an empty one stands for all of it. Under a snapshot. */
extern List *parked_keys(Snapshot snapshot, const ZoneRef *zone);

/* Is a unit among them, or below a DNAME record that is? */
extern bool parked_among(const List *keys, const uint8 *key, size_t key_len);

#endif
