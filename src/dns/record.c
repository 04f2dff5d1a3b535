/*
 * record.c: type, prio and content of one row of PowerDNS's table records, taken together.
 *
 * PowerDNS keeps the priority of MX and SRV in a column of its own and puts it before content when it serves the row;
 * for all other types the column means nothing (PowerDNS writes 0) and anything in it is accepted. Names in content
 * have no final dot, and are absolute. A few things that PowerDNS serves and no zone file could hold are accepted, and some
 * that a zone file may hold and PowerDNS does not read are refused: it would answer SERVFAIL.
 */
#include "dns/record.h"

#include <stdio.h>
#include <string.h>

#include "dns/name.h"
#include "dns/rdata.h"
#include "dns/rrtype.h"

#define PRIO_MAX		65535
#define CONTENT_MAX		65535	/* PowerDNS: varchar(65535) */
#define WITH_PRIO_MAX	2048	/* content of MX and SRV: two numbers and a name of at most 1,020 characters */

const char *
record_part_name(RecordPart part)
{
	static const char *const names[] = {"name", "type", "ttl", "prio", "content"};

	return names[part];
}

static int
refuse(RecordError *err, RecordPart part, int field, const char *reason)
{
	err->part = part;
	err->field = field;
	snprintf(err->reason, sizeof(err->reason), "%s", reason);
	return -1;
}

/*
 * PowerDNS fills in the addresses of ipv4hint=auto and ipv6hint=auto when it answers: they are not part of the data
 * here. Parameters newer than PowerDNS 4.7 have no names in it. Length of what is left; -1 with an error.
 */
static int
svcb_without_auto(const char *content, size_t len, char *out, RecordError *err)
{
	const char *at = content;
	const char *word;
	size_t		word_len;
	int			used = 0;

	for (int i = 1; word_take(&at, content + len, &word, &word_len); i++)
	{
		if (i > 2 && word_len >= 7 && memcmp(word, "dohpath", 7) == 0)
			return refuse(err, RECORD_CONTENT, i, "PowerDNS knows the parameter dohpath as key7 only.");
		if (word_len == 13 && (memcmp(word, "ipv4hint=auto", 13) == 0 || memcmp(word, "ipv6hint=auto", 13) == 0))
			continue;
		if (used > 0)
			out[used++] = ' ';
		memcpy(out + used, word, word_len);
		used += (int) word_len;
	}
	return used;
}

/*
 * What PowerDNS wants of the words of content beyond what a zone file may have: n a number where there are mnemonics
 * too, q a string in quotes, Q only such strings from here on.
 */
static const struct
{
	uint16_t	type;
	const char *words;
}			powerdns_words[] = {
	{RRTYPE_HINFO, "qq"}, {RRTYPE_KEY, "nnn"}, {RRTYPE_NAPTR, "nnqqq"}, {RRTYPE_CERT, "nnn"},
	{RRTYPE_DS, "nnn"}, {RRTYPE_RRSIG, ".nnn"}, {RRTYPE_DNSKEY, "nnn"}, {RRTYPE_RKEY, "nnn"},
	{RRTYPE_CDS, "nnn"}, {RRTYPE_CDNSKEY, "nnn"}, {RRTYPE_URI, "nnq"}, {RRTYPE_CAA, "n.q"},
	{RRTYPE_DLV, "nnn"}, {RRTYPE_TXT, "Q"}, {RRTYPE_SPF, "Q"}, {RRTYPE_LUA, ".Q"},
};

static bool
is_white(char c)
{
	return c == ' ' || c == '\t';
}

/* The word's number, from 1, that PowerDNS would not read; 0 if there is none. */
static int
powerdns_word_wrong(const char *words, const char *content, size_t len)
{
	const char *at = content;
	const char *word;
	size_t		word_len;

	for (int i = 1; *words != '\0' && word_take(&at, content + len, &word, &word_len); i++)
	{
		if (*words == 'n' && (*word < '0' || *word > '9'))
			return i;
		if ((*words == 'q' || *words == 'Q') && *word != '"')
			return i;
		if (*words != 'Q')
			words++;
	}
	return 0;
}

/* Would PowerDNS 4.7 read it? Beyond what rdata_from_text finds, which reads what any zone file may hold. */
static bool
powerdns_reads(uint16_t type, const char *content, size_t len, RecordError *err)
{
	char		mnemonic[RRTYPE_TEXT_MAX];
	bool		generic = len >= 3 && memcmp(content, "\\# ", 3) == 0;
	bool		own_form;
	int			wrong;

	rrtype_to_text(type, mnemonic);
	own_form = strncmp(mnemonic, "TYPE", 4) != 0 && type != RRTYPE_A6 && type != RRTYPE_SIG;
	if (own_form == generic)
	{
		refuse(err, RECORD_CONTENT, 1, own_form ?
			   "The generic form of RFC 3597 is for types that PowerDNS does not know." :
			   "PowerDNS knows data of this type in the generic form only: \\# length hexadecimal (RFC 3597).");
		return false;
	}
	for (size_t i = 0; i < sizeof(powerdns_words) / sizeof(powerdns_words[0]); i++)
	{
		if (powerdns_words[i].type != type)
			continue;
		wrong = powerdns_word_wrong(powerdns_words[i].words, content, len);
		if (wrong == 0)
			return true;
		refuse(err, RECORD_CONTENT, wrong, strchr(powerdns_words[i].words, 'n') == NULL ||
			   powerdns_words[i].words[wrong - 1] == 'q' ?
			   "PowerDNS wants strings in quotes." : "PowerDNS wants a number here.");
		return false;
	}
	return true;
}

