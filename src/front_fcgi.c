#include "front_fcgi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "front_fcgi_own.h"
#include "log.h"
#include "relay.h"
#include "text.h"

#define FRONT_FULL	(64 * 1024)	/* waiting bytes that pause a stream */
#define FRONT_IN	(16 * RECORD_PARAMS)	/* a byte in each record */
#define FRONT_OUT	(32 * 1024 * 1024)
#define FRONT_KEEP	(16 * 1024)	/* memory that an idle stream holds */
#define FRONT_ACCEPT	16		/* connections taken by one event */
#define FRONT_CUT_MS	100		/* between the last bytes and the cut */
#define FRONT_GRACE_MS	5000		/* of draining: connections are kept */
#define FRONT_SILENT_MS	500		/* then: closed after such a silence */
#define FRONT_PAUSE_MS	1000		/* without descriptors: no accept */

void
front_fcgi_close(struct conn *c)
{
	struct front *f = c->f;
	bool busy = c->state == BUSY;

	c->state = GONE;
	if (c->relay != NULL)
		relay_gone(c->relay);
	loop_forget(f->loop, &c->io);
	loop_timer_cancel(f->loop, &c->timer);
	loop_unpost(f->loop, &c->flush);
	if (busy)
		FCGX_Free(&c->fcgi, 0);
	if (c->io.fd >= 0)
		close(c->io.fd);
	buf_release(&c->in);
	buf_release(&c->body);
	buf_release(&c->out);
	*c->prev = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	free(c);
	if (f->draining && f->conns == NULL)
		f->done(f->done_arg);
}

/* ---- giving the answer out ---- */

static bool
sink_put(struct sink *s, const char *p, size_t n)
{
	struct conn *c = LOOP_OWNER(s, struct conn, sink);

	/* Without memory for it, nothing may follow: on_flush ends it. */
	c->lost = c->lost || record_output(&c->out, &c->open, c->walk.id, p,
	    n) != 0;
	loop_post(c->f->loop, &c->flush);
	/* Until on_flush takes it back, which is how the relay hears of it. */
	c->full = c->full || c->lost || c->out.len - c->out_at > FRONT_FULL;
	return c->full;
}

static void
sink_end(struct sink *s, bool whole)
{
	struct conn *c = LOOP_OWNER(s, struct conn, sink);

	c->relay = NULL;
	c->ended = true;
	c->whole = whole && !c->lost && record_end(&c->out, c->walk.id) == 0;
	loop_post(c->f->loop, &c->flush);
}

/* Make the web server cut its client's connection. A plain end will not do:
 * without a length nginx takes it for the answer's own. A record of a version
 * that does not exist is an error to all of them. */
static void
conn_cut(struct conn *c)
{
	static const char bad[8];

	(void)send(c->io.fd, bad, sizeof(bad), MSG_DONTWAIT | MSG_NOSIGNAL);
	front_fcgi_close(c);
}

/* A kept connection while we drain. The web server may be sending its next
 * request right now, and a POST that is lost it does not repeat: so it is not
 * closed before it was silent for a while. */
static void
conn_idle(struct conn *c)
{
	front_fcgi_due(c, loop_now(c->f->loop) + FRONT_SILENT_MS);
}

/* The answer is out. */
static void
conn_done(struct conn *c)
{
	struct front *f = c->f;
	bool keep = c->fcgi.keepConnection != 0 && (!f->draining ||
	    loop_now(f->loop) < f->grace);

	if (!c->whole) {
		/* Not at once: lighttpd gives an answer that comes in one
		 * piece with its end a Content-Length, and it looks whole. */
		c->cut = true;
		(void)loop_watch(f->loop, &c->io, EPOLLIN | EPOLLRDHUP);
		front_fcgi_due(c, loop_now(f->loop) + FRONT_CUT_MS);
		return;
	}
	if (!keep) {
		front_fcgi_close(c);
		return;
	}
	FCGX_Free(&c->fcgi, 0);
	c->state = IDLE;
	c->ended = c->full = false;
	buf_release(&c->out);
	record_start(&c->walk, f->cfg->max_body);
	front_fcgi_due(c, INT64_MAX);
	if (f->draining)
		conn_idle(c);
	(void)loop_watch(f->loop, &c->io, EPOLLIN | EPOLLRDHUP);
}

