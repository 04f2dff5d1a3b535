/*
 * zone_rule.c: see zone_rule.h.
 *
 * Names in content are read as PowerDNS stores them: absolute, without the final dot. Whatever cannot be read is left to
 * ZONE_BAD_RECORD. Disabled records are not served, and are nobody's business.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"

#include "dns/name.h"
#include "dns/record.h"
#include "dns/rrtype.h"
#include "dns/shape.h"
#include "store/relation.h"
#include "zone/zone_rule.h"

static const struct
{
	bool		error;
	const char *name;
	const char *sentence;
	const char *rfc;
}			rules[ZONE_RULES] = {
	[ZONE_DUPLICATE] = {true, "duplicate-record", "The records of an RRset differ from one another.", "RFC 2181 section 5"},
	[ZONE_DS_AT_APEX] = {true, "ds-at-apex", "DS records belong to the zone above.", "RFC 4035 section 2.4"},
	[ZONE_APEX_ONLY] = {true, "apex-only", "Records of this type are of the whole zone, and stand at its apex.", "RFC 4034 section 2, RFC 5155 section 4, RFC 7344 section 4.1, RFC 8976 section 2"},
	[ZONE_GLUE] = {false, "glue", "A name server at or below the name that it serves needs an address in this zone.", "RFC 1034 section 4.2.1"},
	[ZONE_TARGET_ALIAS] = {false, "target-alias", "NS, MX and SRV records do not name aliases.", "RFC 2181 section 10.3, RFC 2782"},
	[ZONE_TARGET_ADDRESS] = {false, "target-address", "What NS, MX and SRV records name has an address.", "RFC 1912 sections 2.4 and 2.5"},
	[ZONE_ADDRESS_LITERAL] = {false, "address-literal", "NS, MX and SRV records name a host, not its address.", "RFC 1035 sections 3.3.9 and 3.3.11"},
	[ZONE_OCCLUDED] = {false, "occluded", "Below a delegation or a DNAME record nothing is served but glue.", "RFC 1034 section 4.2.1, RFC 6672 section 2.4"},
	[ZONE_DS_WITHOUT_NS] = {false, "ds-without-ns", "DS records stand at a delegation.", "RFC 4035 section 2.4"},
	[ZONE_DNAME_BESIDE_NS] = {false, "dname-beside-ns", "Beside a DNAME record there are NS records only at the apex.", "RFC 6672 section 2.3"},
	[ZONE_CNAME_TARGET] = {false, "cname-target", "An alias leads to a name that is there.", "RFC 1034 section 3.6.2"},
	[ZONE_WILDCARD] = {false, "wildcard", "A wildcard is the leftmost label, and no delegation, DS or DNAME stands at it.", "RFC 4592 sections 2.1.1 and 4"},
	[ZONE_SVCB_ALIAS] = {false, "svcb-alias", "An SVCB or HTTPS record in alias form (of priority 0) has no parameters, and no other beside it.", "RFC 9460 sections 2.4.1 and 2.4.2"},
	[ZONE_NO_SOA] = {true, "no-soa", "A zone has one SOA record, at its apex.", "RFC 1035 section 5.2"},
	[ZONE_NO_NS] = {true, "no-apex-ns", "A zone has NS records at its apex.", "RFC 1034 section 4.2.1"},
	[ZONE_ONE_NS] = {false, "one-ns", "A zone has two name servers or more.", "RFC 2182 section 5"},
	[ZONE_NO_DELEGATION] = {false, "no-delegation", "A zone above it in the same database delegates it.", "RFC 1034 section 4.2.1"},
	[ZONE_HIDDEN] = {true, "hidden", "Two edits that do not go together: see dnsrepl.conflict.", "RFC 1034, RFC 6672"},
	[ZONE_BAD_RECORD] = {true, "bad-record", "Content is of the record's type.", "RFC 1035 section 3.3"},
	[ZONE_RRSET_TTL] = {true, "rrset-ttl", "The records of an RRset have one TTL.", "RFC 2181 section 5.2"},
	[ZONE_SIGNER_RECORD] = {true, "signer-record", "RRSIG, NSEC and NSEC3 are made by whoever signs: they are stored only in a zone that is PRESIGNED.", "RFC 4035 section 2"},
	[ZONE_HOST_NAME] = {false, "host-name", "The name of a host has letters, digits and hyphens.", "RFC 1123 section 2.1"},
	[ZONE_SPF] = {false, "spf", "Policies of senders are in TXT records; type SPF is no longer used.", "RFC 7208 section 3.1"},
	[ZONE_NSEC3_PARAM] = {false, "nsec3-param", "Metadata NSEC3PARAM are algorithm, flags, iterations, of which there are few, and salt.", "RFC 5155 section 4.3, RFC 9276 section 3.1"},
};

const char *
zone_rule_name(ZoneRule rule)
{
	return rules[rule].name;
}

const char *
zone_rule_sentence(ZoneRule rule)
{
	return rules[rule].sentence;
}

const char *
zone_rule_rfc(ZoneRule rule)
{
	return rules[rule].rfc;
}

bool
zone_rule_is_error(ZoneRule rule)
{
	return rules[rule].error;
}

void
zone_report(const ZoneLook *look, ZoneRule rule, const uint8 *name, size_t name_len, int type, const char *message)
{
	ZoneFinding f = {.rule = rule, .name = name, .name_len = name_len, .type = type, .message = message};

	look->report(&f, look->arg);
}

/* ---------- records ---------- */

