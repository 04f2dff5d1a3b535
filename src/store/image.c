/*
 * image.c: see image.h.
 */
#include "postgres.h"

#include "store/image.h"

void
image_encode(StringInfo out, const char *user, int ncolumns, const RowSet *rows)
{
	wire_put_u8(out, IMAGE_FORMAT);
	wire_put_string(out, user, strlen(user));
	wire_put_u8(out, (uint8) (rows->n ? ncolumns : 0));
	wire_put_varint(out, (uint64) rows->n);
	for (int i = 0; i < rows->n; i++)
		appendBinaryStringInfo(out, (const char *) rows->rows[i].data, (int) rows->rows[i].len);
}

bool
image_decode(const uint8 *data, size_t len, bool rows, Image *image)
{
	WireReader	r;
	uint64		n;

	memset(image, 0, sizeof(*image));
	wire_reader_init(&r, data, len);
	if (wire_get_u8(&r) != IMAGE_FORMAT)
		return false;
	image->user = wire_get_string(&r, NAMEDATALEN, &image->user_len);
	image->body = r.p;
	image->body_len = (size_t) (r.end - r.p);
	image->ncolumns = wire_get_u8(&r);
	n = wire_get_varint(&r);
	/* every column takes an octet, so more rows than octets cannot be */
	if (r.bad || n > (uint64) (r.end - r.p) || (n > 0 && image->ncolumns == 0))
		return false;
	if (rows)
		image->rows.rows = palloc(sizeof(Row) * (size_t) (n + 1));
	for (uint64 i = 0; i < n; i++)
	{
		const uint8 *start = r.p;

		for (int c = 0; c < image->ncolumns; c++)
		{
			uint64		size = wire_get_varint(&r);

			if (size > 0)
				wire_get_bytes(&r, (size_t) (size - 1));
			if (r.bad)
				return false;
		}
		if (rows)
			image->rows.rows[i] = (Row) {.data = start, .len = (size_t) (r.p - start)};
	}
	image->rows.n = rows ? (int) n : 0;
	return wire_at_end(&r) && !r.bad;
}

bool
image_same(const Image *a, const Image *b)
{
	return a->body_len == b->body_len && memcmp(a->body, b->body, a->body_len) == 0;
}
