/*
 * vector.c: see vector.h. Pure: no server, no input or output.
 *
 * A range next to the head is absorbed by it, so equal holdings have equal representations as far as what
 * was added tells (a gap nobody used stays a gap until a head passes it).
 */
#include "store/vector.h"

Vector *
vector_new(void)
{
	Vector	   *v = pure_alloc(sizeof(Vector));

	v->n = v->cap = 0;
	v->entries = NULL;
	return v;
}

void
vector_free(Vector *v)
{
	for (int i = 0; i < v->n; i++)
		if (v->entries[i].ranges)
			pure_free(v->entries[i].ranges);
	if (v->entries)
		pure_free(v->entries);
	pure_free(v);
}

Vector *
vector_copy(const Vector *v)
{
	Vector	   *copy = vector_new();

	vector_join(copy, v);
	return copy;
}

/* The first entry whose origin is not below the given one. */
static int
vector_place(const Vector *v, int32_t origin)
{
	int			lo = 0,
				hi = v->n;

	while (lo < hi)
	{
		int			mid = (lo + hi) / 2;

		if (v->entries[mid].origin < origin)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const VectorEntry *
vector_find(const Vector *v, int32_t origin)
{
	int			i = vector_place(v, origin);

	return i < v->n && v->entries[i].origin == origin ? &v->entries[i] : NULL;
}

static VectorEntry *
vector_entry(Vector *v, int32_t origin)
{
	int			i = vector_place(v, origin);

	if (i < v->n && v->entries[i].origin == origin)
		return &v->entries[i];
	if (v->n == v->cap)
	{
		v->cap = v->cap ? v->cap * 2 : 8;
		v->entries = v->entries ? pure_realloc(v->entries, sizeof(VectorEntry) * (size_t) v->cap)
			: pure_alloc(sizeof(VectorEntry) * (size_t) v->cap);
	}
	memmove(v->entries + i + 1, v->entries + i, sizeof(VectorEntry) * (size_t) (v->n - i));
	v->n++;
	v->entries[i] = (VectorEntry) {.origin = origin, .head = 0, .nranges = 0, .ranges = NULL};
	return &v->entries[i];
}

static int
range_compare(const void *a, const void *b)
{
	const StampRange *x = a,
			   *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Sorts and joins ranges, and lets the head absorb those it reaches. */
static void
entry_normalize(VectorEntry *e)
{
	int			kept = 0;

	if (e->nranges > 1)
		qsort(e->ranges, (size_t) e->nranges, sizeof(StampRange), range_compare);
	for (int i = 0; i < e->nranges; i++)
	{
		StampRange	r = e->ranges[i];

		if (r.last <= e->head)
			continue;
		if (r.first <= e->head || r.first - 1 == e->head)
			e->head = r.last;
		else if (kept && r.first - 1 <= e->ranges[kept - 1].last)
		{
			if (r.last > e->ranges[kept - 1].last)
				e->ranges[kept - 1].last = r.last;
		}
		else
			e->ranges[kept++] = r;
	}
	e->nranges = kept;
	if (!kept && e->ranges)
	{
		pure_free(e->ranges);
		e->ranges = NULL;
	}
}

void
vector_add(Vector *v, int32_t origin, int64_t head, const StampRange *ranges, int nranges)
{
	VectorEntry *e = vector_entry(v, origin);

	if (head > e->head)
		e->head = head;
	if (nranges > 0)
	{
		size_t		n = (size_t) (e->nranges + nranges);

		e->ranges = e->ranges ? pure_realloc(e->ranges, sizeof(StampRange) * n) : pure_alloc(sizeof(StampRange) * n);
		memcpy(e->ranges + e->nranges, ranges, sizeof(StampRange) * (size_t) nranges);
		e->nranges += nranges;
	}
	entry_normalize(e);
}

void
vector_join(Vector *v, const Vector *other)
{
	for (int i = 0; i < other->n; i++)
	{
		const VectorEntry *e = &other->entries[i];

		vector_add(v, e->origin, e->head, e->ranges, e->nranges);
	}
}

/* Does the entry hold every stamp of first..last? */
static bool
entry_covers(const VectorEntry *e, int64_t first, int64_t last)
{
	int			lo = 0,
				hi = e->nranges;

	if (last <= e->head)
		return true;
	if (first <= e->head)
		first = e->head + 1;
	while (lo < hi)				/* the first range that ends at or after last */
	{
		int			mid = (lo + hi) / 2;

		if (e->ranges[mid].last < last)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < e->nranges && first >= e->ranges[lo].first;
}

bool
vector_covers(const Vector *v, int32_t origin, int64_t stamp)
{
	const VectorEntry *e = vector_find(v, origin);

	return e && entry_covers(e, stamp, stamp);
}

bool
vector_covers_entry(const Vector *v, const VectorEntry *e)
{
	const VectorEntry *mine = vector_find(v, e->origin);

	if (!mine)
		return e->head <= 0 && e->nranges == 0;
	if (e->head > 0 && !entry_covers(mine, 1, e->head))
		return false;
	for (int i = 0; i < e->nranges; i++)
		if (!entry_covers(mine, e->ranges[i].first, e->ranges[i].last))
			return false;
	return true;
}

bool
vector_covers_all(const Vector *v, const Vector *other)
{
	for (int i = 0; i < other->n; i++)
		if (!vector_covers_entry(v, &other->entries[i]))
			return false;
	return true;
}

bool
vector_covers_upto(const Vector *v, const Vector *other, const Vector *upto)
{
	for (int i = 0; i < other->n; i++)
	{
		const VectorEntry *e = &other->entries[i];
		const VectorEntry *mine = vector_find(v, e->origin);
		const VectorEntry *most = vector_find(upto, e->origin);
		VectorEntry none = {.origin = e->origin};

		if (!most || most->head <= 0)
			continue;
		if (!mine)
			mine = &none;
		if (e->head > 0 && !entry_covers(mine, 1, e->head < most->head ? e->head : most->head))
			return false;
		for (int k = 0; k < e->nranges && e->ranges[k].first <= most->head; k++)
			if (!entry_covers(mine, e->ranges[k].first, e->ranges[k].last < most->head ? e->ranges[k].last : most->head))
				return false;
	}
	return true;
}

/* An entry as ranges, the head among them; *n of them. */
static StampRange *
entry_ranges(const VectorEntry *e, int *n)
{
	StampRange *all = pure_alloc(sizeof(StampRange) * (size_t) (e->nranges + 1));

	*n = 0;
	if (e->head > 0)
		all[(*n)++] = (StampRange) {1, e->head};
	for (int i = 0; i < e->nranges; i++)
		all[(*n)++] = e->ranges[i];
	return all;
}

static void
entry_meet(Vector *out, const VectorEntry *a, const VectorEntry *b)
{
	int			na,
				nb;
	StampRange *ra = entry_ranges(a, &na),
			   *rb = entry_ranges(b, &nb);
	StampRange *all = pure_alloc(sizeof(StampRange) * (size_t) (na + nb + 1));
	int			n = 0;

	for (int i = 0, k = 0; i < na && k < nb;)
	{
		StampRange	both = {ra[i].first > rb[k].first ? ra[i].first : rb[k].first,
		ra[i].last < rb[k].last ? ra[i].last : rb[k].last};

		if (both.first <= both.last)
			all[n++] = both;
		if (ra[i].last < rb[k].last)
			i++;
		else
			k++;
	}
	vector_add(out, a->origin, 0, all, n);
	pure_free(all);
	pure_free(ra);
	pure_free(rb);
}

Vector *
vector_meet(const Vector *a, const Vector *b)
{
	Vector	   *both = vector_new();

	for (int i = 0; i < a->n; i++)
	{
		const VectorEntry *e = vector_find(b, a->entries[i].origin);

		if (e)
			entry_meet(both, &a->entries[i], e);
	}
	return both;
}
