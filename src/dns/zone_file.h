/*
 * zone_file.h: reading zone files (RFC 1035 section 5, with $TTL of RFC 2308 section 4), record by record.
 */
#ifndef DNS_ZONE_FILE_H
#define DNS_ZONE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/field.h"
#include "dns/name.h"

typedef struct ZoneFile
{
	const char *at;
	const char *end;
	int			line;			/* of `at`, from 1 */
	uint8_t		origin[NAME_STORED_MAX];
	int			origin_len;
	uint8_t		owner[NAME_STORED_MAX]; /* of the last record */
	int			owner_len;		/* -1: there was none */
	int64_t		ttl;			/* by $TTL; -1: none */
	int64_t		last_ttl;		/* of the last record that had one; -1: none did */
} ZoneFile;

typedef struct ZoneFileRecord
{
	int			line;			/* where it begins; of an error too */
	const uint8_t *owner;		/* in stored form */
	int			owner_len;
	uint32_t	ttl;
	uint16_t	type;
	const uint8_t *rdata;		/* canonical, valid until the next call of zone_file_next() or of rdata.h */
	int			rdata_len;
	char		reason[RDATA_REASON_MAX];	/* why there is none: a sentence */
} ZoneFileRecord;

/* `origin` in stored form; the text is not copied. */
extern void zone_file_init(ZoneFile *file, const char *text, size_t len, const uint8_t *origin, size_t origin_len);

/* 1: a record; 0: the end; -1: something that is none, with its line and reason. The next call goes on behind it. */
extern int	zone_file_next(ZoneFile *file, ZoneFileRecord *record);

#endif
