/*
 * progress.h: signs of life from long work: it can be cancelled at each step, and a peer that waits for it hears that it goes on.
 */
#ifndef DNSREPL_PROGRESS_H
#define DNSREPL_PROGRESS_H

#define PROGRESS_EVERY 1000		/* ms of work without a word to the peer */

/* A call of a peer begins: in this session progress is reported. */
extern void progress_begin(void);

/*
 * To be called at every step of every loop whose length data decide, also where that are no units that change. Never while
 * memory of ldns is held. What it costs is nothing beside a row that is read.
 */
extern void progress(void);

#endif
