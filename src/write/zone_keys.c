/*
 * zone_keys.c: see zone_keys.h.
 */
#include "postgres.h"

#include "utils/lsyscache.h"

#include "write/zone_keys.h"

typedef struct KeyLook
{
	AttrNumber	flags,
				active;
	bool		found;
} KeyLook;

static void
look_at_key(TableDesc *t, TupleTableSlot *slot, void *arg)
{
	KeyLook    *look = arg;
	bool		isnull;
	int32		flags = DatumGetInt32(slot_getattr(slot, look->flags, &isnull));

	if (isnull || !(flags & 1))
		return;
	look->found |= DatumGetBool(slot_getattr(slot, look->active, &isnull)) && !isnull;
}

bool
zone_has_active_key(Relation rel, TableDesc *t, int32 id, Snapshot snapshot)
{
	KeyLook		look = {get_attnum(t->relid, "flags"), get_attnum(t->relid, "active"), false};
	ZoneValue	at = {.id = id};

	if (id && look.flags > 0 && look.active > 0)
		zone_rows(t, rel, snapshot, &at, look_at_key, &look);
	return look.found;
}
