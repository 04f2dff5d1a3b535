/*
 * delta.h: what one node sends another (DESIGN 5; octets in doc/protocol.md).
 *
 * A delta is cut in one snapshot. If it is larger than dnsrepl.chunk_size it has several chunks and waits in a
 * temporary file, so that neither memory nor a snapshot is held for the time of a slow link.
 */
#ifndef DNSREPL_DELTA_H
#define DNSREPL_DELTA_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "store/origin.h"
#include "store/wire.h"

/* What a node says of itself at the start of a link. */
typedef struct Greeting
{
	uint32		protocol;
	pg_uuid_t	node;
	pg_uuid_t	life;
	char		name[NAMEDATALEN];
	TimestampTz time;			/* what its clock says */
	const uint8 *vector;		/* encoded; points into the bytes that were decoded */
	size_t		vector_len;
} Greeting;

extern void greeting_encode(StringInfo out, const NodeInfo *node, const pg_uuid_t *life, const Vector *held);
extern bool greeting_decode(const void *data, size_t len, Greeting *g);	/* false: not a greeting */

/* What merge() and merge_done() answer. */
typedef enum AnswerStatus
{
	ANSWER_MERGED = 1,
	ANSWER_REBASE = 2			/* the delta was cut for more than this node holds: cut again */
} AnswerStatus;

typedef struct Answer
{
	AnswerStatus status;
	const uint8 *vector;
	size_t		vector_len;
} Answer;

extern void answer_encode(StringInfo out, AnswerStatus status, const Vector *held);
extern bool answer_decode(const void *data, size_t len, Answer *a);

typedef struct Delta Delta;

/*
 * Cuts a delta for a peer, in a transaction of its own (call it outside of any). The peer is known by its node id
 * and its life, and holds what its vector (encoded, as it came in a greeting or an answer) says, and, unless
 * `exact`, also what a delta of that life merged here since has shown. NULL if the peer lacks nothing.
 * Lives in the memory context that is current.
 */
extern Delta *delta_cut(const pg_uuid_t *peer, const pg_uuid_t *peer_life,
						const uint8 *peer_vector, size_t peer_vector_len, bool exact);
extern int	delta_chunks(const Delta *d);

/* The next chunk, in order, or NULL; valid until the next call. */
extern StringInfo delta_next_chunk(Delta *d);
extern void delta_free(Delta *d);

/* How many units this node holds that such a peer lacks, at most `most`; *oldest is the smallest stamp of them, or 0. */
extern int64 delta_count_lacking(const uint8 *peer_vector, size_t peer_vector_len, int64 most, int64 *oldest);

/* Vectors by origin ids. Decoding drops origins that this node does not know; NULL if the octets make no vector. */
extern void vector_encode(StringInfo out, const Vector *v);
extern Vector *vector_decode(WireReader *r);

#endif
