/*
 * merge.c: dnsrepl.merge() and dnsrepl.merge_done(): a peer's delta becomes part of this store, whole or not at all.
 *
 * In one transaction: the lock that lets one merge run at a time; this node's vector, and with it whether the delta was
 * cut for what this node holds (else: answer REBASE); stripes of its zones, as far as authors leave them; the zones'
 * rows, in zone_order as capture takes them; then, in a subtransaction, for each unit merge_rule.c, and what is served of the result is
 * projected. At the end this node's vector moves to the join of both. Its commit shows at once, and is flushed by flush(), which the
 * peer calls next: only then does the peer count on it. (call_end() has made the session's commits asynchronous.)
 *
 * A zone is projected if its stripe is free and nothing of it waits already; else it WAITS (store/parked.h): what comes is stored unseen.
 * A zone whose row is not to be had soon is out: what comes for it is kept, and merged later (defer.h). Nothing else waits with LOCK_MERGE, or a
 * stripe, for longer than LOCK_WAIT: then the merge fails, and the sender tries again.
 * So nothing is overtaken. With it wait the zones that a transaction of the delta has changed along with it (ties.h), and those that they
 * wait with already. If the projection runs into a lock, all of it is undone, that zone waits too, and it begins again: so nothing is shown
 * in part.
 *
 * Nothing in the payload is trusted: impossible octets are 08P01, and the transaction is gone, nothing else.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "dnsrepl.h"
#include "merge/accept.h"
#include "merge/call.h"
#include "merge/chunks.h"
#include "merge/defer.h"
#include "merge/greet.h"
#include "merge/join.h"
#include "merge/mend.h"
#include "merge/merge_zones.h"
#include "merge/project.h"
#include "store/clock.h"
#include "store/codec.h"
#include "store/conflict.h"
#include "store/delta.h"
#include "store/delta_read.h"
#include "store/image.h"
#include "store/merge_rule.h"
#include "store/origin.h"
#include "store/parked.h"
#include "store/peer_vector.h"
#include "store/policy.h"
#include "store/private_lock.h"
#include "store/progress.h"
#include "store/relation.h"
#include "store/shown.h"
#include "store/unit_json.h"
#include "store/version.h"
#include "store/zone_sum.h"

PG_FUNCTION_INFO_V1(dnsrepl_merge);
PG_FUNCTION_INFO_V1(dnsrepl_merge_chunk);
PG_FUNCTION_INFO_V1(dnsrepl_merge_done);
PG_FUNCTION_INFO_V1(dnsrepl_flush);

#define OWN_ENTRIES 1000			/* that the vector may yet get by lives of this node */
#define PASS_TRIES 3				/* passes over a delta that find locks in one zone after another; then all zones wait */
#define PARKED_KEYS AT_ONCE(1000, 2)	/* units of a zone that are parked one by one; more: the zone as a whole */

/* ---------- units ---------- */

/*
 * A version that is taken, in place of one that is gone if there is one (not NULL). In the context of its group: the chunk it
 * came in may be gone before that is complete.
 */
static Version
version_take(Merge *m, MergeZone *z, const GroupUnit *u, const Version *v, const Version *gone)
{
	Version		taken = *v;
	uint8	   *image = palloc(Max(v->image_len, 1));

	memcpy(image, v->image, v->image_len);
	taken.image = image;
	taken.seen = z->free || key_number(u->key, u->key_len) == TABLE_SERIAL;	/* that has no rows to wait for */
	version_replace(m->store, z->ref.number, u->key, u->key_len, gone, &taken);
	clock_saw(taken.dot.stamp);
	if (key_number(u->key, u->key_len) != TABLE_SERIAL)
		z->work.fresh = true;
	z->work.fell_back |= origin_info(taken.dot.origin)->own;
	return taken;
}

static bool *
versions_gone(const Version *v, int n)
{
	bool	   *gone = palloc(sizeof(bool) * (size_t) (n + 1));
	ImageHead	head;

	for (int i = 0; i < n; i++)
		gone[i] = image_head(v[i].image, v[i].image_len, &head) && image_is_deletion(&head);
	return gone;
}