/*
 * Content as a zone file has it, in `out` (CONTENT_MAX) if it has to be changed. Its length, or -1 with an error. `extra`
 * is the number of fields put before it.
 */
static int
content_complete(uint16_t type, bool prio_null, int32_t prio, const char **content, size_t len, char *out,
				 int *extra, RecordError *err)
{
	const char *given = *content;
	int			head;

	*extra = 0;
	if (type == RRTYPE_MX || type == RRTYPE_SRV)
	{
		if (prio_null)
			return refuse(err, RECORD_PRIO, 0, "It is missing; this type has a priority.");
		if (prio < 0 || prio > PRIO_MAX)
			return refuse(err, RECORD_PRIO, 0, "It is not a number from 0 to 65535.");
		if (len > WITH_PRIO_MAX)
			return refuse(err, RECORD_CONTENT, 0, "It is longer than data of this type can be.");
		*content = out;
		*extra = 1;
		head = sprintf(out, "%d ", prio);
		memcpy(out + head, given, len);
		return head + (int) len;
	}
	if (type == RRTYPE_SVCB || type == RRTYPE_HTTPS)
	{
		*content = out;
		return svcb_without_auto(given, len, out, err);
	}
	if (type == RRTYPE_TXT && (len == 0 || given[0] != '"') && len + 2 <= CONTENT_MAX)
	{
		/* PowerDNS puts the quotes around such content when it serves it. */
		*content = out;
		out[0] = '"';
		memcpy(out + 1, given, len);
		out[len + 1] = '"';
		return (int) len + 2;
	}
	return (int) len;
}

int
record_rdata(uint16_t type, bool prio_null, int32_t prio, const char *content, size_t len,
			 const uint8_t **wire, RecordError *err)
{
	static char other[CONTENT_MAX];
	RdataError	why;
	int			extra;
	int			result;

	if (rrtype_is_meta(type))
		return refuse(err, RECORD_TYPE, 0, "Records of this type do not exist, it is for queries only (RFC 6895 3.1).");
	if (len > CONTENT_MAX)
		return refuse(err, RECORD_CONTENT, 0, "It is longer than 65535 octets.");
	if (len > 0 && (is_white(content[0]) || (is_white(content[len - 1]) && content[0] != '\\')))
		return refuse(err, RECORD_CONTENT, 0, "There is white space around it.");

	result = content_complete(type, prio_null, prio, &content, len, other, &extra, err);
	if (result < 0 || !powerdns_reads(type, content, (size_t) result, err))
		return -1;
	result = rdata_from_text(type, content, (size_t) result, wire, &why);
	if (result < 0)
		return refuse(err, RECORD_CONTENT, why.field > extra ? why.field - extra : 0, why.reason);
	return result;
}

bool
record_check(uint16_t type, bool prio_null, int32_t prio, const char *content, size_t len, RecordError *err)
{
	const uint8_t *wire;

	return record_rdata(type, prio_null, prio, content, len, &wire, err) >= 0;
}

/* Names have no final dot in PowerDNS's content: no other word that is not quoted ends with one. Length. */
static size_t
dots_strip(char *text)
{
	const char *at = text;
	const char *end = text + strlen(text);
	const char *word;
	size_t		len;
	char	   *out = text;

	while (word_take(&at, end, &word, &len))
	{
		if (len > 1 && *word != '"' && name_is_absolute(word, len))
			len--;
		if (out > text)
			*out++ = ' ';
		memmove(out, word, len);
		out += len;
	}
	*out = '\0';
	return (size_t) (out - text);
}

/* RFC 4398 2: type, key tag and algorithm, which ldns prints as words, and PowerDNS reads as numbers. */
static void
cert_numbers(char *text, const uint8_t *wire, size_t len)
{
	const char *at = text;
	const char *word;
	size_t		word_len;
	char		head[32];
	int			n;

	for (int i = 0; i < 3; i++)
		if (len < 5 || !word_take(&at, text + strlen(text), &word, &word_len))
			return;
	n = sprintf(head, "%d %d %d", wire[0] << 8 | wire[1], wire[2] << 8 | wire[3], wire[4]);
	memmove(text + n, at, strlen(at) + 1);
	memcpy(text, head, (size_t) n);
}

int
record_content(uint16_t type, const uint8_t *wire, size_t len, int32_t *prio, const char **content, RecordError *err)
{
	static uint8_t given[RDATA_MAX];
	static char text[RDATA_MAX * 4 + 64];
	const uint8_t *again;
	const char *printed;
	char	   *start = text;
	size_t		n;

	err->reason[0] = '\0';
	memcpy(given, wire, len);
	printed = rdata_to_text(type, given, len);
	if (printed == NULL || strlen(printed) >= sizeof(text))
		return refuse(err, RECORD_CONTENT, 0, "It is longer than 65535 octets.");
	strcpy(text, printed);
	if (type == RRTYPE_CERT)
		cert_numbers(text, given, len);
	n = strncmp(text, "\\# ", 3) == 0 ? strlen(text) : dots_strip(text);
	*prio = 0;
	if (type == RRTYPE_MX || type == RRTYPE_SRV)
	{
		*prio = (int32_t) given[0] << 8 | given[1];
		while (*start != '\0' && *start++ != ' ')
			n--;
		n--;
	}
	*content = start;
	if (record_rdata(type, false, *prio, start, n, &again, err) != (int) len || memcmp(again, given, len) != 0)
		return err->reason[0] ? -1 : refuse(err, RECORD_CONTENT, 0, "It has no form that PowerDNS reads.");
	return (int) n;
}
