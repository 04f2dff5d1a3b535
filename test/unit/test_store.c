/*
 * test_store.c: vectors and the merge rule against a model that cannot be wrong, exhaustively over small cases.
 *
 * Vectors: an entry over stamps 1..8 is modelled as a set of bits; every sequence of a head and two ranges is added.
 * Merge rule: three writers, each at most two writes of one unit, each having seen any of what was written before;
 * stamps are equal on purpose (an origin and a stamp make a dot, a stamp alone says nothing). Replicas hold what
 * any set of writes that is closed under "had seen" leaves; merges of all pairs and triples are compared with what
 * the union leaves.
 */
#include <stdio.h>

#include "store/merge_rule.h"
#include "store/vector.h"

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

/* ---------------------------------------------------------------- vectors */

#define STAMPS 8

typedef unsigned Held;			/* bit s: stamp s is held; bit 0 is unused */

static Held
held_range(int first, int last)
{
	Held		h = 0;

	for (int s = first; s <= last; s++)
		h |= 1u << s;
	return h;
}

static Held
vector_held(const Vector *v, int32_t origin)
{
	Held		h = 0;

	for (int s = 1; s <= STAMPS; s++)
		if (vector_covers(v, origin, s))
			h |= 1u << s;
	return h;
}

/* Sorted, disjoint, not adjacent, beyond head + 1. */
static bool
vector_well_formed(const Vector *v)
{
	for (int i = 0; i < v->n; i++)
	{
		const VectorEntry *e = &v->entries[i];
		int64_t		end = e->head;

		if (i > 0 && v->entries[i - 1].origin >= e->origin)
			return false;
		if ((e->nranges == 0) != (e->ranges == NULL))
			return false;
		for (int r = 0; r < e->nranges; r++)
		{
			if (e->ranges[r].first <= end + 1 || e->ranges[r].last < e->ranges[r].first)
				return false;
			end = e->ranges[r].last;
		}
	}
	return true;
}

static bool
vector_same(const Vector *a, const Vector *b)
{
	if (a->n != b->n)
		return false;
	for (int i = 0; i < a->n; i++)
	{
		const VectorEntry *x = &a->entries[i],
				   *y = &b->entries[i];

		if (x->origin != y->origin || x->head != y->head || x->nranges != y->nranges)
			return false;
		for (int r = 0; r < x->nranges; r++)
			if (x->ranges[r].first != y->ranges[r].first || x->ranges[r].last != y->ranges[r].last)
				return false;
	}
	return true;
}

/* Every head, and every two ranges in either order, at once and one after the other. */
static void
test_vector_add(void)
{
	bool		right = true,
				formed = true,
				same = true;

	for (int head = 0; head <= STAMPS; head++)
		for (int a = 1; a <= STAMPS; a++)
			for (int b = a; b <= STAMPS; b++)
				for (int c = 1; c <= STAMPS; c++)
					for (int d = c; d <= STAMPS; d++)
					{
						StampRange	both[2] = {{a, b}, {c, d}},
									turned[2] = {{c, d}, {a, b}};
						Vector	   *at_once = vector_new(),
								   *other_way = vector_new(),
								   *in_steps = vector_new();
						Held		model = held_range(1, head) | held_range(a, b) | held_range(c, d);

						vector_add(at_once, 7, head, both, 2);
						vector_add(other_way, 7, 0, turned, 2);
						vector_add(other_way, 7, head, NULL, 0);
						vector_add(in_steps, 7, 0, &both[0], 1);
						vector_add(in_steps, 7, head, &both[1], 1);
						right &= vector_held(at_once, 7) == model && vector_held(at_once, 6) == 0;
						formed &= vector_well_formed(at_once) && vector_well_formed(other_way) && vector_well_formed(in_steps);
						same &= vector_same(at_once, other_way) && vector_same(at_once, in_steps);
						vector_free(at_once);
						vector_free(other_way);
						vector_free(in_steps);
					}
	ok(right, "a vector covers what was added, and nothing else");
	ok(formed, "its ranges are sorted, apart from each other and from the head");
	ok(same, "in whatever order and steps it was added");
}

