/*
 * connect.c: see connect.h.
 *
 * Every wait is for the socket and the latch at once. While an answer is awaited, or octets do not leave, the peer
 * must give a sign of life (an octet taken, a NOTICE, an answer) every 3 * dnsrepl.keepalive (5 s at the least), or it
 * counts as dead.
 *
 * What a peer sends is bounded while it arrives. Rows come one by one, and the second ends the session; notifications, which nobody has asked
 * for, are thrown away. libpq makes room for a message by the length that it begins with, and keeps what parameters a server reports:
 * beyond MEMORY_LEAST and what this node's own largest message takes, the operating system gives this process nothing (RLIMIT_DATA), and the
 * session ends for want of memory. There is no bound of time for a call of which the peer says that it is at work: merges take as long
 * as they take, and dnsrepl.status shows since when (waiting_since).
 *
 * PGresults are malloc'd: what is needed of one is copied and it is freed before anything is raised. A PGconn is
 * freed by peer_close(), also after errors; its socket is accounted for by AcquireExternalFD().
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "dnsrepl.h"
#include "ship/connect.h"
#include "ship/worker.h"

#define SILENCE_KEEPALIVES	3		/* so many of them unanswered: dead */
#define SILENCE_LEAST		5000	/* ms; a peer that merges says so every second or so */
#define MAX_CONNINFO_OPTIONS 100
#define MAX_RESULTS_PER_CALL 100	/* a call has one, its row, and one for each statement prepared with it */
#define MAX_PEER_TEXT		2000	/* octets of what a peer says that are looked at */
#define MEMORY_LEAST		((rlim_t) 1024 * 1024 * 1024)
#define MEMORY_PER_CHUNK	6		/* times: it is held encoded, and in libpq's buffer, which doubles */

struct PeerConn
{
	PGconn	   *pg;
	TimestampTz heard;
	uint64		session;		/* as the peer numbers it, big-endian */
	char		waits[256];		/* what the peer said last of zones that wait there; empty: nothing */
	char		farewell[256];	/* what the peer said when it ended the session unasked */
};

/* How long a peer may be silent while it owes us something, in ms. */
static int
silence_allowed(void)
{
	return Max(setting_keepalive * SILENCE_KEEPALIVES, SILENCE_LEAST);
}

static void
conn_heard(PeerConn *conn)
{
	conn->heard = GetCurrentTimestamp();
}

/* Notices are signs of life. A fatal one that comes between calls is why the connection ends. */
static void
conn_notice(void *arg, const PGresult *res)
{
	PeerConn   *conn = arg;
	const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	conn_heard(conn);
	if (state && message && strcmp(state, SQLSTATE_ZONES_WAIT) == 0)
		strlcpy(conn->waits, message, sizeof(conn->waits));
	if (severity && message && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
		strlcpy(conn->farewell, message, sizeof(conn->farewell));
}

const char *
peer_waits(const PeerConn *conn)
{
	return conn->waits;
}

void
peer_waits_forget(PeerConn *conn)
{
	conn->waits[0] = '\0';
}

/*
 * Without "connection to server at ... failed:", which tells what is in the connection string, "FATAL:", details and
 * lines of advice.
 */
static char *
message_strip(const char *message)
{
	static const char connection[] = "connection to server";
	StringInfoData out;

	initStringInfo(&out);
	while (*message)
	{
		size_t		line = strcspn(message, "\n");
		const char *start = message;
		const char *end = message + line;

		message = *end ? end + 1 : end;
		if (*start == '\t' || line == 0 || strncmp(start, "DETAIL: ", 8) == 0 || strncmp(start, "HINT: ", 6) == 0)
			continue;
		if (strncmp(start, connection, strlen(connection)) == 0)
		{
			char	   *copy = pnstrdup(start, line);
			char	   *failed = strstr(copy, "failed: ");

			if (failed)
				start += failed - copy + strlen("failed: ");
			pfree(copy);
		}
		if (end - start > 7 && strncmp(start, "FATAL:  ", 8) == 0)
			start += 8;
		if (out.len > 0 && end > start)
			appendStringInfoString(&out, "; ");
		appendBinaryStringInfo(&out, start, (int) (end - start));
	}
	return out.data;
}

/* The beginning of what a peer says, which may be as long as it likes. */
static char *
text_copy(const char *text)
{
	return text ? pnstrdup(text, MAX_PEER_TEXT) : pstrdup("");
}

/* libpq never shows a password; a peer that was sent one could. */
static bool
message_tells_password(PGconn *pg, const char *message)
{
	const char *password = PQpass(pg);

	return message && password && *password && strstr(message, password) != NULL;
}

static void
raise_lost(PeerConn *conn, const char *what)
{
	char	   *message;

	if (conn->farewell[0])
		message = pstrdup(conn->farewell);
	else
		message = message_strip(text_copy(PQerrorMessage(conn->pg)));
	if (message_tells_password(conn->pg, conn->farewell) || message_tells_password(conn->pg, PQerrorMessage(conn->pg)))
		message[0] = '\0';
	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("%s", what),
			 *message ? errdetail_internal("%s", message) : 0));
}

