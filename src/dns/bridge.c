/*
 * bridge.c: the one bridge to ldns.
 *
 * Rules. ldns allocates by malloc, and PostgreSQL leaves functions by longjmp; so nothing in here allocates from
 * PostgreSQL or raises, every ldns object is freed before a function returns, and results are plain octets. An assertion
 * inside ldns would take the whole server down: lengths are checked before ldns sees them, and it never gets a type for
 * which it asks the system's network databases (WKS). Where ldns reads more than a type has (numbers cut to size, words
 * that are no types, quotes left open), it is checked here before.
 */
#include "dns/bridge.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/name.h"
#include "dns/rrtype.h"

#define LINE_MAX_LEN 65000		/* text that ldns gets; it reads into buffers of 65535 */
#define RR_HEAD		 11			/* root owner, type, class, TTL, length of rdata */

bool
bridge_knows(uint16_t type)
{
	return type != RRTYPE_WKS && !rrtype_is_meta(type) && type < RRTYPE_ADDR &&
		ldns_rr_descript(type)->_type == (ldns_rr_type) type;
}

/* Takes the canonical rdata out of an rr, and frees it. Length or -1. */
static int
rr_finish(ldns_rr *rr, uint16_t type, uint8_t *wire, RdataError *err)
{
	uint8_t    *all = NULL;
	size_t		size = 0;
	int			result = -1;
	bool		complete = ldns_rr_get_type(rr) == (ldns_rr_type) type &&
		ldns_rr_rd_count(rr) >= ldns_rr_descriptor_minimum(ldns_rr_descript(type));

	if (complete)
	{
		ldns_rr2canonical(rr);
		if (ldns_rr2wire(&all, rr, LDNS_SECTION_ANSWER, &size) != LDNS_STATUS_OK)
			all = NULL;
	}
	if (all != NULL && size >= RR_HEAD && size <= RR_HEAD + RDATA_MAX)
	{
		result = (int) (size - RR_HEAD);
		memcpy(wire, all + RR_HEAD, (size_t) result);
	}
	else
		rdata_error(err, 0, complete ? "It is longer than 65535 octets in wire form (RFC 1035 3.2.1)." :
					"There are fields missing.");
	free(all);
	ldns_rr_free(rr);
	return result;
}

/*
 * A line for ldns: what ends a record or continues it in a zone file, and means nothing in a database, loses that
 * meaning. Length, or 0 if the line is too long or a quote is left open.
 */
static size_t
line_make(char *line, uint16_t type, const char *text, size_t len)
{
	size_t		used = (size_t) sprintf(line, ". 0 IN TYPE%d ", type);
	bool		quoted = false;

	for (size_t i = 0; i < len; i++)
	{
		if (used + 5 >= LINE_MAX_LEN)
			return 0;
		if (text[i] == '"')
			quoted = !quoted;
		if (octet_control(text[i]))
		{
			used += (size_t) sprintf(line + used, "\\%03d", text[i]);
			continue;
		}
		if (!quoted && (text[i] == ';' || text[i] == '(' || text[i] == ')'))
			line[used++] = '\\';
		line[used++] = text[i];
		if (text[i] == '\\' && i + 1 < len && !octet_control(text[i + 1]))
			line[used++] = text[++i];
	}
	line[used] = '\0';
	return quoted ? 0 : used;
}

/* ldns wants a dot at its end. */
static ldns_rdf *
origin_make(const RdataOrigin *origin)
{
	char		text[NAME_TEXT_MAX + 1] = ".";
	int			len;

	if (origin != NULL && origin->len > 0)
	{
		len = name_to_text(origin->name, origin->len, text);
		strcpy(text + len, ".");
	}
	return ldns_dname_new_frm_str(text);
}

static int
line_read(uint16_t type, const char *text, size_t len, const RdataOrigin *given, uint8_t *wire, RdataError *err)
{
	static char line[LINE_MAX_LEN];
	ldns_rr    *rr = NULL;
	ldns_rdf   *origin;
	ldns_status status;

	if (line_make(line, type, text, len) == 0)
	{
		rdata_error(err, 0, "A quote is not closed, or it is longer than %d characters.", LINE_MAX_LEN);
		return -1;
	}
	/* ldns reads base32 with padding inside as something that it cannot read again. */
	if (type == RRTYPE_NSEC3 && memchr(text, '=', len) != NULL)
	{
		rdata_error(err, 0, "It is not base32 without padding (RFC 5155 3.3).");
		return -1;
	}
	origin = origin_make(given);
	status = origin == NULL ? LDNS_STATUS_MEM_ERR : ldns_rr_new_frm_str(&rr, line, 0, origin, NULL);
	ldns_rdf_deep_free(origin);
	if (status != LDNS_STATUS_OK || rr == NULL)
	{
		rdata_error(err, 0, "%s.", ldns_get_errorstr_by_id(status));
		return -1;
	}
	return rr_finish(rr, type, wire, err);
}