/* A vector with one entry for each set of stamps. */
static Vector *
vector_of(int32_t origin, Held held)
{
	Vector	   *v = vector_new();

	vector_add(v, origin, 0, NULL, 0);
	for (int s = 1; s <= STAMPS; s++)
		if (held & 1u << s)
		{
			StampRange	one = {s, s};

			vector_add(v, origin, 0, &one, 1);
		}
	return v;
}

static void
test_vector_pairs(void)
{
	bool		covers = true,
				joins = true,
				entries = true,
				meets = true,
				upto = true,
				copies = true;

	for (Held x = 0; x < 1u << (STAMPS + 1); x += 2)
	{
		Vector	   *a = vector_of(3, x),
				   *copy = vector_copy(a);

		copies &= vector_same(a, copy) && vector_well_formed(a);
		vector_free(copy);
		for (Held y = 0; y < 1u << (STAMPS + 1); y += 2)
		{
			Vector	   *b = vector_of(3, y),
					   *joined = vector_copy(a),
					   *turned = vector_copy(b),
					   *both;

			vector_join(joined, b);
			vector_join(turned, a);
			joins &= vector_held(joined, 3) == (x | y) && vector_same(joined, turned) && vector_well_formed(joined);
			covers &= vector_covers_all(a, b) == ((y & ~x) == 0);
			entries &= vector_covers_entry(a, vector_find(b, 3)) == ((y & ~x) == 0);
			both = vector_meet(a, b);
			meets &= vector_held(both, 3) == (x & y) && vector_well_formed(both);
			for (int head = 0; head <= STAMPS; head++)
			{
				Vector	   *most = vector_of(3, ((1u << (head + 1)) - 1) & ~1u);

				upto &= vector_covers_upto(a, b, most) == ((y & ~x & ((1u << (head + 1)) - 1)) == 0);
				vector_free(most);
			}
			vector_free(both);
			vector_free(b);
			vector_free(joined);
			vector_free(turned);
		}
		vector_free(a);
	}
	ok(joins, "a join holds what either holds, whichever comes first");
	ok(covers, "covering is the order of sets");
	ok(entries, "also entry by entry");
	ok(meets, "what both hold, and nothing else");
	ok(upto, "covering as far as a head goes");
	ok(copies, "a copy is equal");
}

static void
test_vector_origins(void)
{
	Vector	   *v = vector_new(),
			   *none = vector_new(),
			   *empty = vector_new();
	bool		found = true;

	for (int i = 0; i < 100; i++)
		vector_add(v, (i * 37) % 100, i + 1, NULL, 0);
	for (int i = 0; i < 100; i++)
		found &= vector_find(v, (i * 37) % 100)->head == i + 1;
	ok(found && v->n == 100 && vector_well_formed(v), "many origins, in any order");
	ok(vector_find(v, 100) == NULL && vector_find(v, -1) == NULL, "an origin that is not there");
	ok(!vector_covers(v, 100, 1) && !vector_covers(none, 0, 1), "of which nothing is covered");
	vector_add(empty, 5, 0, NULL, 0);
	ok(vector_covers_all(none, empty) && vector_covers_all(v, none) && !vector_covers_all(none, v),
	   "an entry that holds nothing asks for nothing");
	vector_free(v);
	vector_free(none);
	vector_free(empty);
}

static void
test_vector_large(void)
{
	int64_t		top = INT64_C(0x7ffffffffffffffe);
	StampRange	high = {top - 1, top};
	Vector	   *v = vector_new();

	vector_add(v, 1, 10, &high, 1);
	ok(vector_covers(v, 1, top) && !vector_covers(v, 1, top - 2) && vector_covers(v, 1, 10), "the largest stamps there can be");
	vector_add(v, 1, top - 2, NULL, 0);
	ok(vector_find(v, 1)->head == top && vector_find(v, 1)->nranges == 0, "absorbed by the head");
	vector_free(v);
}

/* ---------------------------------------------------------------- the merge rule */

#define WRITERS 3
#define EACH 2
#define WRITES (WRITERS * EACH)

