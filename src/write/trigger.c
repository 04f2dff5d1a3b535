/*
 * trigger.c: the triggers on replicated tables: check the row, note its unit.
 *
 * They are AFTER ROW (what is noted is final), ENABLE ALWAYS, and AFTER TRUNCATE per statement. The first note of a
 * transaction in a zone takes the zone's stripe (store/stripe.h).
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "dnsrepl.h"
#include "store/clock.h"
#include "store/private_lock.h"
#include "store/relation.h"
#include "store/soa.h"
#include "store/stripe.h"
#include "write/capture.h"
#include "write/note.h"
#include "write/row_check.h"
#include "write/zone_stripe.h"
#include "zone/rectify_lot.h"

PG_FUNCTION_INFO_V1(dnsrepl_note);
PG_FUNCTION_INFO_V1(dnsrepl_note_truncate);
PG_FUNCTION_INFO_V1(dnsrepl_note_table);
PG_FUNCTION_INFO_V1(dnsrepl_note_unit);
PG_FUNCTION_INFO_V1(dnsrepl_renew);

static void
stripe_by_name(const uint8 *name, size_t name_len)
{
	ZoneRef		z = {.name = unconstify(uint8 *, name), .name_len = name_len};

	stripe_share(&z);
}

/* The note of one row; false if it belongs to no unit. */
static bool
row_note(TableDesc *t, TupleTableSlot *slot, StringInfo key, Note *note)
{
	ZoneValue	zone;

	memset(note, 0, sizeof(*note));
	if (!key_encode(key, t, slot))
		return false;
	if (!zone_value(t, slot, &zone))
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("a row of \"%s\" must belong to a zone", t->name),
				 errdetail("Its column \"%s\" is null.", t->zone == ZONE_SELF ? "name" : "domain_id")));
	if (t->zone == ZONE_SELF)
	{
		note->kind = NOTE_DOMAIN;
		note->name = zone.name;
		note->name_len = zone.name_len;
	}
	else
	{
		note->kind = NOTE_UNIT;
		note->id = zone.id;
		note->key = (uint8 *) key->data;
		note->key_len = (size_t) key->len;
	}
	return true;
}

static void
note_take(TableDesc *t, const Note *note)
{
	if (note->kind == NOTE_DOMAIN)
		stripe_by_name(note->name, note->name_len);
	else if (t->zone == ZONE_NONE)
		stripe_by_table(t->number);
	else
		stripe_by_id(note->id);
	note_add(note);
}

static void
note_zone(NoteKind kind, const Note *domain)
{
	Note		note = {.kind = kind, .name = domain->name, .name_len = domain->name_len};

	note_add(&note);
}

static bool
note_same(const Note *a, const Note *b)
{
	return a->kind == b->kind && a->id == b->id &&
		a->name_len == b->name_len && (a->name_len == 0 || memcmp(a->name, b->name, a->name_len) == 0) &&
		a->key_len == b->key_len && (a->key_len == 0 || memcmp(a->key, b->key, a->key_len) == 0);
}

/* Of a record only what is derived was written, or of an empty non-terminal all: then its name is looked at, no unit. */
static void
note_derived(TableDesc *t, TupleTableSlot *slot)
{
	StringInfoData key;
	ZoneValue	zone;
	const uint8 *name;
	size_t		len;

	if (!t->inside || !zone_value(t, slot, &zone) || !row_name(t, slot, &name, &len))
		return;
	initStringInfo(&key);
	record_key(&key, name, len, 0);
	note_take(t, &(Note) {.kind = NOTE_UNIT, .id = zone.id, .key = (uint8 *) key.data, .key_len = (size_t) key.len});
}

static bool
derived_same(TableDesc *t, TupleTableSlot *old, TupleTableSlot *new)
{
	AttrNumber	ordername,
				auth;
	bool		was_null,
				is_null;
	Datum		was,
				is;

	if (!t->inside || !rectify_columns(t, &ordername, &auth))
		return true;
	was = slot_getattr(old, auth, &was_null);
	is = slot_getattr(new, auth, &is_null);
	if (was_null != is_null || (!is_null && DatumGetBool(was) != DatumGetBool(is)))
		return false;
	was = slot_getattr(old, ordername, &was_null);
	is = slot_getattr(new, ordername, &is_null);
	return was_null == is_null && (is_null || strcmp(TextDatumGetCString(was), TextDatumGetCString(is)) == 0);
}

static Row
slot_row(TableDesc *t, TupleTableSlot *slot)
{
	StringInfoData s;

	initStringInfo(&s);
	row_encode(&s, t, slot);
	return (Row) {.data = (uint8 *) s.data, .len = (size_t) s.len};
}

