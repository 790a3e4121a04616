#include "call.h"

#include <string.h>

#include "chat.h"
#include "config.h"
#include "demo.h"
#include "dial.h"
#include "fetch.h"
#include "log.h"
#include "loop.h"
#include "provider.h"

#define CALL_ERROR	(64 * 1024)	/* bytes read of an error's body */
#define CALL_OUT	(24 * 1024 * 1024)	/* what one feed may produce */
#define CALL_GROW	(64 * 1024)	/* the body's, at most */
#define CALL_TAIL_MS	1000	/* for an upstream to end after [DONE] */
#define CALL_ERROR_MS	2000	/* for the body of an error to come */

void
call_init(struct call *c, struct loop *loop, struct dial *dial, size_t body,
    const struct call_events *events, void *arg)
{
	memset(c, 0, sizeof(*c));
	c->loop = loop;
	c->dial = dial;
	c->events = events;
	c->arg = arg;
	buf_init(&c->sent, body + CALL_GROW);
	buf_init(&c->head, CALL_ERROR);
	buf_init(&c->error, CALL_ERROR);
	buf_init(&c->out, CALL_OUT);
}

void
call_release(struct call *c)
{
	call_drop(c);
	buf_release(&c->sent);
	buf_release(&c->out);
}

bool
call_live(const struct call *c)
{
	return c->fetch != NULL || c->demo != NULL;
}

void
call_drop(struct call *c)
{
	if (c->fetch != NULL)
		fetch_cancel(c->fetch);
	c->fetch = NULL;
	if (c->demo != NULL)
		demo_cancel(c->demo);
	c->demo = NULL;
	if (c->good)
		reply_release(&c->reply);
	c->good = c->paused = false;
	buf_release(&c->head);
	buf_release(&c->error);
	buf_clear(&c->out);
	c->status = 0;
	c->tail = 0;
}

/* ---- how it may end ---- */

static void
reply_failed(struct call *c)
{
	c->events->failed(c->arg, &(struct provider_answer){
		.status = c->reply.status, .net = c->reply.fault.code,
		.body = c->reply.error.data, .body_len = c->reply.error.len,
	});
}

/* It is not the provider that failed. */
static void
short_of_memory(struct call *c)
{
	c->events->failed(c->arg, &(struct provider_answer){
		.net = FAULT_INTERNAL });
}

/* An answer that is an error, as far as it came. */
static void
refused(struct call *c, enum fault_code net)
{
	c->events->failed(c->arg, &(struct provider_answer){
		.status = c->status, .net = net,
		.head = c->head.data, .head_len = c->head.len,
		.body = c->error.data, .body_len = c->error.len,
	});
}

/* ---- the answer ---- */

static void
on_head(void *arg, int status, const char *head, size_t n)
{
	struct call *c = arg;

	c->status = status;
	c->heard = loop_now(c->loop);
	if (status != 200) {
		(void)buf_put(&c->head, head, n);
		c->events->head(c->arg, head, n);
		return;
	}
	reply_init(&c->reply, &c->spec);
	c->good = true;
	reply_head(&c->reply, head, n);
	c->events->head(c->arg, head, n);
	if (c->reply.failed)
		reply_failed(c);
}

static bool
on_error_body(struct call *c, const char *p, size_t n)
{
	size_t room = c->error.max - c->error.len;

	/* It does not count as heard: some errors never end. */
	(void)buf_put(&c->error, p, n < room ? n : room);
	if (n >= room)
		refused(c, FAULT_NONE);
	return false;
}

static bool
on_body(void *arg, const char *p, size_t n)
{
	struct call *c = arg;
	bool done, begun, finished;

	if (!c->good)
		return on_error_body(c, p, n);
	if (c->tail != 0)
		return false;
	begun = c->reply.open != 0;
	finished = c->reply.finished;
	reply_feed(&c->reply, p, n, &c->out);
	/* Behind the finish_reason comments are no sign of more. */
	if (!finished || c->out.len > 0)
		c->heard = loop_now(c->loop);
	done = c->reply.done;
	/* Whole: the upstream gets a moment to end its transfer, so that the
	 * connection can be used again. */
	if (done)
		c->tail = loop_now(c->loop) + CALL_TAIL_MS;
	if (c->reply.content || done)
		c->paused = c->events->out(c->arg);
	else if (!begun && c->reply.open != 0 && !c->reply.failed)
		c->events->sooner(c->arg);
	if (!c->reply.failed)
		return c->paused;
	reply_failed(c);
	return false;
}

