/*
 * server.h: the worker that tells a DNS server of changes.
 */
#ifndef DNSREPL_SERVER_H
#define DNSREPL_SERVER_H

#include "postgres.h"

extern PGDLLEXPORT void server_main(Datum arg);

#endif
