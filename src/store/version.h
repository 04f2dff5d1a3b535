/*
 * version.h: the version store: dnsrepl.version_store and dnsrepl.zone.
 */
#ifndef DNSREPL_VERSION_H
#define DNSREPL_VERSION_H

#include "postgres.h"

#include "access/htup.h"
#include "catalog/indexing.h"
#include "storage/itemptr.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "dnsrepl.h"
#include "store/merge_rule.h"

typedef struct Version
{
	ItemPointerData tid;		/* of its row, if it was read */
	TransactionId xmin;			/* of its row */
	bool		packed;			/* its row has other units too: version_row.h */
	Dot			dot;
	int64		low;			/* own versions: this life's head when the stamp was drawn; else 0 */
	bool		seen;			/* has been projected here */
	const uint8 *image;
	size_t		image_len;
	const StampRange *over;		/* own stamps beyond low that this one, or those under it, superseded */
	int			nover;
} Version;

typedef struct VersionSet
{
	int			n;
	Version    *v;				/* in no order */
} VersionSet;

typedef struct ZoneRef ZoneRef;

/* The store, open for the time of one piece of work. */
typedef struct Store
{
	Relation	heap;
	Relation	unit_index;		/* (zone, key) */
	Relation	dot_index;		/* (origin, era) */
	CatalogIndexState indstate; /* NULL if open for reading */
	struct Run *run;			/* what is being written; NULL if open for reading */
	uint64		replaced;		/* rows that are dead now */
	struct Gap *gaps[8];		/* the last one used first; NULL: none */
	struct HTAB *tallies;		/* by zone: what store_close() adds to its row */
	MemoryContext context;
} Store;

extern Store *store_open(bool write);

/* Writes what was tallied into the zones' rows, which the caller has locked. */
extern void store_close(Store *store);

/* Before a subtransaction begins: what it may undo is its own. */
extern void store_settle(Store *store);

/* The live incarnations of a zone: see live.h. */
typedef struct Live
{
	bool		all;			/* a table without zones: nothing is dead */
	int			n;
	Dot			incarnations[MAX_INCARNATIONS]; /* sorted */
} Live;

/* What a zone's row says besides its name; written by store_close() from what was tallied. */
typedef struct ZoneState
{
	uint64		serial;			/* 64 bits; 0: none yet */
	uint64		heard;			/* the largest serial that a peer sent with versions not projected yet; 0: none */
	uint64		served;			/* sum of served_hash() over what is served of its records */
	uint64		others;			/* and of its units of other tables */
	uint64		held;			/* sum of version_hash() over its versions, and live_hash() of `stored` */
	int32		dnames;			/* versions of type DNAME */
	Live		live;			/* as the tables show it */
	Live		stored;			/* as the store has it: live.h */
	uint64		ordered;		/* how it was signed when its names were put in order: zone_signing_hash(); 0: never */
} ZoneState;

typedef struct ZoneTally
{
	int32		number;
	uint64		served,			/* to be added */
				others,
				held;
	int32		dnames;
	bool		serial_set;
	uint64		serial,			/* if serial_set: as ZoneState has them */
				heard;
	bool		live_set;
	Live		live;			/* if live_set */
	bool		stored_set;
	Live		stored;			/* if stored_set */
	uint64		ordered;		/* if not 0 */
	bool		inexact;		/* the differences do not add up to what is served: zone_sum.h */
	bool		born;			/* its row in domains is of this transaction's projection: no other table has anything of it */
	bool		waits;			/* the zone's row could not be projected, with it other incarnations: nothing else is */
} ZoneTally;

/* The tally of a zone, made if there is none; written at store_close(). */
extern ZoneTally *store_tally(Store *store, int32 zone);

/* The same if there is one, else NULL. */
extern const ZoneTally *store_tallied(const Store *store, int32 zone);

/* Adds to what is served of a zone: the difference that a unit made. */
extern void tally_served(Store *store, int32 zone, const uint8 *key, size_t key_len, uint64 difference);

/* The zone is gone from the tables, or has other incarnations there. */
extern void tally_live(Store *store, const ZoneRef *zone, const Live *live);

/* One version's part of ZoneState.held. Of this node alone: origins are local numbers. */
extern uint64 version_hash(const uint8 *key, size_t key_len, const Version *v);

/* The versions of one unit, in the current memory context. */
extern VersionSet version_read(Store *store, Snapshot snapshot, int32 zone, const uint8 *key, size_t key_len);

