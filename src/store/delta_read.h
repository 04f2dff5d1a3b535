/*
 * delta_read.h: the octets of a delta (store/codec.h) as what they mean here.
 */
#ifndef DNSREPL_DELTA_READ_H
#define DNSREPL_DELTA_READ_H

#include "postgres.h"

#include "store/codec.h"
#include "store/version.h"

/* What the header of a delta says. */
typedef struct DeltaRead
{
	Vector	   *theirs;			/* what the sender holds: by this its versions and ours are merged */
	Vector	   *collected;		/* how far it may have collected deletions */
	uint8		flags;			/* DELTA_FULL and so on */
	int32	   *origins;		/* local numbers by index in the header's vector */
	int			norigins;
	Vector	   *since;			/* DELTA_SALVAGE: what the sender has written since its store is damaged, */
	int			nsalvaged;		/* and whose versions it has got in the same way */
	pg_uuid_t  *salvaged;
	const uint8 *vector;		/* encoded */
	size_t		vector_len;
} DeltaRead;

typedef struct DeltaItem
{
	ItemKind	kind;
	ZoneRef		zone;
	uint64		serial,			/* of a zone, and the sum of what is served of it, at the sender's */
				served;
	const uint8 *key;
	size_t		key_len;
	int			nversions;
	Version    *versions;			/* their dots have local origins */
	Live		live;				/* of a zone's unit in domains: its incarnations that live at the sender's */
	Dot			dot;				/* of a transaction that has changed the zone, with a local origin */
} DeltaItem;

/*
 * Reads the header. False if the delta was cut for more than this node holds (mine). It must be from that node, and that life
 * of it (NULL: any; name: what it is called, or NULL for a delta that is only looked at). Origins that are new here get their numbers: only under the merge lock.
 */
extern bool delta_header(DeltaRead *d, WireReader *r, const pg_uuid_t *sender, const pg_uuid_t *sender_life, const char *name,
						 const Vector *mine);

/* The next item of a chunk, in the current context; false at its end. */
extern bool delta_item(DeltaRead *d, WireReader *r, DeltaItem *item);

#endif