static const enum fault_code net_fault[] = {
	[FETCH_OK] = FAULT_NONE,
	[FETCH_REFUSED] = FAULT_UPSTREAM_REFUSED,
	[FETCH_ASTRAY] = FAULT_UPSTREAM_REFUSED,
	[FETCH_TIMEOUT] = FAULT_UPSTREAM_TIMEOUT,
	[FETCH_CUT] = FAULT_UPSTREAM_CUT,
	[FETCH_MALFORMED] = FAULT_UPSTREAM_MALFORMED,
	[FETCH_MEMORY] = FAULT_INTERNAL,
};

/* Nothing more comes. */
static void
ended(struct call *c, bool clean)
{
	reply_end(&c->reply, clean, &c->out);
	if (c->reply.content || c->reply.done)
		(void)c->events->out(c->arg);
	if (c->reply.done)
		c->events->whole(c->arg);
	else
		reply_failed(c);
}

static void
on_done(void *arg, enum fetch_result result, const char *detail)
{
	struct call *c = arg;

	c->fetch = NULL;
	c->demo = NULL;
	if (c->tail != 0) {
		c->events->whole(c->arg);
		return;
	}
	if (result == FETCH_ASTRAY)
		log_msg(LOG_WARN, "upstream", "%s: %s", c->p->name, detail);
	else if (detail[0] != '\0')
		log_msg(LOG_DEBUG, "upstream", "%s: %s", c->p->name, detail);
	if (!c->good) {
		/* A status that was heard counts, however its body ended: who
		 * refuses before all of the question is there resets. */
		refused(c, c->status != 0 ? FAULT_NONE : net_fault[result]);
		return;
	}
	/* All of the text is there when finish_reason is. */
	if (result == FETCH_MEMORY && !call_complete(c))
		short_of_memory(c);
	else
		ended(c, result == FETCH_OK);
}

static const struct fetch_events upstream = { on_head, on_body, on_done };

/* ---- the request ---- */

int
call_write(struct call *c, const struct config_provider *p,
    const struct config_model *m, const struct chat *chat, const char *body,
    size_t n, enum reply_mode mode)
{
	c->p = p;
	c->m = m;
	buf_clear(&c->sent);
	return provider_body(p, m, chat, body, n, mode != REPLY_JSON,
	    &c->sent);
}

int
call_strip(struct call *c, const char *member)
{
	struct buf b;

	buf_init(&b, c->sent.max);
	if (provider_strip(c->sent.data, c->sent.len, member, &b) != 0) {
		buf_release(&b);
		return -1;
	}
	buf_release(&c->sent);
	c->sent = b;
	return 0;
}

int
call_start(struct call *c, size_t lane, const struct reply_spec *spec,
    int64_t share)
{
	c->lane = lane;
	c->spec = *spec;
	c->share = share;
	c->began = c->heard = loop_now(c->loop);
	if (c->p->demo)
		c->demo = demo_fetch(c->loop, c->m->id, c->sent.data,
		    c->sent.len, spec->mode != REPLY_JSON, &upstream, c);
	else
		c->fetch = dial_fetch(c->dial, lane, c->sent.data, c->sent.len,
		    &upstream, c);
	return call_live(c) ? 0 : -1;
}

void
call_resume(struct call *c)
{
	c->paused = false;
	c->heard = loop_now(c->loop);
	if (c->fetch != NULL)
		fetch_resume(c->fetch);
	else if (c->demo != NULL)
		demo_resume(c->demo);
}

/* ---- the clocks ---- */

int64_t
call_due(const struct call *c)
{
	bool first = !c->good || c->reply.open == 0;
	int64_t due;

	if (c->tail != 0)
		return c->tail;
	if (c->status != 0 && !c->good)
		return c->heard + CALL_ERROR_MS;
	if (c->paused)
		return INT64_MAX;
	/* A JSON answer comes in one piece when all of it is made, so its
	 * first byte may take as long as that of a slow model. */
	if (first)
		due = c->began + (c->m->slow || c->spec.mode == REPLY_JSON ?
		    4 : 1) * (int64_t)c->p->first_ms;
	else
		due = c->heard + c->p->idle_ms;
	if (c->began + c->p->total_ms < due)
		due = c->began + c->p->total_ms;
	/* A role is no content, nor are the comments behind it. */
	if ((!c->good || !c->reply.content) && c->began + c->share < due)
		due = c->began + c->share;
	return due;
}

bool
call_complete(const struct call *c)
{
	return c->tail != 0 ||
	    (c->good && c->reply.content && c->reply.finished);
}

void
call_late(struct call *c)
{
	if (c->tail != 0)
		c->events->whole(c->arg);
	else if (c->status != 0 && !c->good)
		refused(c, FAULT_NONE);
	else if (call_complete(c))
		ended(c, false);
	else
		c->events->failed(c->arg, &(struct provider_answer){
			.net = FAULT_UPSTREAM_TIMEOUT });
}
