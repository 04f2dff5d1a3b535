/*
 * zone_file.c: see zone_file.h.
 *
 * An entry is first made one line: comments and parentheses gone, words apart by one space, strings in quotes and what is
 * behind a backslash as they are. Then its words are taken: owner, TTL and class in either order, type; the rest is rdata.
 */
#include "dns/zone_file.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "dns/rdata.h"
#include "dns/rrtype.h"

#define ENTRY_MAX 270000		/* rdata of 65,535 octets, each as \DDD, and what comes before it */

static char entry[ENTRY_MAX];

void
zone_file_init(ZoneFile *f, const char *text, size_t len, const uint8_t *origin, size_t origin_len)
{
	memset(f, 0, sizeof(*f));
	f->at = text;
	f->end = text + len;
	f->line = 1;
	memcpy(f->origin, origin, origin_len);
	f->origin_len = (int) origin_len;
	f->owner_len = -1;
	f->ttl = f->last_ttl = -1;
}

static int
refuse(ZoneFileRecord *r, const char *reason)
{
	snprintf(r->reason, sizeof(r->reason), "%s", reason);
	return -1;
}

/* ---------- entries ---------- */

typedef struct EntryState
{
	size_t		len;
	bool		indented;		/* begins with white space */
	bool		quoted;
	int			depth;			/* of parentheses */
	bool		space;			/* before the next character */
	const char *problem;
} EntryState;

static void
entry_put(EntryState *s, char c)
{
	if (s->len + 2 >= ENTRY_MAX)
	{
		s->problem = "It is longer than a record can be.";
		return;
	}
	if (s->space && s->len > 0)
		entry[s->len++] = ' ';
	s->space = false;
	entry[s->len++] = c;
}

static void
comment_skip(ZoneFile *f)
{
	while (f->at < f->end && *f->at != '\n')
		f->at++;
}

/* One character inside quotes, or behind a backslash, is itself; false at the end of the entry. */
static bool
entry_take(ZoneFile *f, EntryState *s)
{
	char		c = *f->at++;

	if (c == '\n')
		f->line++;
	if (c == '\\' && f->at < f->end && *f->at != '\n')
	{
		entry_put(s, c);
		entry_put(s, *f->at++);
	}
	else if (c == '\n' && s->quoted)
	{
		s->problem = "A string in quotes is not closed at the end of its line.";
		return false;
	}
	else if (c == '"')
	{
		s->quoted = !s->quoted;
		entry_put(s, c);
	}
	else if (s->quoted)
		entry_put(s, c);
	else if (c == ';')
		comment_skip(f);
	else if (c == '(')
	{
		s->depth++;
		s->space = true;
	}
	else if (c == ')')
	{
		if (s->depth-- == 0)
			s->problem = "A parenthesis is closed that was not opened.";
		s->space = true;
	}
	else if (c == '\n' && s->depth <= 0)
		return false;
	else if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f')
		s->space = true;
	else
		entry_put(s, c);
	return true;
}

/* The next entry that is not empty, in `entry`; false at the end. */
static bool
entry_next(ZoneFile *f, EntryState *s, int *line)
{
	do
	{
		memset(s, 0, sizeof(*s));
		*line = f->line;
		if (f->at >= f->end)
			return false;
		s->indented = *f->at == ' ' || *f->at == '\t';
		while (f->at < f->end && entry_take(f, s))
			if (s->len == 0)
				*line = f->line;
		if (s->quoted && !s->problem)
			s->problem = "A string in quotes is not closed.";
		else if (s->depth > 0 && !s->problem)
			s->problem = "A parenthesis is not closed.";
	} while (s->len == 0 && !s->problem);
	entry[s->len] = '\0';
	return true;
}

/* ---------- words ---------- */

static bool
word_is(const char *word, size_t len, const char *what)
{
	return strlen(what) == len && strncasecmp(word, what, len) == 0;
}

/* A number of seconds, or with units as BIND has them: 1h30m. */
static bool
ttl_read(const char *word, size_t len, int64_t *ttl)
{
	int64_t		part = 0;
	bool		digits = false;

	*ttl = 0;
	if (len == 0 || !isdigit((unsigned char) word[0]))
		return false;
	for (size_t i = 0; i < len; i++)
	{
		static const char units[] = "smhdw";
		static const int seconds[] = {1, 60, 3600, 86400, 604800};
		const char *unit = strchr(units, tolower((unsigned char) word[i]));

		if (isdigit((unsigned char) word[i]))
		{
			part = part * 10 + (word[i] - '0');
			digits = true;
		}
		else if (unit && *unit && digits)
		{
			*ttl += part * seconds[unit - units];
			part = 0;
			digits = false;
		}
		else
			return false;
		if (part > INT32_MAX || *ttl > INT32_MAX)
			return false;
	}
	*ttl += part;
	return *ttl <= INT32_MAX;
}

/* The name of the owner, or of $ORIGIN. Length, or -1. */
static int
name_read(const ZoneFile *f, const char *word, size_t len, uint8_t *stored, const char *what, ZoneFileRecord *r)
{
	char		reason[NAME_REASON_MAX];
	int			n = name_from_text_in(word, len, f->origin, (size_t) f->origin_len, stored, reason);

	if (n < 0)
		snprintf(r->reason, sizeof(r->reason), "%s is not a domain name: %s", what, reason);
	return n;
}

