/*
 * conflict.c: see conflict.h.
 *
 * conflict_open has a row per unit in conflict: its key and since when; what is in conflict is read from the store when
 * somebody looks. conflict_log keeps what was settled, as it was: bounded by dnsrepl.conflict_retention, cleared some rows
 * at a time by whoever adds to it. Siblings that say the same are no conflict.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/proc.h"
#include "utils/builtins.h"

#include "compat.h"
#include "dnsrepl.h"
#include "store/conflict.h"
#include "store/image.h"
#include "store/origin.h"
#include "store/policy.h"
#include "store/progress.h"
#include "store/schema.h"
#include "store/unit_json.h"

#define MAX_LOGGED_SIBLINGS 20
#define PURGED_AT_ONCE 1000		/* rows of the log, in one transaction */

static bool
siblings_differ(const GroupUnit *u, const Live *live)
{
	Image		first,
				next;
	bool		any = false;

	for (int i = 0; i < u->set.n; i++)
	{
		const Version *v = &u->set.v[i];

		if (!version_lives(live, u->key, u->key_len, v) || !image_decode(v->image, v->image_len, false, &next))
			continue;
		if (any && !image_same(&first, &next))
			return true;
		first = next;
		any = true;
	}
	return false;
}

bool
unit_in_conflict(const GroupUnit *u, const Live *live)
{
	int			table = key_number(u->key, u->key_len);

	if (table == TABLE_SERIAL || table == TABLE_ROLL)	/* nobody's edits */
		return false;
	return u->rule != RULE_NONE || (u->set.n > 1 && siblings_differ(u, live));
}

static bool
group_in_conflict(const UnitGroup *g, const Live *live)
{
	for (int i = 0; i < g->n; i++)
		if (unit_in_conflict(&g->units[i], live))
			return true;
	return false;
}

static const GroupUnit *
unit_of(const UnitGroup *g, const GroupUnit *u)
{
	for (int i = 0; i < g->n; i++)
		if (g->units[i].key_len == u->key_len && memcmp(g->units[i].key, u->key, u->key_len) == 0)
			return &g->units[i];
	return NULL;
}

static void
conflict_open(const ZoneRef *zone, const GroupUnit *u)
{
	Oid			types[2] = {INT4OID, BYTEAOID};
	Datum		values[2] = {Int32GetDatum(zone->number), PointerGetDatum(varlena_make(u->key, u->key_len))};

	SPI_execute_with_args("INSERT INTO dnsrepl.conflict_open (zone, key) VALUES ($1, $2) ON CONFLICT DO NOTHING",
						  2, types, values, NULL, false, 0);
}

/* The versions of a unit as they are told: bounded. */
static Datum
siblings_datum(const GroupUnit *u, const Live *live)
{
	TableDesc  *t = key_table(u->key, u->key_len);
	VersionSet	some = {.v = palloc(sizeof(Version) * (size_t) (u->set.n + 1))};
	StringInfoData out;

	for (int i = 0; i < u->set.n && some.n < MAX_LOGGED_SIBLINGS; i++)
		if (!live || version_lives(live, u->key, u->key_len, &u->set.v[i]))
			some.v[some.n++] = u->set.v[i];
	initStringInfo(&out);
	(void) json_versions(&out, t, &some, false);
	return json_datum(&out);
}

/* How a conflict was chosen while it lasted. */
static const char *
unit_rule(const ZoneRef *zone, const GroupUnit *u)
{
	const Policy *policy = policy_for(zone, key_table(u->key, u->key_len), u->key, u->key_len);

	return u->rule != RULE_NONE ? rule_name(u->rule) : policy ? policy->resolver : "latest";
}

/* Once in a transaction, however much that logs, or its cost would not be in what it logs. */
static void
log_purge(void)
{
	static LocalTransactionId purged_by = InvalidLocalTransactionId;

	if (purged_by == MY_LXID)
		return;
	purged_by = MY_LXID;
	SPI_execute("DELETE FROM dnsrepl.conflict_log WHERE no IN (SELECT no FROM dnsrepl.conflict_log"
				" WHERE settled < now() - current_setting('dnsrepl.conflict_retention')::interval ORDER BY settled LIMIT " CppAsString2(PURGED_AT_ONCE) ")", false, 0);
}

static void
conflict_log(const ZoneRef *zone, const GroupUnit *was, const Live *live, const GroupUnit *now, const char *rule, bool opened)
{
	Oid			types[6] = {INT4OID, BYTEAOID, TEXTOID, JSONBOID, TEXTOID, TEXTOID};
	Datum		values[6] = {0};
	char		nulls[7] = "      ";
	ImageHead	head;

	values[0] = Int32GetDatum(zone->number);
	values[1] = PointerGetDatum(varlena_make(was->key, was->key_len));
	values[2] = CStringGetTextDatum(rule);
	values[3] = siblings_datum(was, live);
	nulls[4] = nulls[5] = 'n';
	if (now && now->set.n == 1 && image_head(now->set.v[0].image, now->set.v[0].image_len, &head))
	{
		values[4] = CStringGetTextDatum(origin_info(now->set.v[0].dot.origin)->node);
		values[5] = CStringGetTextDatum(image_user(&head));
		nulls[4] = nulls[5] = ' ';
	}
	SPI_execute_with_args(opened ? "WITH gone AS (DELETE FROM dnsrepl.conflict_open WHERE zone = $1 AND key = $2 RETURNING since)"
						  " INSERT INTO dnsrepl.conflict_log (zone, key, rule, siblings, node, author, since)"
						  " SELECT $1, $2, $3, $4, $5, $6, since FROM gone"
						  : "INSERT INTO dnsrepl.conflict_log (zone, key, rule, siblings, node, author, since)"
						  " VALUES ($1, $2, $3, $4, $5, $6, now())", 6, types, values, nulls, false, 0);
	log_purge();
}

