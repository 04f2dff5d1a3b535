/*
 * message.h: DNS messages (RFC 1035 4.1), read as they come from anybody. See message.c.
 */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/field.h"
#include "dns/name.h"

#define MESSAGE_HEADER	12		/* octets */
#define MESSAGE_MAX		65535	/* RFC 1035 4.2.2 */

/* Bits of MessageHeader.flags, and what else is there. */
#define MESSAGE_QR		0x8000
#define MESSAGE_AA		0x0400
#define MESSAGE_TC		0x0200
#define MESSAGE_OPCODE(flags) ((flags) >> 11 & 15)
#define MESSAGE_RCODE(flags) ((flags) & 15)

#define OPCODE_QUERY	0
#define OPCODE_UPDATE	5		/* RFC 2136 */

#define CLASS_IN		1
#define CLASS_NONE		254		/* RFC 2136 2.4 */
#define CLASS_ANY		255

typedef struct Message
{
	const uint8_t *octets;
	size_t		len;
	uint16_t	id,
				flags,
				counts[4];		/* questions, answers, authority, additional */
	size_t		at;				/* of the next record */
	int			section;		/* of that, 1 to 3 */
	int			left;			/* of that section */
} Message;

typedef struct MessageRecord
{
	int			section;
	size_t		at,				/* where it begins, and the next one */
				end;
	uint8_t		name[NAME_STORED_MAX];
	size_t		name_len;
	uint16_t	type,
				rrclass;
	uint32_t	ttl;
	const uint8_t *rdata;		/* as it stands: names may be compressed */
	size_t		rdata_len;
} MessageRecord;

/* Reads the header and passes over the questions. False: it is no message. The octets are not copied. */
extern bool message_open(Message *m, const uint8_t *octets, size_t len);

/* 1: a record; 0: the end; -1: something that is none. */
extern int	message_next(Message *m, MessageRecord *r);

/* Canonical rdata of a record, valid until the next call of this or of rdata.h. Length, or -1. */
extern int	message_rdata(const Message *m, const MessageRecord *r, const uint8_t **wire, RdataError *err);

/* An uncompressed name at the beginning of some octets, in stored form. Octets read, or 0. */
extern size_t message_name(const uint8_t *octets, size_t len, uint8_t *stored, size_t *stored_len);

/* "NXDOMAIN" and the like; "rcode n" in `other` (16 octets) for one that has no name. RFC 6895 2.3. */
extern const char *rcode_name(int rcode, char *other);

#endif
