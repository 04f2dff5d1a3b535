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
	int			ncolumns;
	RowSet		rows;			/* what is to be served; none: nothing */
	bool		expected;		/* something is: that its zone is not there is an error */
	bool		bound;			/* to the unit before it: both or neither */
	uint64		was,			/* served_hash() of what was served, and of what is to be */
				is;
	bool		by_tables;		/* what was served is what the tables show: found out when they are written */
	bool	   *changes;		/* set if the tables showed other records; may be NULL (the SOA record's own serial) */
	bool		first;			/* nobody has projected it before */
	bool		serial_kept;	/* an SOA record that got the zone's serial */
	const Live *live;			/* of the domains unit: the incarnations that its row stands for */
} ProjectUnit;

/*
 * Makes the serving rows of each unit what they are to be: only rows that differ are touched. The caller holds the
 * zones' stripes and rows. What cannot be projected is parked, and its versions count as unseen from then on.
 */
extern void project_units(Store *store, Snapshot before, ProjectUnit *units, int n);

#endif
