/*
 * rejection.h: what was refused lately, for people whose client does not tell them.
 *
 * A ring in the server's shared memory: a refusal outlives the transaction that it ends, not the server.
 */
#ifndef DNSREPL_REJECTION_H
#define DNSREPL_REJECTION_H

#include "postgres.h"

extern void rejection_shmem_request(void);
extern void rejection_shmem_init(void);

/* What is about to be raised; whatever is not known is NULL. Longer texts are cut. Never raises. */
typedef struct Refusal
{
	int			sqlstate;
	const char *zone,
			   *name,
			   *type,
			   *content,
			   *rule,			/* the name of a rule, or the column that is wrong */
			   *message;
} Refusal;

extern void rejection_note(const Refusal *r);

#endif
