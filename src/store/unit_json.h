/*
 * unit_json.h: keys and rows of units as people and SQL functions read them.
 */
#ifndef DNSREPL_UNIT_JSON_H
#define DNSREPL_UNIT_JSON_H

#include "utils/jsonb.h"

#include "store/relation.h"

#define MAX_JSON_ROWS 10000		/* rows that a function may give for one unit */

/* Appends an array of objects: the shipped columns of each row. */
extern void json_rows(StringInfo out, TableDesc *t, int ncolumns, const RowSet *rows);

/* Appends an object: the key columns. */
extern void json_key(StringInfo out, TableDesc *t, const uint8 *key, size_t key_len);

/* The text as a jsonb. */
extern Datum json_datum(StringInfo json);

/* Rows of a table from an array of objects, sorted; columns that are not there are null. Raises 22023 and what input functions raise. */
extern RowSet rows_from_json(TableDesc *t, Jsonb *json);

#endif
