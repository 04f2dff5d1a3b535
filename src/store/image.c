/*
 * image.c: see image.h. Images come from peers: no octet is trusted.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "store/image.h"
#include "store/origin.h"

#define BIRTH_SIZE 16			/* octets */

static void
put_birth(StringInfo out, Birth b)
{
	wire_put_u64(out, b.stamp);
	wire_put_u64(out, b.origin);
}

static Birth
get_birth(WireReader *r)
{
	Birth		b;

	b.stamp = wire_get_u64(r);
	b.origin = wire_get_u64(r);
	return b;
}

static void
put_incarnations(StringInfo out, const Live *live)
{
	wire_put_varint(out, (uint64) (live ? live->n : 0));
	for (int i = 0; live && i < live->n; i++)
		put_birth(out, dot_birth(live->incarnations[i]));
}

void
image_copy_live(StringInfo out, const uint8 *data, size_t len, const ImageHead *head, const Live *live)
{
	const uint8 *rest = head->incarnations + BIRTH_SIZE * head->nincarnations;

	appendBinaryStringInfo(out, (const char *) data, (int) (head->user + head->user_len - data));
	put_incarnations(out, live);
	appendBinaryStringInfo(out, (const char *) rest, (int) (data + len - rest));
}

void
image_encode(StringInfo out, const ImageParts *p)
{
	wire_put_u8(out, IMAGE_FORMAT);
	wire_put_u8(out, p->flags);
	/* names of roles are the server's, and may be in the encoding of another database */
	wire_put_string(out, p->user, pg_verifymbstr(p->user, (int) strlen(p->user), true) ? strlen(p->user) : 0);
	put_incarnations(out, p->live);
	if (p->flags & IMAGE_LINE)
		put_birth(out, p->line);
	wire_put_u8(out, (uint8) (p->rows->n ? p->ncolumns : 0));
	wire_put_varint(out, (uint64) p->rows->n);
	for (int i = 0; i < p->rows->n; i++)
		appendBinaryStringInfo(out, (const char *) p->rows->rows[i].data, (int) p->rows->rows[i].len);
	if (!(p->flags & IMAGE_BIRTHS))
		return;
	for (int i = 0; i < p->rows->n; i++)
	{
		wire_put_varint(out, (uint64) p->births->n[i]);
		for (int k = 0; k < p->births->n[i]; k++)
			put_birth(out, p->births->births[i][k]);
	}
	wire_put_varint(out, (uint64) p->births->nremoved);
	for (int k = 0; k < p->births->nremoved; k++)
	{
		put_birth(out, p->births->removed[k].birth);
		wire_put_u64(out, p->births->removed[k].since);
	}
}

/* Leaves the reader at the first row. */
static bool
head_read(WireReader *r, ImageHead *head)
{
	uint64		n;

	memset(head, 0, sizeof(*head));
	if (wire_get_u8(r) != IMAGE_FORMAT)
		return false;
	head->flags = wire_get_u8(r);
	head->user = wire_get_string(r, NAMEDATALEN, &head->user_len);
	n = wire_get_varint(r);
	if (r->bad || (head->flags & ~IMAGE_FLAGS) || n > MAX_INCARNATIONS)
		return false;
	head->nincarnations = (int) n;
	head->incarnations = wire_get_bytes(r, BIRTH_SIZE * (size_t) n);
	if (head->flags & IMAGE_LINE)
		head->line = get_birth(r);
	head->body = r->p;
	head->ncolumns = wire_get_u8(r);
	n = wire_get_varint(r);
	/* every column takes an octet, so more rows than octets cannot be */
	if (r->bad || n > (uint64) (r->end - r->p) || (n > 0 && head->ncolumns == 0))
		return false;
	head->nrows = (int) n;
	return true;
}

bool
image_head(const uint8 *data, size_t len, ImageHead *head)
{
	WireReader	r;

	wire_reader_init(&r, data, len);
	return head_read(&r, head);
}

char *
image_user(const ImageHead *head)
{
	if (!pg_verifymbstr((const char *) head->user, (int) head->user_len, true))
		return pstrdup("?");
	return pnstrdup((const char *) head->user, head->user_len);
}

