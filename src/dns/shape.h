/*
 * shape.h: what rdata of a type has to be beyond its fields, which ldns does not look at. Pure.
 */
#ifndef DNS_SHAPE_H
#define DNS_SHAPE_H

#include "dns/field.h"

/* Wire form whose fields are those of the type; false, with an error, if they do not go together. */
extern bool shape_check(uint16_t type, const uint8_t *wire, size_t len, RdataError *err);

#endif
