/*
 * sums_list.c: see sums_list.h.
 */
#include "postgres.h"

#include "store/codec.h"
#include "store/sums.h"
#include "store/sums_list.h"

void
sums_list_encode(StringInfo out, const ZoneRef *zones, int n)
{
	for (int i = 0; i < n; i++)
	{
		uint64		sum = zone_sum(&zones[i]);

		if (!sum)
			continue;
		zone_encode(out, &zones[i]);
		wire_put_u64(out, sum);
	}
}

bool
sums_list_next(WireReader *r, ZoneRef *zone, uint64 *sum)
{
	uint8		kind;
	const uint8 *name;
	size_t		len;

	memset(zone, 0, sizeof(*zone));
	if (wire_at_end(r))
		return false;
	kind = wire_get_u8(r);
	if (kind == ITEM_TABLE)
		zone->table = (int16) wire_get_u16(r);
	else if (kind == ITEM_ZONE)
	{
		name = wire_get_string(r, 255, &len);
		(void) wire_get_u64(r);
		(void) wire_get_u64(r);
		if (!name || r->bad)
			peer_nonsense("The name of a zone cannot be read.");
		zone_decode_name(name, len, zone);
	}
	else
		peer_nonsense("A list of zones cannot be read.");
	*sum = wire_get_u64(r);
	if (r->bad || zone->table < 0)
		peer_nonsense("A list of zones cannot be read.");
	return true;
}
