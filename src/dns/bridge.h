/*
 * bridge.h: rdata by way of ldns. Only rdata.c uses it; see bridge.c.
 */
#ifndef DNS_BRIDGE_H
#define DNS_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/field.h"

/* Types that ldns can read and print; for others there is the generic form only. */
extern bool bridge_knows(uint16_t type);

/* Canonical rdata into `wire` (RDATA_MAX octets); origin NULL: names are absolute. Length, or -1 with an error. */
extern int	bridge_from_text(uint16_t type, const char *text, size_t len, const RdataOrigin *origin, uint8_t *wire, RdataError *err);
extern int	bridge_from_wire(uint16_t type, const uint8_t *data, size_t len, uint8_t *wire, RdataError *err);

/* The same of a record that begins at `at` in a message, of which so many octets are there; its names may be compressed. */
extern int	bridge_from_message(uint16_t type, const uint8_t *message, size_t len, size_t at, uint8_t *wire, RdataError *err);

/* The fields as ldns prints them (malloc'd), or NULL. */
extern char *bridge_to_text(uint16_t type, const uint8_t *wire, size_t len);

#endif
