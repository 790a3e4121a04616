/* dial: from a lane to the call: each provider's URL and headers, made once
 * for each key, and the connections behind them. */
#ifndef DIAL_H
#define DIAL_H

#include <stddef.h>

struct config;
struct dial;
struct fetch;
struct fetch_events;
struct loop;

/* loop and cfg are borrowed. curl is started by dial_warm or by the first
 * call. NULL: out of memory. dial_free takes NULL. */
struct dial *dial_new(struct loop *loop, const struct config *cfg);
void	dial_warm(struct dial *d);
void	dial_free(struct dial *d);

/* Call lane with body[0..n), as fetch_start. */
struct fetch *dial_fetch(struct dial *d, size_t lane, const char *body,
    size_t n, const struct fetch_events *events, void *arg);

#endif