/* With what is here a unit would have more than any peer takes. */
static void
unit_too_large(const MergeZone *z, const GroupUnit *u)
{
	StringInfoData key;
	TableDesc  *t = key_table(u->key, u->key_len);

	initStringInfo(&key);
	if (t)
		json_key(&key, t, u->key, u->key_len);
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("a unit would have more versions than can be sent on: %d", u->set.n),
			 errdetail("It is %s of table \"%s\" in zone \"%s\".", key.data, t ? t->name : "?",
					   z->ref.table ? "" : zone_text(z->ref.name, z->ref.name_len)),
			 errhint("An edit of it, at the node that has more of them, leaves one.")));
}

static bool
unit_changes(const bool *keep, int nkeep, const bool *take, int ntake)
{
	bool		changes = false;

	for (int i = 0; i < nkeep; i++)
		changes |= !keep[i];
	for (int i = 0; i < ntake; i++)
		changes |= take[i];
	return changes;
}

/* Has one end written the unit since its store is damaged? */
static bool
unit_written(const Dot *dots, int n, const Vector *since)
{
	for (int i = 0; i < n; i++)
		if (vector_covers(since, dots[i].origin, dots[i].stamp))
			return true;
	return false;
}

/* What the two ends hold, as far as it counts for a unit. */
typedef struct Claims
{
	const Vector *mine,
			   *theirs;
} Claims;

/*
 * One whose store is damaged may have lost what it held: so of a unit it claims what it has written since, and all that it
 * ever held only if that is something: whoever wrote it knew what there was, from the tables.
 */
static Claims
unit_claims(const Merge *m, const Dot *mine, int nmine, const Dot *theirs, int ntheirs)
{
	Claims		c = {m->mine, m->in.theirs};

	if (m->me.damaged && unit_written(mine, nmine, m->mine))
		c.mine = m->claimed;
	if ((m->in.flags & DELTA_SALVAGE) && !unit_written(theirs, ntheirs, m->in.since))
		c.theirs = m->in.since;
	return c;
}

/* Is it known which of a zone's incarnations one end lets live? Its row of the store is lost, or that says something else, if not. */
static bool
incarnations_known(const Live *live, const Version *v, int n)
{
	const bool *gone = versions_gone(v, n);

	for (int i = 0; i < n && live->n == 0; i++)
		if (!gone[i])
			return false;
	return n > 0;
}

/*
 * The incarnations that live are no versions: a damaged end that has lost some of these knows still which it had deleted. So what it
 * ever held counts for them. (Else a deletion that had not got around would be undone by whatever damage.)
 */
static Claims
incarnations_claims(const Merge *m, Claims unit, const Live *mine, const VersionSet *set, const DeltaItem *item)
{
	if (m->me.damaged && incarnations_known(mine, set->v, set->n))
		unit.mine = m->claimed;
	if ((m->in.flags & DELTA_SALVAGE) && incarnations_known(&item->live, item->versions, item->nversions))
		unit.theirs = m->in.theirs;
	return unit;
}

