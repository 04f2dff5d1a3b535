/*
 * test_choice.c: resolvers `latest`, `prefer` and `hold`, and the CNAME rule, over every small set of versions.
 *
 * Versions of four origins (two lives of one node among them), equal and other stamps, of lines that began at two moments:
 * every set of up to three, in every order and with repetitions. What is chosen must be what a description says that cannot
 * be wrong, whatever the order; and the choice of a whole that of the choices of its parts: so it is commutative, associative and
 * idempotent. For lines, every history of a few edits by three nodes.
 */
#include <stdio.h>

#include "store/birth_set.h"
#include "store/choice.h"

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

#define ORIGINS 4
#define STAMPS 2
#define LINES 2
#define CLAIMS (ORIGINS * STAMPS * LINES)
#define MOST 3

static const uint8_t ids[ORIGINS][ORIGIN_ID_LEN] = {{9}, {1, 1}, {1, 2}, {255}};
static const char *const nodes[ORIGINS] = {"seattle", "tacoma", "spokane", "seattle"};	/* two lives of seattle */
static const char *const order[] = {"nowhere", "spokane", "seattle"};

static Claim universe[CLAIMS];

static void
universe_make(void)
{
	int			n = 0;

	for (int o = 0; o < ORIGINS; o++)
		for (int s = 1; s <= STAMPS; s++)
			for (int line = 0; line < LINES; line++)
			{
				Birth		own = {(uint64_t) s, ids[o][0]},
							first = {1, 7};

				universe[n++] = (Claim) {.rank = {s, ids[o]}, .node = nodes[o], .line = line ? own : first};
			}
}

/* A version is what its origin and stamp say: no set has two of them. */
static bool
same_version(const Claim *a, const Claim *b)
{
	return a->rank.stamp == b->rank.stamp && a->rank.origin == b->rank.origin;
}

typedef int (*Chooser) (const Claim *c, int n);

static int
preferred(const Claim *c, int n)
{
	return choose_preferred(c, n, order, 3);
}

/* Who goes before whom, in one number: the smaller. */
static int
place(const Claim *c, Chooser f)
{
	int			later = 0,
				at = 3;

	for (int o = 0; o < ORIGINS; o++)
		later += memcmp(ids[o], c->rank.origin, ORIGIN_ID_LEN) > 0;
	later += (int) (STAMPS - c->rank.stamp) * ORIGINS;	/* how many (stamp, origin) are larger */
	for (int i = 2; i >= 0; i--)
		if (strcmp(order[i], c->node) == 0)
			at = i;
	if (f == choose_latest)
		return later;
	if (f == preferred)
		return at * 100 + later;
	return (int) c->line.stamp * 1000000 + (int) c->line.origin * 1000 + (c->node[0] == 't' ? 200 : c->node[1] == 'p' ? 100 : 0) +
		50 - later;
}

static bool
chosen_right(const Claim *c, int n, Chooser f)
{
	int			chosen = f(c, n);

	for (int i = 0; i < n; i++)
		if (place(&c[i], f) < place(&c[chosen], f))
			return false;
	return true;
}

/* f of a whole is f of what f is of two parts. */
static bool
parts_right(const Claim *c, int n, Chooser f)
{
	for (int first = 1; first < n; first++)
	{
		Claim		two[2] = {c[f(c, first)], c[first + f(c + first, n - first)]};

		if (!same_version(&two[f(two, 2)], &c[f(c, n)]))
			return false;
	}
	return true;
}

static void
test_choice(Chooser f, const char *name)
{
	long		sets = 0;
	bool		right = true,
				parts = true,
				again = true;
	char		text[100];

	/* every sequence of MOST claims: all sets of up to MOST, in all orders, with all repetitions */
	for (int a = 0; a < CLAIMS; a++)
		for (int b = 0; b < CLAIMS; b++)
			for (int c = 0; c < CLAIMS; c++)
			{
				Claim		set[2 * MOST] = {universe[a], universe[b], universe[c], universe[a], universe[b], universe[c]};
				bool		possible = true;

				for (int i = 0; i < MOST; i++)
					for (int k = 0; k < i; k++)
						possible &= !same_version(&set[i], &set[k]) || birth_order(set[i].line, set[k].line) == 0;
				if (!possible)
					continue;
				sets++;
				right &= chosen_right(set, MOST, f);
				parts &= parts_right(set, MOST, f);
				again &= same_version(&set[f(set, MOST)], &set[f(set, 2 * MOST)]);
			}
	printf("# %s: %ld sequences\n", name, sets);
	snprintf(text, sizeof(text), "%s: chosen is what has to be, in any order", name);
	ok(right && sets > 2000, text);
	snprintf(text, sizeof(text), "%s: that of a whole is that of its parts", name);
	ok(parts, text);
	snprintf(text, sizeof(text), "%s: however often they come", name);
	ok(again, text);
}

/* ---------- lines ---------- */

