/*
 * wire.h: bytes to values and back, for what is stored and what crosses a link.
 *
 * Integers are big-endian; `varint` is LEB128, at most 10 octets. A reader never reads past its end: after
 * the first impossible read it is `bad`, and gives zeros from then on, so that callers check once per item.
 */
#ifndef DNSREPL_WIRE_H
#define DNSREPL_WIRE_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/uuid.h"

#define BYTEA_LESS 1957			/* pg_operator: bytea < bytea, in which such strings are sorted */

typedef struct WireReader
{
	const uint8 *p,
			   *end;
	bool		bad;
} WireReader;

extern void wire_reader_init(WireReader *r, const void *data, size_t len);
extern uint8 wire_get_u8(WireReader *r);
extern uint16 wire_get_u16(WireReader *r);
extern uint32 wire_get_u32(WireReader *r);
extern uint64 wire_get_u64(WireReader *r);
extern uint64 wire_get_varint(WireReader *r);
extern const uint8 *wire_get_bytes(WireReader *r, size_t n);	/* NULL if there are not as many */

/* A varint length and that many octets; NULL if they are not there or more than `most`. */
extern const uint8 *wire_get_string(WireReader *r, size_t most, size_t *len);
extern void wire_get_uuid(WireReader *r, pg_uuid_t *uuid);
static inline bool
wire_at_end(const WireReader *r)
{
	return r->p >= r->end;
}

extern void wire_put_u8(StringInfo s, uint8 v);
extern void wire_put_u16(StringInfo s, uint16 v);
extern void wire_put_u32(StringInfo s, uint32 v);
extern void wire_put_u64(StringInfo s, uint64 v);
extern void wire_put_varint(StringInfo s, uint64 v);
extern void wire_put_string(StringInfo s, const void *data, size_t len);
extern void wire_put_uuid(StringInfo s, const pg_uuid_t *uuid);

/* Octets as a datum of any type whose value they are: bytea, text, dnsname. */
extern struct varlena *varlena_make(const void *data, size_t len);

#endif
