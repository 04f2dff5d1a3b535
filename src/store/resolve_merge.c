/*
 * resolve_merge.c: resolver `merge`: an RRset as an observed-remove set.
 *
 * Each record of an image has births: the writes that brought it. An image also tells which births its author, or those
 * before him, removed. Merged, a record is served if some candidate has a birth of it that no candidate has removed. So
 * what one side deleted does not come back by the other side's edit, and what both added is there once.
 * A record is its columns but the TTL; the TTL is that of the latest candidate that has rows. An image without births (it was
 * written before the policy) gives each record one: its own write. What was removed is forgotten dnsrepl.tombstone_retention
 * after the write that removed it, like deletions. The set itself is in birth_set.c.
 */
#include "postgres.h"

#include "common/hashfn.h"

#include "store/clock.h"
#include "store/resolver.h"

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

/* All that the candidates bring and remove. */
static BirthSet
candidates_set(TableDesc *t, const Candidate *c, int n, int ttl)
{
	BirthSet	s = {0};

	for (int i = 0; i < n; i++)
	{
		const Image *image = &c[i].image;

		birth_set_remove(&s, image->births.removed, image->births.nremoved);
		for (int k = 0; k < image->rows.n && !image_is_deletion(&image->head); k++)
		{
			Row			row = row_blank(t, &image->rows.rows[k], ttl);
			Birth		own = row_birth(c[i].version->dot, &row);

			if (image->births.n)
				birth_set_add(&s, row.data, row.len, image->births.births[k], image->births.n[k]);
			else
				birth_set_add(&s, row.data, row.len, &own, 1);
		}
	}
	birth_set_settle(&s);
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
	BirthSet	s;
	const Candidate *last = NULL;
	const uint8 *value = NULL;
	size_t		len = 0;

	if (!can_merge(u, c, n))
		return false;
	ttl = table_column(u->table, "ttl");
	s = candidates_set(u->table, c, n, ttl);
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
			Row			row = {.data = s.e[i].data, .len = s.e[i].len};

			if (ttl >= 0 && row_column(&last->image.rows.rows[0], ttl, &value, &len))
				row = row_with_column(u->table, &row, ttl, value, len);
			served->rows.rows[served->rows.n++] = row;
		}
	rows_sort(&served->rows);
	served->live = served->rows.n > 0;
	return true;
}

void
merge_carry(const ResolveUnit *u, const Candidate *c, int n, Dot dot, ImageParts *parts)
{
	uint64		oldest = (uint64) (clock_now() - ((int64) setting_tombstone_retention * USECS_PER_SEC << STAMP_COUNTER_BITS));
	int			nrows = parts->rows->n;
	Element    *rows = palloc(sizeof(Element) * (size_t) (nrows + 1));
	Birth	   *own = palloc(sizeof(Birth) * (size_t) (nrows + 1));
	Births	   *births = palloc(sizeof(Births));
	int			ttl;
	BirthSet	s;

	if (!can_merge(u, c, n) || nrows > MAX_IMAGE_BIRTHS / 4)
		return;
	ttl = table_column(u->table, "ttl");
	s = candidates_set(u->table, c, n, ttl);
	for (int i = 0; i < nrows; i++)
	{
		Row			row = row_blank(u->table, &parts->rows->rows[i], ttl);

		rows[i] = (Element) {.data = row.data, .len = row.len};
		own[i] = row_birth(dot, &row);
	}
	birth_set_carry(&s, rows, own, nrows, (uint64) dot.stamp, oldest, MAX_IMAGE_BIRTHS / 2, births);
	parts->flags |= IMAGE_BIRTHS;
	parts->births = births;
}
