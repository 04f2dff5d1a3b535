/*
 * birth_set.h: an observed-remove set: what images of one set bring and remove, and what of it is there (resolver `merge`).
 *
 * Every element of an image has births: the writes that brought it. An image also tells which births its author, or those
 * before him, removed. There is what has a birth that no image removes. Pure; the elements are octets that the caller keeps.
 */
#ifndef DNSREPL_BIRTH_SET_H
#define DNSREPL_BIRTH_SET_H

#include "store/pure.h"

typedef struct Birth
{
	uint64_t	stamp;
	uint64_t	origin;			/* the first octets of its id */
} Birth;

typedef struct Removal
{
	Birth		birth;
	uint64_t	since;			/* the stamp of the write that removed it */
} Removal;

/* What an image says besides its rows. */
typedef struct Births
{
	int		   *n;				/* for each row, in order */
	Birth	  **births;
	int			nremoved;
	Removal    *removed;		/* sorted by birth, each once */
} Births;

typedef struct Element
{
	const uint8_t *data;
	size_t		len;
	int			n;
	Birth	   *births;			/* sorted, each once; none: it is not there any more */
} Element;

typedef struct BirthSet
{
	int			n,
				cap;
	Element    *e;				/* once settled: sorted by data, each once */
	int			nremoved,
				cap_removed;
	Removal    *removed;		/* once settled: sorted by birth, each once */
} BirthSet;

extern int	birth_order(Birth a, Birth b);

/* An image brings an element; it removes births. Any order. */
extern void birth_set_add(BirthSet *s, const uint8_t *data, size_t len, const Birth *births, int n);
extern void birth_set_remove(BirthSet *s, const Removal *removed, int n);

/* All images have been given: what is removed is taken out. */
extern void birth_set_settle(BirthSet *s);

/*
 * What a new image says that supersedes the images of a settled set: what it has and the set had keeps its births, what
 * it has new is born by the write (own[i]), what the set had and it has not is removed, since `stamp`; removals from before
 * `oldest` are forgotten, and the older ones if there are more than `most`.
 */
extern void birth_set_carry(const BirthSet *s, const Element *rows, const Birth *own, int nrows, uint64_t stamp,
							uint64_t oldest, int most, Births *out);

extern void birth_set_free(BirthSet *s);
extern void births_free(Births *b, int nrows);

#endif
