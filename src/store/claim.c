/*
 * claim.c: see claim.h.
 *
 * A vector that claims what is not held makes others keep it from its owner's peers: his writes under those stamps are taken for
 * superseded ones. Whoever relays a claim cannot be asked for a proof, and one that lies ahead of the clock may be true: a node whose
 * clock is ahead draws such stamps, in all honesty, and what it has superseded since is covered nowhere else.
 *
 * So all is believed, but for one thing: of one's own present life a node believes nobody, since what it holds of it is in shared
 * memory. A stamp of it that was never drawn says that somebody, somewhere, takes for held what is yet to be written. Vectors
 * travel with every message, a change of them at once, so it does not take long until it is shown. Then this life ends
 * (merge/new_life.c): what is written from then on nobody can have claimed, and the last writes of the old one are written anew,
 * if some member may lack them. Claims of a life that is over do no harm: it will never write again.
 *
 * What a claim hides that nobody shows (it was overtaken by the node's own writes before, or it is at a node that only receives),
 * peers find when they compare what they serve (merge/compare.c), and unite.
 *
 * Not so: to refuse a delta for a claim far ahead takes down the links of all who have come to believe it, for as long as it lies
 * ahead, and keeps it from being shown. To believe less of a vector than was sent (what is in time, and the versions that came) leaves
 * gaps: others then send all that they hold, again and again, and keep deletions, for nodes that nothing is wrong with; the
 * property test, whose clocks are up to 800 s apart, finds that soon.
 */
#include "postgres.h"

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

static void
claims_refuse(long wait)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the peer holds writes of this node's present life that it has not made"),
			 wait ? errdetail("It has begun a new life for that a short while ago, and does so again in %ld s.", wait) :
			 errdetail("It begins a new life.")));
}

void
claims_check(const WireEntry *entries, int n, const char *by)
{
	for (int i = 0; i < n; i++)
		if (clock_never_drew(&entries[i].origin, entry_last(&entries[i])))
			claims_refuse(by ? clock_dispute(by) : 0);
}

void
claims_check_delta(const WireEntry *entries, int n, const char *by)
{
	for (int i = 0; i < n; i++)
	{
		long		wait;

		if (!clock_never_drew(&entries[i].origin, entry_last(&entries[i])))
			continue;
		if (!by || clock_slot()->origin == 0)	/* it has no number yet */
			claims_check(&entries[i], 1, by);
		wait = clock_dispute_later(by);
		if (wait)
			claims_refuse(wait);
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
