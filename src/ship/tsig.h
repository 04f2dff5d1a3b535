/*
 * tsig.h: signed DNS messages (RFC 8945), with hmac-sha256, -sha384 and -sha512.
 */
#ifndef DNSREPL_TSIG_H
#define DNSREPL_TSIG_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "dns/message.h"

#define TSIG_ROOM		800		/* octets that a signature may add to a message */
#define TSIG_MAC_MAX	64
#define TSIG_FUDGE		300		/* seconds that clocks may differ: RFC 8945 10 */

typedef struct TsigKey TsigKey;

/*
 * A key from "algorithm:name:secret", the secret in base64, as nsupdate -y has it. In the current context. Raises 22023, without the
 * secret.
 */
extern TsigKey *tsig_key(const char *text);

/* One exchange: a request, and the one or many messages of its answer. */
typedef struct TsigExchange TsigExchange;

/* Signs a request, whose additional section is empty, and begins the exchange. In the current context. */
extern TsigExchange *tsig_sign(const TsigKey *key, StringInfo request);

/*
 * Takes the next message of the answer. Raises 28000 for one that is not what the holder of the key has sent: BADTIME and the like are

 * named. An error need not be signed. Messages after the first need not be signed each (RFC 8945 5.3.1): tsig_end() makes sure of the last.
 */
extern void tsig_take(TsigExchange *x, const uint8 *message, size_t len);
extern void tsig_end(TsigExchange *x);

/* Has one of them been signed, by the holder of the key? */
extern bool tsig_verified(const TsigExchange *x);

#endif
