/*
 * zone_signing.h: how PowerDNS signs a zone: by its keys and metadata.
 */
#ifndef DNSREPL_ZONE_SIGNING_H
#define DNSREPL_ZONE_SIGNING_H

#include "dns/name.h"
#include "dns/ordername.h"
#include "store/relation.h"

typedef struct ZoneSigning
{
	bool		secured;		/* it has an active key, or comes signed */
	bool		presigned;		/* the latter */
	bool		nsec3;			/* else NSEC */
	bool		narrow;			/* NSEC3 made up for each question: nothing is in order */
	bool		opt_out;		/* RFC 5155 section 6 */
	int			iterations;
	uint8		salt[NSEC3_SALT_MAX];
	int			salt_len;
} ZoneSigning;

/* Of the zone with this id in domains. */
extern ZoneSigning zone_signing(int32 id, Snapshot snapshot);

/* The same for the same way of signing; never 0. */
extern uint64 zone_signing_hash(const ZoneSigning *s);

#endif
