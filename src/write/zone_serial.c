/*
 * zone_serial.c: see zone_serial.h.
 *
 * The serial is kept in the zone's row, which capture has locked, and travels with every delta that has something of the
 * zone; if nothing else of the zone was written, a version of its serial unit carries it. The SOA record is written without
 * waiting: who has it locked (an author with an open transaction) would wait for this one's zone row when he commits. Then
 * the record is parked, and gets its serial when he has ended.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "storage/proc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "store/parked.h"
#include "store/serial.h"
#include "store/soa.h"
#include "write/zone_serial.h"

bool
zone_serial_kept(ZoneTouch *z)
{
	if (!z->serial_known)
		z->serial_kept = !touch_has_metadata(z) || zone_serial_managed(z->id, GetActiveSnapshot());
	z->serial_known = true;
	return z->serial_kept;
}

void
zone_serial_hide(ZoneTouch *z, TableDesc *t, bool now, RowSet *rows)
{
	if (z->ref.table || !(now ? zone_serial_kept(z) : zone_serial_managed(z->id, GetActiveSnapshot())))
		return;
	for (int i = 0; i < rows->n; i++)
		rows->rows[i] = soa_row_with_serial(t, &rows->rows[i], 0);
	rows_sort(rows);
}

/* The SOA records of the zone's apex; *one: that is not disabled, if there is such. */
static RowSet
soa_find(const ZoneTouch *z, TableDesc *t, StringInfo key, Row *one)
{
	Relation	rel = table_open_as(t, AccessShareLock);
	ZoneValue	at = {.id = z->id};
	RowSet		rows;

	record_key(key, z->ref.name, z->ref.name_len, TYPE_SOA);
	rows = unit_rows(t, rel, GetActiveSnapshot(), &at, (uint8 *) key->data, (size_t) key->len);
	table_close(rel, NoLock);
	for (int i = rows.n - 1; i >= 0; i--)
		if (i == rows.n - 1 || row_enabled(t, &rows.rows[i]))
			*one = rows.rows[i];
	return rows;
}

static void
soas_write(const ZoneTouch *z, TableDesc *t, const StringInfoData *key, const RowSet *rows, uint32 serial)
{
	uint32		is;
	bool		written = true;

	for (int i = 0; i < rows->n; i++)
		if (soa_row_serial(t, &rows->rows[i], &is) && is != serial)
			written &= soa_write(t, &rows->rows[i], serial);
	if (!written)
		unit_queue(&z->ref, (uint8 *) key->data, (size_t) key->len, "a local transaction is editing the zone's SOA record");
}

/* Has this transaction raised it already, in an earlier lot? */
static bool
raised_before(const ZoneTouch *z)
{
	static HTAB *raised = NULL;
	static LocalTransactionId raised_by = InvalidLocalTransactionId;
	bool		found;

	if (!raised || raised_by != MY_LXID)
	{
		HASHCTL		ctl = {.keysize = sizeof(int32), .entrysize = sizeof(int32), .hcxt = TopTransactionContext};

		raised = hash_create("dnsrepl serials raised", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		raised_by = MY_LXID;
	}
	hash_search(raised, &z->ref.number, HASH_ENTER, &found);
	return found;
}

void
zone_serial_raise(Store *store, ZoneTouch *z)
{
	TableDesc  *t = table_by_number(TABLE_RECORDS);
	StringInfoData key;
	RowSet		rows;
	Row			one;
	uint32		edited;
	uint64		now;
	ZoneTally  *tally;

	if (z->ref.table || !z->id || !t)
		return;
	initStringInfo(&key);
	rows = soa_find(z, t, &key, &one);
	if (rows.n == 0 || !soa_row_serial(t, &one, &edited) || !zone_serial_kept(z))
		return;
	now = serial_edit(z->ref.state.serial, edited, z->changed && !raised_before(z));
	if (now != z->ref.state.serial)
	{
		(void) raised_before(z);
		tally = store_tally(store, z->ref.number);
		tally->serial_set = true;
		tally->serial = now;
		tally->heard = z->ref.state.heard;
		if (!z->changed)
			serial_unit_write(store, z->ref.number, now);
	}
	soas_write(z, t, &key, &rows, (uint32) now);
}
