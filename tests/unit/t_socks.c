#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/socks.c"

static int heard;
static struct loop *loop;

static int in_use;

static bool
used(void *arg, int fd)
{
	(void)arg;
	(void)fd;
	return in_use;
}

static void
ready(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	heard++;
	(void)socks_want(arg, fd, 0);
	loop_stop(loop);
}

/* What a resolver does: a pair of its own, closed behind our back, and the
 * next socket gets the number. */
static void
a_number_that_comes_back_is_watched_anew(void **state)
{
	struct socks s;
	int p[2], q[2];

	(void)state;
	heard = 0;
	loop = loop_new();
	socks_init(&s, loop, ready, used, &s);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(socks_want(&s, p[0], EPOLLIN), 0);
	assert_int_equal(socks_want(&s, p[0], 0), 0);
	close(p[0]);
	assert_int_equal(pipe(q), 0);
	assert_int_equal(q[0], p[0]);
	assert_int_equal(socks_want(&s, q[0], EPOLLIN), 0);
	assert_int_equal(write(q[1], "x", 1), 1);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(heard, 1);
	socks_release(&s);
	loop_free(loop);
	close(p[1]);
	close(q[0]);
	close(q[1]);
}

/* Idle and readable at once: told to nobody, and no spin. */
static void
an_idle_connection_that_ends_is_let_go(void **state)
{
	struct socks s;
	int fd;

	(void)state;
	heard = 0;
	loop = loop_new();
	socks_init(&s, loop, ready, used, &s);
	fd = socks_open(&s, AF_UNIX, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(socks_want(&s, fd, EPOLLIN), 0);
	assert_int_equal(socks_want(&s, fd, 0), 0);
	/* An unconnected socket hangs up at once: the loop ends because nothing
	 * is watched any more. */
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(heard, 0);
	assert_int_equal(socks_close(&s, fd), 0);
	socks_release(&s);
	loop_free(loop);
}

/* The library's own sockets are no connections, and what is closed is not
 * idle. */
static void
idle_connections_are_counted(void **state)
{
	struct socks s;
	int p[2], a, b;

	(void)state;
	loop = loop_new();
	socks_init(&s, loop, ready, used, &s);
	a = socks_open(&s, AF_UNIX, SOCK_STREAM, 0);
	b = socks_open(&s, AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(s.idle, 0);
	assert_int_equal(socks_want(&s, a, EPOLLIN), 0);
	assert_int_equal(socks_want(&s, b, EPOLLIN), 0);
	assert_int_equal(s.idle, 0);
	assert_int_equal(socks_want(&s, a, 0), 0);
	assert_int_equal(socks_want(&s, a, 0), 0);
	assert_int_equal(socks_want(&s, b, 0), 0);
	assert_int_equal(s.idle, 2);
	assert_int_equal(socks_want(&s, a, EPOLLIN), 0);
	assert_int_equal(s.idle, 1);
	assert_int_equal(socks_close(&s, b), 0);
	assert_int_equal(s.idle, 0);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(socks_want(&s, p[0], EPOLLIN), 0);
	assert_int_equal(socks_want(&s, p[0], 0), 0);
	assert_int_equal(s.idle, 0);
	assert_int_equal(socks_close(&s, a), 0);
	socks_release(&s);
	loop_free(loop);
	close(p[0]);
	close(p[1]);
}

/* What comes on a connection that is kept ends it; but not when a request is on
 * it again that wants nothing yet. */
static void
what_comes_ends_a_kept_connection_that_is_not_used(void **state)
{
	struct socks s;
	int p[2], fd;
	char c;

	(void)state;
	for (in_use = 0; in_use < 2; in_use++) {
		loop = loop_new();
		socks_init(&s, loop, ready, used, &s);
		fd = socks_open(&s, AF_UNIX, SOCK_STREAM, 0);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
		assert_int_equal(dup2(p[0], fd), fd);
		assert_int_equal(socks_want(&s, fd, EPOLLIN), 0);
		assert_int_equal(socks_keep(&s, fd), 0);
		assert_int_equal(write(p[1], "x", 1), 1);
		assert_int_equal(loop_run(loop), 0);
		assert_int_equal(read(fd, &c, 1), in_use);
		assert_int_equal(socks_close(&s, fd), 0);
		socks_release(&s);
		loop_free(loop);
		close(p[0]);
		close(p[1]);
	}
}

static void
on_time(struct loop_timer *t)
{
	(void)t;
	loop_stop(loop);
}

/* Its answer was there before anybody waited for it. */
static void
a_kept_connection_is_not_ended_by_room(void **state)
{
	struct loop_timer now = { .fire = on_time };
	struct socks s;
	int p[2], fd;
	char c;

	(void)state;
	heard = in_use = 0;
	loop = loop_new();
	socks_init(&s, loop, ready, used, &s);
	fd = socks_open(&s, AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
	assert_int_equal(dup2(p[0], fd), fd);
	close(p[0]);
	assert_int_equal(socks_want(&s, fd, EPOLLOUT), 0);
	assert_int_equal(socks_keep(&s, fd), 0);
	assert_int_equal(loop_timer_set(loop, &now, 0), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(heard, 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(p[1], &c, 1), 1);
	/* Nor by what was seen before; but by what comes now. */
	on_ready(&s.by_fd[fd]->io, EPOLLIN);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(read(fd, &c, 1), 0);
	assert_int_equal(s.ended, 1);
	assert_int_equal(socks_close(&s, fd), 0);
	assert_int_equal(s.ended, 0);
	socks_release(&s);
	loop_free(loop);
	close(p[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_that_comes_back_is_watched_anew),
		cmocka_unit_test(an_idle_connection_that_ends_is_let_go),
		cmocka_unit_test(idle_connections_are_counted),
		cmocka_unit_test(
		    what_comes_ends_a_kept_connection_that_is_not_used),
		cmocka_unit_test(a_kept_connection_is_not_ended_by_room),
	};

	return cmocka_run_group_tests_name("socks", tests, NULL, NULL);
}
