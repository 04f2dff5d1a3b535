/*
 * tsig.c: see tsig.h. The HMAC is PostgreSQL's own, which is OpenSSL's where the server has that; ldns cannot do -sha384.
 */
#include "postgres.h"

#include <time.h>

#include "common/base64.h"
#include "common/cryptohash.h"
#include "common/hmac.h"
#include "common/sha2.h"
#include "utils/resowner.h"

#include "ship/tsig.h"
#include "store/wire.h"

#define TYPE_TSIG		250
#define SECRET_MAX		512		/* octets */
#define MAX_UNSIGNED	99		/* messages in a row: RFC 8945 5.3.1 */

typedef struct Algorithm
{
	const char *name;
	pg_cryptohash_type hash;
	size_t		mac_len;
} Algorithm;

static const Algorithm algorithms[] = {
	{"hmac-sha256", PG_SHA256, PG_SHA256_DIGEST_LENGTH},
	{"hmac-sha384", PG_SHA384, PG_SHA384_DIGEST_LENGTH},
	{"hmac-sha512", PG_SHA512, PG_SHA512_DIGEST_LENGTH},
};

struct TsigKey
{
	const Algorithm *algorithm;
	uint8		name[NAME_WIRE_MAX],	/* in wire form, lower case */
				algorithm_name[NAME_WIRE_MAX];
	size_t		name_len,
				algorithm_len;
	uint8		secret[SECRET_MAX];
	size_t		secret_len;
};

struct TsigExchange
{
	const TsigKey *key;
	uint16		id;
	uint8		mac[TSIG_MAC_MAX];	/* of the last message that was signed */
	size_t		mac_len;
	bool		first;			/* no message of the answer has come */
	int			unsigned_since; /* messages */
	StringInfoData octets;		/* of those */
};

/* What a TSIG record says: RFC 8945 4.2. */
typedef struct TsigRecord
{
	uint64		time;
	uint16		fudge;
	const uint8 *mac;
	size_t		mac_len;
	uint16		id;
	uint16		error;
	const uint8 *other;
	size_t		other_len;
} TsigRecord;

static size_t
wire_name(const char *text, size_t len, uint8 *wire)
{
	uint8		stored[NAME_STORED_MAX];
	int			n = name_from_text(text, len, stored, NULL);

	return n < 0 ? 0 : (size_t) name_to_wire(stored, (size_t) n, wire);
}

static void
key_refuse(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid TSIG key: %s", what),
			 errhint("Write it as for nsupdate -y, algorithm:name:secret with algorithm hmac-sha256, hmac-sha384 or hmac-sha512; or give the name of a row of tsigkeys."),
			 errhidestmt(true)));
}

TsigKey *
tsig_key(const char *text)
{
	TsigKey    *key = palloc0(sizeof(TsigKey));
	const char *name = strchr(text, ':');
	const char *secret = name ? strchr(name + 1, ':') : NULL;
	int			n;

	if (!secret)
		key_refuse("it has not three parts");
	for (size_t i = 0; i < lengthof(algorithms); i++)
		if (pg_strncasecmp(text, algorithms[i].name, (size_t) (name - text)) == 0 && strlen(algorithms[i].name) == (size_t) (name - text))
			key->algorithm = &algorithms[i];
	if (!key->algorithm)
		key_refuse("its algorithm is not one of hmac-sha256, hmac-sha384, hmac-sha512");
	key->algorithm_len = wire_name(key->algorithm->name, strlen(key->algorithm->name), key->algorithm_name);
	key->name_len = wire_name(name + 1, (size_t) (secret - name - 1), key->name);
	if (key->name_len == 0)
		key_refuse("its name is not a domain name");
	secret++;
	n = (int) strlen(secret);
	n = n / 4 * 3 + 3 > SECRET_MAX ? -1 : pg_b64_decode(secret, n, (void *) key->secret, SECRET_MAX);
	if (n <= 0)
		key_refuse("its secret is not base64");
	key->secret_len = (size_t) n;
	return key;
}

/* ---------- HMAC ---------- */

static void
hmac_check(int result)
{
	if (result < 0)
		ereport(ERROR, (errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION), errmsg("could not compute an HMAC")));
}

