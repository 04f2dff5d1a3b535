/*
 * link_state.c: see link_state.h.
 *
 * One array for all nodes of the server. An entry is made by the manager of its database when the peer gets a link,
 * outlives the link's worker (a paused or broken link is still known), and is freed by the manager when the peer is
 * dropped, or when the database is. Lock: one for the whole array; nothing is done under it but copying.
 */
#include "postgres.h"

#include <signal.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "compat.h"
#include "dnsrepl.h"
#include "ship/link_state.h"
#include "ship/roster.h"

#define LINK_TRANCHE "dnsrepl links"

typedef struct LinkStates
{
	LWLock	   *lock;
	LinkState	links[MAX_LINKS];
} LinkStates;

static LinkStates *states = NULL;

Size
link_state_shmem_size(void)
{
	return add_size(MAXALIGN(sizeof(LinkStates)), roster_shmem_size());
}

void
link_state_shmem_request(void)
{
	RequestAddinShmemSpace(link_state_shmem_size());
	RequestNamedLWLockTranche(LINK_TRANCHE, 2);
}

void
link_state_shmem_init(void)
{
	bool		found;
	LWLockPadded *locks;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	locks = GetNamedLWLockTranche(LINK_TRANCHE);
	states = ShmemInitStruct(LINK_TRANCHE, sizeof(LinkStates), &found);
	if (!found)
	{
		memset(states, 0, sizeof(LinkStates));
		states->lock = &locks[0].lock;
	}
	roster_shmem_init(&locks[1].lock);
	LWLockRelease(AddinShmemInitLock);
}

bool
link_state_available(void)
{
	return states != NULL;
}

/* The lock is held. */
static LinkState *
link_find(Oid database, const char *peer)
{
	for (int i = 0; i < MAX_LINKS; i++)
		if (states->links[i].database == database && (!peer || strcmp(states->links[i].peer, peer) == 0))
			return &states->links[i];
	return NULL;
}

LinkState *
link_state_open(const char *peer)
{
	LinkState  *link;

	LWLockAcquire(states->lock, LW_EXCLUSIVE);
	link = link_find(MyDatabaseId, peer);
	if (!link && (link = link_find(InvalidOid, NULL)) != NULL)
	{
		memset(link, 0, sizeof(*link));
		link->database = MyDatabaseId;
		link->phase = LINK_CONNECTING;
		strlcpy(link->peer, peer, sizeof(link->peer));
	}
	LWLockRelease(states->lock);
	return link;
}

void
link_state_free(LinkState *link)
{
	LWLockAcquire(states->lock, LW_EXCLUSIVE);
	link->database = InvalidOid;
	LWLockRelease(states->lock);
}

int
link_state_index(const LinkState *link)
{
	return (int) (link - states->links);
}

void
link_state_sweep(Oid database, bool (*keep) (const char *peer, void *arg), void *arg)
{
	LWLockAcquire(states->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_LINKS; i++)
	{
		LinkState  *link = &states->links[i];

		if (link->database == database && !link->pid && !(keep && keep(link->peer, arg)))
			link->database = InvalidOid;
	}
	LWLockRelease(states->lock);
}

static void
link_leave(int code, Datum arg)
{
	LinkState  *link = &states->links[DatumGetInt32(arg)];

	LWLockAcquire(states->lock, LW_EXCLUSIVE);
	if (link->database == MyDatabaseId && link->pid == MyProcPid)
	{
		link->pid = 0;
		link->phase = LINK_DOWN;
		link->acked = 0;
		if (!*link->last_error)
			strlcpy(link->last_error, "its worker has ended and will be started again", LINK_ERROR_SIZE);
	}
	LWLockRelease(states->lock);
}

LinkState *
link_state_attach(int index, Oid database)
{
	LinkState  *link = &states->links[index];
	bool		mine;

	LWLockAcquire(states->lock, LW_EXCLUSIVE);
	mine = link->database == database;
	if (mine)
	{
		link->pid = MyProcPid;
		link->phase = LINK_CONNECTING;
		link->acked = 0;
		link->resyncs = 0;
		link->waits_since = 0;
	}
	LWLockRelease(states->lock);
	if (!mine)
		return NULL;
	before_shmem_exit(link_leave, Int32GetDatum(index));
	return link;
}

