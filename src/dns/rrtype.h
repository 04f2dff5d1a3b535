/*
 * rrtype.h: record types: numbers, mnemonics, and which of them no zone holds. Pure.
 */
#ifndef DNS_RRTYPE_H
#define DNS_RRTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RRTYPE_TEXT_MAX 16		/* with the final NUL */

/* Types that this project treats one by one. */
#define RRTYPE_A		1
#define RRTYPE_NS		2
#define RRTYPE_CNAME	5
#define RRTYPE_SOA		6
#define RRTYPE_WKS		11
#define RRTYPE_PTR		12
#define RRTYPE_HINFO	13
#define RRTYPE_MX		15
#define RRTYPE_TXT		16
#define RRTYPE_SIG		24
#define RRTYPE_KEY		25
#define RRTYPE_AAAA		28
#define RRTYPE_LOC		29
#define RRTYPE_SRV		33
#define RRTYPE_NAPTR	35
#define RRTYPE_CERT		37
#define RRTYPE_A6		38
#define RRTYPE_DNAME	39
#define RRTYPE_OPT		41
#define RRTYPE_APL		42
#define RRTYPE_DS		43
#define RRTYPE_SSHFP	44
#define RRTYPE_IPSECKEY 45
#define RRTYPE_RRSIG	46
#define RRTYPE_NSEC		47
#define RRTYPE_DNSKEY	48
#define RRTYPE_NSEC3	50
#define RRTYPE_NSEC3PARAM 51
#define RRTYPE_RKEY		57
#define RRTYPE_CDS		59
#define RRTYPE_CDNSKEY	60
#define RRTYPE_CSYNC	62
#define RRTYPE_ZONEMD	63
#define RRTYPE_SVCB		64
#define RRTYPE_HTTPS	65
#define RRTYPE_SPF		99
#define RRTYPE_ANY		255
#define RRTYPE_URI		256
#define RRTYPE_CAA		257
#define RRTYPE_DLV		32769
#define RRTYPE_ADDR		65400	/* PowerDNS: A and AAAA at once, in queries */
#define RRTYPE_ALIAS	65401	/* PowerDNS */
#define RRTYPE_LUA		65402	/* PowerDNS */

/* Any mnemonic of IANA's list or of PowerDNS, or TYPEn; any case. False if it is neither. */
extern bool rrtype_from_text(const char *text, size_t len, uint16_t *type);

/*
 * The mnemonic if PowerDNS 4.7 knows it, else TYPEn. PowerDNS takes any other mnemonic for type 0 and stumbles over the
 * row. Returns the length; the text ends with a NUL.
 */
extern int	rrtype_to_text(uint16_t type, char *text);

/* A type for queries and messages only (RFC 6895 3.1), or reserved: never stored. */
extern bool rrtype_is_meta(uint16_t type);

#endif
