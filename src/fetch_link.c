#include "fetch_own.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "loop.h"
#include "socks.h"
#include "url.h"

#define FETCH_TICK	250	/* ms between looks at a connection */

/* ---- how long it may take ---- */

/* libcurl's own timer for that stays in its tree until it is due, though the
 * connection stands, and for each piece of each answer that tree is turned over
 * several times (7.88, Curl_splay): a fifteenth of the time with 1,000 streams.
 * So the time is not known when a call begins, which is when libcurl sets it.
 * It is when the name is looked up, whatever is in the cache, because from then
 * on it is divided among the addresses. That it is over is noticed here. */
static void
on_lookup(CURL *easy, curl_lock_data what, curl_lock_access how, void *unused)
{
	struct fetch *f = NULL;

	(void)how;
	(void)unused;
	if (what == CURL_LOCK_DATA_DNS)
		(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &f);
	if (f != NULL)
		(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
		    (long)f->t->connect_ms);
}

static int
clock_set(struct fetch *f)
{
	struct loop *l = f->t->fr->loop;
	int64_t due = loop_now(l) + FETCH_TICK;

	return loop_timer_set(l, &f->clock, due < f->late ? due : f->late);
}

static int
clock_start(struct fetch *f)
{
	f->late = loop_now(f->t->fr->loop) + f->t->connect_ms;
	return clock_set(f);
}

static void
on_clock(struct loop_timer *clock)
{
	struct fetch *f = LOOP_OWNER(clock, struct fetch, clock);
	char detail[64];

	if (loop_now(f->t->fr->loop) < f->late) {
		/* When an address had its time, libcurl 7.88 goes to the next
		 * one, but sets no timer to call it. This has it look. */
		(void)curl_easy_pause(f->easy, CURLPAUSE_SEND);
		(void)curl_easy_pause(f->easy, CURLPAUSE_CONT);
		(void)clock_set(f);
		return;
	}
	snprintf(detail, sizeof(detail), "no connection in %d ms",
	    f->t->connect_ms);
	fetch_finish(f, FETCH_TIMEOUT, detail);
}

/* There is one, and the request goes out. */
static int
on_link(void *arg, char *to, char *from, int to_port, int from_port)
{
	struct fetch *f = arg;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	loop_timer_cancel(f->t->fr->loop, &f->clock);
	return CURL_PREREQFUNC_OK;
}

/* ---- its socket ---- */

static curl_socket_t
on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct fetch *f = arg;
	struct fetcher *fr = f->t->fr;
	int fd;

	(void)purpose;
	/* The connection that it was to use again was dead. */
	if (f->clock.place == 0)
		(void)clock_start(f);
	if (f->t->strict && url_near(&a->addr)) {
		f->astray = true;
		return CURL_SOCKET_BAD;
	}
	fd = socks_open(&fr->socks, a->family, a->socktype, a->protocol);
	/* An address family that is off is not a shortage. */
	if (fd < 0 && errno != EAFNOSUPPORT && errno != EPROTONOSUPPORT)
		f->starved = true;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int
on_close(void *arg, curl_socket_t fd)
{
	struct fetcher *fr = arg;

	return socks_close(&fr->socks, fd);
}

static void
on_blind(struct loop_task *t)
{
	struct fetch *f = LOOP_OWNER(t, struct fetch, blind);

	f->cancelled = true;	/* as far as its connection goes */
	fetch_finish(f, FETCH_MEMORY, "its socket cannot be watched");
}

/* libcurl is told of no failure: it would end all calls and refuse new ones
 * (7.88, multi->dead). Only the call itself ends. */
static int
on_want(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
	struct fetcher *fr = arg;
	struct fetch *f = NULL;		/* of a handle that is curl's own */
	int rc;

	(void)unused;
	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &f);
	/* Between two requests. What comes there (a 408 before a load balancer
	 * closes, an answer sent twice) libcurl takes for the next answer: 7.88
	 * looks for a hang-up only before it uses a connection again. One of
	 * HTTP/2 has frames that are no answer. */
	if (what == CURL_POLL_REMOVE && f != NULL && f->headed && !f->paused &&
	    !f->t->http2)
		rc = socks_keep(&fr->socks, fd);
	else
		rc = socks_want(&fr->socks, fd,
		    (what & CURL_POLL_IN ? (unsigned)EPOLLIN : 0) |
		    (what & CURL_POLL_OUT ? (unsigned)EPOLLOUT : 0));
	if (rc != 0 && f != NULL)
		loop_post(fr->loop, &f->blind);
	return 0;
}

/* One that was sent on a kept connection and paused at its first bytes has
 * never wanted its socket: libcurl had them before it said so (7.88). Which
 * socket that is it does not say either, only the port. */
bool
fetch_link_used(void *arg, int fd)
{
	const struct fetcher *fr = arg;
	/* IPv4 has its port in the same place. */
	union { struct sockaddr any; struct sockaddr_in6 v6; } sa = { 0 };
	socklen_t n = sizeof(sa);
	long port;

	if (fr->paused == 0 || getsockname(fd, &sa.any, &n) != 0)
		return false;
	for (const struct fetch *f = fr->live; f != NULL; f = f->next)
		if (f->paused && curl_easy_getinfo(f->easy,
		    CURLINFO_LOCAL_PORT, &port) == CURLE_OK &&
		    port == ntohs(sa.v6.sin6_port))
			return true;
	return false;
}

/* ---- for each fetcher and each call ---- */

int
fetch_link_init(struct fetcher *fr)
{
	if ((fr->share = curl_share_init()) == NULL)
		return -1;
	(void)curl_share_setopt(fr->share, CURLSHOPT_SHARE,
	    CURL_LOCK_DATA_DNS);
	(void)curl_share_setopt(fr->share, CURLSHOPT_LOCKFUNC, on_lookup);
	(void)curl_multi_setopt(fr->multi, CURLMOPT_SOCKETFUNCTION, on_want);
	(void)curl_multi_setopt(fr->multi, CURLMOPT_SOCKETDATA, fr);
	return 0;
}

bool
fetch_link_setup(struct fetch *f)
{
	CURL *e = f->easy;
	bool ok = true;

	f->clock.fire = on_clock;
	f->blind.run = on_blind;
#define SET(opt, value) ok &= curl_easy_setopt(e, opt, value) == CURLE_OK
	SET(CURLOPT_SHARE, f->t->fr->share);
	SET(CURLOPT_PREREQFUNCTION, on_link);
	SET(CURLOPT_PREREQDATA, f);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET(CURLOPT_OPENSOCKETDATA, f);
	SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
	SET(CURLOPT_CLOSESOCKETDATA, f->t->fr);
#undef SET
	return ok;
}

int
fetch_link_start(struct fetch *f)
{
	(void)curl_easy_setopt(f->easy, CURLOPT_CONNECTTIMEOUT_MS, 0L);
	return clock_start(f);
}

void
fetch_link_end(struct fetch *f)
{
	loop_timer_cancel(f->t->fr->loop, &f->clock);
	loop_unpost(f->t->fr->loop, &f->blind);
}
