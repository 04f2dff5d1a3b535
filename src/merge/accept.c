/*
 * accept.c: see accept.h. The table dnsrepl.accept_rule.
 *
 * Rules are for a role (whoever logs in as it), for a node (by its id, whatever it is called), or for all others. The rules of the
 * role and of the node both hold; the one for others, if there is neither. So a name is no way round, and who speaks as a new node
 * through the shared role is one of the others.
 *
 * A rule is about what a merge changes in this node's store: a version that is taken, or one that goes. What a delta has besides, and
 * is held here already, is no change; so a peer that may change little can have a link, and relay what it has from others, as long
 * as that has been here first. Otherwise all of the delta is refused, and the link is down until it has come another way.
 * What is in no zone (policies, supermasters, TSIG keys) may be changed by whom no zones are set for. Who is a member may be told
 * by everybody: it is how a node becomes one. A peer's serial for a zone that it may not change is not heard.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "merge/accept.h"
#include "store/pattern.h"
#include "store/relation.h"
#include "store/schema.h"
#include "store/unit_json.h"

PG_FUNCTION_INFO_V1(dnsrepl_accept_check);

#define MAX_ACCEPT_ZONES 10000	/* patterns in a rule */

enum
{
	RULE_PEER = 1, RULE_KIND, RULE_NODE, RULE_ZONES, RULE_SETS, RULE_NATTS = RULE_SETS
};

typedef struct AcceptLimit
{
	bool		all_zones;
	List	   *zones;			/* of Pattern */
	bool		dns,
				keys;
} AcceptLimit;

/* Raises 22004, 22023, 54000. Null arrays mean all. */
static AcceptLimit *
limit_read(const ArrayType *zones, const ArrayType *sets)
{
	AcceptLimit *l = palloc0(sizeof(AcceptLimit));
	Datum	   *texts;
	int			n;

	l->all_zones = zones == NULL;
	l->dns = l->keys = sets == NULL;
	if ((zones && array_contains_nulls(unconstify(ArrayType *, zones))) || (sets && array_contains_nulls(unconstify(ArrayType *, sets))))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("zones and sets must have no null in them")));
	if (zones)
	{
		deconstruct_array(unconstify(ArrayType *, zones), TEXTOID, -1, false, TYPALIGN_INT, &texts, NULL, &n);
		if (n > MAX_ACCEPT_ZONES)
			ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("at most %d patterns of zones can be accepted", MAX_ACCEPT_ZONES)));
		for (int i = 0; i < n; i++)
			l->zones = lappend(l->zones, pattern_read(TextDatumGetCString(texts[i])));
	}
	if (sets)
	{
		deconstruct_array(unconstify(ArrayType *, sets), TEXTOID, -1, false, TYPALIGN_INT, &texts, NULL, &n);
		for (int i = 0; i < n; i++)
		{
			const char *set = TextDatumGetCString(texts[i]);

			if (strcmp(set, "dns") != 0 && strcmp(set, "keys") != 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("there is no set \"%s\"", set),
						 errhint("The sets are dns and keys.")));
			l->dns |= strcmp(set, "dns") == 0;
			l->keys |= strcmp(set, "keys") == 0;
		}
	}
	return l;
}

/* accept_check(zones text[], sets text[]): for accept() */
Datum
dnsrepl_accept_check(PG_FUNCTION_ARGS)
{
	(void) limit_read(PG_ARGISNULL(0) ? NULL : PG_GETARG_ARRAYTYPE_P(0), PG_ARGISNULL(1) ? NULL : PG_GETARG_ARRAYTYPE_P(1));
	PG_RETURN_VOID();
}

