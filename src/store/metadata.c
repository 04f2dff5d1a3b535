/*
 * metadata.c: see metadata.h.
 */
#include "postgres.h"

#include "access/table.h"

#include "store/metadata.h"

char *
zone_metadata(int32 id, const char *kind, Snapshot snapshot)
{
	TableDesc  *t = table_by_number(TABLE_METADATA);
	StringInfoData key;
	ZoneValue	at = {.id = id};
	Relation	rel;
	RowSet		rows;

	if (!t)
		return NULL;
	initStringInfo(&key);
	wire_put_u16(&key, TABLE_METADATA);
	wire_put_string(&key, kind, strlen(kind));
	rel = table_open_as(t, AccessShareLock);
	rows = unit_rows(t, rel, snapshot, &at, (uint8 *) key.data, (size_t) key.len);
	table_close(rel, NoLock);
	pfree(key.data);
	for (int i = 0; i < rows.n; i++)
	{
		const uint8 *content;
		size_t		len;

		if (row_column(&rows.rows[i], table_column(t, "content"), &content, &len))
			return pnstrdup((const char *) content, len);
	}
	return NULL;
}

static void
has_row(TableDesc *t, TupleTableSlot *slot, void *arg)
{
	*(bool *) arg = true;
}

bool
zone_has_metadata(int32 id, Snapshot snapshot)
{
	TableDesc  *t = table_by_number(TABLE_METADATA);
	ZoneValue	at = {.id = id};
	bool		has = false;
	Relation	rel;

	if (!t)
		return false;
	rel = table_open_as(t, AccessShareLock);
	zone_rows(t, rel, snapshot, &at, has_row, &has);
	table_close(rel, NoLock);
	return has;
}
