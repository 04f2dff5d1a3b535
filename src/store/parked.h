/*
 * parked.h: units whose versions are in the store and cannot be in the serving tables yet: dnsrepl.parked.
 */
#ifndef DNSREPL_PARKED_H
#define DNSREPL_PARKED_H

#include "nodes/pg_list.h"

#include "store/version.h"

/* Writes dnsrepl.parked; does not wait long for whoever else does: an error then. */
extern void parked_execute(const char *sql, int n, Oid *types, Datum *values);

/*
 * Parks a unit, or (no key) all units of a zone. The manager tries them again; those of a zone in steps: if it is on its way through them,
 * it goes round once more, to where it is now.
 */
extern void unit_park(const ZoneRef *zone, const uint8 *key, size_t key_len, const char *error);

/* Set by project_parked(), in the manager's process too: it has come on in a zone, for the first time since all of that was parked. */
extern bool parked_came_on;

/* What of a zone waits for its projection: keys (bytea); an empty one stands for all of it. Under a snapshot. */
extern List *parked_keys(Snapshot snapshot, const ZoneRef *zone);

/* Is a unit among them, or below a DNAME record that is? */
extern bool parked_among(const List *keys, const uint8 *key, size_t key_len);

#endif
