/*
 * name.c: the stored form of a domain name, and the ways into it and out of it.
 *
 * Format. The labels from the root down (the root's own, empty one left out), in lower case (A-Z only, RFC 4343),
 * each octet 0 written as 1 1, each octet 1 as 1 2, each label ended by 0. The root is the empty string.
 *
 *		www.example.org		"org" 0 "example" 0 "www" 0
 *
 * So memcmp, the shorter first where one is a prefix, is the canonical order of RFC 4034 6.1 (the end of a label sorts
 * before every octet in it), and a name is at or below a zone exactly if it begins with the zone's bytes.
 *
 * Invariant: name_valid() holds for all that name_from_text and name_from_wire give.
 */
#include "dns/name.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LABEL_END 0
#define ESCAPE	  1				/* this octet and LABEL_END, inside a label: ESCAPE, octet + 1 */

/* A name taken apart: its labels, leftmost first, in one buffer. */
typedef struct Labels
{
	uint8_t		octets[NAME_WIRE_MAX];
	uint8_t		start[NAME_LABELS_MAX + 1]; /* where label i begins; it ends where i + 1 begins */
	int			count;			/* finished labels */
	int			used;			/* octets */
} Labels;

static int	reason_set(char *reason, const char *format,...)
			__attribute__((format(printf, 2, 3)));

/* Leaves the sentence; returns -1, for the caller to return. */
static int
reason_set(char *reason, const char *format,...)
{
	va_list		args;

	if (reason == NULL)
		return -1;
	va_start(args, format);
	vsnprintf(reason, NAME_REASON_MAX, format, args);
	va_end(args);
	return -1;
}

static inline uint8_t
octet_lower(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') ? (uint8_t) (c + ('a' - 'A')) : c;
}

/* One more octet of the unfinished label. */
static int
labels_add(Labels *labels, uint8_t octet, char *reason)
{
	if (labels->used - labels->start[labels->count] >= NAME_LABEL_MAX)
		return reason_set(reason, "Label %d is longer than 63 octets (RFC 1035 2.3.4).",
						  labels->count + 1);
	/* In wire form: a length octet for each label, this one too, and the root's. */
	if (labels->used + 1 + labels->count + 2 > NAME_WIRE_MAX)
		return reason_set(reason, "It is longer than 255 octets in wire form (RFC 1035 2.3.4).");
	labels->octets[labels->used++] = octet_lower(octet);
	return 0;
}

/* The unfinished label ends. */
static int
labels_finish(Labels *labels, char *reason)
{
	if (labels->used == labels->start[labels->count])
		return reason_set(reason, "Label %d is empty.", labels->count + 1);
	labels->start[++labels->count] = (uint8_t) labels->used;
	return 0;
}

static int
labels_store(const Labels *labels, uint8_t *stored)
{
	uint8_t    *out = stored;

	for (int i = labels->count - 1; i >= 0; i--)
	{
		for (int j = labels->start[i]; j < labels->start[i + 1]; j++)
		{
			uint8_t		c = labels->octets[j];

			if (c <= ESCAPE)
			{
				*out++ = ESCAPE;
				c = (uint8_t) (c + 1);
			}
			*out++ = c;
		}
		*out++ = LABEL_END;
	}
	return (int) (out - stored);
}

/* What follows a backslash, RFC 1035 5.1: three decimal digits, or the character itself. Octets taken, or -1. */
static int
escape_read(const char *text, size_t len, uint8_t *octet, int label, char *reason)
{
	int			value = 0;

	if (len == 0)
		return reason_set(reason, "Label %d ends in a backslash.", label);
	if (text[0] < '0' || text[0] > '9')
	{
		*octet = (uint8_t) text[0];
		return 1;
	}
	for (size_t i = 0; i < 3; i++)
	{
		if (i >= len || text[i] < '0' || text[i] > '9')
			return reason_set(reason, "A backslash and digits in label %d are not three digits (RFC 1035 5.1).",
							  label);
		value = value * 10 + (text[i] - '0');
	}
	if (value > 255)
		return reason_set(reason, "\\%d in label %d is no octet (RFC 1035 5.1).", value, label);
	*octet = (uint8_t) value;
	return 3;
}

/* Octets that stand for themselves in text; the others are written \DDD. */
static inline bool
octet_plain(uint8_t c)
{
	return c > 0x20 && c < 0x7f;
}

