/*
 * name.h: absolute domain names in the form in which they are stored, compared, hashed and indexed.
 *
 * See name.c for the format. Pure: no server, no allocation; the caller gives the buffers.
 */
#ifndef DNS_NAME_H
#define DNS_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 1035 2.3.4, in octets of wire form; the root's octet counts, so a name has at most 127 labels. */
#define NAME_WIRE_MAX	255
#define NAME_LABEL_MAX	63
#define NAME_LABELS_MAX 127

/* Buffers large enough for any name, and for what name_subtree_end makes of it. */
#define NAME_STORED_MAX 512
#define NAME_TEXT_MAX	1280	/* with the final NUL */
#define NAME_REASON_MAX 160		/* why something is no name: a sentence */

/*
 * Each returns the length written, or -1 with a sentence in `reason` (NAME_REASON_MAX, may be NULL).
 * name_from_wire takes one uncompressed name that fills `len` exactly.
 */
extern int	name_from_text(const char *text, size_t len, uint8_t *stored, char *reason);

/* Does a word end with the dot that makes a name absolute: one that no backslash is for? */
extern bool name_is_absolute(const char *text, size_t len);

/* As name_from_text, where a name without a final dot is below `origin`, and @ is that itself (RFC 1035 5.1). */
extern int	name_from_text_in(const char *text, size_t len, const uint8_t *origin, size_t origin_len, uint8_t *stored, char *reason);
extern int	name_from_wire(const uint8_t *wire, size_t len, uint8_t *stored, char *reason);

/* Lengths written. The text has no final dot, except that the root is "."; it ends with a NUL. */
extern int	name_to_text(const uint8_t *stored, size_t len, char *text);
extern int	name_to_wire(const uint8_t *stored, size_t len, uint8_t *wire);

/* Is this the stored form of a name? */
extern bool name_valid(const uint8_t *stored, size_t len);

/* RFC 4034 6.1. */
extern int	name_compare(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen);

/* Is the name the zone's apex or below it? */
extern bool name_below(const uint8_t *name, size_t len, const uint8_t *zone, size_t zlen);

/* Labels without the root's. */
extern int	name_labels(const uint8_t *stored, size_t len);

/* The parent is a prefix of the name: its length. The root is its own. */
extern size_t name_parent(const uint8_t *stored, size_t len);

/* Is the leftmost label "*" (RFC 4592)? */
extern bool name_is_wildcard(const uint8_t *stored, size_t len);

/*
 * The end of the names at and below `stored`: every one of them is smaller, every other name that is not smaller
 * than `stored` is not smaller than the end. It need not be a legal name. Length written.
 */
extern int	name_subtree_end(const uint8_t *stored, size_t len, uint8_t *end);

#endif
