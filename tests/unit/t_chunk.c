#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "../../src/chunk.c"

#include "buf.h"

static struct chunk c;
static struct chunk_choice choice[4];
static size_t choices;

static void
hear(void *arg, const struct chunk_choice *ch)
{
	assert_ptr_equal(arg, &choices);
	assert_true(choices < 4);
	choice[choices++] = *ch;
}

static int
scan(const char *s)
{
	choices = 0;
	return chunk_scan(&c, s, strlen(s), hear, &choices);
}

static void
assert_span(const char *s, struct chunk_span v, const char *wanted)
{
	assert_int_equal(v.len, strlen(wanted));
	assert_memory_equal(s + v.at, wanted, v.len);
}

static void
test_places(void **state)
{
	const char *s = " {\"id\":\"a\",\"created\":7,\"model\":\"m\","
	    "\"choices\":[{\"finish_reason\":\"stop\",\"index\":3,"
	    "\"delta\":{\"role\":\"\" , \"content\":\"h\\u00e9\"}},{}],"
	    "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}} ";

	(void)state;
	assert_int_equal(scan(s), 0);
	assert_true(c.object);
	assert_int_equal(c.top.at, 1);
	assert_span(s, c.id, "\"a\"");
	assert_span(s, c.created, "7");
	assert_span(s, c.model, "\"m\"");
	assert_span(s, c.usage, "{\"prompt_tokens\":1,"
	    "\"completion_tokens\":2}");
	assert_int_equal(c.count, 2);
	assert_int_equal(choices, 2);
	assert_int_equal(choice[0].index, 3);
	assert_true(choice[0].finished);
	assert_span(s, choice[0].finish, "\"stop\"");
	assert_span(s, choice[0].role, "\"role\":\"\" ,");
	assert_span(s, choice[0].text, "\"h\\u00e9\"");
	assert_int_equal(choice[0].bytes, 3);
	assert_int_equal(choice[1].index, 1);
	assert_false(choice[1].said);
}

static void
test_not_json(void **state)
{
	(void)state;
	assert_int_equal(scan("{\"choices\":[{\"delta\":{}}"), -1);
	assert_int_equal(c.bad, 24);
	assert_non_null(c.why);
	assert_int_equal(scan(""), -1);
	assert_int_equal(scan("{} {}"), -1);
	assert_int_equal(scan("7"), 0);
	assert_false(c.object);
	assert_int_equal(scan("[1,2]"), 0);
	assert_false(c.object);
	assert_int_equal(scan("{\"choices\":[null,7,[],{\"index\":0}]}"), 0);
	assert_int_equal(c.count, 1);
}

static void
test_status(void **state)
{
	(void)state;
	assert_int_equal(scan("{\"error\":{\"code\":\"429\"}}"), 0);
	assert_int_equal(c.status, 0);
	assert_int_equal(scan("{\"error\":{\"code\":200}}"), 0);
	assert_int_equal(c.status, 0);
	assert_int_equal(scan("{\"error\":{\"code\":1e9}}"), 0);
	assert_int_equal(c.status, 0);
	assert_int_equal(scan("{\"error\":{\"code\":503}}"), 0);
	assert_int_equal(c.status, 503);
	assert_int_equal(scan("{\"error\":false}"), 0);
	assert_int_equal(c.error.len, 0);
	assert_int_equal(scan("{\"error\":\"\"}"), 0);
	assert_int_equal(c.error.len, 0);
	assert_int_equal(scan("{\"error\":true}"), 0);
	assert_int_equal(c.error.len, 4);
}

static bool
fits(const struct chunk_shape *s, const char *p, const char *text,
    int64_t bytes)
{
	struct chunk_span t;
	int64_t n;

	if (!chunk_fits(s, p, strlen(p), &t, &n))
		return false;
	assert_span(p, t, text);
	assert_int_equal(n, bytes);
	return true;
}

/* Whether event, with rest behind it, leads; each byte is looked at in a block
 * of its own size, so that nothing can be read beside it. */