static int
octet_refuse(uint8_t c, int label, char *reason)
{
	if (c == ' ' || (c >= '\t' && c <= '\r'))
		return reason_set(reason, "There is white space in label %d; as part of a name it is written \\%03d.",
						  label, c);
	if (c < 0x80)
		return reason_set(reason, "There is a control character in label %d; as part of a name it is written \\%03d.",
						  label, c);
	return reason_set(reason, "There is a character beyond ASCII in label %d; such names are written in their ASCII form, xn--... (RFC 5890).",
					  label);
}

/*
 * RFC 1035 5.1: labels with dots between them, \. \\ \DDD; with or without the final dot; "." is the root.
 * Names are absolute: there is no origin, and "@" is a label like any other.
 */
int
name_from_text(const char *text, size_t len, uint8_t *stored, char *reason)
{
	Labels		labels;
	size_t		i = 0;

	if (len == 0)
		return reason_set(reason, "The empty string is no name; the root is \".\".");
	if (len == 1 && text[0] == '.')
		return 0;

	labels.count = labels.used = labels.start[0] = 0;
	while (i < len)
	{
		uint8_t		c = (uint8_t) text[i++];

		if (c == '.')
		{
			if (labels_finish(&labels, reason) < 0)
				return -1;
			continue;
		}
		if (c == '\\')
		{
			int			taken = escape_read(text + i, len - i, &c, labels.count + 1, reason);

			if (taken < 0)
				return -1;
			i += (size_t) taken;
		}
		else if (!octet_plain(c))
			return octet_refuse(c, labels.count + 1, reason);
		if (labels_add(&labels, c, reason) < 0)
			return -1;
	}
	if (labels.used > labels.start[labels.count])
		labels_finish(&labels, NULL);
	return labels_store(&labels, stored);
}

int
name_from_wire(const uint8_t *wire, size_t len, uint8_t *stored, char *reason)
{
	Labels		labels;
	size_t		i = 0;

	if (len > NAME_WIRE_MAX)
		return reason_set(reason, "It is longer than 255 octets in wire form (RFC 1035 2.3.4).");
	labels.count = labels.used = labels.start[0] = 0;
	for (;;)
	{
		size_t		end;

		if (i >= len)
			return reason_set(reason, "It ends before the root label.");
		if (wire[i] == 0)
			break;
		if (wire[i] > NAME_LABEL_MAX)
			return reason_set(reason, "Octet %d is no label length.", (int) i);
		end = i + 1 + wire[i];
		if (end >= len)
			return reason_set(reason, "It ends before the root label.");
		for (i++; i < end; i++)
			if (labels_add(&labels, wire[i], reason) < 0)
				return -1;
		if (labels_finish(&labels, reason) < 0)
			return -1;
	}
	if (i + 1 != len)
		return reason_set(reason, "There are %d octets after the root label.", (int) (len - i - 1));
	return labels_store(&labels, stored);
}

/* Where each label begins, the root's child first; start[count] is the end. Returns count. */
static int
stored_split(const uint8_t *stored, size_t len, uint16_t *start)
{
	int			count = 0;

	start[0] = 0;
	for (size_t i = 0; i < len && count < NAME_LABELS_MAX; i++)
		if (stored[i] == LABEL_END)
			start[++count] = (uint16_t) (i + 1);
	return count;
}

/* The octet at *p, which moves behind it. */
static inline uint8_t
stored_next(const uint8_t **p)
{
	uint8_t		c = *(*p)++;

	if (c == ESCAPE)
		c = (uint8_t) (*(*p)++ - 1);
	return c;
}

bool
name_is_absolute(const char *text, size_t len)
{
	size_t		slashes = 0;

	while (len > slashes + 1 && text[len - 2 - slashes] == '\\')
		slashes++;
	return len > 0 && text[len - 1] == '.' && slashes % 2 == 0;
}

int
name_from_text_in(const char *text, size_t len, const uint8_t *origin, size_t origin_len, uint8_t *stored, char *reason)
{
	uint8_t		below[NAME_STORED_MAX];
	int			n;

	if (len == 1 && text[0] == '@')
	{
		memcpy(stored, origin, origin_len);
		return (int) origin_len;
	}
	if (name_is_absolute(text, len))
		return name_from_text(text, len, stored, reason);
	n = name_from_text(text, len, below, reason);
	if (n < 0)
		return -1;
	if (origin_len + (size_t) n <= NAME_STORED_MAX)
	{
		memcpy(stored, origin, origin_len);
		memcpy(stored + origin_len, below, (size_t) n);
		if (name_valid(stored, origin_len + (size_t) n))
			return (int) origin_len + n;
	}
	return reason_set(reason, "It is longer than %d octets in wire form (RFC 1035 2.3.4).", NAME_WIRE_MAX);
}

