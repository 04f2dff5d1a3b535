/*
 * served.c: see served.h.
 */
#include "postgres.h"

#include "access/transam.h"
#include "port/pg_bswap.h"
#include "utils/memutils.h"

#include "dns/record.h"
#include "store/group.h"
#include "store/progress.h"
#include "store/served.h"
#include "store/soa.h"

#define DEFAULT_TTL 3600		/* of a record without one: PowerDNS's default-ttl */

bool
served_open(ServedZone *z, Store *store, Snapshot snapshot, int32 number)
{
	memset(z, 0, sizeof(*z));
	z->store = store;
	z->snapshot = snapshot;
	if (!zone_by_number_at(snapshot, number, &z->ref) || z->ref.table)
		return false;
	z->live = live_read(store, snapshot, &z->ref);
	return true;
}

bool
served_gone(const ServedZone *z)
{
	return z->live.n == 0;
}

static void
set_read(ServedZone *z, TableDesc *t, const GroupUnit *u, ServedSet *set)
{
	for (int i = 0; i < u->served.rows.n; i++)
	{
		Row			row = u->served.rows.rows[i];
		ServedRecord *r = &set->records[set->n];
		const uint8 *content;
		uint32		serial;
		int32		ttl;

		if (!row_enabled(t, &row))
			continue;
		if (set->type == TYPE_SOA && soa_row_serial(t, &row, &serial) && serial == 0)
			row = soa_row_with_serial(t, &row, (uint32) z->ref.state.serial);
		if (!row_column(&row, table_column(t, "content"), &content, &r->content_len))
			continue;
		r->content = (const char *) content;
		r->prio_null = !row_int(t, &row, "prio", &r->prio);
		ttl = row_int(t, &row, "ttl", &ttl) ? Max(ttl, 0) : DEFAULT_TTL;
		set->ttl = set->n == 0 ? (uint32) ttl : Min(set->ttl, (uint32) ttl);
		set->n++;
	}
}

static int
group_sets(ServedZone *z, const uint8 *prefix, size_t prefix_len, ServedSet **sets)
{
	UnitGroup  *g = group_read(z->store, z->snapshot, &z->ref, prefix, prefix_len);

	group_judge(g, &z->live, false, z->store, z->snapshot);
	*sets = palloc0(sizeof(ServedSet) * (size_t) (g->n + 1));
	for (int i = 0; i < g->n; i++)
	{
		const GroupUnit *u = &g->units[i];
		TableDesc  *t = key_table(u->key, u->key_len);
		ServedSet  *set = &(*sets)[i];

		set->type = record_type(u->key, u->key_len);
		set->records = palloc(sizeof(ServedRecord) * (size_t) (u->served.rows.n + 1));
		if (u->served.live && t && t->ncolumns == u->served.ncolumns)
			set_read(z, t, u, set);
		for (int k = 0; k < u->set.n; k++)
			if (TransactionIdIsNormal(u->set.v[k].xmin))
				z->flush = Max(z->flush, TransactionIdGetCommitLSN(u->set.v[k].xmin));
	}
	return g->n;
}

int
served_name(ServedZone *z, const uint8 *name, size_t name_len, ServedSet **sets)
{
	StringInfoData key;

	initStringInfo(&key);
	record_key(&key, name, name_len, 0);
	return group_sets(z, (uint8 *) key.data, group_prefix((uint8 *) key.data, (size_t) key.len), sets);
}

typedef struct ZoneWalk
{
	ServedZone *zone;
	ServedCallback fn;
	void	   *arg;
	MemoryContext scratch;
} ZoneWalk;

static bool
walk_group(const uint8 *prefix, size_t prefix_len, void *arg)
{
	ZoneWalk   *w = arg;
	MemoryContext old = MemoryContextSwitchTo(w->scratch);
	ServedSet  *sets;
	int			n;

	progress();
	n = group_sets(w->zone, prefix, prefix_len, &sets);
	w->fn(w->zone, prefix + 2, prefix_len - 3, sets, n, w->arg);
	MemoryContextSwitchTo(old);
	MemoryContextReset(w->scratch);
	return true;
}

void
served_walk(ServedZone *z, ServedCallback fn, void *arg)
{
	ZoneWalk	w = {.zone = z, .fn = fn, .arg = arg};
	StringInfoData prefix;

	w.scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl served names", ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&prefix);
	wire_put_u16(&prefix, TABLE_RECORDS);
	group_walk(z->store, z->snapshot, z->ref.number, (uint8 *) prefix.data, (size_t) prefix.len, NULL, 0, walk_group, &w);
	MemoryContextDelete(w.scratch);
}

int
served_rdata(uint16 type, const ServedRecord *r, const uint8 **wire, const char **why)
{
	RecordError err;
	int			len = record_rdata(type, r->prio_null, r->prio, r->content, r->content_len, wire, &err);

	if (len < 0)
		*why = pstrdup(err.reason);
	return len;
}
