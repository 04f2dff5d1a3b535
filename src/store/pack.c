/*
 * pack.c: see pack.h.
 */
#include "postgres.h"

#include "dnsrepl.h"
#include "store/pack.h"

void
pack_put(StringInfo more, const uint8 *before, size_t before_len, const uint8 *now, size_t now_len)
{
	size_t		most = Min(before_len, now_len),
				shared = 0;

	while (shared < most && before[shared] == now[shared])
		shared++;
	wire_put_varint(more, shared);
	wire_put_string(more, now + shared, now_len - shared);
}

void
pack_read_begin(PackReader *p, const void *key, size_t key_len, const void *image, size_t image_len,
				const void *more, size_t more_len)
{
	*p = (PackReader) {.last_key = key, .last_key_len = key_len, .last_image = image, .last_image_len = image_len};
	wire_reader_init(&p->more, more, more_len);
	initStringInfo(&p->key);
	initStringInfo(&p->image);
	appendBinaryStringInfo(&p->key, key, (int) key_len);
	appendBinaryStringInfo(&p->image, image, (int) image_len);
}

/* One string becomes the next. */
static bool
part_read(WireReader *r, StringInfo part, size_t most)
{
	uint64		shared = wire_get_varint(r);
	size_t		len;
	const uint8 *rest = wire_get_string(r, most, &len);

	if (r->bad || shared > (uint64) part->len || shared + len > most)
		return false;
	part->len = (int) shared;
	appendBinaryStringInfo(part, (const char *) rest, (int) len);
	return true;
}

bool
pack_read(PackReader *p)
{
	if (p->ended)
		return false;
	if (!wire_at_end(&p->more) && part_read(&p->more, &p->key, MAX_KEY_SIZE) &&
		part_read(&p->more, &p->image, MAX_IMAGE_SIZE))
		return true;
	p->ended = true;
	p->key.len = p->image.len = 0;
	appendBinaryStringInfo(&p->key, p->last_key, (int) p->last_key_len);
	appendBinaryStringInfo(&p->image, p->last_image, (int) p->last_image_len);
	return true;
}

void
pack_read_end(PackReader *p)
{
	pfree(p->key.data);
	pfree(p->image.data);
}