static int
directive_read(ZoneFile *f, const char *at, const char *end, ZoneFileRecord *r)
{
	const char *word,
			   *value;
	size_t		len,
				value_len = 0;
	uint8_t		name[NAME_STORED_MAX];
	int			n;

	(void) word_take(&at, end, &word, &len);
	if (!word_take(&at, end, &value, &value_len))
		return refuse(r, "A directive has nothing behind it.");
	if (word_is(word, len, "$TTL"))
		return ttl_read(value, value_len, &f->ttl) ? 0 : refuse(r, "The TTL is not a number from 0 to 2147483647 (RFC 2181 section 8).");
	if (!word_is(word, len, "$ORIGIN"))
		return refuse(r, word_is(word, len, "$INCLUDE") || word_is(word, len, "$GENERATE") ?
					  "Directives that read or make other lines are not followed: put those in their place." :
					  "This directive is not known; there are $ORIGIN and $TTL.");
	n = name_read(f, value, value_len, name, "The origin", r);
	if (n < 0)
		return -1;
	memcpy(f->origin, name, (size_t) n);
	f->origin_len = n;
	return 0;
}

/* TTL and class, both optional, in either order, then the type. */
static int
head_read(ZoneFile *f, const char **at, const char *end, int64_t *ttl, ZoneFileRecord *r)
{
	const char *word;
	size_t		len;
	bool		class_given = false;

	*ttl = -1;
	while (word_take(at, end, &word, &len))
	{
		if (*ttl < 0 && isdigit((unsigned char) word[0]))
		{
			if (!ttl_read(word, len, ttl))
				return refuse(r, "The TTL is not a number from 0 to 2147483647 (RFC 2181 section 8).");
		}
		else if (!class_given && (word_is(word, len, "IN") || word_is(word, len, "CLASS1")))
			class_given = true;
		else if (word_is(word, len, "CH") || word_is(word, len, "HS") || word_is(word, len, "CS"))
			return refuse(r, "Its class is not IN.");
		else if (rrtype_from_text(word, len, &r->type))
			return 0;
		else
			return refuse(r, "There is a word that is no type, TTL or class.");
	}
	return refuse(r, "The type is missing.");
}

/* RFC 2308 section 4; without $TTL, RFC 1035 section 5.1: the last one given; for the SOA record its own minimum. */
static int
ttl_settle(ZoneFile *f, int64_t given, ZoneFileRecord *r)
{
	if (given < 0)
		given = f->ttl >= 0 ? f->ttl : f->last_ttl;
	if (given < 0 && r->type == RRTYPE_SOA && r->rdata_len >= 4)
	{
		const uint8_t *m = r->rdata + r->rdata_len - 4;

		given = (int64_t) m[0] << 24 | m[1] << 16 | m[2] << 8 | m[3];
	}
	if (given < 0)
		return refuse(r, "There is no TTL: neither here nor in a record before, nor a $TTL.");
	if (given > INT32_MAX)
		given = 0;				/* RFC 2181 section 8 */
	f->last_ttl = given;
	r->ttl = (uint32_t) given;
	return 1;
}

/* The times of an SOA record may have units too. The text without them; as it was, if it is no such record. */
static void
soa_times_read(const char **at, const char **end)
{
	static char plain[2 * NAME_TEXT_MAX + 128];
	const char *from = *at;
	const char *word;
	size_t		len,
				used = 0;
	int64_t		seconds;

	for (int i = 0; word_take(&from, *end, &word, &len); i++)
	{
		if (used + len + 24 > sizeof(plain))
			return;
		if (used > 0)
			plain[used++] = ' ';
		if (i >= 3 && ttl_read(word, len, &seconds))
			used += (size_t) sprintf(plain + used, "%lld", (long long) seconds);
		else
		{
			memcpy(plain + used, word, len);
			used += len;
		}
	}
	*at = plain;
	*end = plain + used;
}

static int
record_read(ZoneFile *f, const EntryState *s, ZoneFileRecord *r)
{
	const char *at = entry;
	const char *end = entry + s->len;
	const char *word;
	size_t		len;
	int64_t		ttl;
	RdataError	error;
	RdataOrigin origin = {f->origin, (size_t) f->origin_len};

	if (!s->indented)
	{
		uint8_t		name[NAME_STORED_MAX];
		int			n;

		(void) word_take(&at, end, &word, &len);
		n = name_read(f, word, len, name, "The owner", r);
		if (n < 0)
			return -1;
		memcpy(f->owner, name, (size_t) n);
		f->owner_len = n;
	}
	if (f->owner_len < 0)
		return refuse(r, "There is no owner, nor a record before it.");
	if (head_read(f, &at, end, &ttl, r) < 0)
		return -1;
	while (at < end && *at == ' ')
		at++;
	if (r->type == RRTYPE_SOA)
		soa_times_read(&at, &end);
	r->owner = f->owner;
	r->owner_len = f->owner_len;
	r->rdata_len = rdata_from_text_in(r->type, at, (size_t) (end - at), &origin, &r->rdata, &error);
	if (r->rdata_len < 0)
		return refuse(r, error.reason);
	return ttl_settle(f, ttl, r);
}

int
zone_file_next(ZoneFile *f, ZoneFileRecord *r)
{
	EntryState	s;

	for (;;)
	{
		memset(r, 0, sizeof(*r));
		if (!entry_next(f, &s, &r->line))
			return 0;
		if (s.problem)
			return refuse(r, s.problem);
		if (s.indented || entry[0] != '$')
			return record_read(f, &s, r);
		if (directive_read(f, entry, entry + s.len, r) < 0)
			return -1;
	}
}
