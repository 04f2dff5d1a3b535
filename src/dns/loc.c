/*
 * loc.c: see loc.h.
 *
 *		d1 [m1 [s1]] {N|S} d2 [m2 [s2]] {E|W} alt["m"] [size["m"] [hp["m"] [vp["m"]]]]
 */
#include "dns/loc.h"

#include <string.h>

#define EQUATOR ((uint32_t) 1 << 31)

/* A number with so many decimals at most, times ten to that power; the rest of the word is `unit` or nothing. */
static bool
number_read(const char *word, size_t len, int decimals, const char *unit, int64_t max, int64_t *value)
{
	size_t		i = 0,
				digits = 0;
	int			after = -1;		/* decimals seen; -1: no point yet */

	*value = 0;
	for (; i < len; i++)
	{
		if (word[i] == '.' && after < 0)
			after = 0;
		else if (word[i] >= '0' && word[i] <= '9' && after < decimals)
		{
			*value = *value * 10 + (word[i] - '0');
			after += after >= 0;
			digits++;
		}
		else
			break;
		if (*value > INT64_MAX / 100000)
			return false;
	}
	for (after = after < 0 ? 0 : after; after < decimals; after++)
		*value *= 10;
	return digits > 0 && *value <= max && (i == len || (len - i == strlen(unit) && memcmp(word + i, unit, len - i) == 0));
}

static bool
word_get(Fields *f, const char **word, size_t *len)
{
	if (!word_take(&f->at, f->end, word, len))
		return false;
	f->number++;
	return true;
}

/* Degrees, minutes and seconds, then which side of 0: in thousandths of a second. */
static bool
angle_read(Fields *f, int degrees, const char *sides, const char *what, uint32_t *out)
{
	static const int64_t units[] = {3600000, 60000, 1};
	int64_t		limits[] = {degrees, 59, 59999};
	int64_t		sum = 0;

	for (int i = 0; i < 4; i++)
	{
		const char *word;
		size_t		len;
		int64_t		value;

		if (!word_get(f, &word, &len))
			break;
		if (len == 1 && i > 0 && (word[0] & ~0x20) == sides[0])
		{
			*out = EQUATOR + (uint32_t) sum;
			return sum <= degrees * units[0];
		}
		if (len == 1 && i > 0 && (word[0] & ~0x20) == sides[1])
		{
			*out = EQUATOR - (uint32_t) sum;
			return sum <= degrees * units[0];
		}
		if (i == 3 || !number_read(word, len, i == 2 ? 3 : 0, "", limits[i], &value))
			break;
		sum += value * units[i];
		if (sum > degrees * units[0])
			break;
	}
	rdata_error(f->err, f->number, "%s is not degrees up to %d, minutes and seconds below 60, and %c or %c (RFC 1876 3).", what, degrees,
				sides[0], sides[1]);
	return false;
}

/* In centimetres above 100,000 m below the reference spheroid. */
static bool
altitude_read(Fields *f, uint32_t *out)
{
	const char *word;
	size_t		len;
	int64_t		cm;

	if (word_get(f, &word, &len))
	{
		bool		below = *word == '-';

		if (number_read(word + below, len - below, 2, "m", below ? 10000000 : 4284967295, &cm))
		{
			*out = (uint32_t) (10000000 + (below ? -cm : cm));
			return true;
		}
	}
	rdata_error(f->err, f->number, "The altitude is not a number of metres (RFC 1876 3).");
	return false;
}

/* A size as one digit and a power of ten, of centimetres; `out` keeps its value at the end. */
static bool
size_read(Fields *f, uint8_t *out)
{
	const char *word;
	size_t		len;
	int64_t		cm;
	int			power = 0;

	if (fields_at_end(f))
		return true;
	if (!word_get(f, &word, &len) || !number_read(word, len, 2, "m", 9000000000, &cm))
	{
		rdata_error(f->err, f->number, "It is not a number of metres up to 90000000 (RFC 1876 3).");
		return false;
	}
	for (; cm > 9; cm /= 10)
		power++;
	*out = (uint8_t) (cm << 4 | power);
	return true;
}

bool
field_loc(Fields *f)
{
	uint8_t		wire[16] = {0, 0x12, 0x16, 0x13};	/* 1 m, 10000 m, 10 m */
	uint32_t	place[3];

	if (!angle_read(f, 90, "NS", "The latitude", &place[0]) || !angle_read(f, 180, "EW", "The longitude", &place[1]) ||
		!altitude_read(f, &place[2]))
		return false;
	for (int i = 1; i < 4; i++)
		if (!size_read(f, &wire[i]))
			return false;
	for (int i = 0; i < 12; i++)
		wire[4 + i] = (uint8_t) (place[i / 4] >> (24 - 8 * (i % 4)));
	memcpy(f->out + f->used, wire, sizeof(wire));
	f->used += sizeof(wire);
	return true;
}
