/*
 * served.h: the records that a zone has by the store, for those who hand them on: DNS servers, changes_since().
 *
 * It is what the tables show once nothing waits for its projection: versions that wait count too.
 */
#ifndef DNSREPL_SERVED_H
#define DNSREPL_SERVED_H

#include "access/xlogdefs.h"

#include "store/live.h"

typedef struct ServedZone
{
	Store	   *store;
	Snapshot	snapshot;
	ZoneRef		ref;
	Live		live;
	XLogRecPtr	flush;			/* what was read is on disk once the log is, up to here */
} ServedZone;

typedef struct ServedRecord
{
	const char *content;		/* as PowerDNS's table has it, not ended by 0 */
	size_t		content_len;
	bool		prio_null;
	int32		prio;
} ServedRecord;

/* An RRset: in PowerDNS's form, records that are disabled left out. */
typedef struct ServedSet
{
	uint16		type;
	uint32		ttl;
	int			n;				/* 0: there is none, or no more */
	ServedRecord *records;
} ServedSet;

/* False: the snapshot shows no zone of this number, or a table without zones. */
extern bool served_open(ServedZone *zone, Store *store, Snapshot snapshot, int32 number);

/* Has it been deleted? */
extern bool served_gone(const ServedZone *zone);

/* All RRsets that a name has or had, in order of type; how many. They, and what they point to, are in the current context. */
extern int	served_name(ServedZone *zone, const uint8 *name, size_t name_len, ServedSet **sets);

/* Calls fn for each name of the zone, in canonical order. */
typedef void (*ServedCallback) (ServedZone *zone, const uint8 *name, size_t name_len, const ServedSet *sets, int n, void *arg);
extern void served_walk(ServedZone *zone, ServedCallback fn, void *arg);

/* One record in canonical wire form, until the next call of dns/: length, or -1 with why it has none, a sentence. */
extern int	served_rdata(uint16 type, const ServedRecord *record, const uint8 **wire, const char **why);

#endif
