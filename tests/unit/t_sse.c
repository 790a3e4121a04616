#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/sse.c"

#include <stdlib.h>

/* The events heard, as text: "<event|data>" each. */
struct heard {
	struct buf	 text;
	const char	*from, *to;	/* where the fed bytes are */
	int		 in_place;	/* events whose data lies there */
	int		 stop_after;	/* 0: never */
	int		 count;
};

static int
hear(void *arg, const struct sse_event *ev)
{
	struct heard *h = arg;

	buf_printf(&h->text, "<%s|", ev->event);
	buf_put(&h->text, ev->data, ev->len);
	buf_puts(&h->text, ">");
	if (ev->data >= h->from && ev->data + ev->len <= h->to)
		h->in_place++;
	h->count++;
	return h->count == h->stop_after ? 42 : 0;
}

/* Feed p[0..n) in pieces: one of `first` bytes, then of `step`. Each is a
 * fresh block of its own size, so that nothing can be read beside it. */
static void
piece_by_piece(const char *p, size_t n, size_t first, size_t step,
    const char *want)
{
	struct heard h = { .count = 0 };
	size_t i = 0, k = first;
	struct sse s;
	char *copy;

	buf_init(&h.text, 100000);
	sse_init(&s, 10000, false);
	while (i < n) {
		if (k > n - i)
			k = n - i;
		copy = malloc(k > 0 ? k : 1);
		assert_non_null(copy);
		memcpy(copy, p + i, k);
		assert_int_equal(sse_feed(&s, copy, k, hear, &h), 0);
		free(copy);
		i += k;
		k = step;
	}
	if (strcmp(buf_str(&h.text), want) != 0)
		fail_msg("first %zu, step %zu: %s, not %s", first, step,
		    buf_str(&h.text), want);
	sse_release(&s);
	buf_release(&h.text);
}

/* Cut p[0..n) at each offset in turn, then into pieces of each size: the
 * events are always the same. */
static void
gives(const char *p, size_t n, const char *want)
{
	size_t i;

	for (i = 0; i <= n; i++)
		piece_by_piece(p, n, i, n, want);
	for (i = 1; i < n; i++)
		piece_by_piece(p, n, i, i, want);
}

#define GIVES(text, want)	gives(text, sizeof(text) - 1, want)

static void
the_three_line_ends(void **state)
{
	(void)state;
	GIVES("data: a\n\ndata: b\n\n", "<|a><|b>");
	GIVES("data: a\r\n\r\ndata: b\r\n\r\n", "<|a><|b>");
	GIVES("data: a\r\rdata: b\r\r", "<|a><|b>");
	GIVES("data: a\n\rdata: b\r\n\ndata: c\r\r\n", "<|a><|b><|c>");
	GIVES("data: a\r\n\rdata: b\n\r\ndata: c\r\n\n", "<|a><|b><|c>");
}

static void
fields(void **state)
{
	(void)state;
	GIVES("data:a\n\n", "<|a>");
	GIVES("data:  a \n\n", "<| a >");
	GIVES("data:\ta\n\n", "<|\ta>");
	GIVES("data\n\n", "<|>");
	GIVES("data:\n\n", "<|>");
	GIVES("data: \n\n", "<|>");
	GIVES("data\ndata\n\n", "<|\n>");
	GIVES("data: a\ndata:b\ndata\ndata: c\n\n", "<|a\nb\n\nc>");
	GIVES("data: a:b: c\n\n", "<|a:b: c>");
	GIVES("event: error\ndata: x\n\ndata: y\n\n", "<error|x><|y>");
	GIVES("data: x\nevent: late\n\n", "<late|x>");
	GIVES("event: one\nevent: two\ndata: x\n\n", "<two|x>");
	GIVES("event: one\nevent\ndata: x\n\n", "<|x>");
	GIVES("event: ping\n\ndata: x\n\n", "<|x>");
	GIVES("event: 0123456789012345678901234567890123456789\ndata:x\n\n",
	    "<0123456789012345678901234567890|x>");
	GIVES("id: 1\nretry: 3\nid: a\0b\ndata: x\nfoo: bar\n"
	    " data: y\nDATA: z\ndatax: z\n\n", "<|x>");
}