typedef struct Record
{
	const char *content;
	size_t		len;
	bool		prio_null;
	int32		prio,
				ttl;
} Record;

/* False: it is disabled, or has no content. */
static bool
record_read(TableDesc *t, const Row *row, Record *r)
{
	const uint8 *data;
	size_t		len;

	if (row_column(row, table_column(t, "disabled"), &data, &len) && len == 1 && data[0] != 0)
		return false;
	if (!row_column(row, table_column(t, "content"), &data, &r->len))
		return false;
	r->content = (const char *) data;
	r->prio = r->ttl = 0;
	r->prio_null = !row_int(t, row, "prio", &r->prio);
	(void) row_int(t, row, "ttl", &r->ttl);
	return true;
}

const GroupUnit *
group_type(const UnitGroup *g, uint16 type)
{
	for (int i = 0; i < g->n; i++)
		if (record_type(g->units[i].key, g->units[i].key_len) == type && unit_present(&g->units[i]))
			return &g->units[i];
	return NULL;
}

static const uint8 *
group_name(const UnitGroup *g, size_t *len)
{
	*len = g->prefix_len - 3;
	return g->prefix + 2;
}

static const char *
type_text(uint16 type)
{
	char	   *text = palloc(RRTYPE_TEXT_MAX);

	(void) rrtype_to_text(type, text);
	return text;
}

/* A finding about one unit of a group. */
static void
tell(const ZoneLook *look, ZoneRule rule, const UnitGroup *g, const GroupUnit *u, const char *message)
{
	size_t		len;
	const uint8 *name = group_name(g, &len);

	zone_report(look, rule, name, len, u ? record_type(u->key, u->key_len) : -1, message);
}

UnitGroup *
zone_group(const ZoneLook *look, const uint8 *name, size_t name_len)
{
	StringInfoData key;
	UnitGroup  *g;

	initStringInfo(&key);
	record_key(&key, name, name_len, 0);
	g = group_read(look->store, look->snapshot, look->zone, (uint8 *) key.data, group_prefix((uint8 *) key.data, (size_t) key.len));
	group_judge(g, look->live, true, look->store, look->snapshot);
	return g;
}

static bool
in_zone(const ZoneRef *zone, const uint8 *name, size_t len)
{
	return name_below(name, len, zone->name, zone->name_len);
}

/* ---------- alone ---------- */

typedef struct Rdata
{
	const uint8 *wire;
	int			len;
	int			row;
} Rdata;