/* Write w is number w % EACH + 1 of writer w / EACH; its dot is (writer + 1, number): stamps are equal across writers. */
typedef struct History
{
	unsigned	saw[WRITES];	/* the writes that this one had seen, with all that those had seen */
} History;

typedef struct Replica
{
	Vector	   *vector;
	int			n;
	Dot			dots[WRITES];
} Replica;

static Dot
write_dot(int w)
{
	return (Dot) {w / EACH + 1, w % EACH + 1};
}

/* What a node holds that has taken all of these writes: those that none of them had seen. */
static void
replica_make(Replica *r, const History *h, unsigned writes)
{
	r->vector = vector_new();
	r->n = 0;
	for (int w = 0; w < WRITES; w++)
	{
		bool		seen = false;
		Dot			dot = write_dot(w);
		StampRange	one = {dot.stamp, dot.stamp};

		if (!(writes & 1u << w))
			continue;
		vector_add(r->vector, dot.origin, 0, &one, 1);
		for (int later = 0; later < WRITES; later++)
			seen |= (writes & 1u << later) && (h->saw[later] & 1u << w);
		if (!seen)
			r->dots[r->n++] = dot;
	}
}

/* into := into merged with what `from` sends. */
static void
replica_merge(Replica *into, const Replica *from)
{
	bool		keep[WRITES],
				take[WRITES];
	Dot			result[2 * WRITES];
	int			n = 0;

	merge_rule(into->dots, into->n, into->vector, from->dots, from->n, from->vector, keep, take);
	for (int i = 0; i < into->n; i++)
		if (keep[i])
			result[n++] = into->dots[i];
	for (int i = 0; i < from->n; i++)
		if (take[i])
			result[n++] = from->dots[i];
	into->n = n;
	for (int i = 0; i < n && i < WRITES; i++)
		into->dots[i] = result[i];
	vector_join(into->vector, from->vector);
}

static bool
replica_same(const Replica *a, const Replica *b)
{
	if (a->n != b->n || !vector_same(a->vector, b->vector))
		return false;
	for (int i = 0; i < a->n; i++)
	{
		bool		found = false;

		for (int j = 0; j < b->n; j++)
			found |= a->dots[i].origin == b->dots[j].origin && a->dots[i].stamp == b->dots[j].stamp;
		if (!found)
			return false;
	}
	return true;
}

static Replica
replica_copy(const Replica *r)
{
	Replica		copy = *r;

	copy.vector = vector_copy(r->vector);
	return copy;
}

/* Holds with a write all that it had seen: so whoever has a version has what it replaced, as a merge of whole vectors has it. */
static bool
closed(const History *h, unsigned writes)
{
	for (int w = 0; w < WRITES; w++)
		if ((writes & 1u << w) && (h->saw[w] & ~writes))
			return false;
	return true;
}

typedef struct Verdict
{
	long		cases;
	bool		right,
				commutes,
				associates,
				repeats;
} Verdict;

#define MAX_SETS 64

