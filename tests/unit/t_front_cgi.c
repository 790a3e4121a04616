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

/* As for FastCGI (t_front_fcgi). */
static void
full_until_the_relay_hears_of_room(void **state)
{
	static const char text[CGI_FULL + 1], beat[12];
	struct cgi c = { .sink = { sink_put, sink_end },
	    .flush.run = on_flush };

	(void)state;
	c.loop = loop_new();
	buf_init(&c.out, CGI_OUT);
	assert_true(c.sink.put(&c.sink, text, sizeof(text)));
	c.at = c.out.len / 2;
	assert_true(c.sink.put(&c.sink, beat, sizeof(beat)));
	assert_true(c.full);
	loop_unpost(c.loop, &c.flush);
	loop_free(c.loop);
	buf_release(&c.out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_that_lost_its_last_part_says_so),
		cmocka_unit_test(full_until_the_relay_hears_of_room),
	};

	return cmocka_run_group_tests_name("front_cgi", tests, NULL, NULL);
}
