/*
 * resolve_merge.c: resolver `merge`: an RRset as an observed-remove set.
 *
 * Each record of an image has births: the writes that brought it. An image also tells which births its author, or those
 * before him, removed. Merged, a record is served if some candidate has a birth of it that no candidate has removed. So
 * what one side deleted does not come back by the other side's edit, and what both added is there once.
 * A record is its columns but the TTL; the TTL is that of the latest candidate that has rows. An image without births (it was
 * written before the policy) gives each record one: its own write. Removed births are forgotten after
 * dnsrepl.tombstone_retention, like deletions.
 */
#include "postgres.h"

#include "common/hashfn.h"

#include "store/clock.h"
#include "store/resolver.h"

/* A record of some candidate. */
typedef struct Element
{
	Row			row;			/* with the TTL blanked */
	int			n;
	Birth	   *births;			/* sorted, each once */
} Element;

typedef struct Elements
{
	int			n,
				cap;
	Element    *e;				/* sorted by row */
	int			nremoved;
	Birth	   *removed;		/* sorted, each once */
} Elements;

static int
birth_compare(const void *a, const void *b)
{
	return birth_order(*(const Birth *) a, *(const Birth *) b);
}

static int
births_unique(Birth *b, int n)
{
	int			kept = 0;

	if (n > 1)
		qsort(b, (size_t) n, sizeof(Birth), birth_compare);
	for (int i = 0; i < n; i++)
		if (!kept || birth_order(b[kept - 1], b[i]) != 0)
			b[kept++] = b[i];
	return kept;
}

static bool
birth_among(Birth b, const Birth *list, int n)
{
	return n > 0 && bsearch(&b, list, (size_t) n, sizeof(Birth), birth_compare) != NULL;
}

static int
row_compare(const Row *a, const Row *b)
{
	int			c = memcmp(a->data, b->data, Min(a->len, b->len));

	return c ? c : (a->len > b->len) - (a->len < b->len);
}

/* The birth of one record by a write: that of another record by the same write is another. */
static Birth
row_birth(Dot dot, const Row *row)
{
	Birth		b = dot_birth(dot);

	b.origin ^= hash_bytes_extended(row->data, (int) row->len, 0);
	return b;
}

/* One value for all TTLs: none. */
static Row
row_blank(TableDesc *t, const Row *row, int ttl)
{
	static const uint8 zero[4] = {0};

	return ttl < 0 ? *row : row_with_column(t, row, ttl, zero, sizeof(zero));
}

