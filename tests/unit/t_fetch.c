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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shortage_is_that_of_its_own_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
