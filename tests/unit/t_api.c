#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/api.c"

#define LIST	(API_HEAD + 1000)	/* bytes of a client's list */

static struct {
	size_t	bytes;
	int	whole;			/* -1: not ended */
} heard;

static bool
put(struct sink *s, const char *p, size_t n)
{
	(void)s;
	(void)p;
	heard.bytes += n;
	return false;
}

static void
end(struct sink *s, bool whole)
{
	(void)s;
	heard.whole = whole;
}

/* The answer to a preflight that names n bytes of headers. */
static void
preflight(char *list, size_t n)
{
	char *origins[] = { (char []){ "*" }, NULL };
	struct config cfg = { .origins = origins };
	struct api a = { .cfg = &cfg };
	struct http h = { .method = HTTP_OPTIONS, .origin = "https://a.example",
	    .cors_method = "POST", .cors_headers = list };
	struct sink sink = { put, end };
	struct buf body;
	struct call c = { .a = &a, .h = &h, .client = LEDGER_NOBODY,
	    .body = &body };

	memset(list, 'a', n);
	list[n] = '\0';
	heard.bytes = 0;
	heard.whole = -1;
	buf_init(&body, API_ANSWER);
	answer(&c, &sink, 204, "/chat", NULL, NULL);
}

/* Half a head is none: what follows would be taken for a part of it. */
static void
head_has_no_room(void **state)
{
	static char list[LIST + 1];

	(void)state;
	preflight(list, 1000);
	assert_int_equal(heard.whole, 1);
	assert_true(heard.bytes > 1000);
	preflight(list, LIST);
	assert_int_equal(heard.whole, 0);
	assert_int_equal(heard.bytes, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_has_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