/* Edits of one unit by three nodes that hear nothing of one another after the first: what was there first stays. */
static void
test_lines(void)
{
	bool		stays = true,
				settles = true;

	for (int history = 0; history < 3 * 3 * 3 * 3 * 3; history++)
	{
		Claim		at[3];
		bool		has[3] = {false};
		int			rest = history,
					first = -1;

		for (int step = 0; step < 5; step++, rest /= 3)
		{
			int			who = rest % 3;
			Birth		own = {(uint64_t) step + 1, ids[who][0]};
			Claim		new = {.rank = {step + 1, ids[who]}, .node = nodes[who]};
			Claim		siblings[3];
			int			n = 0;

			new.line = line_carry(&at[who], has[who], nodes[who], own);
			at[who] = new;
			has[who] = true;
			first = first < 0 ? who : first;
			for (int i = 0; i < 3; i++)
				if (has[i])
					siblings[n++] = at[i];
			stays &= strcmp(siblings[choose_held(siblings, n)].node, nodes[first]) == 0;
			/* whoever has seen several begins a line: it holds against what comes later, not against what was there */
			if (n > 1)
				settles &= birth_order(line_carry(siblings, n, nodes[who], own), own) == 0;
		}
	}
	ok(stays, "hold: further edits on any side do not change what is served");
	ok(settles, "hold: who has seen all of a conflict begins anew");
}

/* ---------- a name ---------- */

enum
{
	A = 1, CNAME = 5, MX = 15, KEY = 25, RRSIG = 46, NSEC = 47
};

#define UNITS 4

static bool
cname_legal(const NameUnit *u, int n)
{
	bool		cname = false,
				other = false;

	for (int i = 0; i < n; i++)
		if (u[i].present && !u[i].hidden)
		{
			cname |= u[i].type == CNAME;
			other |= u[i].type == A || u[i].type == MX;
		}
	return !(cname && other);
}

typedef struct CnameVerdict
{
	long		cases;
	bool		legal,
				latest,
				idle,
				again,
				order;
} CnameVerdict;

static void
cname_case(const NameUnit *given, bool apex, CnameVerdict *v)
{
	NameUnit	u[UNITS],
				turned[UNITS],
				left[UNITS];
	const NameUnit *last = NULL;	/* of those that are in each other's way */
	bool		any = false;

	memcpy(u, given, sizeof(u));
	name_cname_alone(u, UNITS, apex);
	v->cases++;
	v->legal &= cname_legal(u, UNITS);
	for (int i = 0; i < UNITS; i++)
	{
		any |= u[i].hidden;
		v->idle &= !u[i].hidden || (u[i].present && (u[i].type == CNAME || u[i].type == A || u[i].type == MX));
		if (u[i].present && (u[i].type == CNAME || u[i].type == A || u[i].type == MX) && (!last || rank_later(u[i].rank, last->rank)))
			last = &u[i];
		left[i] = u[i];
		left[i].present &= !u[i].hidden;
		turned[i] = given[UNITS - 1 - i];
	}
	v->idle &= any == !cname_legal(given, UNITS);	/* nothing is hidden without need */
	v->latest &= !last || !last->hidden || (apex && last->type == CNAME);
	v->latest &= !apex || !any || u[0].hidden;
	name_cname_alone(left, UNITS, apex);
	name_cname_alone(turned, UNITS, apex);
	for (int i = 0; i < UNITS; i++)
	{
		v->again &= !left[i].hidden;
		v->order &= turned[UNITS - 1 - i].hidden == u[i].hidden;
	}
}

static void
test_cname(void)
{
	static const uint16_t types[UNITS] = {CNAME, A, MX, 0};
	static const uint16_t beside[] = {KEY, RRSIG, NSEC};
	CnameVerdict v = {0, true, true, true, true, true};

	/* each there or not, each of any (stamp, origin) */
	for (unsigned present = 0; present < 1u << UNITS; present++)
		for (int ranks = 0; ranks < 8 * 8 * 8 * 8; ranks++)
			for (int other = 0; other < 3; other++)
			{
				NameUnit	u[UNITS];
				int			rest = ranks;

				for (int i = 0; i < UNITS; i++, rest /= 8)
					u[i] = (NameUnit) {.type = types[i] ? types[i] : beside[other], .present = (present & 1u << i) != 0,
					.rank = {rest % 8 / ORIGINS + 1, ids[rest % ORIGINS]}};
				cname_case(u, false, &v);
				cname_case(u, true, &v);
			}
	printf("# a CNAME among others: %ld cases\n", v.cases);
	ok(v.legal, "a CNAME is alone among what is served");
	ok(v.latest, "the latest stays, but for a CNAME at the apex");
	ok(v.idle, "nothing is hidden that is in nobody's way, or not there");
	ok(v.again, "what is left is left");
	ok(v.order, "in whatever order the units come");
}

int
main(void)
{
	universe_make();
	test_choice(choose_latest, "latest");
	test_choice(preferred, "prefer");
	test_choice(choose_held, "hold");
	test_lines();
	test_cname();
	printf("1..%d\n", tests);
	return failures != 0;
}
