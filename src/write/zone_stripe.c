/*
 * zone_stripe.c: see zone_stripe.h.
 *
 * What a zone's id was last is remembered from one transaction to the next, with the place of its row: whether it is still that, the row
 * itself tells, without an index.
 */
#include "postgres.h"

#include "storage/proc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "dnsrepl.h"
#include "dns/name.h"
#include "store/relation.h"
#include "store/stripe.h"
#include "write/zone_stripe.h"

/* By id, or PG_INT32_MIN and a table's number. */
typedef struct Striped
{
	int32		id;
	uint8	   *name;			/* NULL: none */
	size_t		name_len;
	ItemPointerData row;
} Striped;

#define MAX_REMEMBERED AT_ONCE(2048, 2)		/* zones; then all are forgotten */

typedef struct Remembered
{
	int32		id;
	ItemPointerData row;
	size_t		name_len;
	uint8		name[NAME_STORED_MAX];
} Remembered;

static HTAB *remembered = NULL;
static HTAB *striped = NULL;
static LocalTransactionId striped_by = InvalidLocalTransactionId;

static Striped *
striped_find(int32 id, HASHACTION action)
{
	if (!striped || striped_by != MY_LXID)
	{
		HASHCTL		ctl = {.keysize = sizeof(int32), .entrysize = sizeof(Striped), .hcxt = TopTransactionContext};

		striped = hash_create("dnsrepl zones touched", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		striped_by = MY_LXID;
	}
	return hash_search(striped, &id, action, NULL);
}

static void
zone_remember(int32 id, const ZoneRef *z, const ItemPointerData *row)
{
	HASHCTL		ctl = {.keysize = sizeof(int32), .entrysize = sizeof(Remembered)};
	Remembered *r;

	if (remembered && hash_get_num_entries(remembered) >= MAX_REMEMBERED)
	{
		hash_destroy(remembered);
		remembered = NULL;
	}
	if (!remembered)
		remembered = hash_create("dnsrepl zones by id", 64, &ctl, HASH_ELEM | HASH_BLOBS);
	r = hash_search(remembered, &id, HASH_ENTER, NULL);
	r->row = *row;
	r->name_len = Min(z->name_len, sizeof(r->name));
	memcpy(r->name, z->name, r->name_len);
}

/* As domain_name(). */
static bool
zone_of_id(Snapshot snapshot, int32 id, ZoneRef *z, ItemPointer row)
{
	Remembered *r = remembered ? hash_search(remembered, &id, HASH_FIND, NULL) : NULL;

	if (r && domain_stands(snapshot, &r->row, id, r->name, r->name_len))
	{
		z->name = r->name;
		z->name_len = r->name_len;
		*row = r->row;
		return true;
	}
	if (!domain_name(snapshot, id, &z->name, &z->name_len, row))
		return false;
	zone_remember(id, z, row);
	return true;
}

/* When the stripe is had: the wait for it may have failed, and be tried again. */
static void
striped_add(int32 id, const ZoneRef *z, const ItemPointerData *row)
{
	uint8	   *name = z->name ? MemoryContextAlloc(TopTransactionContext, z->name_len + 1) : NULL;
	Striped    *s;

	if (name)
		memcpy(name, z->name, z->name_len);
	s = striped_find(id, HASH_ENTER);
	s->name = name;
	s->name_len = z->name_len;
	s->row = *row;
}

/* A zone that is not there was deleted by this transaction: the trigger on domains has its stripe. */
void
stripe_by_id(int32 id)
{
	ZoneRef		z = {0};
	ItemPointerData row;
	Snapshot	snapshot;

	if (striped_find(id, HASH_FIND))
		return;
	ItemPointerSetInvalid(&row);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	if (zone_of_id(snapshot, id, &z, &row))
		stripe_share(&z);
	else
		z.name = NULL;
	UnregisterSnapshot(snapshot);
	striped_add(id, &z, &row);
}

void
stripe_by_table(int16 table)
{
	ZoneRef		z = {.table = table};
	ItemPointerData none;

	if (striped_find(PG_INT32_MIN + table, HASH_FIND))
		return;
	stripe_share(&z);
	ItemPointerSetInvalid(&none);
	striped_add(PG_INT32_MIN + table, &z, &none);
}

bool
stripe_zone_name(int32 id, uint8 **name, size_t *name_len, ItemPointer row)
{
	const Striped *s = striped_find(id, HASH_FIND);

	if (!s || !s->name)
		return false;
	*name = s->name;
	*name_len = s->name_len;
	*row = s->row;
	return true;
}
