/*
 * soa.h: a zone's serial in its SOA record, and as a version of its own.
 */
#ifndef DNSREPL_SOA_H
#define DNSREPL_SOA_H

#include "store/relation.h"
#include "store/version.h"

#define SERIAL_METADATA "X-DNSREPL-SERIAL"	/* domainmetadata of this kind with content "off": see zone_serial_managed() */

/* Does dnsrepl keep the serial of the zone with this id in domains? Else it is content like any other. */
extern bool zone_serial_managed(int32 id, Snapshot snapshot);

/* The serial of an SOA row; false if its content has none. */
extern bool soa_row_serial(TableDesc *records, const Row *row, uint32 *serial);

/* The same row with another one, in the current context. */
extern Row	soa_row_with_serial(TableDesc *records, const Row *row, uint32 serial);

/*
 * Writes another serial into the row without waiting for anybody: false if somebody has it locked. No trigger of this
 * extension takes note of it.
 */
extern bool soa_write(TableDesc *records, const Row *row, uint32 serial);

/* A version whose only purpose is to carry the zone's serial to other nodes. */
extern void serial_unit_write(Store *store, int32 zone, uint64 serial);

#endif
