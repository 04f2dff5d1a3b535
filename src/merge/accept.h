/*
 * accept.h: what may come in from a peer: dnsrepl.accept().
 */
#ifndef DNSREPL_ACCEPT_H
#define DNSREPL_ACCEPT_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "merge/greet.h"
#include "store/version.h"

/* The limits that hold for the node at the other end of this session, in the current context; NIL: there are none. */
extern List *accept_limits(const Guest *guest);

/* hello(): a rule for a node of that name that had not been heard of is this one's from now on. */
extern void accept_know(const pg_uuid_t *node, const char *name);

/* May a unit be changed under these limits? */
extern bool accept_unit(const List *limits, const ZoneRef *zone, const uint8 *key, size_t key_len);

/* May anything of a zone, or of a table without zones? */
extern bool accept_zone(const List *limits, const ZoneRef *zone);

/* Raises 42501, with the unit's name; key NULL: with the zone's. */
extern void accept_refuse(const Guest *guest, const ZoneRef *zone, const uint8 *key, size_t key_len) __attribute__((noreturn));

#endif
