/* demo: the built-in provider that answers when no key is set: an upstream
 * made of timers. It speaks to the relay exactly as an HTTP call does (a head,
 * chunks of an event stream or one JSON body, an end), paced like a model. */
#ifndef DEMO_H
#define DEMO_H

#include <stdbool.h>
#include <stddef.h>

struct loop;
struct fetch_events;
struct demo;

/* Answer the chat body[0..n) as model id ("echo", "tortoise"). The text says
 * that it is a demo, echoes the last user message, tells what to do next; it
 * is the same for the same question. stream: an event stream, else one JSON
 * object. body is not needed after the call. NULL: out of memory. No callback
 * is called from inside demo_fetch. */
struct demo *demo_fetch(struct loop *l, const char *id, const char *body,
    size_t n, bool stream, const struct fetch_events *events, void *arg);

/* As fetch_cancel and fetch_resume. After events->done d is gone. */
void	demo_cancel(struct demo *d);
void	demo_resume(struct demo *d);

#endif
