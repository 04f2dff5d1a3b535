/*
 * transaction_zones.h: the zones of each transaction that has changed more than one: dnsrepl.transaction_zones.
 *
 * Where one of them has to wait, the others wait with it (merge/ties.h). Versions tell of it as long as they are there, since all of a
 * transaction have its dot; a later write may have replaced those of a zone before a delta is cut. So the author's commit leaves a row with
 * the numbers of its zones, which deltas carry for peers that lack that dot, and peers keep to send it on. A zone that such a peer needs
 * to know of is in its delta in any case: what has replaced the version is something that it lacks, too.
 *
 * Nothing is lost without a row: zones are only shown less well together. So there is a bound, and a row goes when all members
 * hold its transaction.
 */
#ifndef DNSREPL_TRANSACTION_ZONES_H
#define DNSREPL_TRANSACTION_ZONES_H

#include "utils/snapshot.h"

#include "store/merge_rule.h"

/*
 * How many are kept, as zones of all transactions together: the newest; and as many are in a delta. A transaction with more than that
 * leaves no row.
 */
#define MAX_TRANSACTION_ZONES 100000

typedef struct TransactionZone
{
	Dot			dot;
	int32		zone;			/* its number here */
} TransactionZone;

/* Makes the rows; sorts `all`, in which a zone may be twice. */
extern void transaction_zones_write(TransactionZone *all, int n);

/* Calls fn for each transaction that `held` does not cover and `ours` does, of each origin the newest first, until it returns false. */
typedef bool (*TransactionLacking) (Dot dot, const int32 *zones, int n, void *arg);
extern void transaction_zones_lacking(Snapshot snapshot, const Vector *held, const Vector *ours, TransactionLacking fn, void *arg);

/* Those go that `held` covers (NULL: none), and the oldest beyond the bound. */
extern void transaction_zones_forget(const Vector *held);

#endif
