/*
 * rule.h: what must hold in a zone also where two legal edits add up to something illegal (DESIGN 6): the loser is hidden,
 * kept in the store, and shown as a conflict. Deterministic: by versions alone.
 */
#ifndef DNSREPL_RULE_H
#define DNSREPL_RULE_H

#include "store/live.h"

typedef struct UnitGroup UnitGroup;
typedef struct GroupUnit GroupUnit;

typedef enum Rule
{
	RULE_NONE,
	RULE_IN_ZONE,				/* a name outside the zone: RFC 1035 5 */
	RULE_SOA_AT_APEX,			/* one SOA, at the apex: RFC 1035 5.2 */
	RULE_CNAME_ALONE,			/* no other data beside a CNAME: RFC 1034 3.6.2, RFC 2181 10.1 */
	RULE_DNAME_ALONE,			/* nothing below a DNAME: RFC 6672 2.4 */
	RULE_KEY_SIGNING_KEY,		/* the last active key-signing key stays */
	RULE_ZONE_DELETED			/* of an incarnation that is gone */
} Rule;

/* As conflicts and errors name it. */
extern const char *rule_name(Rule rule);

/* A sentence that says what the rule asks, with its source. */
extern const char *rule_sentence(Rule rule);

/* Sets what is served of each unit of a group that has been resolved. */
extern void rules_apply(UnitGroup *group, const Live *live, bool seen_only, Store *store, Snapshot snapshot);

/* How many records are served of a unit: those that are not disabled. */
extern int unit_enabled(const GroupUnit *unit);

/* Has a unit a record that is not disabled? */
extern bool unit_present(const GroupUnit *unit);

/* The DNAME of a name, if it is served; else NULL. */
extern GroupUnit *group_dname(UnitGroup *group);

/* The prefix of the parent's group for that of a name in the group's zone; 0 for the apex. In `out`, MAX_KEY_SIZE octets. */
extern size_t group_ancestor(const UnitGroup *group, size_t prefix_len, uint8 *out);

/* Has the group a DNAME, or may a DNAME above it hide it? Then more than the group depends on it: calls fn for each name. */
typedef void (*NameCallback) (const uint8 *name, size_t name_len, void *arg);
extern void dnames_above(const UnitGroup *group, Store *store, Snapshot snapshot, NameCallback fn, void *arg);

#endif
