/*
 * connect.h: a connection to a peer, without ever blocking in libpq.
 */
#ifndef DNSREPL_CONNECT_H
#define DNSREPL_CONNECT_H

#include "postgres.h"

#include "libpq-fe.h"

#include "datatype/timestamp.h"

#include "store/delta.h"

#define MAX_CALL_PARAMS 5

typedef struct PeerConn PeerConn;

/* One parameter of a call, in binary. */
typedef struct CallParam
{
	const void *data;
	int			len;
} CallParam;

/* A statement that is called with such parameters. If it begins with the session's number, that is put before them. */
typedef struct CallKind
{
	bool		in_session;
	const char *name;
	const char *sql;
	int			nparams;
	Oid			types[MAX_CALL_PARAMS];
} CallKind;

/*
 * All of these raise what goes wrong: an error of the peer's as it was (SQLSTATE, message, detail), 08006 and the like
 * for the connection. After an error nothing but peer_close() is of use.
 */
extern PeerConn *peer_open(const char *conninfo, const char *application_name);
extern void peer_close(PeerConn *conn);

/*
 * May it carry private keys? Verified: TLS with a certificate that was checked (sslmode=verify-ca or verify-full), or with
 * SCRAM bound to the channel (channel_binding=require), GSSAPI with encryption, or a connection that does not leave this machine
 * (a Unix socket, loopback). Unverified: encrypted, for whoever has answered. TLS with a NULL cipher, for those who may not
 * encrypt, can be read along.
 */
extern PeerTrust peer_trust(PeerConn *conn);

/* The number that the peer has given to this session; 0 at first. */
extern uint64 peer_session(const PeerConn *conn);
extern void peer_set_session(PeerConn *conn, uint64 session);

/* Prepares statements, as one call. */
extern void peer_prepare(PeerConn *conn, const CallKind *kinds, int n);

/* Sends a call, a transaction of its own; returns when the last octet has left. */
extern void peer_send(PeerConn *conn, const CallKind *kind, const CallParam *params);

/*
 * Waits for the answer of the earliest call that has none yet, and for the end of its transaction. Its one value, a
 * bytea, in the current memory context; NULL if it is null.
 */
extern uint8 *peer_answer(PeerConn *conn, size_t *len);

/* Waits for this process's latch, the end of the connection (an error), or `until`. */
extern void peer_idle(PeerConn *conn, TimestampTz until);

/* When something was heard from the peer last. */
extern TimestampTz peer_heard(const PeerConn *conn);

/* What it has said last of zones in which what came has to wait, since that was forgotten; empty: nothing. */
extern const char *peer_waits(const PeerConn *conn);
extern void peer_waits_forget(PeerConn *conn);

#endif
