/*
 * parked_set.h: rows of dnsrepl.parked as the manager takes them: by sets of zones that wait together, or by zones of which something
 * is queued or refused; and the locks that it needs to project them.
 */
#ifndef DNSREPL_PARKED_SET_H
#define DNSREPL_PARKED_SET_H

#include "dnsrepl.h"
#include "store/version.h"

#define ROWS_AT_ONCE AT_ONCE(1000, 3)	/* of dnsrepl.parked in one turn, if one set has no more */

/* A row of dnsrepl.parked. */
typedef struct ParkedRow
{
	bytea	   *key;			/* empty: all units of the zone */
	int32		tries;
	bytea	   *after;			/* of a zone as a whole: where to go on */
	bool		goes_on;		/* there is more of it */
} ParkedRow;

typedef struct ParkedZone
{
	ZoneRef		ref;
	int			n;
	ParkedRow  *rows;			/* the zone as a whole comes first */
} ParkedZone;

/* Zones that wait together; or one that does not wait. */
typedef struct ParkedSet
{
	int32		number;			/* dnsrepl.parked.together; 0: queued */
	int			nrows;			/* at the least */
	bool		patient;		/* has waited long: authors are made to wait for it */
	bool		claimed;		/* its stripes are ours, then its rows */
	int			n;
	ParkedZone *zones;			/* in zone_order */
} ParkedSet;

/* The next sets (queue: zones) in order of number, after one. */
extern ParkedSet *sets_next(bool queue, int32 after, int *n);

/* The stripes of its zones: all or none, without waiting, or (wait, and nothing is held) making authors wait. */
extern bool set_claim(const ParkedSet *s, bool wait);

/* The zones' rows, of all sets that are claimed, in one order; a set of which one is not to be had soon is not claimed any more. */
extern void sets_claim_rows(ParkedSet *sets, int n);

/*
 * Read when the zones' rows are held: from now on nobody parks anything of them but an author, who changes `tries`. False: they are not
 * what they were taken for, others have come to wait with them, or a zone has begun to wait. `refusals`: how many rows of what was
 * refused are wanted, of a zone that does not wait.
 */
extern bool set_read(ParkedSet *s, int refusals);

/* The numbers of its zones, an array. */
extern Datum set_numbers(const ParkedSet *s);

/* When what was refused is due: SQL, of a row p. What was not even tried, at once. */
#define REFUSED_DUE "p.tried + CASE p.tries WHEN 0 THEN interval '0' ELSE least(interval '30 s', interval '0.5 s' * 1.5 ^ least(p.tries, 12)) END"

#endif
