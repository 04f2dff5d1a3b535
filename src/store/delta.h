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
#include "store/version.h"
#include "store/wire.h"

typedef struct Delta Delta;

/* Bits of a delta's header. */
#define DELTA_FULL		1		/* it has all that the sender holds: what is not in it, the sender does not hold */
#define DELTA_REPAIR	2		/* the zones in it differ at both ends, though both hold the same: see merge/merge.c */
#define DELTA_SALVAGE	4		/* all versions of a node whose store is damaged, for another such one: see merge/mend.c */
#define DELTA_DEFERS	8		/* the sender keeps something that is not in its store yet: deferred.h */
#define DELTA_FLAGS		15

/* What the connection to a peer is good for. */
typedef enum PeerTrust
{
	PEER_READABLE,				/* somebody on the way can read along */
	PEER_UNVERIFIED,			/* nobody can, but it may be anybody's */
	PEER_VERIFIED				/* private keys may be sent */
} PeerTrust;

/* The peer that a delta is cut for. */
typedef struct DeltaFor
{
	pg_uuid_t	node;
	pg_uuid_t	life;
	const uint8 *vector;		/* what it holds, encoded, as it came in a greeting or an answer */
	size_t		vector_len;
	bool		exact;			/* only that; else also what a vector of that life that came here since has shown */
	PeerTrust	trust;
	int			nzones;			/* > 0: a repair of these zones (in zone_order), whatever the peer holds */
	const ZoneRef *zones;
	bool		salvage;		/* both are damaged: all that is left here, whatever the peer holds */
} DeltaFor;

/*
 * Cuts a delta for a peer, in a transaction of its own (call it outside of any). NULL if the peer lacks nothing.
 * Lives in the memory context that is current. Raises 42501 if it would have private keys and must not, 55000 if this node's
 * store is damaged.
 */
extern Delta *delta_cut(const DeltaFor *peer);
extern int	delta_chunks(const Delta *d);

/* The next chunk, in order, or NULL; valid until the next call. */
extern StringInfo delta_next_chunk(Delta *d);
extern void delta_free(Delta *d);

/* How many units this node holds that such a peer lacks, at most `most`; *oldest is the smallest stamp of them, or 0. */
extern int64 delta_count_lacking(const uint8 *peer_vector, size_t peer_vector_len, int64 most, int64 *oldest);

/* Vectors by origin ids. Decoding drops origins that this node does not know; NULL if the octets make no vector. */
extern void vector_encode(StringInfo out, const Vector *v);
extern Vector *vector_decode(WireReader *r);

/* The same, as a bytea that SQL has. */
extern Datum vector_to_datum(const Vector *v);
extern Vector *vector_from_datum(Datum d);

#endif