static int
rdata_order(const void *a, const void *b)
{
	const Rdata *x = a,
			   *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->wire, y->wire, (size_t) x->len);
}

/* The data of one record of a unit, until the next is asked for; less than 0: it is disabled, or is none. */
static int
rdata_read(const GroupUnit *u, TableDesc *t, int row, const uint8 **wire)
{
	Record		r;
	RecordError err;

	if (!record_read(t, &u->served.rows.rows[row], &r))
		return -1;
	return record_rdata(record_type(u->key, u->key_len), r.prio_null, r.prio, r.content, r.len, wire, &err);
}

/* As an error shows it. */
static const char *
content_shown(const Record *r)
{
	return pnstrdup(r->content, (Size) pg_mbcliplen(r->content, (int) r->len, 80));
}

static void
unit_duplicates(const ZoneLook *look, const UnitGroup *g, const GroupUnit *u, TableDesc *t)
{
	int			n = 0;
	Rdata	   *all;

	if (u->served.rows.n < 2)
		return;
	all = palloc(sizeof(Rdata) * (size_t) u->served.rows.n);
	for (int i = 0; i < u->served.rows.n; i++)
	{
		const uint8 *wire;
		int			len = rdata_read(u, t, i, &wire);
		uint8	   *copy;

		if (len < 0)
			continue;
		copy = palloc((size_t) len + 1);
		memcpy(copy, wire, (size_t) len);
		all[n++] = (Rdata) {copy, len, i};
	}
	qsort(all, (size_t) n, sizeof(Rdata), rdata_order);
	for (int i = 1; i < n; i++)
		if (rdata_order(&all[i - 1], &all[i]) == 0)
		{
			Record		a,
						b;

			(void) record_read(t, &u->served.rows.rows[all[i - 1].row], &a);
			(void) record_read(t, &u->served.rows.rows[all[i].row], &b);
			tell(look, ZONE_DUPLICATE, g, u, psprintf("two records are the same: %s and %s", content_shown(&a), content_shown(&b)));
			return;
		}
}

static void
unit_svcb(const ZoneLook *look, const UnitGroup *g, const GroupUnit *u, TableDesc *t)
{
	bool		alias = false;
	int			n = 0;

	for (int i = 0; i < u->served.rows.n; i++)
	{
		const uint8 *wire;
		int			len = rdata_read(u, t, i, &wire);

		if (len < 3)
			continue;
		n++;
		if (wire[0] || wire[1])
			continue;
		alias = true;
		if (svcb_parameters(wire, (size_t) len) < (size_t) len)
			tell(look, ZONE_SVCB_ALIAS, g, u, "an alias with parameters, which nobody heeds");
	}
	if (alias && n > 1)
		tell(look, ZONE_SVCB_ALIAS, g, u, "an alias beside other records of the type");
}

static bool
of_the_apex(uint16 type)
{
	return type == RRTYPE_DNSKEY || type == RRTYPE_NSEC3PARAM || type == RRTYPE_CDS || type == RRTYPE_CDNSKEY ||
		type == RRTYPE_ZONEMD || type == RRTYPE_CSYNC;
}

void
zone_rules_alone(const ZoneLook *look, const UnitGroup *g)
{
	TableDesc  *t = key_table(g->prefix, g->prefix_len);
	size_t		len;
	bool		apex = (group_name(g, &len), len == g->zone->name_len);

	for (int i = 0; i < g->n && t; i++)
	{
		const GroupUnit *u = &g->units[i];
		uint16		type = record_type(u->key, u->key_len);

		if (!unit_present(u) || u->served.ncolumns != t->ncolumns)
			continue;
		unit_duplicates(look, g, u, t);
		if (type == RRTYPE_SVCB || type == RRTYPE_HTTPS)
			unit_svcb(look, g, u, t);
		if (apex && type == RRTYPE_DS)
			tell(look, ZONE_DS_AT_APEX, g, u, "DS records at the apex of a zone");
		if (!apex && of_the_apex(type))
			tell(look, ZONE_APEX_ONLY, g, u, psprintf("%s records below the apex of a zone", type_text(type)));
	}
}

