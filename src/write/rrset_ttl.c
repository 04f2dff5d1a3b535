/*
 * rrset_ttl.c: see rrset_ttl.h.
 *
 * Whoever changes the TTL of one record, or adds one with another TTL, means the RRset: nobody can serve two. He is not
 * refused for it; PowerDNS's own API does the same. Records that are disabled are not of it.
 */
#include "postgres.h"

#include "port/pg_bswap.h"

#include "store/writer.h"
#include "write/rrset_ttl.h"

static bool
row_ttl(const Row *row, int column, int32 *ttl)
{
	const uint8 *data;
	size_t		len;
	uint32		value;

	if (!row_column(row, column, &data, &len) || len != sizeof(value))
		return false;
	memcpy(&value, data, sizeof(value));
	*ttl = (int32) pg_ntoh32(value);
	return true;
}

void
rrset_ttl_even(TableDesc *t, RowSet *rows)
{
	int			column = table_column(t, "ttl");
	bool		any = false,
				differ = false;
	int			n = 0;
	int32		want = 0,
				first = 0,
				ttl;
	uint32		octets;

	if (column < 0)
		return;
	for (int i = 0; i < rows->n; i++)
	{
		if (!row_enabled(t, &rows->rows[i]))
			continue;
		if (!row_ttl(&rows->rows[i], column, &ttl))
			return;
		differ |= n > 0 && ttl != first;
		first = n++ > 0 ? first : ttl;
		if (!rows->rows[i].ours || (any && ttl >= want))
			continue;
		want = ttl;
		any = true;
	}
	if (!differ || !any)
		return;
	octets = pg_hton32((uint32) want);
	for (int i = 0; i < rows->n; i++)
	{
		Row			new = row_with_column(t, &rows->rows[i], column, (const uint8 *) &octets, sizeof(octets));

		if (row_enabled(t, &rows->rows[i]) && row_ttl(&rows->rows[i], column, &ttl) && ttl != want && row_overwrite(t, &rows->rows[i], &new))
			rows->rows[i] = new;
	}
	rows_sort(rows);
}