/* The unit's versions after the merge rule, written to the store; false if nothing has changed. */
static bool
unit_store(Merge *m, MergeZone *z, const DeltaItem *item, GroupUnit *u)
{
	VersionSet	set = u->set;
	Dot		   *mine = palloc(sizeof(Dot) * (size_t) (set.n + 1));
	Dot		   *theirs = palloc(sizeof(Dot) * (size_t) (item->nversions + 1));
	bool	   *keep = palloc(sizeof(bool) * (size_t) (set.n + 1));
	bool	   *take = palloc(sizeof(bool) * (size_t) (item->nversions + 1));
	const Version *gone = NULL;
	bool		changed,
				united = false;
	Live		was = live_stored(m->store, &z->ref),
				live = was;
	Claims		claims;

	for (int i = 0; i < set.n; i++)
		mine[i] = set.v[i].dot;
	for (int i = 0; i < item->nversions; i++)
		theirs[i] = item->versions[i].dot;
	claims = unit_claims(m, mine, set.n, theirs, item->nversions);
	if (m->in.flags & DELTA_REPAIR)
	{
		RepairSide	here = {set.n, mine, versions_gone(set.v, set.n), m->mine, m->my_collected};
		RepairSide	there = {item->nversions, theirs, versions_gone(item->versions, item->nversions), m->in.theirs, m->in.collected};

		united = merge_repair(&here, &there, keep, take);
	}
	else
		merge_rule(mine, set.n, claims.mine, theirs, item->nversions, claims.theirs, keep, take);
	if (key_number(u->key, u->key_len) == TABLE_DOMAINS)
	{
		Claims		lives = incarnations_claims(m, claims, &was, &set, item);

		live = live_merge(&z->ref, &was, lives.mine, &item->live, lives.theirs, united);
	}
	changed = !live_same(&live, &was);
	if (m->limits && (changed || unit_changes(keep, set.n, take, item->nversions)) && !accept_unit(m->limits, &z->ref, u->key, u->key_len))
		accept_refuse(m->guest, &z->ref, u->key, u->key_len);

	if (changed)
		live_store(m->store, &z->ref, &live);
	u->set.v = palloc(sizeof(Version) * (size_t) (set.n + item->nversions + 1));
	u->set.n = 0;
	for (int i = 0; i < set.n; i++)
		if (keep[i])
			u->set.v[u->set.n++] = set.v[i];
		else
		{
			if (gone)
				version_delete(m->store, z->ref.number, u->key, u->key_len, gone);
			gone = &set.v[i];
			changed = true;
			if (!z->free && gone->seen && key_number(u->key, u->key_len) != TABLE_SERIAL)
				shown_keep(&z->ref, u->key, u->key_len, gone);
		}
	for (int i = 0; i < item->nversions; i++)
		if (take[i])
		{
			u->set.v[u->set.n++] = version_take(m, z, u, &item->versions[i], gone);
			gone = NULL;
			changed = true;
		}
	if (gone)
		version_delete(m->store, z->ref.number, u->key, u->key_len, gone);
	if (changed && !versions_fit(&u->set))
		unit_too_large(z, u);
	m->repaired += changed && (m->in.flags & DELTA_REPAIR);
	if (m->joining && changed && set.n > 0)
		join_unit(m->store, &z->ref, &z->work.now, m->joining, m->in.theirs, u);
	return changed;
}

/* ---------- groups ---------- */

static void
group_start(Merge *m, MergeZone *z, const DeltaItem *item)
{
	size_t		len = group_prefix(item->key, item->key_len);
	uint8	   *prefix = palloc(len);

	memcpy(prefix, item->key, len);
	m->group = z->ref.made ? group_none(&z->ref, prefix, len) : group_read(m->store, m->before, &z->ref, prefix, len);
	group_judge(m->group, &z->work.was, true, m->store, m->before);
	m->group_before = group_copy(m->group);
	m->group_changed = false;
}

/* Projection has to wait for an author: what the tables show is less than what is held. The sums follow. */
static void
group_defer(Merge *m, MergeZone *z)
{
	for (int i = 0; i < m->group->n; i++)
	{
		GroupUnit  *u = &m->group->units[i];
		uint64		was = 0;

		progress();
		for (int k = 0; k < m->group_before->n; k++)
			if (m->group_before->units[k].key_len == u->key_len &&
				memcmp(m->group_before->units[k].key, u->key, u->key_len) == 0)
				was = served_hash(u->key, u->key_len, &m->group_before->units[k].served);
		tally_served(m->store, z->ref.number, u->key, u->key_len, served_hash(u->key, u->key_len, &u->served) - was);
	}
}

static void
group_finish(Merge *m)
{
	MergeZone  *z = &m->zones[Max(m->zone, 0)];
	MemoryContext old;

	if (!m->group)
		return;
	old = MemoryContextSwitchTo(m->group_context);
	if (m->group_changed)
	{
		if (key_number(m->group->prefix, m->group->prefix_len) == TABLE_DOMAINS && z->free)
			z->work.now = live_of(m->store, &z->ref, m->group->n ? &m->group->units[0].set : &(VersionSet) {0});
		CommandCounterIncrement();
		PushActiveSnapshot(GetLatestSnapshot());
		group_judge(m->group, z->free ? &z->work.now : &z->work.was, !z->free, m->store, GetActiveSnapshot());
		PopActiveSnapshot();
		if (z->free)
			work_group(m->work, &z->work, m->group_before, m->group);
		else
		{
			group_defer(m, z);
			conflict_note_unseen(m->group_before, m->group, &z->work.was);
		}
	}
	m->group = m->group_before = NULL;
	MemoryContextSwitchTo(old);
	MemoryContextReset(m->group_context);
}

static void
unit_wait_for(const MergeZone *z, const uint8 *key, size_t key_len)
{
	unit_wait(&z->ref, key, key_len, z->together, zone_reason(z));
}

