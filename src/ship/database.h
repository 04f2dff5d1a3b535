/*
 * database.h: commands that need a database for themselves, and what they mean for its workers.
 */
#ifndef DNSREPL_DATABASE_H
#define DNSREPL_DATABASE_H

extern void database_hook_install(void);

#endif
