/*
 * zone_rule.h: what a zone should be, name by name. Rules report, they never raise.
 *
 * The rules that hide a loser when edits meet are in store/rule.h; these are the others. All of them look at one name, at
 * what it names, and at what is above it.
 */
#ifndef DNSREPL_ZONE_RULE_H
#define DNSREPL_ZONE_RULE_H

#include "store/group.h"

typedef enum ZoneRule
{
	/* errors: a commit is refused for these */
	ZONE_DUPLICATE, ZONE_DS_AT_APEX, ZONE_APEX_ONLY,
	/* warnings, at a commit too */
	ZONE_GLUE, ZONE_TARGET_ALIAS, ZONE_TARGET_ADDRESS, ZONE_ADDRESS_LITERAL, ZONE_OCCLUDED, ZONE_DS_WITHOUT_NS, ZONE_DNAME_BESIDE_NS,
	ZONE_CNAME_TARGET, ZONE_WILDCARD,
	ZONE_SVCB_ALIAS,
	/* of a zone as a whole, or that only a look at all of it finds */
	ZONE_NO_SOA, ZONE_NO_NS, ZONE_ONE_NS, ZONE_NO_DELEGATION, ZONE_HIDDEN, ZONE_BAD_RECORD, ZONE_RRSET_TTL, ZONE_SIGNER_RECORD,
	ZONE_HOST_NAME, ZONE_SPF, ZONE_NSEC3_PARAM,
	ZONE_RULES
} ZoneRule;

typedef struct ZoneFinding
{
	ZoneRule	rule;
	const uint8 *name;			/* stored form */
	size_t		name_len;
	int			type;			/* -1: none in particular */
	const char *message;
} ZoneFinding;

typedef struct ZoneLook
{
	Store	   *store;
	Snapshot	snapshot;
	const ZoneRef *zone;
	const Live *live;
	void		(*report) (const ZoneFinding *f, void *arg);
	void	   *arg;
} ZoneLook;

extern const char *zone_rule_name(ZoneRule rule);
extern const char *zone_rule_sentence(ZoneRule rule);
extern const char *zone_rule_rfc(ZoneRule rule);
extern bool zone_rule_is_error(ZoneRule rule);

/* The rules of a group of records, judged, that need no look at other names. */
extern void zone_rules_alone(const ZoneLook *look, const UnitGroup *g);

/* Those that look at what it names, and at what is above it: under the snapshot. */
extern void zone_rules_around(const ZoneLook *look, const UnitGroup *g);

/* Does the second kind have anything to look for? Without reading anything. */
extern bool zone_rules_look_around(const ZoneRef *zone, const UnitGroup *g);

/* Those that only dnsrepl.check_zone() tells of. `presigned`: the zone comes with its signatures. */
extern void zone_rules_more(const ZoneLook *look, const UnitGroup *g, bool presigned);

/* A group that is served at a name, in the current context. */
extern UnitGroup *zone_group(const ZoneLook *look, const uint8 *name, size_t name_len);

/* The enabled records of one type in a group; NULL: none. */
extern const GroupUnit *group_type(const UnitGroup *g, uint16 type);

extern void zone_report(const ZoneLook *look, ZoneRule rule, const uint8 *name, size_t name_len, int type, const char *message);

#endif