Birth
image_incarnation(const ImageHead *head, int i)
{
	WireReader	r;

	wire_reader_init(&r, head->incarnations + BIRTH_SIZE * i, BIRTH_SIZE);
	return get_birth(&r);
}

static bool
rows_read(WireReader *r, Image *image, bool rows)
{
	if (rows)
		image->rows.rows = palloc(sizeof(Row) * (size_t) (image->head.nrows + 1));
	for (int i = 0; i < image->head.nrows; i++)
	{
		const uint8 *start = r->p;

		for (int c = 0; c < image->head.ncolumns; c++)
		{
			uint64		size = wire_get_varint(r);

			if (size > 0)
				wire_get_bytes(r, (size_t) (size - 1));
			if (r->bad)
				return false;
		}
		if (rows)
			image->rows.rows[i] = (Row) {.data = start, .len = (size_t) (r->p - start)};
	}
	image->rows.n = rows ? image->head.nrows : 0;
	image->body_len = (size_t) (r->p - image->head.body);
	return true;
}

/* How long a list is whose items have so many octets; *left is how many more there may be. */
static int
list_count(WireReader *r, int *left, int size)
{
	uint64		count = wire_get_varint(r);

	if (r->bad || count > (uint64) *left || count > (uint64) (r->end - r->p) / (uint64) size)
	{
		r->bad = true;
		return 0;
	}
	*left -= (int) count;
	return (int) count;
}

static Removal *
removals_list(WireReader *r, int *n, int *left, bool keep)
{
	Removal    *list;

	*n = list_count(r, left, 24);
	list = keep ? palloc(sizeof(Removal) * (size_t) (*n + 1)) : NULL;
	for (int i = 0; i < *n; i++)
	{
		Removal		removal = {.birth = get_birth(r)};

		removal.since = wire_get_u64(r);
		if (keep)
			list[i] = removal;
	}
	return list;
}

static Birth *
births_list(WireReader *r, int *n, int *left, bool keep)
{
	Birth	   *list;

	*n = list_count(r, left, 16);
	list = keep ? palloc(sizeof(Birth) * (size_t) (*n + 1)) : NULL;
	for (int i = 0; i < *n; i++)
	{
		Birth		b = get_birth(r);

		if (keep)
			list[i] = b;
	}
	return list;
}

static bool
births_read(WireReader *r, Image *image, bool keep)
{
	Births	   *b = &image->births;
	int			left = MAX_IMAGE_BIRTHS;
	int			n;

	if (keep)
	{
		b->n = palloc(sizeof(int) * (size_t) (image->head.nrows + 1));
		b->births = palloc(sizeof(Birth *) * (size_t) (image->head.nrows + 1));
	}
	for (int i = 0; i < image->head.nrows && !r->bad; i++)
	{
		Birth	   *list = births_list(r, &n, &left, keep);

		if (keep)
		{
			b->n[i] = n;
			b->births[i] = list;
		}
	}
	b->removed = removals_list(r, &b->nremoved, &left, keep);
	return !r->bad;
}

bool
image_decode(const uint8 *data, size_t len, bool rows, Image *image)
{
	WireReader	r;

	memset(image, 0, sizeof(*image));
	wire_reader_init(&r, data, len);
	if (!head_read(&r, &image->head) || !rows_read(&r, image, rows))
		return false;
	if ((image->head.flags & IMAGE_BIRTHS) && !births_read(&r, image, rows))
		return false;
	return wire_at_end(&r) && !r.bad;
}

bool
image_same(const Image *a, const Image *b)
{
	if (image_is_deletion(&a->head) || image_is_deletion(&b->head))	/* whatever it has kept */
		return image_is_deletion(&a->head) && image_is_deletion(&b->head);
	return a->body_len == b->body_len && memcmp(a->head.body, b->head.body, a->body_len) == 0;
}

bool
rows_same(const RowSet *a, const RowSet *b)
{
	if (a->n != b->n)
		return false;
	for (int i = 0; i < a->n; i++)
		if (a->rows[i].len != b->rows[i].len || memcmp(a->rows[i].data, b->rows[i].data, a->rows[i].len) != 0)
			return false;
	return true;
}
