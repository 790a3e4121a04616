#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define socks_open	fake_open
#define socks_want	fake_want
#include "../../src/fetch.c"
#include "../../src/fetch_link.c"
#include "../../src/fetch_judge.c"
#undef socks_open
#undef socks_want

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int socks_open(struct socks *s, int family, int type, int protocol);
int socks_want(struct socks *s, int fd, unsigned events);

struct heard {
	struct loop	*loop;
	enum fetch_result result;
	int		 status;
	bool		 only_head;	/* it is all that is waited for */
	int		 ends;
};

static bool none_left;		/* no descriptor is */
static bool none_watched;	/* the kernel has no room for one more */
static bool no_room;		/* nor have the loop's timers */
static struct fetch *victim;	/* its client leaves then */
static struct loop *stopped;

int
fake_open(struct socks *s, int family, int type, int protocol)
{
	if (!none_left)
		return socks_open(s, family, type, protocol);
	if (victim != NULL) {
		fetch_cancel(victim);
		loop_stop(stopped);
	}
	errno = EMFILE;
	return -1;
}

int
fake_want(struct socks *s, int fd, unsigned events)
{
	return none_watched && events != 0 ? -1 : socks_want(s, fd, events);
}

/* By which the loop makes room for its timers. */
void *
reallocarray(void *p, size_t n, size_t size)
{
	return no_room ? NULL : realloc(p, n * size);
}

static void
on_some_head(void *arg, int status, const char *head, size_t n)
{
	struct heard *h = arg;

	(void)head;
	(void)n;
	h->status = status;
	if (h->only_head)
		loop_stop(h->loop);
}

static bool
on_some_body(void *arg, const char *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
	return false;
}

static void
on_end(void *arg, enum fetch_result result, const char *detail)
{
	struct heard *h = arg;

	(void)detail;
	h->result = result;
	h->ends++;
	loop_stop(h->loop);
}

static const struct fetch_events events = { on_some_head, on_some_body,
    on_end };

/* A port of ours that nobody listens on; *port 0: any, else that one. */
static int
deaf(const char *ip, int *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
	    .sin_addr.s_addr = inet_addr(ip), .sin_port = htons(*port) };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

/* Let nobody in who knocks at fd, without a word: its queue is full. *full is
 * the connection that fills it. */
static void
fall_silent(int fd, int *full)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);

	*full = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(connect(*full, (struct sockaddr *)&sa, len), 0);
}

/* A server of one connection. */
struct server {
	struct loop_io	 io, conn;
	struct loop	*loop;
	const char	*says;
};

static void
on_question(struct loop_io *io, unsigned seen)
{
	struct server *s = LOOP_OWNER(io, struct server, conn);
	char question[4096];

	(void)seen;
	assert_true(read(io->fd, question, sizeof(question)) > 0);
	assert_int_equal(write(io->fd, s->says, strlen(s->says)),
	    (ssize_t)strlen(s->says));
	loop_forget(s->loop, io);
}

static void
on_client(struct loop_io *io, unsigned seen)
{
	struct server *s = LOOP_OWNER(io, struct server, io);

	(void)seen;
	s->conn.fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
	s->conn.ready = on_question;
	assert_int_equal(loop_watch(s->loop, &s->conn, EPOLLIN), 0);
}

static void
server_start(struct server *s, struct loop *l, int fd, const char *says)
{
	*s = (struct server){ .io = { .fd = fd, .ready = on_client },
	    .conn.fd = -1, .loop = l, .says = says };
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(loop_watch(l, &s->io, EPOLLIN), 0);
}

static void
server_end(struct server *s)
{
	loop_forget(s->loop, &s->io);
	loop_forget(s->loop, &s->conn);
	close(s->conn.fd);
}

static struct fetch_target *
target_at(struct fetcher *fr, const char *host, int port, int connect_ms)
{
	static const char *const none[] = { NULL };
	char url[64];

	snprintf(url, sizeof(url), "http://%s:%d/", host, port);
	return fetch_target(fr, &(struct fetch_spec){ .url = url,
	    .headers = none, .ca_path = "", .proxy = "",
	    .connect_ms = connect_ms, .insecure = true });
}