/* Go on when the socket takes more; a client that never reads is dropped. */
static void
wait_room(struct conn *c)
{
	struct loop *l = c->f->loop;

	(void)loop_watch(l, &c->io, EPOLLIN | EPOLLRDHUP | EPOLLOUT);
	if (c->timer.due == INT64_MAX)
		front_fcgi_due(c, loop_now(l) + c->f->cfg->stall_ms);
}

/* What the socket takes without waiting. libfcgi could only block here: over
 * TCP a socket that polls writable may take less than one of its records. -1:
 * the web server is gone. */
static int
give(struct conn *c)
{
	ssize_t n;

	if (c->out_at == c->out.len)
		return 0;
	n = send(c->io.fd, c->out.data + c->out_at, c->out.len - c->out_at,
	    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -1;
	if (n > 0) {
		c->out_at += (size_t)n;
		c->open = RECORD_NONE;
		front_fcgi_due(c, INT64_MAX);
		/* For a client that is always a little behind the whole answer
		 * would be kept. Not before it is the larger half: so no more
		 * bytes are moved than were sent. */
		if (c->out_at > FRONT_FULL && c->out_at > c->out.len / 2) {
			buf_drop(&c->out, c->out_at);
			c->out_at = 0;
		}
	}
	return 0;
}

/* Once for each batch: what the relay made in it leaves by one write. */
static void
on_flush(struct loop_task *t)
{
	struct conn *c = LOOP_OWNER(t, struct conn, flush);

	if (give(c) != 0) {
		front_fcgi_close(c);
		return;
	}
	if (c->out_at < c->out.len) {
		wait_room(c);
		return;
	}
	c->out_at = 0;
	if (c->out.cap > FRONT_KEEP)
		buf_release(&c->out);
	else
		buf_clear(&c->out);
	if (c->ended) {
		conn_done(c);
		return;
	}
	(void)loop_watch(c->f->loop, &c->io, EPOLLIN | EPOLLRDHUP);
	if (c->full) {
		c->full = false;
		if (c->relay != NULL && c->lost)
			relay_stop(c->relay);
		else if (c->relay != NULL)
			relay_drained(c->relay);
	}
}

static void
on_ready(struct loop_io *io, unsigned events)
{
	struct conn *c = LOOP_OWNER(io, struct conn, io);

	if (c->state == IDLE) {
		if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			front_fcgi_readable(c);
		return;
	}
	/* The web server has nothing more to say while we answer: whatever
	 * can be read is its end, or an abort. */
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		/* lighttpd half-closes to tell that the client left, and logs
		 * an error unless the request still ends in order. */
		if (!(events & (EPOLLHUP | EPOLLERR)) && !c->ended &&
		    record_end(&c->out, c->walk.id) == 0)
			(void)give(c);
		front_fcgi_close(c);
		return;
	}
	if (events & EPOLLOUT)
		loop_post(c->f->loop, &c->flush);
}

/* A request that does not arrive, a client that does not read, a cut. */
static void
on_deadline(struct loop_timer *t)
{
	struct conn *c = LOOP_OWNER(t, struct conn, timer);
	char first, span[32];

	if (c->cut) {
		conn_cut(c);
		return;
	}
	if (c->state == IDLE && c->f->draining && c->walk.at == 0) {
		/* If it was we who stood still, the next request is here. */
		if (recv(c->io.fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
			front_fcgi_readable(c);
		else
			front_fcgi_close(c);
		return;
	}
	if (c->state == IDLE) {
		text_ago(span, c->f->cfg->body_ms);
		log_msg(LOG_INFO, "body_timeout", "a connection was closed: "
		    "its request was not whole after %s", span);
	} else {
		text_ago(span, c->f->cfg->stall_ms);
		log_msg(LOG_INFO, "client_stalled", "a connection was closed: "
		    "it took nothing of the answer for %s", span);
	}
	front_fcgi_close(c);
}

/* ---- the listener ---- */

static void
conn_new(struct front *f, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return;
	}
	*c = (struct conn){ .f = f, .io = { .fd = fd, .ready = on_ready },
	    .sink = { sink_put, sink_end }, .open = RECORD_NONE,
	    .flush.run = on_flush, .timer.fire = on_deadline };
	buf_init(&c->in, FRONT_IN);
	buf_init(&c->body, f->cfg->max_body);
	buf_init(&c->out, FRONT_OUT);
	record_start(&c->walk, f->cfg->max_body);
	c->prev = &f->conns;
	c->next = f->conns;
	if (c->next != NULL)
		c->next->prev = &c->next;
	f->conns = c;
	if (loop_watch(f->loop, &c->io, EPOLLIN | EPOLLRDHUP) != 0 ||
	    loop_timer_set(f->loop, &c->timer,
	    loop_now(f->loop) + f->cfg->body_ms) != 0) {
		front_fcgi_close(c);
		return;
	}
	/* Most peers have sent all by now: one epoll_wait saved. */
	front_fcgi_readable(c);
}

static void
on_listen(struct loop_io *io, unsigned events)
{
	struct front *f = LOOP_OWNER(io, struct front, listen);

	(void)events;
	for (int i = 0; i < FRONT_ACCEPT; i++) {
		int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0 && f->welcome != NULL && !f->welcome(fd)) {
			close(fd);
			continue;
		}
		if (fd >= 0) {
			f->used = true;
			conn_new(f, fd);
			continue;
		}
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;
		/* No descriptors left, or a socket that somebody shut down:
		 * to come back at once would be to spin. */
		log_msg(LOG_WARN, "accept", "%s: new connections wait for a "
		    "second", strerror(errno));
		loop_forget(f->loop, &f->listen);
		(void)loop_timer_set(f->loop, &f->again,
		    loop_now(f->loop) + FRONT_PAUSE_MS);
		return;
	}
}

