/*
 * loc.h: LOC records (RFC 1876), text to wire form: ldns takes minutes of 60 and metres of anything. Pure.
 */
#ifndef DNS_LOC_H
#define DNS_LOC_H

#include "dns/field.h"

/* Reads all fields that are left and writes the 16 octets; false, with an error, if they are no place. */
extern bool field_loc(Fields *fields);

#endif
