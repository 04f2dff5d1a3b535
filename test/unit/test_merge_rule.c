/*
 * test_merge_rule.c: every state that three nodes can come to with one unit, by writes, by merges of whole stores and by
 * deltas that are late, repeated and out of order.
 *
 * A write supersedes any of the versions that its node holds: what is not projected there stays a sibling. A delta is cut for
 * a vector that the receiver once had: the unit is in it, with all its versions, if that vector does not cover one of them
 * (store/delta.c); it is merged any number of times, whenever the receiver covers that vector. After each step each node must
 * hold exactly what no write among those that its vector covers has superseded, whatever the way they came: so merging is
 * commutative, associative and idempotent, and a version goes only for one that superseded it.
 * If the unit is a zone's in domains, a set of incarnations is beside it, which is merged by the same rule whenever the unit is: a write that makes the
 * zone adds itself, one that deletes it takes out any of those that its node has, an edit leaves them. Each node must have those that no deletion
 * among the writes that its vector covers has taken out.
 * Stamps: equal on all nodes, rising with the node, falling with it; vectors of heads, and of ranges only.
 */
#include <stdio.h>

#include "store/merge_rule.h"
#include "store/vector.h"

#define NODES 3
#define MAX_WRITES 4
#define MAX_DELTAS 2

static int	tests = 0;
static int	failures = 0;

static void
ok(bool good, const char *what)
{
	tests++;
	if (!good)
		failures++;
	printf("%sok %d - %s\n", good ? "" : "not ", tests, what);
}

typedef unsigned char Set;		/* bit w: write w */

typedef struct Delta
{
	Set			held,			/* at the sender */
				live,
				covered,		/* by its vector */
				base;			/* by the vector it was cut for */
	unsigned char to;
	bool		unit;			/* the unit is in it */
} Delta;

/* Octets throughout, so that equal worlds have equal octets. */
typedef struct World
{
	unsigned char nwrites,
				ndeltas;
	unsigned char author[MAX_WRITES];
	Set			over[MAX_WRITES];	/* what it superseded, with all that those had */
	Set			made,			/* the zone; by these writes */
				removed[MAX_WRITES];	/* incarnations */
	Set			held[NODES],
				live[NODES],
				covered[NODES];
	Delta		delta[MAX_DELTAS];
} World;

typedef struct Case
{
	const char *name;
	int			nwrites,
				ndeltas;
	int64_t		stamp[NODES],	/* of a node's first write */
				step;
	bool		ranges,			/* vectors have no head */
				zone;			/* incarnations beside it */
} Case;

static const Case *now;

/* ---------- the states that have been seen: a set of octets, by open addressing ---------- */

static World *worlds;
static size_t nworlds,
			cap_worlds;
static uint32_t *table;
static size_t table_size;

static size_t
world_slot(const World *w)
{
	uint64_t	h = UINT64_C(14695981039346656037);
	const unsigned char *octets = (const unsigned char *) w;
	size_t		at;

	for (size_t i = 0; i < sizeof(World); i++)
		h = (h ^ octets[i]) * UINT64_C(1099511628211);
	at = (size_t) (h ^ h >> 32) & (table_size - 1);
	while (table[at] && memcmp(&worlds[table[at] - 1], w, sizeof(World)) != 0)
		at = (at + 1) & (table_size - 1);
	return at;
}

static void
worlds_grow(void)
{
	free(table);
	table_size = table_size ? table_size * 2 : 1 << 12;
	table = calloc(table_size, sizeof(uint32_t));
	for (size_t i = 0; i < nworlds; i++)
		table[world_slot(&worlds[i])] = (uint32_t) i + 1;
}

static void
world_reached(const World *w)
{
	size_t		at;

	if (nworlds * 2 >= table_size)
		worlds_grow();
	at = world_slot(w);
	if (table[at])
		return;
	if (nworlds == cap_worlds)
		worlds = realloc(worlds, sizeof(World) * (cap_worlds = cap_worlds ? cap_worlds * 2 : 1024));
	worlds[nworlds++] = *w;
	table[at] = (uint32_t) nworlds;
}

/* ---------- between sets of writes and what the code has ---------- */

static Dot
write_dot(const World *w, int write)
{
	int			nth = 0;

	for (int i = 0; i < write; i++)
		nth += w->author[i] == w->author[write];
	return (Dot) {w->author[write] + 1, now->stamp[w->author[write]] + nth * now->step};
}

static Vector *
set_vector(const World *w, Set s)
{
	Vector	   *v = vector_new();

	for (int i = 0; i < w->nwrites; i++)
		if (s & 1 << i)
		{
			Dot			d = write_dot(w, i);
			StampRange	one = {d.stamp, d.stamp};

			vector_add(v, d.origin, now->ranges ? 0 : d.stamp, &one, 1);
		}
	return v;
}