/* ---------- around ---------- */

static bool
names_host(uint16 type)
{
	return type == RRTYPE_NS || type == RRTYPE_MX || type == RRTYPE_SRV;
}

/* The name at the end of content, NULL if none can be read; *text: as it is written. */
static const uint8 *
target_read(const Record *r, size_t *len, const char **text)
{
	size_t		end = r->len,
				start;
	uint8	   *stored = palloc(NAME_STORED_MAX);
	int			n;

	while (end > 0 && (r->content[end - 1] == ' ' || r->content[end - 1] == '\t'))
		end--;
	for (start = end; start > 0 && r->content[start - 1] != ' ' && r->content[start - 1] != '\t';)
		start--;
	*text = pnstrdup(r->content + start, end - start);
	n = name_from_text(r->content + start, end - start, stored, NULL);
	*len = (size_t) Max(n, 0);
	return n < 0 ? NULL : stored;
}

static bool
is_ipv4(const char *text)
{
	unsigned int a,
				b,
				c,
				d;
	char		rest;

	return sscanf(text, "%3u.%3u.%3u.%3u%c", &a, &b, &c, &d, &rest) == 4;
}

/* Is the name at or below a delegation of this zone? The one that is nearest to the apex is. */
static bool
delegated(const ZoneLook *look, const uint8 *name, size_t len, bool at_too)
{
	size_t		at = at_too ? len : name_parent(name, len);

	for (; at > look->zone->name_len; at = name_parent(name, at))
		if (group_type(zone_group(look, name, at), RRTYPE_NS))
			return true;
	return false;
}

static bool
any_present(const UnitGroup *g)
{
	for (int i = 0; i < g->n; i++)
		if (unit_present(&g->units[i]))
			return true;
	return false;
}

static bool
stop_at_first(const uint8 *prefix, size_t prefix_len, void *arg)
{
	const ZoneLook *look = ((void **) arg)[0];
	bool	   *found = ((void **) arg)[1];

	*found = any_present(zone_group(look, prefix + 2, prefix_len - 3));
	return !*found;
}

/* Is there anything at or below the name? */
static bool
name_exists(const ZoneLook *look, const uint8 *name, size_t len)
{
	StringInfoData key;
	bool		found = false;
	void	   *arg[2] = {unconstify(ZoneLook *, look), &found};

	initStringInfo(&key);
	record_key(&key, name, len, 0);
	group_walk(look->store, look->snapshot, look->zone->number, (uint8 *) key.data,
			   group_prefix((uint8 *) key.data, (size_t) key.len) - 1, NULL, 0, stop_at_first, arg);
	return found;
}

/* Does a wildcard answer for it? */
static bool
wildcard_covers(const ZoneLook *look, const uint8 *name, size_t len)
{
	for (size_t at = name_parent(name, len); at >= look->zone->name_len; at = name_parent(name, at))
	{
		char		text[NAME_TEXT_MAX];
		uint8		wild[NAME_STORED_MAX];
		int			n;

		(void) name_to_text(name, at, text);
		n = name_from_text(psprintf("*.%s", strcmp(text, ".") == 0 ? "" : text), strlen(text) + 2 - (strcmp(text, ".") == 0), wild, NULL);
		if (n > 0 && any_present(zone_group(look, wild, (size_t) n)))
			return true;
		if (name_exists(look, name, at) || at == look->zone->name_len)
			return false;
	}
	return false;
}

