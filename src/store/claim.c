/*
 * claim.c: see claim.h.
 *
 * A vector that claims what is not held makes others keep it from its owner's peers: his writes under those stamps are taken for
 * superseded ones. Three rules, none of which loses anything.
 *
 * Ahead of the clock. A node whose clock is ahead draws such stamps, in all honesty, and others send them on; so they are not
 * refused. Of its own present life a node is believed: it knows what it has drawn, and when its clock is right again that life is
 * over (clock_mend()), so that nothing will ever be written under what it claimed. Of any other life an entry is good for as much
 * as lies within the clock and dnsrepl.max_clock_skew, if the delta has units, and beyond that for the stamps of the versions that
 * came: each is held here now, so an edit of them supersedes them elsewhere as always. The rest of it counts as held here only as
 * long as it lies ahead (dnsrepl.vector.ahead), and is not passed on: it keeps away what was superseded before it came here, but
 * nothing that is written with a clock that is right. All of that is never more than what was sent, so nothing is lost by it: what
 * does not count any more is told again, by whoever knows. Nodes at rest hold the same versions: the merge itself goes by the
 * whole vector.
 *
 * Of one's own present life a node believes nobody: what it holds of it is in shared memory. A stamp that was never drawn says
 * that somebody, somewhere, takes for held what is yet to be written. So this life ends (merge/new_life.c): what is written from
 * then on nobody can have claimed, and the last writes of the old one are written anew. Claims of a life that is over are harmless.
 *
 * What a claim hides that nobody sees (up to max_clock_skew ahead, drawn before it is shown), peers find when they compare what
 * they serve (merge/compare.c), and unite.
 *
 * What others were seen to hold (store/peer_vector.h) counts only if it is held here too: nothing ahead is among it.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "dnsrepl.h"
#include "store/claim.h"
#include "store/clock.h"

static int64
entry_last(const WireEntry *e)
{
	int64		last = e->head;

	for (int i = 0; i < e->nranges; i++)
		last = Max(last, e->ranges[i].last);
	return last;
}

void
claims_check(const WireEntry *entries, int n, const char *by)
{
	for (int i = 0; i < n; i++)
	{
		long		wait = 0;

		if (!clock_never_drew(&entries[i].origin, entry_last(&entries[i])))
			continue;
		if (by)
			wait = clock_dispute(by);
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the peer holds writes of this node's present life that it has not made"),
				 wait ? errdetail("It has begun a new life for that a short while ago, and does so again in %ld s.", wait) :
				 errdetail("It begins a new life.")));
	}
}

void
claims_check_encoded(const uint8 *vector, size_t len, const char *by)
{
	WireReader	r;
	int			n;
	WireEntry  *entries;

	wire_reader_init(&r, vector, len);
	entries = entries_decode(&r, &n);
	if (entries)
		claims_check(entries, n, by);
}

void
claims_check_greeting(const Greeting *g, const char *by)
{
	claims_check_encoded(g->vector, g->vector_len, by);
	for (int i = 0; i < g->nknown; i++)
		claims_check_encoded(g->known[i].vector, g->known[i].vector_len, by);
}

bool
claim_in_time(const WireEntry *e)
{
	return entry_last(e) <= clock_limit();
}

void
claim_add(Vector *in_time, Vector *beyond, int32 origin, const WireEntry *e)
{
	int64		limit = clock_limit();
	StampRange *near = palloc(sizeof(StampRange) * (size_t) (e->nranges + 1)),
			   *far = palloc(sizeof(StampRange) * (size_t) (e->nranges + 1));
	int			nnear = 0,
				nfar = 0;

	if (e->head > limit)
		far[nfar++] = (StampRange) {limit + 1, e->head};
	for (int i = 0; i < e->nranges; i++)
	{
		StampRange	r = e->ranges[i];

		if (r.first <= limit)
			near[nnear++] = (StampRange) {r.first, Min(r.last, limit)};
		if (r.last > limit)
			far[nfar++] = (StampRange) {Max(r.first, limit + 1), r.last};
	}
	vector_add(in_time, origin, Min(e->head, limit), near, nnear);
	vector_add(beyond, origin, 0, far, nfar);
	pfree(near);
	pfree(far);
}

void
claim_add_stamp(Vector *v, int32 origin, int64 stamp)
{
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(v));

	vector_add(v, origin, 0, &(StampRange) {stamp, stamp}, 1);
	MemoryContextSwitchTo(old);
}
