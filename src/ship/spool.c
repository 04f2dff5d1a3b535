/*
 * spool.c: see spool.h.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "compat.h"
#include "ship/spool.h"

Spool *
spool_open(void)
{
	Spool	   *s = palloc0(sizeof(Spool));

	initStringInfo(&s->entry);
	return s;
}

void
spool_put(Spool *s, SpoolKind kind, const void *data, size_t len)
{
	uint32		size = (uint32) len;
	char		octet = (char) kind;

	if (!s->file)
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(s));

		s->file = BufFileCreateTemp(true);
		MemoryContextSwitchTo(old);
	}
	BufFileWrite(s->file, &octet, 1);
	BufFileWrite(s->file, &size, sizeof(size));
	BufFileWrite(s->file, unconstify(void *, data), len);
}

void
spool_seek(Spool *s, SpoolPlace place)
{
	if (s->file && BufFileSeek(s->file, place.fileno, place.offset, SEEK_SET) != 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not rewind temporary file: %m")));
}

void
spool_rewind(Spool *s)
{
	spool_seek(s, (SpoolPlace) {0, 0});
}

SpoolPlace
spool_tell(Spool *s)
{
	SpoolPlace	place = {0, 0};

	if (s->file)
		BufFileTell(s->file, &place.fileno, &place.offset);
	return place;
}

static void
read_all(Spool *s, void *out, size_t n)
{
	if (n > 0 && BufFileRead(s->file, out, n) != n)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not read temporary file: %m")));
}

SpoolKind
spool_next(Spool *s)
{
	char		kind;
	uint32		len;

	if (!s->file || BufFileRead(s->file, &kind, 1) == 0)
		return SPOOL_END;
	read_all(s, &len, sizeof(len));
	resetStringInfo(&s->entry);
	enlargeStringInfo(&s->entry, (int) len);
	read_all(s, s->entry.data, len);
	s->entry.len = (int) len;
	return (SpoolKind) kind;
}

void
spool_close(Spool *s)
{
	if (s->file)
		BufFileClose(s->file);
	s->file = NULL;
}
