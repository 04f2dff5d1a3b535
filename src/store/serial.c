/*
 * serial.c: see serial.h. Pure: no server, no input or output.
 *
 * What holds on every node: a zone's serial never goes back, and rises with its content; two nodes at rest serve different
 * content under different serials, and end with the same.
 */
#include "store/serial.h"

#define HALF ((uint64_t) 1 << 31)

/* Finds the third field. */
static bool
soa_field(const uint8_t *content, size_t len, size_t *start, size_t *end)
{
	size_t		p = 0;

	for (int field = 0; field < 3; field++)
	{
		while (p < len && (content[p] == ' ' || content[p] == '\t'))
			p++;
		*start = p;
		while (p < len && content[p] != ' ' && content[p] != '\t')
			p++;
		*end = p;
	}
	return *end > *start;
}

bool
soa_serial(const uint8_t *content, size_t len, uint32_t *serial)
{
	size_t		start,
				end;
	uint64_t	value = 0;

	if (!soa_field(content, len, &start, &end) || end - start > 10)
		return false;
	for (size_t i = start; i < end; i++)
	{
		if (content[i] < '0' || content[i] > '9')
			return false;
		value = value * 10 + (uint64_t) (content[i] - '0');
	}
	*serial = (uint32_t) value;
	return value <= UINT32_MAX;
}

size_t
soa_with_serial(uint8_t *out, const uint8_t *content, size_t len, uint32_t serial)
{
	size_t		start,
				end,
				n = 0;
	uint8_t		digits[10];

	if (!soa_field(content, len, &start, &end))
	{
		memcpy(out, content, len);
		return len;
	}
	do
	{
		digits[n++] = (uint8_t) ('0' + serial % 10);
		serial /= 10;
	} while (serial);
	memcpy(out, content, start);
	for (size_t i = 0; i < n; i++)
		out[start + i] = digits[n - 1 - i];
	memcpy(out + start + n, content + end, len - end);
	return start + n + (len - end);
}

bool
serial_ahead(uint32_t a, uint32_t b)
{
	return a != b && (uint32_t) (a - b) < HALF;
}

/* A low half of 0 is passed over: software takes it for none. */
static uint64_t
serial_step(uint64_t serial)
{
	return (uint32_t) serial == 0 ? serial + 1 : serial;
}

/* The smallest value above `now` with that low half. */
static uint64_t
serial_with_low(uint64_t now, uint32_t low)
{
	return now + (uint32_t) (low - (uint32_t) now);
}

uint64_t
serial_edit(uint64_t now, uint32_t edited, bool changed)
{
	if (now == 0)
		return edited ? edited : 1;
	if (serial_ahead(edited, (uint32_t) now))
		return serial_with_low(now, edited);
	if (changed || edited != (uint32_t) now)
		return serial_step(now + 1);
	return now;
}

/* The smallest value from `need` up of which a secondary that has `mine` sees that it is newer. */
static uint64_t
serial_reach(uint64_t need, uint64_t mine)
{
	if (mine == 0 || need == mine || serial_ahead((uint32_t) need, (uint32_t) mine))
		return need;
	return serial_step(serial_with_low(need, (uint32_t) mine + 1));
}

static uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

uint64_t
serial_merge(const SerialMerge *m, bool *carry)
{
	uint64_t	known = larger(m->mine, larger(m->heard, m->theirs));
	uint64_t	need = known;

	*carry = false;
	if (known == 0)
		return 0;
	if (m->after != m->before)
		need = larger(need, serial_step(m->mine + 1));
	if (m->after != m->peer && (m->after != m->before || (m->fresh && m->theirs >= m->mine)))
		need = larger(need, serial_step(larger(m->mine, m->theirs) + 1));
	if (m->fell_back)
		need = larger(need, serial_step(known + SERIAL_FALL_BACK));
	need = serial_reach(need, m->mine);
	*carry = need > known;
	return need;
}
