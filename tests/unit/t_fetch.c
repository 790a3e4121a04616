#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define socks_open	fake_open
#include "../../src/fetch.c"
#undef socks_open

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int socks_open(struct socks *s, int family, int type, int protocol);

struct heard {
	struct loop	*loop;
	enum fetch_result result;
	int		 ends;
};

static bool none_left;		/* no descriptor is */
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

static void
on_some_head(void *arg, int status, const char *head, size_t n)
{
	(void)arg;
	(void)status;
	(void)head;
	(void)n;
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

/* A port of ours that nobody listens on. */
static int
deaf(char *url, size_t n)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	snprintf(url, n, "http://127.0.0.1:%d/", ntohs(sa.sin_port));
	return fd;
}

static void
a_shortage_is_that_of_its_own_call(void **state)
{
	static const char *const none[] = { NULL };
	struct heard h = { .loop = loop_new() };
	struct fetcher *fr = fetcher_new(h.loop);
	struct fetch_target *t;
	char url[64];
	int fd = deaf(url, sizeof(url));

	(void)state;
	t = fetch_target(fr, &(struct fetch_spec){ .url = url,
	    .headers = none, .ca_path = "", .proxy = "", .connect_ms = 5000 });
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
	static const char *const none[] = { NULL };
	struct heard h = { .loop = loop_new() };
	struct fetcher *fr = fetcher_new(h.loop);
	struct loop_io io = { .ready = on_done };
	struct fetch_target *t;
	int go[2], done[2], status, fd;
	char url[64];
	pid_t pid;

	(void)state;
	fd = deaf(url, sizeof(url));
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(pipe(go) | pipe(done), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		serve(fd, go[0], done[1]);
	t = fetch_target(fr, &(struct fetch_spec){ .url = url,
	    .headers = none, .ca_path = "", .proxy = "", .connect_ms = 5000 });
	assert_non_null(fetch_start(fr, t, "x", 1, &told, &h));
	loop_run(h.loop);
	assert_string_equal(text, "first");
	/* Until it has come, and the loop has seen it. */
	stopped = h.loop;
	io.fd = done[0];
	assert_int_equal(loop_watch(h.loop, &io, EPOLLIN), 0);
	assert_int_equal(write(go[1], "x", 1), 1);
	loop_run(h.loop);
	loop_forget(h.loop, &io);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_between_two_requests_is_no_answer),
		cmocka_unit_test(a_shortage_is_that_of_its_own_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