/* An rr of rdata in wire form; NULL, with an error, if ldns cannot read it. */
static ldns_rr *
rr_read(uint16_t type, const uint8_t *data, size_t len, RdataError *err)
{
	static uint8_t all[RR_HEAD + RDATA_MAX];
	ldns_rr    *rr = NULL;
	size_t		pos = 0;
	ldns_status status;

	memset(all, 0, RR_HEAD);
	all[1] = (uint8_t) (type >> 8);
	all[2] = (uint8_t) type;
	all[4] = LDNS_RR_CLASS_IN;
	all[9] = (uint8_t) (len >> 8);
	all[10] = (uint8_t) len;
	if (len > 0)
		memcpy(all + RR_HEAD, data, len);
	status = ldns_wire2rr(&rr, all, RR_HEAD + len, &pos, LDNS_SECTION_ANSWER);
	if (status == LDNS_STATUS_OK && rr != NULL && pos == RR_HEAD + len)
		return rr;
	if (status == LDNS_STATUS_OK && rr != NULL)
		ldns_rr_free(rr);
	rdata_error(err, 0, "%s.", status == LDNS_STATUS_OK ? "There are octets behind the last field" :
				ldns_get_errorstr_by_id(status));
	return NULL;
}

int
bridge_from_wire(uint16_t type, const uint8_t *data, size_t len, uint8_t *wire, RdataError *err)
{
	ldns_rr    *rr = rr_read(type, data, len, err);
	int			result = rr == NULL ? -1 : rr_finish(rr, type, wire, err);

	if (result >= 0 && (size_t) result != len)
	{
		rdata_error(err, 0, "It is not in uncompressed wire form.");
		return -1;
	}
	return result;
}

int
bridge_from_message(uint16_t type, const uint8_t *message, size_t len, size_t at, uint8_t *wire, RdataError *err)
{
	ldns_rr    *rr = NULL;
	ldns_rdf   *root;
	ldns_status status = ldns_wire2rr(&rr, message, len, &at, LDNS_SECTION_ANSWER);

	if (status != LDNS_STATUS_OK || rr == NULL || at != len)
	{
		if (status == LDNS_STATUS_OK && rr != NULL)
			ldns_rr_free(rr);
		rdata_error(err, 0, "%s.", status == LDNS_STATUS_OK ? "There are octets behind the last field" : ldns_get_errorstr_by_id(status));
		return -1;
	}
	root = ldns_dname_new_frm_str(".");
	if (root == NULL)
	{
		ldns_rr_free(rr);
		rdata_error(err, 0, "There is no memory.");
		return -1;
	}
	ldns_rdf_deep_free(ldns_rr_owner(rr));
	ldns_rr_set_owner(rr, root);
	return rr_finish(rr, type, wire, err);
}

/* Copies a line (to itself, or to before it) with one space between its words, none around them. */
static void
spaces_squeeze(const char *line, char *out)
{
	char	   *start = out;
	bool		quoted = false;

	for (const char *p = line; *p != '\0'; p++)
	{
		if (!quoted && (*p == ' ' || *p == '\t' || *p == '\n'))
		{
			if (out > start && out[-1] != ' ')
				*out++ = ' ';
			continue;
		}
		if (*p == '"')
			quoted = !quoted;
		*out++ = *p;
		if (*p == '\\' && p[1] != '\0')
			*out++ = *++p;
	}
	if (out > start && out[-1] == ' ')
		out--;
	*out = '\0';
}

