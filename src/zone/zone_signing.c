/*
 * zone_signing.c: see zone_signing.h.
 */
#include "postgres.h"

#include <ctype.h>

#include "common/hashfn.h"

#include "store/metadata.h"
#include "zone/zone_keys.h"
#include "zone/zone_signing.h"

static bool
metadata_is_one(int32 id, const char *kind, Snapshot snapshot)
{
	char	   *content = zone_metadata(id, kind, snapshot);

	return content && strcmp(content, "1") == 0;
}

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A number of at most `most`, and the blanks behind it; false: there is none. */
static bool
number_get(const char **c, int most, int *value)
{
	const char *start = *c;

	for (*value = 0; isdigit((unsigned char) **c); (*c)++)
		if ((*value = *value * 10 + **c - '0') > most)
			return false;
	if (*c == start || !(**c == ' ' || **c == '\t' || **c == '\0'))
		return false;
	*c += strspn(*c, " \t");
	return true;
}

/* The content of an NSEC3PARAM record (RFC 5155 section 4.3): algorithm, flags, iterations, salt. False: it is none. */
static bool
nsec3param_parse(const char *c, ZoneSigning *s)
{
	int			algorithm,
				flags;

	c += strspn(c, " \t");
	if (!number_get(&c, 255, &algorithm) || !number_get(&c, 255, &flags) || !number_get(&c, 65535, &s->iterations))
		return false;
	s->opt_out = flags != 0;
	if (*c == '-')
		c++;
	for (; hex_digit(c[0]) >= 0 && hex_digit(c[1]) >= 0; c += 2)
	{
		if (s->salt_len == NSEC3_SALT_MAX)
			return false;
		s->salt[s->salt_len++] = (uint8) (hex_digit(c[0]) << 4 | hex_digit(c[1]));
	}
	return c[strspn(c, " \t")] == '\0';
}

ZoneSigning
zone_signing(int32 id, Snapshot snapshot)
{
	ZoneSigning s = {0};
	bool		presigned = metadata_is_one(id, "PRESIGNED", snapshot);
	char	   *param;

	s.presigned = presigned;
	s.secured = presigned || zone_has_active_key(id, false, snapshot);
	if (!s.secured || !(param = zone_metadata(id, "NSEC3PARAM", snapshot)))
		return s;
	s.nsec3 = nsec3param_parse(param, &s);
	if (!s.nsec3)
		return (ZoneSigning) {.secured = true, .presigned = presigned, .unreadable = true};
	s.narrow = metadata_is_one(id, "NSEC3NARROW", snapshot);
	s.asked = s.iterations;
	if (s.asked > (presigned ? PRESIGNED_ITERATIONS : SIGNED_ITERATIONS))
		s.iterations = SIGNED_ITERATIONS;
	return s;
}

uint64
zone_signing_hash(const ZoneSigning *s)
{
	uint64		h = 1 + s->secured + 2 * s->nsec3 + 4 * s->narrow + 8 * s->opt_out + 16 * s->presigned;

	if (!s->nsec3)
		return h;
	h = hash_combine64(h, (uint64) s->iterations);
	h = hash_combine64(h, hash_bytes_extended(s->salt, s->salt_len, 0));
	return h ? h : 1;
}
