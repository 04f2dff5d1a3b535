/*
 * project.h: the serving tables follow the store.
 */
#ifndef DNSREPL_PROJECT_H
#define DNSREPL_PROJECT_H

#include "dnsrepl.h"
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

/* How long (ms) a projection waits for a lock: below deadlock_timeout. */
#define PROJECTION_WAIT 5

/* How many units may be refused in one transaction, each at the cost of some subtransactions; the rest keeps its turn. */
#define MAX_REFUSALS AT_ONCE(32, 2)
extern int	projection_refusals;

/* The number of the zone of the unit that is projected, or was last, and its key: where a lock error has come from. 0: not known. */
extern int32 projection_zone;
extern uint8 projection_key[MAX_KEY_SIZE];
extern size_t projection_key_len;

/*
 * Makes the serving rows of each unit what they are to be: only rows that differ are touched. The caller holds the
 * zones' stripes and rows. What the table refuses is parked as such, and its versions count as unseen from then on; projection_refusals
 * counts it. A lock that is not free is an error (error_is_concurrency()): the caller has to undo all that is to be shown at once.
 */
extern void project_units(Store *store, Snapshot before, ProjectUnit *units, int n);

/*
 * Runs fn, which projects what is to be shown at once, in a subtransaction: NULL, or the lock error that undid all of it. A stamp that fn
 * has drawn is given back then. Other errors pass.
 */
extern ErrorData *projection_try(void (*fn) (void *arg), void *arg);

#endif
