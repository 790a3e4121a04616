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
	static struct bytes b, empty;
	static const size_t pieces[] = { 1, 2, 7, 8, 9, 100, 65536 };

	(void)state;
	whole(&b, 70000);
	whole(&empty, 0);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		enum record_answer a = RECORD_MORE;
		struct record_walk w;
		struct buf in, body;

		buf_init(&in, 1000);
		buf_init(&body, 70000);
		record_start(&w, 100000);
		for (size_t at = 0; at < b.n; at += pieces[i]) {
			size_t n = b.n - at < pieces[i] ? b.n - at : pieces[i];

			assert_int_equal(a, RECORD_MORE);
			a = record_collect(&w, b.p + at, n, &in, &body);
		}
		assert_int_equal(a, RECORD_WHOLE);
		assert_int_equal(in.len, empty.n);
		assert_memory_equal(in.data, empty.p, empty.n);
		assert_int_equal(w.body, 70000);
		assert_int_equal(body.len, 70000);
		for (size_t k = 0; k < body.len; k++)
			assert_int_equal(body.data[k], 'x');
		buf_release(&in);
		buf_release(&body);
	}
}

/* The rest is walked but not kept; what is kept is a request again. */
static void
too_big_a_body_is_walked_to_its_end(void **state)
{
	static struct bytes b;
	struct record_walk w;
	struct bytes kept = { .n = 0 };
	struct buf in, body;

	(void)state;
	whole(&b, 200000);
	buf_init(&in, 1 << 20);
	buf_init(&body, 1 << 20);
	record_start(&w, 100000);
	assert_int_equal(record_collect(&w, b.p, b.n, &in, &body),
	    RECORD_WHOLE);
	assert_true(w.too_big);
	assert_true(body.len < 100000);
	buf_release(&body);
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
	struct buf in, body;

	assert_int_equal(walk(b, b->n, &w), RECORD_BAD);
	buf_init(&in, 1 << 20);
	buf_init(&body, 1 << 20);
	record_start(&w, 100000);
	assert_int_equal(record_collect(&w, b->p, b->n, &in, &body),
	    RECORD_BAD);
	buf_release(&in);
	buf_release(&body);
}

static void
what_no_web_server_sends_is_refused(void **state)
{
	static struct bytes b;

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
}

/* What is left of it: the first record and the ends of both streams. */
static void
too_long(const struct bytes *b)
{
	static const size_t pieces[] = { 1, 7, 4096, 300000 };
	struct record_walk w;
	struct bytes want;
	struct buf in, none;

	begin(&want, RESPONDER);
	rec(&want, PARAMS, "", 0);
	rec(&want, STDIN, "", 0);
	for (size_t i = 0; i < 4; i++) {
		enum record_answer a = RECORD_MORE;

		buf_init(&in, 100000);
		buf_init(&none, 0);
		record_start(&w, 100000);
		for (size_t at = 0, k; at < b->n; at += k) {
			assert_int_equal(a, RECORD_MORE);
			k = b->n - at < pieces[i] ? b->n - at : pieces[i];
			a = record_collect(&w, b->p + at, k, &in, &none);
		}
		assert_int_equal(a, RECORD_WHOLE);
		assert_true(w.too_long);
		assert_int_equal(in.len, want.n);
		assert_memory_equal(in.data, want.p, want.n);
		buf_release(&in);
	}
	assert_int_equal(walk(b, b->n < 65536 ? b->n : 65536, &w),
	    RECORD_MORE);
}

static void
too_long_parameters_are_walked_to_their_end(void **state)
{
	static struct bytes b;
	static char big[65535], name[8] = "\1\200\1\21\160n";	/* 70,000 */

	(void)state;
	memset(big, 0, sizeof(big));
	begin(&b, RESPONDER);		/* many empty pairs */
	rec(&b, PARAMS, big, 65534);
	rec(&b, PARAMS, big, 4);
	rec(&b, PARAMS, "", 0);
	rec(&b, STDIN, "body", 4);
	rec(&b, STDIN, "", 0);
	too_long(&b);
	begin(&b, RESPONDER);		/* one long one, behind a short one */
	rec(&b, PARAMS, "\1\1ab", 4);
	rec(&b, PARAMS, name, 6);
	rec(&b, PARAMS, big, 65535);
	rec(&b, PARAMS, big, 70000 - 65535);
	rec(&b, PARAMS, "", 0);
	rec(&b, STDIN, big, 50000);
	rec(&b, STDIN, "", 0);
	too_long(&b);
}

static void
not_without_end(void **state)
{
	static struct bytes b;
	static char big[65535];
	struct record_walk w;
	struct buf in, none;
	int n = 0;

	(void)state;
	begin(&b, RESPONDER);
	buf_init(&in, 100000);
	buf_init(&none, 0);
	record_start(&w, 100000);
	assert_int_equal(record_collect(&w, b.p, b.n, &in, &none), RECORD_MORE);
	b.n = 0;
	rec(&b, PARAMS, big, 65534);
	while (record_collect(&w, b.p, b.n, &in, &none) == RECORD_MORE)
		n++;
	assert_int_equal(n, 16);
	assert_int_equal(in.len, 2 * HEADER);
	buf_release(&in);
}