static void
a_shortage_is_that_of_its_own_call(void **state)
{
	struct heard h = { .loop = loop_new() };
	struct fetcher *fr = fetcher_new(h.loop);
	int port = 0, fd = deaf("127.0.0.1", &port);
	struct fetch_target *t = target_at(fr, "127.0.0.1", port, 5000);

	(void)state;
	assert_non_null(t);
	none_left = true;
	assert_non_null(fetch_start(fr, t, "x", 1, &events, &h));
	loop_run(h.loop);
	assert_int_equal(h.result, FETCH_MEMORY);
	/* One that is cancelled in it never tells. */
	victim = fetch_start(fr, t, "x", 1, &events, &h);
	stopped = h.loop;
	loop_run(h.loop);
	assert_int_equal(h.ends, 1);
	none_left = false;
	assert_non_null(fetch_start(fr, t, "x", 1, &events, &h));
	loop_run(h.loop);
	assert_int_equal(h.ends, 2);
	assert_int_equal(h.result, FETCH_REFUSED);
	fetcher_free(fr);
	loop_free(h.loop);
	close(fd);
}

/* One call is under way, the next one's socket cannot be watched, and a third
 * comes after it. */
static void
what_cannot_be_watched_is_its_own_call(void **state)
{
	struct heard h = { .loop = loop_new() }, first = { .loop = h.loop,
	    .only_head = true };
	struct fetcher *fr = fetcher_new(h.loop);
	int port[3] = { 0 }, fd[3];
	struct fetch_target *t[3];
	struct server s[2];

	(void)state;
	for (int i = 0; i < 3; i++) {
		fd[i] = deaf("127.0.0.1", &port[i]);
		t[i] = target_at(fr, "127.0.0.1", port[i], 5000);
	}
	server_start(&s[0], h.loop, fd[0], "HTTP/1.1 200 OK\r\n\r\n");
	server_start(&s[1], h.loop, fd[1], "HTTP/1.1 204 No Content\r\n\r\n");
	assert_int_equal(listen(fd[2], 5), 0);
	assert_non_null(fetch_start(fr, t[0], "x", 1, &events, &first));
	loop_run(h.loop);
	assert_int_equal(first.status, 200);
	none_watched = true;
	assert_non_null(fetch_start(fr, t[2], "x", 1, &events, &h));
	loop_run(h.loop);
	assert_int_equal(h.ends, 1);
	assert_int_equal(h.result, FETCH_MEMORY);
	none_watched = false;
	assert_non_null(fetch_start(fr, t[1], "x", 1, &events, &h));
	loop_run(h.loop);
	assert_int_equal(h.result, FETCH_OK);
	assert_int_equal(h.status, 204);
	assert_int_equal(first.ends, 0);
	server_end(&s[0]);		/* which is the end of its answer */
	loop_run(h.loop);
	assert_int_equal(first.ends, 1);
	assert_int_equal(first.result, FETCH_OK);
	fetcher_free(fr);
	server_end(&s[1]);
	loop_free(h.loop);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
}

/* A loop without memory, and room for one timer, then for two. */
static void
a_call_has_its_timers_or_is_none(void **state)
{
	static struct loop_timer fill[1000];
	struct heard h = { .loop = loop_new() };
	struct fetcher *fr = fetcher_new(h.loop);
	int port = 0, fd = deaf("127.0.0.1", &port), n = 0;
	struct fetch_target *t = target_at(fr, "127.0.0.1", port, 5000);
	struct server s;

	(void)state;
	server_start(&s, h.loop, fd, "HTTP/1.1 204 No Content\r\n\r\n");
	/* These have room. */
	assert_int_equal(loop_timer_set(h.loop, &fill[n++], INT64_MAX), 0);
	(void)socks_close(&fr->socks, socks_open(&fr->socks, AF_INET,
	    SOCK_STREAM, 0));
	no_room = true;
	while (loop_timer_set(h.loop, &fill[n], INT64_MAX) == 0)
		n++;
	loop_timer_cancel(h.loop, &fill[--n]);
	assert_null(fetch_start(fr, t, "x", 1, &events, &h));
	loop_timer_cancel(h.loop, &fill[--n]);
	assert_non_null(fetch_start(fr, t, "x", 1, &events, &h));
	loop_run(h.loop);
	assert_int_equal(h.ends, 1);
	assert_int_equal(h.result, FETCH_OK);
	no_room = false;
	fetcher_free(fr);
	server_end(&s);
	loop_free(h.loop);
	close(fd);
}