static bool
was_shown(const GroupUnit *u, Dot dot)
{
	const Version *v = u ? version_find(&u->set, dot) : NULL;

	return v && v->seen;
}

/*
 * Versions that came of a zone that has been deleted, and edits of a zone's row whose author had not seen that it was deleted, which stay beside the
 * deletion: they are not served, and should not vanish unseen. Those that are not projected yet have their turn then.
 */
static bool
came_dead(const GroupUnit *had, const Live *was, const GroupUnit *is, const Live *now)
{
	for (int i = 0; i < is->set.n; i++)
	{
		const Version *v = &is->set.v[i];
		ImageHead	head;

		if (!v->seen || version_lives(now, is->key, is->key_len, v) || !image_head(v->image, v->image_len, &head) || image_is_deletion(&head))
			continue;
		if (!was_shown(had, v->dot) || (key_number(is->key, is->key_len) == TABLE_DOMAINS && version_lives(was, is->key, is->key_len, v)))
			return true;
	}
	return false;
}

static bool
group_came_dead(const UnitGroup *before, const Live *was, const UnitGroup *after, const Live *now)
{
	for (int i = 0; i < after->n && !now->all; i++)
		if (came_dead(unit_of(before, &after->units[i]), was, &after->units[i], now))
			return true;
	return false;
}

/* Have versions that differed gone at once? Then somebody who saw them has settled that, though others may differ still. */
static bool
some_settled(const GroupUnit *had, const Live *was, const GroupUnit *is)
{
	GroupUnit	gone = *had;

	gone.set.v = palloc(sizeof(Version) * (size_t) (had->set.n + 1));
	gone.set.n = 0;
	for (int i = 0; i < had->set.n; i++)
		if (!version_find(&is->set, had->set.v[i].dot))
			gone.set.v[gone.set.n++] = had->set.v[i];
	return siblings_differ(&gone, was);
}

static void
group_note(const UnitGroup *before, const Live *was, const UnitGroup *after, const Live *now, bool dead)
{
	OwnerScope	scope;

	if (!dead && !group_in_conflict(before, was) && !group_in_conflict(after, now))
		return;
	scope = owner_enter();
	SPI_connect();
	for (int i = 0; i < after->n; i++)
	{
		const GroupUnit *is = &after->units[i];
		const GroupUnit *had = unit_of(before, is);

		bool		still = unit_in_conflict(is, now);

		if (had && unit_in_conflict(had, was) && (!still || some_settled(had, was, is)))
			conflict_log(after->zone, had, was, is, unit_rule(after->zone, had), true);
		if (still)
			conflict_open(after->zone, is);
		if (dead && came_dead(had, was, is, now))
			conflict_log(after->zone, is, NULL, NULL, rule_name(RULE_ZONE_DELETED), false);
	}
	SPI_finish();
	owner_leave(scope);
}

void
conflict_note(const UnitGroup *before, const Live *was, const UnitGroup *after, const Live *now)
{
	/* a zone that the store had nothing of has no history here */
	group_note(before, was, after, now, !after->zone->made && group_came_dead(before, was, after, now));
}

void
conflict_note_unseen(const UnitGroup *before, const UnitGroup *after, const Live *shown)
{
	group_note(before, shown, after, shown, false);
}

static void
gone_log(Store *store, Snapshot before, const ZoneRef *zone, const Live *was, const bytea *key)
{
	const uint8 *k = (const uint8 *) VARDATA_ANY(key);
	size_t		len = VARSIZE_ANY_EXHDR(key);
	Oid			types[2] = {INT4OID, BYTEAOID};
	Datum		values[2] = {Int32GetDatum(zone->number), PointerGetDatum(key)};
	UnitGroup  *g = group_read(store, before, zone, k, group_prefix(k, len));

	group_judge(g, was, false, store, before);
	for (int i = 0; i < g->n; i++)
		if (g->units[i].key_len == len && memcmp(g->units[i].key, k, len) == 0 && unit_in_conflict(&g->units[i], was))
		{
			conflict_log(zone, &g->units[i], was, NULL, unit_rule(zone, &g->units[i]), true);
			return;
		}
	/* what made it one has been collected since */
	SPI_execute_with_args("DELETE FROM dnsrepl.conflict_open WHERE zone = $1 AND key = $2", 2, types, values, NULL, false, 0);
}

void
conflict_zone_gone(Store *store, Snapshot before, const ZoneRef *zone, const Live *was)
{
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(zone->number)};
	OwnerScope	scope = owner_enter();
	SPITupleTable *keys;

	SPI_connect();
	SPI_execute_with_args("SELECT key FROM dnsrepl.conflict_open WHERE zone = $1"
						  " AND get_byte(key, 0) * 256 + get_byte(key, 1) <> (SELECT no FROM dnsrepl.tab WHERE zone = 's')",
						  1, types, values, NULL, false, 0);
	keys = SPI_tuptable;
	for (uint64 i = 0; i < keys->numvals; i++)
	{
		bool		isnull;

		progress();
		gone_log(store, before, zone, was, DatumGetByteaPP(SPI_getbinval(keys->vals[i], keys->tupdesc, 1, &isnull)));
	}
	SPI_finish();
	owner_leave(scope);
}