static void
mac_make(const TsigKey *key, const StringInfoData *digested, uint8 *mac)
{
	static ResourceOwner owner = NULL;
	ResourceOwner caller = CurrentResourceOwner;
	pg_hmac_ctx *ctx;
	int			result;

	/* PostgreSQL keeps account of the context, also where no transaction is open; it is given back right here */
	if (!owner)
		owner = ResourceOwnerCreate(NULL, "dnsrepl HMAC");
	CurrentResourceOwner = owner;
	ctx = pg_hmac_create(key->algorithm->hash);
	result = ctx ? 0 : -1;

	if (result == 0 && (pg_hmac_init(ctx, key->secret, key->secret_len) < 0 ||
						pg_hmac_update(ctx, (const uint8 *) digested->data, (size_t) digested->len) < 0 ||
						pg_hmac_final(ctx, mac, key->algorithm->mac_len) < 0))
		result = -1;
	if (ctx)
		pg_hmac_free(ctx);
	CurrentResourceOwner = caller;
	hmac_check(result);
}

static void
put48(StringInfo s, uint64 v)
{
	wire_put_u16(s, (uint16) (v >> 32));
	wire_put_u32(s, (uint32) v);
}

static void
put_octets(StringInfo s, const uint8 *p, size_t n)
{
	appendBinaryStringInfo(s, (const char *) p, (int) n);
}

/* RFC 8945 4.3.3: what is signed besides the message. */
static void
variables_put(StringInfo s, const TsigKey *key, const TsigRecord *r)
{
	put_octets(s, key->name, key->name_len);
	wire_put_u16(s, CLASS_ANY);
	wire_put_u32(s, 0);
	put_octets(s, key->algorithm_name, key->algorithm_len);
	put48(s, r->time);
	wire_put_u16(s, r->fudge);
	wire_put_u16(s, r->error);
	wire_put_u16(s, (uint16) r->other_len);
	put_octets(s, r->other, r->other_len);
}

/* ---------- requests ---------- */

TsigExchange *
tsig_sign(const TsigKey *key, StringInfo request)
{
	TsigExchange *x = palloc0(sizeof(TsigExchange));
	TsigRecord	r = {.time = (uint64) time(NULL), .fudge = TSIG_FUDGE};
	StringInfoData digested;

	Assert(request->len >= MESSAGE_HEADER && request->data[10] == 0 && request->data[11] == 0);
	x->key = key;
	x->id = (uint16) ((uint8) request->data[0] << 8 | (uint8) request->data[1]);
	x->first = true;
	x->mac_len = key->algorithm->mac_len;
	initStringInfo(&x->octets);
	initStringInfo(&digested);
	put_octets(&digested, (uint8 *) request->data, (size_t) request->len);
	variables_put(&digested, key, &r);
	mac_make(key, &digested, x->mac);
	pfree(digested.data);

	put_octets(request, key->name, key->name_len);
	wire_put_u16(request, TYPE_TSIG);
	wire_put_u16(request, CLASS_ANY);
	wire_put_u32(request, 0);
	wire_put_u16(request, (uint16) (key->algorithm_len + 6 + 2 + 2 + x->mac_len + 6));
	put_octets(request, key->algorithm_name, key->algorithm_len);
	put48(request, r.time);
	wire_put_u16(request, r.fudge);
	wire_put_u16(request, (uint16) x->mac_len);
	put_octets(request, x->mac, x->mac_len);
	wire_put_u16(request, x->id);
	wire_put_u16(request, 0);
	wire_put_u16(request, 0);
	request->data[11] = 1;
	return x;
}

/* ---------- answers ---------- */

static void
answer_refuse(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION), errmsg("the server's answer is not to be trusted: %s", what)));
}

static bool
record_read(const TsigKey *key, const MessageRecord *m, TsigRecord *r)
{
	WireReader	in;
	uint8		stored[NAME_STORED_MAX],
				wire[NAME_WIRE_MAX];
	size_t		len,
				n;

	n = message_name(m->rdata, m->rdata_len, stored, &len);
	if (n == 0 || (size_t) name_to_wire(stored, len, wire) != key->algorithm_len || memcmp(wire, key->algorithm_name, key->algorithm_len) != 0)
		return false;
	if ((size_t) name_to_wire(m->name, m->name_len, wire) != key->name_len || memcmp(wire, key->name, key->name_len) != 0)
		return false;
	wire_reader_init(&in, m->rdata + n, m->rdata_len - n);
	r->time = (uint64) wire_get_u16(&in) << 32;
	r->time |= wire_get_u32(&in);
	r->fudge = wire_get_u16(&in);
	r->mac_len = wire_get_u16(&in);
	r->mac = wire_get_bytes(&in, r->mac_len);
	r->id = wire_get_u16(&in);
	r->error = wire_get_u16(&in);
	r->other_len = wire_get_u16(&in);
	r->other = wire_get_bytes(&in, r->other_len);
	return !in.bad && wire_at_end(&in);
}

