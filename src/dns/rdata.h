/*
 * rdata.h: the data of records: presentation form to wire form and back. See rdata.c.
 *
 * Plain bytes in, plain bytes out: results lie in memory of this module and are valid until its next call. Copy them
 * before anything else is called; nothing has to be freed.
 */
#ifndef DNS_RDATA_H
#define DNS_RDATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/field.h"

/*
 * Canonical wire form (RFC 4034 6.2: uncompressed, names of the old types in lower case) of text. Names in it are
 * absolute with or without the final dot; RFC 3597's \# is taken for every type. Returns the length, or -1.
 */
extern int	rdata_from_text(uint16_t type, const char *text, size_t len, const uint8_t **wire, RdataError *err);

/* The same with names that are relative to an origin, as zone files have them. */
extern int	rdata_from_text_in(uint16_t type, const char *text, size_t len, const RdataOrigin *origin, const uint8_t **wire,
							   RdataError *err);

/* The same from wire form, which nobody has checked. Compressed names are refused. */
extern int	rdata_from_wire(uint16_t type, const uint8_t *data, size_t len, const uint8_t **wire, RdataError *err);

/* Text that rdata_from_text reads as the same octets, ended by a NUL; NULL only if there is no memory. */
extern const char *rdata_to_text(uint16_t type, const uint8_t *wire, size_t len);

#endif
