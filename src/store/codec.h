/*
 * codec.h: the octets of a delta, written by delta.c and read by merge/ (doc/protocol.md).
 *
 * header (first chunk): u8 'D', sender's node and life (uuid), string name, vector, base vector.
 * later chunks: u8 'C'. Then items: u8 1 zone: name (string, DNS wire form), u64 serial (0: none),
 * u64 sum of what is served of it; u8 2 table without zones (u16);
 * u8 3 unit: string key, varint versions, each: varint index of its origin in the header's vector, u64 stamp, string
 * image; and if it is a zone's unit in domains, varint incarnations that live, each: index of its origin, u64 stamp;
 * u8 4 transaction: one that has changed the zone, and others of the delta: varint index of its origin, u64 stamp. Zones come in zone_order, a zone's
 * transactions before its units, which are sorted by key.
 * Every chunk ends with the CRC-32C of what is before (u32): a chunk that is cut short at the end of an item would be a
 * delta whose vector claims what was not sent, and that makes others delete it.
 * vector: varint entries, each: uuid origin, string node name, u64 head, varint ranges, each u64 first, u64 last.
 */
#ifndef DNSREPL_CODEC_H
#define DNSREPL_CODEC_H

#include "dnsrepl.h"
#include "store/origin.h"
#include "store/version.h"
#include "store/wire.h"

#define CHUNK_FIRST 'D'
#define CHUNK_NEXT 'C'

typedef enum ItemKind
{
	ITEM_ZONE = 1,
	ITEM_TABLE = 2,
	ITEM_UNIT = 3,
	ITEM_TRANSACTION = 4
} ItemKind;

/* An entry of an encoded vector, before its origin has a local number. */
typedef struct WireEntry
{
	pg_uuid_t	origin;
	char		node[NAMEDATALEN];
	int64		head;
	int			nranges;
	StampRange *ranges;
} WireEntry;

/* Does a vector fit into a message, with room for so many more entries and ranges? */
extern bool vector_fits(const Vector *v, int room);

/* The octets it takes, about: no less than half of them. */
extern size_t vector_size(const Vector *v);

/* Can the versions of a unit go together? */
extern bool versions_fit(const VersionSet *set);

/* NULL if the octets make no vector (r is bad then). */
extern WireEntry *entries_decode(WireReader *r, int *n);

extern void zone_encode(StringInfo out, const ZoneRef *zone);

/* The name in a zone item to its stored form; raises 22P03 for what is no name. */
extern void zone_decode_name(const uint8 *wire, size_t len, ZoneRef *zone);

/* Ends a chunk with its checksum; takes it off again, false if it is not the chunk's. */
extern void chunk_seal(StringInfo chunk);
extern bool chunk_unseal(WireReader *r);

/* For octets that no peer of ours sends: 08P01. */
extern void peer_nonsense(const char *what) __attribute__((noreturn));

#endif
