/*
 * manager.h: the worker of one node that keeps its links running and gives parked units another chance.
 */
#ifndef DNSREPL_MANAGER_H
#define DNSREPL_MANAGER_H

#include "postgres.h"

extern PGDLLEXPORT void manager_main(Datum arg);

#endif
