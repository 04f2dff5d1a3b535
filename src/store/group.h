/*
 * group.h: units that are judged together, and what of them is served.
 *
 * The record units of one name, the cryptokeys of one zone, or else one unit by itself. A group's units share a prefix
 * of their keys. resolve() says what each would serve; rules of the zone (rule.h) hide some of that.
 */
#ifndef DNSREPL_GROUP_H
#define DNSREPL_GROUP_H

#include "store/live.h"
#include "store/resolve.h"
#include "store/rule.h"

struct GroupUnit
{
	const uint8 *key;
	size_t		key_len;
	VersionSet	set;			/* all versions, dead ones too */
	Served		resolved;		/* what its versions come to */
	Served		served;			/* and what a rule makes of that */
	Rule		rule;			/* RULE_NONE, or why the two differ */
};

struct UnitGroup
{
	const ZoneRef *zone;
	const uint8 *prefix;
	size_t		prefix_len;
	int			n,
				cap;
	GroupUnit  *units;			/* sorted by key */
};

/* How many octets of a key are its group's prefix. */
extern size_t group_prefix(const uint8 *key, size_t key_len);

/* Reads a group; it, and what it points to, are in the current context. `prefix` is not copied. */
extern UnitGroup *group_read(Store *store, Snapshot snapshot, const ZoneRef *zone, const uint8 *prefix, size_t prefix_len);

/* One of which the store has nothing. */
extern UnitGroup *group_none(const ZoneRef *zone, const uint8 *prefix, size_t prefix_len);

/* The unit of a group, entered without versions if it is not there. The key is not copied. */
extern GroupUnit *group_unit(UnitGroup *group, const uint8 *key, size_t key_len);

/* What is served of each unit: by all versions, or by those seen. The store and snapshot are for names above and below. */
extern void group_judge(UnitGroup *group, const Live *live, bool seen_only, Store *store, Snapshot snapshot);

/* The same units, judged anew later: sets are shared. */
extern UnitGroup *group_copy(const UnitGroup *group);

/* Has it siblings of live incarnations, or something hidden? */
extern bool group_has_conflict(const UnitGroup *group, const Live *live);

/* Does one of its units wait? What the tables show is not in the store then, and what rules make of the others neither. */
extern bool group_waits(const UnitGroup *group);

/* What is served of a unit as a number, the same on all nodes; images of SOA records have serial 0. 0: nothing is. */
extern uint64 served_hash(const uint8 *key, size_t key_len, const Served *served);

/* Calls fn for each group of a zone whose prefix begins with `prefix`, after the group of `after` (may be NULL), until it returns false. */
typedef bool (*GroupCallback) (const uint8 *prefix, size_t prefix_len, void *arg);
extern void group_walk(Store *store, Snapshot snapshot, int32 zone, const uint8 *prefix, size_t prefix_len,
					   const uint8 *after, size_t after_len, GroupCallback fn, void *arg);

#endif