static void
comments_and_blank_lines(void **state)
{
	(void)state;
	GIVES("", "");
	GIVES("\n\n\r\r\r\n\r\n", "");
	GIVES(": keep-alive data: {\"not\":\"data\"}\n\n", "");
	GIVES(":\n: x\ndata: a\n: data: b\n:\ndata: c\n\n", "<|a\nc>");
	GIVES("id: 1\n\n", "");
}

static void
byte_order_mark(void **state)
{
	(void)state;
	GIVES("\xef\xbb\xbf" "data: a\n\n", "<|a>");
	GIVES("\xef\xbb\xbf\ndata: a\n\n", "<|a>");
	GIVES("\xef\xbb\xbf\xef\xbb\xbf" "data: a\ndata: b\n\n", "<|b>");
	GIVES("\n\xef\xbb\xbf" "data: a\ndata: b\n\n", "<|b>");
	GIVES("\xef\xbb" "data: a\ndata: b\n\n", "<|b>");
	GIVES("data: \xef\xbb\xbf" "a\n\n", "<|\xef\xbb\xbf" "a>");
}

static void
an_unfinished_event_is_none(void **state)
{
	(void)state;
	GIVES("data: a\n\ndata: b", "<|a>");
	GIVES("data: a\n\ndata: b\n", "<|a>");
	GIVES("data: a", "");
	GIVES("data: [DONE]\r\n", "");
}

static void
framings_of_a_stream(void **state)
{
	(void)state;
	GIVES("\xef\xbb\xbf:\r\n: keep-alive data: {}\r\n\r\nid: 1\r\n"
	    "retry: 3000\r\ndata:{\"a\":1}\r\n\r\ndata: {\"b\":\r\n"
	    "data: 2}\r\n\r\n\r\nevent: ping\r\n\r\ndata\r\n\r\n"
	    "data:\t{}\n\ndata:[DONE]\n\n",
	    "<|{\"a\":1}><|{\"b\":\n2}><|><|\t{}><|[DONE]>");
}

static void
whole_events_are_not_copied(void **state)
{
	static const char text[] = "data: a\n\nevent: x\r\ndata: bcd\r\n\r\n"
	    "data: two\ndata: lines\n\ndata: e\n\nda";
	struct heard h = { .from = text, .to = text + sizeof(text) };
	struct sse s;

	(void)state;
	buf_init(&h.text, 1000);
	sse_init(&s, 1000, false);
	assert_int_equal(sse_feed(&s, text, sizeof(text) - 1, hear, &h), 0);
	assert_string_equal(buf_str(&h.text),
	    "<|a><x|bcd><|two\nlines><|e>");
	assert_int_equal(h.in_place, 3);
	assert_int_equal(sse_feed(&s, "ta: f\n\n", 7, hear, &h), 0);
	assert_int_equal(h.count, 5);
	assert_int_equal(h.in_place, 3);
	sse_release(&s);
	buf_release(&h.text);
}

static void
a_lone_cr_does_not_wait(void **state)
{
	struct heard h = { .count = 0 };
	struct sse s;

	(void)state;
	buf_init(&h.text, 1000);
	sse_init(&s, 1000, false);
	assert_int_equal(sse_feed(&s, "data: a\r\r", 9, hear, &h), 0);
	assert_int_equal(h.count, 1);
	assert_int_equal(sse_feed(&s, "\n", 1, hear, &h), 0);
	assert_int_equal(sse_feed(&s, "", 0, hear, &h), 0);
	assert_false(sse_pending(&s));
	assert_int_equal(sse_feed(&s, "data: b\r", 8, hear, &h), 0);
	assert_int_equal(sse_feed(&s, "", 0, hear, &h), 0);
	assert_int_equal(sse_feed(&s, "\n", 1, hear, &h), 0);
	assert_int_equal(h.count, 1);
	assert_int_equal(sse_feed(&s, "\n", 1, hear, &h), 0);
	assert_int_equal(h.count, 2);
	sse_release(&s);
	buf_release(&h.text);
}

