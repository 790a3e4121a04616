/* api: the route table, the door, and the small answers. Everything that the
 * program answers goes through api_start, whatever brought the request. */
#ifndef API_H
#define API_H

#include <stdbool.h>
#include <stddef.h>

#include "fault.h"

struct api;
struct config;
struct http;
struct ledger;
struct relay;
struct relays;
struct sink;

/* All arguments are borrowed. NULL: out of memory. */
struct api *api_new(const struct config *cfg, struct ledger *ledger,
    struct relays *relays);
void	api_free(struct api *a);	/* takes NULL */

struct api_request {
	const struct http *http;	/* lives until sink->end */
	char		*body;		/* taken; NULL without one */
	size_t		 len;
	struct fault	 fault;		/* found while it was taken in (too
					 * large, too slow, a bad header);
					 * FAULT_NONE: none */
};

/* Answer rq on sink. A chat gives its relay, which ends later; every other
 * answer is whole and ended when this returns, with NULL. */
struct relay *api_start(struct api *a, struct api_request *rq,
    struct sink *sink);

#endif
