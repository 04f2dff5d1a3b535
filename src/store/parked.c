/*
 * parked.c: see parked.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "store/clock.h"
#include "store/parked.h"
#include "store/schema.h"
#include "store/wire.h"

void
unit_park(const ZoneRef *zone, const uint8 *key, size_t key_len, const char *error)
{
	OwnerScope	scope = owner_enter();
	Oid			types[3] = {INT4OID, BYTEAOID, TEXTOID};
	Datum		values[3] = {Int32GetDatum(zone->number), PointerGetDatum(varlena_make(key, key_len)), CStringGetTextDatum(error)};

	SPI_connect();
	SPI_execute_with_args("INSERT INTO dnsrepl.parked AS p (zone, key, since, tries, error)"
						  " VALUES ($1, $2, now(), 1, $3)"
						  " ON CONFLICT (zone, key) DO UPDATE SET tries = p.tries + 1, error = excluded.error",
						  3, types, values, NULL, false, 0);
	SPI_finish();
	owner_leave(scope);
	clock_units_parked();		/* the manager comes and tries again */
}
