/* relay: one chat from question to last byte; the only state machine. It
 * decides the order of things, never their format.
 *
 *	ASK -> WAIT -> STREAM -> (gone)
 *
 * ASK: choosing a lane, or waiting for room. Ended by a call, or by a fault.
 * WAIT: a call is out, no content came. Ended by content, by an answer that
 *	is whole, or back to ASK when the call failed and a lane is left.
 * STREAM: content was handed to the client: no way back. Ended by the end of
 *	the answer, or by an error that is told.
 * From every state relay_end() ends it: the call cancelled, the lease settled,
 * the line logged, the sink told. */
#ifndef RELAY_H
#define RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "chat.h"

struct config;
struct config_alias;
struct http;
struct ledger;
struct loop;
struct relay;
struct relays;

/* What all chats of a process share. cfg, ledger and loop are borrowed. curl
 * is started by relays_warm, or by the first call. NULL: out of memory. */
struct relays *relays_new(struct loop *loop, const struct config *cfg,
    struct ledger *ledger);
void	relays_warm(struct relays *rs);
void	relays_free(struct relays *rs);		/* takes NULL */
size_t	relays_live(const struct relays *rs);	/* chats under way */

struct relay_ask {
	const struct http *http;	/* lives until sink->end */
	const char	*route;		/* the route's pattern, for the log */
	struct chat	 chat;
	char		*body;		/* taken: free()d by the relay */
	size_t		 len;
	const struct config_alias *alias;
	size_t		 client;	/* index, or LEDGER_NOBODY */
	bool		 text;		/* bare text */
	bool		 tell;		/* say who answers inside the stream */
};

/* Start. Always takes ask->body. sink->end is called once, later, never from
 * inside; unless relay_gone comes first. NULL: out of memory, the sink was not
 * touched. */
struct relay *relay_start(struct relays *rs, const struct relay_ask *ask,
    struct sink *sink);

/* The client left: cancel, settle, free. The sink is not called again. */
void	relay_gone(struct relay *r);

/* The gateway cannot go on with it, because it is to end, say: the client is
 * told. sink->end is called from inside. */
void	relay_stop(struct relay *r);

/* The sink has room again. */
void	relay_drained(struct relay *r);

#endif
