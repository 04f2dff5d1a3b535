/*
 * zone_signing.h: how PowerDNS signs a zone: by its keys and metadata.
 */
#ifndef DNSREPL_ZONE_SIGNING_H
#define DNSREPL_ZONE_SIGNING_H

#include "dns/name.h"
#include "dns/ordername.h"
#include "store/relation.h"

/*
 * A hash is repeated so often at most. Of a zone that it signs itself PowerDNS heeds no more (max-nsec3-iterations), of one that
 * comes signed it heeds all: 39 ms a name for 65,535. No validator believes more than 150 (RFC 9276), and none ever had to believe
 * more than 500 of a zone with keys of 2048 bits (RFC 5155 section 10.3): beyond that the order of the names is of no use to
 * anybody, and is made as if there were SIGNED_ITERATIONS.
 */
#define SIGNED_ITERATIONS		100
#define PRESIGNED_ITERATIONS	500

typedef struct ZoneSigning
{
	bool		secured;		/* it has an active key, or comes signed */
	bool		presigned;		/* the latter */
	bool		nsec3;			/* else NSEC */
	bool		narrow;			/* NSEC3 made up for each question: nothing is in order */
	bool		opt_out;		/* RFC 5155 section 6 */
	bool		unreadable;		/* metadata NSEC3PARAM are not what they should be: as if there were none */
	int			asked;			/* iterations, by the metadata */
	int			iterations;		/* as they are done */
	uint8		salt[NSEC3_SALT_MAX];
	int			salt_len;
} ZoneSigning;

/* Of the zone with this id in domains. */
extern ZoneSigning zone_signing(int32 id, Snapshot snapshot);

/* The same for the same way of signing; never 0. */
extern uint64 zone_signing_hash(const ZoneSigning *s);

#endif