static void
history_check(const History *h, Verdict *v)
{
	unsigned	sets[MAX_SETS];
	Replica		at[MAX_SETS];
	Replica		want[MAX_SETS];	/* by set of writes */
	int			n = 0;

	for (unsigned s = 0; s < 1u << WRITES; s++)
	{
		replica_make(&want[s], h, s);
		if (closed(h, s))
		{
			sets[n] = s;
			at[n++] = want[s];
		}
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
		{
			Replica		ij = replica_copy(&at[i]);

			replica_merge(&ij, &at[j]);
			v->cases++;
			v->right &= replica_same(&ij, &want[sets[i] | sets[j]]);
			if (i < j)
			{
				Replica		ji = replica_copy(&at[j]);

				replica_merge(&ji, &at[i]);
				v->commutes &= replica_same(&ij, &ji);
				vector_free(ji.vector);
			}
			replica_merge(&ij, &at[j]);
			v->repeats &= replica_same(&ij, &want[sets[i] | sets[j]]);
			vector_free(ij.vector);
		}
	/* (i j) k and i (j k): a third of the triples is plenty, chosen so that over all histories every one comes */
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			for (int k = (i + j + (int) v->cases) % 3; k < n; k += 3)
			{
				Replica		left = replica_copy(&at[i]),
							right = replica_copy(&at[j]),
							all = replica_copy(&at[i]);

				replica_merge(&left, &at[j]);
				replica_merge(&left, &at[k]);
				replica_merge(&right, &at[k]);
				replica_merge(&all, &right);
				v->cases++;
				v->associates &= replica_same(&left, &all) && replica_same(&left, &want[sets[i] | sets[j] | sets[k]]);
				vector_free(left.vector);
				vector_free(right.vector);
				vector_free(all.vector);
			}
	for (unsigned s = 0; s < 1u << WRITES; s++)
		vector_free(want[s].vector);
}

/*
 * Every history: writes happen in the order 0 2 4 1 3 5 (each writer's first, then each one's second), a write has
 * seen its own writer's earlier one and any of the others' so far, with all that those had seen.
 */
static void
history_each(History *h, int step, Verdict *v)
{
	static const int order[WRITES] = {0, 2, 4, 1, 3, 5};
	unsigned	before = 0,
				own;
	int			w;

	if (step == WRITES)
	{
		history_check(h, v);
		return;
	}
	w = order[step];
	own = w % EACH ? 1u << (w - 1) : 0;
	for (int i = 0; i < step; i++)
		before |= 1u << order[i];
	for (unsigned saw = 0; saw <= before; saw++)
	{
		unsigned	all = saw;

		if ((saw & ~before) || (own & ~saw))
			continue;
		for (int other = 0; other < WRITES; other++)
			if (saw & 1u << other)
				all |= h->saw[other];
		if (all != saw)
			continue;			/* comes as `all` itself */
		h->saw[w] = saw;
		history_each(h, step + 1, v);
	}
	h->saw[w] = 0;
}

static void
test_merge_rule(void)
{
	History		h = {{0}};
	Verdict		v = {0, true, true, true, true};

	history_each(&h, 0, &v);
	printf("# %ld merges\n", v.cases);
	ok(v.cases > 100000, "three writers, two writes each, whatever each had seen");
	ok(v.right, "a merge leaves the versions that no write among all had seen");
	ok(v.commutes, "whoever merges whom");
	ok(v.associates, "in whatever grouping");
	ok(v.repeats, "however often");
}

/* What the words of merge_rule.h say, case by case. */
static void
test_merge_cases(void)
{
	Dot			mine = {1, 5},
				same_stamp = {2, 5};
	Vector	   *mv = vector_new(),
			   *tv = vector_new();
	bool		keep,
				take;

	vector_add(mv, 1, 5, NULL, 0);
	merge_rule(&mine, 1, mv, NULL, 0, tv, &keep, &take);
	ok(keep, "kept: the sender has never seen it");
	vector_add(tv, 1, 5, NULL, 0);
	merge_rule(&mine, 1, mv, NULL, 0, tv, &keep, &take);
	ok(!keep, "goes: the sender has seen it and holds it no more");
	merge_rule(&mine, 1, mv, &mine, 1, tv, &keep, &take);
	ok(keep && !take, "held by both: kept, not taken twice");
	vector_add(tv, 2, 5, NULL, 0);
	merge_rule(NULL, 0, mv, &same_stamp, 1, tv, &keep, &take);
	ok(take, "taken: never seen here");
	vector_add(mv, 2, 5, NULL, 0);
	merge_rule(NULL, 0, mv, &same_stamp, 1, tv, &keep, &take);
	ok(!take, "not taken: seen here and replaced");
	merge_rule(&mine, 1, mv, &same_stamp, 1, tv, &keep, &take);
	ok(!keep && !take, "equal stamps of two origins are two versions");
	vector_free(mv);
	vector_free(tv);
}

int
main(void)
{
	test_vector_add();
	test_vector_pairs();
	test_vector_origins();
	test_vector_large();
	test_merge_cases();
	test_merge_rule();
	printf("1..%d\n", tests);
	return failures != 0;
}