void
link_state_set_phase(LinkState *link, LinkPhase phase)
{
	LWLockAcquire(states->lock, LW_EXCLUSIVE);
	link->phase = phase;
	if (phase == LINK_DOWN || phase == LINK_CONNECTING)
		link->acked = 0;
	LWLockRelease(states->lock);
}

void
link_state_set_waiting(LinkState *link, bool waits)
{
	TimestampTz now = waits ? GetCurrentTimestamp() : 0;

	LWLockAcquire(states->lock, LW_EXCLUSIVE);
	link->waits_since = now;
	LWLockRelease(states->lock);
}

void
link_state_set_error(LinkState *link, const char *text)
{
	LWLockAcquire(states->lock, LW_EXCLUSIVE);
	strlcpy(link->last_error, text ? text : "", sizeof(link->last_error));
	LWLockRelease(states->lock);
}

void
link_state_heard(LinkState *link, const pg_uuid_t *node, const pg_uuid_t *life, const uint8 *vector, size_t vector_len)
{
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(states->lock, LW_EXCLUSIVE);
	link->last_contact = now;
	if (vector)
	{
		link->known = true;
		link->node = *node;
		link->life = *life;
		link->vector_len = vector_len <= MAX_KNOWN_VECTOR ? (int32) vector_len : -1;
		if (link->vector_len > 0)
			memcpy(link->vector, vector, vector_len);
	}
	LWLockRelease(states->lock);
}

/* A peer may say anything: what is shown is bounded. */
#define MAX_SKEW (50 * 365 * USECS_PER_DAY)

void
link_state_set_skew(LinkState *link, int64 skew)
{
	LWLockAcquire(states->lock, LW_EXCLUSIVE);
	link->skew_known = true;
	link->skew = Max(Min(skew, MAX_SKEW), -MAX_SKEW);
	LWLockRelease(states->lock);
}

void
link_state_set_acked(LinkState *link, uint64 commits)
{
	LWLockAcquire(states->lock, LW_EXCLUSIVE);
	link->acked = commits;
	LWLockRelease(states->lock);
}

void
link_state_set_resyncs(LinkState *link, int32 resyncs)
{
	LWLockAcquire(states->lock, LW_EXCLUSIVE);
	link->resyncs = resyncs;
	LWLockRelease(states->lock);
}

bool
link_state_read(Oid database, const char *peer, LinkState *copy)
{
	LinkState  *link;

	LWLockAcquire(states->lock, LW_SHARED);
	link = link_find(database, peer);
	if (link)
		*copy = *link;
	LWLockRelease(states->lock);
	return link != NULL;
}

bool
link_state_has_acked(Oid database, const char *peer, uint64 commits, int32 resyncs)
{
	LinkState  *link;
	bool		result;

	LWLockAcquire(states->lock, LW_SHARED);
	link = link_find(database, peer);
	result = link && link->acked >= commits && link->resyncs == resyncs;
	LWLockRelease(states->lock);
	return result;
}

bool
link_state_running(Oid database)
{
	bool		result = false;

	LWLockAcquire(states->lock, LW_SHARED);
	for (int i = 0; i < MAX_LINKS; i++)
		result |= states->links[i].database == database && states->links[i].pid;
	LWLockRelease(states->lock);
	return result;
}

void
link_state_terminate(Oid database)
{
	LWLockAcquire(states->lock, LW_SHARED);
	for (int i = 0; i < MAX_LINKS; i++)
		if (states->links[i].database == database && states->links[i].pid)
			kill(states->links[i].pid, SIGTERM);
	LWLockRelease(states->lock);
}

void
link_error_format(char *out, size_t size, const char *text)
{
	int			len = (int) strlen(text);
	bool		valid = pg_verifymbstr(text, len, true);
	size_t		n = 0;
	bool		space = false;

	if (valid)
		len = pg_mbcliplen(text, len, (int) size - 1);
	for (int i = 0; i < len && n + 1 < size; i++)
	{
		unsigned char c = (unsigned char) text[i];

		if (c <= ' ' || c == 0x7f)
		{
			space = n > 0;
			continue;
		}
		if (space)
			out[n++] = ' ';
		space = false;
		if (n + 1 < size)
			out[n++] = c < 0x80 || valid ? (char) c : '?';
	}
	out[n] = '\0';
}
