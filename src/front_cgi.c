#include "front_cgi.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "api.h"
#include "buf.h"
#include "config.h"
#include "fault.h"
#include "loop.h"
#include "relay.h"
#include "text.h"

#define CGI_FULL	(64 * 1024)		/* waiting bytes that pause */
#define CGI_OUT		(32 * 1024 * 1024)

struct cgi {
	struct loop		*loop;
	const struct config	*cfg;
	struct relay		*relay;
	struct sink		 sink;
	struct loop_io		 out_io;	/* stdout */
	bool			 blocking;	/* stdout is a plain file */
	struct loop_io		 term;		/* SIGTERM */
	struct loop_task	 flush;
	struct loop_timer	 stall;
	struct buf		 out;
	size_t			 at;
	bool			 full;
	bool			 lost;		/* a part of the answer is */
	bool			 ended;
};

/* Errors and hang-ups only. Not EPOLLRDHUP: Apache's mod_cgid gives one socket
 * as stdin and stdout and half-closes it after the body. */
#define CGI_ERRORS	((unsigned)EPOLLET)

/* ---- stdin ---- */

/* Read what there is to read, at most most bytes. Stops at CONTENT_LENGTH, for
 * not every server closes stdin after it; without one it reads to the end. 0,
 * or -1 and f. */
static int
body_read(const struct http *h, const struct config *cfg, struct buf *in,
    struct fault *f)
{
	struct text_time start, now;
	char p[16 * 1024];

	if (h->length < 0 && h->method != HTTP_POST)
		return 0;
	text_clock(&start);
	while (h->length < 0 || in->len < (uint64_t)h->length) {
		struct pollfd pfd = { .fd = STDIN_FILENO, .events = POLLIN };
		size_t want = sizeof(p);
		ssize_t n;

		if (h->length >= 0 && (uint64_t)h->length - in->len < want)
			want = (size_t)((uint64_t)h->length - in->len);
		text_clock(&now);
		if (now.mono - start.mono >= cfg->body_ms ||
		    poll(&pfd, 1, (int)(cfg->body_ms - (now.mono -
		    start.mono))) == 0) {
			fault_set(f, FAULT_BODY_TIMEOUT, NULL, "the body did "
			    "not arrive in %d s", cfg->body_ms / 1000);
			return -1;
		}
		n = read(STDIN_FILENO, p, want);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			break;
		if (buf_put(in, p, (size_t)n) != 0) {
			fault_set(f, FAULT_BODY_TOO_LARGE, NULL, "the body is "
			    "larger than max-body (%zu bytes)", cfg->max_body);
			return -1;
		}
	}
	if (h->length >= 0 && in->len < (uint64_t)h->length) {
		fault_set(f, FAULT_INVALID_REQUEST, NULL,
		    "the body ended after %zu of %lld bytes", in->len,
		    (long long)h->length);
		return -1;
	}
	return 0;
}

/* ---- stdout ---- */

static bool
sink_put(struct sink *s, const char *p, size_t n)
{
	struct cgi *c = LOOP_OWNER(s, struct cgi, sink);

	/* Without memory for it, nothing may follow: on_flush ends it. */
	c->lost = c->lost || buf_put(&c->out, p, n) != 0;
	loop_post(c->loop, &c->flush);
	/* Until on_flush takes it back, which is how the relay hears of it. */
	c->full = c->full || c->lost || c->out.len - c->at > CGI_FULL;
	return c->full;
}

/* A server cannot be told that the output of a CGI is cut short: its end is
 * the process's end. The event stream says it in an event; bare text cannot,
 * and gets a line of its own. */
static void
sink_end(struct sink *s, bool whole)
{
	static const char cut[] = "\n[relevo: the answer was cut short]\n";
	struct cgi *c = LOOP_OWNER(s, struct cgi, sink);

	c->relay = NULL;
	c->ended = true;
	if (!whole || c->lost) {
		c->out.failed = false;	/* what was too much is not in it */
		(void)buf_put(&c->out, cut, sizeof(cut) - 1);
	}
	loop_post(c->loop, &c->flush);
}

static void
leave(struct cgi *c)
{
	if (c->relay != NULL)
		relay_gone(c->relay);
	c->relay = NULL;
	loop_stop(c->loop);
}

