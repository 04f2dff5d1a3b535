/*
 * resolve.h: which of a unit's versions is served. A pure function of the versions, so nodes that hold the same
 * versions serve the same.
 */
#ifndef DNSREPL_RESOLVE_H
#define DNSREPL_RESOLVE_H

#include "store/version.h"

/* The version that is served, of all or only of those seen; NULL if there is none. Resolver `latest`. */
extern const Version *resolve(const VersionSet *set, bool seen_only);

#endif
