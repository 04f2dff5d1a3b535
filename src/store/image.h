/*
 * image.h: one version's content: who wrote it, in which incarnation of its zone, and the rows of the unit.
 *
 * u8 format (3); u8 flags; string user; varint incarnations, each a birth; with IMAGE_LINE a birth; then the body: u8 columns,
 * varint rows, each row its columns: varint 0 for null, else length + 1 and the octets; with IMAGE_BIRTHS for each row
 * varint births, each a birth, then varint removals, each a birth and the u64 stamp of the write that removed it. Rows are sorted, so equal content has equal bodies.
 * A birth is u64 stamp, u64 first octets of the origin's id: the write that brought a record, or made the zone. Of a record among others, the
 * second is combined with a hash of the record.
 * A deletion has no rows; with IMAGE_GONE it has: what it deleted (private keys, which may have to come back).
 */
#ifndef DNSREPL_IMAGE_H
#define DNSREPL_IMAGE_H

#include "store/birth_set.h"
#include "store/relation.h"
#include "store/version.h"

#define IMAGE_FORMAT 3
#define IMAGE_UNREADABLE "the image of the version cannot be read"

#define IMAGE_BIRTHS	1
#define IMAGE_LINE		2
#define IMAGE_GONE		4		/* a deletion that keeps the rows */
#define IMAGE_UNSIGNED	8		/* its author left the zone without an active key-signing key */
#define IMAGE_FLAGS		15

#define MAX_IMAGE_BIRTHS 100000	/* of one image, removed ones too */

/* What precedes the body; points into the image. */
typedef struct ImageHead
{
	uint8		flags;
	const uint8 *user;
	size_t		user_len;
	int			nincarnations;
	const uint8 *incarnations;	/* encoded: see image_incarnation() */
	Birth		line;			/* IMAGE_LINE */
	int			ncolumns;
	int			nrows;
	const uint8 *body;
} ImageHead;

typedef struct Image
{
	ImageHead	head;
	size_t		body_len;
	RowSet		rows;			/* point into the image */
	Births		births;			/* IMAGE_BIRTHS; n is NULL otherwise */
} Image;

/* What a new image is made of. */
typedef struct ImageParts
{
	uint8		flags;
	const char *user;
	const Live *live;			/* the zone's incarnations, as its author saw them; NULL: none */
	Birth		line;
	int			ncolumns;
	const RowSet *rows;
	const Births *births;
} ImageParts;

extern void image_encode(StringInfo out, const ImageParts *parts);

/* Only what precedes the rows; false if the octets are not an image. */
extern bool image_head(const uint8 *data, size_t len, ImageHead *head);

static inline bool
image_is_deletion(const ImageHead *head)
{
	return head->nrows == 0 || (head->flags & IMAGE_GONE);
}

/* The same image, whose author saw these incarnations. */
extern void image_copy_live(StringInfo out, const uint8 *data, size_t len, const ImageHead *head, const Live *live);

/* Who wrote it, as text of this database's encoding. */
extern char *image_user(const ImageHead *head);

extern Birth image_incarnation(const ImageHead *head, int i);

/*
 * False if the octets are not an image. Every octet is looked at; with `rows` the rows and births are given too, in the
 * current memory context.
 */
extern bool image_decode(const uint8 *data, size_t len, bool rows, Image *image);

/* Same content (authors, incarnations and births apart)? */
extern bool image_same(const Image *a, const Image *b);

extern bool rows_same(const RowSet *a, const RowSet *b);

#endif
