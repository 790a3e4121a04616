/* seek: one request's walk over its lanes: in which order, which has room,
 * whether to wait for room, and what to say when there is none. Each lane is
 * given at most once. The time is an argument throughout. */
#ifndef SEEK_H
#define SEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quota.h"

struct chat;
struct config;
struct config_alias;
struct config_route;
struct fault;
struct ledger;
struct route_pick;
struct text_time;

struct seek {
	const struct config	*cfg;
	struct ledger		*ledger;
	const struct chat	*chat;
	const struct config_alias *alias;
	const struct config_route *route;
	size_t			 client;
	struct route_pick	*picks;
	size_t			 open;		/* picks to be tried */
	size_t			 next;		/* of them */
	unsigned char		*tried;		/* bit: lane */
	int			 attempts;	/* lanes given */
	int64_t			 larger;	/* context must pass this; 0 */
	struct quota_answer	 soonest;	/* when a lane has room again */
	struct quota_answer	 dare;		/* when one that is barred for
						 * failures may be dared */
	bool			 limited;	/* some lane is only limited */
	bool			 room;		/* some lane has room, for those
						 * before us in line */
	uint64_t		 turn;
	bool			 turned;	/* turn was drawn */
	uint64_t		 ticket;	/* our place in line; 0 none */
	int64_t			 patience;	/* mono ms: waits until then */
};

/* All pointers are borrowed. 0, or -1 out of memory (s then needs no release,
 * but takes it). s->patience is 0: it does not wait. */
int	seek_init(struct seek *s, const struct config *cfg,
	    struct ledger *ledger, const struct config_alias *alias,
	    const struct chat *chat, size_t client);
void	seek_release(struct seek *s);		/* gives up the place in line */

/* Order the lanes, as the ledger stands now. Lanes that were given stay given,
 * and a request has one turn of the rotation, however often it is ordered. */
void	seek_order(struct seek *s, const struct text_time *now,
	    uint64_t chance);

/* The same, changing nothing: the turn is read, not drawn, and each lane is
 * asked for what seek_next would take from it. s->picks: first those that
 * seek_next would give, in its order, then the others with their reasons. */
void	seek_foresee(struct seek *s, const struct text_time *now,
	    uint64_t chance);

/* The next lane that has room, taken from its windows. 0, or -1: none is
 * left, the attempts are used up, fallback is off, or others stand in line
 * before us. */
int	seek_next(struct seek *s, const struct text_time *now, size_t *lane,
	    uint64_t *lease);

/* Take from a lane's windows once more, for a second try on it. 0, or -1. */
int	seek_again(struct seek *s, const struct text_time *now, size_t lane,
	    uint64_t *lease);

/* Prompt and reserved output: what a lane has to have room for. */
int64_t	seek_tokens(const struct seek *s, size_t lane);

/* Nothing is open, and nothing will be that is worth to be waited for: take
 * from a lane although it is barred, if the bar was concluded from failures
 * (ledger_dare). The one whose bar ends soonest. As seek_next. */
int	seek_dare(struct seek *s, const struct text_time *now, size_t *lane,
	    uint64_t *lease);

/* After seek_foresee: the place in s->picks of the lane that seek_dare would
 * take from, SIZE_MAX: none. */
size_t	seek_dares(const struct seek *s, const struct text_time *now);

/* A lane that was given is barred until then, by its answer; remembered for
 * the end. */
void	seek_barred(struct seek *s, const struct text_time *now, size_t lane,
	    const struct quota_ban *ban);

/* After seek_next failed, before seek_dare: in how many milliseconds to order
 * and ask again, with a place in line from now on; -1: waiting does not help,
 * or not within s->patience. */
int64_t	seek_wait(struct seek *s, const struct text_time *now);

/* How many stand in line before us. */
size_t	seek_ahead(const struct seek *s, const struct text_time *now);

/* Milliseconds until some lane has room, -1: none will. */
int64_t	seek_soonest(const struct seek *s, const struct text_time *now);

/* Why seek_next gave none. last: how the last attempt failed (its code is
 * kept when it was the only one), trail: all of them. */
void	seek_fault(const struct seek *s, const struct text_time *now,
	    const struct fault *last, const char *trail, struct fault *f);

/* How long a request waits for room at most: as its route says, or less, by
 * the word of its header (NULL: none). */
int64_t	seek_max_wait(const struct config_route *route,
	    const char *word);

/* The next number of chance for seek_order, nothing secret; *state is not 0. */
uint64_t seek_chance(uint64_t *state);

#endif
