/*
 * resolve.c: see resolve.h; who is chosen is in choice.c, `merge` in resolve_merge.c, functions in resolve_function.c.
 *
 * Private keys (table cryptokeys) under `latest`: one that is active anywhere is active.
 */
#include "postgres.h"

#include "store/choice.h"
#include "store/origin.h"
#include "store/policy.h"
#include "store/resolve.h"
#include "store/resolver.h"

Rank
dot_rank(Dot dot)
{
	return (Rank) {dot.stamp, origin_info(dot.origin)->id.data};
}

bool
dot_later(Dot a, Dot b)
{
	return a.stamp != b.stamp ? a.stamp > b.stamp : rank_later(dot_rank(a), dot_rank(b));
}

static Claim *
claims_of(const Candidate *c, int n)
{
	Claim	   *claims = palloc(sizeof(Claim) * (size_t) (n + 1));

	for (int i = 0; i < n; i++)
	{
		Dot			dot = c[i].version->dot;

		claims[i].rank = dot_rank(dot);
		claims[i].node = origin_info(dot.origin)->node;
		claims[i].line = (c[i].image.head.flags & IMAGE_LINE) ? c[i].image.head.line : dot_birth(dot);
	}
	return claims;
}

static const Candidate *
candidate_latest(const Candidate *c, int n)
{
	return n == 1 ? c : &c[choose_latest(claims_of(c, n), n)];
}

static const Candidate *
candidate_preferred(const Candidate *c, int n, const Policy *policy)
{
	const char **order = palloc(sizeof(char *) * (size_t) (list_length(policy->order) + 1));
	int			norder = 0;
	ListCell   *lc;

	foreach(lc, policy->order)
		order[norder++] = lfirst(lc);
	return &c[choose_preferred(claims_of(c, n), n, order, norder)];
}

static const Candidate *
candidate_held(const Candidate *c, int n)
{
	return &c[choose_held(claims_of(c, n), n)];
}

static void
serve_image(const Candidate *c, Served *served)
{
	served->version = c->version;
	served->live = !image_is_deletion(&c->image.head);
	if (!served->live)
		return;
	served->ncolumns = c->image.head.ncolumns;
	served->rows = c->image.rows;
}

/* What two nodes have made of a key at once: nobody's answers fail for a key that is active for somebody. */
static void
serve_key(const ResolveUnit *u, const Candidate *c, int n, Served *served)
{
	static const char *const flags[] = {"active", "published"};

	serve_image(candidate_latest(c, n), served);
	if (!served->live || !u->table || served->ncolumns != u->table->ncolumns)
		return;
	for (int f = 0; f < (int) lengthof(flags); f++)
	{
		int			column = table_column(u->table, flags[f]);

		for (int i = 0; i < n && column >= 0; i++)
			if (!image_is_deletion(&c[i].image.head) && c[i].image.head.ncolumns == served->ncolumns &&
				rows_flagged(&c[i].image.rows, column))
				rows_flag(u->table, &served->rows, column);
	}
}

/* One of a zone's rows is served while the zone lives (live.h), whatever a function says; all candidates are rows. */
static void
serve_zone_row(const ResolveUnit *u, const Candidate *c, int n, Served *served)
{
	if (key_number(u->key, u->key_len) == TABLE_DOMAINS && !served->live)
		serve_image(candidate_latest(c, n), served);
}

static Candidate *
candidates_read(const VersionSet *set, Served *served)
{
	Candidate  *c = palloc(sizeof(Candidate) * (size_t) (set->n + 1));

	for (int i = 0; i < set->n; i++)
	{
		c[i].version = &set->v[i];
		if (!image_decode(set->v[i].image, set->v[i].image_len, true, &c[i].image))
			ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg(IMAGE_UNREADABLE)));
		if (!image_is_deletion(&c[i].image.head) &&
			(!served->rank.stamp || dot_later(set->v[i].dot, served->rank)))
			served->rank = set->v[i].dot;
	}
	return c;
}

void
resolve(const ResolveUnit *u, Served *served)
{
	const Policy *policy;
	Candidate  *c;
	int			n = u->set->n;

	memset(served, 0, sizeof(*served));
	served->resolver = "latest";
	if (n == 0)
		return;
	c = candidates_read(u->set, served);
	policy = n > 1 ? policy_for(u->zone, u->table, u->key, u->key_len) : NULL;
	if (policy)
		served->resolver = policy->resolver;
	if (policy && policy->kind == RESOLVER_PREFER)
		serve_image(candidate_preferred(c, n, policy), served);
	else if (policy && policy->kind == RESOLVER_HOLD)
		serve_image(candidate_held(c, n), served);
	else if (policy && policy->kind == RESOLVER_MERGE && serve_merged(u, c, n, served))
		return;
	else if (policy && policy->kind == RESOLVER_FUNCTION && serve_function(u, policy, served))
		serve_zone_row(u, c, n, served);
	else if (key_number(u->key, u->key_len) == TABLE_CRYPTOKEYS && n > 1)
		serve_key(u, c, n, served);
	else
		serve_image(candidate_latest(c, n), served);
}

void
resolve_carry(const ResolveUnit *u, Dot dot, ImageParts *parts)
{
	const Policy *policy = policy_for(u->zone, u->table, u->key, u->key_len);
	Served		none = {0};

	if (!policy)
		return;
	if (policy->kind == RESOLVER_HOLD)
	{
		Candidate  *c = candidates_read(u->set, &none);

		parts->flags |= IMAGE_LINE;
		parts->line = line_carry(claims_of(c, u->set->n), u->set->n, origin_info(dot.origin)->node, dot_birth(dot));
	}
	else if (policy->kind == RESOLVER_MERGE)
		merge_carry(u, candidates_read(u->set, &none), u->set->n, dot, parts);
}
