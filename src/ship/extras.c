/*
 * extras.c: see extras.h. By hashes of zone and name: two that had the same would only have an RRset put off that could be told.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "ship/extras.h"
#include "store/relation.h"
#include "type/dnsname.h"

struct Extras
{
	HTAB	   *names;			/* of ExtraName; NULL: there are none */
};

typedef struct ExtraName
{
	uint64		hash;
	int			there;			/* EXTRA_CNAME and the like */
} ExtraName;

static uint64
name_hash(const uint8 *zone, size_t zone_len, const uint8 *name, size_t name_len)
{
	return hash_combine64(hash_bytes_extended(zone, (int) zone_len, 0), hash_bytes_extended(name, (int) name_len, 1));
}

static void
extra_put(Extras *e, Datum zone_datum, Datum name_datum, uint16 type, MemoryContext context)
{
	Dnsname    *zone = DatumGetDnsname(zone_datum);
	Dnsname    *name = DatumGetDnsname(name_datum);
	uint64		hash = name_hash(dnsname_octets(zone), dnsname_length(zone), dnsname_octets(name), dnsname_length(name));
	ExtraName  *n;
	bool		found;

	if (!e->names)
	{
		HASHCTL		ctl = {.keysize = sizeof(uint64), .entrysize = sizeof(ExtraName), .hcxt = context};

		e->names = hash_create("dnsrepl extra names", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	n = hash_search(e->names, &hash, HASH_ENTER, &found);
	n->there = (found ? n->there : 0) | (type == TYPE_CNAME ? EXTRA_CNAME : EXTRA_OTHER);
}

Extras *
extras_read(const char *server, MemoryContext context)
{
	Extras	   *e = MemoryContextAllocZero(context, sizeof(Extras));
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(server)};

	SPI_connect();
	if (SPI_execute_with_args("SELECT zone, name, type FROM dnsrepl.server_extra WHERE server = $1", 1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read dnsrepl.server_extra");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		extra_put(e, SPI_getbinval(row, desc, 1, &isnull), SPI_getbinval(row, desc, 2, &isnull),
				  DatumGetUInt16(SPI_getbinval(row, desc, 3, &isnull)), context);
	}
	SPI_finish();
	return e;
}

int
extras_at(const Extras *e, const uint8 *zone, size_t zone_len, const uint8 *name, size_t name_len)
{
	uint64		hash;
	const ExtraName *n;

	if (!e->names)
		return 0;
	hash = name_hash(zone, zone_len, name, name_len);
	n = hash_search(e->names, &hash, HASH_FIND, NULL);
	return n ? n->there : 0;
}

int
extras_clash(int there, const uint8 *name, size_t name_len, UpdateSet *sets, int n, const DifferenceSink *sink)
{
	int			kept = 0;

	for (int i = 0; i < n; i++)
	{
		if (sets[i].n > 0 && (there & (sets[i].type == TYPE_CNAME ? EXTRA_OTHER : EXTRA_CNAME)))
			sink->cannot(name, name_len, sets[i].type, sets[i].type == TYPE_CNAME ?
						 "others keep records at this name there, and a CNAME record cannot stand beside them: see dnsrepl.server_extra" :
						 "others keep a CNAME record at this name there, and nothing can stand beside it: see dnsrepl.server_extra", sink->arg);
		else
			sets[kept++] = sets[i];
	}
	return kept;
}

/* ---------- found ---------- */

void
extras_found(ExtrasFound *f, const uint8 *name, size_t name_len, uint16 type)
{
	if (f->n == MAX_EXTRAS_SHOWN)
		return;
	if (f->n == f->cap)
	{
		f->cap = f->cap ? f->cap * 2 : 16;
		f->names = f->names ? repalloc(f->names, sizeof(Datum) * (size_t) f->cap) : palloc(sizeof(Datum) * (size_t) f->cap);
		f->types = f->types ? repalloc(f->types, sizeof(Datum) * (size_t) f->cap) : palloc(sizeof(Datum) * (size_t) f->cap);
	}
	f->names[f->n] = PointerGetDatum(dnsname_make(name, name_len));
	f->types[f->n++] = Int32GetDatum((int32) type);
}

void
extras_write(const char *server, const uint8 *zone, size_t zone_len, const ExtrasFound *f)
{
	Oid			name = name_type();
	int16		len;
	bool		byval;
	char		align;
	Oid			types[4] = {TEXTOID, name, get_array_type(name), INT4ARRAYOID};
	Datum		values[4] = {CStringGetTextDatum(server), PointerGetDatum(dnsname_make(zone, zone_len))};

	get_typlenbyvalalign(name, &len, &byval, &align);
	values[2] = PointerGetDatum(construct_array(f->names, f->n, name, len, byval, align));
	values[3] = PointerGetDatum(construct_array(f->types, f->n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
	SPI_connect();
	if (SPI_execute_with_args("SELECT dnsrepl.server_extras($1, $2, $3, $4)", 4, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not write dnsrepl.server_extra");
	SPI_finish();
}
