/*
 * field.c: the fields of rdata in presentation form (RFC 1035 5.1, RFC 3597 5).
 *
 * One line, no parentheses, no comments: what a database keeps in a column. Names are absolute with or without the
 * final dot, and come out in lower case, which is the canonical form (RFC 4034 6.2) for every type read here.
 * A character string longer than 255 octets is cut into several, as PowerDNS does when it serves one.
 */
#include "dns/field.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dns/name.h"
#include "dns/rrtype.h"

#define STRING_MAX	 255		/* octets of a character string, RFC 1035 3.3 */
#define ADDRESS_MAX	 64			/* more than any address has characters */

void
rdata_error(RdataError *err, int field, const char *format,...)
{
	va_list		args;

	err->field = field;
	va_start(args, format);
	vsnprintf(err->reason, sizeof(err->reason), format, args);
	va_end(args);
}

void
fields_init(Fields *fields, const char *text, size_t len, uint8_t *out, RdataError *err)
{
	fields->at = text;
	fields->end = text + len;
	fields->number = 0;
	fields->out = out;
	fields->used = 0;
	fields->err = err;
	fields->origin = NULL;
}

static inline bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

bool
fields_at_end(Fields *fields)
{
	while (fields->at < fields->end && is_space(*fields->at))
		fields->at++;
	return fields->at == fields->end;
}

bool
fields_finish(Fields *fields)
{
	if (fields_at_end(fields))
		return true;
	rdata_error(fields->err, fields->number + 1, "There is something behind the last field.");
	return false;
}

char
fields_peek(Fields *fields)
{
	return fields_at_end(fields) ? '\0' : *fields->at;
}

