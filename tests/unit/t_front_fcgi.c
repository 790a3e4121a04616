#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/front_fcgi.c"

static bool no_room;			/* for a timer more */

void *
reallocarray(void *p, size_t n, size_t size)
{
	return no_room ? NULL : realloc(p, n * size);
}

/* A connection that answers, and takes `most` bytes until they are sent. */
static void
conn_make(struct conn *c, struct front *f, size_t most)
{
	*c = (struct conn){ .f = f, .state = BUSY, .open = RECORD_NONE,
	    .walk.id = 1, .flush.run = on_flush, .io.fd = -1 };
	buf_init(&c->out, most);
}

static void
behind_a_gap_nothing_follows(void **state)
{
	static const char text[200];
	struct front f = { .loop = loop_new() };
	struct conn c;

	(void)state;
	conn_make(&c, &f, 100);
	assert_false(sink_put(&c.sink, text, 10));
	assert_true(sink_put(&c.sink, text, sizeof(text)));
	assert_int_equal(c.out.len, 18);
	/* What on_flush does when all is sent. */
	buf_clear(&c.out);
	c.open = RECORD_NONE;
	assert_true(sink_put(&c.sink, text, 10));
	assert_int_equal(c.out.len, 0);
	sink_end(&c.sink, true);
	assert_false(c.whole);
	buf_release(&c.out);
	loop_unpost(f.loop, &c.flush);
	loop_free(f.loop);
}

static void
drained(void *arg)
{
	*(bool *)arg = true;
}

/* A worker that finishes has one connection; it stood still until that was to
 * be closed, and meanwhile n bytes of the next request have come, or none. True
 * when it was closed. */
static bool
closed_after(size_t n)
{
	static const char begin[8] = { 1, 1, 0, 1, 0, 8, 0, 0 };
	struct config cfg = { .body_ms = 1000, .max_body = 1000 };
	struct front f = { .loop = loop_new(), .cfg = &cfg,
	    .peek = malloc(FRONT_PEEK) };
	bool done = false, closed;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	conn_new(&f, fd[0]);
	f.listen.fd = -1;
	front_fcgi_drain(&f, drained, &done);
	assert_non_null(f.conns);
	assert_int_equal(send(fd[1], begin, n, 0), n);
	loop_timer_cancel(f.loop, &f.conns->timer);
	on_deadline(&f.conns->timer);
	closed = f.conns == NULL;
	assert_true(done == closed);
	if (!closed) {
		/* What is not whole yet has a deadline of its own. */
		assert_true(f.conns->timer.place != 0);
		front_fcgi_close(f.conns);
	}
	close(fd[1]);
	free(f.peek);
	loop_free(f.loop);
	return closed;
}

static void
who_stood_still_looks_before_it_closes(void **state)
{
	(void)state;
	assert_true(closed_after(0));
	assert_false(closed_after(8));
}

/* Nor is one closed of which the first bytes are here when the worker is to
 * finish, less than a record's header. */
static void
what_began_to_come_has_its_time(void **state)
{
	struct config cfg = { .body_ms = 60000, .max_body = 1000 };
	struct front f = { .loop = loop_new(), .cfg = &cfg,
	    .peek = malloc(FRONT_PEEK) };
	bool done = false;
	int fd[2];

	(void)state;
	f.listen.fd = -1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(send(fd[1], "\1\1", 2, 0), 2);
	conn_new(&f, fd[0]);
	front_fcgi_drain(&f, drained, &done);
	assert_non_null(f.conns);
	assert_int_equal(f.conns->timer.due, loop_now(f.loop) + cfg.body_ms);
	front_fcgi_close(f.conns);
	assert_true(done);
	close(fd[1]);
	free(f.peek);
	loop_free(f.loop);
}

/* A small piece behind a part that was sent: the relay still waits to hear that
 * there is room. */
static void
full_until_the_relay_hears_of_room(void **state)
{
	static const char text[FRONT_FULL + 1], beat[12];
	struct front f = { .loop = loop_new() };
	struct conn c;

	(void)state;
	conn_make(&c, &f, FRONT_OUT);
	assert_true(sink_put(&c.sink, text, sizeof(text)));
	c.out_at = c.out.len / 2;
	assert_true(sink_put(&c.sink, beat, sizeof(beat)));
	assert_true(c.full);
	buf_release(&c.out);
	loop_unpost(f.loop, &c.flush);
	loop_free(f.loop);
}

