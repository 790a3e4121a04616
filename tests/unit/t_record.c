#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/record.c"

/* Records in the making. */
struct bytes {
	unsigned char	p[300000];
	size_t		n;
};

static void
rec_of(struct bytes *b, int version, int type, int id, const char *text,
    size_t len, int pad)
{
	unsigned char head[8] = { (unsigned char)version, (unsigned char)type,
	    (unsigned char)(id >> 8), (unsigned char)id,
	    (unsigned char)(len >> 8), (unsigned char)len,
	    (unsigned char)pad, 0 };

	memcpy(b->p + b->n, head, 8);
	b->n += 8;
	if (len > 0)
		memcpy(b->p + b->n, text, len);
	b->n += len;
	memset(b->p + b->n, 0xee, (size_t)pad);
	b->n += (size_t)pad;
}

static void
rec(struct bytes *b, int type, const char *text, size_t len)
{
	rec_of(b, 1, type, 1, text, len, (int)(-len & 7));
}

static void
begin(struct bytes *b, int role)
{
	char body[8] = { 0, (char)role, 1, 0, 0, 0, 0, 0 };

	b->n = 0;
	rec(b, BEGIN_REQUEST, body, 8);
}

static void
whole(struct bytes *b, size_t body)
{
	static char text[65535];

	begin(b, RESPONDER);
	rec(b, PARAMS, "\1\200\0\0\3", 5);	/* a pair in two records */
	rec(b, PARAMS, "abcd\1\0x", 7);
	rec(b, PARAMS, "", 0);
	memset(text, 'x', sizeof(text));
	for (size_t k; body > 0; body -= k) {
		k = body < sizeof(text) ? body : sizeof(text);
		rec(b, STDIN, text, k);
	}
	rec(b, STDIN, "", 0);
}

static enum record_answer
walk(const struct bytes *b, size_t n, struct record_walk *w)
{
	record_start(w, 100000);
	return record_whole(w, b->p, n);
}

static void
whole_at_its_last_byte_and_not_before(void **state)
{
	static struct bytes b;
	struct record_walk w;

	(void)state;
	whole(&b, 1000);
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(walk(&b, n, &w), RECORD_MORE);
	assert_int_equal(walk(&b, b.n, &w), RECORD_WHOLE);
	assert_int_equal(w.body, 1000);
	assert_false(w.too_big);
	assert_int_equal(w.at, b.n);
}

static void
collected_in_any_pieces_it_is_the_same_bytes(void **state)
{
	static struct bytes b;
	static const size_t pieces[] = { 1, 2, 7, 8, 9, 100, 65536 };

	(void)state;
	whole(&b, 70000);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		enum record_answer a = RECORD_MORE;
		struct record_walk w;
		struct buf in;

		buf_init(&in, 1 << 20);
		record_start(&w, 100000);
		for (size_t at = 0; at < b.n; at += pieces[i]) {
			size_t n = b.n - at < pieces[i] ? b.n - at : pieces[i];

			assert_int_equal(a, RECORD_MORE);
			a = record_collect(&w, b.p + at, n, &in);
		}
		assert_int_equal(a, RECORD_WHOLE);
		assert_int_equal(in.len, b.n);
		assert_memory_equal(in.data, b.p, b.n);
		assert_int_equal(w.body, 70000);
		buf_release(&in);
	}
}

/* The rest is walked but not kept; what is kept is a request again. */
static void
too_big_a_body_is_walked_to_its_end(void **state)
{
	static struct bytes b;
	struct record_walk w;
	struct bytes kept = { .n = 0 };
	struct buf in;

	(void)state;
	whole(&b, 200000);
	buf_init(&in, 1 << 20);
	record_start(&w, 100000);
	assert_int_equal(record_collect(&w, b.p, b.n, &in), RECORD_WHOLE);
	assert_true(w.too_big);
	assert_true(in.len < 100000);
	memcpy(kept.p, in.data, in.len);
	assert_int_equal(walk(&kept, in.len, &w), RECORD_WHOLE);
	buf_release(&in);
	assert_int_equal(walk(&b, b.n, &w), RECORD_WHOLE);
	assert_true(w.too_big);
}

