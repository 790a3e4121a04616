#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/front_cgi.c"

static void
an_answer_that_lost_its_last_part_says_so(void **state)
{
	static const char begin[] = "Status: 200 OK\r\n\r\nHalf of";
	static const char more[100];
	struct cgi c = { .sink = { sink_put, sink_end },
	    .flush.run = on_flush };

	(void)state;
	c.loop = loop_new();
	buf_init(&c.out, 100);
	assert_false(c.sink.put(&c.sink, begin, sizeof(begin) - 1));
	assert_true(c.sink.put(&c.sink, more, sizeof(more)));
	assert_true(c.sink.put(&c.sink, "behind", 6));
	c.sink.end(&c.sink, true);
	assert_string_equal(buf_str(&c.out), "Status: 200 OK\r\n\r\nHalf of"
	    "\n[relevo: the answer was cut short]\n");
	loop_unpost(c.loop, &c.flush);
	loop_free(c.loop);
	buf_release(&c.out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_that_lost_its_last_part_says_so),
	};

	return cmocka_run_group_tests_name("front_cgi", tests, NULL, NULL);
}
