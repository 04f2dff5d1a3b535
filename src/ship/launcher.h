/*
 * launcher.h: the worker that keeps one manager running for each database in dnsrepl.databases.
 */
#ifndef DNSREPL_LAUNCHER_H
#define DNSREPL_LAUNCHER_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* From _PG_init, while the libraries are preloaded. */
extern void launcher_register(void);

/* The names in dnsrepl.databases; *valid is false if it is not a list. */
extern List *databases_listed(bool *valid);

extern PGDLLEXPORT void launcher_main(Datum arg);

#endif