static void
on_flush(struct loop_task *t)
{
	struct cgi *c = LOOP_OWNER(t, struct cgi, flush);

	while (c->at < c->out.len) {
		ssize_t n = write(STDOUT_FILENO, c->out.data + c->at,
		    c->out.len - c->at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			(void)loop_watch(c->loop, &c->out_io, EPOLLOUT);
			if (c->stall.place == 0)
				(void)loop_timer_set(c->loop, &c->stall,
				    loop_now(c->loop) + c->cfg->stall_ms);
			return;
		}
		if (n < 0) {
			leave(c);
			return;
		}
		loop_timer_cancel(c->loop, &c->stall);
		c->at += (size_t)n;
	}
	c->at = 0;
	buf_clear(&c->out);
	if (c->ended) {
		leave(c);
		return;
	}
	if (!c->blocking)
		(void)loop_watch(c->loop, &c->out_io, CGI_ERRORS);
	if (c->full) {
		c->full = false;
		if (c->relay != NULL && c->lost)
			relay_stop(c->relay);
		else if (c->relay != NULL)
			relay_drained(c->relay);
	}
}

/* Under suexec the server may not signal us: an error on stdout is the only
 * word that the client left. */
static void
on_stdout(struct loop_io *io, unsigned events)
{
	struct cgi *c = LOOP_OWNER(io, struct cgi, out_io);

	if (events & (EPOLLERR | EPOLLHUP))
		leave(c);
	else if (events & EPOLLOUT)
		loop_post(c->loop, &c->flush);
}

static void
on_term(struct loop_io *io, unsigned events)
{
	(void)events;
	leave(LOOP_OWNER(io, struct cgi, term));
}

static void
on_stall(struct loop_timer *t)
{
	leave(LOOP_OWNER(t, struct cgi, stall));
}

/* Signals and stdout on the loop. */
static int
cgi_watch(struct cgi *c)
{
	sigset_t set;
	int flags;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	c->term.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	c->term.ready = on_term;
	if (c->term.fd < 0 || loop_watch(c->loop, &c->term, EPOLLIN) != 0)
		return -1;
	c->out_io.fd = STDOUT_FILENO;
	c->out_io.ready = on_stdout;
	if (loop_watch(c->loop, &c->out_io, CGI_ERRORS) != 0) {
		c->blocking = true;	/* a plain file cannot be watched */
		return 0;
	}
	flags = fcntl(STDOUT_FILENO, F_GETFL);
	return fcntl(STDOUT_FILENO, F_SETFL, flags | O_NONBLOCK);
}

void
front_cgi_head(struct front_request *rq)
{
	*rq = (struct front_request){ 0 };
	buf_init(&rq->body, 0);
	fault_set(&rq->fault, FAULT_NONE, NULL, "%s", "");
	(void)http_read(&rq->http, environ, NULL, &rq->fault);
}

void
front_cgi_body(struct front_request *rq, const struct config *cfg)
{
	buf_init(&rq->body, cfg->max_body);
	if (rq->fault.code == FAULT_NONE)
		(void)body_read(&rq->http, cfg, &rq->body, &rq->fault);
}

int
front_cgi(struct loop *l, const struct config *cfg, struct api *api,
    struct front_request *req)
{
	struct cgi c = { .loop = l, .cfg = cfg, .sink = { sink_put, sink_end },
	    .flush.run = on_flush, .stall.fire = on_stall, .term.fd = -1 };
	struct api_request rq = { .http = &req->http, .fault = req->fault };
	int rc = -1;

	buf_init(&c.out, CGI_OUT);
	if (cgi_watch(&c) != 0)
		goto out;
	rq.body = req->body.data != NULL ? req->body.data : calloc(1, 1);
	rq.len = req->body.len;
	buf_init(&req->body, 0);	/* given away */
	c.relay = api_start(api, &rq, &c.sink);
	rc = loop_run(l);
	if (c.relay != NULL)
		relay_gone(c.relay);
out:
	loop_timer_cancel(l, &c.stall);
	loop_unpost(l, &c.flush);
	loop_forget(l, &c.out_io);
	loop_forget(l, &c.term);
	if (c.term.fd >= 0)
		close(c.term.fd);
	buf_release(&c.out);
	return rc;
}
