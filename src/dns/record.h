/*
 * record.h: is a row of PowerDNS's table records a record? See record.c.
 */
#ifndef DNS_RECORD_H
#define DNS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/field.h"

typedef enum RecordPart
{
	RECORD_NAME,
	RECORD_TYPE,
	RECORD_TTL,
	RECORD_PRIO,
	RECORD_CONTENT
} RecordPart;

/* What is wrong: the column; the field of content, from 1, or 0; a sentence with the RFC. */
typedef struct RecordError
{
	RecordPart	part;
	int			field;
	char		reason[RDATA_REASON_MAX];
} RecordError;

/* The name of the column. */
extern const char *record_part_name(RecordPart part);

/*
 * Type, prio and content of one row, type not null. Never raises and allocates nothing that lasts. True if they are a
 * record; else `err` says why not.
 */
extern bool record_check(uint16_t type, bool prio_null, int32_t prio, const char *content, size_t len,
						 RecordError *err);

/* The record's canonical rdata (rdata.h says how long it is valid). Length, or -1 with `err` filled. */
extern int	record_rdata(uint16_t type, bool prio_null, int32_t prio, const char *content, size_t len,
						 const uint8_t **wire, RecordError *err);

/*
 * The row of PowerDNS that is this rdata (canonical, of a type that it holds): content, which lasts until the next call of
 * record.h, and prio (0 where the type has none). Length, or -1 with `err` filled: there is none that PowerDNS would read.
 */
extern int	record_content(uint16_t type, const uint8_t *wire, size_t len, int32_t *prio, const char **content, RecordError *err);

#endif