static bool
leads(const struct chunk_shape *s, const char *event, const char *rest,
    int64_t bytes)
{
	size_t n = strlen(event), more = strlen(rest), k;
	char *copy = malloc(n + more + 1);
	int64_t got = 0;

	assert_non_null(copy);
	memcpy(copy, event, n);
	memcpy(copy + n, rest, more);
	copy = realloc(copy, n + more > 0 ? n + more : 1);
	assert_non_null(copy);
	k = chunk_leads(s, copy, n + more, n + more, &got);
	free(copy);
	if (k == 0)
		return false;
	assert_int_equal(k, n);
	assert_int_equal(got, bytes);
	return true;
}

static void
test_shape(void **state)
{
	struct chunk_shape s = { 0 };
	const char *p = "{\"a\":\"xyz\",\"b\":1}";
	static const char *const others[] = {
		"", "data: ", "data: {\"a\":", "data: {\"a\":\"x",
		"data: {\"a\":\"xyz\",\"b\":1}",
		"data: {\"a\":\"xyz\",\"b\":1}\n",
		"data: {\"a\":\"xyz\",\"b\":1}\ndata: x\n\n",
		"data: {\"a\":\"xyz\",\"b\":1}\r\n\r\n",
		"data:{\"a\":\"xyz\",\"b\":1}\n\n\n",
		"data: {\"a\":\"\",\"b\":1}\n\n",
		"data: {\"a\":\"x\",\"c\":\"y\",\"b\":1}\n\n",
		"data: {\"a\":\"x\\\",\"b\":1}\n\n",
		"data: {\"a\":\"\xff\",\"b\":1}\n\n",
		"data: {\"a\":\"xyz\",\"b\":2}\n\n",
	};
	char big[400];

	(void)state;
	assert_false(fits(&s, p, "", 0));
	chunk_shape(&s, p, strlen(p), (struct chunk_span){ 5, 5 });
	assert_true(fits(&s, p, "\"xyz\"", 3));
	assert_true(fits(&s, "{\"a\":\"\\u00e9\\n\",\"b\":1}",
	    "\"\\u00e9\\n\"", 3));
	/* What looks alike and is not: the text is empty, ends early, holds a
	 * raw byte, or the rest differs. */
	assert_false(fits(&s, "{\"a\":\"\",\"b\":1}", "", 0));
	assert_false(fits(&s, "{\"a\":\"x\",\"c\":\"y\",\"b\":1}", "", 0));
	assert_false(fits(&s, "{\"a\":\"x\\\",\"b\":1}", "", 0));
	assert_false(fits(&s, "{\"a\":\"x\n\",\"b\":1}", "", 0));
	assert_false(fits(&s, "{\"a\":\"\xff\",\"b\":1}", "", 0));
	assert_false(fits(&s, "{\"a\":\"xyz\",\"b\":2}", "", 0));
	assert_false(fits(&s, "{\"a\":\"", "", 0));
	assert_true(leads(&s, "data: {\"a\":\"xyz\",\"b\":1}\n\n", "", 3));
	assert_true(leads(&s, "data: {\"a\":\"\\n\\\"\",\"b\":1}\n\n",
	    "data: x\n\n", 2));
	for (size_t i = 0; i < COUNT(others); i++)
		assert_false(leads(&s, others[i], "", 0));
	/* Too long to be learned: the old one is forgotten too. */
	memset(big, ' ', sizeof(big));
	memcpy(big, "{\"a\":\"x\"", 8);
	big[sizeof(big) - 1] = '}';
	chunk_shape(&s, big, sizeof(big), (struct chunk_span){ 5, 3 });
	assert_false(fits(&s, p, "", 0));
	assert_false(leads(&s, "data: {\"a\":\"xyz\",\"b\":1}\n\n", "", 0));
}

/* Events of one shape that follow each other are one run, up to what differs or
 * is longer than it may be. */
static void
test_run(void **state)
{
	static const char one[] = "data: {\"a\":\"xyz\",\"b\":1}\n\n";
	static const char run[] = "data: {\"a\":\"xyz\",\"b\":1}\n\n"
	    "data: {\"a\":\"z\",\"b\":1}\n\n"
	    "data: {\"a\":\"longer\",\"b\":1}\n\n"
	    "data: {\"a\":\"xyz\",\"b\":2}\n\n";
	const size_t n = strlen(one), all = strlen(run);
	struct chunk_shape s;
	int64_t bytes = 7;

	(void)state;
	chunk_shape(&s, one + 6, n - 8, (struct chunk_span){ 5, 5 });
	assert_int_equal(chunk_leads(&s, run, all, all, &bytes), all - n);
	assert_int_equal(bytes, 7 + 3 + 1 + 6);
	assert_int_equal(chunk_leads(&s, run, all, n, &bytes), 2 * n - 2);
	assert_int_equal(bytes, 17 + 3 + 1);
	assert_int_equal(chunk_leads(&s, run, 2 * n - 3, all, &bytes), n);
	assert_int_equal(bytes, 21 + 3);
	assert_int_equal(chunk_leads(&s, run, all, n - 1, &bytes), 0);
	assert_int_equal(bytes, 24);
}