static void
host_target(const ZoneLook *look, const UnitGroup *g, const GroupUnit *u, const Record *r)
{
	uint16		type = record_type(u->key, u->key_len);
	size_t		len,
				own_len;
	const uint8 *own = group_name(g, &own_len);
	const char *text;
	const uint8 *target = target_read(r, &len, &text);
	const UnitGroup *there;

	if (is_ipv4(text))
		tell(look, ZONE_ADDRESS_LITERAL, g, u, psprintf("%s names the address %s", type_text(type), text));
	else if (target && len > 0 && in_zone(look->zone, target, len))
	{
		there = zone_group(look, target, len);
		if (group_type(there, RRTYPE_CNAME))
			tell(look, ZONE_TARGET_ALIAS, g, u, psprintf("%s names %s, which is an alias", type_text(type), text));
		else if (group_type(there, RRTYPE_A) || group_type(there, RRTYPE_AAAA) || wildcard_covers(look, target, len))
			return;
		else if (type == RRTYPE_NS && name_below(target, len, own, own_len))
			tell(look, ZONE_GLUE, g, u, psprintf("name server %s has no address", text));
		else if (!delegated(look, target, len, true))
			tell(look, ZONE_TARGET_ADDRESS, g, u, psprintf("%s names %s, which has no address", type_text(type), text));
	}
}

static void
alias_target(const ZoneLook *look, const UnitGroup *g, const GroupUnit *u, const Record *r)
{
	size_t		len,
				own_len;
	const uint8 *own = group_name(g, &own_len);
	const char *text;
	const uint8 *target = target_read(r, &len, &text);

	if (!target || !in_zone(look->zone, target, len))
		return;
	if (len == own_len && memcmp(target, own, len) == 0)
		tell(look, ZONE_CNAME_TARGET, g, u, "an alias of itself");
	else if (!name_exists(look, target, len) && !wildcard_covers(look, target, len) && !delegated(look, target, len, true))
		tell(look, ZONE_CNAME_TARGET, g, u, psprintf("an alias of %s, which is not there", text));
}

/* Names above it that hide it. */
static void
occlusion(const ZoneLook *look, const UnitGroup *g)
{
	size_t		len;
	const uint8 *name = group_name(g, &len);
	char		text[NAME_TEXT_MAX];

	for (size_t at = name_parent(name, len); at > look->zone->name_len; at = name_parent(name, at))
	{
		const UnitGroup *above = zone_group(look, name, at);

		for (int i = 0; group_type(above, RRTYPE_NS) && i < g->n; i++)
		{
			uint16		type = record_type(g->units[i].key, g->units[i].key_len);

			if (!unit_present(&g->units[i]) || type == RRTYPE_A || type == RRTYPE_AAAA)
				continue;
			(void) name_to_text(name, at, text);
			tell(look, ZONE_OCCLUDED, g, &g->units[i], psprintf("hidden by the delegation of %s", text));
			return;
		}
	}
}

static void
wildcard_rule(const ZoneLook *look, const UnitGroup *g)
{
	static const uint16 cuts[] = {RRTYPE_NS, RRTYPE_DS, RRTYPE_DNAME};
	size_t		len;
	const uint8 *name = group_name(g, &len);

	if (name_is_wildcard(name, len))
		for (int i = 0; i < (int) lengthof(cuts); i++)
			if (group_type(g, cuts[i]))
				tell(look, ZONE_WILDCARD, g, group_type(g, cuts[i]), psprintf("%s at a wildcard", type_text(cuts[i])));
	for (size_t at = name_parent(name, len); at > look->zone->name_len; at = name_parent(name, at))
		if (name_is_wildcard(name, at))
			tell(look, ZONE_WILDCARD, g, NULL, "a wildcard that is not the leftmost label");
}

bool
zone_rules_look_around(const ZoneRef *zone, const UnitGroup *g)
{
	size_t		len;
	const uint8 *name = group_name(g, &len);

	for (int i = 0; i < g->n; i++)
	{
		uint16		type = record_type(g->units[i].key, g->units[i].key_len);

		if (names_host(type) || type == RRTYPE_CNAME || type == RRTYPE_DS || type == RRTYPE_DNAME)
			return true;
	}
	/* deeper than one label below the apex there may be something above it */
	return name_is_wildcard(name, len) || (len > zone->name_len && name_parent(name, len) > zone->name_len);
}

