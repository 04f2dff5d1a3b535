/*
 * update.h: what a DNS server is to have, and how it is told: RFC 2136 UPDATE messages.
 */
#ifndef DNSREPL_UPDATE_H
#define DNSREPL_UPDATE_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "dns/message.h"

/* An RRset as it is to be; canonical rdata. */
typedef struct UpdateSet
{
	uint16		type;
	uint32		ttl;
	int			n;				/* 0: it is to go */
	const uint8 **rdata;
	uint16	   *len;
} UpdateSet;

/* Some RRsets of one name: told together or not at all. */
typedef struct UpdateItem
{
	const uint8 *name;			/* in stored form */
	size_t		name_len;
	int			n;
	UpdateSet  *sets;
} UpdateItem;

/* Has it records that are to be there? What only goes is told after that. */
extern bool item_adds(const UpdateItem *item);

/* One RRset as octets: an item is the name, a varint of how many, and these. */
extern void set_encode(StringInfo out, const UpdateSet *set);

/* An item as octets, and back: what it points to is in those, and in the current context. False: they are none. */
extern void item_encode(StringInfo out, const UpdateItem *item);
extern bool item_decode(const uint8 *octets, size_t len, UpdateItem *item);

/* What the server has at a zone's apex, where RFC 2136 has exceptions; read before items there are told. */
typedef struct UpdateApex
{
	UpdateSet	ns,
				soa;
} UpdateApex;

/* An UPDATE of a zone, with nothing in it yet. */
extern StringInfo update_begin(const uint8 *zone, size_t zone_len);

/*
 * Adds an item: each RRset is replaced, so it does no harm to tell it twice. False if there is no room for it, and the message is what
 * it was. `apex` for items of the apex.
 */
extern bool update_add(StringInfo message, const uint8 *zone, size_t zone_len, const UpdateItem *item, const UpdateApex *apex,
					   bool our_serial);

/* The octets of an SOA record's rdata before its serial. 0: it is none. */
extern size_t soa_serial_at(const uint8 *rdata, size_t len);

/*
 * The SOA record that the server is told for this one, as it has that one: with our serial if that is wanted and ahead, else with the next.
 * In the current context; NULL: none, it has what it should.
 */
extern uint8 *soa_told(const UpdateSet *ours, const UpdateSet *theirs, bool our_serial);

/* Are two SOA records the same, serials apart? */
extern bool soa_same(const uint8 *a, size_t alen, const uint8 *b, size_t blen);

#endif
