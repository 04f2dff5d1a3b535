/*
 * link_state.h: what is known of each link, in shared memory: written by its worker and the manager, read by status.
 */
#ifndef DNSREPL_LINK_STATE_H
#define DNSREPL_LINK_STATE_H

#include "postgres.h"

#include "utils/timestamp.h"
#include "utils/uuid.h"

#define MAX_KNOWN_VECTOR	8192	/* octets of a peer's vector that are kept for status */
#define LINK_ERROR_SIZE		256

typedef enum LinkPhase
{
	LINK_DOWN,
	LINK_CONNECTING,
	LINK_CATCHING_UP,
	LINK_STREAMING
} LinkPhase;

typedef struct LinkState
{
	Oid			database;		/* InvalidOid: free */
	char		peer[NAMEDATALEN];	/* its name in dnsrepl.peer */
	pid_t		pid;			/* the link's worker; 0: none */
	LinkPhase	phase;
	uint64		acked;			/* the peer holds all of this many commits (NodeSlot.commits); 0: not known */
	int32		resyncs;		/* of a DNS server: how often something had been asked for when the session began; else 0 */
	TimestampTz last_contact;	/* 0: never */
	TimestampTz waits_since;	/* when the call was made whose answer is awaited; 0: none */
	char		last_error[LINK_ERROR_SIZE];	/* empty: none */
	bool		skew_known;
	int64		skew;			/* us that the peer's clock is ahead of this server's */
	bool		known;			/* the rest is: the peer has been greeted */
	pg_uuid_t	node;
	pg_uuid_t	life;
	int32		vector_len;		/* -1: larger than what is kept */
	uint8		vector[MAX_KNOWN_VECTOR];
} LinkState;

extern Size link_state_shmem_size(void);
extern void link_state_shmem_request(void);
extern void link_state_shmem_init(void);

/* Was the library preloaded? */
extern bool link_state_available(void);

/* The manager: the entry of a peer of this database, made if there is none; NULL if there is no room. */
extern LinkState *link_state_open(const char *peer);
extern void link_state_free(LinkState *link);
extern int	link_state_index(const LinkState *link);

/* Frees all entries of a database that `keep` does not want. */
extern void link_state_sweep(Oid database, bool (*keep) (const char *peer, void *arg), void *arg);

/* A link's worker: takes its entry, by index; NULL if it is not that database's any more. Undone at exit. */
extern LinkState *link_state_attach(int index, Oid database);

extern void link_state_set_phase(LinkState *link, LinkPhase phase);
extern void link_state_set_waiting(LinkState *link, bool waits);	/* a call is made, or has been answered */
extern void link_state_set_error(LinkState *link, const char *text);	/* NULL: none */

/* The peer has answered; the vector may be NULL (no news). */
extern void link_state_heard(LinkState *link, const pg_uuid_t *node, const pg_uuid_t *life,
							 const uint8 *vector, size_t vector_len);
extern void link_state_set_skew(LinkState *link, int64 skew);
extern void link_state_set_acked(LinkState *link, uint64 commits);
extern void link_state_set_resyncs(LinkState *link, int32 resyncs);

/* Readers. */
extern bool link_state_read(Oid database, const char *peer, LinkState *copy);
extern bool link_state_has_acked(Oid database, const char *peer, uint64 commits, int32 resyncs);
extern bool link_state_running(Oid database);
extern void link_state_terminate(Oid database);

/* Makes text from anywhere fit to be shown: valid in this database's encoding, one line, short enough. */
extern void link_error_format(char *out, size_t size, const char *text);

#endif
