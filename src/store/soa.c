/*
 * soa.c: see soa.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/snapmgr.h"

#include "store/image.h"
#include "store/metadata.h"
#include "store/own.h"
#include "store/serial.h"
#include "store/soa.h"
#include "store/writer.h"

bool
zone_serial_managed(int32 id, Snapshot snapshot)
{
	char	   *content = zone_metadata(id, SERIAL_METADATA, snapshot);

	return !content || pg_strcasecmp(content, "off") != 0;
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

bool
soa_write(TableDesc *t, const Row *row, uint32 serial)
{
	Row			new = soa_row_with_serial(t, row, serial);

	return row_overwrite(t, row, &new);
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
