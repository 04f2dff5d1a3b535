/*
 * digest.c: dnsrepl.digest(): what this node serves, as a number.
 *
 * For every row of the replicated tables that belongs to a unit, a hash of zone name, key and shipped columns; the sum
 * over all rows, so that no order is needed. Ids and what is local to a node are left out. Two hashes of 64 bits.
 */
#include "postgres.h"

#include "access/table.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "store/progress.h"
#include "store/relation.h"
#include "store/wire.h"

PG_FUNCTION_INFO_V1(dnsrepl_digest);
PG_FUNCTION_INFO_V1(dnsrepl_digest_zone);

typedef struct ZoneOfId
{
	int32		id;
	bool		known;
	uint8	   *name;
	size_t		len;
} ZoneOfId;

typedef struct Digest
{
	uint64		sum[2];
	HTAB	   *zones;
	StringInfoData row;
	MemoryContext context,
				scratch;
} Digest;

static void
put_zone(Digest *d, TableDesc *t, const ZoneValue *zone)
{
	ZoneOfId   *z;
	bool		found;
	MemoryContext old;

	if (t->zone == ZONE_SELF)
		wire_put_string(&d->row, zone->name, zone->name_len);
	if (t->zone != ZONE_BY_ID)
		return;
	z = hash_search(d->zones, &zone->id, HASH_ENTER, &found);
	if (!found)
	{
		old = MemoryContextSwitchTo(d->context);
		z->known = domain_name(GetActiveSnapshot(), zone->id, &z->name, &z->len, NULL);
		MemoryContextSwitchTo(old);
	}
	if (z->known)
		wire_put_string(&d->row, z->name, z->len);
}

static void
digest_row(TableDesc *t, TupleTableSlot *slot, void *arg)
{
	Digest	   *d = arg;
	MemoryContext old = MemoryContextSwitchTo(d->scratch);
	ZoneValue	zone;

	progress();
	resetStringInfo(&d->row);
	if (zone_value(t, slot, &zone))
	{
		put_zone(d, t, &zone);
		if (key_encode(&d->row, t, slot))
		{
			row_encode(&d->row, t, slot);
			for (int i = 0; i < 2; i++)
				d->sum[i] += hash_bytes_extended((unsigned char *) d->row.data, d->row.len, (uint64) i + 1);
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(d->scratch);
}

static void
digest_begin(Digest *d)
{
	HASHCTL		ctl = {.keysize = sizeof(int32), .entrysize = sizeof(ZoneOfId), .hcxt = CurrentMemoryContext};

	memset(d, 0, sizeof(*d));
	tables_refresh();
	d->context = CurrentMemoryContext;
	d->scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl digest", ALLOCSET_DEFAULT_SIZES);
	d->zones = hash_create("dnsrepl zones by id", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	initStringInfo(&d->row);
}

static void
digest_table(Digest *d, TableDesc *t, const ZoneValue *zone)
{
	Relation	rel = table_open_as(t, AccessShareLock);

	zone_rows(t, rel, GetActiveSnapshot(), zone, digest_row, d);
	table_close(rel, AccessShareLock);
}

static Datum
digest_text(const Digest *d)
{
	return CStringGetTextDatum(psprintf("%016llx%016llx", (unsigned long long) d->sum[0], (unsigned long long) d->sum[1]));
}

/* digest() returns text */
Datum
dnsrepl_digest(PG_FUNCTION_ARGS)
{
	Digest		d;
	TableDesc  *t;
	int			position = 0;

	digest_begin(&d);
	(void) table_domains();
	while ((t = table_next(&position)) != NULL)
		if (t->number != TABLE_ROLL)
			digest_table(&d, t, NULL);
	return digest_text(&d);
}

/* digest(zone dnsname) returns text */
Datum
dnsrepl_digest_zone(PG_FUNCTION_ARGS)
{
	struct varlena *name = PG_GETARG_VARLENA_PP(0);
	Digest		d;
	TableDesc  *t;
	int			position = 0;
	ZoneValue	zone = {.name = (uint8 *) VARDATA_ANY(name), .name_len = VARSIZE_ANY_EXHDR(name)};

	digest_begin(&d);
	(void) table_domains();
	zone.id = domain_id(GetActiveSnapshot(), zone.name, zone.name_len);
	while ((t = table_next(&position)) != NULL)
		if (t->zone == ZONE_SELF || (t->zone == ZONE_BY_ID && zone.id))
			digest_table(&d, t, &zone);
	return digest_text(&d);
}
