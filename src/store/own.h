/*
 * own.h: this node's own versions: edits that capture finds, and what a merge itself has to write.
 */
#ifndef DNSREPL_OWN_H
#define DNSREPL_OWN_H

#include "store/version.h"

/* The stamp of this transaction: drawn with the first call, after all its zone rows are locked. The origin is set too. */
extern Dot	own_dot(void);

/* Has it been drawn? */
extern bool own_dot_drawn(void);

/* All that was written with it has been rolled back: the next call of own_dot() draws another. */
extern void own_dot_forget(void);

/*
 * Writes a version of this life in place of those of `set` for which `over` is true (NULL: of all that are seen).
 * It counts as seen. Returns it; the image is the caller's.
 */
extern Version own_write(Store *store, int32 zone, const uint8 *key, size_t key_len, const VersionSet *set,
						 const bool *over, const uint8 *image, size_t image_len);

extern void own_init(void);

#endif
