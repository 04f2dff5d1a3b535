/*
 * rdata.c: the data of records.
 *
 * The types that databases are full of are read here field by field (field.c): no allocation, errors that name the
 * field. So are PowerDNS's own types, which ldns does not know. All others go through ldns (bridge.c).
 *
 * Text from wire form is read back before it is given out. Where that does not give the same octets (ldns is not exact
 * for everything that fits a type's grammar) the generic form of RFC 3597 is the text.
 */
#include "dns/rdata.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/bridge.h"
#include "dns/loc.h"
#include "dns/name.h"
#include "dns/rrtype.h"
#include "dns/shape.h"

static uint8_t wire_result[RDATA_MAX];
static char *text_result = NULL;

/* ---- text to wire ---- */

static bool
soa_read(Fields *fields)
{
	return field_name(fields, "The primary server") &&
		field_name(fields, "The mailbox") &&
		field_number(fields, "The serial", 4) &&
		field_number(fields, "The refresh time", 4) &&
		field_number(fields, "The retry time", 4) &&
		field_number(fields, "The expire time", 4) &&
		field_number(fields, "The minimum time", 4);
}

static bool
srv_read(Fields *fields)
{
	return field_number(fields, "The priority", 2) &&
		field_number(fields, "The weight", 2) &&
		field_number(fields, "The port", 2) &&
		field_name(fields, "The target");
}

/* RFC 4025 2. PowerDNS leaves out a gateway that is none; zone files have "." there. */
static bool
ipseckey_read(Fields *fields)
{
	size_t		gateway = fields->used + 1;

	if (!field_number(fields, "The precedence", 1) || !field_number(fields, "The gateway type", 1) ||
		!field_number(fields, "The algorithm", 1))
		return false;
	switch (fields->out[gateway])
	{
		case 0:
			if (fields_peek(fields) != '.')
				break;
			if (!field_name(fields, "The gateway"))
				return false;
			fields->used = gateway + 2;
			break;
		case 1:
			if (!field_ipv4(fields))
				return false;
			break;
		case 2:
			if (!field_ipv6(fields))
				return false;
			break;
		case 3:
			if (!field_name(fields, "The gateway"))
				return false;
			break;
		default:
			rdata_error(fields->err, 2, "The gateway type is not a number from 0 to 3.");
			return false;
	}
	if (fields->out[gateway + 1] != 0 && fields_at_end(fields))
	{
		rdata_error(fields->err, fields->number + 1, "The key is missing.");
		return false;
	}
	return field_base64(fields);
}

static bool
caa_read(Fields *fields)
{
	return field_number(fields, "The flags", 1) && field_tag(fields) && field_text(fields);
}

/* RFC 7477 2.1, where it names no types, which ldns does not read. */
static bool
csync_read(Fields *fields, bool *known)
{
	if (!field_number(fields, "The serial", 4) || !field_number(fields, "The flags", 2))
		return false;
	*known = fields_at_end(fields);
	return *known;
}

/* The types read here. False in `known` if it is another one. */
static bool
type_read(uint16_t type, Fields *fields, bool *known)
{
	*known = true;
	switch (type)
	{
		case RRTYPE_A:
			return field_ipv4(fields);
		case RRTYPE_AAAA:
			return field_ipv6(fields);
		case RRTYPE_NS:
		case RRTYPE_CNAME:
		case RRTYPE_PTR:
		case RRTYPE_DNAME:
		case RRTYPE_ALIAS:
			return field_name(fields, "The target");
		case RRTYPE_MX:
			return field_number(fields, "The priority", 2) && field_name(fields, "The mail server");
		case RRTYPE_SRV:
			return srv_read(fields);
		case RRTYPE_SOA:
			return soa_read(fields);
		case RRTYPE_TXT:
		case RRTYPE_SPF:
			return field_strings(fields);
		case RRTYPE_CAA:
			return caa_read(fields);
		case RRTYPE_IPSECKEY:
			return ipseckey_read(fields);
		case RRTYPE_LOC:
			return field_loc(fields);
		case RRTYPE_CSYNC:
			return csync_read(fields, known);
		case RRTYPE_LUA:
			return field_type(fields) && field_strings(fields);
		default:
			*known = false;
			return false;
	}
}

