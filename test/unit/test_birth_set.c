/*
 * test_birth_set.c: resolver `merge` against an observed-remove set that keeps every addition apart, for ever.
 *
 * Three nodes hold images of one set. A write makes an image of new content that supersedes all that its node holds; a pull
 * brings the other node's images, as the store's merge rule has it. Every history of a few steps is played, and many long
 * ones at random; stamps are those of nodes that count by themselves, so equal ones are common. After each step each node must
 * come to what the model has: an element is there if some addition of it is not known to be removed. And whatever order the
 * images come in, and however often.
 */
#include <stdio.h>

#include "store/birth_set.h"

#define NODES 3
#define VALUES 8
#define MAX_WRITES 60
#define MAX_STEPS 80

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

typedef uint64_t Writes;		/* bit w: write w */
typedef unsigned Content;		/* bit v: value v */

static const uint8_t value_octets[VALUES][2] = {"a", "b", "c", "d", "e", "f", "g", "h"};

/* What write w made: never changed, shared by all nodes that hold it. */
typedef struct Written
{
	int			nrows;
	Element		rows[VALUES];	/* data of the rows */
	Births		births;
} Written;

typedef struct Node
{
	Writes		held,			/* images */
				covered;
	uint64_t	clock;
	Writes		live[VALUES],	/* the model: additions of each value that are there, and all that are known */
				known[VALUES];
} Node;

static Written written[MAX_WRITES];
static int	nwrites;

static long comparisons;
static bool equal,
			any_order,
			any_number;

static void
image_give(BirthSet *s, int w)
{
	const Written *i = &written[w];

	birth_set_remove(s, i->births.removed, i->births.nremoved);
	for (int r = 0; r < i->nrows; r++)
		birth_set_add(s, i->rows[r].data, i->rows[r].len, i->births.births[r], i->births.n[r]);
}

/* Forwards, backwards, and each image three times. */
static BirthSet
set_of(Writes held, int how)
{
	BirthSet	s = {0};

	for (int i = 0; i < nwrites; i++)
	{
		int			w = how == 1 ? nwrites - 1 - i : i;

		if (held & (Writes) 1 << w)
			for (int times = how == 2 ? 3 : 1; times > 0; times--)
				image_give(&s, w);
	}
	if (how == 2)
		for (int w = 0; w < nwrites; w++)
			if (held & (Writes) 1 << w)
				image_give(&s, w);
	birth_set_settle(&s);
	return s;
}

static Content
content_of(const BirthSet *s)
{
	Content		c = 0;

	for (int i = 0; i < s->n; i++)
		if (s->e[i].n > 0)
			c |= 1u << (s->e[i].data[0] - 'a');
	return c;
}

static bool
sets_same(const BirthSet *a, const BirthSet *b)
{
	if (a->n != b->n || a->nremoved != b->nremoved)
		return false;
	for (int i = 0; i < a->n; i++)
	{
		if (a->e[i].n != b->e[i].n || a->e[i].len != b->e[i].len || memcmp(a->e[i].data, b->e[i].data, a->e[i].len) != 0)
			return false;
		for (int k = 0; k < a->e[i].n; k++)
			if (birth_order(a->e[i].births[k], b->e[i].births[k]) != 0)
				return false;
	}
	for (int i = 0; i < a->nremoved; i++)
		if (birth_order(a->removed[i].birth, b->removed[i].birth) != 0 || a->removed[i].since != b->removed[i].since)
			return false;
	return true;
}

static Content
model_content(const Node *n)
{
	Content		c = 0;

	for (int v = 0; v < VALUES; v++)
		if (n->live[v])
			c |= 1u << v;
	return c;
}

static Content
node_check(const Node *n)
{
	BirthSet	s = set_of(n->held, 0),
				backwards = set_of(n->held, 1),
				repeated = set_of(n->held, 2);
	Content		c = content_of(&s);

	comparisons++;
	equal &= c == model_content(n);
	any_order &= sets_same(&s, &backwards);
	any_number &= sets_same(&s, &repeated);
	birth_set_free(&s);
	birth_set_free(&backwards);
	birth_set_free(&repeated);
	return c;
}

/* ---------- steps ---------- */

static Birth
born(int node, uint64_t stamp, int value)
{
	/* as the resolver has it: the origin, combined with a hash of the record */
	return (Birth) {stamp, (uint64_t) (node + 1) << 56 ^ (uint64_t) (value + 1) * UINT64_C(0x9e3779b97f4a7c15)};
}

static void
step_write(Node *n, int node, Content new)
{
	Written    *w = &written[nwrites];
	BirthSet	old = set_of(n->held, 0);
	Birth		own[VALUES];
	uint64_t	stamp = ++n->clock;

	w->nrows = 0;
	for (int v = 0; v < VALUES; v++)
		if (new & 1u << v)
		{
			own[w->nrows] = born(node, stamp, v);
			w->rows[w->nrows++] = (Element) {.data = value_octets[v], .len = 1};
		}
	birth_set_carry(&old, w->rows, own, w->nrows, stamp, 0, 1000, &w->births);
	birth_set_free(&old);
	for (int v = 0; v < VALUES; v++)
	{
		if (!(new & 1u << v))
			n->live[v] = 0;
		else if (!n->live[v])
		{
			n->live[v] = (Writes) 1 << nwrites;
			n->known[v] |= (Writes) 1 << nwrites;
		}
	}
	n->held = (Writes) 1 << nwrites;
	n->covered |= n->held;
	nwrites++;
}

