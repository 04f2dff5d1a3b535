/*
 * dns_conn.c: see dns_conn.h.
 *
 * Every wait is for the socket and the latch at once, in workers and in backends. A server may close a connection that is idle
 * whenever it likes (RFC 7766 6.2.4): what was sent on one that was used before, and got no octet of an answer, is sent again on a new
 * one. All that is sent by this extension may be sent twice.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "dnsrepl.h"
#include "ship/dns_conn.h"
#include "ship/worker.h"
#include "store/wire.h"

#define DNS_PORT		53
#define ANSWER_LEAST	5000	/* ms */
#define ANSWER_TIMES	3		/* dnsrepl.connect_timeout: so long a message may take, whole */
#define SILENT			"the server does not answer"

struct DnsConn
{
	MemoryContext work;			/* one exchange */
	struct sockaddr_storage addr;
	socklen_t	addr_len;
	const TsigKey *key;
	pgsocket	sock;			/* PGINVALID_SOCKET: none */
	bool		used;			/* it has carried an answer */
	bool		trusted;		/* one of this or an earlier connection was signed */
	TsigExchange *exchange;
	StringInfoData answer;
};

static void
address_refuse(const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" is not the address of a DNS server", text),
			 errhint("Give an IPv4 or IPv6 address, with a port if it is not 53: 192.0.2.7:5353, [2001:db8::7]:5353.")));
}

/* The address without brackets, and the port. */
static char *
address_split(const char *text, int *port)
{
	const char *colon = strrchr(text, ':');
	bool		brackets = text[0] == '[';
	const char *end = brackets ? strchr(text, ']') : colon && strchr(text, ':') == colon ? colon : text + strlen(text);
	char	   *rest;

	*port = DNS_PORT;
	if (!end || (brackets && end[1] != '\0' && end[1] != ':'))
		address_refuse(text);
	colon = brackets ? end + 1 : end;
	if (*colon == ':')
	{
		*port = (int) strtol(colon + 1, &rest, 10);
		if (*rest || rest == colon + 1 || *port < 1 || *port > 65535)
			address_refuse(text);
	}
	return brackets ? pnstrdup(text + 1, (Size) (end - text - 1)) : pnstrdup(text, (Size) (end - text));
}

DnsConn *
dns_open(const char *text, const TsigKey *key)
{
	DnsConn    *conn = palloc0(sizeof(DnsConn));
	int			port;
	char	   *address = address_split(text, &port);
	struct sockaddr_in *v4 = (struct sockaddr_in *) &conn->addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) &conn->addr;

	conn->work = AllocSetContextCreate(CurrentMemoryContext, "dnsrepl DNS exchange", ALLOCSET_DEFAULT_SIZES);
	conn->key = key;
	conn->sock = PGINVALID_SOCKET;
	initStringInfo(&conn->answer);
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1)
	{
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16) port);
		conn->addr_len = sizeof(*v4);
	}
	else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1)
	{
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16) port);
		conn->addr_len = sizeof(*v6);
	}
	else
		address_refuse(text);
	return conn;
}

void
dns_close(DnsConn *conn)
{
	if (!conn || conn->sock == PGINVALID_SOCKET)
		return;
	close(conn->sock);
	conn->sock = PGINVALID_SOCKET;
	ReleaseExternalFD();
}

bool
dns_connected(const DnsConn *conn)
{
	return conn->sock != PGINVALID_SOCKET;
}

bool
dns_trusted(const DnsConn *conn)
{
	return conn->trusted;
}

/* ---------- octets ---------- */

static void
conn_fail(DnsConn *conn, int code, const char *what)
{
	int			e = errno;

	dns_close(conn);
	errno = e;
	if (e)
		ereport(ERROR, (errcode(code), errmsg("%s", what), errdetail_internal("%m")));
	ereport(ERROR, (errcode(code), errmsg("%s", what)));
}

static void
conn_lost(DnsConn *conn, const char *what)
{
	conn_fail(conn, ERRCODE_CONNECTION_FAILURE, what);
}

/* There was none to begin with: which says nothing of what was to be sent. */
static void
conn_unreachable(DnsConn *conn, const char *what)
{
	conn_fail(conn, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION, what);
}

/* Until when a message has to have come or gone, all of it: an octet now and then is no answer. */
static TimestampTz
message_deadline(void)
{
	int64		ms = Min((int64) setting_connect_timeout * ANSWER_TIMES, INT_MAX);

	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), Max(ms, ANSWER_LEAST));
}