void
zone_rules_around(const ZoneLook *look, const UnitGroup *g)
{
	TableDesc  *t = key_table(g->prefix, g->prefix_len);
	size_t		len;
	bool		apex = (group_name(g, &len), len == g->zone->name_len);

	for (int i = 0; i < g->n && t; i++)
	{
		const GroupUnit *u = &g->units[i];
		uint16		type = record_type(u->key, u->key_len);
		Record		r;

		if (!unit_present(u) || u->served.ncolumns != t->ncolumns)
			continue;
		for (int k = 0; k < u->served.rows.n; k++)
			if (record_read(t, &u->served.rows.rows[k], &r))
			{
				if (names_host(type))
					host_target(look, g, u, &r);
				else if (type == RRTYPE_CNAME)
					alias_target(look, g, u, &r);
			}
	}
	if (!any_present(g))
		return;
	if (!apex && group_type(g, RRTYPE_DS) && !group_type(g, RRTYPE_NS))
		tell(look, ZONE_DS_WITHOUT_NS, g, group_type(g, RRTYPE_DS), "DS records without NS records");
	if (!apex && group_type(g, RRTYPE_DNAME) && group_type(g, RRTYPE_NS))
		tell(look, ZONE_DNAME_BESIDE_NS, g, group_type(g, RRTYPE_DNAME), "a DNAME record beside NS records");
	wildcard_rule(look, g);
	occlusion(look, g);
}

/* ---------- more ---------- */

/* Letters, digits, hyphens; a wildcard, or underscores before the host's own label, are other people's names. */
static bool
is_host(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.*") == strlen(text);
}

static void
record_more(const ZoneLook *look, const UnitGroup *g, const GroupUnit *u, const Record *r)
{
	uint16		type = record_type(u->key, u->key_len);
	RecordError err;
	size_t		len;
	const char *text;

	if (!record_check(type, r->prio_null, r->prio, r->content, r->len, &err))
		tell(look, ZONE_BAD_RECORD, g, u, pstrdup(err.reason));
	else if (names_host(type) && target_read(r, &len, &text) && !is_host(text) && !is_ipv4(text))
		tell(look, ZONE_HOST_NAME, g, u, psprintf("%s names %s, which is no name of a host", type_text(type), text));
}

void
zone_rules_more(const ZoneLook *look, const UnitGroup *g, bool presigned)
{
	TableDesc  *t = key_table(g->prefix, g->prefix_len);
	size_t		len;
	const uint8 *name = group_name(g, &len);
	char		text[NAME_TEXT_MAX];

	(void) name_to_text(name, len, text);
	for (int i = 0; i < g->n && t; i++)
	{
		const GroupUnit *u = &g->units[i];
		uint16		type = record_type(u->key, u->key_len);
		int32		ttl = -1;

		if (u->rule != RULE_NONE)
			tell(look, ZONE_HIDDEN, g, u, psprintf("not served: %s", rule_sentence(u->rule)));
		if (!unit_present(u) || u->served.ncolumns != t->ncolumns)
			continue;
		if (!presigned && (type == RRTYPE_RRSIG || type == RRTYPE_NSEC || type == RRTYPE_NSEC3))
			tell(look, ZONE_SIGNER_RECORD, g, u, psprintf("%s records in a zone that is not PRESIGNED", type_text(type)));
		if (type == RRTYPE_SPF && !group_type(g, RRTYPE_TXT))
			tell(look, ZONE_SPF, g, u, "SPF records without TXT records");
		if ((type == RRTYPE_A || type == RRTYPE_AAAA) && !is_host(text))
			tell(look, ZONE_HOST_NAME, g, u, "an address at a name that is no name of a host");
		for (int k = 0; k < u->served.rows.n; k++)
		{
			Record		r;

			if (!record_read(t, &u->served.rows.rows[k], &r))
				continue;
			if (ttl >= 0 && r.ttl != ttl && type != RRTYPE_RRSIG)
				tell(look, ZONE_RRSET_TTL, g, u, psprintf("TTLs %d and %d", ttl, r.ttl));
			ttl = r.ttl;
			record_more(look, g, u, &r);
		}
	}
}
