/*
 * shape.h: what rdata of a type has to be beyond its fields, which ldns does not look at. Pure.
 */
#ifndef DNS_SHAPE_H
#define DNS_SHAPE_H

#include "dns/field.h"

/* Wire form whose fields are those of the type; false, with an error, if they do not go together. */
extern bool shape_check(uint16_t type, const uint8_t *wire, size_t len, RdataError *err);

/* Where the parameters of SVCB or HTTPS data begin (RFC 9460 2.2); 0: the name before them cannot be read. */
extern size_t svcb_parameters(const uint8_t *wire, size_t len);

#endif
