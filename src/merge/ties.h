/*
 * ties.h: which zones of a delta have to be shown together, as one transaction has changed them: by the dots of their new
 * versions, and of the transactions that the delta names (store/transaction_zones.h), and so on from zone to zone. Zones are numbers from 0.
 */
#ifndef DNSREPL_TIES_H
#define DNSREPL_TIES_H

#include "store/merge_rule.h"

typedef struct Ties Ties;

extern Ties *ties_begin(int nzones);

/* A transaction of that dot, which is new here, has changed a zone. */
extern void ties_dot(Ties *t, int zone, Dot dot);

/* Two zones are tied, whatever their versions are. */
extern void ties_join(Ties *t, int a, int b);

/* The same for all that are tied. */
extern int	ties_root(Ties *t, int zone);

#endif
