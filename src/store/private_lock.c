/*
 * private_lock.c: see private_lock.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "compat.h"
#include "store/private_lock.h"
#include "store/schema.h"
#include "store/subxact.h"

typedef struct HeldLock
{
	LOCKTAG		tag;
	LOCKMODE	mode;
} HeldLock;

/* Those of this transaction. */
static HeldLock *held = NULL;
static int	nheld,
			cap_held;
static LocalTransactionId held_by = InvalidLocalTransactionId;

/* Before the lock is asked for, so that nothing fails once it is there. */
static void
held_room(void)
{
	if (held_by != MY_LXID)
	{
		held_by = MY_LXID;
		nheld = 0;
		cap_held = 16;
		held = MemoryContextAlloc(TopTransactionContext, sizeof(HeldLock) * (size_t) cap_held);
	}
	if (nheld == cap_held)
		held = repalloc_huge(held, sizeof(HeldLock) * (size_t) (cap_held *= 2));
}

/* A prepared transaction would keep them, for as long as nobody ends it. It has written nothing that they protect: see capture.c. */
static void
held_release(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_PRE_PREPARE || held_by != MY_LXID)
		return;
	Assert(CurrentResourceOwner == TopTransactionResourceOwner);
	for (int i = 0; i < nheld; i++)
		LockRelease(&held[i].tag, held[i].mode, false);
	nheld = 0;
}

bool
private_lock(LockClass cls, uint32 object, LOCKMODE mode, bool nowait)
{
	static bool registered = false;
	LOCKTAG		tag;
	ResourceOwner old = CurrentResourceOwner;
	LockAcquireResult result;

	if (!registered)
	{
		RegisterXactCallback(held_release, NULL);
		registered = true;
	}
	held_room();
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) cls, object, (uint16) cls);
	/* of the top transaction: a subtransaction that is rolled back would release it */
	CurrentResourceOwner = TopTransactionResourceOwner;
	PG_TRY();
	{
		result = LockAcquire(&tag, mode, false, nowait);
		if (result == LOCKACQUIRE_OK)
			held[nheld++] = (HeldLock) {tag, mode};
		else if (result == LOCKACQUIRE_ALREADY_HELD)
			LockRelease(&tag, mode, false);		/* it is counted: once */
	}
	PG_FINALLY();
	{
		CurrentResourceOwner = old;
	}
	PG_END_TRY();
	return result != LOCKACQUIRE_NOT_AVAIL;
}

bool
private_lock_held(LockClass cls, uint32 object, LOCKMODE mode)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) cls, object, (uint16) cls);
	for (int i = 0; i < nheld && held_by == MY_LXID; i++)
		if (held[i].mode == mode && memcmp(&held[i].tag, &tag, sizeof(LOCKTAG)) == 0)
			return true;
	return false;
}

int
private_lock_mark(void)
{
	return held_by == MY_LXID ? nheld : 0;
}

void
private_unlock_since(int mark)
{
	ResourceOwner old = CurrentResourceOwner;

	CurrentResourceOwner = TopTransactionResourceOwner;
	while (held_by == MY_LXID && nheld > mark)
	{
		nheld--;
		LockRelease(&held[nheld].tag, held[nheld].mode, false);
	}
	CurrentResourceOwner = old;
}

typedef struct Wait
{
	int			ms;
	void		(*fn) (void *arg);
	void	   *arg;
} Wait;

static void
wait_run(void *arg)
{
	const Wait *w = arg;

	LockTimeout = w->ms;
	w->fn(w->arg);
}

bool
wait_within(int ms, void (*fn) (void *arg), void *arg)
{
	Wait		w = {ms, fn, arg};
	int			timeout = LockTimeout;
	ErrorData  *error = subxact_try(wait_run, &w);

	LockTimeout = timeout;
	if (!error)
		return true;
	if (!error_is_lock(error->sqlerrcode))
		ReThrowError(error);
	FreeErrorData(error);
	return false;
}

typedef struct WantedLock
{
	LockClass	cls;
	uint32		object;
	LOCKMODE	mode;
} WantedLock;

static void
wanted_lock(void *arg)
{
	WantedLock *w = arg;

	(void) private_lock(w->cls, w->object, w->mode, false);
}

bool
private_lock_within(LockClass cls, uint32 object, LOCKMODE mode, int ms)
{
	WantedLock	w = {cls, object, mode};

	if (private_lock(cls, object, mode, true))
		return true;
	return ms > 0 && wait_within(ms, wanted_lock, &w);
}

int
private_lock_holder(LockClass cls, uint32 object, LOCKMODE mode)
{
	OwnerScope	scope = owner_enter();
	Oid			types[3] = {INT8OID, INT8OID, TEXTOID};
	Datum		values[3] = {Int64GetDatum((int64) cls), Int64GetDatum((int64) object), CStringGetTextDatum(GetLockmodeName(DEFAULT_LOCKMETHOD, mode))};
	int			pid = 0;

	SPI_connect();
	if (SPI_execute_with_args("SELECT min(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
							  " AND classid = $1::oid AND objid = $2::oid AND objsubid = $1 AND mode = $3 AND granted AND pid <> pg_backend_pid()",
							  3, types, values, NULL, true, 1) == SPI_OK_SELECT && SPI_processed == 1)
	{
		bool		isnull;

		pid = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		if (isnull)
			pid = 0;
	}
	SPI_finish();
	owner_leave(scope);
	return pid;
}

void
private_lock_soon(LockClass cls, uint32 object, LOCKMODE mode, const char *what)
{
	int			pid;

	if (private_lock_within(cls, object, mode, LOCK_WAIT))
		return;
	pid = private_lock_holder(cls, object, ExclusiveLock);
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("%s is locked by %s", what, pid ? psprintf("process %d", pid) : "other transactions"),
			 errhint("Try again when that has ended.")));
}
