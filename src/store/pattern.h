/*
 * pattern.h: which names are meant: "example.org" that name, "*.example.org" all below it, "*" all.
 */
#ifndef DNSREPL_PATTERN_H
#define DNSREPL_PATTERN_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "dns/name.h"

typedef struct Pattern
{
	bool		except;			/* "!" before it: what it matches is not meant, whatever else matches */
	bool		below;			/* and not the name itself */
	uint8		name[NAME_STORED_MAX];	/* the root's for "*" */
	size_t		len;
} Pattern;

/* In the current context. Raises 22023. */
extern Pattern *pattern_read(const char *text);

extern bool pattern_matches(const Pattern *pattern, const uint8 *name, size_t len);

/* Is a name meant by a list of patterns? */
extern bool patterns_match(const List *patterns, const uint8 *name, size_t len);

#endif
