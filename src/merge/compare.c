/*
 * compare.c: dnsrepl.compare(): does a peer that holds the same versions serve the same? Called by its link when it is quiet.
 *
 * Two nodes can be compared when neither holds a version that the other's vector lacks. The sender has made sure of its own;
 * this side looks at its own, in the snapshot that its sums are of. If they differ, one of the two is not what it should be:
 * each looks at its zone first, and puts its own sums right (self_check.c). What still differs is united by a delta with
 * DELTA_REPAIR, in both directions (store/merge_rule.h).
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "dnsrepl.h"
#include "merge/call.h"
#include "merge/greet.h"
#include "merge/self_check.h"
#include "store/clock.h"
#include "store/codec.h"
#include "store/delta.h"
#include "store/origin.h"
#include "store/policy.h"
#include "store/progress.h"
#include "store/relation.h"
#include "store/sums.h"
#include "store/sums_list.h"

PG_FUNCTION_INFO_V1(dnsrepl_compare);

/* Does this node hold a version, or has it collected one, that the sender's vector lacks? */
static bool
holds_more(const Vector *theirs, const Vector *ours)
{
	Store	   *store = store_open(false);
	bool		more = !vector_covers_upto(theirs, ours, collected_read(GetActiveSnapshot())) ||
		version_lacking_any(store, GetActiveSnapshot(), theirs, ours);

	store_close(store);
	return more;
}

typedef struct ZoneList
{
	ZoneRef    *zones;
	int			n,
				cap;
} ZoneList;

static void
zone_list_add(ZoneList *l, const ZoneRef *z)
{
	if (l->n == l->cap)
	{
		l->cap = l->cap ? l->cap * 2 : 16;
		l->zones = l->zones ? repalloc_huge(l->zones, sizeof(ZoneRef) * (size_t) l->cap) : palloc(sizeof(ZoneRef) * (size_t) l->cap);
	}
	l->zones[l->n++] = *z;
}

/* The next zone of a peer's list, which is in zone_order. */
static bool
theirs_next(WireReader *r, ZoneRef *z, uint64 *sum)
{
	ZoneRef		last = *z;

	if (!sums_list_next(r, z, sum))
		return false;
	if ((last.name_len || last.table) && zone_order(&last, z) >= 0)
		peer_nonsense("The zones of its list are not in order.");
	return true;
}

/* The zones of both lists whose sums differ, in zone_order. */
static ZoneList
zones_different(WireReader *r)
{
	ZoneList	out = {0};
	int			nmine,
				i = 0;
	ZoneRef    *mine = zone_all_at(GetActiveSnapshot(), &nmine);
	ZoneRef		theirs = {0};
	uint64		sum;
	bool		more = theirs_next(r, &theirs, &sum);

	/* those that it does not come to have their turn when these are united */
	while ((more || i < nmine) && out.n < MAX_DIFFERENT)
	{
		int			c = !more ? -1 : i == nmine ? 1 : zone_order(&mine[i], &theirs);

		progress();
		if (c <= 0 && zone_sum(&mine[i]) != (c == 0 ? sum : 0))
			zone_list_add(&out, &mine[i]);
		if (c > 0)
			zone_list_add(&out, &theirs);
		if (c <= 0)
			i++;
		if (c >= 0)
			more = theirs_next(r, &theirs, &sum);
	}
	return out;
}

static CompareVerdict
compare_zones(StringInfo out, const bytea *list)
{
	WireReader	r;
	int			left = 0;
	ZoneList	l;

	wire_reader_init(&r, VARDATA_ANY(list), VARSIZE_ANY_EXHDR(list));
	l = zones_different(&r);
	for (int i = 0; i < l.n; i++)
		if (!l.zones[i].number || !zone_check(l.zones[i].number))
		{
			zone_encode(out, &l.zones[i]);
			wire_put_u64(out, l.zones[i].number ? zone_sum(&l.zones[i]) : 0);
			left++;
		}
	return left ? COMPARE_DIFFERENT : COMPARE_NOT_NOW;
}

/*
 * compare(session bigint, holds bytea, total bigint, zones bytea) returns bytea: u8 a CompareVerdict; if `zones` (sums_list.h) is not empty,
 * then those that differ, as items of zones, each followed by u64 zone_sum() here.
 */
Datum
dnsrepl_compare(PG_FUNCTION_ARGS)
{
	int			level = call_begin("dnsrepl.compare()", true);
	bytea	   *holds = PG_GETARG_BYTEA_PP(1);
	bytea	   *list = PG_GETARG_BYTEA_PP(3);
	CompareVerdict verdict = COMPARE_NOT_NOW;
	Vector	   *ours,
			   *theirs;
	WireReader	r;
	uint64		total;
	StringInfoData out;

	(void) guest_require(PG_GETARG_INT64(0));
	tables_refresh();
	policies_refresh();
	(void) table_domains();
	wire_reader_init(&r, VARDATA_ANY(holds), VARSIZE_ANY_EXHDR(holds));
	theirs = vector_decode(&r);
	if (!theirs || !wire_at_end(&r))
		peer_nonsense("Its vector cannot be read.");
	initStringInfo(&out);
	appendStringInfoSpaces(&out, VARHDRSZ + 1);
	ours = holdings_push_snapshot();
	if (sums_total(GetActiveSnapshot(), &total) && !holds_more(theirs, ours))
	{
		clock_count(COUNT_COMPARED, 1);
		verdict = total == (uint64) PG_GETARG_INT64(2) ? COMPARE_EQUAL : COMPARE_DIFFERENT;
		if (verdict == COMPARE_DIFFERENT && VARSIZE_ANY_EXHDR(list) > 0)
			verdict = compare_zones(&out, list);
	}
	PopActiveSnapshot();
	out.data[VARHDRSZ] = (char) verdict;
	SET_VARSIZE(out.data, out.len);
	call_end(level);
	PG_RETURN_BYTEA_P((bytea *) out.data);
}