/* The TSIG record, which is the last of all; false: there is none. */
static bool
record_find(TsigExchange *x, Message *m, MessageRecord *last)
{
	bool		found = false;
	int			more;

	while ((more = message_next(m, last)) > 0)
		found = last->section == 3 && last->type == TYPE_TSIG;
	if (more < 0 || (found && last->end != m->len))
		answer_refuse("it is not a DNS message");
	return found;
}

/* Errors that the server has to tell: RFC 8945 5.2. They need not be signed, and nothing was done. */
static void
error_raise(const TsigRecord *r)
{
	char		other[16];
	uint64		theirs = 0;

	for (size_t i = 0; i < r->other_len && i < 6; i++)
		theirs = theirs << 8 | r->other[i];
	if (r->error == 18 && r->other_len == 6)
	{
		int64		ahead = (int64) theirs - (int64) time(NULL);

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("the server refuses the time of the signature: BADTIME"),
				 errdetail("Its clock is " INT64_FORMAT " s %s this server's.", ahead < 0 ? -ahead : ahead, ahead < 0 ? "behind" : "ahead of")));
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("the server refuses the signature: %s", rcode_name(r->error, other)),
			 errhint("%s", r->error == 17 ? "It has no key of this name and algorithm." :
					 r->error == 18 ? "Its clock and this server's differ by more than five minutes." : "It has another secret for this key.")));
}

static void
signature_check(TsigExchange *x, const uint8 *message, const MessageRecord *at, const TsigRecord *r)
{
	StringInfoData digested;
	uint8		mac[TSIG_MAC_MAX],
				differ = 0;
	int64		late;

	initStringInfo(&digested);
	wire_put_u16(&digested, (uint16) x->mac_len);
	put_octets(&digested, x->mac, x->mac_len);
	put_octets(&digested, (uint8 *) x->octets.data, (size_t) x->octets.len);
	/* the message as it was before it was signed: with the id it had, and without the TSIG record */
	wire_put_u16(&digested, r->id);
	put_octets(&digested, message + 2, 8);
	wire_put_u16(&digested, (uint16) ((message[10] << 8 | message[11]) - 1));
	put_octets(&digested, message + MESSAGE_HEADER, at->at - MESSAGE_HEADER);
	if (x->first)
		variables_put(&digested, x->key, r);
	else
	{
		put48(&digested, r->time);
		wire_put_u16(&digested, r->fudge);
	}
	mac_make(x->key, &digested, mac);
	pfree(digested.data);
	if (r->mac_len != x->key->algorithm->mac_len)
		answer_refuse("its signature is cut short");
	for (size_t i = 0; i < r->mac_len; i++)
		differ |= mac[i] ^ r->mac[i];
	if (differ)
		answer_refuse("its signature is wrong");
	memcpy(x->mac, mac, r->mac_len);
	if (r->error)
		error_raise(r);
	late = (int64) time(NULL) - (int64) r->time;
	if (late > (int64) r->fudge || -late > (int64) r->fudge)
		answer_refuse("its time of signing is too far from now");
}

void
tsig_take(TsigExchange *x, const uint8 *message, size_t len)
{
	Message		m;
	MessageRecord last;
	TsigRecord	r;

	if (!message_open(&m, message, len) || m.id != x->id)
		answer_refuse("it is not a DNS message, or one to another question");
	if (!record_find(x, &m, &last))
	{
		/* some do not sign an error, which changes nothing: whoever forges one on the way could as well cut the connection */
		if (x->first && MESSAGE_RCODE(m.flags) != 0)
			return;
		if (x->first)
			answer_refuse("it is not signed");
		if (++x->unsigned_since > MAX_UNSIGNED)
			answer_refuse("too many of its messages are not signed");
		put_octets(&x->octets, message, len);
		return;
	}
	if (!record_read(x->key, &last, &r))
		answer_refuse("it is signed with another key");
	/* one without a signature can only say that ours was not good */
	if (r.mac_len == 0 && r.error)
		error_raise(&r);
	signature_check(x, message, &last, &r);
	x->first = false;
	x->unsigned_since = 0;
	resetStringInfo(&x->octets);
}

void
tsig_end(TsigExchange *x)
{
	if (x->unsigned_since > 0)
		answer_refuse("its last message is not signed");
}

bool
tsig_verified(const TsigExchange *x)
{
	return !x->first;
}