/* A client that is always a little behind: what it took is not kept. */
static void
what_was_sent_is_forgotten(void **state)
{
	static char text[FRONT_FULL / 4];
	struct config cfg = { .stall_ms = 60000 };
	struct front f = { .loop = loop_new(), .cfg = &cfg };
	struct conn c;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &(int){ 1 },
	    sizeof(int)), 0);
	conn_make(&c, &f, FRONT_OUT);
	c.io.fd = fd[0];
	for (int i = 0; i < 1000; i++) {
		(void)sink_put(&c.sink, text, sizeof(text));
		on_flush(&c.flush);
		/* As much as it takes that the relay goes on. */
		while (c.out.len - c.out_at > FRONT_FULL / 2) {
			assert_true(read(fd[1], text, sizeof(text)) > 0);
			on_flush(&c.flush);
		}
	}
	assert_true(c.out.len < 4 * FRONT_FULL);
	buf_release(&c.out);
	loop_forget(f.loop, &c.io);
	loop_unpost(f.loop, &c.flush);
	loop_timer_cancel(f.loop, &c.timer);
	loop_free(f.loop);
	close(fd[0]);
	close(fd[1]);
}

/* A large answer leaves nothing behind for the next one of the connection. */
static void
a_kept_connection_begins_with_room(void **state)
{
	static const char text[FRONT_FULL + 1];
	struct config cfg = { .max_body = 1000 };
	struct front f = { .loop = loop_new(), .cfg = &cfg };
	struct conn c;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	conn_make(&c, &f, FRONT_OUT);
	c.io.fd = fd[0];
	c.fcgi.keepConnection = 1;
	assert_true(sink_put(&c.sink, text, sizeof(text)));
	sink_end(&c.sink, true);
	on_flush(&c.flush);
	assert_int_equal(c.state, IDLE);
	assert_false(sink_put(&c.sink, text, 10));
	buf_release(&c.out);
	loop_unpost(f.loop, &c.flush);
	loop_free(f.loop);
	close(fd[0]);
	close(fd[1]);
}

#define TIMERS	63	/* what the loop makes room for at first */

static void
give_up(struct loop_timer *t)
{
	(void)t;
	fail_msg("it has no end");
}

static void
stop(void *arg)
{
	loop_stop(arg);
}

/* An answer that is cut, and a connection that is new, when the loop has no
 * room for another timer. */
static void
a_connection_has_its_clock_or_is_none(void **state)
{
	struct loop_timer other[TIMERS] = { { .fire = give_up } };
	struct config cfg = { .body_ms = 60000, .max_body = 1000 };
	struct front f = { .loop = loop_new(), .cfg = &cfg,
	    .peek = malloc(FRONT_PEEK) };
	struct conn *c;
	char said[16];
	int fd[2], new[2];

	(void)state;
	f.listen.fd = -1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, new), 0);
	conn_new(&f, fd[0]);
	assert_non_null(c = f.conns);
	front_fcgi_due(c, INT64_MAX);	/* as when its request is there */
	for (int i = 0; i + 1 < TIMERS; i++)
		assert_int_equal(loop_timer_set(f.loop, &other[i],
		    loop_now(f.loop) + (i == 0 ? 5000 : 3600000)), 0);
	no_room = true;
	conn_new(&f, new[0]);
	assert_ptr_equal(f.conns, c);
	f.draining = true;
	f.done = stop;
	f.done_arg = f.loop;
	assert_int_equal(read(new[1], said, 1), 0);
	c->ended = true;
	conn_done(c);
	assert_int_equal(loop_run(f.loop), 0);
	assert_null(f.conns);
	assert_int_equal(read(fd[1], said, sizeof(said)), 8);
	no_room = false;
	close(fd[1]);
	close(new[1]);
	free(f.peek);
	loop_free(f.loop);
}

/* Nor is there an end to listening because memory is short. */
static void
who_could_not_listen_tries_again(void **state)
{
	struct front f = { .loop = loop_new(), .again.fire = on_again };

	(void)state;
	f.listen.fd = -1;		/* cannot be watched */
	assert_int_equal(loop_timer_set(f.loop, &f.again, 0), 0);
	loop_timer_cancel(f.loop, &f.again);
	on_again(&f.again);
	assert_true(f.again.place != 0);
	assert_int_equal(f.again.due, loop_now(f.loop) + FRONT_PAUSE_MS);
	loop_timer_cancel(f.loop, &f.again);
	loop_free(f.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behind_a_gap_nothing_follows),
		cmocka_unit_test(who_stood_still_looks_before_it_closes),
		cmocka_unit_test(what_began_to_come_has_its_time),
		cmocka_unit_test(full_until_the_relay_hears_of_room),
		cmocka_unit_test(what_was_sent_is_forgotten),
		cmocka_unit_test(a_kept_connection_begins_with_room),
		cmocka_unit_test(a_connection_has_its_clock_or_is_none),
		cmocka_unit_test(who_could_not_listen_tries_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
