/*
 * shown.h: versions that the tables show still, though versions that wait for their projection have replaced them in the store:
 * dnsrepl.shown, of this node alone. An author who edits meanwhile has them before his eyes: what his image inherits
 * (resolve_carry()) comes of them, as it would if the link had been cut.
 */
#ifndef DNSREPL_SHOWN_H
#define DNSREPL_SHOWN_H

#include "store/version.h"

#define MAX_SHOWN 100			/* versions of one unit that are kept */

/* The caller holds the zone's row. */
extern void shown_keep(const ZoneRef *zone, const uint8 *key, size_t key_len, const Version *v);

/* Has a zone any? */
extern bool shown_any(Snapshot snapshot, const ZoneRef *zone);

/* Those of a unit are added to the set, which has room for MAX_SHOWN more; images in the current context. */
extern void shown_add(Snapshot snapshot, const ZoneRef *zone, const uint8 *key, size_t key_len, VersionSet *set);

/* Those of a unit: an author who had them before his eyes has written another. */
extern void shown_drop(const ZoneRef *zone, const uint8 *key, size_t key_len);

/* Those of a zone whose units are not parked any more. */
extern void shown_forget(const ZoneRef *zone);

#endif
