/*
 * capture.h: local edits become versions, once per transaction, at its commit (DESIGN 4).
 */
#ifndef DNSREPL_CAPTURE_H
#define DNSREPL_CAPTURE_H

#include "postgres.h"

extern void capture_init(void);

/* A note is about to be taken in this transaction. */
extern void capture_expect(void);

#endif
