#include "fetch.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "fetch_own.h"
#include "loop.h"
#include "socks.h"

#define FETCH_HEAD	(64 * 1024)	/* bytes of an answer's head */
#define FETCH_KEEP	(4 * 1024)	/* of it, that an idle call keeps */
#define FETCH_SPARE	64		/* idle calls that a target keeps */
#define FETCH_IDLE	256		/* connections kept without a call */
#define FETCH_RETRIES	5		/* of libcurl's own, after dead ones */
#define FETCH_TURN	(48 * 1024)	/* what one receive takes at most */
#define FETCH_SEND	(16 * 1024)	/* what one send takes */
#define FETCH_BIG	(64 * 1024)	/* ... of a body above FETCH_SEND */

static void	reap(struct fetcher *fr);
static void	turn_tell(struct fetcher *fr);

/* ---- curl's sockets and its timer on the loop ---- */

/* curl was called: what it brought is told, then what came to its end. */
static void
leave(struct fetcher *fr)
{
	turn_tell(fr);
	fr->inside = false;
	reap(fr);
}

static void
act(struct fetcher *fr, curl_socket_t fd, int what)
{
	int running;

	fr->inside = true;
	(void)curl_multi_socket_action(fr->multi, fd, what, &running);
	leave(fr);
}

static void
on_timer(struct loop_timer *t)
{
	struct fetcher *fr = LOOP_OWNER(t, struct fetcher, timer);

	(void)loop_timer_set(fr->loop, t, INT64_MAX);
	act(fr, CURL_SOCKET_TIMEOUT, 0);
}

static void
on_socket(void *arg, int fd, unsigned events)
{
	int what = 0;

	if (events & EPOLLIN)
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		what |= CURL_CSELECT_ERR;
	act(arg, fd, what);
}

/* Only stores: curl must not be called from its own timer callback. While there
 * are calls the timer keeps its place on the loop, so that this cannot fail: if
 * it were told so, libcurl would end all calls and refuse new ones (7.88,
 * multi->dead). */
static int
on_deadline(CURLM *multi, long ms, void *arg)
{
	struct fetcher *fr = arg;

	(void)multi;
	(void)loop_timer_set(fr->loop, &fr->timer,
	    ms < 0 ? INT64_MAX : loop_now(fr->loop) + ms);
	return 0;
}

struct fetcher *
fetcher_new(struct loop *l)
{
	struct fetcher *fr = calloc(1, sizeof(*fr));

	if (fr == NULL)
		return NULL;
	fr->loop = l;
	fr->timer.fire = on_timer;
	socks_init(&fr->socks, l, on_socket, fetch_link_used, fr);
	buf_init(&fr->turn, FETCH_TURN);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
	    (fr->multi = curl_multi_init()) == NULL ||
	    fetch_link_init(fr) != 0) {
		if (fr->multi != NULL)
			(void)curl_multi_cleanup(fr->multi);
		free(fr);
		return NULL;
	}
	(void)curl_multi_setopt(fr->multi, CURLMOPT_TIMERFUNCTION, on_deadline);
	(void)curl_multi_setopt(fr->multi, CURLMOPT_TIMERDATA, fr);
	return fr;
}

void
fetcher_free(struct fetcher *fr)
{
	struct fetch_target *t;

	if (fr == NULL)
		return;
	while (fr->live != NULL)
		fetch_cancel(fr->live);	/* NOLINT: it unlinks itself */
	while ((t = fr->targets) != NULL) {
		fr->targets = t->next;
		fetch_target_free(t);
	}
	(void)curl_multi_cleanup(fr->multi);
	(void)curl_share_cleanup(fr->share);
	loop_timer_cancel(fr->loop, &fr->timer);
	socks_release(&fr->socks);
	buf_release(&fr->turn);
	free(fr);
	curl_global_cleanup();
}

/* ---- one call ---- */

/* Its connection is not kept when enough are idle, beside those of which
 * nothing is wanted because their call is paused. libcurl's own maximum counts
 * those in use, so that above it none is used again, and costs a search through
 * all at each end: 70 us among 1,000. So that stands well above what is kept,
 * for what is not seen here: calls without a socket yet, or many on one. Once
 * in a turn, within which no call comes or ends. */
static void
connection_keep(struct fetch *f)
{
	const struct fetcher *fr = f->t->fr;
	bool last = fr->socks.idle >= FETCH_IDLE + fr->paused;

	if (last != f->last)
		(void)curl_easy_setopt(f->easy, CURLOPT_FORBID_REUSE,
		    (long)last);
	f->last = last;
}

/* Heads come line by line; a new status line (after a 1xx) begins anew. */
static size_t
on_head(char *p, size_t one, size_t n, void *arg)
{
	struct fetch *f = arg;
	long status = 0;

	(void)one;
	if (f->cancelled)
		return 0;
	if (f->headed)
		return n;			/* trailers */
	if (n > 5 && memcmp(p, "HTTP/", 5) == 0)
		buf_clear(&f->head);
	if (n > 2 || (n > 0 && *p != '\r' && *p != '\n'))
		return buf_put(&f->head, p, n) == 0 ? n : 0;
	(void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 100 && status < 200)
		return n;
	f->headed = true;
	f->events->head(f->arg, (int)status, f->head.data ? f->head.data : "",
	    f->head.len);
	return f->cancelled ? 0 : n;
}

