/*
 * rejection.c: see rejection.h; and dnsrepl.rejections().
 *
 * PowerDNS's API turns an error of its database into a bare status 500. Nothing is done under the lock but copying.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "store/rejection.h"
#include "store/result_set.h"

PG_FUNCTION_INFO_V1(dnsrepl_rejections);

#define RING			256
#define RING_TRANCHE	"dnsrepl rejections"
#define NAME_SIZE		260
#define TYPE_SIZE		16
#define TEXT_SIZE		512

typedef struct Entry
{
	TimestampTz at;
	Oid			database;		/* InvalidOid: none */
	Oid			role;
	int			sqlstate;
	char		application[NAMEDATALEN];
	char		zone[NAME_SIZE];
	char		name[NAME_SIZE];
	char		type[TYPE_SIZE];
	char		content[TEXT_SIZE];
	char		rule[NAMEDATALEN];
	char		message[TEXT_SIZE];
} Entry;

typedef struct Ring
{
	LWLock	   *lock;
	uint64		next;
	Entry		entries[RING];
} Ring;

static Ring *ring = NULL;

void
rejection_shmem_request(void)
{
	RequestAddinShmemSpace(MAXALIGN(sizeof(Ring)));
	RequestNamedLWLockTranche(RING_TRANCHE, 1);
}

void
rejection_shmem_init(void)
{
	bool		found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	ring = ShmemInitStruct(RING_TRANCHE, sizeof(Ring), &found);
	if (!found)
	{
		memset(ring, 0, sizeof(Ring));
		ring->lock = &GetNamedLWLockTranche(RING_TRANCHE)[0].lock;
	}
	LWLockRelease(AddinShmemInitLock);
}

/* As much as there is room for, without half a character. */
static void
put(char *to, size_t size, const char *from)
{
	size_t		len = from ? strlen(from) : 0;

	if (len >= size)
		len = (size_t) pg_mbcliplen(from, (int) len, (int) size - 1);
	memcpy(to, from ? from : "", len);
	to[len] = '\0';
}

void
rejection_note(const Refusal *r)
{
	Entry		e;

	if (!ring)
		return;
	e.at = GetCurrentTimestamp();
	e.database = MyDatabaseId;
	e.role = GetSessionUserId();
	e.sqlstate = r->sqlstate;
	put(e.application, sizeof(e.application), application_name);
	put(e.zone, sizeof(e.zone), r->zone);
	put(e.name, sizeof(e.name), r->name);
	put(e.type, sizeof(e.type), r->type);
	put(e.content, sizeof(e.content), r->content);
	put(e.rule, sizeof(e.rule), r->rule);
	put(e.message, sizeof(e.message), r->message);
	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	ring->entries[ring->next++ % RING] = e;
	LWLockRelease(ring->lock);
}

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text[0] == '\0';
	return *isnull ? (Datum) 0 : CStringGetTextDatum(text);
}

/*
 * rejections(OUT at timestamptz, OUT username name, OUT application text, OUT zone text, OUT name text, OUT type text,
 * OUT content text, OUT code text, OUT rule text, OUT message text): those of this database, the oldest first
 */
Datum
dnsrepl_rejections(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Tuplestorestate *out = result_set_begin(fcinfo, &desc);
	Entry	   *all;
	uint64		next;

	if (!ring)
		PG_RETURN_NULL();
	all = palloc(sizeof(Entry) * RING);
	LWLockAcquire(ring->lock, LW_SHARED);
	memcpy(all, ring->entries, sizeof(Entry) * RING);
	next = ring->next;
	LWLockRelease(ring->lock);
	for (uint64 i = 0; i < RING; i++)
	{
		const Entry *e = &all[(next + i) % RING];
		char	   *user;
		Datum		values[10];
		bool		nulls[10] = {false};

		if (e->database != MyDatabaseId)
			continue;
		user = GetUserNameFromId(e->role, true);
		values[0] = TimestampTzGetDatum(e->at);
		values[1] = text_or_null(user ? user : "", &nulls[1]);
		values[2] = text_or_null(e->application, &nulls[2]);
		values[3] = text_or_null(e->zone, &nulls[3]);
		values[4] = text_or_null(e->name, &nulls[4]);
		values[5] = text_or_null(e->type, &nulls[5]);
		values[6] = text_or_null(e->content, &nulls[6]);
		values[7] = CStringGetTextDatum(unpack_sql_state(e->sqlstate));
		values[8] = text_or_null(e->rule, &nulls[8]);
		values[9] = text_or_null(e->message, &nulls[9]);
		tuplestore_putvalues(out, desc, values, nulls);
	}
	PG_RETURN_NULL();
}
