/*
 * zone_signing.c: see zone_signing.h.
 */
#include "postgres.h"

#include "common/hashfn.h"

#include "store/metadata.h"
#include "zone/zone_keys.h"
#include "zone/zone_signing.h"

#define MAX_ITERATIONS 100		/* PowerDNS's max-nsec3-iterations, unless it did not sign the zone itself */

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

/* The content of an NSEC3PARAM record (RFC 5155 section 4.3): algorithm, flags, iterations, salt. False: it is none. */
static bool
nsec3param_parse(const char *content, ZoneSigning *s)
{
	int			algorithm,
				flags,
				at = 0;

	if (sscanf(content, "%d %d %d %n", &algorithm, &flags, &s->iterations, &at) < 3 || at == 0 ||
		s->iterations < 0 || s->iterations > 65535)
		return false;
	s->opt_out = flags != 0;
	s->salt_len = 0;
	for (const char *c = content + at; hex_digit(c[0]) >= 0 && hex_digit(c[1]) >= 0 && s->salt_len < NSEC3_SALT_MAX; c += 2)
		s->salt[s->salt_len++] = (uint8) (hex_digit(c[0]) << 4 | hex_digit(c[1]));
	return true;
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
		return (ZoneSigning) {.secured = true, .presigned = presigned};
	s.narrow = metadata_is_one(id, "NSEC3NARROW", snapshot);
	if (!presigned)
		s.iterations = Min(s.iterations, MAX_ITERATIONS);
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