static Element *
element_find(Elements *s, const Row *row)
{
	int			low = 0,
				high = s->n;

	while (low < high)
	{
		int			middle = (low + high) / 2;
		int			c = row_compare(&s->e[middle].row, row);

		if (c == 0)
			return &s->e[middle];
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (s->n == s->cap)
	{
		s->cap = s->cap ? s->cap * 2 : 8;
		s->e = s->e ? repalloc_huge(s->e, sizeof(Element) * (size_t) s->cap) : palloc(sizeof(Element) * (size_t) s->cap);
	}
	memmove(&s->e[low + 1], &s->e[low], sizeof(Element) * (size_t) (s->n - low));
	s->n++;
	s->e[low] = (Element) {.row = *row};
	return &s->e[low];
}

static void
element_add(Element *e, const Birth *births, int n)
{
	Birth	   *all = palloc(sizeof(Birth) * (size_t) (e->n + n + 1));

	if (e->n)
		memcpy(all, e->births, sizeof(Birth) * (size_t) e->n);
	if (n)
		memcpy(all + e->n, births, sizeof(Birth) * (size_t) n);
	e->n = births_unique(all, e->n + n);
	e->births = all;
}

/* All that the candidates bring and remove; then what is removed is taken out. */
static Elements
elements_collect(TableDesc *t, const Candidate *c, int n, int ttl)
{
	Elements	s = {0};
	int			removed = 0;

	for (int i = 0; i < n; i++)
		removed += c[i].image.births.nremoved;
	s.removed = palloc(sizeof(Birth) * (size_t) (removed + 1));
	for (int i = 0; i < n; i++)
	{
		const Image *image = &c[i].image;

		if (image->births.nremoved)
			memcpy(s.removed + s.nremoved, image->births.removed, sizeof(Birth) * (size_t) image->births.nremoved);
		s.nremoved += image->births.nremoved;
		for (int k = 0; k < image->rows.n && !image_is_deletion(&image->head); k++)
		{
			Row			row = row_blank(t, &image->rows.rows[k], ttl);

			Birth		own = row_birth(c[i].version->dot, &row);

			if (image->births.n)
				element_add(element_find(&s, &row), image->births.births[k], image->births.n[k]);
			else
				element_add(element_find(&s, &row), &own, 1);
		}
	}
	s.nremoved = births_unique(s.removed, s.nremoved);
	for (int i = 0; i < s.n; i++)
	{
		Element    *e = &s.e[i];
		int			kept = 0;

		for (int k = 0; k < e->n; k++)
			if (!birth_among(e->births[k], s.removed, s.nremoved))
				e->births[kept++] = e->births[k];
		e->n = kept;
	}
	return s;
}

/* Is it a set at all? */
static bool
can_merge(const ResolveUnit *u, const Candidate *c, int n)
{
	uint16		type = record_type(u->key, u->key_len);
	int			table = key_number(u->key, u->key_len);

	if (!u->table || (table != TABLE_RECORDS && table != TABLE_METADATA) ||
		type == TYPE_CNAME || type == TYPE_DNAME || type == TYPE_SOA)
		return false;
	for (int i = 0; i < n; i++)
		if (c[i].image.head.nrows && c[i].image.head.ncolumns != u->table->ncolumns)
			return false;
	return true;
}

bool
serve_merged(const ResolveUnit *u, const Candidate *c, int n, Served *served)
{
	int			ttl;
	Elements	s;
	const Candidate *last = NULL;
	const uint8 *value = NULL;
	size_t		len = 0;

	if (!can_merge(u, c, n))
		return false;
	ttl = table_column(u->table, "ttl");
	s = elements_collect(u->table, c, n, ttl);
	for (int i = 0; i < n; i++)
		if (!image_is_deletion(&c[i].image.head) && (!last || dot_later(c[i].version->dot, last->version->dot)))
			last = &c[i];
	if (!last)
		return true;
	served->ncolumns = u->table->ncolumns;
	served->rows.rows = palloc(sizeof(Row) * (size_t) (s.n + 1));
	for (int i = 0; i < s.n; i++)
		if (s.e[i].n > 0)
		{
			Row			row = s.e[i].row;

			if (ttl >= 0 && row_column(&last->image.rows.rows[0], ttl, &value, &len))
				row = row_with_column(u->table, &row, ttl, value, len);
			served->rows.rows[served->rows.n++] = row;
		}
	rows_sort(&served->rows);
	served->live = served->rows.n > 0;
	return true;
}

static int
births_not_forgotten(Birth *b, int n)
{
	uint64		oldest = (uint64) (clock_now() - ((int64) setting_tombstone_retention * USECS_PER_SEC << STAMP_COUNTER_BITS));
	int			kept = 0;

	for (int i = 0; i < n; i++)
		if (b[i].stamp >= oldest)
			b[kept++] = b[i];
	return Min(kept, MAX_IMAGE_BIRTHS / 2);
}

void
merge_carry(const ResolveUnit *u, const Candidate *c, int n, Dot dot, ImageParts *parts)
{
	int			ttl;
	Elements	s;
	Births	   *b;
	Birth	   *removed;
	int			nremoved = 0,
				all = 0;

	if (!can_merge(u, c, n) || parts->rows->n > MAX_IMAGE_BIRTHS / 4)
		return;
	ttl = table_column(u->table, "ttl");
	s = elements_collect(u->table, c, n, ttl);
	for (int i = 0; i < s.n; i++)
		all += s.e[i].n;
	b = palloc0(sizeof(Births));
	b->n = palloc(sizeof(int) * (size_t) (parts->rows->n + 1));
	b->births = palloc(sizeof(Birth *) * (size_t) (parts->rows->n + 1));
	removed = palloc(sizeof(Birth) * (size_t) (s.nremoved + all + 1));
	memcpy(removed, s.removed, sizeof(Birth) * (size_t) s.nremoved);
	nremoved = s.nremoved;
	for (int i = 0; i < parts->rows->n; i++)
	{
		Row			row = row_blank(u->table, &parts->rows->rows[i], ttl);
		Element    *e = element_find(&s, &row);

		if (e->n == 0)
		{
			e->births = palloc(sizeof(Birth));
			e->births[0] = row_birth(dot, &row);
			e->n = 1;
		}
		b->n[i] = e->n;
		b->births[i] = e->births;
	}
	/* what is there of elements that the new image does not have */
	for (int i = 0; i < s.n; i++)
	{
		bool		kept = false;

		for (int k = 0; k < parts->rows->n && !kept; k++)
			kept = b->births[k] == s.e[i].births && s.e[i].n > 0;
		if (!kept && s.e[i].n > 0)
		{
			memcpy(removed + nremoved, s.e[i].births, sizeof(Birth) * (size_t) s.e[i].n);
			nremoved += s.e[i].n;
		}
	}
	nremoved = births_unique(removed, nremoved);
	b->nremoved = births_not_forgotten(removed, nremoved);
	b->removed = removed;
	parts->flags |= IMAGE_BIRTHS;
	parts->births = b;
}