static void
write_undo(void)
{
	nwrites--;
	births_free(&written[nwrites].births, written[nwrites].nrows);
}

static void
step_pull(Node *to, const Node *from)
{
	to->held = (to->held & (from->held | ~from->covered)) | (from->held & (to->held | ~to->covered));
	to->covered |= from->covered;
	to->clock = to->clock > from->clock ? to->clock : from->clock;
	for (int v = 0; v < VALUES; v++)
	{
		to->live[v] = (to->live[v] & (from->live[v] | ~from->known[v])) | (from->live[v] & (to->live[v] | ~to->known[v]));
		to->known[v] |= from->known[v];
	}
}

/* ---------- every short history ---------- */

static void
history_each(const Node *nodes, int steps, int values)
{
	/* nodes are alike: the first write is node 0's */
	for (int i = 0; i < (nwrites ? NODES : 1) && steps > 0; i++)
	{
		for (Content new = 0; new < 1u << values; new++)
		{
			Node		next[NODES];

			memcpy(next, nodes, sizeof(next));
			step_write(&next[i], i, new);
			(void) node_check(&next[i]);
			history_each(next, steps - 1, values);
			write_undo();
		}
		for (int from = 0; from < NODES; from++)
		{
			Node		next[NODES];

			if ((nodes[from].covered & ~nodes[i].covered) == 0)
				continue;		/* brings nothing */
			memcpy(next, nodes, sizeof(next));
			step_pull(&next[i], &nodes[from]);
			(void) node_check(&next[i]);
			history_each(next, steps - 1, values);
		}
	}
}

static void
test_begin(void)
{
	comparisons = 0;
	equal = any_order = any_number = true;
}

static void
test_end(const char *what)
{
	char		text[120];

	printf("# %s: %ld states\n", what, comparisons);
	snprintf(text, sizeof(text), "%s: what is there is what the model has", what);
	ok(equal && comparisons > 10000, text);
	snprintf(text, sizeof(text), "%s: in whatever order the images come", what);
	ok(any_order, text);
	snprintf(text, sizeof(text), "%s: however often", what);
	ok(any_number, text);
}

static void
test_short(const char *what, int steps, int values)
{
	Node		nodes[NODES];

	memset(nodes, 0, sizeof(nodes));
	test_begin();
	history_each(nodes, steps, values);
	test_end(what);
}

/* ---------- long ones at random ---------- */

static uint64_t seed = 1;

static unsigned
random_below(unsigned n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned) (seed >> 33) % n;
}

static void
test_long(int runs)
{
	bool		same = true;

	test_begin();
	for (int run = 0; run < runs; run++)
	{
		Node		nodes[NODES];
		int			steps = 5 + (int) random_below(MAX_STEPS - 5);

		memset(nodes, 0, sizeof(nodes));
		for (int step = 0; step < steps; step++)
		{
			int			i = (int) random_below(NODES),
						from = (int) random_below(NODES);

			if (random_below(2) && nwrites < MAX_WRITES)
				step_write(&nodes[i], i, node_check(&nodes[i]) ^ 1u << random_below(VALUES) ^ (random_below(2) ? 1u << random_below(VALUES) : 0));
			else
				step_pull(&nodes[i], &nodes[from]);
			(void) node_check(&nodes[i]);
		}
		for (int round = 0; round < 2; round++)
			for (int i = 0; i < NODES; i++)
				for (int from = 0; from < NODES; from++)
					step_pull(&nodes[i], &nodes[from]);
		for (int i = 0; i < NODES; i++)
			same &= node_check(&nodes[i]) == node_check(&nodes[0]) && nodes[i].held == nodes[0].held;
		while (nwrites > 0)
			write_undo();
	}
	test_end("long histories");
	ok(same, "all nodes come to the same");
}

/* ---------- what is forgotten ---------- */

static void
test_forget(void)
{
	Birth		old = {10, 1},
				older = {5, 1};
	Removal		removals[] = {{{20, 1}, 100}, {{30, 1}, 200}, {{30, 1}, 300}, {{40, 1}, 400}};
	BirthSet	s = {0};
	Births		b;

	birth_set_add(&s, value_octets[0], 1, &old, 1);
	birth_set_add(&s, value_octets[1], 1, &older, 1);
	birth_set_settle(&s);
	birth_set_carry(&s, NULL, NULL, 0, 1000, 900, 10, &b);
	ok(b.nremoved == 2 && b.removed[0].since == 1000 && b.removed[1].since == 1000,
	   "a record that was there for long, and goes now, is remembered from now on");
	births_free(&b, 0);
	birth_set_free(&s);

	birth_set_remove(&s, removals, 4);
	birth_set_settle(&s);
	ok(s.nremoved == 3 && s.removed[1].since == 300, "of two removals of one birth the later counts");
	birth_set_carry(&s, NULL, NULL, 0, 1000, 150, 10, &b);
	ok(b.nremoved == 2 && b.removed[0].birth.stamp == 30 && b.removed[1].birth.stamp == 40, "what was removed long ago is forgotten");
	births_free(&b, 0);
	birth_set_carry(&s, NULL, NULL, 0, 1000, 0, 1, &b);
	ok(b.nremoved == 1 && b.removed[0].since == 400, "of too many the latest are remembered");
	births_free(&b, 0);
	birth_set_free(&s);
}

int
main(void)
{
	test_short("one value, six steps", 6, 1);
	test_short("two values, five steps", 5, 2);
	test_long(1500);
	test_forget();
	printf("1..%d\n", tests);
	return failures != 0;
}