/* An error that the peer answered with. Frees the result. */
static void
raise_peer_error(PeerConn *conn, PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
	int			code = ERRCODE_CONNECTION_FAILURE;
	char	   *message = text_copy(primary);
	char	   *more = text_copy(detail ? detail : hint);
	bool		tells = message_tells_password(conn->pg, primary) || message_tells_password(conn->pg, detail ? detail : hint);

	if (state && strlen(state) == 5)
		code = MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4]);
	PQclear(result);
	if (code == ERRCODE_INVALID_SCHEMA_NAME || code == ERRCODE_UNDEFINED_FUNCTION)
		message = pstrdup("extension dnsrepl is not installed in this database, or in another version");
	else if (code == ERRCODE_UNDEFINED_PSTATEMENT || code == ERRCODE_DUPLICATE_PSTATEMENT)
		message = pstrdup("the link shares its session with another client: a connection pooler has to be in session mode");
	if (!*message || tells)
		raise_lost(conn, "the connection was lost");
	ereport(ERROR,
			(errcode(code),
			 errmsg_internal("%s", message),
			 *more ? errdetail_internal("%s", more) : 0,
			 errcontext("call to the peer")));
}

static void
notifications_drop(PeerConn *conn)
{
	PGnotify   *n;

	while ((n = PQnotifies(conn->pg)) != NULL)
		PQfreemem(n);
}

static void
raise_improper(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("the peer's answer is not one of dnsrepl")));
}

/* Waits until the socket has something, or takes something if so wanted. */
static void
conn_wait(PeerConn *conn, bool sending)
{
	TimestampTz end = TimestampTzPlusMilliseconds(conn->heard, silence_allowed());
	int			events = WL_SOCKET_READABLE | (sending ? WL_SOCKET_WRITEABLE : 0);
	int			rc;

	if (GetCurrentTimestamp() >= end)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("no sign of life from the peer for %d s", silence_allowed() / 1000)));
	rc = worker_wait(events, PQsocket(conn->pg), end);
	if (rc & (WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE))
		conn_heard(conn);
	if ((rc & WL_SOCKET_READABLE) && !PQconsumeInput(conn->pg))
		raise_lost(conn, "the connection was lost");
	notifications_drop(conn);
}

static void
conn_flush(PeerConn *conn)
{
	int			rc;

	while ((rc = PQflush(conn->pg)) > 0)
		conn_wait(conn, true);
	if (rc < 0)
		raise_lost(conn, "the connection was lost");
}

static PGresult *
conn_result(PeerConn *conn)
{
	(void) PQsetSingleRowMode(conn->pg);	/* before anything of a result is there; no harm at other times */
	conn_flush(conn);
	while (PQisBusy(conn->pg))
		conn_wait(conn, false);
	return PQgetResult(conn->pg);
}