/*
 * A serial waits as the SOA record that is to show it. Of a unit of which nothing is left only its key tells, so it is not
 * parked with its zone.
 */
static void
unit_park_for(MergeZone *z, const DeltaItem *item, bool nothing)
{
	StringInfoData soa;

	initStringInfo(&soa);
	record_key(&soa, z->ref.name, z->ref.name_len, TYPE_SOA);
	if (key_number(item->key, item->key_len) == TABLE_SERIAL)
		unit_wait_for(z, (uint8 *) soa.data, (size_t) soa.len);
	else if (nothing || ++z->unseen <= PARKED_KEYS)
		unit_wait_for(z, item->key, item->key_len);
	else if (z->unseen == PARKED_KEYS + 1)
		unit_wait_for(z, NULL, 0);
}

static void
key_in_order(Merge *m, const DeltaItem *item)
{
	if (m->last_key.len)
	{
		int			c = memcmp(m->last_key.data, item->key, Min((size_t) m->last_key.len, item->key_len));

		if (c > 0 || (c == 0 && (size_t) m->last_key.len >= item->key_len))
			peer_nonsense("The units of a zone are not in order.");
	}
	resetStringInfo(&m->last_key);
	appendBinaryStringInfo(&m->last_key, (const char *) item->key, (int) item->key_len);
}

static void
unit_merge(Merge *m, const DeltaItem *item)
{
	MergeZone  *z = &m->zones[m->zone];
	GroupUnit  *u;
	int			had;
	MemoryContext old;

	key_in_order(m, item);
	if (m->group && (m->group->prefix_len != group_prefix(item->key, item->key_len) ||
					 memcmp(m->group->prefix, item->key, m->group->prefix_len) != 0))
		group_finish(m);
	old = MemoryContextSwitchTo(m->group_context);
	if (!m->group)
		group_start(m, z, item);
	had = m->group->n;
	u = group_unit(m->group, item->key, item->key_len);
	if (m->group->n > had)
	{
		uint8	   *key = palloc(item->key_len);

		memcpy(key, item->key, item->key_len);
		u->key = key;
	}
	if (unit_store(m, z, item, u))
	{
		m->group_changed = m->changed = true;
		if (!z->free)
			unit_park_for(z, item, u->set.n == 0);
	}
	MemoryContextSwitchTo(old);
}

/* ---------- units that are here, and not in a delta that has all ---------- */

typedef struct Absent
{
	Merge	   *m;
	const DeltaItem *next;		/* NULL: up to the end of the zone */
} Absent;

static bool
absent_unit(int32 zone, const uint8 *key, size_t key_len, void *arg)
{
	Absent	   *a = arg;
	DeltaItem	item = {.kind = ITEM_UNIT, .key = key, .key_len = key_len};
	MemoryContext old;

	if (a->next)
	{
		int			c = memcmp(key, a->next->key, Min(key_len, a->next->key_len));

		if (c > 0 || (c == 0 && key_len >= a->next->key_len))
			return false;
	}
	old = MemoryContextSwitchTo(a->m->absent_context);
	unit_merge(a->m, &item);
	MemoryContextSwitchTo(old);
	MemoryContextReset(a->m->absent_context);
	return true;
}

/* Those between the last unit and the next: the sender holds nothing of them. */
static void
absent_units(Merge *m, const DeltaItem *next)
{
	MergeZone  *z = &m->zones[m->zone];
	Absent		a = {.m = m, .next = next};
	size_t		len = (size_t) m->last_key.len;
	uint8	   *after;

	if (!z->absent)
		return;
	after = palloc(len + 1);
	memcpy(after, m->last_key.data, len);
	unit_walk(m->store, m->before, z->ref.number, (const uint8 *) "", 0, after, len, absent_unit, &a);
	pfree(after);
}

/* Of a zone that is out, and may not be looked at: what is new may come in if anything may. */
static void
unit_keep(Merge *m, const DeltaItem *item)
{
	const ZoneRef *zone = &m->zones[m->zone].ref;
	bool		fresh = false;

	key_in_order(m, item);
	for (int i = 0; i < item->nversions; i++)
		fresh |= !vector_covers(m->mine, item->versions[i].dot.origin, item->versions[i].dot.stamp);
	for (int i = 0; i < item->live.n; i++)
		fresh |= !vector_covers(m->mine, item->live.incarnations[i].origin, item->live.incarnations[i].stamp);
	if (m->limits && fresh && !accept_unit(m->limits, zone, item->key, item->key_len))
		accept_refuse(m->guest, zone, item->key, item->key_len);
}