/* ---- what nobody asked for ---- */

static char text[64];			/* the last body */

static bool
on_text(void *arg, const char *p, size_t n)
{
	(void)arg;
	strncat(text, p, n < 32 ? n : 32);
	return false;
}

static void
say(int fd, const char *what)
{
	dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
	    strlen(what), what);
}

/* Answers one request on each of two connections, or two on the first; behind
 * the first answer it sends another one, once it is told to. */
static void
serve(int listener, int go, int done)
{
	char p[4096];
	int fd = accept(listener, NULL, NULL), again;

	if (read(fd, p, sizeof(p)) <= 0)
		_exit(1);
	say(fd, "first");
	if (read(go, p, 1) != 1)
		_exit(2);
	say(fd, "stray");
	if (write(done, "x", 1) != 1)
		_exit(3);
	if (read(fd, p, sizeof(p)) > 0) {
		say(fd, "second");
	} else {
		again = accept(listener, NULL, NULL);
		if (read(again, p, sizeof(p)) <= 0)
			_exit(4);
		say(again, "second");
	}
	_exit(0);
}

static void
on_done(struct loop_io *io, unsigned seen)
{
	(void)io;
	(void)seen;
	loop_stop(stopped);
}

static void
what_comes_between_two_requests_is_no_answer(void **state)
{
	static const struct fetch_events told = { on_some_head, on_text,
	    on_end };
	struct heard h = { .loop = loop_new() };
	struct fetcher *fr = fetcher_new(h.loop);
	struct loop_io io = { .ready = on_done };
	int port = 0, fd = deaf("127.0.0.1", &port);
	struct fetch_target *t = target_at(fr, "127.0.0.1", port, 5000);
	int go[2], done[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(pipe(go) | pipe(done), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		serve(fd, go[0], done[1]);
	assert_non_null(fetch_start(fr, t, "x", 1, &told, &h));
	loop_run(h.loop);
	assert_string_equal(text, "first");
	fr->paused = 1;			/* on a connection of its own */
	/* Until it has come, and the loop has seen it. */
	stopped = h.loop;
	io.fd = done[0];
	assert_int_equal(loop_watch(h.loop, &io, EPOLLIN), 0);
	assert_int_equal(write(go[1], "x", 1), 1);
	loop_run(h.loop);
	loop_forget(h.loop, &io);
	fr->paused = 0;
	text[0] = '\0';
	assert_non_null(fetch_start(fr, t, "x", 1, &told, &h));
	loop_run(h.loop);
	assert_int_equal(h.ends, 2);
	assert_int_equal(h.result, FETCH_OK);
	assert_string_equal(text, "second");
	fetcher_free(fr);
	loop_free(h.loop);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
	close(go[0]);
	close(go[1]);
	close(done[0]);
	close(done[1]);
}

#define EARLY	(3 * FETCH_TURN)

/* Answers a request, and sends all but the last byte of the next answer before
 * it is asked again; that when told to. */
static void
serve_early(int listener, int go, int done)
{
	int fd = accept(listener, NULL, NULL);
	char p[4096];

	alarm(60);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ 1 << 20 },
	    sizeof(int));
	if (read(fd, p, sizeof(p)) <= 0)
		_exit(1);
	say(fd, "first");
	if (read(go, p, 1) != 1)
		_exit(2);
	dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%*s",
	    EARLY + 1, EARLY, "x");
	if (write(done, "x", 1) != 1 || read(fd, p, sizeof(p)) <= 0)
		_exit(3);
	if (read(go, p, 1) != 1)
		_exit(4);
	dprintf(fd, "x");
	if (write(done, "x", 1) != 1)
		_exit(5);
	_exit(read(fd, p, sizeof(p)) == 0 ? 0 : 6);
}