/* All results up to the end of a call's transaction: the first error, else the row that came, else the last result. Raises errors. */
static PGresult *
conn_results(PeerConn *conn)
{
	PGresult   *volatile kept = NULL;

	PG_TRY();
	{
		for (int i = 0;; i++)
		{
			PGresult   *result = conn_result(conn);
			ExecStatusType status = PQresultStatus(result);
			bool		failed = kept && PQresultStatus(kept) == PGRES_FATAL_ERROR;
			bool		row = kept && PQresultStatus(kept) == PGRES_SINGLE_TUPLE;

			if (status == PGRES_PIPELINE_SYNC)
			{
				PQclear(result);
				break;
			}
			if (row && status == PGRES_SINGLE_TUPLE)
			{
				PQclear(result);
				raise_improper();
			}
			if (result && !failed && !(row && status == PGRES_TUPLES_OK))
			{
				PQclear(kept);
				kept = result;
			}
			else
				PQclear(result);
			if (PQstatus(conn->pg) == CONNECTION_BAD || i > MAX_RESULTS_PER_CALL)
			{
				if (!kept || PQresultStatus(kept) != PGRES_FATAL_ERROR)
					raise_lost(conn, "the connection was lost");
				break;
			}
		}
	}
	PG_CATCH();
	{
		PQclear(kept);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (!kept)
		raise_lost(conn, "the peer gave no answer");
	if (PQresultStatus(kept) == PGRES_FATAL_ERROR)
		raise_peer_error(conn, kept);
	return kept;
}

/* Of this process, which does nothing but carry this link. */
static void
memory_bound(void)
{
	struct rlimit limit;
	rlim_t		most = MEMORY_LEAST + (rlim_t) setting_chunk_size * 1024 * MEMORY_PER_CHUNK;

	if (MyBackendType != B_BG_WORKER || getrlimit(RLIMIT_DATA, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? most : Min(most, limit.rlim_max);
	(void) setrlimit(RLIMIT_DATA, &limit);
}

static void
option_put(const char **keywords, const char **values, int *n, const char *keyword, const char *value)
{
	keywords[*n] = keyword;
	values[*n] = value;
	(*n)++;
	keywords[*n] = values[*n] = NULL;
}

/*
 * What a session of a link needs, whatever the database or the role has been given by ALTER ... SET: behind the options that the
 * connection string has.
 */
static char *
conn_options(const char *conninfo)
{
	static const char *const ours = "-c default_transaction_isolation=read\\ committed -c default_transaction_read_only=off"
		" -c default_transaction_deferrable=off -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"
		" -c idle_session_timeout=0";
	PQconninfoOption *all = PQconninfoParse(conninfo, NULL);
	char	   *options = pstrdup(ours);

	for (PQconninfoOption *o = all; o && o->keyword; o++)
		if (strcmp(o->keyword, "options") == 0 && o->val && *o->val)
			options = psprintf("%s %s", o->val, ours);
	PQconninfoFree(all);
	return options;
}

/* Our wishes, then the connection string, which may overrule them, then what must be. */
static PGconn *
conn_start(const char *conninfo, const char *application_name)
{
	const char *keywords[MAX_CONNINFO_OPTIONS];
	const char *values[MAX_CONNINFO_OPTIONS];
	int			n = 0;
	int			seconds = Max(setting_keepalive / 1000, 1);
	PGconn	   *pg;

	option_put(keywords, values, &n, "application_name", application_name);
	option_put(keywords, values, &n, "keepalives", "1");
	option_put(keywords, values, &n, "keepalives_idle", psprintf("%d", seconds));
	option_put(keywords, values, &n, "keepalives_interval", psprintf("%d", Max(seconds / SILENCE_KEEPALIVES, 1)));
	option_put(keywords, values, &n, "keepalives_count", psprintf("%d", SILENCE_KEEPALIVES));
	option_put(keywords, values, &n, "tcp_user_timeout", psprintf("%d", silence_allowed()));
	option_put(keywords, values, &n, "dbname", conninfo);
	option_put(keywords, values, &n, "client_encoding", GetDatabaseEncodingName());
	option_put(keywords, values, &n, "options", conn_options(conninfo));

	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("this process may open no more files (max_files_per_process)")));
	pg = PQconnectStartParams(keywords, values, 1);
	if (!pg)
	{
		ReleaseExternalFD();
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	}
	return pg;
}

/* To the end of libpq's state machine, or dnsrepl.connect_timeout. */
static void
conn_establish(PeerConn *conn)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), setting_connect_timeout);
	PostgresPollingStatusType poll = PGRES_POLLING_WRITING;

	while (PQstatus(conn->pg) != CONNECTION_BAD && poll != PGRES_POLLING_OK && poll != PGRES_POLLING_FAILED)
	{
		int			events = poll == PGRES_POLLING_READING ? WL_SOCKET_READABLE : WL_SOCKET_WRITEABLE;

		if (GetCurrentTimestamp() >= end)
			ereport(ERROR,
					(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
					 errmsg("the peer could not be reached within %d s", (setting_connect_timeout + 999) / 1000)));
		if (worker_wait(events, PQsocket(conn->pg), end) & events)
			poll = PQconnectPoll(conn->pg);
	}
	if (PQstatus(conn->pg) != CONNECTION_OK)
		raise_lost(conn, "the peer could not be reached");
	if (PQsetnonblocking(conn->pg, 1) != 0 || !PQenterPipelineMode(conn->pg))
		raise_lost(conn, "the connection was lost");
	conn_heard(conn);
}

