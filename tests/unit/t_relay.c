#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/relay.c"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chat.h"
#include "config.h"
#include "http.h"

#define TIMERS	64	/* what the loop makes room for at first, plus one */
#define TRIES	6

static bool no_room;

/* By which the loop makes room for its timers. */
void *
reallocarray(void *p, size_t n, size_t size)
{
	return no_room ? NULL : realloc(p, n * size);
}

static struct loop *loop;
static int ends;

static bool
sink_put(struct sink *s, const char *p, size_t n)
{
	(void)s;
	(void)p;
	(void)n;
	return false;
}

static void
sink_end(struct sink *s, bool whole)
{
	(void)s;
	(void)whole;
	ends++;
	loop_stop(loop);
}

static void
give_up(struct loop_timer *t)
{
	(void)t;
	loop_stop(loop);
}

/* A provider that lets us in and says nothing. */
static int
silent(int *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 128), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

static struct config *
config_of(int port)
{
	struct config *cfg;
	struct buf errors;
	char path[64];
	int fd = memfd_create("config", MFD_CLOEXEC);

	dprintf(fd, "server { state = /nowhere/at/all/state access = open }\n"
	    "route { max-wait = 0s attempts = 1 }\n"
	    "provider a { url = http://127.0.0.1:%d/v1 key = test-key-a\n"
	    "first-event-timeout = 20ms }\n", port);
	/* One that was too slow is not asked again so soon. */
	for (int i = 0; i <= TRIES; i++)
		dprintf(fd, "model a/m%d { rpm = 10 }\n", i);
	assert_int_equal(fchmod(fd, 0600), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	buf_init(&errors, 1 << 20);
	cfg = config_load(path, &errors, NULL);
	assert_non_null(cfg);
	buf_release(&errors);
	close(fd);
	return cfg;
}

/* Whether a chat ends when the loop has room for n timers, and more or not. */
static void
ends_with_room_for(struct relays *rs, const struct config *cfg, int n,
    bool more)
{
	static const char text[] = "{\"model\":\"a/m%d\",\"stream\":true,"
	    "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
	static const struct http http = { .method = HTTP_POST,
	    .method_name = "POST", .path = "/chat", .id = "req_unit" };
	struct loop_timer other[TIMERS] = { { .fire = give_up } };
	struct sink sink = { sink_put, sink_end };
	struct relay_ask ask = { .http = &http, .route = "/chat",
	    .client = LEDGER_NOBODY };
	struct fault f;

	ask.len = (size_t)asprintf(&ask.body, text, n);
	assert_int_equal(chat_scan(&ask.chat, ask.body, ask.len, &f), 0);
	ask.alias = config_find(cfg, ask.chat.model);
	assert_non_null(ask.alias);
	for (int i = 0; i < TIMERS - 1 - n; i++)
		assert_int_equal(loop_timer_set(loop, &other[i],
		    loop_now(loop) + (i == 0 ? 5000 : 3600000)), 0);
	no_room = !more;
	ends = 0;
	if (relay_start(rs, &ask, &sink) != NULL) {
		assert_int_equal(loop_run(loop), 0);
		assert_int_equal(ends, 1);
	}
	no_room = false;
	for (int i = 0; i < TIMERS; i++)
		loop_timer_cancel(loop, &other[i]);
	assert_int_equal(relays_live(rs), 0);
}

static void
it_ends_whatever_room_is_left_for_timers(void **state)
{
	struct text_time now;
	struct config *cfg;
	struct ledger *l;
	struct relays *rs;
	int port, fd = silent(&port);

	(void)state;
	cfg = config_of(port);
	text_clock(&now);
	assert_non_null(loop = loop_new());
	assert_non_null(l = ledger_open(cfg, &now));
	assert_non_null(rs = relays_new(loop, cfg, l));
	relays_warm(rs);
	/* What else is made once is made by the first. */
	ends_with_room_for(rs, cfg, TRIES, true);
	for (int n = 0; n < TRIES; n++)
		ends_with_room_for(rs, cfg, n, false);
	relays_free(rs);
	ledger_close(l);
	loop_free(loop);
	config_free(cfg);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_ends_whatever_room_is_left_for_timers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
