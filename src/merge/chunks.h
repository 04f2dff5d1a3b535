/*
 * chunks.h: the octets of a delta as they are merged: one payload, or what was staged.
 */
#ifndef DNSREPL_CHUNKS_H
#define DNSREPL_CHUNKS_H

#include "postgres.h"

#include "utils/uuid.h"

#include "store/wire.h"

typedef struct Chunks
{
	const uint8 *payload;		/* of a delta of one chunk */
	size_t		payload_len;
	pg_uuid_t	node;			/* else: what dnsrepl.staging has of it */
	int64		session;
	const char *name;			/* of the node, if strangers_read() gave it */
	int64		delta;
	int			n;
	int			next;
} Chunks;

/* The next chunk, in the current memory context; false at the end. Raises 08P01 if one is missing. */
extern bool chunks_next(Chunks *c, WireReader *r);

/* The same from its items on: the header of the first is skipped, it was read before (store/delta_read.h). */
extern bool chunks_items(Chunks *c, WireReader *r);

/*
 * What this session stages is its own: no other one, of the same node either, reads it or takes it away. What waits has a bound on disk,
 * dnsrepl.staging_limit: 53400 beyond it, until what nobody needs any more has been vacuumed. Of a stranger a sixteenth of that is kept.
 */
extern Chunks chunks_staged(const pg_uuid_t *node, int64 delta, int32 n);
extern void chunk_stage(const Chunks *c, int32 seq, struct varlena *payload, bool stranger);

/* Takes away what this session has staged, and what sessions of that node have left that are over. */
extern void chunks_unstage(const pg_uuid_t *node);

/* What this session stages of a delta, and neither merges nor keeps, goes when it ends; NULL: there is nothing any more. */
extern void chunks_end_with_session(const pg_uuid_t *node);

/* The sender's delta has been merged: there is no need to keep an earlier one. */
extern void chunks_merged(const pg_uuid_t *node);

/*
 * Keeps a delta of a stranger that must not be merged yet, instead of an earlier one, and of the one that came first of MAX_STRANGERS others; and forgets
 * those of all strangers.
 */
extern void chunks_keep(const pg_uuid_t *node, const char *name, const Chunks *chunks);
extern void strangers_forget(void);

/* The deltas that are kept, in the current context. */
extern Chunks *strangers_read(int *n);

#endif
