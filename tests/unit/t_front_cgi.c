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

/* Also where a size_t has 32 bits, of which 2^32 + 2 would leave the 2. */
static void
a_body_is_as_long_as_was_said(void **state)
{
	const struct config cfg = { .max_body = 100, .body_ms = 10000 };
	struct http h = { .method = HTTP_POST,
	    .length = (INT64_C(1) << 32) + 2 };
	struct fault f = { .code = FAULT_NONE };
	struct buf in;
	int fd[2], keep = dup(STDIN_FILENO);

	(void)state;
	buf_init(&in, cfg.max_body);
	assert_int_equal(0, pipe(fd));
	assert_int_equal(4, write(fd[1], "{} x", 4));
	close(fd[1]);
	assert_true(dup2(fd[0], STDIN_FILENO) == STDIN_FILENO);
	assert_int_equal(-1, body_read(&h, &cfg, &in, &f));
	assert_string_equal("{} x", buf_str(&in));
	assert_non_null(strstr(f.message, "after 4 of 4294967298 bytes"));
	dup2(keep, STDIN_FILENO);
	close(keep);
	close(fd[0]);
	buf_release(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_that_lost_its_last_part_says_so),
		cmocka_unit_test(full_until_the_relay_hears_of_room),
		cmocka_unit_test(a_body_is_as_long_as_was_said),
	};

	return cmocka_run_group_tests_name("front_cgi", tests, NULL, NULL);
}
