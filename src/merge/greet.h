/*
 * greet.h: who is at the other end of this session.
 */
#ifndef DNSREPL_GREET_H
#define DNSREPL_GREET_H

#include "postgres.h"

#include "utils/uuid.h"

#include "store/greeting.h"

typedef struct Guest
{
	uint64		session;		/* its number, random; 0: nobody has said hello */
	Oid			login,			/* who the database says it is */
				user;
	bool		sent;			/* a delta of it has been merged in this session */
	pg_uuid_t	node;
	pg_uuid_t	life;
	char		name[NAMEDATALEN];
	uint8		flags;			/* of its greeting */
	bool		sound;			/* it is of this node's cluster, and its store is not damaged */
	int			nclusters;
	pg_uuid_t  *clusters;		/* in TopMemoryContext */
} Guest;

/* The node that has said hello in this session and got this number, or 08P01, 55000; 42501 if its role may not speak for it any more. */
extern const Guest *guest_require(int64 session);

/* A delta of it has been merged. */
extern void guest_has_sent(void);

/* How it stands to this node now. */
extern Meeting guest_meeting(const NodeInfo *me);

#endif
