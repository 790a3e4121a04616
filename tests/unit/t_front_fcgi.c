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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behind_a_gap_nothing_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