static void
an_answer_is_records_that_end(void **state)
{
	static char text[100000];
	struct buf out;
	const unsigned char *p;
	size_t content = 0, at = 0, open = RECORD_NONE;
	int last = 0;

	(void)state;
	buf_init(&out, 1 << 20);
	memset(text, 'y', sizeof(text));
	assert_int_equal(record_output(&out, &open, 258, text,
	    sizeof(text)), 0);
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
	open = RECORD_NONE;
	assert_int_equal(record_output(&out, &open, 1, "x", 1), -1);
	/* Room for a header, and none for what it would announce. */
	buf_init(&out, 20);
	assert_int_equal(record_output(&out, &open, 1, "x", 1), 0);
	open = RECORD_NONE;
	assert_int_equal(record_output(&out, &open, 1, "more", 4), -1);
	assert_int_equal(out.len, 9);
	assert_int_equal(open, RECORD_NONE);
	buf_release(&out);
}

/* In pieces of any size it is what it would be in one, until something of it
 * was sent. */
static void
pieces_grow_one_record(void **state)
{
	static char text[150000];
	struct buf one, out;
	size_t open = RECORD_NONE, at, k, step;

	(void)state;
	for (at = 0; at < sizeof(text); at++)
		text[at] = (char)(at * 7);
	buf_init(&one, 1 << 20);
	buf_init(&out, 1 << 20);
	assert_int_equal(record_output(&one, &open, 1, text, sizeof(text)), 0);
	for (step = 1; step < 100000; step = step * 3 + 1) {
		buf_clear(&out);
		open = RECORD_NONE;
		for (at = 0; at < sizeof(text); at += k) {
			k = sizeof(text) - at < step ? sizeof(text) - at : step;
			assert_int_equal(record_output(&out, &open, 1,
			    text + at, k), 0);
		}
		assert_int_equal(record_output(&out, &open, 1, text, 0), 0);
		assert_int_equal(out.len, one.len);
		assert_memory_equal(out.data, one.data, one.len);
	}
	buf_clear(&out);
	open = RECORD_NONE;
	assert_int_equal(record_output(&out, &open, 1, "ab", 2), 0);
	assert_int_equal(open, 0);
	open = RECORD_NONE;
	assert_int_equal(record_output(&out, &open, 1, "c", 1), 0);
	assert_int_equal(out.len, 2 * HEADER + 3);
	assert_int_equal(out.data[5], 2);
	assert_int_equal(open, HEADER + 2);
	buf_release(&one);
	buf_release(&out);
	/* full: nothing is lost of what was there */
	buf_init(&out, HEADER + 2);
	open = RECORD_NONE;
	assert_int_equal(record_output(&out, &open, 1, "ab", 2), 0);
	assert_int_equal(record_output(&out, &open, 1, "c", 1), -1);
	assert_int_equal(out.len, HEADER + 2);
	assert_int_equal(out.data[5], 2);
	buf_release(&out);
}

static void
a_request_lacks_its_last_record_only(void **state)
{
	static char body[200000];
	char *const envp[] = { "REQUEST_METHOD=POST", "HTTP_X=", "GROQ_KEY=x",
	    "PATH=/bin", "PATH_INFO=/a=b", "NOVALUE", NULL };
	struct record_walk w;
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 20);
	assert_int_equal(record_request(&out, envp, body, sizeof(body)), 0);
	record_start(&w, 1 << 20);
	assert_int_equal(record_whole(&w, (unsigned char *)out.data, out.len),
	    RECORD_MORE);
	assert_int_equal(w.at, out.len);
	assert_int_equal(w.body, sizeof(body));
	assert_int_equal(w.params, 2 + 14 + 4 + 2 + 6 + 2 + 9 + 4);
	(void)buf_put(&out, record_last, RECORD_LAST);
	record_start(&w, 1 << 20);
	assert_int_equal(record_whole(&w, (unsigned char *)out.data, out.len),
	    RECORD_WHOLE);
	assert_null(memmem(out.data, out.len, "GROQ", 4));
	assert_null(memmem(out.data, out.len, "/bin", 4));
	assert_non_null(memmem(out.data, out.len, "\11\4PATH_INFO/a=b", 15));
	buf_release(&out);
}