static void
tells_what_is_pending(void **state)
{
	struct heard h = { .count = 0 };
	struct sse s;

	(void)state;
	buf_init(&h.text, 1000);
	sse_init(&s, 1000, false);
	assert_false(sse_pending(&s));
	sse_feed(&s, "da", 2, hear, &h);
	assert_true(sse_pending(&s));
	sse_feed(&s, "ta: x\n", 6, hear, &h);
	assert_true(sse_pending(&s));
	sse_feed(&s, "\n", 1, hear, &h);
	assert_false(sse_pending(&s));
	sse_feed(&s, ": keep", 6, hear, &h);
	assert_false(sse_pending(&s));
	sse_feed(&s, "alive\n\n", 7, hear, &h);
	assert_false(sse_pending(&s));
	sse_release(&s);
	buf_release(&h.text);
}

/* Whether text passes a maximum of 20 bytes, in whatever pieces. */
static bool
too_big(const char *text)
{
	size_t n = strlen(text), step, i, k;
	int whole_result = 0, result;
	struct heard h;
	struct sse s;

	for (step = n; step > 0; step--) {
		h = (struct heard){ .count = 0 };
		buf_init(&h.text, 1000);
		sse_init(&s, 20, false);
		result = 0;
		for (i = 0; i < n && result == 0; i += k) {
			k = n - i < step ? n - i : step;
			result = sse_feed(&s, text + i, k, hear, &h);
		}
		assert_true(s.too_big == (result != 0));
		if (s.too_big)
			assert_int_equal(sse_feed(&s, "\n", 1, hear, &h), -1);
		if (step == n)
			whole_result = result;
		assert_int_equal(result, whole_result);
		sse_release(&s);
		buf_release(&h.text);
	}
	return whole_result != 0;
}

static void
bounds_an_event(void **state)
{
	(void)state;
	assert_false(too_big("data: 45678901234567\n\n"));
	assert_true(too_big("data: 456789012345678\n\n"));
	assert_true(too_big("data: 456789012345678"));
	assert_true(too_big(": 3456789012345678901\n\n"));
	assert_false(too_big("data:0123456789\ndata:123456789\n\n"));
	assert_true(too_big("data:0123456789\ndata:1234567890\n\n"));
	assert_false(too_big("data:0123456789\n\ndata:1234567890\n\n"));
	assert_true(too_big("data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\n"
	    "data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\n"
	    "data\ndata\ndata\ndata\n"));
}

/* The parts of an event joined, and "." where it ends. */
static int
hear_parts(void *arg, const struct sse_event *ev)
{
	struct buf *b = arg;

	assert_true(ev->part == SSE_PART ? ev->len > 0 : ev->part ==
	    SSE_WHOLE || ev->len == 0);
	buf_put(b, ev->data, ev->len);
	buf_puts(b, ev->part == SSE_WHOLE ? "!" : ev->part == SSE_END ? "." :
	    "");
	return 0;
}

/* With a maximum of 20 bytes, cut at each offset and into pieces of each
 * size. Nothing of it is held back. */
static void
in_parts(const char *text, const char *want)
{
	size_t n = strlen(text), i, at, k;
	struct sse s;
	struct buf b;

	for (i = 0; i < 2 * n; i++) {
		buf_init(&b, 1000);
		sse_init(&s, 20, true);
		for (at = 0; at < n; at += k) {
			k = i < n ? (at == 0 && i > 0 ? i : n - at) : i - n + 1;
			if (k > n - at)
				k = n - at;
			assert_int_equal(sse_feed(&s, text + at, k, hear_parts,
			    &b), 0);
			assert_true(s.line.cap <= 64 && s.data.cap <= 64);
		}
		assert_string_equal(buf_str(&b), want);
		sse_release(&s);
		buf_release(&b);
	}
}

