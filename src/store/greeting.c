/*
 * greeting.c: see greeting.h. A greeting comes from elsewhere: no octet is trusted.
 *
 * What a node knows of a third one's vector counts here only if all that this vector covers is held here: then every version
 * that the third node had written or seen by that time has been merged. Collecting tombstones relies on it (merge/collect.c).
 */
#include "postgres.h"

#include "access/xlog.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "dnsrepl.h"
#include "store/clock.h"
#include "store/codec.h"
#include "store/deferred.h"
#include "store/delta.h"
#include "store/greeting.h"
#include "store/origin.h"
#include "store/peer_vector.h"
#include "store/progress.h"

#define KNOWN_EVERY_MOST 60000	/* ms: so often at the least what is known of others is told */
#define KNOWN_KEEPALIVES 6
#define KNOWN_SIZE_LEAST 65536	/* octets that a vector may have in any case */
#define KNOWN_STILL 3600			/* s: that somebody still holds the same is written so often, so that links at rest write nothing */

bool
greeting_tells_known(TimestampTz *last)
{
	TimestampTz now = GetCurrentTimestamp();

	if (*last && !TimestampDifferenceExceeds(*last, now, Min(KNOWN_EVERY_MOST, KNOWN_KEEPALIVES * setting_keepalive)))
		return false;
	*last = now;
	return true;
}

typedef struct KnownPut
{
	StringInfoData octets;
	size_t		room;
	int			n;
	pg_uuid_t	last;			/* the one that was put last */
	bool		full;
} KnownPut;

/* False: there is no room for it. */
static bool
known_put(const KnownVector *k, void *arg)
{
	KnownPut   *p = arg;

	progress();
	p->full = p->n == MAX_MEMBERS || (size_t) p->octets.len + 2 * UUID_LEN + NAMEDATALEN + 20 + k->vector_len > p->room;
	if (p->full)
		return false;
	wire_put_uuid(&p->octets, &k->node);
	wire_put_uuid(&p->octets, &k->life);
	wire_put_string(&p->octets, k->name, strlen(k->name));
	wire_put_u64(&p->octets, (uint64) k->heard);
	wire_put_string(&p->octets, k->vector, k->vector_len);
	p->last = k->node;
	p->n++;
	return true;
}

/* Those that fit, from where the last greeting of this process that had to leave some out has ended. */
static void
known_encode(StringInfo out)
{
	static pg_uuid_t after;
	KnownPut	p = {.room = MAX_GREETING_SIZE - (size_t) out->len - 16};
	pg_uuid_t	from = after;

	initStringInfo(&p.octets);
	peer_vectors_walk(GetActiveSnapshot(), &from, NULL, known_put, &p);
	if (!p.full)
		peer_vectors_walk(GetActiveSnapshot(), NULL, &from, known_put, &p);
	after = p.full ? p.last : (pg_uuid_t) {0};
	wire_put_varint(out, (uint64) p.n);
	appendBinaryStringInfo(out, p.octets.data, p.octets.len);
	pfree(p.octets.data);
}

void
greeting_encode(StringInfo out, uint64 session, bool known, pg_uuid_t *life)
{
	NodeSlot   *slot = clock_slot();
	NodeInfo	me;
	Vector	   *held = holdings_push_snapshot();
	TimestampTz began;

	XLogFlush(holdings_lsn());	/* no merge is claimed that a crash could take back */
	node_require(&me);
	LWLockAcquire(slot->lock, LW_SHARED);
	*life = slot->life;
	began = slot->began;
	LWLockRelease(slot->lock);
	wire_put_u32(out, PROTOCOL_VERSION);
	wire_put_u64(out, session);
	wire_put_uuid(out, &me.id);
	wire_put_uuid(out, life);
	wire_put_string(out, me.name, strlen(me.name));
	wire_put_u64(out, (uint64) stamp_time(clock_now()));
	wire_put_u64(out, (uint64) began);
	wire_put_u8(out, (uint8) ((node_has_data(&me) ? GREETING_HAS_DATA : 0) | (me.joining ? GREETING_JOINS : 0) |
							(me.damaged ? GREETING_DAMAGED : 0) | (deferred_any(GetActiveSnapshot()) ? GREETING_DEFERS : 0)));
	wire_put_varint(out, (uint64) me.nclusters);
	for (int i = 0; i < me.nclusters; i++)
		wire_put_uuid(out, &me.clusters[i]);
	vector_encode(out, held);
	if (known)
		known_encode(out);
	else
		wire_put_varint(out, 0);
	PopActiveSnapshot();
}

