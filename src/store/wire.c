/*
 * wire.c: see wire.h.
 */
#include "store/wire.h"

#include "port/pg_bswap.h"

#include "compat.h"

void
wire_reader_init(WireReader *r, const void *data, size_t len)
{
	r->p = data;
	r->end = r->p + len;
	r->bad = false;
}

const uint8 *
wire_get_bytes(WireReader *r, size_t n)
{
	const uint8 *p = r->p;

	if (r->bad || (size_t) (r->end - r->p) < n)
	{
		r->bad = true;
		r->p = r->end;
		return NULL;
	}
	r->p += n;
	return p;
}

uint8
wire_get_u8(WireReader *r)
{
	const uint8 *p = wire_get_bytes(r, 1);

	return p ? *p : 0;
}

uint16
wire_get_u16(WireReader *r)
{
	const uint8 *p = wire_get_bytes(r, 2);

	return p ? (uint16) (p[0] << 8 | p[1]) : 0;
}

uint32
wire_get_u32(WireReader *r)
{
	const uint8 *p = wire_get_bytes(r, 4);
	uint32		v = 0;

	if (p)
		memcpy(&v, p, 4);
	return pg_ntoh32(v);
}

uint64
wire_get_u64(WireReader *r)
{
	const uint8 *p = wire_get_bytes(r, 8);
	uint64		v = 0;

	if (p)
		memcpy(&v, p, 8);
	return pg_ntoh64(v);
}

uint64
wire_get_varint(WireReader *r)
{
	uint64		v = 0;

	for (int shift = 0; shift < 64; shift += 7)
	{
		uint8		b = wire_get_u8(r);

		v |= (uint64) (b & 0x7f) << shift;
		if (!(b & 0x80))
			return r->bad ? 0 : v;
	}
	r->bad = true;
	return 0;
}

const uint8 *
wire_get_string(WireReader *r, size_t most, size_t *len)
{
	uint64		n = wire_get_varint(r);

	*len = 0;
	if (r->bad || n > most)
	{
		r->bad = true;
		return NULL;
	}
	*len = (size_t) n;
	return wire_get_bytes(r, *len);
}

void
wire_get_uuid(WireReader *r, pg_uuid_t *uuid)
{
	const uint8 *p = wire_get_bytes(r, UUID_LEN);

	if (p)
		memcpy(uuid->data, p, UUID_LEN);
	else
		memset(uuid->data, 0, UUID_LEN);
}

void
wire_put_u8(StringInfo s, uint8 v)
{
	appendStringInfoCharMacro(s, (char) v);
}

void
wire_put_u16(StringInfo s, uint16 v)
{
	v = pg_hton16(v);
	appendBinaryStringInfo(s, (char *) &v, 2);
}

void
wire_put_u32(StringInfo s, uint32 v)
{
	v = pg_hton32(v);
	appendBinaryStringInfo(s, (char *) &v, 4);
}

void
wire_put_u64(StringInfo s, uint64 v)
{
	v = pg_hton64(v);
	appendBinaryStringInfo(s, (char *) &v, 8);
}

void
wire_put_varint(StringInfo s, uint64 v)
{
	while (v >= 0x80)
	{
		wire_put_u8(s, (uint8) (v | 0x80));
		v >>= 7;
	}
	wire_put_u8(s, (uint8) v);
}

void
wire_put_string(StringInfo s, const void *data, size_t len)
{
	wire_put_varint(s, len);
	appendBinaryStringInfo(s, data, (int) len);
}

void
wire_put_uuid(StringInfo s, const pg_uuid_t *uuid)
{
	appendBinaryStringInfo(s, (const char *) uuid->data, UUID_LEN);
}

struct varlena *
varlena_make(const void *data, size_t len)
{
	struct varlena *v = palloc(VARHDRSZ + len);

	SET_VARSIZE(v, VARHDRSZ + len);
	if (len)
		memcpy(VARDATA(v), data, len);
	return v;
}
