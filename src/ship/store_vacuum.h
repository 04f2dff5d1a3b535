/*
 * store_vacuum.h: what replaced versions leave behind in the store.
 */
#ifndef DNSREPL_STORE_VACUUM_H
#define DNSREPL_STORE_VACUUM_H

/*
 * Vacuums dnsrepl.version_store if enough of its rows have been replaced since the last time here. Outside of transactions,
 * of a process that has no client. Not if autovacuum is off; somebody who has the table locked is not waited for.
 */
extern void store_vacuum(void);

#endif
