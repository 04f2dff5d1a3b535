/*
 * message.c: DNS messages, read as they come from anybody.
 *
 * Pure: nothing is allocated, nothing read past the end. A pointer of a compressed name must lead backwards (RFC 1035 4.1.4), so
 * every name ends. Rdata of the types whose names may be compressed (RFC 3597 4) goes through ldns; all other as it is.
 */
#include "dns/message.h"

#include <stdio.h>
#include <string.h>

#include "dns/bridge.h"
#include "dns/rdata.h"
#include "dns/rrtype.h"

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t) (p[0] << 8 | p[1]);
}

/* The name at `at`, in wire form (NAME_WIRE_MAX octets). Where it ends in the message, or 0. */
static size_t
wire_name(const uint8_t *m, size_t len, size_t at, uint8_t *wire, size_t *wire_len)
{
	size_t		end = 0;		/* known once a pointer was followed */
	size_t		limit = at;		/* pointers lead to before it */
	size_t		used = 0;

	for (;;)
	{
		size_t		n;

		if (at >= len)
			return 0;
		n = m[at];
		if (n >= 192)
		{
			size_t		to;

			if (at + 2 > len)
				return 0;
			to = get16(m + at) & 0x3fff;
			if (to >= limit)
				return 0;
			end = end ? end : at + 2;
			at = limit = to;
			continue;
		}
		if (n > NAME_LABEL_MAX || at + 1 + n > len || used + 1 + n > NAME_WIRE_MAX)
			return 0;
		memcpy(wire + used, m + at, 1 + n);
		used += 1 + n;
		at += 1 + n;
		if (n == 0)
			break;
	}
	*wire_len = used;
	return end ? end : at;
}

static size_t
stored_name(const uint8_t *m, size_t len, size_t at, uint8_t *stored, size_t *stored_len)
{
	uint8_t		wire[NAME_WIRE_MAX];
	size_t		wire_len;
	size_t		end = wire_name(m, len, at, wire, &wire_len);
	int			n = end ? name_from_wire(wire, wire_len, stored, NULL) : -1;

	*stored_len = n < 0 ? 0 : (size_t) n;
	return n < 0 ? 0 : end;
}

size_t
message_name(const uint8_t *octets, size_t len, uint8_t *stored, size_t *stored_len)
{
	return stored_name(octets, len, 0, stored, stored_len);
}

bool
message_open(Message *m, const uint8_t *octets, size_t len)
{
	memset(m, 0, sizeof(*m));
	if (len < MESSAGE_HEADER || len > MESSAGE_MAX)
		return false;
	m->octets = octets;
	m->len = len;
	m->id = get16(octets);
	m->flags = get16(octets + 2);
	for (int i = 0; i < 4; i++)
		m->counts[i] = get16(octets + 4 + 2 * i);
	m->at = MESSAGE_HEADER;
	for (int i = 0; i < m->counts[0]; i++)
	{
		uint8_t		wire[NAME_WIRE_MAX];
		size_t		wire_len;
		size_t		end = wire_name(octets, len, m->at, wire, &wire_len);

		if (end == 0 || end + 4 > len)
			return false;
		m->at = end + 4;
	}
	m->section = 1;
	m->left = m->counts[1];
	return true;
}

int
message_next(Message *m, MessageRecord *r)
{
	size_t		at;

	while (m->left == 0 && m->section < 3)
		m->left = m->counts[++m->section];
	if (m->left == 0)
		return 0;
	r->section = m->section;
	r->at = m->at;
	at = stored_name(m->octets, m->len, m->at, r->name, &r->name_len);
	if (at == 0 || at + 10 > m->len)
		return -1;
	r->type = get16(m->octets + at);
	r->rrclass = get16(m->octets + at + 2);
	r->ttl = (uint32_t) get16(m->octets + at + 4) << 16 | get16(m->octets + at + 6);
	r->rdata_len = get16(m->octets + at + 8);
	r->rdata = m->octets + at + 10;
	r->end = at + 10 + r->rdata_len;
	if (r->end > m->len)
		return -1;
	m->at = r->end;
	m->left--;
	return 1;
}

/* Types with names that a sender may compress. */
static bool
may_be_compressed(uint16_t type)
{
	switch (type)
	{
		case RRTYPE_NS:
		case RRTYPE_CNAME:
		case RRTYPE_SOA:
		case RRTYPE_PTR:
		case RRTYPE_MX:
		case RRTYPE_SIG:
		case RRTYPE_SRV:
		case RRTYPE_NAPTR:
		case RRTYPE_A6:
		case RRTYPE_DNAME:
			return true;
		default:
			/* MD MF MB MG MR; MINFO; RP; AFSDB; RT; PX; NXT; KX */
			return (type >= 3 && type <= 9 && type != 5 && type != 6) || type == 14 || type == 17 || type == 18 || type == 21 ||
				type == 26 || type == 30 || type == 36;
	}
}

int
message_rdata(const Message *m, const MessageRecord *r, const uint8_t **wire, RdataError *err)
{
	static uint8_t plain[RDATA_MAX];
	int			len;

	if (!may_be_compressed(r->type))
		return rdata_from_wire(r->type, r->rdata, r->rdata_len, wire, err);
	len = bridge_from_message(r->type, m->octets, r->end, r->at, plain, err);
	return len < 0 ? -1 : rdata_from_wire(r->type, plain, (size_t) len, wire, err);
}

const char *
rcode_name(int rcode, char *other)
{
	static const char *const names[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET",
		"NXRRSET", "NOTAUTH", "NOTZONE"};
	static const char *const tsig[] = {"BADSIG", "BADKEY", "BADTIME"};

	if (rcode >= 0 && rcode < (int) (sizeof(names) / sizeof(names[0])))
		return names[rcode];
	if (rcode >= 16 && rcode <= 18)
		return tsig[rcode - 16];
	snprintf(other, 16, "rcode %d", rcode & 0xffff);
	return other;
}
