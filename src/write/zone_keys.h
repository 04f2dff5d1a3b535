/*
 * zone_keys.h: what a local transaction leaves of a zone's keys.
 */
#ifndef DNSREPL_ZONE_KEYS_H
#define DNSREPL_ZONE_KEYS_H

#include "store/relation.h"

/* Has the zone with this id an active key-signing key, by the rows of cryptokeys? */
extern bool zone_has_active_key(Relation rel, TableDesc *cryptokeys, int32 id, Snapshot snapshot);

#endif