/* What ldns has read, or -1 if it has not; then whether it goes together. */
static int
shape_checked(uint16_t type, const uint8_t *wire, int len, RdataError *err)
{
	return len < 0 || shape_check(type, wire, (size_t) len, err) ? len : -1;
}

static int	wire_check(uint16_t type, const uint8_t *data, size_t len, uint8_t *wire, RdataError *err);

/* RFC 3597 5: \# length hexadecimal. */
static int
generic_from_text(uint16_t type, const char *text, size_t len, uint8_t *wire, RdataError *err)
{
	static uint8_t data[2 + RDATA_MAX];
	Fields		fields;

	/* The length comes first in the octets read, and is of no further use. */
	fields_init(&fields, text, len, data, err);
	if (!field_number(&fields, "The length", 2) ||
		!field_hex(&fields, (size_t) data[0] << 8 | data[1]))
		return -1;
	return wire_check(type, data + 2, fields.used - 2, wire, err);
}

/* Control characters stand for themselves inside quotes only, and not behind a backslash. */
static bool
characters_check(const char *text, size_t len, RdataError *err)
{
	bool		quoted = false;

	for (size_t i = 0; i < len; i++)
	{
		if (text[i] == '\\' && i + 1 < len && !octet_control(text[i + 1]))
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (octet_control(text[i]) && (!quoted || (i > 0 && text[i - 1] == '\\')))
		{
			rdata_error(err, 0, "There is a control character; in strings and names it is written \\%03d.", text[i]);
			return false;
		}
	}
	return true;
}

/* rdata_from_text_in into a buffer of RDATA_MAX octets; origin may be NULL. */
static int
text_check(uint16_t type, const char *text, size_t len, const RdataOrigin *origin, uint8_t *wire, RdataError *err)
{
	Fields		fields;
	bool		known;

	if (!characters_check(text, len, err))
		return -1;
	while (len > 0 && (*text == ' ' || *text == '\t'))
	{
		text++;
		len--;
	}
	if (len >= 3 && text[0] == '\\' && text[1] == '#' && text[2] == ' ')
		return generic_from_text(type, text + 2, len - 2, wire, err);

	fields_init(&fields, text, len, wire, err);
	fields.origin = origin;
	if (type_read(type, &fields, &known) && fields_finish(&fields))
		return (int) fields.used;
	if (known)
		return -1;
	/* An old name of DNSKEY's fields, which ldns does not know. */
	if (type == RRTYPE_RKEY)
		type = RRTYPE_DNSKEY;
	if (bridge_knows(type))
		return shape_checked(type, wire, bridge_from_text(type, text, len, origin, wire, err), err);
	rdata_error(err, 0, "Data of this type can be given in the generic form only: \\# length hexadecimal (RFC 3597).");
	return -1;
}

int
rdata_from_text(uint16_t type, const char *text, size_t len, const uint8_t **wire, RdataError *err)
{
	*wire = wire_result;
	return text_check(type, text, len, NULL, wire_result, err);
}

int
rdata_from_text_in(uint16_t type, const char *text, size_t len, const RdataOrigin *origin, const uint8_t **wire, RdataError *err)
{
	*wire = wire_result;
	return text_check(type, text, len, origin, wire_result, err);
}

/* ---- wire to wire, wire to text ---- */

/* RFC 8659 4.1: flags, a length and so many letters and digits, anything or nothing. */
static bool
caa_check(const uint8_t *data, size_t len, RdataError *err)
{
	bool		good = len >= 2 && data[1] > 0 && 2 + (size_t) data[1] <= len;

	for (size_t i = 2; good && i < 2 + (size_t) data[1]; i++)
		good = isalnum(data[i]) != 0 && data[i] < 0x80;
	if (!good)
		rdata_error(err, 2, "The tag is not letters and digits (RFC 8659 4.1).");
	return good;
}

/* The types that ldns does not know, or not exactly, by their shape; anything goes for those that nobody knows. */
static bool
private_check(uint16_t type, const uint8_t *data, size_t len, RdataError *err)
{
	uint8_t		stored[NAME_STORED_MAX];
	char		reason[NAME_REASON_MAX];
	size_t		at = 2;

	if (type == RRTYPE_ALIAS)
	{
		if (name_from_wire(data, len, stored, reason) >= 0)
			return true;
		rdata_error(err, 1, "The target is not a domain name: %s", reason);
		return false;
	}
	if (type == RRTYPE_CAA)
		return caa_check(data, len, err);
	if (type == RRTYPE_LUA)
	{
		while (at < len && at + 1 + data[at] <= len)
			at += 1 + (size_t) data[at];
		if (len > 2 && at == len)
			return true;
		rdata_error(err, 2, "It is not a type and character strings.");
		return false;
	}
	return true;
}

