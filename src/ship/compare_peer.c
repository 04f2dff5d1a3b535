/*
 * compare_peer.c: see compare_peer.h; the peer's side is merge/compare.c. No transaction is open while the peer is waited for.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "ship/compare_peer.h"
#include "ship/worker.h"
#include "store/codec.h"
#include "store/delta.h"
#include "store/origin.h"
#include "store/relation.h"
#include "store/sums.h"
#include "store/sums_list.h"

const CallKind call_compare = {true, "compare", "SELECT dnsrepl.compare($1, $2, $3, $4)", 4, {INT8OID, BYTEAOID, INT8OID, BYTEAOID}};

/* What this node says of itself, in one snapshot. */
typedef struct Says
{
	StringInfoData holds;
	StringInfoData zones;
	uint64		total;
} Says;

static bool
peer_lacks(const uint8 *vector, size_t len, const Vector *ours)
{
	WireReader	r;
	Vector	   *theirs;
	Store	   *store = store_open(false);
	bool		lacks;

	wire_reader_init(&r, vector, len);
	theirs = vector_decode(&r);
	lacks = !theirs || version_lacking_any(store, GetActiveSnapshot(), theirs, ours);
	store_close(store);
	return lacks;
}

/* False: the two cannot be compared now. */
static bool
says_make(Says *s, const uint8 *vector, size_t len, bool list)
{
	MemoryContext caller = CurrentMemoryContext;
	Vector	   *ours;
	bool		comparable;

	initStringInfo(&s->holds);
	initStringInfo(&s->zones);
	worker_begin();
	ours = holdings_push_snapshot();
	comparable = sums_total(GetActiveSnapshot(), &s->total) && !peer_lacks(vector, len, ours);
	if (comparable)
	{
		int			n;
		ZoneRef    *zones = list ? zone_all_at(GetActiveSnapshot(), &n) : NULL;

		vector_encode(&s->holds, ours);
		if (list)
			sums_list_encode(&s->zones, zones, n);
	}
	PopActiveSnapshot();
	worker_commit();
	MemoryContextSwitchTo(caller);
	return comparable;
}

static uint8 *
says_send(PeerConn *conn, const Says *s, size_t *len)
{
	uint64		total = pg_hton64(s->total);
	CallParam	params[3] = {{s->holds.data, s->holds.len}, {&total, sizeof(total)}, {s->zones.data, s->zones.len}};
	uint8	   *answer;

	peer_send(conn, &call_compare, params);
	answer = peer_answer(conn, len);
	if (!answer || *len < 1)
		ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION), errmsg("the peer's answer is not one of dnsrepl")));
	return answer;
}

/*
 * Zones that differ for good, though both hold the same: none clears what was noted. What is served otherwise by now than when it was compared
 * is another matter: somebody may have changed the policy since, and it is not to be doubted at once for what was.
 */
static void
differences_note(const char *name, const ZoneRef *zones, int n)
{
	Datum	   *numbers = palloc(sizeof(Datum) * (size_t) (n + 1));
	Oid			types[2] = {TEXTOID, INT4ARRAYOID};
	Datum		values[2];
	MemoryContext caller = CurrentMemoryContext;
	int			still = 0;

	worker_begin();
	for (int i = 0; i < n; i++)
	{
		ZoneRef		now;

		if (zone_by_number_at(GetActiveSnapshot(), zones[i].number, &now) && zone_sum(&now) == zone_sum(&zones[i]))
			numbers[still++] = Int32GetDatum(zones[i].number);
	}
	values[0] = CStringGetTextDatum(name);
	values[1] = PointerGetDatum(construct_array(numbers, still, INT4OID, 4, true, TYPALIGN_INT));
	SPI_connect();
	SPI_execute_with_args("SELECT dnsrepl.differs_from($1, $2)", 2, types, values, NULL, false, 0);
	SPI_finish();
	worker_commit();
	MemoryContextSwitchTo(caller);
}

/* By SQL name: it is not this folder's. */
static bool
zone_was_off(int32 number)
{
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(number)};
	bool		off = true,
				isnull;

	SPI_connect();
	if (SPI_execute_with_args("SELECT dnsrepl.check_zone_now($1)", 1, types, values, NULL, false, 0) == SPI_OK_SELECT && SPI_processed == 1)
		off = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	return off;
}

/* This node's zones that the peer finds different; each is looked at here too. What was put right by that is left out. */
static int
zones_read(const uint8 *answer, size_t len, ZoneRef **out, uint64 *sum)
{
	MemoryContext caller = CurrentMemoryContext;
	WireReader	r;
	ZoneRef		zone;
	uint64		theirs;
	int			nall,
				n = 0;
	ZoneRef    *all;

	worker_begin();
	MemoryContextSwitchTo(caller);
	all = zone_all(&nall);
	*out = palloc(sizeof(ZoneRef) * (size_t) (nall + 1));
	wire_reader_init(&r, answer + 1, len - 1);
	while (sums_list_next(&r, &zone, &theirs))
	{
		ZoneRef    *mine = nall ? bsearch(&zone, all, (size_t) nall, sizeof(ZoneRef), zone_order) : NULL;

		CHECK_FOR_INTERRUPTS();
		if (mine && n > 0 && zone_order(&(*out)[n - 1], mine) >= 0)
			ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION), errmsg("the zones of the peer's answer are not in order")));
		if (!mine || n == nall || zone_was_off(mine->number))
			continue;
		(*out)[n++] = *mine;
		*sum = hash_combine64(*sum, hash_combine64(zone_sum(mine), theirs));
	}
	worker_commit();
	MemoryContextSwitchTo(caller);
	return n;
}

int
compare_peer(PeerConn *conn, const char *name, const uint8 *vector, size_t vector_len, uint64 *last, ZoneRef **zones)
{
	Says		s;
	uint8	   *answer;
	size_t		len;
	uint64		sum = 1;
	int			n;

	if (!says_make(&s, vector, vector_len, false))
		return 0;
	answer = says_send(conn, &s, &len);
	if (answer[0] == COMPARE_EQUAL && *last)
	{
		differences_note(name, NULL, 0);
		*last = 0;
	}
	if (answer[0] != COMPARE_DIFFERENT || !says_make(&s, vector, vector_len, true))
		return 0;
	answer = says_send(conn, &s, &len);
	if (answer[0] != COMPARE_DIFFERENT)
		return 0;
	n = zones_read(answer, len, zones, &sum);
	if (n > 0 && *last == sum)
	{
		differences_note(name, *zones, n);
		return 0;
	}
	*last = n > 0 ? sum : *last;
	return n;
}
