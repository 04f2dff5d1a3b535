/*
 * dns_conn.h: a TCP connection to a DNS server (RFC 7766), without ever blocking.
 */
#ifndef DNSREPL_DNS_CONN_H
#define DNSREPL_DNS_CONN_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "ship/tsig.h"

typedef struct DnsConn DnsConn;

/*
 * "192.0.2.7", "192.0.2.7:5353", "2001:db8::7", "[2001:db8::7]:5353"; port 53 if there is none. Raises 22023. Nothing is sent yet. In the
 * current context; the key (NULL: nothing is signed) must last as long.
 */
extern DnsConn *dns_open(const char *address, const TsigKey *key);

/* Also after errors. */
extern void dns_close(DnsConn *conn);

/* A new message with an id of its own: header, and (type not 0) a question or RFC 2136's zone section, of class IN. */
extern StringInfo dns_message(int opcode, const uint8 *name, size_t name_len, uint16 type);

/* A name in stored form, as octets of a message. */
extern void dns_put_name(StringInfo message, const uint8 *name, size_t name_len);

/* Counts are filled in by the caller: of section 0 to 3. */
extern void dns_set_count(StringInfo message, int section, int count);

/*
 * Sends a message, signed if there is a key, and waits for its answer, whose signature is checked; octets in the current context, until
 * the next call. Connects if that has not been done, and again if the server had closed the connection meanwhile. Raises 08001 if that
 * fails, 08006 and the like if there is no answer in time; 28000: see tsig.h.
 */
extern StringInfo dns_exchange(DnsConn *conn, const StringInfoData *message);

/* The same for an answer of many messages: the first sends it, the others wait for the next; dns_finish() when there is no more to come. */
extern StringInfo dns_next(DnsConn *conn, const StringInfoData *message, bool first);
extern void dns_finish(DnsConn *conn);

/* Has the server shown that it has the key? An error need not be signed: it shows nothing. */
extern bool dns_trusted(const DnsConn *conn);

/* Is there a connection? */
extern bool dns_connected(const DnsConn *conn);

/* The answer's rcode; with AXFR and UPDATE alike. */
extern int	dns_rcode(const StringInfoData *answer);

#endif