static void
a_long_variable_has_a_length_of_four_bytes(void **state)
{
	static char v[RECORD_PARAMS + 64];
	char *const envp[] = { v, NULL };
	struct record_walk w;
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 20);
	memset(v, 'x', 60000);
	memcpy(v, "HTTP_A=", 7);
	assert_int_equal(record_request(&out, envp, "", 0), 0);
	(void)buf_put(&out, record_last, RECORD_LAST);
	record_start(&w, 1);
	assert_int_equal(record_whole(&w, (unsigned char *)out.data, out.len),
	    RECORD_WHOLE);
	assert_int_equal(w.params, 1 + 4 + 6 + 60000 - 7);
	memset(v + 60000, 'x', RECORD_PARAMS - 60000 + 8);
	buf_clear(&out);
	assert_int_equal(record_request(&out, envp, "", 0), -1);
	buf_release(&out);
}

/* Read an answer, `step` bytes at a time. The kinds it ended in. */
static enum record_kind
read_reply(const struct buf *in, size_t step, struct buf *text,
    struct buf *err, int *hellos)
{
	struct record_reply r = { .have = 0 };
	struct record_piece piece = { .kind = RECORD_NOTHING };
	const unsigned char *p = (unsigned char *)in->data;

	*hellos = 0;
	for (size_t at = 0, end; at < in->len;) {
		end = at + step < in->len ? at + step : in->len;
		while (at < end) {
			at += record_reply(&r, p + at, end - at, &piece);
			assert_true(at <= end);
			*hellos += piece.kind == RECORD_HELLO;
			if (piece.kind == RECORD_STDOUT)
				(void)buf_put(text, piece.p, piece.n);
			if (piece.kind == RECORD_STDERR)
				(void)buf_put(err, piece.p, piece.n);
			if (piece.kind == RECORD_END ||
			    piece.kind == RECORD_BROKEN)
				return piece.kind;
		}
	}
	return RECORD_NOTHING;
}

static void
an_answer_is_read_in_any_pieces(void **state)
{
	static char body[70000];
	struct buf in, text, err;
	size_t open = RECORD_NONE;
	int hellos;

	(void)state;
	buf_init(&in, 1 << 20);
	buf_init(&text, 1 << 20);
	buf_init(&err, 1 << 20);
	memset(body, 'z', sizeof(body));
	(void)buf_put(&in, record_hello, RECORD_HELLO_LEN);
	(void)record_output(&in, &open, 1, "Status: 200\r\n\r\n", 15);
	(void)record_error(&in, &open, 1, "a line\n", 7);
	(void)buf_put(&in, "\1\6\0\1\0\1\3\0Qpad", 12);	/* padded */
	assert_int_equal(open, RECORD_NONE);
	(void)record_output(&in, &open, 1, body, sizeof(body));
	(void)record_end(&in, 1);
	for (size_t step = 1; step < 100000; step = step * 3 + 1) {
		buf_clear(&text);
		buf_clear(&err);
		assert_int_equal(read_reply(&in, step, &text, &err, &hellos),
		    RECORD_END);
		assert_int_equal(hellos, 1);
		assert_int_equal(text.len, 15 + 1 + sizeof(body));
		assert_memory_equal(text.data, "Status: 200\r\n\r\nQz", 17);
		assert_string_equal(buf_str(&err), "a line\n");
	}
	in.len -= 1;
	assert_int_equal(read_reply(&in, 4096, &text, &err, &hellos),
	    RECORD_NOTHING);
	buf_release(&in);
	buf_release(&text);
	buf_release(&err);
}

static void
what_no_responder_answers_is_broken(void **state)
{
	static const unsigned char records[][8] = {
		{ 0 },				/* how an answer is cut */
		{ 2, STDOUT, 0, 1, 0, 1, 0, 0 },
		{ 1, STDOUT, 0, 2, 0, 1, 0, 0 },
		{ 1, BEGIN_REQUEST, 0, 1, 0, 8, 0, 0 },
		{ 1, END_REQUEST, 0, 1, 0, 7, 0, 0 },
		{ 1, END_REQUEST, 0, 1, 0, 0, 0, 0 },
		{ 1, VALUES_RESULT, 0, 0, 0, 1, 0, 0 },
		{ 1, 99, 0, 1, 0, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(records) / 8; i++) {
		struct record_reply r = { .have = 0 };
		struct record_piece piece;

		assert_int_equal(record_reply(&r, records[i], 8, &piece), 8);
		assert_int_equal(piece.kind, RECORD_BROKEN);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_at_its_last_byte_and_not_before),
		cmocka_unit_test(collected_in_any_pieces_it_is_the_same_bytes),
		cmocka_unit_test(too_big_a_body_is_walked_to_its_end),
		cmocka_unit_test(what_no_web_server_sends_is_refused),
		cmocka_unit_test(too_long_parameters_are_walked_to_their_end),
		cmocka_unit_test(not_without_end),
		cmocka_unit_test(an_answer_is_records_that_end),
		cmocka_unit_test(a_request_lacks_its_last_record_only),
		cmocka_unit_test(a_long_variable_has_a_length_of_four_bytes),
		cmocka_unit_test(an_answer_is_read_in_any_pieces),
		cmocka_unit_test(what_no_responder_answers_is_broken),
		cmocka_unit_test(pieces_grow_one_record),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
