/*
 * choice.c: see choice.h. Pure: no server, no input or output.
 *
 *   latest   the largest (stamp, origin)
 *   prefer   that of the node that stands first in the policy's list, else the latest
 *   hold     that of the line that began first: a line is a chain of edits by one node, so further edits on either side
 *            change nothing, until somebody who sees both settles it
 */
#include "store/choice.h"

enum
{
	CNAME = 5, KEY = 25, RRSIG = 46, NSEC = 47
};

bool
rank_later(Rank a, Rank b)
{
	if (a.stamp != b.stamp)
		return a.stamp > b.stamp;
	return memcmp(a.origin, b.origin, ORIGIN_ID_LEN) > 0;
}

int
choose_latest(const Claim *c, int n)
{
	int			best = 0;

	for (int i = 1; i < n; i++)
		if (rank_later(c[i].rank, c[best].rank))
			best = i;
	return best;
}

int
choose_preferred(const Claim *c, int n, const char *const *order, int norder)
{
	for (int o = 0; o < norder; o++)
	{
		int			best = -1;

		for (int i = 0; i < n; i++)
			if (strcmp(c[i].node, order[o]) == 0 && (best < 0 || rank_later(c[i].rank, c[best].rank)))
				best = i;
		if (best >= 0)
			return best;
	}
	return choose_latest(c, n);
}

int
choose_held(const Claim *c, int n)
{
	int			best = 0;

	for (int i = 1; i < n; i++)
	{
		int			order = birth_order(c[i].line, c[best].line);

		if (order == 0)
			order = strcmp(c[i].node, c[best].node);
		if (order < 0 || (order == 0 && rank_later(c[best].rank, c[i].rank)))
			best = i;
	}
	return best;
}

Birth
line_carry(const Claim *superseded, int n, const char *node, Birth own)
{
	return n == 1 && strcmp(superseded[0].node, node) == 0 ? superseded[0].line : own;
}

static bool
beside_cname(uint16_t type)
{
	return type == RRSIG || type == NSEC || type == KEY;
}

void
name_cname_alone(NameUnit *u, int n, bool apex)
{
	NameUnit   *cname = NULL;
	const NameUnit *other = NULL;

	for (int i = 0; i < n; i++)
	{
		u[i].hidden = false;
		if (!u[i].present)
			continue;
		if (u[i].type == CNAME)
			cname = &u[i];
		else if (!beside_cname(u[i].type) && (!other || rank_later(u[i].rank, other->rank)))
			other = &u[i];
	}
	if (!cname || !other)
		return;
	if (apex || rank_later(other->rank, cname->rank))
	{
		cname->hidden = true;
		return;
	}
	for (int i = 0; i < n; i++)
		u[i].hidden = u[i].present && &u[i] != cname && !beside_cname(u[i].type);
}
