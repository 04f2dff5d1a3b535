/*
 * note.h: which units a transaction may have changed. Notes may be more than what changed: capture compares.
 */
#ifndef DNSREPL_NOTE_H
#define DNSREPL_NOTE_H

#include "postgres.h"

typedef enum NoteKind
{
	NOTE_TABLE = 'A',			/* every unit of a table: its number */
	NOTE_DOMAIN = 'D',			/* the unit of domains: zone name */
	NOTE_STORED = 'S',			/* what the store has of a zone: zone name */
	NOTE_UNIT = 'U',			/* a unit by the id of its zone (0: none): id, key */
	NOTE_NAMED = 'V',			/* a unit by the name of its zone: name, key */
	NOTE_ZONE = 'Z'				/* what the store and the tables have of a zone: zone name */
} NoteKind;

typedef struct Note
{
	NoteKind	kind;
	int16		table;			/* NOTE_TABLE */
	int32		id;				/* NOTE_UNIT */
	const uint8 *name;			/* the others */
	size_t		name_len;
	const uint8 *key;			/* NOTE_UNIT, NOTE_NAMED */
	size_t		key_len;
	bool		serial;			/* NOTE_UNIT: an SOA record of which nothing but the serial has changed */
} Note;

extern void note_add(const Note *note);
extern bool notes_any(void);

/* Closes the notes taken so far and walks them, sorted, each once; notes added meanwhile are the next lot. */
extern void notes_begin(void);
extern bool notes_next(Note *note); /* valid until the next call */
extern void notes_rewind(void);
extern void notes_end(void);

/* The transaction is over. */
extern void notes_forget(void);

#endif
