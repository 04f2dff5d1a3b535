/*
 * vector.h: what a node holds of each origin (DESIGN 3): every stamp up to a head, and ranges beyond it.
 */
#ifndef DNSREPL_VECTOR_H
#define DNSREPL_VECTOR_H

#include "store/pure.h"

typedef struct StampRange
{
	int64_t		first,
				last;			/* both included */
} StampRange;

typedef struct VectorEntry
{
	int32_t		origin;			/* local number of the origin */
	int64_t		head;			/* every stamp <= head is held */
	int			nranges;
	StampRange *ranges;			/* sorted, disjoint, not adjacent, all beyond head + 1 */
} VectorEntry;

typedef struct Vector
{
	int			n,
				cap;
	VectorEntry *entries;		/* sorted by origin */
} Vector;

extern Vector *vector_new(void);
extern void vector_free(Vector *v);
extern Vector *vector_copy(const Vector *v);

/* The entry of an origin, or NULL. */
extern const VectorEntry *vector_find(const Vector *v, int32_t origin);

/* Adds to what v holds of origin: everything up to head, and the ranges (any order). */
extern void vector_add(Vector *v, int32_t origin, int64_t head, const StampRange *ranges, int nranges);

/* v := v joined with other. */
extern void vector_join(Vector *v, const Vector *other);

extern bool vector_covers(const Vector *v, int32_t origin, int64_t stamp);

/* Is every stamp of other one of v's? */
extern bool vector_covers_all(const Vector *v, const Vector *other);

/* Is every stamp of one entry one of v's? */
extern bool vector_covers_entry(const Vector *v, const VectorEntry *e);

/* Is every stamp of other, as far as it does not lie beyond the head that upto has of its origin, one of v's? */
extern bool vector_covers_upto(const Vector *v, const Vector *other, const Vector *upto);

/* What both hold. */
extern Vector *vector_meet(const Vector *a, const Vector *b);

#endif
