/*
 * zone_touch.h: the zones that a transaction's notes touch.
 */
#ifndef DNSREPL_ZONE_TOUCH_H
#define DNSREPL_ZONE_TOUCH_H

#include "store/live.h"
#include "store/version.h"
#include "write/note.h"

typedef struct ZoneTouch
{
	ZoneRef		ref;
	int32		id;				/* of its row in domains now; 0: none */
	bool		looked;			/* the rest is known */
	Live		live;			/* its incarnations, by what this node has shown */
	bool		was_live;		/* so it was when this lot of notes began */
	bool		written;		/* a unit of it has been captured */
	bool		changed;		/* what is served of it is not what it was */
	int			level;			/* zone/zone_level.h; -1: not known yet */
	bool		metadata_known; /* whether domainmetadata has anything of it: */
	bool		has_metadata;
	bool		serial_known;	/* whether its serial is kept here: */
	bool		serial_kept;
	bool		shown_known;	/* whether dnsrepl.shown has anything of it: */
	bool		shown;
} ZoneTouch;

typedef struct ZoneId
{
	int32		id;
	int			zone;			/* in zones[] once they are sorted */
	ZoneRef		ref;
	ItemPointerData row;		/* of domains, in which it was found */
} ZoneId;

typedef struct Touched
{
	int			n,
				cap;
	ZoneTouch  *zones;			/* in zone_order */
	int			nids,
				cap_ids;
	ZoneId	   *ids;			/* sorted by id */
	bool		again;
} Touched;

/* Walks the notes; under the active snapshot. Not again: names may be those that zones had when they were noted. */
extern void touched_collect(Touched *t, bool again);

/*
 * The ids that the zones have now, under the active snapshot. False if an id has changed hands since
 * touched_collect(): a zone was renamed or made meanwhile.
 */
extern bool touched_ids(Touched *t);

/* Has the zone rows in domainmetadata at all? By the snapshot of the pass. */
extern bool touch_has_metadata(ZoneTouch *z);

/* The zone of a note; NULL if it has gone, or for NOTE_TABLE. */
extern ZoneTouch *touched_find(Touched *t, const Note *note);

#endif