static size_t got;			/* bytes of the last body */

static bool
on_part(void *arg, const char *p, size_t n)
{
	(void)p;
	got += n;
	loop_stop(((struct heard *)arg)->loop);
	return got <= EARLY;
}

/* A request on a kept connection whose answer is there at once, and whose
 * client takes no more: what comes then is the rest of it. */
static void
what_pauses_at_once_is_not_ended(void **state)
{
	static const struct fetch_events told = { on_some_head, on_part,
	    on_end };
	struct heard h = { .loop = loop_new() };
	struct fetcher *fr = fetcher_new(h.loop);
	struct loop_io io = { .ready = on_done };
	int port = 0, fd = deaf("127.0.0.1", &port), go[2], done[2], status;
	struct fetch_target *t = target_at(fr, "127.0.0.1", port, 5000);
	struct fetch *f;
	bool seven;
	char c;
	pid_t pid;

	(void)state;
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(pipe(go) | pipe(done), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		serve_early(fd, go[0], done[1]);
	assert_non_null(fetch_start(fr, t, "x", 1, &events, &h));
	while (h.ends == 0)
		loop_run(h.loop);
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_int_equal(read(done[0], &c, 1), 1);
	/* Not by the loop, which would take the bytes for a stray's. */
	assert_non_null(f = fetch_start(fr, t, "x", 1, &told, &h));
	act(fr, CURL_SOCKET_TIMEOUT, 0);
	/* libcurl 8 takes no connection on which something has come. */
	seven = curl_version_info(CURLVERSION_NOW)->version_num < 0x080000;
	assert_int_equal(f->paused, seven);
	stopped = h.loop;
	io.fd = done[0];
	assert_int_equal(loop_watch(h.loop, &io, EPOLLIN), 0);
	assert_int_equal(write(go[1], "x", 1), 1);
	if (seven)
		loop_run(h.loop);
	loop_forget(h.loop, &io);
	while (seven && h.ends == 1)
		if (f->paused)
			fetch_resume(f);
		else
			loop_run(h.loop);
	assert_int_equal(h.result, FETCH_OK);
	assert_int_equal(got, seven ? EARLY + 1 : 0);
	fetcher_free(fr);
	loop_free(h.loop);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), seven ? 0 : 3);
	close(fd);
	close(go[0]);
	close(go[1]);
	close(done[0]);
	close(done[1]);
}

/* More than the five that libcurl tries again in silence. */
#define ENDED	8

/* Answers a request on each of ENDED connections at once, says something more
 * on each when told to, and closes it; then answers one that is new. */
static void
serve_and_close(int listener, int go, int done)
{
	int fd[ENDED];
	char p[4096];

	alarm(60);	/* it has no client when the test fails */
	for (int i = 0; i < ENDED; i++) {
		fd[i] = accept(listener, NULL, NULL);
		if (read(fd[i], p, sizeof(p)) <= 0)
			_exit(1);
	}
	for (int i = 0; i < ENDED; i++)
		say(fd[i], "first");
	if (read(go, p, 1) != 1)
		_exit(2);
	for (int i = 0; i < ENDED; i++) {
		say(fd[i], "stray");
		close(fd[i]);
	}
	if (write(done, "x", 1) != 1)
		_exit(3);
	fd[0] = accept(listener, NULL, NULL);
	if (read(fd[0], p, sizeof(p)) <= 0)
		_exit(4);
	say(fd[0], "second");
	_exit(0);
}