static int
set_dots(const World *w, Set s, Dot *dots, int *writes)
{
	int			n = 0;

	for (int i = 0; i < w->nwrites; i++)
		if (s & 1 << i)
		{
			writes[n] = i;
			dots[n++] = write_dot(w, i);
		}
	return n;
}

/* What is held after a merge of what a sender holds. */
static Set
merged(const World *w, Set mine, Set my_covered, Set theirs, Set their_covered)
{
	Dot			my_dots[MAX_WRITES],
				their_dots[MAX_WRITES];
	int			my_writes[MAX_WRITES],
				their_writes[MAX_WRITES];
	int			n = set_dots(w, mine, my_dots, my_writes),
				m = set_dots(w, theirs, their_dots, their_writes);
	Vector	   *mv = set_vector(w, my_covered),
			   *tv = set_vector(w, their_covered);
	bool		keep[MAX_WRITES],
				take[MAX_WRITES];
	Set			result = 0;

	merge_rule(my_dots, n, mv, their_dots, m, tv, keep, take);
	for (int i = 0; i < n; i++)
		if (keep[i])
			result |= (Set) (1 << my_writes[i]);
	for (int i = 0; i < m; i++)
		if (take[i])
			result |= (Set) (1 << their_writes[i]);
	vector_free(mv);
	vector_free(tv);
	return result;
}

/* ---------- steps ---------- */

static long merges;
static bool right,
			gone_for_one;

static Set
wanted(const World *w, Set covered)
{
	Set			s = covered;

	for (int i = 0; i < w->nwrites; i++)
		if (covered & 1 << i)
			s &= (Set) ~w->over[i];
	return s;
}

static Set
alive(const World *w, Set covered)
{
	Set			s = covered & w->made;

	for (int i = 0; i < w->nwrites; i++)
		if (covered & 1 << i)
			s &= (Set) ~w->removed[i];
	return s;
}

static void
node_check(const World *w, int node, Set before)
{
	Set			gone = before & (Set) ~w->held[node];

	merges++;
	right &= w->held[node] == wanted(w, w->covered[node]) && w->live[node] == alive(w, w->covered[node]);
	for (int i = 0; i < w->nwrites; i++)
		if (gone & 1 << i)
		{
			bool		superseded = false;

			for (int k = 0; k < w->nwrites; k++)
				superseded |= (w->held[node] & 1 << k) && (w->over[k] & 1 << i);
			gone_for_one &= superseded;
		}
}

static void
step_write(const World *from, int node, Set superseded, bool makes, Set removed)
{
	World		w = *from;
	int			write = w.nwrites++;

	w.author[write] = (unsigned char) node;
	w.over[write] = superseded;
	for (int i = 0; i < write; i++)
		if (superseded & 1 << i)
			w.over[write] |= w.over[i];
	w.held[node] = (Set) ((w.held[node] & ~superseded) | 1 << write);
	w.covered[node] |= (Set) (1 << write);
	w.removed[write] = removed;
	w.live[node] &= (Set) ~removed;
	if (makes)
	{
		w.made |= (Set) (1 << write);
		w.live[node] |= (Set) (1 << write);
	}
	node_check(&w, node, from->held[node]);
	world_reached(&w);
}

/* Every kind of write that leaves these. */
static void
steps_write(const World *w, int node, Set superseded)
{
	step_write(w, node, superseded, false, 0);
	if (!now->zone)
		return;
	step_write(w, node, superseded, true, 0);
	for (int s = w->live[node]; s > 0; s = (s - 1) & w->live[node])
		step_write(w, node, superseded, false, (Set) s);
}

static void
step_merge(const World *from, int to, const Delta *d)
{
	World		w = *from;

	if (d->base & ~w.covered[to])
		return;					/* refused: cut for what the receiver does not hold */
	if (d->unit)
	{
		w.held[to] = merged(&w, w.held[to], w.covered[to], d->held, d->covered);
		w.live[to] = merged(&w, w.live[to], w.covered[to], d->live, d->covered);
	}
	w.covered[to] |= d->covered;
	node_check(&w, to, from->held[to]);
	world_reached(&w);
}

static void
step_cut(const World *from, int node, int to)
{
	World		w = *from;

	w.delta[w.ndeltas++] = (Delta) {.held = w.held[node], .live = w.live[node], .covered = w.covered[node], .base = w.covered[to],
	.to = (unsigned char) to, .unit = (w.held[node] & ~w.covered[to]) != 0};
	world_reached(&w);
}