static void
tell(struct fetch *f, const char *p, size_t n)
{
	if (f->events->body(f->arg, p, n) && !f->cancelled) {
		f->t->fr->paused += !f->paused;
		f->paused = true;
		/* Both ways: of a call that may still send, 8.14 runs again at
		 * once and reads on (Curl_sendrecv, sendrecv_dl). */
		(void)curl_easy_pause(f->easy, CURLPAUSE_ALL);
	}
}

/* What was collected is told. */
static void
turn_tell(struct fetcher *fr)
{
	struct fetch *f = fr->turn_of;

	fr->turn_of = NULL;
	if (f != NULL && !f->cancelled)
		tell(f, fr->turn.data, fr->turn.len);
	buf_clear(&fr->turn);
}

/* curl calls this for each HTTP chunk, 80 times when one receive brought 80
 * events. All that comes in one turn is told at once, when curl returns; that
 * is no later for the client, whose bytes leave at the end of the batch. */
static size_t
on_body(char *p, size_t one, size_t n, void *arg)
{
	struct fetch *f = arg;
	struct fetcher *fr = f->t->fr;

	(void)one;
	if (f->cancelled || n == 0)
		return 0;
	if (fr->turn_of != f || n > FETCH_TURN - fr->turn.len) {
		connection_keep(f);
		turn_tell(fr);
		if (f->cancelled)
			return 0;
		/* As much as fits, or no memory: no need to copy it. */
		if (n >= FETCH_TURN ||
		    buf_reserve(&fr->turn, FETCH_TURN) != 0) {
			tell(f, p, n);
			return f->cancelled ? 0 : n;
		}
		fr->turn_of = f;
	}
	memcpy(fr->turn.data + fr->turn.len, p, n);
	fr->turn.len += n;
	return n;
}

static bool
easy_setup(struct fetch *f)
{
	struct fetch_target *t = f->t;
	CURL *e = f->easy;
	bool ok = true;

#define SET(opt, value) ok &= curl_easy_setopt(e, opt, value) == CURLE_OK
	/* Not as text, which curl would take apart and print anew for each
	 * call. */
	SET(CURLOPT_CURLU, t->url);
	SET(CURLOPT_HTTPHEADER, t->headers);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, t->http2 ? CURL_HTTP_VERSION_2TLS :
	    CURL_HTTP_VERSION_1_1);
	if (t->http2)
		SET(CURLOPT_PIPEWAIT, 1L);
	SET(CURLOPT_PROXY, t->proxy);
	if (t->proxy[0] == '\0')
		SET(CURLOPT_NOPROXY, "");	/* nor is the env searched */
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_NOSIGNAL, 1L);
	/* Else a call that ends during its look-up waits for the resolver's
	 * thread, and with it everything: 5 to 20 s with a dead name server
	 * (libcurl 7.88, Curl_resolver_kill). */
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_BUFFERSIZE, (long)FETCH_TURN);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)FETCH_SEND);
	if (t->ca_path != NULL) {
		SET(CURLOPT_CAPATH, t->ca_is_dir ? t->ca_path : NULL);
		SET(CURLOPT_CAINFO, t->ca_is_dir ? NULL : t->ca_path);
	}
	SET(CURLOPT_HEADERFUNCTION, on_head);
	SET(CURLOPT_HEADERDATA, f);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, f);
	SET(CURLOPT_PRIVATE, f);
	SET(CURLOPT_ERRORBUFFER, f->error);
#undef SET
	return ok && fetch_link_setup(f);
}

static struct fetch *
fetch_new(struct fetch_target *t)
{
	struct fetch *f = t->spare;

	if (f != NULL) {
		t->spare = f->next;
		t->nspare--;
		return f;
	}
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return NULL;
	f->t = t;
	buf_init(&f->head, FETCH_HEAD);
	f->easy = curl_easy_init();
	if (f->easy == NULL || !easy_setup(f)) {
		fetch_free(f);
		return NULL;
	}
	return f;
}

