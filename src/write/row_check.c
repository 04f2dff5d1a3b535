/*
 * row_check.c: see row_check.h. The verdict is dns/record.c's; here it is raised.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "dns/record.h"
#include "store/relation.h"
#include "store/rejection.h"
#include "write/row_check.h"

#define MAX_TTL 2147483647		/* RFC 2181 section 8 */

typedef struct RecordColumns
{
	Oid			relid;
	AttrNumber	name,
				type,
				content,
				ttl,
				prio;
} RecordColumns;

static const RecordColumns *
record_columns(TableDesc *t)
{
	static RecordColumns c;
	static int	made_for = 0;

	if (c.relid != t->relid || made_for != tables_generation)
	{
		c.name = get_attnum(t->relid, "name");
		c.type = get_attnum(t->relid, "type");
		c.content = get_attnum(t->relid, "content");
		c.ttl = get_attnum(t->relid, "ttl");
		c.prio = get_attnum(t->relid, "prio");
		c.relid = t->relid;
		made_for = tables_generation;
	}
	return &c;
}

static void
record_refuse(TupleTableSlot *slot, const RecordColumns *c, const char *part, const char *reason)
{
	bool		isnull;
	Oid			out;
	bool		varlena;
	const char *name,
			   *type;
	Datum		d = slot_getattr(slot, c->name, &isnull);

	getTypeOutputInfo(TupleDescAttr(slot->tts_tupleDescriptor, c->name - 1)->atttypid, &out, &varlena);
	name = isnull ? "" : OidOutputFunctionCall(out, d);
	d = slot_getattr(slot, c->type, &isnull);
	getTypeOutputInfo(TupleDescAttr(slot->tts_tupleDescriptor, c->type - 1)->atttypid, &out, &varlena);
	type = isnull ? "" : OidOutputFunctionCall(out, d);
	d = slot_getattr(slot, c->content, &isnull);
	rejection_note(&(Refusal) {.sqlstate = ERRCODE_INVALID_TEXT_REPRESENTATION, .name = name, .type = type,
							   .content = isnull ? NULL : TextDatumGetCString(d), .rule = part, .message = reason});
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid %s of record \"%s\" %s", part, name, type),
			 errdetail("%s", reason)));
}

static void
ttl_check(TupleTableSlot *slot, const RecordColumns *c)
{
	bool		isnull;
	Datum		ttl = slot_getattr(slot, c->ttl, &isnull);

	if (!isnull && DatumGetInt32(ttl) < 0)
		record_refuse(slot, c, "ttl", psprintf("It must be between 0 and %d (RFC 2181 section 8).", MAX_TTL));
}

void
row_check(TableDesc *t, TupleTableSlot *slot)
{
	const RecordColumns *c;
	bool		prio_null,
				isnull;
	int32		prio;
	uint16		type;
	struct varlena *content;
	RecordError error;
	Datum		d;

	if (!t->inside)
		return;
	c = record_columns(t);
	ttl_check(slot, c);
	type = (uint16) DatumGetInt16(slot_getattr(slot, c->type, &isnull));
	prio = DatumGetInt32(slot_getattr(slot, c->prio, &prio_null));
	d = slot_getattr(slot, c->content, &isnull);
	if (isnull)
		record_refuse(slot, c, "content", "It is null.");
	content = PG_DETOAST_DATUM_PACKED(d);
	if (!record_check(type, prio_null, prio, VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content), &error))
		record_refuse(slot, c, record_part_name(error.part), error.reason);
}

void
row_check_unitless(TableDesc *t, TupleTableSlot *slot)
{
	bool		isnull;

	if (t->inside)
	{
		(void) slot_getattr(slot, record_columns(t)->type, &isnull);
		if (isnull)
			return;				/* an empty non-terminal: each node derives its own */
	}
	ereport(ERROR,
			(errcode(ERRCODE_NOT_NULL_VIOLATION),
			 errmsg("a row of \"%s\" without its key cannot be replicated", t->name),
			 errdetail("A column that identifies it is null.")));
}
