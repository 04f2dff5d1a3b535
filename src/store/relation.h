/*
 * relation.h: the replicated tables as the store sees them: which columns make the unit, which are shipped.
 */
#ifndef DNSREPL_RELATION_H
#define DNSREPL_RELATION_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "storage/itemptr.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "dnsrepl.h"
#include "store/wire.h"

/* Numbers of tables that the code knows by name (setup_tables(); they are the same on every node). */
#define TABLE_DOMAINS		1
#define TABLE_RECORDS		2
#define TABLE_METADATA		3
#define TABLE_CRYPTOKEYS	4
#define TABLE_COMMENTS		5
#define TABLE_TSIGKEYS		6
#define TABLE_SUPERMASTERS	7
#define TABLE_POLICY		8
#define TABLE_ROLL			9
#define TABLE_SERIAL		32767	/* no table: the unit that carries a zone's serial when nothing else does */

/* dnsrepl.tab's columns (store.sql) */
enum
{
	TAB_NUMBER = 1, TAB_NAME, TAB_REL, TAB_ZONE, TAB_KEY, TAB_HASHED, TAB_COLUMNS, TAB_NATTS = TAB_COLUMNS
};

/* How a row tells its zone. */
typedef enum ZoneKind
{
	ZONE_NONE = 'n',			/* it has none */
	ZONE_SELF = 's',			/* it is the zone: domains */
	ZONE_BY_ID = 'i'			/* by the id of its row in domains */
} ZoneKind;

typedef struct ColumnDesc
{
	NameData	attname;
	AttrNumber	att;
	Oid			type;
	int32		typmod;
	bool		raw;			/* text and its kin: the octets themselves, not the send function's */
	bool		hashed;			/* in a key: the SHA-256 of the value stands for it */
	bool		name;			/* a dnsname: in a key its stored octets and a 0, so that a key's prefix is a subtree */
	bool		domain;			/* of what the type should be */
	Oid			ioparam;
	FmgrInfo	send,
				recv,			/* if not raw */
				in;				/* if raw */
} ColumnDesc;

typedef struct PathColumn
{
	int			key;			/* of keys[], or -1: the zone column */
	RegProcedure equal;
	Oid			collation;
} PathColumn;

/* How rows are found: by the leading columns of an index, as far as they are known. */
typedef struct TablePath
{
	Oid			index;
	int			n;				/* 0: there is no such index */
	PathColumn	columns[MAX_KEY_COLUMNS + 1];
} TablePath;

/*
 * With a problem (table_shape.h) its columns are known by name only, and nothing can be read or written: units of it are kept, and
 * parked, as those of a table that is not here.
 */
typedef struct TableDesc
{
	int16		number;			/* the same on every node: it begins every key */
	const char *problem;		/* NULL: none; a sentence */
	uint64		looked_at;		/* how many changes of tables had been heard of when it was known to be so */
	Oid			relid;
	Oid			owner;
	bool		code_in_values; /* reading values may call code, a domain's checks: it is the owner's, and runs so */
	char		name[NAMEDATALEN];
	ZoneKind	zone;
	AttrNumber	zone_att;		/* ZONE_SELF: the name; ZONE_BY_ID: the id */
	AttrNumber	id_att;			/* ZONE_SELF: the id that others refer to; else 0 */
	bool		inside;			/* the first key column is a name that must lie in the zone */
	int			nkeys;
	ColumnDesc	keys[MAX_KEY_COLUMNS];
	int			ncolumns;
	ColumnDesc	columns[MAX_COLUMNS];
	ColumnDesc	zone_column,	/* those of zone_att and id_att */
				id_column;
	TablePath	by_unit,		/* zone and key */
				by_name,		/* the first key column, perhaps the zone */
				by_zone,
				by_id;			/* ZONE_SELF: the id */
} TableDesc;

/* Where the rows of a unit are: its zone as the table names it. */
typedef struct ZoneValue
{
	int32		id;				/* ZONE_BY_ID */
	const uint8 *name;			/* ZONE_SELF: dnsname's stored form */
	size_t		name_len;
} ZoneValue;

typedef struct Row
{
	const uint8 *data;			/* its shipped columns */
	size_t		len;
	ItemPointerData tid;
	int32		id;				/* ZONE_SELF: domains.id */
	bool		ours;			/* this transaction has written it */
} Row;

typedef struct RowSet
{
	int			n;
	Row		   *rows;			/* sorted by data */
} RowSet;

/*
 * Descriptions are cached, and made anew when a table changes; call tables_refresh() where no description is
 * held, at the start of a piece of work. One that is held nevertheless lasts until the transaction ends.
 */
extern void tables_refresh(void);

/* Counts how often they were made: attribute numbers may have changed. */
extern int	tables_generation;

/* dnsrepl.tab has been written: everybody reads it again. */
extern void tables_changed(void);
extern TableDesc *table_by_relid(Oid relid);	/* NULL: not replicated */
extern TableDesc *table_by_number(int16 number);
extern TableDesc *table_domains(void);	/* raises 55000 if setup() has not run, or there is a problem with it */
extern TableDesc *table_next(int *position);	/* all of them: start with 0, NULL at the end */

/*
 * Opens the table of a description, in place of table_open(). Raises 55000 if there is a problem with it, 40001 if it has been
 * altered since it was described: there may have been a wait.
 */
extern Relation table_open_as(TableDesc *t, LOCKMODE mode);