/* Is it about this guest? *own is false for the rule that is for all others. */
static bool
rule_is_for(const Datum *values, const bool *nulls, const Guest *guest, bool *own)
{
	const char *kind = TextDatumGetCString(values[RULE_KIND - 1]);
	const char *peer = TextDatumGetCString(values[RULE_PEER - 1]);

	*own = strcmp(kind, "others") != 0;
	if (!*own)
		return true;
	if (strcmp(kind, "role") == 0)
		return strcmp(peer, GetUserNameFromId(GetSessionUserId(), false)) == 0;
	if (!nulls[RULE_NODE - 1])
		return memcmp(DatumGetUUIDP(values[RULE_NODE - 1]), &guest->node, UUID_LEN) == 0;
	return strcmp(peer, guest->name) == 0;
}

List *
accept_limits(const Guest *guest)
{
	Relation	rel = schema_table("accept_rule", AccessShareLock, RULE_NATTS);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	List	   *limits = NIL;
	AcceptLimit *others = NULL;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Datum		values[RULE_NATTS];
		bool		nulls[RULE_NATTS];
		bool		own;
		AcceptLimit *l;

		heap_deform_tuple(tuple, RelationGetDescr(rel), values, nulls);
		if (!rule_is_for(values, nulls, guest, &own))
			continue;
		l = limit_read(nulls[RULE_ZONES - 1] ? NULL : DatumGetArrayTypePCopy(values[RULE_ZONES - 1]),
					   nulls[RULE_SETS - 1] ? NULL : DatumGetArrayTypePCopy(values[RULE_SETS - 1]));
		if (own)
			limits = lappend(limits, l);
		else
			others = l;
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return limits == NIL && others ? list_make1(others) : limits;
}

void
accept_know(const pg_uuid_t *node, const char *name)
{
	Oid			types[2] = {UUIDOID, TEXTOID};
	Datum		values[2] = {UUIDPGetDatum(node), CStringGetTextDatum(name)};

	/* a look first: links at rest write nothing */
	if (owner_execute("SELECT FROM dnsrepl.accept_rule WHERE kind = 'node' AND node IS NULL AND peer = $2"
					  " AND NOT EXISTS (SELECT FROM dnsrepl.accept_rule WHERE node = $1)", 2, types, values) > 0)
		(void) owner_execute("UPDATE dnsrepl.accept_rule SET node = $1 WHERE kind = 'node' AND node IS NULL AND peer = $2", 2, types, values);
}

static bool
limit_takes(const AcceptLimit *l, const ZoneRef *zone, bool keys)
{
	if (keys ? !l->keys : !l->dns)
		return false;
	return l->all_zones || (!zone->table && patterns_match(l->zones, zone->name, zone->name_len));
}

static bool
limits_take(const List *limits, const ZoneRef *zone, bool keys)
{
	ListCell   *lc;

	foreach(lc, limits)
		if (!limit_takes(lfirst(lc), zone, keys))
			return false;
	return true;
}

bool
accept_unit(const List *limits, const ZoneRef *zone, const uint8 *key, size_t key_len)
{
	int			table = key_number(key, key_len);

	return (zone->table == TABLE_ROLL && table == TABLE_ROLL) || limits_take(limits, zone, table == TABLE_CRYPTOKEYS || table == TABLE_TSIGKEYS);
}

bool
accept_zone(const List *limits, const ZoneRef *zone)
{
	return zone->table == TABLE_ROLL || limits_take(limits, zone, false) || limits_take(limits, zone, true);
}

void
accept_refuse(const Guest *guest, const ZoneRef *zone, const uint8 *key, size_t key_len)
{
	TableDesc  *t = key ? key_table(key, key_len) : NULL;
	const char *where = zone->table ? "" : psprintf(" of zone \"%s\"", zone_text(zone->name, zone->name_len));
	StringInfoData unit;

	initStringInfo(&unit);
	if (!key)
		appendStringInfoString(&unit, "anything");
	else if (!t)
		appendStringInfo(&unit, "table %d", key_number(key, key_len));
	else
	{
		appendStringInfo(&unit, "%s ", t->name);
		json_key(&unit, t, key, key_len);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("node \"%s\" may not change %s%s here", guest->name, unit.data, where),
			 errhint("What it sends is refused as a whole; dnsrepl.accept() says there what may come in.")));
}
