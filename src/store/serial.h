/*
 * serial.h: zone serials of 64 bits (DESIGN 6). Published are the low 32, which are compared as RFC 1982 says; that is
 * not transitive, the plain order of 64 bits is. 0 stands for: none yet.
 */
#ifndef DNSREPL_SERIAL_H
#define DNSREPL_SERIAL_H

#include "store/pure.h"

#define SERIAL_FALL_BACK 1000		/* how far a zone jumps ahead of what this node may have served and forgotten */

/* The third field of an SOA record's content as PowerDNS stores it; false if there is none. */
extern bool soa_serial(const uint8_t *content, size_t len, uint32_t *serial);

/* The same content with another serial, everything else untouched; returns its length, at most len + 10. */
extern size_t soa_with_serial(uint8_t *out, const uint8_t *content, size_t len, uint32_t serial);

/* Is a ahead of b (RFC 1982 3.2)? */
extern bool serial_ahead(uint32_t a, uint32_t b);

/*
 * After a local commit: `edited` is what the SOA record says. Somebody's own value that is ahead is kept, in the form he gave
 * it; else the serial is raised if the zone has changed.
 */
extern uint64_t serial_edit(uint64_t now, uint32_t edited, bool changed);

typedef struct SerialMerge
{
	uint64_t	mine,
				heard,				/* of peers whose versions were not served until now */
				theirs;
	uint64_t	before,				/* sums over what was served, is served, and what the peer serves */
				after,
				peer;
	bool		fresh;				/* versions came, of the serial's own unit apart */
	bool		fell_back;			/* writes of this node's own earlier lives came back */
} SerialMerge;

/* After a merge. *carry: it is larger than all that was known, so a version has to carry it. */
extern uint64_t serial_merge(const SerialMerge *m, bool *carry);

#endif