/* A provider that ends all idle connections with a last word, as TLS does. */
static void
what_ended_while_idle_is_not_tried(void **state)
{
	struct heard h = { .loop = loop_new() };
	struct fetcher *fr = fetcher_new(h.loop);
	struct loop_io io = { .ready = on_done };
	int port = 0, fd = deaf("127.0.0.1", &port), go[2], done[2], status;
	struct fetch_target *t = target_at(fr, "127.0.0.1", port, 60000);
	pid_t pid;

	(void)state;
	assert_int_equal(listen(fd, ENDED), 0);
	assert_int_equal(pipe(go) | pipe(done), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		serve_and_close(fd, go[0], done[1]);
	for (int i = 0; i < ENDED; i++)
		assert_non_null(fetch_start(fr, t, "x", 1, &events, &h));
	while (h.ends < ENDED)
		loop_run(h.loop);
	assert_int_equal(fr->socks.idle, ENDED);
	/* As above, the loop has seen them all when it sees this. */
	stopped = h.loop;
	io.fd = done[0];
	assert_int_equal(loop_watch(h.loop, &io, EPOLLIN), 0);
	assert_int_equal(write(go[1], "x", 1), 1);
	loop_run(h.loop);
	loop_forget(h.loop, &io);
	assert_non_null(fetch_start(fr, t, "x", 1, &events, &h));
	while (h.ends == ENDED)
		loop_run(h.loop);
	assert_int_equal(h.result, FETCH_OK);
	fetcher_free(fr);
	loop_free(h.loop);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
	close(go[0]);
	close(go[1]);
	close(done[0]);
	close(done[1]);
}

/* ---- which connections are kept ---- */

/* Half an answer on each of n connections, then a whole one on the next; until
 * all are closed. */
static void
serve_halves(int listener, int n)
{
	char p[4096];
	int fd = -1;

	alarm(60);
	for (int i = 0; i <= n; i++) {
		fd = accept(listener, NULL, NULL);
		if (read(fd, p, sizeof(p)) <= 0)
			_exit(1);
		dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx",
		    i < n ? 2 : 1);
	}
	_exit(read(fd, p, sizeof(p)) == 0 ? 0 : 2);
}

static bool
on_flood(void *arg, const char *p, size_t n)
{
	struct heard *h = arg;

	(void)p;
	(void)n;
	loop_stop(h->loop);
	return true;
}