static void
bad(const struct bytes *b)
{
	struct record_walk w;
	struct buf in;

	assert_int_equal(walk(b, b->n, &w), RECORD_BAD);
	buf_init(&in, 1 << 20);
	record_start(&w, 100000);
	assert_int_equal(record_collect(&w, b->p, b->n, &in), RECORD_BAD);
	buf_release(&in);
}

static void
what_no_web_server_sends_is_refused(void **state)
{
	static struct bytes b;
	static char big[65535];

	(void)state;
	for (int role = 0; role < 4; role++) {
		if (role == RESPONDER)
			continue;
		begin(&b, role);
		bad(&b);
	}
	b.n = 0;			/* GET_VALUES */
	rec_of(&b, 1, 9, 0, "\17\0FCGI_MPXS_CONNS", 17, 0);
	bad(&b);
	b.n = 0;			/* nothing begun */
	rec(&b, STDIN, "", 0);
	bad(&b);
	b.n = 0;			/* another version */
	rec_of(&b, 2, BEGIN_REQUEST, 1, "\0\1\0\0\0\0\0\0", 8, 0);
	bad(&b);
	begin(&b, RESPONDER);		/* a second request */
	rec_of(&b, 1, BEGIN_REQUEST, 2, "\0\1\0\0\0\0\0\0", 8, 0);
	bad(&b);
	begin(&b, RESPONDER);		/* another id */
	rec_of(&b, 1, PARAMS, 2, "", 0, 0);
	bad(&b);
	begin(&b, RESPONDER);		/* input before the parameters ended */
	rec(&b, STDIN, "x", 1);
	bad(&b);
	begin(&b, RESPONDER);		/* an abort */
	rec(&b, 2, "", 0);
	bad(&b);
	b.n = 0;			/* padding that libfcgi loses */
	rec_of(&b, 1, BEGIN_REQUEST, 1, "\0\1\0\0\0\0\0\0", 8, 8);
	bad(&b);
	begin(&b, RESPONDER);
	rec_of(&b, 1, PARAMS, 1, "", 0, 8);
	bad(&b);
	begin(&b, RESPONDER);		/* a value longer than the rest */
	rec(&b, PARAMS, "\1\5ab", 4);
	rec(&b, PARAMS, "", 0);
	bad(&b);
	begin(&b, RESPONDER);		/* an end inside a length */
	rec(&b, PARAMS, "\1\200\0", 3);
	rec(&b, PARAMS, "", 0);
	bad(&b);
	begin(&b, RESPONDER);		/* two lengths whose sum wraps */
	rec(&b, PARAMS, "\377\377\377\377\377\377\377\377", 8);
	bad(&b);
	begin(&b, RESPONDER);		/* too many parameters */
	rec(&b, PARAMS, big, sizeof(big));
	rec(&b, PARAMS, big, 2);
	bad(&b);
}

static void
an_answer_is_records_that_end(void **state)
{
	static char text[100000];
	struct buf out;
	const unsigned char *p;
	size_t content = 0, at = 0;
	int last = 0;

	(void)state;
	buf_init(&out, 1 << 20);
	memset(text, 'y', sizeof(text));
	assert_int_equal(record_output(&out, 258, text, sizeof(text)), 0);
	assert_int_equal(record_end(&out, 258), 0);
	for (p = (unsigned char *)out.data; at < out.len;) {
		size_t n = (size_t)(p[at + 4] << 8 | p[at + 5]);

		assert_int_equal(p[at], 1);
		assert_int_equal(p[at + 2] << 8 | p[at + 3], 258);
		last = p[at + 1];
		if (last == STDOUT)
			content += n;
		at += HEADER + n + p[at + 6];
	}
	assert_int_equal(at, out.len);
	assert_int_equal(last, END_REQUEST);
	assert_int_equal(content, sizeof(text));
	assert_int_equal(p[at - 16 - 7], STDOUT);
	buf_release(&out);
	buf_init(&out, 4);
	assert_int_equal(record_output(&out, 1, "x", 1), -1);
	buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_at_its_last_byte_and_not_before),
		cmocka_unit_test(collected_in_any_pieces_it_is_the_same_bytes),
		cmocka_unit_test(too_big_a_body_is_walked_to_its_end),
		cmocka_unit_test(what_no_web_server_sends_is_refused),
		cmocka_unit_test(an_answer_is_records_that_end),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
