/*
 * delete_turn.h: whoever replaces RRsets of a zone takes turns with others who do.
 */
#ifndef DNSREPL_DELETE_TURN_H
#define DNSREPL_DELETE_TURN_H

extern void delete_turn_init(void);

#endif