static void
unit_came(Merge *m, const DeltaItem *item)
{
	if (m->zone < 0)
		peer_nonsense("A unit comes before its zone.");
	if (m->zones[m->zone].out)
	{
		unit_keep(m, item);
		return;
	}
	absent_units(m, item);
	unit_merge(m, item);
}

/* Who lacks it too is told of it, whatever happens to its versions meanwhile. */
static void
transaction_came(Merge *m, Dot dot)
{
	const MergeZone *z = &m->zones[m->zone];
	MemoryContext old;

	if (z->out || !transaction_ties(m, z, dot))
		return;
	old = MemoryContextSwitchTo(m->pass);
	if (m->ntransactions == m->cap_transactions)
	{
		m->cap_transactions = Max(m->cap_transactions * 2, 16);
		m->transactions = m->transactions ? repalloc(m->transactions, sizeof(TransactionZone) * (size_t) m->cap_transactions)
			: palloc(sizeof(TransactionZone) * (size_t) m->cap_transactions);
	}
	m->transactions[m->ntransactions++] = (TransactionZone) {dot, z->ref.number};
	MemoryContextSwitchTo(old);
}

/* The zone before is complete. */
static void
zone_leave(Merge *m)
{
	MergeZone  *z;

	if (m->zone >= 0)
		absent_units(m, NULL);
	group_finish(m);
	if (m->zone < 0)
		return;
	z = &m->zones[m->zone];
	if (z->out)
		return;
	if (z->ref.made && !accept_zone(m->limits, &z->ref))
		accept_refuse(m->guest, &z->ref, NULL, 0);
	if (!z->free && (z->ref.state.dnames > 0 || store_tally(m->store, z->ref.number)->dnames > 0))
		zone_sum_anew(m->store, &z->ref);	/* what is below a DNAME is of other groups */
	if (z->free)
		work_zone_end(m->work, &z->work);
	else if (z->serial > Max(z->ref.state.serial, z->ref.state.heard))
	{
		ZoneTally  *t = store_tally(m->store, z->ref.number);

		t->serial_set = true;
		t->serial = z->ref.state.serial;
		t->heard = z->serial;
	}
}

static void
zone_next(Merge *m)
{
	MergeZone  *new;

	progress();
	zone_leave(m);
	new = &m->zones[++m->zone];
	resetStringInfo(&m->last_key);
	if (new->out)
		return;
	work_zone(m->work, &new->work, &new->ref);
	new->work.peer_serial = new->serial;
	new->work.peer_served = new->served;
	if (m->in.flags & DELTA_FULL)
		new->absent = zone_holds_any(m->store, m->before, new->ref.number);
}

/* On to the zone that the delta goes on with; zones of this node that are not in it lie between. */
static void
zone_enter(Merge *m, const ZoneRef *z)
{
	while (m->zone < 0 || zone_order(&m->zones[m->zone].ref, z) != 0)
	{
		if (m->zone + 1 >= m->nzones)
			peer_nonsense("The zones of a delta are not in order.");
		zone_next(m);
	}
}

static void
units_merge(Merge *m, Chunks chunks)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl chunk", ALLOCSET_DEFAULT_SIZES);
	MemoryContext unit = AllocSetContextCreate(scratch, "dnsrepl unit", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	WireReader	r;

	m->group_context = AllocSetContextCreate(old, "dnsrepl group", ALLOCSET_DEFAULT_SIZES);
	m->absent_context = AllocSetContextCreate(old, "dnsrepl absent unit", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(old);
	m->work = work_begin(m->store, m->before);
	MemoryContextSwitchTo(scratch);
	m->zone = -1;
	while (merge_chunk_next(&chunks, &r))
	{
		DeltaItem		item;

		MemoryContextSwitchTo(unit);
		while (delta_item(&m->in, &r, &item))
		{
			progress();
			if (item.kind == ITEM_UNIT)
				unit_came(m, &item);
			else if (item.kind == ITEM_TRANSACTION)
				transaction_came(m, item.dot);
			else
			{
				MemoryContextSwitchTo(old);
				zone_enter(m, &item.zone);
				MemoryContextSwitchTo(unit);
			}
			MemoryContextReset(unit);
		}
		MemoryContextSwitchTo(scratch);
		MemoryContextResetOnly(scratch);
	}
	MemoryContextSwitchTo(old);
	while (m->zone + 1 < m->nzones)
		zone_next(m);
	zone_leave(m);
	work_end(m->work);
	MemoryContextDelete(m->absent_context);
	MemoryContextDelete(m->group_context);
	MemoryContextDelete(scratch);
}

/* ---------- the whole ---------- */

static Datum
merge_answer(AnswerStatus status, const Vector *held)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoSpaces(&out, VARHDRSZ);
	answer_encode(&out, status, held);
	SET_VARSIZE(out.data, out.len);
	return PointerGetDatum(out.data);
}

