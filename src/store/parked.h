/*
 * parked.h: units whose versions are in the store and cannot be in the serving tables yet: dnsrepl.parked.
 */
#ifndef DNSREPL_PARKED_H
#define DNSREPL_PARKED_H

#include "store/version.h"

/* Parks a unit, or (no key) all units of a zone. The manager tries them again. */
extern void unit_park(const ZoneRef *zone, const uint8 *key, size_t key_len, const char *error);

#endif
