/* seek: one request's walk over its lanes: in which order, which has room,
 * and what to say when none has. Each lane is given at most once. */
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
	bool			 limited;	/* some lane is only limited */
};

/* All pointers are borrowed. Orders the lanes. 0, or -1 out of memory (s then
 * needs no release, but takes it). */
int	seek_init(struct seek *s, const struct config *cfg,
	    struct ledger *ledger, const struct config_alias *alias,
	    const struct chat *chat, size_t client, uint64_t chance);
void	seek_release(struct seek *s);

/* Order anew, as the ledger stands now. Lanes that were given stay given. */
void	seek_order(struct seek *s, uint64_t chance);

/* The next lane that has room, taken from its windows. 0, or -1: none is
 * left, the attempts are used up, or fallback is off. */
int	seek_next(struct seek *s, size_t *lane, uint64_t *lease);

/* Take from a lane's windows once more, for a second try on it. 0, or -1. */
int	seek_again(struct seek *s, size_t lane, uint64_t *lease);

/* A lane came to nothing because of this; remembered for the end. */
void	seek_note(struct seek *s, const struct quota_answer *why);

/* Milliseconds until asking again makes sense, when nothing was asked yet and
 * room is all that lacks; -1: waiting does not help. */
int64_t	seek_wait(const struct seek *s);

/* Why seek_next gave none. last: how the last attempt failed (its code is
 * kept when it was the only one), trail: all of them. */
void	seek_fault(const struct seek *s, const struct fault *last,
	    const char *trail, struct fault *f);

#endif