static Datum
merge_refused(Merge *m, AnswerStatus status)
{
	Datum		answer = merge_answer(status, m->mine);

	PopActiveSnapshot();
	return answer;
}

/* Who has changed a policy meanwhile could not see the zones that this merge made: they are looked at again. */
static void
made_zones_look_again(Merge *m, uint64 policies)
{
	bool		any = false;

	for (int i = 0; i < m->nzones; i++)
		any |= m->zones[i].ref.made && !m->zones[i].ref.table;
	if (!any || policies_stand(policies))
		return;
	for (int i = 0; i < m->nzones; i++)
		if (m->zones[i].ref.made && !m->zones[i].ref.table)
			unit_queue(&m->zones[i].ref, NULL, 0, "a policy has changed");
}

/* All units of the delta are stored, and projected where their zones are free. */
static void
pass_run(void *arg)
{
	Merge	   *m = arg;
	MemoryContext old = CurrentMemoryContext;

	m->pass = AllocSetContextCreate(old, "dnsrepl pass", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(m->pass);
	m->zone = -1;
	m->group = m->group_before = NULL;
	m->changed = false;
	m->repaired = 0;
	m->ntransactions = m->cap_transactions = 0;
	m->transactions = NULL;
	resetStringInfo(&m->last_key);
	for (int i = 0; i < m->nzones; i++)
		m->zones[i].unseen = 0;
	projection_zone = 0;
	projection_refusals = 0;
	m->store = store_open(true);
	units_merge(m, *m->chunks);
	store_close(m->store);
	transaction_zones_write(m->transactions, m->ntransactions);
	MemoryContextSwitchTo(old);
}

/* Whoever reads sees all that is shown of the delta at once: a pass that runs into a lock is undone, and begun again without those zones. */
bool
merge_units(Merge *m, const Chunks *chunks)
{
	uint64		policies;
	ErrorData  *error;

	m->chunks = chunks;
	zones_collect(m);
	if (!m->late)
		m->deferred = deferred_read(false);
	if (m->deferred && m->me.damaged)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("the receiver mends its store, and merges first what it has kept for zones that are locked"),
				 errhint("It will be tried again. dnsrepl.problem of the receiver shows them, and for whom they wait.")));
	PopActiveSnapshot();
	zones_lock(m);
	policies_refresh();			/* whoever has changed one before may have had these zones looked at again, and will not do so once more */
	policies = policies_generation();
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	m->before = GetActiveSnapshot();
	zones_look(m);
	if (zones_out(m) && !defer_may(m))
		return false;
	zones_settle(m);
	for (int tries = 1; (error = projection_try(pass_run, m)) != NULL; tries++)
	{
		MemoryContextDelete(m->pass);
		if (!zones_blocked(m, tries >= PASS_TRIES))
			ReThrowError(error);
		zones_settle(m);
	}
	MemoryContextDelete(m->pass);
	zones_waited(m);
	made_zones_look_again(m, policies);
	defer_write(m);
	return true;
}

/* May the sender's delta be merged? False: it is kept until somebody has said whose data count. */
static bool
merge_may(Merge *m, const Guest *guest)
{
	node_require(&m->me);
	switch (guest_meeting(&m->me))
	{
		case MEET_STRANGERS:
			return false;
		case MEET_I_JOIN:
			m->joining = m->me.joining;
			return true;
		case MEET_THEY_JOIN:
		case MEET_BOTH_JOIN:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("node \"%s\" takes this cluster's state before it sends", guest->name)));
			break;
		case MEET_SAME:
		case MEET_UNITE:
			break;
	}
	return true;
}