/* ---------- reading ---------- */

static void
name_get(WireReader *r, char *name)
{
	size_t		n;
	const uint8 *octets = wire_get_string(r, NAMEDATALEN - 1, &n);

	memset(name, 0, NAMEDATALEN);
	if (octets)
		memcpy(name, octets, n);
	if (octets && strlen(name) != n)
		r->bad = true;
}

static void
clusters_get(WireReader *r, Greeting *g)
{
	uint64		n = wire_get_varint(r);

	if (r->bad || n > MAX_CLUSTERS || n > (uint64) (r->end - r->p) / UUID_LEN)
	{
		r->bad = true;
		return;
	}
	g->nclusters = (int) n;
	g->clusters = palloc(sizeof(pg_uuid_t) * (n + 1));
	for (int i = 0; i < g->nclusters; i++)
		wire_get_uuid(r, &g->clusters[i]);
}

static void
known_get(WireReader *r, Greeting *g)
{
	uint64		n = wire_get_varint(r);

	/* one takes at least 44 octets */
	if (r->bad || n > MAX_MEMBERS || n > (uint64) (r->end - r->p) / 43)
	{
		r->bad = true;
		return;
	}
	g->nknown = (int) n;
	g->known = palloc0(sizeof(KnownVector) * (n + 1));
	for (int i = 0; i < g->nknown; i++)
	{
		KnownVector *k = &g->known[i];

		wire_get_uuid(r, &k->node);
		wire_get_uuid(r, &k->life);
		name_get(r, k->name);
		k->heard = (TimestampTz) wire_get_u64(r);
		k->vector = wire_get_string(r, MAX_VECTOR_SIZE, &k->vector_len);
	}
}

bool
greeting_decode(const void *data, size_t len, Greeting *g)
{
	WireReader	r;
	int			n;

	memset(g, 0, sizeof(*g));
	if (len > MAX_GREETING_SIZE)
		return false;
	wire_reader_init(&r, data, len);
	g->protocol = wire_get_u32(&r);
	if (r.bad || g->protocol != PROTOCOL_VERSION)
		return !r.bad;
	g->session = wire_get_u64(&r);
	wire_get_uuid(&r, &g->node);
	wire_get_uuid(&r, &g->life);
	name_get(&r, g->name);
	g->time = (TimestampTz) wire_get_u64(&r);
	g->began = (TimestampTz) wire_get_u64(&r);
	g->flags = wire_get_u8(&r);
	clusters_get(&r, g);
	if (r.bad)
		return false;
	g->vector = r.p;
	if (!entries_decode(&r, &n))
		return false;
	g->vector_len = (size_t) (r.p - g->vector);
	known_get(&r, g);
	return !r.bad && wire_at_end(&r) && g->name[0] && (g->flags & ~GREETING_FLAGS) == 0;
}

/* ---------- what it means ---------- */

Meeting
greeting_meet(const NodeInfo *me, bool has_data, const Greeting *g)
{
	for (int i = 0; i < me->nclusters; i++)
		for (int k = 0; k < g->nclusters; k++)
			if (memcmp(&me->clusters[i], &g->clusters[k], UUID_LEN) == 0)
				return MEET_SAME;
	if (!has_data || !(g->flags & GREETING_HAS_DATA))
		return MEET_UNITE;
	if (me->joining)
		return (g->flags & GREETING_JOINS) ? MEET_BOTH_JOIN : MEET_I_JOIN;
	return (g->flags & GREETING_JOINS) ? MEET_THEY_JOIN : MEET_STRANGERS;
}

