/*
 * mend.h: a store that is not what its own sums say: somebody has changed it behind the extension's back, or a disk has.
 */
#ifndef DNSREPL_MEND_H
#define DNSREPL_MEND_H

#include "store/vector.h"
#include "store/version.h"

/*
 * In the merge of the first delta since: `now` gets what this node holds beyond it, the sums are made anew, and the node
 * may send again. The rows of all zones are locked.
 */
extern void mend_by_peer(Vector *now);

/*
 * The same with nobody's state: the store is taken for what it is, `now` gets all that this node and those members held whose versions
 * it has got, and is written.
 */
extern void mend_alone(Vector *now);

/* Zones that differed at both ends have been made the same: for the log, and counted. */
extern void repairs_count(const char *peer, int units);

#endif