/* Take f off the multi handle and put it by for the next call. */
static void
fetch_drop(struct fetch *f)
{
	struct fetch_target *t = f->t;
	long connects = 0;

	/* With HTTP/2 this closes the connection if f was its last stream:
	 * else the cancel would not be sent (see fetch.h). */
	if (f->cancelled)
		(void)curl_easy_setopt(f->easy, CURLOPT_FORBID_REUSE, 1L);
	(void)curl_multi_remove_handle(t->fr->multi, f->easy);
	fetch_link_end(f);
	if (--t->fr->calls == 0)
		loop_timer_cancel(t->fr->loop, &t->fr->timer);
	t->fr->paused -= f->paused;
	*f->prev = f->next;
	if (f->next != NULL)
		f->next->prev = f->prev;
	if (f->head.cap > FETCH_KEEP)
		buf_release(&f->head);
	/* libcurl counts silent retries on a fresh connection over the whole
	 * life of a handle and gives up at the sixth (7.88, retrycount): one
	 * that made a connection is not used again. */
	(void)curl_easy_getinfo(f->easy, CURLINFO_NUM_CONNECTS, &connects);
	if (connects > 0 || t->nspare >= FETCH_SPARE) {
		fetch_free(f);
		return;
	}
	f->next = t->spare;
	t->spare = f;
	t->nspare++;
}

/* With none idle libcurl looks at each that is in use, in vain. And of one that
 * was used in the last second 8.23 believes that it lives. */
static bool
connection_new(const struct socks *s)
{
	return s->idle == s->ended || s->ended > FETCH_RETRIES;
}

/* 8.14 has what it sends from, zeroed, for as long as a call lasts: the least,
 * but not for a body that would leave in a dozen pieces. */
static void
room_set(struct fetch *f, size_t n)
{
	bool big = n > FETCH_SEND;

	if (big != f->big)
		(void)curl_easy_setopt(f->easy, CURLOPT_UPLOAD_BUFFERSIZE,
		    big ? (long)FETCH_BIG : (long)FETCH_SEND);
	f->big = big;
}

struct fetch *
fetch_start(struct fetcher *fr, struct fetch_target *t, const char *body,
    size_t n, const struct fetch_events *events, void *arg)
{
	struct fetch *f = fetch_new(t);
	CURL *e;

	if (f == NULL)
		return NULL;
	f->events = events;
	f->arg = arg;
	f->headed = f->cancelled = f->paused = f->starved = false;
	f->last = f->astray = false;
	f->error[0] = '\0';
	buf_clear(&f->head);
	e = f->easy;
	(void)curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 0L);
	(void)curl_easy_setopt(e, CURLOPT_FRESH_CONNECT,
	    (long)(connection_new(&fr->socks) && !t->http2));
	if (body != NULL) {
		room_set(f, n);
		(void)curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)n);
		(void)curl_easy_setopt(e, CURLOPT_POSTFIELDS, body);
	} else {
		(void)curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	}
	f->next = fr->live;
	f->prev = &fr->live;
	if (f->next != NULL)
		f->next->prev = &f->next;
	fr->live = f;
	(void)curl_multi_setopt(fr->multi, CURLMOPT_MAXCONNECTS,
	    ++fr->calls + 2L * FETCH_IDLE);
	if (fetch_link_start(f) != 0 || (fr->timer.place == 0 &&
	    loop_timer_set(fr->loop, &fr->timer, INT64_MAX) != 0) ||
	    curl_multi_add_handle(fr->multi, e) != CURLM_OK) {
		fetch_drop(f);
		return NULL;
	}
	return f;
}

void
fetch_cancel(struct fetch *f)
{
	struct fetcher *fr = f->t->fr;

	if (f->cancelled)
		return;
	f->cancelled = true;
	if (!fr->inside) {
		fetch_drop(f);
		return;
	}
	/* curl refuses to be called back from inside: after it returned. */
	f->doom = fr->doomed;
	fr->doomed = f;
}

void
fetch_resume(struct fetch *f)
{
	struct fetcher *fr = f->t->fr;

	if (!f->paused || f->cancelled)
		return;
	f->paused = false;
	fr->paused--;
	fr->inside = true;
	(void)curl_easy_pause(f->easy, CURLPAUSE_CONT);
	leave(fr);
}

void
fetch_finish(struct fetch *f, enum fetch_result result, const char *detail)
{
	const struct fetch_events *events = f->events;
	void *arg = f->arg;

	fetch_drop(f);
	events->done(arg, result, detail);
}

/* Finished calls tell their end; cancelled ones just go. */
static void
reap(struct fetcher *fr)
{
	struct fetch *f;
	CURLMsg *m;
	int left;

	while ((f = fr->doomed) != NULL) {
		fr->doomed = f->doom;
		fetch_drop(f);
	}
	while ((m = curl_multi_info_read(fr->multi, &left)) != NULL) {
		char detail[CURL_ERROR_SIZE];
		CURLcode code = m->data.result;
		enum fetch_result result;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &f);
		result = fetch_judge(code, &f->head, f->headed);
		if (result == FETCH_REFUSED && f->starved)
			result = FETCH_MEMORY;
		else if (result == FETCH_REFUSED && f->astray)
			result = FETCH_ASTRAY;
		if (code == CURLE_OK)
			detail[0] = '\0';
		else if (result == FETCH_ASTRAY)
			strcpy(detail, "its public name leads to this machine "
			    "or its link");
		else
			strcpy(detail, f->error[0] ? f->error :
			    curl_easy_strerror(code));
		fetch_finish(f, result, detail);
	}
}
