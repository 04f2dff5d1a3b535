/*
 * image.h: one version's content: who wrote it, and the rows of the unit, none for a tombstone.
 *
 * u8 format (1); string user; u8 columns; varint rows; each row its columns: varint 0 for null, else length + 1
 * and the octets. Rows are sorted, so equal content has equal octets from `columns` on: the body.
 */
#ifndef DNSREPL_IMAGE_H
#define DNSREPL_IMAGE_H

#include "store/relation.h"

#define IMAGE_FORMAT 1

typedef struct Image
{
	const uint8 *user;
	size_t		user_len;
	const uint8 *body;
	size_t		body_len;
	int			ncolumns;
	RowSet		rows;			/* point into the image */
} Image;

extern void image_encode(StringInfo out, const char *user, int ncolumns, const RowSet *rows);

/* False if the octets are not an image. With rows == false only structure is checked and rows stay empty. */
extern bool image_decode(const uint8 *data, size_t len, bool rows, Image *image);

/* Same content (the authors apart)? */
extern bool image_same(const Image *a, const Image *b);

#endif
