/*
 * scrub.h: is what the serving tables show what the store says, and are a zone's running sums those of its versions?
 */
#ifndef DNSREPL_SCRUB_H
#define DNSREPL_SCRUB_H

#include "store/relation.h"
#include "store/version.h"

#define SCRUB_UNREADABLE "a version in the store cannot be read"

/* Something that is not as it should be. */
typedef struct ScrubFinding
{
	const ZoneRef *zone;
	const uint8 *key;			/* of a unit; of SCRUB_UNREADABLE: of its group */
	size_t		key_len;
	const char *problem;		/* a constant */
	TableDesc  *table;
	const RowSet *store,		/* what the two have; NULL: nothing */
			   *tables;
} ScrubFinding;

typedef void (*ScrubTell) (const ScrubFinding *finding, void *arg);

/* What the zone's row should say: see ZoneState. */
typedef struct ZoneSums
{
	uint64		served,
				others,
				held;
	int64		units;			/* that were looked at */
	int64		differences;	/* findings */
	bool		parked,			/* something of the zone waits for its projection: what is served by its row may be of before */
				unsure,			/* a policy's function has failed now that did not when it chose: nothing can be said */
				works;			/* or one chooses now that failed then: the zone is to be projected anew */
} ZoneSums;

/* Looks at a zone, as the active snapshot shows it. tell may be NULL. */
extern ZoneSums scrub_zone(Store *store, const ZoneRef *zone, ScrubTell fn, void *arg);

#endif