/* Waits for the socket; false when the time is over. */
static bool
conn_wait(DnsConn *conn, int events, TimestampTz until)
{
	int			rc = 0;

	while (!(rc & events))
	{
		if (GetCurrentTimestamp() >= until)
			return false;
		if (MyBackendType == B_BG_WORKER)
			rc = worker_wait(events, conn->sock, until);
		else
		{
			rc = WaitLatchOrSocket(MyLatch, events | WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | WL_TIMEOUT, conn->sock,
								   TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until), PG_WAIT_EXTENSION);
			if (rc & WL_LATCH_SET)
				ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
		}
	}
	return true;
}

static void
conn_connect(DnsConn *conn)
{
	int			error = 0;
	socklen_t	len = sizeof(error);
	int			on = 1;

	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES), errmsg("this process may open no more files (max_files_per_process)")));
	conn->sock = socket(conn->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (conn->sock == PGINVALID_SOCKET)
	{
		ReleaseExternalFD();
		ereport(ERROR, (errcode_for_socket_access(), errmsg("could not create a socket: %m")));
	}
	conn->used = false;
	(void) setsockopt(conn->sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(conn->sock, (struct sockaddr *) &conn->addr, conn->addr_len) != 0 && errno != EINPROGRESS)
		conn_unreachable(conn, "the server could not be reached");
	if (!conn_wait(conn, WL_SOCKET_WRITEABLE, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), setting_connect_timeout)))
	{
		errno = 0;
		conn_unreachable(conn, "the server could not be reached in time (dnsrepl.connect_timeout)");
	}
	if (getsockopt(conn->sock, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	errno = error;
	if (error)
		conn_unreachable(conn, "the server could not be reached");
}

/* False: the connection has been closed. */
static bool
conn_write(DnsConn *conn, const char *p, size_t n)
{
	TimestampTz until = message_deadline();

	while (n > 0)
	{
		ssize_t		written = send(conn->sock, p, n, MSG_NOSIGNAL);

		if (written > 0)
		{
			p += written;
			n -= (size_t) written;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return false;
		if (!conn_wait(conn, WL_SOCKET_WRITEABLE, until))
		{
			errno = 0;
			conn_lost(conn, SILENT);
		}
	}
	return true;
}

/* False: it has been closed, before the first of these octets. */
static bool
conn_read(DnsConn *conn, char *p, size_t n, TimestampTz until)
{
	size_t		wanted = n;

	while (n > 0)
	{
		ssize_t		got;

		if (!conn_wait(conn, WL_SOCKET_READABLE, until))
		{
			errno = 0;
			conn_lost(conn, SILENT);
		}
		got = recv(conn->sock, p, n, 0);
		if (got > 0)
		{
			p += got;
			n -= (size_t) got;
			continue;
		}
		if (got < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
			continue;
		if (n == wanted && (got == 0 || errno == ECONNRESET))
			return false;
		if (got == 0)
			errno = 0;
		conn_lost(conn, "the connection to the server was lost");
	}
	return true;
}

/* ---------- messages ---------- */

void
dns_put_name(StringInfo m, const uint8 *name, size_t name_len)
{
	uint8		wire[NAME_WIRE_MAX];

	appendBinaryStringInfo(m, (char *) wire, name_to_wire(name, name_len, wire));
}

StringInfo
dns_message(int opcode, const uint8 *name, size_t name_len, uint16 type)
{
	StringInfo	m = makeStringInfo();
	uint16		id = 0;

	(void) pg_strong_random(&id, sizeof(id));
	wire_put_u16(m, id);
	wire_put_u16(m, (uint16) (opcode << 11));
	for (int i = 0; i < 4; i++)
		wire_put_u16(m, i == 0 && type ? 1 : 0);
	if (type)
	{
		dns_put_name(m, name, name_len);
		wire_put_u16(m, type);
		wire_put_u16(m, CLASS_IN);
	}
	return m;
}

void
dns_set_count(StringInfo m, int section, int count)
{
	m->data[4 + 2 * section] = (char) (count >> 8);
	m->data[5 + 2 * section] = (char) count;
}

int
dns_rcode(const StringInfoData *answer)
{
	return MESSAGE_RCODE((uint8) answer->data[2] << 8 | (uint8) answer->data[3]);
}

/* The next message; false: the connection has been closed instead. */
static bool
message_read(DnsConn *conn)
{
	uint8		prefix[2];
	int			len;
	TimestampTz until = message_deadline();

	resetStringInfo(&conn->answer);
	if (!conn_read(conn, (char *) prefix, sizeof(prefix), until))
		return false;
	len = prefix[0] << 8 | prefix[1];
	enlargeStringInfo(&conn->answer, len + 1);
	errno = 0;
	if (len < MESSAGE_HEADER || !conn_read(conn, conn->answer.data, (size_t) len, until))
		conn_lost(conn, "the connection to the server was lost");
	conn->answer.len = len;
	conn->used = true;
	return true;
}

/* The question, if the answer repeats it, whatever its case (RFC 5936 2.2.2: later messages of a transfer have none). */
static bool
question_same(const StringInfoData *answer, const StringInfoData *sent)
{
	const char *a = answer->data + MESSAGE_HEADER;
	const char *q = sent->data + MESSAGE_HEADER;
	int			len = 0,
				most = Min(answer->len, sent->len) - MESSAGE_HEADER;

	if (answer->data[4] == 0 && answer->data[5] == 0)
		return true;
	while (len < most && q[len] != 0)	/* our own name, in labels */
		len += (uint8) q[len] + 1;
	if (len + 5 > most)
		return false;
	for (int i = 0; i < len; i++)
		if (pg_ascii_tolower((unsigned char) a[i]) != pg_ascii_tolower((unsigned char) q[i]))
			return false;
	return memcmp(a + len, q + len, 5) == 0;
}

/* Is it an answer to what was sent? */
static void
answer_check(DnsConn *conn, const StringInfoData *sent)
{
	const uint8 *a = (uint8 *) conn->answer.data;
	const uint8 *q = (uint8 *) sent->data;

	errno = 0;
	if (!question_same(&conn->answer, sent) || a[0] != q[0] || a[1] != q[1] || !(a[2] & 0x80) || (a[2] >> 3 & 15) != (q[2] >> 3 & 15))
		conn_lost(conn, "the server's answer is one to another question");
	if (!conn->exchange)
		return;
	tsig_take(conn->exchange, a, (size_t) conn->answer.len);
	conn->trusted |= tsig_verified(conn->exchange);
}

static StringInfo
message_signed(DnsConn *conn, const StringInfoData *message)
{
	StringInfoData body;
	StringInfo	m = makeStringInfo();

	initStringInfo(&body);
	appendBinaryStringInfo(&body, message->data, message->len);
	conn->exchange = conn->key ? tsig_sign(conn->key, &body) : NULL;
	wire_put_u16(m, (uint16) body.len);
	appendBinaryStringInfo(m, body.data, body.len);
	pfree(body.data);
	return m;
}

/* Sends it and reads what comes first. */
static void
first_answer(DnsConn *conn, const StringInfoData *message)
{
	MemoryContext old = MemoryContextSwitchTo(conn->work);
	StringInfo	m;
	bool		again;

	MemoryContextReset(conn->work);
	if (message->len > MESSAGE_MAX - TSIG_ROOM)
		elog(ERROR, "a DNS message is too long");
	m = message_signed(conn, message);
	do
	{
		again = dns_connected(conn) && conn->used;
		if (!dns_connected(conn))
			conn_connect(conn);
		errno = 0;
		if (conn_write(conn, m->data, (size_t) m->len) && message_read(conn))
			break;
		if (!again)
			conn_lost(conn, "the server has closed the connection");
		dns_close(conn);
	} while (again);
	answer_check(conn, message);
	MemoryContextSwitchTo(old);
}

StringInfo
dns_exchange(DnsConn *conn, const StringInfoData *message)
{
	first_answer(conn, message);
	return &conn->answer;
}

StringInfo
dns_next(DnsConn *conn, const StringInfoData *message, bool first)
{
	MemoryContext old;

	if (first)
		return dns_exchange(conn, message);
	old = MemoryContextSwitchTo(conn->work);
	errno = 0;
	if (!message_read(conn))
		conn_lost(conn, "the server has closed the connection");
	answer_check(conn, message);
	MemoryContextSwitchTo(old);
	return &conn->answer;
}

void
dns_finish(DnsConn *conn)
{
	if (conn->exchange)
		tsig_end(conn->exchange);
	conn->exchange = NULL;
}