/* The one of that dot; NULL: there is none. */
extern const Version *version_find(const VersionSet *set, Dot dot);

/* Has one of them not been projected yet? */
extern bool versions_wait(const VersionSet *set);

extern void version_delete(Store *store, int32 zone, const uint8 *key, size_t key_len, const Version *v);

/* One of a unit's versions in place of another; NULL: of none. */
extern void version_replace(Store *store, int32 zone, const uint8 *key, size_t key_len, const Version *old, const Version *new);
extern void version_mark(Store *store, int32 zone, const uint8 *key, size_t key_len, const Version *v, bool seen);

/* Calls fn for each version of a zone whose key begins with `prefix`, or (whole) is it, in order of key; images in the current context. */
typedef void (*VersionCallback) (const uint8 *key, size_t key_len, const Version *v, void *arg);
extern void version_walk(Store *store, Snapshot snapshot, int32 zone, const uint8 *prefix, size_t prefix_len,
						 bool whole, VersionCallback fn, void *arg);

/*
 * Calls fn for each unit of a zone that has versions and whose key begins with `prefix`, in order of key, once each. Begins
 * after the key `after` if that is longer than nothing; ends when fn returns false. fn may write the store: the walk does not
 * see it.
 */
typedef bool (*UnitCallback) (int32 zone, const uint8 *key, size_t key_len, void *arg);
extern void unit_walk(Store *store, Snapshot snapshot, int32 zone, const uint8 *prefix, size_t prefix_len,
					  const uint8 *after, size_t after_len, UnitCallback fn, void *arg);

/* Has a zone any version? */
extern bool zone_holds_any(Store *store, Snapshot snapshot, int32 zone);

/*
 * Calls fn for each version whose dot `held` does not cover: unit, dot, and the transaction that wrote it.
 * This is what a peer that holds `held` lacks, by the index on (origin, stamp). Ends when fn returns false.
 */
typedef bool (*LackCallback) (int32 zone, const uint8 *key, size_t key_len, Dot dot, TransactionId xmin, void *arg);
extern void version_lacking(Store *store, Snapshot snapshot, const Vector *held, const Vector *ours,
							LackCallback fn, void *arg);

/* Does whoever holds `held` lack any? */
extern bool version_lacking_any(Store *store, Snapshot snapshot, const Vector *held, const Vector *ours);

/* What the versions of an own life that is over say of it: its head, and what is beyond. `stored`: what is known already. */
typedef struct LifeRest
{
	int64		head;
	int			nranges;
	StampRange *ranges;
} LifeRest;
extern LifeRest version_life_rest(Store *store, Snapshot snapshot, int32 origin, const Vector *stored);

/* Zones: the row that stands for each, locked by whoever changes units in it. Names in dnsname's stored form. */
struct ZoneRef
{
	ZoneState	state;			/* as zone_lock() found it */
	int32		number;			/* 0: not known */
	bool		made;			/* by zone_lock(), in this transaction: the store had nothing of it before */
	int16		table;			/* 0: a zone; else the units of this table, which has none */
	size_t		name_len;
	uint8	   *name;
};

/*
 * Finds or makes the zone's row and locks it until the end of the transaction; sets number. Without wait: false if
 * somebody else has it.
 */
extern bool zone_lock(ZoneRef *zone, bool wait);

/* Has another transaction locked a zone's row, or is it making it? */
extern bool zone_busy(const ZoneRef *zone);

/* Which one, in words: its process, or its name if it is prepared. NULL: none, or not known. */
extern char *zone_holder(const ZoneRef *zone);

/* Which number a zone has by a snapshot; 0: none. */
extern int32 zone_number_at(Snapshot snapshot, const ZoneRef *zone);

/* For store_close(): adds a tally to the zone's row. */
extern void zone_state_write(const ZoneTally *tally);

/* The order in which everybody locks: tables without zones first, then names. */
extern int	zone_order(const void *a, const void *b);

/* The name of a zone by number, in the current context. Raises XX001 if there is none. */
extern ZoneRef zone_by_number(int32 number);

/* The same for the argument of a function; raises 42704. */
extern ZoneRef zone_argument(int32 number);

/* The same as a snapshot shows it; false if it shows none. */
extern bool zone_by_number_at(Snapshot snapshot, int32 number, ZoneRef *zone);

/* All zones, in zone_order: as they are now, or as a snapshot shows them. */
extern ZoneRef *zone_all(int *n);
extern ZoneRef *zone_all_at(Snapshot snapshot, int *n);

#endif