/* A connection string that is none is not handed to libpq, whose message would show it. */
static void
conninfo_require(const char *conninfo)
{
	char	   *problem = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &problem);

	if (problem)
		PQfreemem(problem);
	if (!options)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the connection string is not valid")));
	PQconninfoFree(options);
}

PeerConn *
peer_open(const char *conninfo, const char *application_name)
{
	PeerConn   *conn = palloc0(sizeof(PeerConn));

	conninfo_require(conninfo);
	memory_bound();
	conn->pg = conn_start(conninfo, application_name);
	PG_TRY();
	{
		PQsetNoticeReceiver(conn->pg, conn_notice, conn);
		conn_establish(conn);
	}
	PG_CATCH();
	{
		peer_close(conn);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return conn;
}

void
peer_close(PeerConn *conn)
{
	if (!conn || !conn->pg)
		return;
	PQfinish(conn->pg);
	conn->pg = NULL;
	ReleaseExternalFD();
}

/* Does the socket that is there stay on this machine, whatever the connection string calls it? */
static bool
conn_is_local(PeerConn *conn)
{
	struct sockaddr_storage a;
	socklen_t	len = sizeof(a);

	memset(&a, 0, sizeof(a));
	if (getpeername(PQsocket(conn->pg), (struct sockaddr *) &a, &len) != 0)
		return false;
	if (a.ss_family == AF_UNIX)
		return true;
	if (a.ss_family == AF_INET)
		return ntohl(((struct sockaddr_in *) &a)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	if (a.ss_family == AF_INET6)
	{
		const struct in6_addr *in = &((struct sockaddr_in6 *) &a)->sin6_addr;

		return IN6_IS_ADDR_LOOPBACK(in) || (IN6_IS_ADDR_V4MAPPED(in) && in->s6_addr[12] == IN_LOOPBACKNET);
	}
	return false;
}

/* Is an option of libpq's one of two values, in this connection: by its string, a service file or the environment? */
static bool
conn_option_is(PeerConn *conn, const char *keyword, const char *value, const char *other)
{
	PQconninfoOption *options = PQconninfo(conn->pg);
	bool		is = false;

	for (PQconninfoOption *o = options; o && o->keyword; o++)
		if (strcmp(o->keyword, keyword) == 0 && o->val)
			is = strcmp(o->val, value) == 0 || strcmp(o->val, other) == 0;
	if (options)
		PQconninfoFree(options);
	return is;
}

PeerTrust
peer_trust(PeerConn *conn)
{
	const char *bits;

	/* GSSAPI encrypts only when each has proved to the other who it is */
	if (conn_is_local(conn) || PQgssEncInUse(conn->pg))
		return PEER_VERIFIED;
	bits = PQsslInUse(conn->pg) ? PQsslAttribute(conn->pg, "key_bits") : NULL;
	if (!bits || atoi(bits) <= 0)
		return PEER_READABLE;
	/* libpq has made sure of it, or there would be no connection */
	if (conn_option_is(conn, "sslmode", "verify-ca", "verify-full") || conn_option_is(conn, "channel_binding", "require", "require"))
		return PEER_VERIFIED;
	return PEER_UNVERIFIED;
}

uint64
peer_session(const PeerConn *conn)
{
	return pg_ntoh64(conn->session);
}

void
peer_set_session(PeerConn *conn, uint64 session)
{
	conn->session = pg_hton64(session);
}

void
peer_prepare(PeerConn *conn, const CallKind *kinds, int n)
{
	conn_heard(conn);
	for (int i = 0; i < n; i++)
		if (!PQsendPrepare(conn->pg, kinds[i].name, kinds[i].sql, kinds[i].nparams, kinds[i].types))
			raise_lost(conn, "the connection was lost");
	if (!PQpipelineSync(conn->pg))
		raise_lost(conn, "the connection was lost");
	PQclear(conn_results(conn));
}

void
peer_send(PeerConn *conn, const CallKind *kind, const CallParam *params)
{
	const char *values[MAX_CALL_PARAMS] = {(const char *) &conn->session};
	int			lengths[MAX_CALL_PARAMS] = {sizeof(conn->session)};
	int			formats[MAX_CALL_PARAMS] = {1};

	for (int i = kind->in_session, p = 0; i < kind->nparams; i++, p++)
	{
		/* An empty value is not a null one. */
		values[i] = params[p].data ? params[p].data : "";
		lengths[i] = params[p].len;
		formats[i] = 1;
	}
	conn_heard(conn);
	if (!PQsendQueryPrepared(conn->pg, kind->name, kind->nparams, values, lengths, formats, 1) ||
		!PQpipelineSync(conn->pg))
		raise_lost(conn, "the connection was lost");
	conn_flush(conn);
}

uint8 *
peer_answer(PeerConn *conn, size_t *len)
{
	PGresult   *result = conn_results(conn);
	uint8	   *value = NULL;
	bool		proper = PQresultStatus(result) == PGRES_SINGLE_TUPLE && PQntuples(result) == 1 && PQnfields(result) == 1 &&
		PQgetlength(result, 0, 0) <= MAX_ANSWER_SIZE;

	if (proper && !PQgetisnull(result, 0, 0))
	{
		*len = (size_t) PQgetlength(result, 0, 0);
		value = MemoryContextAllocExtended(CurrentMemoryContext, *len + 1, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
		if (value)
			memcpy(value, PQgetvalue(result, 0, 0), *len);
		else
			proper = false;
	}
	PQclear(result);
	if (!proper)
		raise_improper();
	return value;
}

void
peer_idle(PeerConn *conn, TimestampTz until)
{
	int			rc = worker_wait(WL_SOCKET_READABLE, PQsocket(conn->pg), until);

	if (!(rc & WL_SOCKET_READABLE))
		return;
	conn_heard(conn);
	if (!PQconsumeInput(conn->pg))
		raise_lost(conn, "the connection was lost");
	(void) PQisBusy(conn->pg);	/* reads what has come: notices */
	notifications_drop(conn);
	if (PQstatus(conn->pg) == CONNECTION_BAD)
		raise_lost(conn, "the connection was lost");
}

TimestampTz
peer_heard(const PeerConn *conn)
{
	return conn->heard;
}
