/*
 * soa.c: see soa.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "utils/snapmgr.h"

#include "store/image.h"
#include "store/own.h"
#include "store/serial.h"
#include "store/soa.h"
#include "store/writer.h"

bool
zone_serial_managed(int32 id, Snapshot snapshot)
{
	TableDesc  *t = table_by_number(TABLE_METADATA);
	StringInfoData key;
	ZoneValue	at = {.id = id};
	Relation	rel;
	RowSet		rows;
	bool		managed = true;

	if (!t)
		return true;
	initStringInfo(&key);
	wire_put_u16(&key, TABLE_METADATA);
	wire_put_string(&key, SERIAL_METADATA, strlen(SERIAL_METADATA));
	rel = table_open(t->relid, AccessShareLock);
	rows = unit_rows(t, rel, snapshot, &at, (uint8 *) key.data, (size_t) key.len);
	table_close(rel, NoLock);
	for (int i = 0; i < rows.n; i++)
	{
		const uint8 *content;
		size_t		len;

		if (row_column(&rows.rows[i], table_column(t, "content"), &content, &len) && len == 3 &&
			pg_strncasecmp((const char *) content, "off", 3) == 0)
			managed = false;
	}
	pfree(key.data);
	return managed;
}

bool
soa_row_serial(TableDesc *t, const Row *row, uint32 *serial)
{
	const uint8 *content;
	size_t		len;

	return row_column(row, table_column(t, "content"), &content, &len) && soa_serial(content, len, serial);
}

Row
soa_row_with_serial(TableDesc *t, const Row *row, uint32 serial)
{
	int			column = table_column(t, "content");
	const uint8 *content;
	size_t		len;
	uint8	   *changed;

	if (!row_column(row, column, &content, &len))
		return *row;
	changed = palloc(len + 16);
	len = soa_with_serial(changed, content, len, serial);
	return row_with_column(t, row, column, changed, len);
}

/* Ours, or nobody's; never waits. */
static bool
soa_lock(TableDesc *t, ItemPointerData tid)
{
	Relation	rel = table_open(t->relid, RowExclusiveLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TM_FailureData tmfd;
	TM_Result	result = table_tuple_lock(rel, &tid, GetActiveSnapshot(), slot, GetCurrentCommandId(false),
										  LockTupleExclusive, LockWaitSkip, 0, &tmfd);

	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	return result == TM_Ok;
}

bool
soa_write(TableDesc *t, const Row *row, uint32 serial)
{
	int			role = SessionReplicationRole;
	bool		was = projecting;
	Row			new = soa_row_with_serial(t, row, serial);
	bool		done;

	CommandCounterIncrement();
	PushCopiedSnapshot(GetLatestSnapshot());
	UpdateActiveSnapshotCommandId();
	done = soa_lock(t, row->tid);
	if (done)
	{
		SessionReplicationRole = SESSION_REPLICATION_ROLE_REPLICA;
		projecting = true;
		PG_TRY();
		{
			Writer	   *w = writer_open(t);

			writer_update(w, row, &new);
			writer_close(w);
		}
		PG_FINALLY();
		{
			SessionReplicationRole = role;
			projecting = was;
		}
		PG_END_TRY();
	}
	PopActiveSnapshot();
	CommandCounterIncrement();
	return done;
}

void
serial_unit_write(Store *store, int32 zone, uint64 serial)
{
	static const uint8 key[2] = {TABLE_SERIAL >> 8, TABLE_SERIAL & 255};
	StringInfoData row,
				image;
	Row			rows[1] = {{0}};
	RowSet		set = {1, rows};
	ImageParts	parts = {.user = "", .ncolumns = 1, .rows = &set};
	VersionSet	old;
	bool	   *over;

	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	old = version_read(store, GetActiveSnapshot(), zone, key, sizeof(key));
	PopActiveSnapshot();
	over = palloc(sizeof(bool) * (size_t) (old.n + 1));
	memset(over, true, (size_t) old.n);
	initStringInfo(&row);
	wire_put_varint(&row, sizeof(uint64) + 1);
	wire_put_u64(&row, serial);
	rows[0].data = (uint8 *) row.data;
	rows[0].len = (size_t) row.len;
	initStringInfo(&image);
	image_encode(&image, &parts);
	(void) own_write(store, zone, key, sizeof(key), &old, over, (uint8 *) image.data, (size_t) image.len);
}