static bool
row_same(const Row *a, const Row *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static bool
serial_only(TableDesc *t, const Note *note, const Row *old, const Row *new)
{
	Row			a,
				b;

	if (!t->inside || record_type(note->key, note->key_len) != TYPE_SOA)
		return false;
	a = soa_row_with_serial(t, old, 0);
	b = soa_row_with_serial(t, new, 0);
	return row_same(&a, &b);
}

/* Has the row of a zone got another id? Then all that refers to it has moved. */
static bool
id_changed(TableDesc *t, TupleTableSlot *old, TupleTableSlot *new)
{
	bool		isnull;

	return t->id_att && slot_getattr(old, t->id_att, &isnull) != slot_getattr(new, t->id_att, &isnull);
}

static void
note_update(TableDesc *t, TupleTableSlot *old, TupleTableSlot *new)
{
	StringInfoData old_key,
				new_key;
	Note		was,
				is;
	bool		had,
				has;

	initStringInfo(&old_key);
	initStringInfo(&new_key);
	had = row_note(t, old, &old_key, &was);
	has = row_note(t, new, &new_key, &is);
	if (had && has && note_same(&was, &is) && !id_changed(t, old, new))
	{
		Row			before = slot_row(t, old),
					after = slot_row(t, new);

		if (row_same(&before, &after))
		{
			if (!derived_same(t, old, new))
				note_derived(t, new);
			return;
		}
		is.serial = serial_only(t, &is, &before, &after) && derived_same(t, old, new);
		had = false;
	}
	if (has)
		row_check(t, new);
	else
	{
		row_check_unitless(t, new);
		note_derived(t, new);
	}
	if (had)
		note_take(t, &was);
	else if (!has)
		note_derived(t, old);
	if (has)
		note_take(t, &is);
	if (had && t->zone == ZONE_SELF)	/* renamed */
	{
		note_zone(NOTE_ZONE, &was);
		note_zone(NOTE_ZONE, &is);
	}
}

static void
note_one(TableDesc *t, TupleTableSlot *slot, bool inserted)
{
	StringInfoData key;
	Note		note;

	initStringInfo(&key);
	if (!row_note(t, slot, &key, &note))
	{
		if (inserted)
			row_check_unitless(t, slot);
		note_derived(t, slot);
		return;
	}
	if (inserted)
		row_check(t, slot);
	note_take(t, &note);
	/*
	 * A zone that goes takes all with it; one that comes leaves behind what the store had of an earlier one. Without
	 * foreign keys its rows may have come before it.
	 */
	if (t->zone == ZONE_SELF)
		note_zone(inserted && SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA ? NOTE_ZONE : NOTE_STORED, &note);
}

static TableDesc *
trigger_table(FunctionCallInfo fcinfo, TriggerEvent *event)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	TableDesc  *t;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED), errmsg("this function is a trigger's")));
	*event = data->tg_event;
	(void) clock_slot();
	tables_refresh();
	t = table_by_relid(RelationGetRelid(data->tg_relation));
	if (!t)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not replicated, though it has the trigger for it",
						RelationGetRelationName(data->tg_relation)),
				 errhint("Run SELECT dnsrepl.setup('name of this node').")));
	table_require(t);
	capture_expect();
	return t;
}

Datum
dnsrepl_note(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	TriggerEvent event;
	TableDesc  *t;

	if (projecting)
		return PointerGetDatum(NULL);
	t = trigger_table(fcinfo, &event);
	if (TRIGGER_FIRED_BY_UPDATE(event))
		note_update(t, data->tg_trigslot, data->tg_newslot);
	else
		note_one(t, data->tg_trigslot, TRIGGER_FIRED_BY_INSERT(event));
	return PointerGetDatum(NULL);
}

Datum
dnsrepl_note_truncate(PG_FUNCTION_ARGS)
{
	TriggerEvent event;
	Note		note = {.kind = NOTE_TABLE};

	if (projecting)
		return PointerGetDatum(NULL);
	note.table = trigger_table(fcinfo, &event)->number;
	note_add(&note);
	return PointerGetDatum(NULL);
}

/* dnsrepl.note_table(regclass): capture the whole table anew at the end of this transaction. */
Datum
dnsrepl_note_table(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	TableDesc  *t;
	Note		note = {.kind = NOTE_TABLE};

	(void) clock_slot();
	tables_changed();			/* setup() calls this when it has entered the table */
	tables_refresh();
	t = table_by_relid(relid);
	if (!t)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" is not replicated", get_rel_name(relid) ? get_rel_name(relid) : "?")));
	capture_expect();
	note.table = t->number;
	note_add(&note);
	PG_RETURN_VOID();
}

/* dnsrepl.note_unit(zone_no int, key bytea): capture this unit at the end of this transaction, as if it had been edited. */
Datum
dnsrepl_note_unit(PG_FUNCTION_ARGS)
{
	bytea	   *key = PG_GETARG_BYTEA_PP(1);
	ZoneRef		zone = zone_argument(PG_GETARG_INT32(0));
	Note		note = {.kind = NOTE_NAMED, .name = zone.name, .name_len = zone.name_len,
	.key = (uint8 *) VARDATA_ANY(key), .key_len = VARSIZE_ANY_EXHDR(key)};
	TableDesc  *t;

	(void) clock_slot();
	tables_refresh();
	t = key_table(note.key, note.key_len);
	if (!t || !key_well_formed(note.key, note.key_len))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("this is not the key of a unit")));
	capture_expect();
	stripe_share(&zone);
	if (zone.table)
		note.kind = NOTE_UNIT;
	else if (t->zone == ZONE_SELF)
		note = (Note) {.kind = NOTE_DOMAIN, .name = zone.name, .name_len = zone.name_len};
	note_add(&note);
	PG_RETURN_VOID();
}

/* dnsrepl.renew(): for setup(); the manager learns of the new node when it commits. */
Datum
dnsrepl_renew(PG_FUNCTION_ARGS)
{
	private_lock_soon(LOCK_LIFE, 0, ExclusiveLock, "the present life of this node");
	clock_renew();
	clock_links_changed();
	PG_RETURN_VOID();
}
