/*
 * changes.h: what has changed of what is served since a vector, for those who keep no store.
 */
#ifndef DNSREPL_CHANGES_H
#define DNSREPL_CHANGES_H

#include "store/served.h"
#include "store/vector.h"

/* Who is told; each may be NULL. What they get lasts until they return. */
typedef struct ChangeSink
{
	void	   *arg;

	/* False: nothing of this zone is of interest. */
	bool		(*wants) (const ZoneRef *zone, void *arg);

	/* It is not known what has changed: all zones follow, and of others nothing is left. */
	void		(*all) (void *arg);

	/* Anything in this zone may have changed, and it may be gone. Nothing else is told of it. */
	void		(*zone) (ServedZone *zone, void *arg);

	/* These RRsets of a name may have changed: among them all that its change could have an effect on. */
	void		(*name) (ServedZone *zone, const uint8 *name, size_t name_len, const ServedSet *sets, int n, void *arg);

	/* That was all of a zone of which names were told. */
	void		(*end) (ServedZone *zone, void *arg);
} ChangeSink;

typedef struct Changes
{
	StringInfo	vector;			/* what holds all this, encoded, and the last policy change: for the next time. In the current context */
	XLogRecPtr	flush;			/* to be flushed before anybody hears of it */
} Changes;

/*
 * Tells of what a vector (as Changes has it; NULL: nothing) lacks, in a snapshot of its own, zone by zone in the order of their numbers.
 * Call it in a transaction.
 */
extern Changes changes_tell(const uint8 *vector, size_t len, const ChangeSink *sink);

#endif
