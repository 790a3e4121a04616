#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/front_fcgi.c"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behind_a_gap_nothing_follows),
		cmocka_unit_test(who_stood_still_looks_before_it_closes),
		cmocka_unit_test(full_until_the_relay_hears_of_room),
		cmocka_unit_test(a_kept_connection_begins_with_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
