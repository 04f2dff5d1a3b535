/*
 * greeting.h: what a node says of itself at the start of a link and whenever it is quiet, both ends alike, and what it
 * answers to a delta (octets in doc/protocol.md).
 */
#ifndef DNSREPL_GREETING_H
#define DNSREPL_GREETING_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "store/node.h"
#include "store/vector.h"
#include "store/wire.h"

#define GREETING_HAS_DATA	1	/* it holds versions of its users' */
#define GREETING_JOINS		2	/* it has been told to join another cluster */
#define GREETING_DAMAGED	4	/* its store is not what it was */
#define GREETING_DEFERS		8	/* it keeps something that is not in its store yet: deferred.h */
#define GREETING_FLAGS		15

/* What some node was seen to hold: store/peer_vector.h. */
typedef struct KnownVector
{
	pg_uuid_t	node;
	pg_uuid_t	life;
	char		name[NAMEDATALEN];
	TimestampTz heard;			/* when, by the clock of who heard it */
	const uint8 *vector;		/* encoded */
	size_t		vector_len;
} KnownVector;

typedef struct Greeting
{
	uint32		protocol;
	uint64		session;		/* of an answer: the number of the session; of a call: that number, 0 in the first */
	pg_uuid_t	node;
	pg_uuid_t	life;
	char		name[NAMEDATALEN];
	TimestampTz time;			/* what its clock says */
	TimestampTz began;			/* when its life did */
	uint8		flags;
	int			nclusters;
	pg_uuid_t  *clusters;
	const uint8 *vector;		/* encoded; points into the bytes that were decoded */
	size_t		vector_len;
	int			nknown;
	KnownVector *known;
} Greeting;

/*
 * This node's greeting, of its present state. With `known`: also what it knows of other members, which need not be told
 * each time. *life: the life that speaks.
 */
extern void greeting_encode(StringInfo out, uint64 session, bool known, pg_uuid_t *life);

/* False: not a greeting. Of one in another version of the protocol, only that is read. */
extern bool greeting_decode(const void *data, size_t len, Greeting *g);

/* Is it time to tell what is known of others? *last: when that was done last, 0: never; set to now if so. */
extern bool greeting_tells_known(TimestampTz *last);

/*
 * Takes notice of what a greeting says: its vector, and those of others, as far as this node holds all that they cover, and
 * with that all that their nodes had written by then. In a transaction.
 */
extern void greeting_learn(const Greeting *g);

/*
 * Is what a node was seen to hold worth keeping? Of members only; and no vector of which this node holds all is much larger than its own.
 */
extern bool known_is_kept(const KnownVector *k, const Vector *held);

/*
 * Of a node that keeps something that is not in its store yet, its vector covers deletions which an author there, whose commit hangs, has not
 * seen: they must not be collected. So it gets the vector that was known before. False: none was.
 */
extern bool known_as_before(KnownVector *k);

/* How two nodes stand to each other. */
typedef enum Meeting
{
	MEET_SAME,					/* one cluster */
	MEET_UNITE,					/* they become one: one of them has no data yet */
	MEET_I_JOIN,				/* this node has been told to join the other's */
	MEET_THEY_JOIN,
	MEET_BOTH_JOIN,				/* nonsense: one of them has to stay */
	MEET_STRANGERS				/* both have data, and nobody has said whose counts */
} Meeting;

extern Meeting greeting_meet(const NodeInfo *me, bool has_data, const Greeting *g);

/* What merge() and merge_done() answer. */
typedef enum AnswerStatus
{
	ANSWER_MERGED = 1,
	ANSWER_REBASE = 2,			/* the delta was cut for more than this node holds: cut again */
	ANSWER_KEPT = 3				/* not merged: this node has data of its own, and waits to be told whose counts */
} AnswerStatus;

typedef struct Answer
{
	AnswerStatus status;
	const uint8 *vector;
	size_t		vector_len;
} Answer;

extern void answer_encode(StringInfo out, AnswerStatus status, const Vector *held);
extern bool answer_decode(const void *data, size_t len, Answer *a);

#endif