/* What this node knows of a member of which nobody knows what it holds. */
static void
peer_vector_none(const Guest *guest)
{
	KnownVector known = {.node = guest->node, .life = guest->life, .heard = GetCurrentTimestamp()};
	StringInfoData none;

	initStringInfo(&none);
	vector_encode(&none, vector_new());
	known.vector = (uint8 *) none.data;
	known.vector_len = (size_t) none.len;
	strlcpy(known.name, guest->name, NAMEDATALEN);
	if (member_known(&guest->node))
		peer_vector_write(&known);
}

/* One damaged store has got all of another. When it has got those of all members that can come, it is taken for what it is. */
static Vector *
merge_salvaged(Merge *m, const Guest *guest)
{
	Vector	   *now = vector_copy(m->mine);

	if (m->changed)
		clock_store_changed();
	damage_salvaged(&m->damage, m->in.theirs, &guest->node, m->in.salvaged, m->in.nsalvaged);
	for (int i = 0; i < m->in.collected->n; i++)
		vector_add(now, m->in.collected->entries[i].origin, 0, NULL, 0);
	private_lock_soon(LOCK_VECTOR, 0, ExclusiveLock, "the vector of the receiver");
	holdings_write(now, m->in.collected);
	peer_vector_none(guest);
	if (damage_nobody_left())
		mend_alone(now);
	return now;
}

/* The vectors follow, and what is known of the sender. */
static Vector *
merge_holdings(Merge *m, const Guest *guest)
{
	Vector	   *now;
	KnownVector known = {.node = guest->node, .life = guest->life, .heard = GetCurrentTimestamp(), .vector = m->in.vector,
	.vector_len = m->in.vector_len};

	if (m->in.flags & DELTA_SALVAGE)
		return merge_salvaged(m, guest);
	now = vector_copy(m->mine);
	for (int i = 0; i < m->in.theirs->n; i++)
	{
		const VectorEntry *e = &m->in.theirs->entries[i];

		if (e->origin != clock_slot()->origin)	/* of this life nobody knows more, nor of what is in flight */
			vector_add(now, e->origin, e->head, e->ranges, e->nranges);
	}
	if (m->me.damaged)
		mend_by_peer(now);
	if (m->changed || !vector_covers_all(m->mine, now))
		clock_store_changed();
	private_lock_soon(LOCK_VECTOR, 0, ExclusiveLock, "the vector of the receiver");
	holdings_write(now, m->in.collected);
	strlcpy(known.name, guest->name, NAMEDATALEN);
	if (known_is_kept(&known, now) && (!(m->in.flags & DELTA_DEFERS) || known_as_before(&known)))
		peer_vector_write(&known);
	return now;
}

/* A vector that no message holds could not be told any more: room is left for lives of this node. */
static void
merge_foresee(Merge *m)
{
	Vector	   *now = vector_copy((m->in.flags & DELTA_SALVAGE) ? m->claimed : m->mine);

	vector_join(now, m->in.theirs);
	if (!vector_fits(now, OWN_ENTRIES) && !vector_covers_all(m->mine, now))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("with this delta the vector of the receiver would be too large for a message"),
				 errdetail("It would have %d origins; a message has %d, and %d ranges of stamps.", now->n, MAX_ORIGINS, MAX_RANGES)));
}

/* False: what a damaged node has left is not for this one, which has been mended since. */
static bool
merge_damage(Merge *m)
{
	if (!m->me.damaged)
		return !(m->in.flags & DELTA_SALVAGE);
	if (!damage_read(&m->damage))
		elog(ERROR, "what is known of the damage of this node is gone");
	m->claimed = vector_copy(m->mine);
	vector_join(m->claimed, m->damage.held);
	return true;
}

