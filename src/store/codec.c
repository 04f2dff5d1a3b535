/*
 * codec.c: see codec.h.
 */
#include "postgres.h"

#include "port/pg_crc32c.h"
#include "utils/lsyscache.h"

#include "dnsrepl.h"
#include "store/clock.h"
#include "store/codec.h"
#include "store/delta.h"
#include "store/progress.h"
#include "store/relation.h"
#include "store/schema.h"

void
peer_nonsense(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("invalid message from peer"),
			 errdetail("%s", what)));
}

/* ---------- checksums ---------- */

static uint32
chunk_sum(const void *data, size_t len)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, data, len);
	FIN_CRC32C(crc);
	return crc;
}

void
chunk_seal(StringInfo chunk)
{
	wire_put_u32(chunk, chunk_sum(chunk->data, (size_t) chunk->len));
}

bool
chunk_unseal(WireReader *r)
{
	WireReader	sum;

	if (r->end - r->p < (ptrdiff_t) sizeof(uint32))
		return false;
	r->end -= sizeof(uint32);
	wire_reader_init(&sum, r->end, sizeof(uint32));
	return wire_get_u32(&sum) == chunk_sum(r->p, (size_t) (r->end - r->p));
}

/* ---------- vectors ---------- */

static int64
vector_ranges(const Vector *v)
{
	int64		ranges = 0;

	for (int i = 0; i < v->n; i++)
		ranges += v->entries[i].nranges;
	return ranges;
}

bool
vector_fits(const Vector *v, int room)
{
	return v->n + room <= MAX_ORIGINS && vector_ranges(v) + room <= MAX_RANGES;
}

size_t
vector_size(const Vector *v)
{
	return (size_t) v->n * (ENTRY_SIZE / 2) + (size_t) vector_ranges(v) * 16;
}

bool
versions_fit(const VersionSet *set)
{
	size_t		size = 0;

	for (int i = 0; i < set->n; i++)
		size += set->v[i].image_len;
	return set->n <= MAX_SIBLINGS && size <= MAX_UNIT_SIZE;
}

void
vector_encode(StringInfo out, const Vector *v)
{
	if (!vector_fits(v, 0))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("what this node holds cannot be told: its vector is too large for a message"),
				 errdetail("It has %d origins and " INT64_FORMAT " ranges of stamps; a message has %d and %d.", v->n, vector_ranges(v),
						   MAX_ORIGINS, MAX_RANGES)));
	wire_put_varint(out, (uint64) v->n);
	for (int i = 0; i < v->n; i++)
	{
		const VectorEntry *e = &v->entries[i];
		const OriginInfo *o = origin_info(e->origin);

		wire_put_uuid(out, &o->id);
		wire_put_string(out, o->node, strlen(o->node));
		wire_put_u64(out, (uint64) e->head);
		wire_put_varint(out, (uint64) e->nranges);
		for (int k = 0; k < e->nranges; k++)
		{
			wire_put_u64(out, (uint64) e->ranges[k].first);
			wire_put_u64(out, (uint64) e->ranges[k].last);
		}
	}
}

/* *left: how many there may be. */
static void
ranges_decode(WireReader *r, WireEntry *e, int *left)
{
	uint64		n = wire_get_varint(r);

	if (n > (uint64) *left || n > (uint64) (r->end - r->p) / 16)
	{
		r->bad = true;
		return;
	}
	*left -= (int) n;
	e->nranges = (int) n;
	e->ranges = n ? palloc(sizeof(StampRange) * n) : NULL;
	for (int i = 0; i < e->nranges; i++)
	{
		e->ranges[i].first = (int64) wire_get_u64(r);
		e->ranges[i].last = (int64) wire_get_u64(r);
		if (e->ranges[i].first <= 0 || e->ranges[i].last < e->ranges[i].first || e->ranges[i].last == PG_INT64_MAX)
			r->bad = true;
	}
}

WireEntry *
entries_decode(WireReader *r, int *n)
{
	uint64		count = wire_get_varint(r);
	WireEntry  *entries;
	int			left = MAX_RANGES;

	/* an entry takes at least 26 octets */
	if (r->bad || count > MAX_ORIGINS || count > (uint64) (r->end - r->p) / 26)
	{
		r->bad = true;
		return NULL;
	}
	entries = palloc0(sizeof(WireEntry) * (count + 1));
	for (uint64 i = 0; i < count && !r->bad; i++)
	{
		WireEntry  *e = &entries[i];
		size_t		len;
		const uint8 *node;

		wire_get_uuid(r, &e->origin);
		node = wire_get_string(r, NAMEDATALEN - 1, &len);
		if (node)
			memcpy(e->node, node, len);
		e->head = (int64) wire_get_u64(r);
		if (e->head < 0 || e->head == PG_INT64_MAX || strlen(e->node) != len)
			r->bad = true;
		ranges_decode(r, e, &left);
	}
	*n = (int) count;
	return r->bad ? NULL : entries;
}

Vector *
vector_decode(WireReader *r)
{
	int			n;
	WireEntry  *entries = entries_decode(r, &n);
	Vector	   *v;

	if (!entries)
		return NULL;
	v = vector_new();
	for (int i = 0; i < n; i++)
	{
		int32		number = origin_find(&entries[i].origin);

		progress();
		if (vector_find(v, number))
			return NULL;		/* no origin twice */
		if (number)
			vector_add(v, number, entries[i].head, entries[i].ranges, entries[i].nranges);
	}
	return v;
}

Datum
vector_to_datum(const Vector *v)
{
	StringInfoData out;

	initStringInfo(&out);
	vector_encode(&out, v);
	return PointerGetDatum(varlena_make(out.data, (size_t) out.len));
}

Vector *
vector_from_datum(Datum d)
{
	bytea	   *b = DatumGetByteaPP(d);
	WireReader	r;

	wire_reader_init(&r, VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b));
	return vector_decode(&r);
}

/* ---------- zones ---------- */

void
zone_encode(StringInfo out, const ZoneRef *z)
{
	struct varlena *name;
	Oid			send;
	bool		varlena;
	bytea	   *sent;

	if (z->table)
	{
		wire_put_u8(out, ITEM_TABLE);
		wire_put_u16(out, (uint16) z->table);
		return;
	}
	name = varlena_make(z->name, z->name_len);
	getTypeBinaryOutputInfo(name_type(), &send, &varlena);
	sent = OidSendFunctionCall(send, PointerGetDatum(name));
	wire_put_u8(out, ITEM_ZONE);
	wire_put_string(out, VARDATA(sent), VARSIZE(sent) - VARHDRSZ);
	wire_put_u64(out, Max(z->state.serial, z->state.heard));	/* its SOA record may have to wait for that */
	wire_put_u64(out, z->state.served);
}

void
zone_decode_name(const uint8 *wire, size_t len, ZoneRef *z)
{
	StringInfoData buf;
	Oid			recv,
				ioparam;
	struct varlena *name;

	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, (const char *) wire, (int) len);
	getTypeBinaryInputInfo(name_type(), &recv, &ioparam);
	name = PG_DETOAST_DATUM_PACKED(OidReceiveFunctionCall(recv, &buf, ioparam, -1));
	if (buf.cursor != buf.len)
		peer_nonsense("A zone's name has trailing octets.");
	memset(z, 0, sizeof(*z));
	z->name = (uint8 *) VARDATA_ANY(name);
	z->name_len = VARSIZE_ANY_EXHDR(name);
}
