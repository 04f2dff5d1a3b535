/*
 * unit_json.h: keys and rows of units as people and SQL functions read them.
 */
#ifndef DNSREPL_UNIT_JSON_H
#define DNSREPL_UNIT_JSON_H

#include "utils/jsonb.h"

#include "store/relation.h"
#include "store/version.h"

#define MAX_JSON_ROWS 10000		/* rows that a function may give for one unit */

/*
 * Appends an array of objects: the shipped columns of each row. NULL, or why the rows cannot be decoded here: then "?" stands for each,
 * as for rows of a table that is not here.
 */
extern const char *json_rows(StringInfo out, TableDesc *t, int ncolumns, const RowSet *rows);

/* Appends an object: the key columns; "octets" if they cannot be decoded. */
extern void json_key(StringInfo out, TableDesc *t, const uint8 *key, size_t key_len);

/*
 * Appends an array of {"node", "user", "stamp", "written_at", "rows"}, by (stamp, origin); rows: null for a deletion.
 * t: NULL if the table is not replicated here. Without `secrets`, private keys are hidden. False: some rows cannot be shown; those
 * versions have a "problem", which says why.
 */
extern bool json_versions(StringInfo out, TableDesc *t, const VersionSet *set, bool secrets);

/* The same rows without private keys and shared secrets. */
extern RowSet rows_without_secrets(TableDesc *t, int ncolumns, const RowSet *rows);

/* The text as a jsonb. */
extern Datum json_datum(StringInfo json);

/* Rows of a table from an array of objects, sorted; columns that are not there are null. Raises 22023 and what input functions raise. */
extern RowSet rows_from_json(TableDesc *t, Jsonb *json);

#endif