static Datum
merge_locked(const Guest *guest, const Chunks *chunks)
{
	Merge	   *m = palloc0(sizeof(Merge));
	Chunks		first = *chunks;
	Vector	   *now;
	WireReader	r;

	tables_refresh();
	(void) table_domains();
	m->guest = guest;
	m->limits = accept_limits(guest);
	initStringInfo(&m->last_key);
	m->mine = holdings_push_snapshot();
	if (!chunks_next(&first, &r))
		peer_nonsense("A delta has no chunk.");
	if (!merge_may(m, guest))
	{
		chunks_keep(&guest->node, guest->name, chunks);
		chunks_end_with_session(NULL);
		return merge_refused(m, ANSWER_KEPT);
	}
	if (!delta_header(&m->in, &r, &guest->node, &guest->life, guest->name, m->mine))
		return merge_refused(m, ANSWER_REBASE);
	if (!merge_damage(m))
		return merge_refused(m, ANSWER_REBASE);
	m->my_collected = collected_read(GetActiveSnapshot());
	merge_foresee(m);
	(void) merge_units(m, chunks);
	if (m->joining)
		join_done(&m->me, guest->name, guest->clusters, guest->nclusters);
	if (m->repaired)
		repairs_count(guest->name, m->repaired);
	now = merge_holdings(m, guest);
	if (!chunks->payload)
		chunks_merged(&guest->node);
	PopActiveSnapshot();
	guest_has_sent();
	return merge_answer(ANSWER_MERGED, now);
}

/* From when this merge is the one that runs, others wait for it: so it waits for nothing that takes long. */
static Datum
merge_run(const Guest *guest, const Chunks *chunks)
{
	int			timeout = LockTimeout;
	Datum		answer;

	while (!private_lock_within(LOCK_MERGE, 0, ExclusiveLock, PROGRESS_EVERY / 2))
		progress();
	PG_TRY();
	{
		LockTimeout = LOCK_WAIT;
		answer = merge_locked(guest, chunks);
	}
	PG_FINALLY();
	{
		LockTimeout = timeout;
	}
	PG_END_TRY();
	return answer;
}

static bytea *
payload_get(FunctionCallInfo fcinfo)
{
	bytea	   *payload = PG_GETARG_BYTEA_PP(1);

	if (VARSIZE_ANY_EXHDR(payload) > MAX_CHUNK_SIZE)
		peer_nonsense("A chunk is too large.");
	return payload;
}

/* merge(session bigint, payload bytea) returns bytea: a delta of one chunk; an answer (delta.h) */
Datum
dnsrepl_merge(PG_FUNCTION_ARGS)
{
	int			level = call_begin("dnsrepl.merge()", true);
	const Guest *guest = guest_require(PG_GETARG_INT64(0));
	bytea	   *payload = payload_get(fcinfo);
	Chunks		chunks = {.payload = (uint8 *) VARDATA_ANY(payload), .payload_len = VARSIZE_ANY_EXHDR(payload), .n = 1};
	Datum		answer = merge_run(guest, &chunks);

	call_end(level);
	return answer;
}

/* merge(session bigint, payload bytea, delta bigint, seq int) returns bytea: one of several chunks, kept until merge_done(); null */
Datum
dnsrepl_merge_chunk(PG_FUNCTION_ARGS)
{
	int			level = call_begin("dnsrepl.merge()", false);
	Chunks		staged = chunks_staged(&guest_require(PG_GETARG_INT64(0))->node, PG_GETARG_INT64(2), 0);
	NodeInfo	me;

	node_require(&me);
	if (PG_GETARG_INT32(3) == 0)	/* a delta begins: what there is of an earlier one is of no use */
		chunks_unstage(&staged.node);
	chunks_end_with_session(&staged.node);
	chunk_stage(&staged, PG_GETARG_INT32(3), (struct varlena *) payload_get(fcinfo), guest_meeting(&me) == MEET_STRANGERS);
	call_end(level);
	PG_RETURN_NULL();
}

/* merge_done(session bigint, delta bigint, chunks int) returns bytea: merges what was kept; an answer */
Datum
dnsrepl_merge_done(PG_FUNCTION_ARGS)
{
	int			level = call_begin("dnsrepl.merge_done()", true);
	const Guest *guest = guest_require(PG_GETARG_INT64(0));
	Chunks		chunks = chunks_staged(&guest->node, PG_GETARG_INT64(1), PG_GETARG_INT32(2));
	Datum		answer;

	if (chunks.n < 1)
		peer_nonsense("A delta has no chunk.");
	answer = merge_run(guest, &chunks);
	call_end(level);
	return answer;
}

/* flush(session bigint): returns when what this session has committed cannot be lost any more */
Datum
dnsrepl_flush(PG_FUNCTION_ARGS)
{
	int			level = call_begin("dnsrepl.flush()", false);

	(void) guest_require(PG_GETARG_INT64(0));
	XLogFlush(Max(XactLastCommitEnd, holdings_lsn()));	/* an answer that nothing was merged claims what others have */
	call_end(level);
	PG_RETURN_VOID();
}