static void
large_events_come_in_parts(void **state)
{
	(void)state;
	in_parts("data: 45678901234567\n\n", "45678901234567!");
	in_parts("data: 456789012345678\n\n", "456789012345678.");
	in_parts("data:456789012345678901\r\n\r\ndata:x\r\r",
	    "456789012345678901.x!");
	in_parts("\xef\xbb\xbf" "data: 456789012345678\r\rdata:x\n\n",
	    "456789012345678.x!");
	in_parts("data: 456789012345678901234567890",
	    "456789012345678901234567890");
	in_parts("data:0123456789\ndata:123456789\n\n",
	    "0123456789\n123456789!");
	in_parts("data:0123456789\ndata:1234567890\n\ndata:x\n\n",
	    "0123456789\n1234567890.x!");
	in_parts("data:a\ndata:123456789012345678901234567890\ndata\ndata:b\n"
	    "\n", "a\n123456789012345678901234567890\n\nb.");
	in_parts("data:\ndata: 2345678901234567890\n\n",
	    "\n2345678901234567890.");
	in_parts("data:a\n: 345678901234567890\nevent: 789012345678901\n"
	    "dataxxxxxxxxxxxxxxxxxxxxxxx: b\ndata:c\n\n", "a\nc!");
	in_parts(": 3456789012345678901234567890", "");
	in_parts("data: 4567890123456789\nevent: error\n: c\ndata: x\n\n",
	    "4567890123456789\nx.");
}

static void
the_listener_may_end_it(void **state)
{
	static const char text[] = "data: a\n\ndata: b\n\ndata: c\n\n";
	struct heard h = { .stop_after = 2 };
	struct sse s;

	(void)state;
	buf_init(&h.text, 1000);
	sse_init(&s, 1000, false);
	assert_int_equal(sse_feed(&s, text, sizeof(text) - 1, hear, &h), 42);
	assert_int_equal(h.count, 2);
	assert_false(s.too_big);
	assert_false(sse_pending(&s));
	assert_int_equal(sse_feed(&s, "data: d\n\n", 9, hear, &h), 0);
	assert_string_equal(buf_str(&h.text), "<|a><|b><|d>");
	sse_release(&s);
	sse_release(&s);
	buf_release(&h.text);
}

/* Takes whole events "data: .\n\n" itself, and notes what it was asked. */
static size_t
take_dots(void *arg, const char *p, size_t n)
{
	struct heard *h = arg;
	size_t at = 0;

	buf_puts(&h->text, "?");
	while (n - at >= 9 && memcmp(p + at, "data: .\n\n", 9) == 0) {
		buf_puts(&h->text, ".");
		at += 9;
	}
	return at;
}

static void
a_run_is_asked_where_an_event_begins(void **state)
{
	static const char text[] = "data: .\n\ndata: a\n\ndata: .\n\n"
	    "data: .\n\ndata: b\ndata: .\n\nevent: e\ndata: .\n\n"
	    "data: .\n\r\ndata: .\n\nda", more[] = "ta: .\n\ndata: .\n\n";
	struct heard h = { .count = 0 };
	struct sse s;

	(void)state;
	buf_init(&h.text, 1000);
	sse_init(&s, 100, false);
	sse_runs(&s, take_dots);
	/* Not before the first line, where a mark may stand. */
	assert_int_equal(sse_feed(&s, text, sizeof(text) - 1, hear, &h), 0);
	assert_int_equal(sse_feed(&s, more, sizeof(more) - 1, hear, &h), 0);
	assert_string_equal(buf_str(&h.text), "<|.>?<|a>?..<|b\n.>?<e|.>?"
	    "<|.>?.<|.>?.");
	sse_release(&s);
	buf_release(&h.text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_three_line_ends),
		cmocka_unit_test(fields),
		cmocka_unit_test(comments_and_blank_lines),
		cmocka_unit_test(byte_order_mark),
		cmocka_unit_test(an_unfinished_event_is_none),
		cmocka_unit_test(framings_of_a_stream),
		cmocka_unit_test(whole_events_are_not_copied),
		cmocka_unit_test(a_lone_cr_does_not_wait),
		cmocka_unit_test(tells_what_is_pending),
		cmocka_unit_test(bounds_an_event),
		cmocka_unit_test(large_events_come_in_parts),
		cmocka_unit_test(the_listener_may_end_it),
		cmocka_unit_test(a_run_is_asked_where_an_event_begins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