bool
word_take(const char **at, const char *end, const char **word, size_t *len)
{
	const char *p = *at;
	bool		quoted;

	while (p < end && is_space(*p))
		p++;
	*word = p;
	quoted = p < end && *p == '"';
	for (p += quoted; p < end && (quoted ? *p != '"' : !is_space(*p)); p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	if (quoted && p < end)
		p++;
	*len = (size_t) (p - *word);
	*at = p;
	return *len > 0;
}

/* The next word. PowerDNS ends one at any white space, escaped or not: white space in a name is \032. */
static bool
word_next(Fields *fields, const char *what, const char **word, size_t *len)
{
	fields->number++;
	if (fields_at_end(fields))
	{
		rdata_error(fields->err, fields->number, "%s is missing.", what);
		return false;
	}
	*word = fields->at;
	while (fields->at < fields->end && !is_space(*fields->at))
		fields->at++;
	*len = (size_t) (fields->at - *word);
	return true;
}

static bool
octets_write(Fields *fields, const void *octets, size_t len)
{
	if (len > RDATA_MAX - fields->used)
	{
		rdata_error(fields->err, 0, "It is longer than 65535 octets in wire form (RFC 1035 3.2.1).");
		return false;
	}
	memcpy(fields->out + fields->used, octets, len);
	fields->used += len;
	return true;
}

static bool
address_read(Fields *fields, int family, const char *what, size_t octets)
{
	const char *word;
	size_t		len;
	char		text[ADDRESS_MAX];
	uint8_t		address[16];

	if (!word_next(fields, "The address", &word, &len))
		return false;
	if (len < sizeof(text))
	{
		memcpy(text, word, len);
		text[len] = '\0';
		if (strlen(text) == len && inet_pton(family, text, address) == 1)
			return octets_write(fields, address, octets);
	}
	rdata_error(fields->err, fields->number, "It is not %s.", what);
	return false;
}

bool
field_ipv4(Fields *fields)
{
	return address_read(fields, AF_INET, "an IPv4 address", 4);
}

bool
field_ipv6(Fields *fields)
{
	return address_read(fields, AF_INET6, "an IPv6 address", 16);
}

bool
field_name(Fields *fields, const char *what)
{
	const char *word;
	size_t		len;
	uint8_t		stored[NAME_STORED_MAX];
	uint8_t		wire[NAME_STORED_MAX];
	char		reason[NAME_REASON_MAX];
	int			stored_len;

	if (!word_next(fields, what, &word, &len))
		return false;
	stored_len = fields->origin ? name_from_text_in(word, len, fields->origin->name, fields->origin->len, stored, reason) :
		name_from_text(word, len, stored, reason);
	if (stored_len < 0)
	{
		rdata_error(fields->err, fields->number, "%s is not a domain name: %s", what, reason);
		return false;
	}
	return octets_write(fields, wire, (size_t) name_to_wire(stored, (size_t) stored_len, wire));
}

static bool
number_read(Fields *fields, const char *what, uint64_t max, uint64_t *value)
{
	const char *word;
	size_t		len;

	if (!word_next(fields, what, &word, &len))
		return false;
	*value = 0;
	for (size_t i = 0; i < len; i++)
	{
		if (word[i] >= '0' && word[i] <= '9')
			*value = *value * 10 + (uint64_t) (word[i] - '0');
		if (word[i] < '0' || word[i] > '9' || *value > max)
		{
			rdata_error(fields->err, fields->number, "%s is not a number from 0 to %llu.", what,
						(unsigned long long) max);
			return false;
		}
	}
	return true;
}

static bool
number_write(Fields *fields, uint64_t value, int octets)
{
	uint8_t		wire[8];

	for (int i = 0; i < octets; i++)
		wire[i] = (uint8_t) (value >> (8 * (octets - 1 - i)));
	return octets_write(fields, wire, (size_t) octets);
}

bool
field_number(Fields *fields, const char *what, int octets)
{
	uint64_t	value;

	return number_read(fields, what, ((uint64_t) 1 << (8 * octets)) - 1, &value) &&
		number_write(fields, value, octets);
}

bool
field_type(Fields *fields)
{
	const char *word;
	size_t		len;
	uint16_t	type;

	if (!word_next(fields, "The type", &word, &len))
		return false;
	if (!rrtype_from_text(word, len, &type))
	{
		rdata_error(fields->err, fields->number, "The type is not a record type.");
		return false;
	}
	return number_write(fields, type, 2);
}

bool
field_tag(Fields *fields)
{
	const char *word;
	size_t		len;
	uint8_t		length;
	bool		good;

	if (!word_next(fields, "The tag", &word, &len))
		return false;
	good = len <= STRING_MAX;
	for (size_t i = 0; i < len; i++)
		good = good && ((word[i] >= '0' && word[i] <= '9') || ((word[i] | 0x20) >= 'a' && (word[i] | 0x20) <= 'z'));
	if (!good)
	{
		rdata_error(fields->err, fields->number, "The tag is not letters and digits (RFC 8659 4.1).");
		return false;
	}
	length = (uint8_t) len;
	return octets_write(fields, &length, 1) && octets_write(fields, word, len);
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
field_hex(Fields *fields, size_t octets)
{
	size_t		digits = 0;
	uint8_t		octet = 0;

	fields->number++;
	while (!fields_at_end(fields))
	{
		int			value = hex_value(*fields->at++);

		if (value < 0)
		{
			rdata_error(fields->err, fields->number, "There is something else than hexadecimal digits.");
			return false;
		}
		octet = (uint8_t) (octet << 4 | value);
		if (++digits % 2 == 0 && !octets_write(fields, &octet, 1))
			return false;
	}
	if (digits == 2 * octets)
		return true;
	rdata_error(fields->err, fields->number, "There are %zu hexadecimal digits where %zu octets are announced.",
				digits, octets);
	return false;
}

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648 4; white space may divide it. */
bool
field_base64(Fields *fields)
{
	uint32_t	bits = 0;
	size_t		digits = 0;
	size_t		padding = 0;

	fields->number++;
	while (!fields_at_end(fields))
	{
		char		c = *fields->at++;
		int			value = base64_value(c);
		uint8_t		octet;

		if (c == '=' && ++padding <= 2)
			continue;
		if (value < 0 || padding > 0)
			break;
		bits = bits << 6 | (uint32_t) value;
		octet = (uint8_t) (bits >> (6 - 2 * (digits % 4)));
		if (digits++ % 4 != 0 && !octets_write(fields, &octet, 1))
			return false;
	}
	if (fields_at_end(fields) && (digits + padding) % 4 == 0)
		return true;
	rdata_error(fields->err, fields->number, "It is not base64 (RFC 4648).");
	return false;
}

/* One octet of a character string, behind the escapes of RFC 1035 5.1. */
static bool
string_octet(Fields *fields, uint8_t *octet)
{
	const char *at = fields->at;

	*octet = (uint8_t) *at++;
	if (*octet == '\\')
	{
		if (at == fields->end)
		{
			rdata_error(fields->err, fields->number, "String %d ends in a backslash.", fields->number);
			return false;
		}
		*octet = (uint8_t) *at++;
		if (*octet >= '0' && *octet <= '9')
		{
			int			value = *octet - '0';

			for (int i = 0; i < 2; i++, at++)
				value = (at < fields->end && *at >= '0' && *at <= '9') ? value * 10 + (*at - '0') : 256;
			if (value > 255 || at > fields->end)
			{
				rdata_error(fields->err, fields->number,
							"A backslash in string %d is followed by something else than three digits up to 255 (RFC 1035 5.1).",
							fields->number);
				return false;
			}
			*octet = (uint8_t) value;
		}
	}
	fields->at = at;
	return true;
}

/*
 * One string, in quotes or up to white space. As a character string, behind its length, and as several where it is
 * longer than one can be; or plain.
 */
static bool
string_read(Fields *fields, bool counted)
{
	bool		quoted = *fields->at == '"';
	size_t		length_at = fields->used;
	uint8_t		length = 0;

	if (quoted)
		fields->at++;
	if (counted && !octets_write(fields, &length, 1))
		return false;
	while (fields->at < fields->end && *fields->at != '"' && (quoted || !is_space(*fields->at)))
	{
		uint8_t		octet;

		if (!string_octet(fields, &octet))
			return false;
		if (counted && fields->out[length_at] == STRING_MAX)
		{
			length_at = fields->used;
			if (!octets_write(fields, &length, 1))
				return false;
		}
		if (!octets_write(fields, &octet, 1))
			return false;
		if (counted)
			fields->out[length_at]++;
	}
	if (quoted == (fields->at < fields->end && *fields->at == '"'))
	{
		fields->at += quoted ? 1 : 0;
		return true;
	}
	rdata_error(fields->err, fields->number, quoted ? "The quote that opens string %d is not closed." :
				"There is a quote inside string %d, which has none around it.", fields->number);
	return false;
}

/* Is there a string to read? */
static bool
string_begins(Fields *fields)
{
	fields->number++;
	if (!fields_at_end(fields))
		return true;
	rdata_error(fields->err, fields->number, "There is no character string.");
	return false;
}

bool
field_strings(Fields *fields)
{
	if (!string_begins(fields) || !string_read(fields, true))
		return false;
	while (!fields_at_end(fields))
		if (!string_begins(fields) || !string_read(fields, true))
			return false;
	return true;
}

bool
field_text(Fields *fields)
{
	return string_begins(fields) && string_read(fields, false);
}
