/*
 * zone_work.h: the work of one transaction on zones whose rows it has locked: what their versions come to is projected in
 * batches, and their serials follow.
 */
#ifndef DNSREPL_ZONE_WORK_H
#define DNSREPL_ZONE_WORK_H

#include "merge/project.h"
#include "store/group.h"

typedef struct ZoneWork
{
	ZoneRef	   *ref;
	Live		was,			/* its incarnations, by what had been shown */
				now;			/* and by the store */
	bool		late;			/* nobody sent anything: what had to wait is projected */
	uint64		peer_serial,	/* what the peer said of the zone; 0: nothing */
				peer_served;
	bool		fresh;			/* versions came */
	bool		fell_back;		/* among them this node's own of an earlier life */
	bool		walk;			/* other incarnations live than before: all of it is looked at, when all has come */
	bool		row;			/* the zone's own row has come already */
	bool		walking;		/* now */
	bool		changes;		/* the tables showed other records than are served now */
	bool		whole;			/* all of the zone is, since what serves it is another: a policy */
	bool		count_anew;		/* what was counted of the zone is not to be relied on: another policy was in force then */
	struct HTAB *looked;		/* late: groups (by hash of the prefix) that have been looked at: each counts once */
	List	   *subtrees;		/* prefixes (bytea) at and below DNAMEs, looked at when all has come */
	bool		found;			/* one was, by dnames_above() */
	List	   *absent;			/* keys (bytea) of units of which the store has nothing any more, perhaps: see work_absent() */
	uint32		soa_serial;		/* what the SOA record was projected with; 0: it was not */
} ZoneWork;

typedef struct Work Work;

/*
 * `before` shows the store as it was when this transaction began to write it. tell() is called after every batch.
 * The caller holds the zones' stripes and rows.
 */
extern Work *work_begin(Store *store, Snapshot before);

/* Opens a zone; reads its incarnations. */
extern void work_zone(Work *w, ZoneWork *z, ZoneRef *ref);

/*
 * A group that was written: as it was served, and as it is to be, both judged. Versions not seen before are marked seen.
 * What it points to is copied.
 */
extern void work_group(Work *w, ZoneWork *z, const UnitGroup *before, UnitGroup *after);

/* The groups of a zone whose prefix begins so are looked at anew. Stops after `most` groups (0: never): then *last is where. */
extern bool work_prefix(Work *w, ZoneWork *z, const uint8 *prefix, size_t len, const uint8 *after, size_t after_len,
						int most, StringInfo last);

/* The group of one unit is looked at anew, the unit too if the store has nothing of it, and what DNAMEs may hide with it. */
extern void work_unit(Work *w, ZoneWork *z, const uint8 *key, size_t key_len);

/* A unit whose group is not given, or put off, and of which nothing may be left: work_zone_end() sees to it. */
extern void work_absent(Work *w, ZoneWork *z, const uint8 *key, size_t key_len);

/* All of the zone's groups have been given; z must last until work_end(). */
extern void work_zone_end(Work *w, ZoneWork *z);

extern void work_end(Work *w);

#endif
