/* relay_own: what the parts of relay share, and nobody else. */
#ifndef RELAY_OWN_H
#define RELAY_OWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "budget.h"
#include "buf.h"
#include "call.h"
#include "config.h"
#include "fault.h"
#include "loop.h"
#include "relay.h"
#include "seek.h"

struct relays {
	struct loop		*loop;
	const struct config	*cfg;
	struct ledger		*ledger;
	struct dial		*dial;
	struct budget		 budget;	/* of retries */
	uint64_t		 chance;
	size_t			 live;
};

struct relay {
	struct relays		*rs;
	struct relay_ask	 ask;
	struct answer		 answer;	/* the client's side */
	struct seek		 seek;		/* the choice */

	struct call		 call;		/* the attempt under way */
	size_t			 lane;
	uint64_t		 lease;		/* 0: none */
	bool			 again;		/* had its second try */

	bool			 dear;		/* the next try is counted */
	bool			 wait_room;	/* ASK: waiting for a slot */
	bool			 wait_again;	/* ASK: before the second try */
	struct fault		 fault;		/* what it ended with */
	struct buf		 who;		/* JSON about who answers */

	/* clocks, steady ms */
	struct loop_timer	 timer;
	struct loop_task	 step;		/* to try the next lane */
	int64_t			 began;
	int64_t			 room;		/* look again; in wait_room */
	int64_t			 until;		/* all attempts; 0 not called */
	int64_t			 told;		/* last bytes to the client */
	int64_t			 first_ms;	/* to first content; -1 */
};

static inline const struct config_provider *
relay_provider(const struct relay *r)
{
	const struct config *c = r->rs->cfg;

	return &c->providers[c->lanes[r->lane].provider];
}

static inline const struct config_model *
relay_model(const struct relay *r)
{
	const struct config *c = r->rs->cfg;

	return &c->models[c->lanes[r->lane].model];
}

/* Give out b, and note that the client heard something. */
void	relay_put(struct relay *r, struct buf *b);

/* What an attempt tells of its lane. */
enum lesson { GOOD, BAD, UNKNOWN };

/* Close the attempt's account: the lease and what the answer taught. */
void	relay_settle(struct relay *r, enum lesson is, bool counted,
	    bool free_of_charge);

/* The answer is whole. Ends r, as the next does. */
void	relay_whole(void *arg);
/* It is not, and no lane is left: r->fault goes to the client. */
void	relay_fail(struct relay *r);

#endif
