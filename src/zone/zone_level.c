/*
 * zone_level.c: see zone_level.h.
 */
#include "postgres.h"

#include "store/metadata.h"
#include "zone/zone_level.h"

ZoneLevel
zone_level(int32 id, Snapshot snapshot)
{
	char	   *level = zone_metadata(id, LEVEL_METADATA, snapshot);

	if (level && pg_strcasecmp(level, "off") == 0)
		return LEVEL_OFF;
	return level && pg_strcasecmp(level, "warn") == 0 ? LEVEL_WARN : LEVEL_STRICT;
}