static void
test_edits(void **state)
{
	struct chunk_edits e = { 0 };
	const char *p = " {\"a\":1,\"b\":2}";
	struct buf out;
	size_t i;

	(void)state;
	buf_init(&out, 100);
	assert_int_equal(chunk_edit(&e, (struct chunk_span){ 12, 1 }, "two"),
	    0);
	assert_int_equal(chunk_edit(&e, (struct chunk_span){ 2, 6 }, ""), 0);
	chunk_put(p, strlen(p), &e, 1, "{}", &out);
	assert_string_equal(buf_str(&out), " {\"relevo\":{},\"b\":two}");
	buf_clear(&out);
	chunk_put(p, strlen(p), &e, 1, NULL, &out);
	assert_string_equal(buf_str(&out), " {\"b\":two}");
	for (i = e.n; i < CHUNK_EDITS; i++)
		assert_int_equal(chunk_edit(&e, (struct chunk_span){ 0, 0 },
		    ""), 0);
	assert_int_equal(chunk_edit(&e, (struct chunk_span){ 0, 0 }, ""), -1);
	buf_clear(&out);
	buf_puts(&out, "a\nb\n\rc\n");
	chunk_one_line(&out, 2);
	assert_string_equal(buf_str(&out), "a\nb  c ");
	buf_release(&out);
	chunk_one_line(&out, 0);
}

static void
test_text(void **state)
{
	const char *p = "[{\"type\":\"text\",\"text\":\"a\\n\"},7,{\"text\":"
	    "\"no\",\"type\":\"thinking\"},{\"text\":\"b\"},"
	    "{\"text\":\"c\",\"id\":\"thinking\",\"type\":7}]";
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	assert_int_equal(chunk_text(p, (struct chunk_span){ 0, strlen(p) },
	    &out), 0);
	assert_string_equal(buf_str(&out), "a\nbc");
	assert_int_equal(chunk_text("[{\"text\":", (struct chunk_span){ 0, 9 },
	    &out), -1);
	buf_release(&out);
}

/* What a model wrote, in bytes of UTF-8: the tokens of an answer without usage
 * are estimated from it. */
static void
test_bytes(void **state)
{
	static const struct { const char *delta; int64_t bytes; } t[] = {
		{ "\"content\":\"\\u0000\\u007f\"", 2 },
		{ "\"content\":\"\\u0080\\u00FF\\u07ff\"", 6 },
		{ "\"content\":\"\\u0800\\u1000\\ud7ff\\uD7FF\\uffff\"", 15 },
		{ "\"content\":\"\\ud83d\\ude00\\uDBFF\\uDFFF\"", 8 },
		{ "\"content\":\"\\n\\\"\\\\a\xc3\xa9\"", 6 },
		{ "\"content\":\"abc\",\"refusal\":\"de\"", 5 },
		{ "\"content\":[\"no\",{\"text\":\"ab\",\"x\":\"no\"}]", 2 },
		{ "\"refusal\":\"no\",\"tool_calls\":[{\"id\":\"x\","
		  "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]", 5 },
	};
	char s[256];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(t); i++) {
		snprintf(s, sizeof(s), "{\"choices\":[{\"delta\":{%s}}]}",
		    t[i].delta);
		assert_int_equal(scan(s), 0);
		assert_int_equal(choice[0].bytes, t[i].bytes);
	}
}

/* The role goes with all of the white space that JSON knows. */
static void
test_role(void **state)
{
	const char *s = "{\"choices\":[{\"delta\":{\"role\":\"\"\r\n\t ,"
	    "\"content\":\"a\"}}]}";

	(void)state;
	assert_int_equal(scan(s), 0);
	assert_span(s, choice[0].role, "\"role\":\"\"\r\n\t ,");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_not_json),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_role),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
