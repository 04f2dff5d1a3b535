/*
 * zone_serial.h: the serial of a zone that a local transaction has changed.
 */
#ifndef DNSREPL_ZONE_SERIAL_H
#define DNSREPL_ZONE_SERIAL_H

#include "store/relation.h"
#include "write/zone_touch.h"

/* Is its serial kept here (store/soa.h)? By the snapshot of the pass. */
extern bool zone_serial_kept(ZoneTouch *z);

/* The rows of the zone's SOA unit as images have them: with serial 0, unless the zone's serials are its author's affair. */
extern void zone_serial_hide(ZoneTouch *z, TableDesc *t, bool now, RowSet *rows);

/* After a lot of notes: raises the serial if the zone has changed, in its row and in its SOA record. */
extern void zone_serial_raise(Store *store, ZoneTouch *z);

#endif
