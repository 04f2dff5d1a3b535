/*
 * resolve_merge.c: resolver `merge`: an RRset as an observed-remove set.
 *
 * Each record of an image has births: the writes that brought it. An image also tells which births its author, or those
 * before him, removed. Merged, a record is served if some candidate has a birth of it that no candidate has removed. So
 * what one side deleted does not come back by the other side's edit, and what both added is there once.
 * A record is its canonical data (RFC 4034 6.2) and whether it is disabled: two spellings of one address are one record, as they
 * are for the check of duplicates; shown is the spelling of the latest candidate that has it. What is no record (other tables,
 * data that this node cannot read) is its columns but the TTL. The TTL is that of the latest candidate that has rows. An image without
 * births (it was written before the policy) gives each record one: its own write. What was removed is forgotten
 * dnsrepl.tombstone_retention after the write that removed it, like deletions. The set itself is in birth_set.c.
 */
#include "postgres.h"

#include "common/hashfn.h"

#include "dns/record.h"
#include "store/clock.h"
#include "store/origin.h"
#include "store/resolver.h"

/* A record of a set: what it is compared by, and one of the rows that say it. */
typedef struct Member
{
	const uint8 *id;
	size_t		id_len;
	Row			row;			/* with a TTL of its own */
	Dot			dot;			/* of the candidate that has it */
} Member;

/* One value for all TTLs: none. */
static Row
row_blank(TableDesc *t, const Row *row, int ttl)
{
	static const uint8 zero[4] = {0};

	return ttl < 0 ? *row : row_with_column(t, row, ttl, zero, sizeof(zero));
}

/* Canonical rdata, then an octet for disabled; NULL: the row is no record. */
static uint8 *
record_id(const ResolveUnit *u, const Row *row, size_t *len)
{
	const uint8 *content,
			   *wire;
	size_t		content_len;
	int32		prio = 0;
	bool		prio_null = !row_int(u->table, row, "prio", &prio);
	RecordError err;
	uint8	   *id;
	int			n;

	if (!row_column(row, table_column(u->table, "content"), &content, &content_len))
		return NULL;
	n = record_rdata(record_type(u->key, u->key_len), prio_null, prio, (const char *) content, content_len, &wire, &err);
	if (n < 0)
		return NULL;
	id = palloc((size_t) n + 1);
	memcpy(id, wire, (size_t) n);
	id[n] = row_enabled(u->table, row);
	*len = (size_t) n + 1;
	return id;
}

static Member
member_of(const ResolveUnit *u, const Row *row, Dot dot)
{
	Member		m = {.row = *row, .dot = dot};

	if (key_number(u->key, u->key_len) == TABLE_RECORDS)
		m.id = record_id(u, row, &m.id_len);
	if (!m.id)
	{
		Row			blank = row_blank(u->table, row, table_column(u->table, "ttl"));

		m.id = blank.data;
		m.id_len = blank.len;
	}
	return m;
}

/* The birth of one record by a write: that of another record by the same write is another. */
static Birth
member_birth(const Member *m, Dot dot)
{
	Birth		b = dot_birth(dot);

	b.origin ^= hash_bytes_extended(m->id, (int) m->id_len, 0);
	return b;
}

/* Equal records side by side, the row to be shown first: of the latest candidate, and the first of its octets. */
static int
member_order(const void *a, const void *b)
{
	const Member *x = a,
			   *y = b;
	int			c = memcmp(x->id, y->id, Min(x->id_len, y->id_len));

	if (c == 0 && x->id_len != y->id_len)
		c = x->id_len < y->id_len ? -1 : 1;
	if (c == 0 && (x->dot.origin != y->dot.origin || x->dot.stamp != y->dot.stamp))
		c = dot_later(x->dot, y->dot) ? -1 : 1;
	if (c == 0)
		c = memcmp(x->row.data, y->row.data, Min(x->row.len, y->row.len));
	return c ? c : (x->row.len > y->row.len) - (x->row.len < y->row.len);
}

/* All that the candidates bring and remove; *members: their rows, in member_order. */
static BirthSet
candidates_set(const ResolveUnit *u, const Candidate *c, int n, Member **members, int *nmembers)
{
	BirthSet	s = {0};
	int			rows = 0;

	for (int i = 0; i < n; i++)
		rows += c[i].image.rows.n;
	*members = palloc(sizeof(Member) * (size_t) (rows + 1));
	*nmembers = 0;
	for (int i = 0; i < n; i++)
	{
		const Image *image = &c[i].image;

		birth_set_remove(&s, image->births.removed, image->births.nremoved);
		for (int k = 0; k < image->rows.n && !image_is_deletion(&image->head); k++)
		{
			Dot			dot = c[i].version->dot;
			Member		m = member_of(u, &image->rows.rows[k], dot);
			Birth		own = member_birth(&m, dot);

			(*members)[(*nmembers)++] = m;
			if (image->births.n)
				birth_set_add(&s, m.id, m.id_len, image->births.births[k], image->births.n[k]);
			else
				birth_set_add(&s, m.id, m.id_len, &own, 1);
		}
	}
	birth_set_settle(&s);
	if (*nmembers > 1)
		qsort(*members, (size_t) *nmembers, sizeof(Member), member_order);
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
	int			ttl,
				nmembers,
				at = 0;
	BirthSet	s;
	Member	   *members;
	const Candidate *last = NULL;
	const uint8 *value = NULL;
	size_t		len = 0;

	if (!can_merge(u, c, n))
		return false;
	ttl = table_column(u->table, "ttl");
	s = candidates_set(u, c, n, &members, &nmembers);
	for (int i = 0; i < n; i++)
		if (!image_is_deletion(&c[i].image.head) && (!last || dot_later(c[i].version->dot, last->version->dot)))
			last = &c[i];
	if (!last)
		return true;
	served->ncolumns = u->table->ncolumns;
	served->rows.rows = palloc(sizeof(Row) * (size_t) (s.n + 1));
	for (int i = 0; i < s.n; i++)
	{
		Row			row;

		/* both are in order, and each element has a member */
		while (at < nmembers && (members[at].id_len != s.e[i].len || memcmp(members[at].id, s.e[i].data, s.e[i].len) != 0))
			at++;
		if (s.e[i].n == 0 || at == nmembers)
			continue;
		row = row_blank(u->table, &members[at].row, ttl);
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
	Member	   *members;
	int			nmembers;
	BirthSet	s;

	if (!can_merge(u, c, n) || nrows > MAX_IMAGE_BIRTHS / 4)
		return;
	s = candidates_set(u, c, n, &members, &nmembers);
	for (int i = 0; i < nrows; i++)
	{
		Member		m = member_of(u, &parts->rows->rows[i], dot);

		rows[i] = (Element) {.data = m.id, .len = m.id_len};
		own[i] = member_birth(&m, dot);
	}
	birth_set_carry(&s, rows, own, nrows, (uint64) dot.stamp, oldest, MAX_IMAGE_BIRTHS / 2, births);
	parts->flags |= IMAGE_BIRTHS;
	parts->births = births;
}
