/* route: the choice: which lanes may serve a request, and in which order.
 * Pure: a function of the config, a view of the ledger, the turn and chance.
 * The dry run of /route and the real request call the same function. */
#ifndef ROUTE_H
#define ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quota.h"

struct config;
struct config_alias;

#define ROUTE_LANES	1024	/* lanes that one request may choose from; what
				 * an alias has beyond counts as off */

struct route_ask {
	const struct config_alias *alias;
	unsigned	 needs;		/* CONFIG_CAN_* */
	int64_t		 tokens;	/* prompt and reserved output */
	char *const	*allowed;	/* the client's patterns; NULL: all */
	uint64_t	 turn;		/* of the rotation */
	uint64_t	 chance;	/* random bits */
	uint64_t	 thread;	/* conversation, for sticky; 0: none */
};

struct route_pick {
	uint16_t	 lane;
	struct quota_answer answer;	/* OPEN: to be tried; else why not, and
					 * until when */
};

/* Whether the strategy looks at views (else route_order may be called with
 * views NULL, and every lane counts as open). */
bool	route_needs_view(const struct config *c, const struct config_alias *a);

/* Whether a model's name matches one of a client's patterns; NULL: all do. */
bool	route_allowed(char *const *patterns, const char *name);

/* Fill picks (room for a->nlanes) with every lane of the alias: first those to
 * be tried, in order, then the others with their reason, soonest first.
 * views[i] belongs to a->lanes[i], in which the lanes of one model stand
 * together. Lower tiers go before higher ones; within a tier the strategy of
 * the alias's route decides, and a second try goes to another model where the
 * strategy allows. Returns how many are to be tried. */
size_t	route_order(const struct config *c, const struct route_ask *ask,
	    const struct quota_view *views, struct route_pick *picks);

#endif
