/*
 * run.h: the stretch of a zone's units that is being written, in memory until the writer goes on elsewhere: then units that
 * follow one another and are of one write become packs (version_row.h).
 *
 * A pack in which something changes is taken up whole. Its changes count as of the command that began it: a snapshot that
 * was taken before sees nothing of them, whoever reads with a later one calls run_settle() first (version.c does).
 */
#ifndef DNSREPL_RUN_H
#define DNSREPL_RUN_H

#include "store/version_row.h"

typedef struct Run Run;

extern Run *run_create(Store *store);

/* Each answers false where the unit's group has rows of its own: then the caller writes a row, or finds it. */
extern bool run_put(Store *store, int32 zone, const uint8 *key, size_t key_len, const Version *v);
extern bool run_drop(Store *store, int32 zone, const uint8 *key, size_t key_len, const Version *v);
extern bool run_mark(Store *store, int32 zone, const uint8 *key, size_t key_len, const Version *v, bool seen);

/* Writes what is there. */
extern void run_flush(Store *store);

/* The same if `snapshot` is to see it. */
extern void run_settle(Store *store, Snapshot snapshot);

/* The command as of which a row that `xmin` wrote can be changed: not the one that wrote it. */
extern CommandId row_command(TransactionId xmin);

#endif