static void
on_again(struct loop_timer *t)
{
	struct front *f = LOOP_OWNER(t, struct front, again);

	/* What there was too little of may still be short. */
	(void)loop_timer_set(f->loop, t, loop_watch(f->loop, &f->listen,
	    EPOLLIN | EPOLLEXCLUSIVE) == 0 ? INT64_MAX :
	    loop_now(f->loop) + FRONT_PAUSE_MS);
}

struct front *
front_fcgi_new(struct loop *l, const struct config *cfg, struct api *api,
    int fd, bool (*welcome)(int fd))
{
	struct front *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->loop = l;
	f->cfg = cfg;
	f->api = api;
	f->welcome = welcome;
	f->listen.fd = fd;
	f->listen.ready = on_listen;
	f->again.fire = on_again;
	f->peek = malloc(FRONT_PEEK);
	/* libfcgi must not linger when it closes a connection (2 s and more):
	 * read when it starts. */
	(void)setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
	/* EXCLUSIVE: one of several workers wakes up, not all. */
	if (f->peek == NULL || FCGX_Init() != 0 ||
	    loop_timer_set(l, &f->again, INT64_MAX) != 0 ||
	    loop_watch(l, &f->listen, EPOLLIN | EPOLLEXCLUSIVE) != 0) {
		loop_timer_cancel(l, &f->again);
		free(f->peek);
		free(f);
		return NULL;
	}
	return f;
}

bool
front_fcgi_used(struct front *f)
{
	bool used = f->used || f->conns != NULL;

	f->used = false;
	return used;
}

bool
front_fcgi_log(void *arg, const char *p, size_t n)
{
	struct front *f = arg;

	for (struct conn *c = f->conns; c != NULL; c = c->next) {
		if (c->state != BUSY || c->ended ||
		    record_error(&c->out, &c->open, c->walk.id, p, n) != 0)
			continue;
		loop_post(f->loop, &c->flush);
		return true;
	}
	return false;
}

void
front_fcgi_drain(struct front *f, void (*done)(void *), void *arg)
{
	struct conn *c, *next;

	f->draining = true;
	f->grace = loop_now(f->loop) + FRONT_GRACE_MS;
	f->done = done;
	f->done_arg = arg;
	loop_forget(f->loop, &f->listen);
	loop_timer_cancel(f->loop, &f->again);
	if (f->conns == NULL) {
		done(arg);
		return;
	}
	for (c = f->conns; c != NULL; c = next) {
		next = c->next;
		if (c->state == IDLE && c->walk.at == 0)
			conn_idle(c);
	}
}

void
front_fcgi_stop(struct front *f)
{
	f->grace = 0;
	for (struct conn *c = f->conns; c != NULL; c = c->next)
		if (c->relay != NULL)
			relay_stop(c->relay);
}

void
front_fcgi_free(struct front *f)
{
	if (f == NULL)
		return;
	f->draining = false;
	while (f->conns != NULL)
		front_fcgi_close(f->conns);	/* NOLINT: it unlinks itself */
	loop_forget(f->loop, &f->listen);
	loop_timer_cancel(f->loop, &f->again);
	free(f->peek);
	free(f);
}