static void
world_steps(const World *w)
{
	for (int node = 0; node < NODES; node++)
	{
		for (int s = w->held[node]; w->nwrites < now->nwrites; s = (s - 1) & w->held[node])
		{
			steps_write(w, node, (Set) s);
			if (s == 0)
				break;
		}
		for (int to = 0; to < NODES; to++)
		{
			Delta		whole = {.held = w->held[node], .live = w->live[node], .covered = w->covered[node], .unit = true};

			if (to == node || w->covered[node] == 0)
				continue;
			step_merge(w, to, &whole);
			if (w->ndeltas < now->ndeltas)
				step_cut(w, node, to);
		}
	}
	for (int i = 0; i < w->ndeltas; i++)
		step_merge(w, w->delta[i].to, &w->delta[i]);
}

/* Of three states a merged with b and c in every order and grouping, and again: said outright. */
static bool
world_laws(const World *w)
{
	bool		good = true;

	for (int a = 0; a < NODES; a++)
		for (int b = 0; b < NODES; b++)
		{
			int			c = NODES - a - b;
			Set			ab = merged(w, w->held[a], w->covered[a], w->held[b], w->covered[b]),
						ba = merged(w, w->held[b], w->covered[b], w->held[a], w->covered[a]),
						both = w->covered[a] | w->covered[b];

			good &= ab == ba && merged(w, ab, both, w->held[b], w->covered[b]) == ab && merged(w, ab, both, ab, both) == ab;
			if (c < 0 || c >= NODES)
				continue;
			good &= merged(w, ab, both, w->held[c], w->covered[c]) ==
				merged(w, w->held[a], w->covered[a], merged(w, w->held[b], w->covered[b], w->held[c], w->covered[c]),
					   w->covered[b] | w->covered[c]);
		}
	return good;
}

static void
test_case(const Case *c)
{
	World		none;
	bool		laws = true;
	char		what[100];

	now = c;
	memset(&none, 0, sizeof(none));
	merges = 0;
	right = gone_for_one = true;
	world_reached(&none);
	for (size_t i = 0; i < nworlds; i++)
	{
		World		w = worlds[i];	/* the array moves as it grows */

		world_steps(&w);
		if (w.ndeltas == 0 && w.nwrites == c->nwrites)
			laws &= world_laws(&w);
	}
	printf("# %s: %zu states, %ld steps\n", c->name, nworlds, merges);
	snprintf(what, sizeof(what), "%s: nodes hold what no write they know of superseded", c->name);
	ok(right && nworlds > 10000, what);
	snprintf(what, sizeof(what), "%s: a version goes only for one that superseded it", c->name);
	ok(gone_for_one, what);
	snprintf(what, sizeof(what), "%s: commutative, associative, idempotent", c->name);
	ok(laws, what);
	free(worlds);
	free(table);
	worlds = NULL;
	table = NULL;
	nworlds = cap_worlds = table_size = 0;
}

/*
 * A repair: both ends covered the same, and one has lost a version. What was written at this end since is by an author who had
 * seen what is here, and maybe what was lost.
 */
static void
test_repair(void)
{
	static const bool live[2] = {false, false};
	Vector	   *same = vector_new(),
			   *newer = vector_new(),
			   *none = vector_new();
	Dot			old = {1, 5},
				other = {2, 5},
				edit = {1, 9};
	bool		keep[2],
				take[2];

	vector_add(same, 1, 5, NULL, 0);
	vector_add(same, 2, 5, NULL, 0);
	vector_add(newer, 1, 9, NULL, 0);
	vector_add(newer, 2, 5, NULL, 0);
	{
		RepairSide	mine = {1, &old, live, same, none},
					theirs = {1, &other, live, same, none};

		ok(merge_repair(&mine, &theirs, keep, take) && keep[0] && take[0], "a repair keeps what either end has");
	}
	{
		RepairSide	mine = {1, &edit, live, newer, none},
					theirs = {1, &old, live, same, none};

		ok(!merge_repair(&mine, &theirs, keep, take) && keep[0] && !take[0], "what was edited here since the comparison does not come back");
	}
	{
		RepairSide	mine = {0, NULL, live, same, none},
					theirs = {1, &old, live, same, none};

		merge_repair(&mine, &theirs, keep, take);
		ok(take[0], "what was lost here does");
	}
	vector_free(same);
	vector_free(newer);
	vector_free(none);
}

int
main(void)
{
	static const Case cases[] = {
		{"four writes, equal stamps", 4, 0, {1, 1, 1}, 1, false, false},
		{"three writes, late deltas, equal stamps", 3, 1, {1, 1, 1}, 1, true, false},
		{"three writes, late deltas, falling stamps", 3, 1, {20, 10, 1}, 3, false, false},
		{"two writes, two late deltas, rising stamps", 2, 2, {1, 10, 20}, 1, true, false},
		/* with three writes and late deltas, and with four writes: so too, in a minute */
		{"a zone, three writes, falling stamps", 3, 0, {20, 10, 1}, 3, false, true},
		{"a zone, two writes, two late deltas", 2, 2, {1, 1, 1}, 1, true, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		test_case(&cases[i]);
	test_repair();
	printf("1..%d\n", tests);
	return failures != 0;
}
