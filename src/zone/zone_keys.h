/*
 * zone_keys.h: the private keys of a zone, by the rows of cryptokeys.
 */
#ifndef DNSREPL_ZONE_KEYS_H
#define DNSREPL_ZONE_KEYS_H

#include "store/relation.h"

/* Has the zone with this id in domains an active key; with `signing`, a key-signing key? */
extern bool zone_has_active_key(int32 id, bool signing, Snapshot snapshot);

#endif
