/*
 * shape.c: see shape.h. Every length is checked here too: nothing is taken for granted of what ldns let through.
 */
#include "dns/shape.h"

#include <string.h>

#include "dns/name.h"
#include "dns/rrtype.h"

static uint16_t
u16(const uint8_t *p)
{
	return (uint16_t) (p[0] << 8 | p[1]);
}

static uint32_t
u32(const uint8_t *p)
{
	return (uint32_t) u16(p) << 16 | u16(p + 2);
}

static bool
no(RdataError *err, int field, const char *reason)
{
	rdata_error(err, field, "%s", reason);
	return false;
}

/* RFC 4034 5.1, RFC 4509, 5933, 6605: the digest types that have a size. */
static bool
digest_check(const uint8_t *wire, size_t len, RdataError *err)
{
	static const uint8_t sizes[] = {0, 20, 32, 32, 48};

	if (len < 4 || wire[3] == 0 || wire[3] >= sizeof(sizes) || len - 4 == sizes[wire[3]])
		return true;
	rdata_error(err, 4, "A digest of type %d has %d octets (RFC 4034 5.1.4).", wire[3], sizes[wire[3]]);
	return false;
}

/* RFC 1876 2. */
static bool
loc_check(const uint8_t *wire, size_t len, RdataError *err)
{
	static const uint32_t equator = (uint32_t) 1 << 31;
	static const uint32_t degree = 3600000;

	if (len != 16 || wire[0] != 0)
		return true;			/* of a version that is not known */
	if (u32(wire + 4) > equator + 90 * degree || u32(wire + 4) < equator - 90 * degree)
		return no(err, 1, "The latitude is beyond 90 degrees (RFC 1876 2).");
	if (u32(wire + 8) > equator + 180 * degree || u32(wire + 8) < equator - 180 * degree)
		return no(err, 0, "The longitude is beyond 180 degrees (RFC 1876 2).");
	return true;
}

/* RFC 3402 3.2: delimiter, expression, delimiter, replacement, delimiter, flags. */
static bool
regexp_check(const uint8_t *text, size_t len, RdataError *err)
{
	static const char problem[] = "The regexp is not a delimiter, an expression, a delimiter, a replacement, a delimiter and i or nothing (RFC 3402 3.2).";
	int			delimiters = 0;
	size_t		i;

	if (len == 0)
		return true;
	for (i = 0; i < len && delimiters < 3; i++)
	{
		if (text[i] == '\\' && text[0] != '\\')
			i++;
		else if (text[i] == text[0])
			delimiters++;
	}
	if (delimiters < 3 || text[0] == 'i' || text[0] == '\\' || (text[0] >= '0' && text[0] <= '9') ||
		len - i > 1 || (i < len && text[i] != 'i'))
		return no(err, 5, problem);
	return true;
}

static bool
naptr_check(const uint8_t *wire, size_t len, RdataError *err)
{
	size_t		at = 4;

	for (int i = 0; i < 2 && at < len; i++)	/* flags, services */
		at += 1 + (size_t) wire[at];
	if (at >= len || at + 1 + wire[at] > len)
		return true;
	return regexp_check(wire + at + 1, wire[at], err);
}

/* ---------- SVCB (RFC 9460) ---------- */

enum
{
	KEY_MANDATORY, KEY_ALPN, KEY_NO_DEFAULT_ALPN, KEY_PORT, KEY_IPV4HINT, KEY_ECH, KEY_IPV6HINT
};

size_t
svcb_parameters(const uint8_t *wire, size_t len)
{
	size_t		at = 2;

	while (at < len && wire[at] != 0)
		at += 1 + (size_t) wire[at];
	return at < len ? at + 1 : 0;
}

static bool
svcb_has(const uint8_t *wire, size_t len, uint16_t key)
{
	for (size_t at = svcb_parameters(wire, len); at + 4 <= len; at += 4 + (size_t) u16(wire + at + 2))
		if (u16(wire + at) == key)
			return true;
	return false;
}

/* RFC 9460 8: keys in order, each once, none of them `mandatory`, all of them there. */
static bool
mandatory_check(const uint8_t *wire, size_t len, const uint8_t *value, size_t n, RdataError *err)
{
	if (n == 0 || n % 2 != 0)
		return no(err, 0, "The value of mandatory is not a list of keys (RFC 9460 8).");
	for (size_t i = 0; i < n; i += 2)
	{
		if (u16(value + i) == KEY_MANDATORY || (i > 0 && u16(value + i) <= u16(value + i - 2)))
			return no(err, 0, "mandatory names itself, or a key twice (RFC 9460 8).");
		if (!svcb_has(wire, len, u16(value + i)))
			return no(err, 0, "mandatory names a key that is not there (RFC 9460 8).");
	}
	return true;
}