/* Raises 55000 if there is a problem with the table. */
extern void table_require(const TableDesc *t);

/* While it is set, the rows that this backend writes come from the store: write/ takes no note of them. */
extern bool projecting;

/* The unit of a row; false if a key column is null: such a row belongs to no unit. */
extern bool key_encode(StringInfo out, TableDesc *t, TupleTableSlot *slot);

/* The table of a key, NULL if there is none; the key's octets are checked as far as they can be without values. */
extern TableDesc *key_table(const uint8 *key, size_t len);
extern bool key_well_formed(const uint8 *key, size_t len);

/* The number of the table in a key; 0: the key is too short to have one. */
static inline int
key_number(const uint8 *key, size_t len)
{
	return len < 2 ? 0 : key[0] << 8 | key[1];
}

/* The type in the key of an RRset (table records); 0 for other keys. */
extern uint16 record_type(const uint8 *key, size_t len);

/* The key of an RRset: name in stored form. */
extern void record_key(StringInfo out, const uint8 *name, size_t name_len, uint16 type);

#define TYPE_NS			2
#define TYPE_CNAME		5
#define TYPE_SOA		6
#define TYPE_KEY		25
#define TYPE_DNAME		39
#define TYPE_RRSIG		46
#define TYPE_NSEC		47

/* The name that begins a key of such a table: its stored octets. */
extern const uint8 *key_name(const uint8 *key, size_t len, size_t *name_len);

/* The key columns' values, in the current context. Hashed ones are null. Raises 22P03 for impossible octets. */
extern void key_decode(TableDesc *t, const uint8 *key, size_t len, Datum *values, bool *nulls);

extern void row_encode(StringInfo out, TableDesc *t, TupleTableSlot *slot);

/* A row as it is, in the current context. */
extern Row	row_from_slot(TableDesc *t, TupleTableSlot *slot);

/* One row's values, in the order of t->columns. Raises what input functions raise. */
extern void row_decode(TableDesc *t, const uint8 *data, size_t len, Datum *values, bool *nulls);

/* The place of a shipped column among the table's, -1 if it has none of that name. */
extern int	table_column(TableDesc *t, const char *name);

/* One column of an encoded row: false if it is null. */
extern bool row_column(const Row *row, int column, const uint8 **data, size_t *len);

/* The same row with another value in one column, in the current context. */
extern Row	row_with_column(TableDesc *t, const Row *row, int column, const uint8 *data, size_t len);

/* A column of an integer type; false: it is null. */
extern bool row_int(TableDesc *t, const Row *row, const char *column, int32 *value);

/* Is a row not disabled? In a table without such a column all are. */
extern bool row_enabled(TableDesc *t, const Row *row);

/* A boolean column: is it set in any of the rows? Sets it in one of them if it is not; sorts them then. */
extern bool rows_flagged(const RowSet *rows, int column);
extern void rows_flag(TableDesc *t, RowSet *rows, int column);

/* The name in the first key column of such a table, in stored form; false: it is null. Lasts as long as the row. */
extern bool row_name(TableDesc *t, TupleTableSlot *slot, const uint8 **name, size_t *len);

/* Sorts rows as images have them. */
extern void rows_sort(RowSet *rows);

/* The zone's value of a row; false if it is null. */
extern bool zone_value(TableDesc *t, TupleTableSlot *slot, ZoneValue *zone);

/* A zone as a value of the table's zone column. */
extern Datum zone_datum(TableDesc *t, const ZoneValue *zone);

/* The key of every unit of domains, DOMAINS_KEY_SIZE octets; returns the table. */
#define DOMAINS_KEY_SIZE 2
extern TableDesc *domains_key(uint8 *key);

/* The rows of one unit, by index if there is one. */
extern RowSet unit_rows(TableDesc *t, Relation rel, Snapshot snapshot, const ZoneValue *zone,
						const uint8 *key, size_t key_len);

/* Calls fn for each row of a zone (NULL: all rows); fn may not keep the slot. */
typedef void (*RowCallback) (TableDesc *t, TupleTableSlot *slot, void *arg);
extern void zone_rows(TableDesc *t, Relation rel, Snapshot snapshot, const ZoneValue *zone, RowCallback fn, void *arg);

/* The same for each row of a zone with this value in the first key column, a name; rows of no unit too. */
extern void name_rows(TableDesc *t, Relation rel, Snapshot snapshot, const ZoneValue *zone, const uint8 *name, size_t name_len,
					  RowCallback fn, void *arg);

/* For messages: a column's value, a zone's name. */
extern char *column_text(const ColumnDesc *c, Datum value);
extern char *zone_text(const uint8 *name, size_t name_len);

/*
 * May values of this type call code of somebody's as they are made, such as the CHECK of a domain? Not those of PostgreSQL's own
 * types, and of this extension's.
 */
extern bool type_has_code(Oid type);

/* The type dnsname. */
extern Oid	name_type(void);

/* The id of a zone's row in domains, 0 if there is none under the snapshot. */
extern int32 domain_id(Snapshot snapshot, const uint8 *name, size_t name_len);

/* The zone of a domains row by id; false if there is none under the snapshot. name: in the current context. */
extern bool domain_name(Snapshot snapshot, int32 id, uint8 **name, size_t *name_len, ItemPointer tid);

/* Is the row of domains at this place of that zone? */
extern bool domain_stands(Snapshot snapshot, const ItemPointerData *tid, int32 id, const uint8 *name, size_t name_len);

#endif
