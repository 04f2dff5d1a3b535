/*
 * field.h: reading the data of a record field by field, text to wire form.
 *
 * For the types that databases are full of. Everything else goes through ldns (rdata.c). Pure.
 */
#ifndef DNS_FIELD_H
#define DNS_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RDATA_MAX		 65535	/* RFC 1035 3.2.1: 16 bits of length */
#define RDATA_REASON_MAX 240

/* What is wrong with the data of a record: a sentence, and the field it is about, from 1; 0 if none can be told. */
typedef struct RdataError
{
	int			field;
	char		reason[RDATA_REASON_MAX];
} RdataError;

extern void rdata_error(RdataError *err, int field, const char *format,...)
			__attribute__((format(printf, 3, 4)));

/* Characters that text holds only inside quotes. */
static inline bool
octet_control(char c)
{
	return ((unsigned char) c < ' ' && c != '\t') || c == 0x7f;
}

/*
 * Takes the next word from *at: up to white space, a string in quotes as one. False at the end. For looking at a text
 * before something else reads it.
 */
extern bool word_take(const char **at, const char *end, const char **word, size_t *len);

/* What names without a final dot are below, in stored form. */
typedef struct RdataOrigin
{
	const uint8_t *name;
	size_t		len;
} RdataOrigin;

/* Text being read and wire form being written. `out` has room for RDATA_MAX octets. */
typedef struct Fields
{
	const char *at;
	const char *end;
	int			number;			/* the field read last, from 1 */
	uint8_t    *out;
	size_t		used;
	RdataError *err;			/* filled where a function returns false */
	const RdataOrigin *origin;	/* NULL: names are absolute, with or without a final dot */
} Fields;

extern void fields_init(Fields *fields, const char *text, size_t len, uint8_t *out, RdataError *err);

/* Is there nothing but white space left? */
extern bool fields_at_end(Fields *fields);

/* Each reads the next field and writes its wire form. `what` is how a message begins that is about it. */
extern bool field_ipv4(Fields *fields);
extern bool field_ipv6(Fields *fields);
extern bool field_name(Fields *fields, const char *what);
extern bool field_number(Fields *fields, const char *what, int octets);
extern bool field_type(Fields *fields);
extern bool field_tag(Fields *fields);					/* letters and digits, behind their number */
extern bool field_hex(Fields *fields, size_t octets);	/* all that is left: exactly so many octets */
extern bool field_base64(Fields *fields);				/* all that is left */
extern bool field_strings(Fields *fields);				/* all that is left: one or more character strings */
extern bool field_text(Fields *fields);				/* all that is left: one string, no lengths in it */

/* The next character, or NUL at the end: for types in which one field decides what the next one is. */
extern char fields_peek(Fields *fields);

/* False, with an error, if anything is left. */
extern bool fields_finish(Fields *fields);

#endif
