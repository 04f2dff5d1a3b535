/*
 * table_shape.h: what a replicated table has to be like: which type the code takes each of its columns for.
 */
#ifndef DNSREPL_TABLE_SHAPE_H
#define DNSREPL_TABLE_SHAPE_H

#include "postgres.h"

#include "utils/rel.h"

typedef enum ShapeKind
{
	SHAPE_ANY,					/* of a table that the code does not know by number */
	SHAPE_TEXT,					/* text, varchar, char */
	SHAPE_NAME,					/* dnsname */
	SHAPE_RRTYPE,
	SHAPE_INT4,
	SHAPE_BOOL,
	SHAPE_INET,
	SHAPE_UUID,
	SHAPE_JSONB
} ShapeKind;

/* A column of a replicated table, by the table's number. SHAPE_ANY: the code does not know it. */
extern ShapeKind table_shape_kind(int16 table, const char *column);

/* Is it of that kind? A domain is what it is made of. */
extern bool table_shape_fits(ShapeKind kind, Oid type);

/*
 * What is wrong with a column that the code reads, or with the table as such, as a sentence in the current context; NULL: nothing.
 * The table is locked.
 */
extern char *table_shape_column_problem(Relation rel, int16 table, const char *column);
extern char *table_shape_problem(Relation rel, int16 table);

/* The same for whoever must not wait: false if somebody has locked the table. *problem: NULL too if there is no such table. */
extern bool table_shape_look(Oid relid, int16 table, char **problem);

#endif
