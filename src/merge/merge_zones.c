/*
 * merge_zones.c: see merge_zones.h.
 *
 * Whose row is not to be had within a short time is out: what comes for it is kept (defer.c).
 *
 * A zone waits if its stripe is not free, if it waits already, or if a projection has run into a lock in it; and with it those
 * that are tied to it (ties.h). The ties are looked for only when something has to wait: another pass over the delta.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "dnsrepl.h"
#include "merge/accept.h"
#include "merge/merge_zones.h"
#include "store/delta.h"
#include "store/image.h"
#include "store/parked.h"
#include "store/private_lock.h"
#include "store/progress.h"
#include "store/relation.h"
#include "store/stripe.h"
#include "store/transaction_zones.h"

#define STRIPE_WAIT 10				/* ms that a merge waits for the authors of a stripe; they may wait for one another */
#define STRIPES_WAIT 20				/* ms in all */
#define ROW_WAIT 250				/* ms that it waits for the row of a zone: most commits are shorter. If it is in vain, nothing waits for it again */
#define ROWS_WAIT 500				/* ms in all */

bool
merge_chunk_next(Chunks *chunks, WireReader *r)
{
	progress();
	return chunks_items(chunks, r);
}

/* ---------- the delta's zones, and their locks ---------- */

static MergeZone *
zones_room(Merge *m)
{
	if (m->nzones == m->cap_zones)
	{
		m->cap_zones = m->cap_zones ? m->cap_zones * 2 : 16;
		m->zones = m->zones ? repalloc_huge(m->zones, sizeof(MergeZone) * (size_t) m->cap_zones)
			: palloc(sizeof(MergeZone) * (size_t) m->cap_zones);
	}
	progress();
	memset(&m->zones[m->nzones], 0, sizeof(MergeZone));
	return &m->zones[m->nzones++];
}

static void
zones_add(Merge *m, const DeltaItem *item)
{
	static const uint8 serial_key[] = {TABLE_SERIAL >> 8, TABLE_SERIAL & 0xff};
	const ZoneRef *z = &item->zone;
	MergeZone  *new;

	if (m->nzones)
	{
		int			order = zone_order(&m->zones[m->nzones - 1].ref, z);

		if (order > 0)
			peer_nonsense("The zones of a delta are not in order.");
		if (order == 0)
			return;				/* goes on in the next chunk */
	}
	if (m->nzones == MAX_ZONES)
		peer_nonsense("A delta has too many zones.");
	new = zones_room(m);
	new->ref = *z;
	new->serial = accept_unit(m->limits, z, serial_key, sizeof(serial_key)) ? item->serial : 0;
	new->served = item->served;
	new->ref.name = palloc(z->name_len + 1);
	if (z->name_len)
		memcpy(new->ref.name, z->name, z->name_len);
}

static void
zones_read(Merge *m)
{
	Chunks		chunks = *m->chunks;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl chunk", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	WireReader	r;
	int			transactions = 0;

	while (merge_chunk_next(&chunks, &r))
	{
		DeltaItem		item;

		while (delta_item(&m->in, &r, &item))
		{
			progress();
			if (item.kind == ITEM_TRANSACTION)
			{
				if (m->nzones == 0)
					peer_nonsense("A transaction comes before its zone.");
				if (++transactions > MAX_TRANSACTION_ZONES)
					peer_nonsense("A delta has too many transactions over several zones.");
			}
			else if (item.kind != ITEM_UNIT)
			{
				MemoryContextSwitchTo(old);
				zones_add(m, &item);
				MemoryContextSwitchTo(scratch);
			}
		}
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

static int
merge_zone_order(const void *a, const void *b)
{
	return zone_order(&((const MergeZone *) a)->ref, &((const MergeZone *) b)->ref);
}

/* A delta that has all: zones of this node that are not in it count too. */
static void
zones_add_local(Merge *m)
{
	int			n,
				sent = m->nzones;
	ZoneRef    *local = zone_all(&n);

	for (int i = 0; i < n; i++)
	{
		MergeZone	key = {.ref = local[i]};

		if (!sent || !bsearch(&key, m->zones, (size_t) sent, sizeof(MergeZone), merge_zone_order))
			zones_room(m)->ref = local[i];
	}
	qsort(m->zones, (size_t) m->nzones, sizeof(MergeZone), merge_zone_order);
}

static void
zone_wait(void *arg)
{
	(void) zone_lock(arg, true);
}

/* Other zones, and all that other peers send, wait for this merge: so it does not wait for somebody whose commit is long. */
static bool
zone_take(ZoneRef *z, TimestampTz until)
{
	long		left;

	if (zone_lock(z, false))
		return true;
	left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);
	return left > 0 && wait_within((int) Min(left, ROW_WAIT), zone_wait, z);
}

void
zones_collect(Merge *m)
{
	zones_read(m);
	if (((m->in.flags & DELTA_FULL) || m->me.damaged) && !m->late)
		zones_add_local(m);
}

void
zones_lock(Merge *m)
{
	const ZoneRef **wanted = palloc(sizeof(ZoneRef *) * (size_t) (m->nzones + 1));
	const char **why = palloc(sizeof(char *) * (size_t) (m->nzones + 1));
	TimestampTz until;
	int			n = 0;

	for (int i = 0; i < m->nzones; i++)
	{
		m->zones[i].out = deferred_has(m->deferred, &m->zones[i].ref);
		if (!m->zones[i].out && !m->late)
			wanted[n++] = &m->zones[i].ref;
	}
	(void) zones_exclude(wanted, n, STRIPE_WAIT, STRIPES_WAIT, why);
	n = 0;
	until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ROWS_WAIT);
	for (int i = 0; i < m->nzones; i++)
	{
		MergeZone  *z = &m->zones[i];

		progress();
		z->why = m->late ? PARKED_LATE : z->out ? NULL : why[n++];
		z->out = z->out || !zone_take(&z->ref, until);
	}
}

