/*
 * project.h: the serving tables follow the store.
 */
#ifndef DNSREPL_PROJECT_H
#define DNSREPL_PROJECT_H

#include "store/relation.h"
#include "store/version.h"

typedef struct ProjectUnit
{
	const ZoneRef *zone;
	const uint8 *key;
	size_t		key_len;
	const uint8 *image;			/* of the version to be served; NULL: none */
	size_t		image_len;
} ProjectUnit;

/*
 * Makes the serving rows of each unit those of its image: only rows that differ are touched. The caller holds the
 * zones' stripes and rows. What cannot be projected is parked, and its versions count as unseen from then on.
 * `before` shows the store as it was when this transaction began to write it: when a zone comes into being, what
 * was there of it is projected too.
 */
extern void project_units(Store *store, Snapshot before, const ProjectUnit *units, int n);

/* Parks a unit, or (no key) all units of a zone. */
extern void unit_park(const ZoneRef *zone, const uint8 *key, size_t key_len, const char *error);

#endif