int
name_to_text(const uint8_t *stored, size_t len, char *text)
{
	uint16_t	start[NAME_LABELS_MAX + 1];
	int			count = stored_split(stored, len, start);
	char	   *out = text;

	if (count == 0)
		*out++ = '.';
	for (int i = count - 1; i >= 0; i--)
	{
		const uint8_t *p = stored + start[i];
		const uint8_t *end = stored + start[i + 1] - 1;

		while (p < end)
		{
			uint8_t		c = stored_next(&p);

			if (c == '.' || c == '\\')
				*out++ = '\\';
			if (octet_plain(c))
				*out++ = (char) c;
			else
			{
				*out++ = '\\';
				*out++ = (char) ('0' + c / 100);
				*out++ = (char) ('0' + c / 10 % 10);
				*out++ = (char) ('0' + c % 10);
			}
		}
		if (i > 0)
			*out++ = '.';
	}
	*out = '\0';
	return (int) (out - text);
}

int
name_to_wire(const uint8_t *stored, size_t len, uint8_t *wire)
{
	uint16_t	start[NAME_LABELS_MAX + 1];
	uint8_t    *out = wire;

	for (int i = stored_split(stored, len, start) - 1; i >= 0; i--)
	{
		const uint8_t *p = stored + start[i];
		const uint8_t *end = stored + start[i + 1] - 1;
		uint8_t    *length = out++;

		while (p < end)
			*out++ = stored_next(&p);
		*length = (uint8_t) (out - length - 1);
	}
	*out++ = 0;
	return (int) (out - wire);
}

bool
name_valid(const uint8_t *stored, size_t len)
{
	int			wire = 1;		/* the root's octet */
	int			label = 0;		/* octets of the label at hand */

	for (size_t i = 0; i < len; i++)
	{
		uint8_t		c = stored[i];

		if (c == LABEL_END)
		{
			if (label == 0)
				return false;
			wire += label + 1;
			label = 0;
			continue;
		}
		if (c == ESCAPE && (++i >= len || stored[i] < 1 || stored[i] > 2))
			return false;
		if (c >= 'A' && c <= 'Z')
			return false;
		if (++label > NAME_LABEL_MAX || wire + label + 1 > NAME_WIRE_MAX)
			return false;
	}
	return label == 0;
}

int
name_compare(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen)
{
	size_t		shorter = alen < blen ? alen : blen;
	int			result = shorter > 0 ? memcmp(a, b, shorter) : 0;

	return result != 0 ? result : (alen > blen) - (alen < blen);
}

bool
name_below(const uint8_t *name, size_t len, const uint8_t *zone, size_t zlen)
{
	return len >= zlen && (zlen == 0 || memcmp(name, zone, zlen) == 0);
}

int
name_labels(const uint8_t *stored, size_t len)
{
	int			count = 0;

	for (size_t i = 0; i < len; i++)
		count += stored[i] == LABEL_END;
	return count;
}

size_t
name_parent(const uint8_t *stored, size_t len)
{
	if (len == 0)
		return 0;
	len--;						/* the end of the leftmost label */
	while (len > 0 && stored[len - 1] != LABEL_END)
		len--;
	return len;
}

bool
name_is_wildcard(const uint8_t *stored, size_t len)
{
	return len >= 2 && stored[len - 2] == '*' && (len == 2 || stored[len - 3] == LABEL_END);
}

/*
 * Behind a label, its end sorts first and the octet 0 (ESCAPE, 1) next; so "label and octet 0" is where the subtree
 * ends. The root's ends behind a label of 64 octets 255, which no legal label reaches.
 */
int
name_subtree_end(const uint8_t *stored, size_t len, uint8_t *end)
{
	if (len == 0)
	{
		memset(end, 0xff, NAME_LABEL_MAX + 1);
		end[NAME_LABEL_MAX + 1] = LABEL_END;
		return NAME_LABEL_MAX + 2;
	}
	memcpy(end, stored, len - 1);
	end[len - 1] = ESCAPE;
	end[len] = LABEL_END + 1;
	end[len + 1] = LABEL_END;
	return (int) len + 2;
}
