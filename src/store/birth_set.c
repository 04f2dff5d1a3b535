/*
 * birth_set.c: see birth_set.h. Pure: no server, no input or output.
 *
 * A union of what is brought and a union of what is removed, each sorted: so neither order nor repetition of the images
 * matters. Of two removals of one birth the later counts, for how long it is remembered.
 */
#include "store/birth_set.h"

int
birth_order(Birth a, Birth b)
{
	if (a.stamp != b.stamp)
		return a.stamp < b.stamp ? -1 : 1;
	return (a.origin > b.origin) - (a.origin < b.origin);
}

static int
birth_compare(const void *a, const void *b)
{
	return birth_order(*(const Birth *) a, *(const Birth *) b);
}

static int
removal_compare(const void *a, const void *b)
{
	const Removal *x = a,
			   *y = b;
	int			c = birth_order(x->birth, y->birth);

	return c ? c : (x->since > y->since) - (x->since < y->since);
}

static int
element_compare(const void *a, const void *b)
{
	const Element *x = a,
			   *y = b;
	size_t		len = x->len < y->len ? x->len : y->len;
	int			c = len ? memcmp(x->data, y->data, len) : 0;

	return c ? c : (x->len > y->len) - (x->len < y->len);
}

static Birth *
births_copy(const Birth *births, int n)
{
	Birth	   *copy = pure_alloc(sizeof(Birth) * (size_t) (n + 1));

	if (n)
		memcpy(copy, births, sizeof(Birth) * (size_t) n);
	return copy;
}

void
birth_set_add(BirthSet *s, const uint8_t *data, size_t len, const Birth *births, int n)
{
	if (s->n == s->cap)
	{
		s->cap = s->cap ? s->cap * 2 : 8;
		s->e = s->e ? pure_realloc(s->e, sizeof(Element) * (size_t) s->cap) : pure_alloc(sizeof(Element) * (size_t) s->cap);
	}
	s->e[s->n++] = (Element) {.data = data, .len = len, .n = n, .births = births_copy(births, n)};
}

static void
removals_add(Removal **list, int *n, int *cap, Removal r)
{
	if (*n == *cap)
	{
		*cap = *cap ? *cap * 2 : 8;
		*list = *list ? pure_realloc(*list, sizeof(Removal) * (size_t) *cap) : pure_alloc(sizeof(Removal) * (size_t) *cap);
	}
	(*list)[(*n)++] = r;
}

void
birth_set_remove(BirthSet *s, const Removal *removed, int n)
{
	for (int i = 0; i < n; i++)
		removals_add(&s->removed, &s->nremoved, &s->cap_removed, removed[i]);
}

/* Sorted, each birth once, with the latest removal. */
static int
removals_unique(Removal *r, int n)
{
	int			kept = 0;

	if (n > 1)
		qsort(r, (size_t) n, sizeof(Removal), removal_compare);
	for (int i = 0; i < n; i++)
		if (kept && birth_order(r[kept - 1].birth, r[i].birth) == 0)
			r[kept - 1] = r[i];
		else
			r[kept++] = r[i];
	return kept;
}

static bool
birth_removed(const BirthSet *s, Birth b)
{
	int			low = 0,
				high = s->nremoved;

	while (low < high)
	{
		int			middle = (low + high) / 2;
		int			c = birth_order(s->removed[middle].birth, b);

		if (c == 0)
			return true;
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* The births of equal elements are one list; then what is removed of it goes. */
static void
element_settle(const BirthSet *s, Element *e)
{
	int			kept = 0;

	if (e->n > 1)
		qsort(e->births, (size_t) e->n, sizeof(Birth), birth_compare);
	for (int i = 0; i < e->n; i++)
		if ((i == 0 || birth_order(e->births[i], e->births[i - 1]) != 0) && !birth_removed(s, e->births[i]))
			e->births[kept++] = e->births[i];
	e->n = kept;
}

void
birth_set_settle(BirthSet *s)
{
	int			kept = 0;

	s->nremoved = removals_unique(s->removed, s->nremoved);
	if (s->n > 1)
		qsort(s->e, (size_t) s->n, sizeof(Element), element_compare);
	for (int i = 0; i < s->n; i++)
	{
		Element    *last = kept ? &s->e[kept - 1] : NULL;

		if (!last || element_compare(last, &s->e[i]) != 0)
		{
			s->e[kept++] = s->e[i];
			continue;
		}
		last->births = pure_realloc(last->births, sizeof(Birth) * (size_t) (last->n + s->e[i].n + 1));
		if (s->e[i].n)
			memcpy(last->births + last->n, s->e[i].births, sizeof(Birth) * (size_t) s->e[i].n);
		last->n += s->e[i].n;
		pure_free(s->e[i].births);
	}
	s->n = kept;
	for (int i = 0; i < s->n; i++)
		element_settle(s, &s->e[i]);
}

static int
since_compare(const void *a, const void *b)
{
	const Removal *x = a,
			   *y = b;

	return x->since != y->since ? (x->since < y->since ? 1 : -1) : removal_compare(a, b);
}

/* Only the latest `most` of those since `oldest`. */
static int
removals_remembered(Removal *r, int n, uint64_t oldest, int most)
{
	int			kept = 0;

	for (int i = 0; i < n; i++)
		if (r[i].since >= oldest)
			r[kept++] = r[i];
	if (kept > most)
	{
		qsort(r, (size_t) kept, sizeof(Removal), since_compare);
		kept = most;
	}
	return removals_unique(r, kept);
}

void
birth_set_carry(const BirthSet *s, const Element *rows, const Birth *own, int nrows, uint64_t stamp,
				uint64_t oldest, int most, Births *out)
{
	bool	   *kept = pure_alloc(sizeof(bool) * (size_t) (s->n + 1));
	int			cap = 0;

	memset(kept, 0, sizeof(bool) * (size_t) (s->n + 1));
	memset(out, 0, sizeof(*out));
	out->n = pure_alloc(sizeof(int) * (size_t) (nrows + 1));
	out->births = pure_alloc(sizeof(Birth *) * (size_t) (nrows + 1));
	for (int i = 0; i < nrows; i++)
	{
		const Element *e = s->n ? bsearch(&rows[i], s->e, (size_t) s->n, sizeof(Element), element_compare) : NULL;

		if (e)
			kept[e - s->e] = true;
		out->n[i] = e && e->n > 0 ? e->n : 1;
		out->births[i] = e && e->n > 0 ? births_copy(e->births, e->n) : births_copy(&own[i], 1);
	}
	for (int i = 0; i < s->nremoved; i++)
		removals_add(&out->removed, &out->nremoved, &cap, s->removed[i]);
	for (int i = 0; i < s->n; i++)
		for (int k = 0; k < s->e[i].n && !kept[i]; k++)
			removals_add(&out->removed, &out->nremoved, &cap, (Removal) {s->e[i].births[k], stamp});
	pure_free(kept);
	out->nremoved = removals_remembered(out->removed, removals_unique(out->removed, out->nremoved), oldest, most);
}

void
birth_set_free(BirthSet *s)
{
	for (int i = 0; i < s->n; i++)
		pure_free(s->e[i].births);
	if (s->e)
		pure_free(s->e);
	if (s->removed)
		pure_free(s->removed);
	memset(s, 0, sizeof(*s));
}

void
births_free(Births *b, int nrows)
{
	for (int i = 0; i < nrows; i++)
		pure_free(b->births[i]);
	pure_free(b->births);
	pure_free(b->n);
	if (b->removed)
		pure_free(b->removed);
	memset(b, 0, sizeof(*b));
}
