/*
 * zone_keys.c: see zone_keys.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "utils/lsyscache.h"

#include "zone/zone_keys.h"

typedef struct KeyLook
{
	AttrNumber	flags,
				active;
	bool		signing,
				found;
} KeyLook;

static void
look_at_key(TableDesc *t, TupleTableSlot *slot, void *arg)
{
	KeyLook    *look = arg;
	bool		isnull;
	int32		flags = DatumGetInt32(slot_getattr(slot, look->flags, &isnull));

	/* the secure entry point is the lowest bit (RFC 4034 2.1.1) */
	if (isnull || (look->signing && !(flags & 1)))
		return;
	look->found |= DatumGetBool(slot_getattr(slot, look->active, &isnull)) && !isnull;
}

bool
zone_has_active_key(int32 id, bool signing, Snapshot snapshot)
{
	TableDesc  *t = table_by_number(TABLE_CRYPTOKEYS);
	KeyLook		look = {.signing = signing};
	ZoneValue	at = {.id = id};
	Relation	rel;

	if (!t || !id)
		return false;
	rel = table_open_as(t, AccessShareLock);
	look.flags = get_attnum(t->relid, "flags");
	look.active = get_attnum(t->relid, "active");
	zone_rows(t, rel, snapshot, &at, look_at_key, &look);
	table_close(rel, NoLock);
	return look.found;
}
