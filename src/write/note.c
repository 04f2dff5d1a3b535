/*
 * note.c: see note.h.
 *
 * Notes are octet strings in a tuplesort that belongs to the top transaction: sorted by zone and key, spilled to disk
 * when they are many. They are not taken back by a subtransaction's rollback.
 * Format: kind, then NOTE_TABLE: u16; NOTE_DOMAIN, NOTE_STORED, NOTE_ZONE: name; NOTE_UNIT: u32 id, key, u8 serial;
 * NOTE_NAMED: u16 length, name, key.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/tuplesort.h"

#include "compat.h"
#include "store/progress.h"
#include "store/wire.h"
#include "write/note.h"

static Tuplesortstate *taking = NULL;	/* the lot that is being filled */
static Tuplesortstate *walking = NULL;	/* the lot that is being walked */
static StringInfoData last;
static bool torn = false;		/* an error has ended the writing of a note */

static Tuplesortstate *
lot_begin(void)
{
	return tuplesort_begin_datum(BYTEAOID, BYTEA_LESS, InvalidOid, false, work_mem, NULL, true);
}

static void
note_encode(StringInfo s, const Note *note)
{
	wire_put_u8(s, (uint8) note->kind);
	switch (note->kind)
	{
		case NOTE_TABLE:
			wire_put_u16(s, (uint16) note->table);
			break;
		case NOTE_UNIT:
			wire_put_u32(s, (uint32) note->id);
			break;
		case NOTE_NAMED:
			wire_put_u16(s, (uint16) note->name_len);
			/* FALLTHROUGH */
		case NOTE_DOMAIN:
		case NOTE_STORED:
		case NOTE_ZONE:
			appendBinaryStringInfo(s, (const char *) note->name, (int) note->name_len);
			break;
	}
	if (note->key)
		appendBinaryStringInfo(s, (const char *) note->key, (int) note->key_len);
	if (note->kind == NOTE_UNIT)
		wire_put_u8(s, note->serial);	/* last, so that the notes of a group follow one another */
}

static void
note_decode(Note *note, const uint8 *data, size_t len)
{
	WireReader	r;

	memset(note, 0, sizeof(*note));
	wire_reader_init(&r, data, len);
	note->kind = (NoteKind) wire_get_u8(&r);
	switch (note->kind)
	{
		case NOTE_TABLE:
			note->table = (int16) wire_get_u16(&r);
			break;
		case NOTE_UNIT:
			note->id = (int32) wire_get_u32(&r);
			note->serial = *--r.end;
			break;
		case NOTE_NAMED:
			note->name_len = wire_get_u16(&r);
			note->name = wire_get_bytes(&r, note->name_len);
			break;
		case NOTE_DOMAIN:
		case NOTE_STORED:
		case NOTE_ZONE:
			note->name_len = (size_t) (r.end - r.p);
			note->name = r.p;
			return;
	}
	note->key = r.p;
	note->key_len = (size_t) (r.end - r.p);
}

void
note_add(const Note *note)
{
	MemoryContext context = MemoryContextSwitchTo(TopTransactionContext);
	ResourceOwner owner = CurrentResourceOwner;
	StringInfoData s;

	/* whatever spills belongs to the top transaction */
	CurrentResourceOwner = TopTransactionResourceOwner;
	PG_TRY();
	{
		if (!taking)
			taking = lot_begin();
		initStringInfo(&s);
		appendStringInfoSpaces(&s, VARHDRSZ);
		note_encode(&s, note);
		SET_VARSIZE(s.data, s.len);
		torn = true;
		tuplesort_putdatum(taking, PointerGetDatum(s.data), false);
		torn = false;
		pfree(s.data);
	}
	PG_FINALLY();
	{
		CurrentResourceOwner = owner;
		MemoryContextSwitchTo(context);
	}
	PG_END_TRY();
}

bool
notes_any(void)
{
	return taking != NULL;
}

void
notes_begin(void)
{
	MemoryContext context = MemoryContextSwitchTo(TopTransactionContext);

	Assert(!walking);
	if (torn)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("what this transaction changed could not be noted"),
				 errdetail("An error interrupted it, and a savepoint has survived the error."),
				 errhint("Try the transaction again.")));
	walking = taking;
	taking = NULL;
	tuplesort_performsort(walking);
	initStringInfo(&last);
	MemoryContextSwitchTo(context);
}

bool
notes_next(Note *note)
{
	Datum		d;
	bool		isnull;

	for (;;)
	{
		MemoryContext context = MemoryContextSwitchTo(TopTransactionContext);
		bool		more = compat_tuplesort_getdatum(walking, &d, &isnull);
		struct varlena *b;
		bool		same;

		MemoryContextSwitchTo(context);
		if (!more)
			return false;
		progress();
		b = (struct varlena *) DatumGetPointer(d);
		same = last.len == (int) VARSIZE_ANY_EXHDR(b) && memcmp(last.data, VARDATA_ANY(b), (size_t) last.len) == 0;
		if (!same)
		{
			resetStringInfo(&last);
			appendBinaryStringInfo(&last, VARDATA_ANY(b), (int) VARSIZE_ANY_EXHDR(b));
		}
		pfree(b);
		if (!same)
			break;
	}
	note_decode(note, (const uint8 *) last.data, (size_t) last.len);
	return true;
}

void
notes_rewind(void)
{
	tuplesort_rescan(walking);
	resetStringInfo(&last);
}

void
notes_end(void)
{
	tuplesort_end(walking);
	walking = NULL;
	pfree(last.data);
}

void
notes_forget(void)
{
	/* their memory went, or goes, with the transaction's */
	taking = walking = NULL;
	torn = false;
}
