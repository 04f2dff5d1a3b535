/*
 * pack.h: consecutive units of a zone as octets, each told by how it differs from the one before.
 *
 * The last unit's key and image stand by themselves. `more` has the others, keys ascending, each its key and then its image
 * as: varint octets shared with the one before (from the start; the first: with the last unit), varint octets that follow,
 * those octets.
 */
#ifndef DNSREPL_PACK_H
#define DNSREPL_PACK_H

#include "store/wire.h"

/* The unit at hand; its octets last until the next pack_read(). */
typedef struct PackReader
{
	WireReader	more;
	const void *last_key,
			   *last_image;
	size_t		last_key_len,
				last_image_len;
	bool		ended;			/* the last is at hand */
	StringInfoData key,
				image;
} PackReader;

/* All of it must last. pack_read_end() frees. */
extern void pack_read_begin(PackReader *p, const void *key, size_t key_len, const void *image, size_t image_len,
							const void *more, size_t more_len);

/* On to the next unit, at first to the first; false after the last. Where octets are not a pack's, that comes next. */
extern bool pack_read(PackReader *p);
extern void pack_read_end(PackReader *p);

/* Appends to `more` one unit (key and image), by what it has in common with the one before. */
extern void pack_put(StringInfo more, const uint8 *before, size_t before_len, const uint8 *now, size_t now_len);

#endif
