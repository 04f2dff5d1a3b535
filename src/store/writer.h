/*
 * writer.h: rows of one serving table, written as the store has them.
 */
#ifndef DNSREPL_WRITER_H
#define DNSREPL_WRITER_H

#include "store/image.h"
#include "store/relation.h"

typedef struct Writer Writer;

/*
 * Opens a table for writing, as its owner, in a restricted context, with CODE_SEARCH_PATH; checks and triggers that fire for
 * replicas do. Close it before another is opened; an error ends the subtransaction, and with it the writer.
 */
extern Writer *writer_open(TableDesc *t);
extern void writer_close(Writer *w);
extern Relation writer_relation(Writer *w);

/* A new row; returns its id if the table is domains. Locals get their defaults. */
extern int32 writer_insert(Writer *w, const ZoneValue *zone, const uint8 *key, size_t key_len, const Row *row);

/* Locks the row that is there, and changes the shipped columns only. */
extern void writer_update(Writer *w, const Row *old, const Row *new);
extern void writer_delete(Writer *w, const ItemPointerData *tid);

/* Values of columns that are local to a node, by attribute number. */
typedef struct Locals
{
	int			n;
	AttrNumber	att[5];
	Datum		values[5];
	bool		nulls[5];
} Locals;

/*
 * Before something is written as a table's owner: those of its triggers that are deferred run at once until the transaction ends;
 * of_edits: those too that do not fire for replicas.
 */
extern void triggers_at_once(const struct TriggerDesc *triggers, bool of_edits);

/*
 * These are for rows and columns that are not shipped; a row of no unit is added with the defaults for what is not given.
 * Nobody is waited for: false if somebody else has the row, or has changed it.
 */
extern bool writer_set_locals(Writer *w, const ItemPointerData *tid, const Locals *locals);
extern void writer_add_local(Writer *w, const Locals *locals);
extern bool writer_drop_local(Writer *w, const ItemPointerData *tid);

/*
 * Runs fn with the triggers that fire for replicas only, and none of this extension's; an error is thrown on. What was written
 * is seen afterwards; it is given the rows as they are now, by the active snapshot.
 */
extern void writing_locals(void (*fn) (void *arg), void *arg);

/* What to keep of an error: its message, and what the writer adds if something of the owner's was not found. */
extern char *writer_error(const ErrorData *e);

/*
 * Writes one row anew without waiting for anybody: false if somebody has it locked. No trigger of this extension takes note
 * of it, and none of the user's fires but those for replicas.
 */
extern bool row_overwrite(TableDesc *t, const Row *row, const Row *new);

#endif