/* The largest number that a field of an ldns type holds; 0 if it is something else. */
static uint64_t
number_max(ldns_rdf_type field)
{
	switch (field)
	{
		case LDNS_RDF_TYPE_INT8:
		case LDNS_RDF_TYPE_ALG:
		case LDNS_RDF_TYPE_CERTIFICATE_USAGE:
		case LDNS_RDF_TYPE_SELECTOR:
		case LDNS_RDF_TYPE_MATCHING_TYPE:
			return UINT8_MAX;
		case LDNS_RDF_TYPE_INT16:
		case LDNS_RDF_TYPE_CERT_ALG:
			return UINT16_MAX;
		case LDNS_RDF_TYPE_INT32:
			return UINT32_MAX;
		default:
			return 0;
	}
}

/* A port that is too large loses its upper bits. */
static bool
port_fits(const char *word, size_t len)
{
	unsigned long value = 0;

	for (size_t i = 5; len > 5 && memcmp(word, "port=", 5) == 0 && i < len; i++)
		if (word[i] >= '0' && word[i] <= '9' && (value = value * 10 + (unsigned long) (word[i] - '0')) > UINT16_MAX)
			return false;
	return true;
}

/* ldns cuts numbers to size, and takes words that are no types out of lists of types, and half an octet, without a word. */
static bool
words_check(uint16_t type, const char *text, size_t len, RdataError *err)
{
	const ldns_rr_descriptor *desc = ldns_rr_descript(type);
	const char *end = text + len;
	const char *word;
	size_t		word_len;
	size_t		fields = desc->_maximum;
	size_t		digits = 0;		/* of hexadecimal, at the end */

	for (size_t i = 0; word_take(&text, end, &word, &word_len); i++)
	{
		/* The last field of a list goes on; fields before it are a word each. */
		ldns_rdf_type field = ldns_rr_descriptor_field_type(desc, i < fields ? i : fields - 1);
		uint64_t	max = i < fields ? number_max(field) : 0;
		uint64_t	value = 0;
		uint16_t	listed;

		digits = field == LDNS_RDF_TYPE_HEX ? digits + word_len : 0;
		if ((type == RRTYPE_SVCB || type == RRTYPE_HTTPS) && !port_fits(word, word_len))
		{
			rdata_error(err, (int) i + 1, "The port is larger than 65535.");
			return false;
		}
		if (field == LDNS_RDF_TYPE_NSEC && !rrtype_from_text(word, word_len, &listed))
		{
			rdata_error(err, (int) i + 1, "\"%.*s\" is not a record type.", (int) (word_len < 32 ? word_len : 32),
						word);
			return false;
		}
		if (max > 0 && *word == '-')
		{
			rdata_error(err, (int) i + 1, "Field %d is negative.", (int) i + 1);
			return false;
		}
		for (size_t j = 0; max > 0 && j < word_len && word[j] >= '0' && word[j] <= '9'; j++)
		{
			value = value * 10 + (uint64_t) (word[j] - '0');
			if (value > max)
			{
				rdata_error(err, (int) i + 1, "Field %d is larger than %llu.", (int) i + 1, (unsigned long long) max);
				return false;
			}
		}
	}
	if (digits % 2 != 0)
	{
		rdata_error(err, 0, "Hexadecimal digits come in pairs.");
		return false;
	}
	return true;
}

/* ldns is trusted only as far as it can read its own result. */
int
bridge_from_text(uint16_t type, const char *text, size_t len, const RdataOrigin *origin, uint8_t *wire, RdataError *err)
{
	static uint8_t again[RDATA_MAX];
	int			result;

	if (!words_check(type, text, len, err))
		return -1;
	result = line_read(type, text, len, origin, wire, err);
	if (result < 0)
		return -1;
	if (bridge_from_wire(type, wire, (size_t) result, again, err) == result &&
		memcmp(wire, again, (size_t) result) == 0)
		return result;
	rdata_error(err, 0, "It does not fit the type.");
	return -1;
}

char *
bridge_to_text(uint16_t type, const uint8_t *wire, size_t len)
{
	RdataError	err;
	ldns_rr    *rr = rr_read(type, wire, len, &err);
	char	   *all;
	char	   *at;

	if (rr == NULL)
		return NULL;
	all = ldns_rr2str_fmt(ldns_output_format_nocomments, rr);
	ldns_rr_free(rr);
	at = all;
	for (int tabs = 0; at != NULL && tabs < 4; tabs++)	/* owner, TTL, class, type */
	{
		at = strchr(at, '\t');
		at = at == NULL ? NULL : at + 1;
	}
	if (at == NULL)
	{
		free(all);
		return NULL;
	}
	spaces_squeeze(at, all);
	return all;
}