/* rdata_from_wire into a buffer of RDATA_MAX octets. */
static int
wire_check(uint16_t type, const uint8_t *data, size_t len, uint8_t *wire, RdataError *err)
{
	if (len > RDATA_MAX)
	{
		rdata_error(err, 0, "It is longer than 65535 octets in wire form (RFC 1035 3.2.1).");
		return -1;
	}
	if (bridge_knows(type) && type != RRTYPE_CAA)
		return shape_checked(type, wire, bridge_from_wire(type, data, len, wire, err), err);
	if (!private_check(type, data, len, err))
		return -1;
	if (len > 0)
		memmove(wire, data, len);
	return (int) len;
}

int
rdata_from_wire(uint16_t type, const uint8_t *data, size_t len, const uint8_t **wire, RdataError *err)
{
	*wire = wire_result;
	return wire_check(type, data, len, wire_result, err);
}

static char *
generic_to_text(const uint8_t *wire, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char	   *text = malloc(2 * len + 16);
	char	   *out;

	if (text == NULL)
		return NULL;
	out = text + sprintf(text, len > 0 ? "\\# %zu " : "\\# %zu", len);
	for (size_t i = 0; i < len; i++)
	{
		*out++ = digits[wire[i] >> 4];
		*out++ = digits[wire[i] & 15];
	}
	*out = '\0';
	return text;
}

/* ldns prints a value that is empty as none. */
static char *
caa_to_text(const uint8_t *wire, size_t len)
{
	size_t		tag = len < 2 ? 0 : wire[1];
	char	   *text = malloc(4 * len + 16);
	char	   *out;

	if (text == NULL || len < 2 + tag)
	{
		free(text);
		return NULL;
	}
	out = text + sprintf(text, "%d %.*s \"", wire[0], (int) tag, (const char *) wire + 2);
	for (size_t i = 2 + tag; i < len; i++)
	{
		if (wire[i] == '"' || wire[i] == '\\')
			*out++ = '\\';
		if (wire[i] >= ' ' && wire[i] < 0x7f)
			*out++ = (char) wire[i];
		else
			out += sprintf(out, "\\%03d", wire[i]);
	}
	strcpy(out, "\"");
	return text;
}

/* Names and strings of PowerDNS's types as ldns prints them in others. */
static char *
private_to_text(uint16_t type, const uint8_t *wire, size_t len)
{
	char		head[RRTYPE_TEXT_MAX];
	char	   *rest;
	char	   *text;
	bool		is_alias = type == RRTYPE_ALIAS;

	if (!is_alias && len <= 2)
		return NULL;
	rest = is_alias ? bridge_to_text(RRTYPE_CNAME, wire, len) : bridge_to_text(RRTYPE_TXT, wire + 2, len - 2);
	if (is_alias || rest == NULL)
		return rest;
	rrtype_to_text((uint16_t) (wire[0] << 8 | wire[1]), head);
	text = malloc(strlen(head) + strlen(rest) + 2);
	if (text != NULL)
		sprintf(text, "%s %s", head, rest);
	free(rest);
	return text;
}

const char *
rdata_to_text(uint16_t type, const uint8_t *wire, size_t len)
{
	static uint8_t again[RDATA_MAX];
	char		mnemonic[RRTYPE_TEXT_MAX];
	RdataError	err;

	free(text_result);
	text_result = NULL;
	rrtype_to_text(type, mnemonic);
	if (type == RRTYPE_ALIAS || type == RRTYPE_LUA)
		text_result = private_to_text(type, wire, len);
	else if (type == RRTYPE_CAA)
		text_result = caa_to_text(wire, len);
	else if (bridge_knows(type) && strncmp(mnemonic, "TYPE", 4) != 0)
		text_result = bridge_to_text(type, wire, len);

	if (text_result != NULL &&
		text_check(type, text_result, strlen(text_result), NULL, again, &err) == (int) len &&
		memcmp(again, wire, len) == 0)
		return text_result;
	free(text_result);
	text_result = generic_to_text(wire, len);
	return text_result;
}
