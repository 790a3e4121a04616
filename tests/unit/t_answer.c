#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define buf_reserve	fake_reserve
#include "../../src/answer.c"
#undef buf_reserve

int buf_reserve(struct buf *b, size_t n);

#define EVENT	"data: {}\n\n"

static bool starved;		/* no memory for a head */
static char out[4096];		/* what the sink was given */
static size_t out_len;

int
fake_reserve(struct buf *b, size_t n)
{
	if (!starved)
		return buf_reserve(b, n);
	b->failed = b->starved = true;
	return -1;
}

static bool
put(struct sink *s, const char *p, size_t n)
{
	(void)s;
	assert_true(n < sizeof(out) - out_len);
	memcpy(out + out_len, p, n);
	out_len += n;
	out[out_len] = '\0';
	return false;
}

static void
say(struct answer *a, const char *what)
{
	struct buf b;

	buf_init(&b, 100);
	assert_int_equal(buf_puts(&b, what), 0);
	answer_put(a, &b);
	assert_int_equal(b.len, 0);
	buf_release(&b);
}

static void
begin(struct answer *a, bool poor)
{
	static struct sink sink = { .put = put };
	static const struct http http = { .id = "req_1" };

	*a = (struct answer){ .sink = &sink, .http = &http,
	    .mode = REPLY_SSE };
	starved = poor;
	out_len = 0;
	out[0] = '\0';
}

static void
a_head_comes_first(void **state)
{
	struct answer a;

	(void)state;
	begin(&a, false);
	answer_head(&a, "p", "m");
	assert_true(a.headed);
	say(&a, EVENT);
	assert_int_equal(strncmp(out, "Status: 200 OK\r\n", 16), 0);
	assert_non_null(strstr(out, "\r\n\r\n" EVENT));
}

/* An event without one would be taken for it. */
static void
without_a_head_nothing_goes_out(void **state)
{
	struct answer a;

	(void)state;
	begin(&a, true);
	answer_head(&a, "p", "m");
	assert_false(a.headed);
	say(&a, EVENT);
	answer_beat(&a);
	assert_int_equal(out_len, 0);
}

/* What is left is the status. */
static void
a_fault_needs_no_memory(void **state)
{
	static const char head[] = "Status: 503\r\n"
	    "Content-Type: application/json\r\n\r\n{";
	struct answer a;
	struct fault f;
	bool whole;

	(void)state;
	fault_set(&f, FAULT_OVERLOADED, NULL, "short");
	begin(&a, true);
	answer_head(&a, "p", "m");
	say(&a, EVENT);
	assert_int_equal(answer_fault(&a, &f, &whole), 503);
	assert_true(whole);
	assert_int_equal(strncmp(out, head, sizeof(head) - 1), 0);
	/* With memory again it is told with all that belongs to it. */
	begin(&a, true);
	answer_head(&a, "p", "m");
	starved = false;
	assert_int_equal(answer_fault(&a, &f, &whole), 503);
	assert_non_null(strstr(out, "X-Request-Id: req_1\r\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_comes_first),
		cmocka_unit_test(without_a_head_nothing_goes_out),
		cmocka_unit_test(a_fault_needs_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
