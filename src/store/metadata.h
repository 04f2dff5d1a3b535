/*
 * metadata.h: a zone's rows in domainmetadata.
 */
#ifndef DNSREPL_METADATA_H
#define DNSREPL_METADATA_H

#include "store/relation.h"

/* The content of a row of that kind, of the zone with this id in domains; NULL: there is none, or it is null. */
extern char *zone_metadata(int32 id, const char *kind, Snapshot snapshot);

/* Has it any, of whatever kind? */
extern bool zone_has_metadata(int32 id, Snapshot snapshot);

#endif
