/*
 * name_shown.h: all that the table records shows of one name, read at once.
 */
#ifndef DNSREPL_NAME_SHOWN_H
#define DNSREPL_NAME_SHOWN_H

#include "store/relation.h"

typedef struct NameShown
{
	bool		read;
	int			n,
				cap;
	struct ShownRow *rows;
	bool		full;			/* a record is there that is not disabled */
	bool		plain;			/* ordername and auth are what a new record has, and no row is an empty non-terminal's */
} NameShown;

/* In the current context. `prefix`: of the name's group. */
extern void name_shown_read(NameShown *shown, TableDesc *t, Relation rel, Snapshot snapshot, const ZoneValue *zone,
							const uint8 *prefix, size_t prefix_len);

/* The rows of one unit. */
extern RowSet name_shown_unit(const NameShown *shown, const uint8 *key, size_t key_len);

#endif
