/*
 * zone_level.h: how strictly commits to a zone are checked.
 */
#ifndef DNSREPL_ZONE_LEVEL_H
#define DNSREPL_ZONE_LEVEL_H

#include "utils/snapshot.h"

#define LEVEL_METADATA "X-DNSREPL-CHECK"	/* domainmetadata of this kind: "strict" (or none), "warn", "off" */

typedef enum ZoneLevel
{
	LEVEL_STRICT,				/* errors refuse, warnings warn */
	LEVEL_WARN,					/* both warn */
	LEVEL_OFF					/* nothing is said */
} ZoneLevel;

/* Of the zone with this id in domains. */
extern ZoneLevel zone_level(int32 id, Snapshot snapshot);

#endif