/* However many clients take nothing, their connections are in use. */
static void
what_is_paused_is_not_idle(void **state)
{
	static const struct fetch_events floods = { on_some_head, on_flood,
	    on_end };
	struct heard h = { .loop = loop_new() };
	struct fetcher *fr = fetcher_new(h.loop);
	int port = 0, fd = deaf("127.0.0.1", &port), status;
	struct fetch_target *t = target_at(fr, "127.0.0.1", port, 60000);
	pid_t pid;

	(void)state;
	assert_int_equal(listen(fd, 5), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		serve_halves(fd, FETCH_IDLE);
	for (int i = 0; i < FETCH_IDLE; i++) {
		assert_non_null(fetch_start(fr, t, "x", 1, &floods, &h));
		loop_run(h.loop);
	}
	assert_non_null(fetch_start(fr, t, "x", 1, &events, &h));
	loop_run(h.loop);
	assert_int_equal(h.ends, 1);
	assert_int_equal(h.result, FETCH_OK);
	/* Theirs, and that of the answer. */
	assert_int_equal(fr->socks.idle, FETCH_IDLE + 1);
	assert_int_equal(fr->paused, FETCH_IDLE);
	while (fr->live != NULL)
		fetch_cancel(fr->live);
	assert_int_equal(fr->paused, 0);
	assert_int_equal(fr->socks.idle, 1);
	fetcher_free(fr);
	loop_free(h.loop);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
}

/* ---- a pause ---- */

/* An answer without end, until nobody is there. */
static void
serve_flood(int listener)
{
	static const char head[] = "HTTP/1.1 200 OK\r\n\r\n";
	static char body[16 * 1024];
	int fd = accept(listener, NULL, NULL);

	alarm(60);
	if (read(fd, body, sizeof(body)) <= 0 ||
	    write(fd, head, sizeof(head) - 1) < 0)
		_exit(1);
	while (send(fd, body, sizeof(body), MSG_NOSIGNAL) > 0)
		continue;
	_exit(0);
}

static size_t taken;

static bool
on_gulp(void *arg, const char *p, size_t n)
{
	taken += n;
	return on_flood(arg, p, n);
}

/* Nothing more comes, whatever else goes on, until the call is resumed. */
static void
what_is_paused_takes_no_more(void **state)
{
	static const struct fetch_events gulps = { on_some_head, on_gulp,
	    on_end };
	struct heard h = { .loop = loop_new() }, other = { .loop = h.loop };
	struct fetcher *fr = fetcher_new(h.loop);
	int port[2] = { 0 }, status, fd[2] = { deaf("127.0.0.1", &port[0]),
	    deaf("127.0.0.1", &port[1]) };
	struct server s;
	struct fetch *f;
	size_t before;
	pid_t pid;

	(void)state;
	assert_int_equal(listen(fd[0], 5), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		serve_flood(fd[0]);
	server_start(&s, h.loop, fd[1], "HTTP/1.1 204 No Content\r\n\r\n");
	f = fetch_start(fr, target_at(fr, "127.0.0.1", port[0], 60000), "x", 1,
	    &gulps, &h);
	assert_non_null(f);
	loop_run(h.loop);
	before = taken;
	assert_true(before > 0);
	assert_non_null(fetch_start(fr, target_at(fr, "127.0.0.1", port[1],
	    60000), "x", 1, &events, &other));
	while (other.ends == 0)
		loop_run(h.loop);
	assert_int_equal(other.status, 204);
	assert_int_equal(taken, before);
	fetch_resume(f);
	while (taken == before)
		loop_run(h.loop);
	fetch_cancel(f);
	fetcher_free(fr);
	server_end(&s);
	loop_free(h.loop);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd[0]);
	close(fd[1]);
}

/* ---- the time for a connection ---- */

static void
who_does_not_let_us_in_is_given_up(void **state)
{
	struct heard h = { .loop = loop_new() };
	struct fetcher *fr = fetcher_new(h.loop);
	int port = 0, fd = deaf("127.0.0.1", &port), full;
	struct fetch_target *t = target_at(fr, "127.0.0.1", port, 50);

	(void)state;
	fall_silent(fd, &full);
	assert_non_null(fetch_start(fr, t, "x", 1, &events, &h));
	loop_run(h.loop);
	assert_int_equal(h.ends, 1);
	assert_int_equal(h.result, FETCH_TIMEOUT);
	fetcher_free(fr);
	loop_free(h.loop);
	close(full);
	close(fd);
}

/* Half of the time is for the other address; the name is in the cache. */
static void
a_silent_address_leaves_time_for_the_next(void **state)
{
	struct heard h = { .loop = loop_new() };
	struct fetcher *fr = fetcher_new(h.loop);
	int port = 0, deaf_fd = deaf("127.0.0.2", &port), full;
	int fd = deaf("127.0.0.1", &port);
	struct fetch_target *t = target_at(fr, "two.test", port, 4000);
	struct curl_slist *known;
	struct fetch *f;
	struct server s;
	char line[64];

	(void)state;
	fall_silent(deaf_fd, &full);
	server_start(&s, h.loop, fd, "HTTP/1.1 204 No Content\r\n\r\n");
	f = fetch_start(fr, t, "x", 1, &events, &h);
	assert_non_null(f);
	snprintf(line, sizeof(line), "two.test:%d:127.0.0.2,127.0.0.1", port);
	known = curl_slist_append(NULL, line);
	(void)curl_easy_setopt(f->easy, CURLOPT_RESOLVE, known);
	loop_run(h.loop);
	assert_int_equal(h.ends, 1);
	assert_int_equal(h.result, FETCH_OK);
	assert_int_equal(h.status, 204);
	fetcher_free(fr);
	server_end(&s);
	loop_free(h.loop);
	curl_slist_free_all(known);
	close(full);
	close(deaf_fd);
	close(fd);
}

/* Stops the loop when curl has no timer that is due soon, such as that for the
 * other kind of address, 200 ms. */
struct watch {
	struct loop_timer timer;
	struct fetcher	*fr;
};

static void
on_look(struct loop_timer *t)
{
	struct watch *w = LOOP_OWNER(t, struct watch, timer);
	struct loop *l = w->fr->loop;

	if (w->fr->timer.place == 0 ||
	    w->fr->timer.due > loop_now(l) + 30000)
		loop_stop(l);
	else
		(void)loop_timer_set(l, t, loop_now(l) + 5);
}

/* When the connection stands nothing is left of its clock, here or in curl. */
static void
an_answer_under_way_has_no_timer(void **state)
{
	struct heard h = { .loop = loop_new(), .only_head = true };
	struct fetcher *fr = fetcher_new(h.loop);
	struct watch w = { .timer.fire = on_look, .fr = fr };
	int port = 0, fd = deaf("127.0.0.1", &port);
	struct fetch_target *t = target_at(fr, "127.0.0.1", port, 90000);
	struct server s;
	struct fetch *f;

	(void)state;
	server_start(&s, h.loop, fd, "HTTP/1.1 200 OK\r\n\r\n");
	f = fetch_start(fr, t, "x", 1, &events, &h);
	assert_non_null(f);
	assert_true(f->clock.place != 0);
	loop_run(h.loop);
	assert_int_equal(h.status, 200);
	assert_int_equal(f->clock.place, 0);
	assert_int_equal(loop_timer_set(h.loop, &w.timer, 0), 0);
	loop_run(h.loop);
	assert_true(fr->timer.due == INT64_MAX);
	fetch_cancel(f);
	assert_int_equal(h.ends, 0);
	fetcher_free(fr);
	server_end(&s);
	loop_free(h.loop);
	close(fd);
}

/* ---- what libcurl says of an end ---- */

static void
ends_by_their_codes(void **state)
{
	static const struct {
		int		 code;
		const char	*head;
		bool		 headed;
		enum fetch_result result;
	} t[] = {
		{ CURLE_OK, "HTTP/1.1 200 OK\r\n", true, FETCH_OK },
		{ CURLE_OK, "HTTP/1.1 200 OK\r\n", false, FETCH_CUT },
		{ CURLE_OPERATION_TIMEDOUT, "", false, FETCH_TIMEOUT },
		{ CURLE_OPERATION_TIMEDOUT, "HTTP/", true, FETCH_CUT },
		{ CURLE_COULDNT_CONNECT, "", false, FETCH_REFUSED },
		{ CURLE_RECV_ERROR, "", false, FETCH_CUT },
		/* A header line that is too long: 7.88's word, and 8.6's. */
		{ CURLE_OUT_OF_MEMORY, "HTTP/1.1 200 OK\r\n", false,
		    FETCH_MALFORMED },
		{ CURLE_OUT_OF_MEMORY, "", false, FETCH_MEMORY },
		{ FETCH_TOO_LARGE, "HTTP/1.1 200 OK\r\n", false,
		    FETCH_MALFORMED },
		{ FETCH_TOO_LARGE, "", false, FETCH_MALFORMED },
		{ FETCH_TOO_LARGE, "HTTP/1.1 200 OK\r\n", true, FETCH_CUT },
		{ 12345, "", false, FETCH_CUT },	/* a younger one's */
	};
	struct buf head;

	(void)state;
	buf_init(&head, FETCH_HEAD);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		buf_clear(&head);
		assert_int_equal(buf_puts(&head, t[i].head), 0);
		assert_int_equal(fetch_judge(t[i].code, &head, t[i].headed),
		    t[i].result);
	}
	buf_release(&head);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_between_two_requests_is_no_answer),
		cmocka_unit_test(what_ended_while_idle_is_not_tried),
		cmocka_unit_test(what_pauses_at_once_is_not_ended),
		cmocka_unit_test(what_is_paused_is_not_idle),
		cmocka_unit_test(what_is_paused_takes_no_more),
		cmocka_unit_test(a_shortage_is_that_of_its_own_call),
		cmocka_unit_test(what_cannot_be_watched_is_its_own_call),
		cmocka_unit_test(a_call_has_its_timers_or_is_none),
		cmocka_unit_test(who_does_not_let_us_in_is_given_up),
		cmocka_unit_test(a_silent_address_leaves_time_for_the_next),
		cmocka_unit_test(an_answer_under_way_has_no_timer),
		cmocka_unit_test(ends_by_their_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