/* In ms; often enough for who is to be evicted by his age. */
static int
known_still(void)
{
	return (setting_evict_after ? Min(KNOWN_STILL, setting_evict_after / 4) : KNOWN_STILL) * 1000;
}

bool
known_is_kept(const KnownVector *k, const Vector *held)
{
	return k->vector_len <= KNOWN_SIZE_LEAST + 2 * vector_size(held) && member_known(&k->node);
}

bool
known_as_before(KnownVector *k)
{
	const KnownVector *had = peer_vector_find(GetActiveSnapshot(), &k->node);

	if (!had || memcmp(&had->life, &k->life, UUID_LEN) != 0)
		return false;
	k->vector = had->vector;
	k->vector_len = had->vector_len;
	return true;
}

/* Takes a vector if it is told of a newer life, or later, than what is known, and this node holds all of it. */
static void
known_learn(const KnownVector *k, const Vector *held, TimestampTz now)
{
	WireReader	r;
	int			n;
	WireEntry  *entries;
	const KnownVector *had;

	/* what would not be text, or no time, never gets into a table */
	if (!IS_VALID_TIMESTAMP(k->heard) || !pg_verifymbstr(k->name, (int) strlen(k->name), true))
		return;
	if (!known_is_kept(k, held))
		return;
	had = peer_vector_find(GetActiveSnapshot(), &k->node);
	/* what was heard in the future was heard while the clock was ahead */
	if (had && had->heard <= now && (had->heard >= k->heard ||
				(memcmp(&had->life, &k->life, UUID_LEN) == 0 && had->vector_len == k->vector_len &&
				 memcmp(had->vector, k->vector, k->vector_len) == 0 &&
				 !TimestampDifferenceExceeds(had->heard, k->heard, known_still()))))
		return;
	wire_reader_init(&r, k->vector, k->vector_len);
	entries = entries_decode(&r, &n);
	if (!entries || !wire_at_end(&r))
		return;
	for (int i = 0; i < n; i++)
	{
		VectorEntry e = {.origin = origin_find(&entries[i].origin), .head = entries[i].head,
		.nranges = entries[i].nranges, .ranges = entries[i].ranges};

		progress();
		if (!vector_covers_entry(held, &e))
			return;
	}
	peer_vector_write(k);
}

void
greeting_learn(const Greeting *g)
{
	Vector	   *held = holdings_push_snapshot();
	TimestampTz now = GetCurrentTimestamp();
	NodeInfo	me;
	KnownVector guest = {.node = g->node, .life = g->life, .heard = now, .vector = g->vector, .vector_len = g->vector_len};

	node_require(&me);
	strlcpy(guest.name, g->name, NAMEDATALEN);
	if (!(g->flags & GREETING_DEFERS) || known_as_before(&guest))
		known_learn(&guest, held, now);
	for (int i = 0; i < g->nknown; i++)
	{
		KnownVector *k = &g->known[i];

		/* of oneself one knows more; a clock that is ahead must not keep out what comes later */
		if (memcmp(&k->node, &me.id, UUID_LEN) == 0 || memcmp(&k->node, &g->node, UUID_LEN) == 0)
			continue;
		k->heard = Min(k->heard, now);
		known_learn(k, held, now);
	}
	PopActiveSnapshot();
}

/* ---------- answers ---------- */

void
answer_encode(StringInfo out, AnswerStatus status, const Vector *held)
{
	wire_put_u8(out, (uint8) status);
	vector_encode(out, held);
}

bool
answer_decode(const void *data, size_t len, Answer *a)
{
	WireReader	r;

	wire_reader_init(&r, data, len);
	a->status = (AnswerStatus) wire_get_u8(&r);
	a->vector = r.p;
	a->vector_len = (size_t) (r.end - r.p);
	return !r.bad && a->vector_len > 0 &&
		(a->status == ANSWER_MERGED || a->status == ANSWER_REBASE || a->status == ANSWER_KEPT);
}
