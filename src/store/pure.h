/*
 * pure.h: what lets vector.c, merge_rule.c, birth_set.c and choice.c be compiled without a server (test/unit).
 */
#ifndef DNSREPL_PURE_H
#define DNSREPL_PURE_H

#ifdef DNSREPL_NO_SERVER
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define Assert(x) assert(x)
#define pure_alloc(n) malloc(n)
#define pure_realloc(p, n) realloc(p, n)
#define pure_free(p) free(p)
#else
#include "postgres.h"
#define pure_alloc(n) palloc(n)
#define pure_realloc(p, n) repalloc(p, n)
#define pure_free(p) pfree(p)
#endif

#endif