/* ---------- which zones have to wait ---------- */

/* Zones that wait already. Their rows are held, and the active snapshot is newer. */
void
zones_look(Merge *m)
{
	for (int i = 0; i < m->nzones; i++)
	{
		MergeZone  *z = &m->zones[i];

		z->waits = z->ref.made ? 0 : zone_waits_with(GetActiveSnapshot(), &z->ref);
		if (z->waits && !z->why)
			z->why = PARKED_BEFORE;
	}
}

bool
transaction_ties(const Merge *m, const MergeZone *z, Dot dot)
{
	return !vector_covers(m->mine, dot.origin, dot.stamp) && accept_zone(m->limits, &z->ref);
}

/* A version that is new here ties its zone to the others that its transaction has changed. That of a serial is of no transaction. */
static void
unit_tie(Merge *m, int zone, const DeltaItem *item)
{
	for (int i = 0; i < item->nversions && key_number(item->key, item->key_len) != TABLE_SERIAL; i++)
		if (!vector_covers(m->mine, item->versions[i].dot.origin, item->versions[i].dot.stamp))
			ties_dot(m->ties, zone, item->versions[i].dot);
}

static void
zones_tie(Merge *m)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl chunk", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	Chunks		chunks = *m->chunks;
	WireReader	r;
	int			zone = 0;

	m->ties = ties_begin(m->nzones);
	for (int i = 0; i < m->nzones; i++)
		if (m->zones[i].waits)
			ties_dot(m->ties, i, (Dot) {.stamp = m->zones[i].waits});	/* no version's: they have origins */
	old = MemoryContextSwitchTo(scratch);
	while (merge_chunk_next(&chunks, &r))
	{
		DeltaItem		item;

		while (delta_item(&m->in, &r, &item))
			if (item.kind == ITEM_UNIT)
				unit_tie(m, zone, &item);
			else if (item.kind == ITEM_TRANSACTION)
			{
				if (transaction_ties(m, &m->zones[zone], item.dot))
					ties_dot(m->ties, zone, item.dot);
			}
			else
				while (zone_order(&m->zones[zone].ref, &item.zone) != 0)
					zone++;
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

bool
zones_out(Merge *m)
{
	bool	   *out;
	bool		any = false;

	for (int i = 0; i < m->nzones; i++)
		any |= m->zones[i].out;
	if (!any)
		return false;
	if (!m->ties)
		zones_tie(m);
	out = palloc0(sizeof(bool) * (size_t) m->nzones);
	for (int i = 0; i < m->nzones; i++)
		out[ties_root(m->ties, i)] |= m->zones[i].out;
	for (int i = 0; i < m->nzones; i++)
		m->zones[i].out = out[ties_root(m->ties, i)];
	return true;
}

const char *
zone_reason(const MergeZone *z)
{
	if (z->why)
		return z->why;
	if (z->cause->ref.table)
		return "a transaction has changed this along with a table that has to wait";
	return psprintf("a transaction has changed this zone along with \"%s\", which has to wait", zone_text(z->cause->ref.name, z->cause->ref.name_len));
}

/* Zones wait with those that they are tied to, under the smallest number of them and of those that they wait with already. */
void
zones_settle(Merge *m)
{
	bool		any = false;

	for (int i = 0; i < m->nzones; i++)
	{
		MergeZone  *z = &m->zones[i];

		any |= z->why != NULL && !z->out;
		z->free = true;
		z->cause = NULL;
		z->together = z->waits ? Min(z->waits, z->ref.number) : z->ref.number;
	}
	if (!any)
		return;
	if (!m->ties)
		zones_tie(m);
	for (int i = 0; i < m->nzones; i++)
	{
		MergeZone  *z = &m->zones[i],
				   *root = &m->zones[ties_root(m->ties, i)];

		if (z->why && !root->cause)
			root->cause = z;
		root->together = Min(root->together, z->together);
	}
	for (int i = 0; i < m->nzones; i++)
	{
		const MergeZone *root = &m->zones[ties_root(m->ties, i)];

		m->zones[i].free = !root->cause;
		m->zones[i].cause = root->cause;
		m->zones[i].together = root->together;
	}
	if (m->joining)
		for (int i = 0; i < m->nzones; i++)
			if (!m->zones[i].free && !m->zones[i].out)
				ereport(ERROR,
						(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						 errmsg("this node can join when no local transaction is editing a zone"),
						 errhint("It will be tried again.")));
}

/* A pass has run into a lock: the zone in which that was has to wait; all, if that is not known, or happens again and again. */
bool
zones_blocked(Merge *m, bool all)
{
	bool		known = false,
				any = false;

	for (int i = 0; i < m->nzones && !all; i++)
		known |= m->zones[i].free && !m->zones[i].out && m->zones[i].ref.number == projection_zone;
	for (int i = 0; i < m->nzones; i++)
	{
		MergeZone  *z = &m->zones[i];

		if (z->out || !z->free || (known && z->ref.number != projection_zone))
			continue;
		z->why = PARKED_LOCKED;
		any = true;
	}
	return any;
}

/* Those that waited with zones of this delta go on under the number that these have got. */
void
zones_waited(Merge *m)
{
	for (int i = 0; i < m->nzones; i++)
		if (!m->zones[i].out && m->zones[i].waits && m->zones[i].waits != m->zones[i].together)
			waiting_join(m->zones[i].waits, m->zones[i].together);
}
