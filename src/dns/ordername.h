/*
 * ordername.h: the names by which PowerDNS puts a signed zone in order.
 *
 * Pure, as name.h is. Names are in stored form.
 */
#ifndef DNS_ORDERNAME_H
#define DNS_ORDERNAME_H

#include <stddef.h>
#include <stdint.h>

#define ORDERNAME_MAX	NAME_TEXT_MAX	/* with the final NUL */
#define NSEC3_SALT_MAX	255

/*
 * For NSEC (RFC 4034 section 6.1): the labels of a name below its zone, the one nearest the zone first, a space between two;
 * the apex has none. Length written.
 */
extern int	ordername_nsec(const uint8_t *name, size_t len, size_t zone_len, char *text);

/*
 * For NSEC3 (RFC 5155 section 5, SHA-1): the hash of the whole name, in lower-case base32hex. `iterations` beyond the first.
 * Length written.
 */
extern int	ordername_nsec3(const uint8_t *name, size_t len, int iterations, const uint8_t *salt, size_t salt_len, char *text);

#endif