static bool
alpn_check(const uint8_t *value, size_t n, RdataError *err)
{
	size_t		at = 0;

	while (at < n && value[at] > 0 && at + 1 + value[at] <= n)
		at += 1 + (size_t) value[at];
	return (n > 0 && at == n) || no(err, 0, "The value of alpn is not a list of protocols (RFC 9460 7.1.1).");
}

static bool
parameter_check(const uint8_t *wire, size_t len, uint16_t key, const uint8_t *value, size_t n, RdataError *err)
{
	switch (key)
	{
		case KEY_MANDATORY:
			return mandatory_check(wire, len, value, n, err);
		case KEY_ALPN:
			return alpn_check(value, n, err);
		case KEY_NO_DEFAULT_ALPN:
			if (n > 0)
				return no(err, 0, "no-default-alpn has no value (RFC 9460 7.1.1).");
			return svcb_has(wire, len, KEY_ALPN) || no(err, 0, "no-default-alpn stands beside alpn only (RFC 9460 7.1.1).");
		case KEY_PORT:
			return n == 2 || no(err, 0, "The value of port is not one port (RFC 9460 7.2).");
		case KEY_IPV4HINT:
			return (n > 0 && n % 4 == 0) || no(err, 0, "The value of ipv4hint is not a list of addresses (RFC 9460 7.3).");
		case KEY_IPV6HINT:
			return (n > 0 && n % 16 == 0) || no(err, 0, "The value of ipv6hint is not a list of addresses (RFC 9460 7.3).");
		case KEY_ECH:
			return n > 0 || no(err, 0, "ech has a value (RFC 9460 9).");
		default:
			return true;
	}
}

static bool
svcb_check(const uint8_t *wire, size_t len, RdataError *err)
{
	size_t		at = svcb_parameters(wire, len);
	int			last = -1;

	if (at == 0)
		return true;
	while (at < len)
	{
		uint16_t	key;
		size_t		n;

		if (at + 4 > len || at + 4 + u16(wire + at + 2) > len)
			return no(err, 0, "A parameter ends too early (RFC 9460 2.2).");
		key = u16(wire + at);
		n = u16(wire + at + 2);
		if (key <= last)
			return no(err, 0, "A key is there twice, or they are not in order (RFC 9460 2.2).");
		if (key == 65535)
			return no(err, 0, "key65535 is reserved (RFC 9460 14.3.2).");
		if (!parameter_check(wire, len, key, wire + at + 4, n, err))
			return false;
		last = key;
		at += 4 + n;
	}
	return true;
}

/* RFC 4255 3.1.2, RFC 6594 3.1: the fingerprint types that have a size. */
static bool
fingerprint_check(const uint8_t *wire, size_t len, RdataError *err)
{
	static const uint8_t sizes[] = {0, 20, 32};

	if (len < 2 || wire[1] == 0 || wire[1] >= sizeof(sizes) || len - 2 == sizes[wire[1]])
		return true;
	rdata_error(err, 3, "A fingerprint of type %d has %d octets (RFC 4255 3.1.2, RFC 6594).", wire[1], sizes[wire[1]]);
	return false;
}

/* RFC 3123 4: family, prefix, length of the address. */
static bool
apl_check(const uint8_t *wire, size_t len, RdataError *err)
{
	int			item = 0;

	for (size_t at = 0; at + 4 <= len; at += 4 + (size_t) (wire[at + 3] & 127))
	{
		item++;
		if ((u16(wire + at) == 1 && wire[at + 2] > 32) || (u16(wire + at) == 2 && wire[at + 2] > 128))
			return no(err, item, "The prefix is longer than an address (RFC 3123 4).");
	}
	return true;
}

bool
shape_check(uint16_t type, const uint8_t *wire, size_t len, RdataError *err)
{
	switch (type)
	{
		case RRTYPE_DS:
		case RRTYPE_CDS:
		case RRTYPE_DLV:
			return digest_check(wire, len, err);
		case RRTYPE_SSHFP:
			return fingerprint_check(wire, len, err);
		case RRTYPE_APL:
			return apl_check(wire, len, err);
		case RRTYPE_LOC:
			return loc_check(wire, len, err);
		case RRTYPE_NAPTR:
			return naptr_check(wire, len, err);
		case RRTYPE_SVCB:
		case RRTYPE_HTTPS:
			return svcb_check(wire, len, err);
		default:
			return true;
	}
}
