/*
 * ordername.c: see ordername.h.
 */
#include "dns/name.h"

#include <string.h>

#include <ldns/ldns.h>

#include "dns/ordername.h"

int
ordername_nsec(const uint8_t *name, size_t len, size_t zone_len, char *text)
{
	char		label[NAME_TEXT_MAX];
	size_t		from = zone_len;
	char	   *out = text;

	while (from < len)
	{
		size_t		end = from;
		int			n;

		while (end < len && name[end] != 0)
			end++;
		n = name_to_text(name + from, end + 1 - from, label);
		if (out > text)
			*out++ = ' ';
		memcpy(out, label, (size_t) n);
		out += n;
		from = end + 1;
	}
	*out = '\0';
	return (int) (out - text);
}

int
ordername_nsec3(const uint8_t *name, size_t len, int iterations, const uint8_t *salt, size_t salt_len, char *text)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	uint8_t		buffer[NAME_WIRE_MAX + NSEC3_SALT_MAX];
	uint8_t		hash[LDNS_SHA1_DIGEST_LENGTH];
	size_t		n = (size_t) name_to_wire(name, len, buffer);
	int			out = 0;

	for (int i = 0; i <= iterations; i++)
	{
		memcpy(buffer + n, salt, salt_len);
		(void) ldns_sha1(buffer, (unsigned int) (n + salt_len), hash);
		n = sizeof(hash);
		memcpy(buffer, hash, n);
	}
	/* 160 bits are 32 digits of five */
	for (int bit = 0; bit < 8 * LDNS_SHA1_DIGEST_LENGTH; bit += 5)
	{
		int			pair = hash[bit / 8] << 8 | (bit / 8 + 1 < LDNS_SHA1_DIGEST_LENGTH ? hash[bit / 8 + 1] : 0);

		text[out++] = digits[pair >> (11 - bit % 8) & 31];
	}
	text[out] = '\0';
	return out;
}
