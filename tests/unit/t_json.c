#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/json.c"

#include <stdlib.h>

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* A text with a length, for those that hold a NUL. */
#define T(s)		s, sizeof(s) - 1

/* Checked in memory of exactly its size, so that the sanitizer hears of a read
 * past the end. */
static int
check(const char *p, size_t n)
{
	char *copy = malloc(n > 0 ? n : 1);
	const char *why = NULL;
	size_t at = 0;
	int result;

	assert_non_null(copy);
	memcpy(copy, p, n);
	result = json_check(copy, n, &at, &why);
	assert_true(at <= n);
	assert_true((result < 0) == (why != NULL));
	free(copy);
	return result;
}

static void
accepts_what_is_json(void **state)
{
	static const struct {
		const char	*p;
		size_t		 n;
	} rows[] = {
		{ T("{}") }, { T("[]") }, { T("\"\"") }, { T("0") },
		{ T("-0") }, { T("true") }, { T("false") }, { T("null") },
		{ T(" \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \n") },
		{ T("1.5e+10") }, { T("1E-2") }, { T("-12.25") },
		{ T("1e999") }, { T("9007199254740993") },
		{ T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"") },
		{ T("\"\\u0000\"") }, { T("\"\x7f\"") },
		{ T("\"\xc3\xb1\xe2\x82\xac\xf0\x9f\x98\x80\"") },
		{ T("\"1234567\\n\"") }, { T("\"12345678\xc3\xb1\"") },
		{ T("{\"a\":1,\"a\":2}") }, { T("{\"\":0}") },
		{ T("[[[[]]],{\"a\":[{}]}]") },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		if (check(rows[i].p, rows[i].n) < 0)
			fail_msg("refused: %s", rows[i].p);
}

static void
refuses_what_is_not(void **state)
{
	static const struct {
		const char	*p;
		size_t		 n;
	} rows[] = {
		{ T("") }, { T(" ") }, { T("{") }, { T("[") }, { T("}") },
		{ T("]") }, { T("{}x") }, { T("{}{}") }, { T("{},") },
		{ T("{}\0") }, { T("\xef\xbb\xbf{}") }, { T("[1,]") },
		{ T("[,1]") }, { T("[1 2]") }, { T("[1}") }, { T("{]") },
		{ T("{\"a\"}") }, { T("{\"a\":}") }, { T("{\"a\":1,}") },
		{ T("{,}") }, { T("{a:1}") }, { T("{1:1}") },
		{ T("{\"a\":1 \"b\":2}") }, { T("{\"a\"::1}") },
		{ T("{'a':1}") }, { T("[1]]") }, { T("\"") },
		{ T("\"abc") }, { T("\"abcdefgh") }, { T("\"a\\") },
		{ T("\"a\\\"") }, { T("\"\n\"") }, { T("\"\0\"") },
		{ T("\"12345678\x1f\"") }, { T("\"\\x\"") },
		{ T("\"\\u\"") }, { T("\"\\u12\"") }, { T("\"\\u12g4\"") },
		{ T("\"\\u+123\"") }, { T("\"\\u 123\"") },
		{ T("\"\\ud83d\"") }, { T("\"\\ude00\"") },
		{ T("\"\\ud83d\\n\"") }, { T("\"\\ud83dude00\"") },
		{ T("\"\\ud83d\\ud83d\"") }, { T("\"\\ud83d\\u0041\"") },
		{ T("\"\\ud83d\\ude0\"") }, { T("\"\xff\"") },
		{ T("\"\xc0\xaf\"") }, { T("\"\xed\xa0\x80\"") },
		{ T("\"\xe2\x82\"") }, { T("\"\xc3") },
		{ T("\"\xf4\x90\x80\x80\"") }, { T("\"ok\xc3\xb1\x80\"") },
		{ T("01") }, { T("-01") }, { T("00") }, { T("1.") },
		{ T(".5") }, { T("-") }, { T("+1") }, { T("1e") },
		{ T("1e+") }, { T("1.e5") }, { T("0x1") }, { T("1.5.5") },
		{ T("1e5e5") }, { T("--1") }, { T("1_000") }, { T("NaN") },
		{ T("Infinity") }, { T("-Infinity") }, { T("nan") },
		{ T("True") }, { T("TRUE") }, { T("nul") }, { T("nulll") },
		{ T("tru") }, { T("truefalse") }, { T("undefined") },
		{ T("// x\n1") }, { T("/**/1") }, { T("1/**/") },
		{ T("\v1") }, { T("\xc2\xa0" "1") }, { T("[1\0]") },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		if (check(rows[i].p, rows[i].n) == 0)
			fail_msg("accepted: %s", rows[i].p);
}

/* Each special byte at each place of a word of eight. */
static void
finds_the_end_of_a_string_anywhere(void **state)
{
	static const char stops[] = "\"\\\x1f\x01\x80\xff\n";
	char text[40];
	size_t i, k, n;

	(void)state;
	for (n = 0; n < sizeof(text); n++) {
		for (k = 0; k < n; k++) {
			for (i = 0; i < sizeof(stops); i++) {
				memset(text, 'a' + (int)i, sizeof(text));
				text[k] = stops[i];
				assert_int_equal(text_plain(text, 0, n), k);
			}
		}
		memset(text, ' ', sizeof(text));
		assert_int_equal(text_plain(text, 0, n), n);
		memset(text, 0x7f, sizeof(text));
		assert_int_equal(text_plain(text, 0, n), n);
	}
}

static void
says_where_and_why(void **state)
{
	static const struct {
		const char	*text;
		size_t		 at;
		const char	*why;
	} rows[] = {
		{ "", 0, "the text ends where a value must come" },
		{ "{} x", 3, "bytes after the value" },
		{ "{\"a\":01}", 5, "a number with a leading zero" },
		{ "[\"ab\x01\"]", 4, "a control byte in a string" },
		{ "[\"ab\xff\"]", 4, "not valid UTF-8" },
		{ "[\"ab\\x\"]", 4, "not a valid escape" },
		{ "[\"ab", 4, "the text ends inside a string" },
		{ "[1 2]", 3, "a comma or the closing bracket must come here" },
		{ "{\"a\" 2}", 5, "a colon must come here" },
		{ "{\"a\":1,}", 7, "a member's name must come here" },
	};
	const char *why;
	size_t i, at;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(json_check(rows[i].text,
		    strlen(rows[i].text), &at, &why), -1);
		assert_int_equal(at, rows[i].at);
		assert_string_equal(why, rows[i].why);
	}
}

static void
bounds_the_depth(void **state)
{
	char text[2 * JSON_DEPTH + 4], *deep;
	const char *why;
	size_t at;

	(void)state;
	memset(text, '[', JSON_DEPTH);
	memset(text + JSON_DEPTH, ']', JSON_DEPTH);
	assert_int_equal(check(text, 2 * JSON_DEPTH), 0);
	memset(text, '[', JSON_DEPTH + 1);
	memset(text + JSON_DEPTH + 1, ']', JSON_DEPTH + 1);
	assert_int_equal(json_check(text, 2 * JSON_DEPTH + 2, &at, &why), -1);
	assert_int_equal(at, JSON_DEPTH);
	assert_string_equal(why, "nested too deep");
	deep = malloc(100000);
	assert_non_null(deep);
	memset(deep, '[', 100000);
	assert_int_equal(json_check(deep, 100000, &at, &why), -1);
	free(deep);
}

/* Objects and arrays in turn, to the full depth: each bit of kind. */
static void
remembers_what_is_open(void **state)
{
	char text[10 * JSON_DEPTH];
	size_t n = 0;
	int i;

	(void)state;
	for (i = 0; i < JSON_DEPTH / 2; i++) {
		memcpy(text + n, "[{\"k\":", 6);
		n += 6;
	}
	text[n++] = '1';
	for (i = 0; i < JSON_DEPTH / 2; i++) {
		memcpy(text + n, "}]", 2);
		n += 2;
	}
	assert_int_equal(check(text, n), 0);
	text[n - 1] = '}';
	assert_int_equal(check(text, n), -1);
}

static void
gives_tokens_and_their_places(void **state)
{
	static const char text[] =
	    " {\"a\":[1.5,\"x\\n\",true],\"b\" :{},\"c\":null,\"d\":false}";
	static const struct {
		enum json_token	 token;
		const char	*bytes;
		unsigned	 depth;
	} rows[] = {
		{ JSON_OBJECT, "{", 1 }, { JSON_KEY, "\"a\"", 1 },
		{ JSON_ARRAY, "[", 2 }, { JSON_NUMBER, "1.5", 2 },
		{ JSON_STRING, "\"x\\n\"", 2 }, { JSON_TRUE, "true", 2 },
		{ JSON_CLOSE, "]", 1 }, { JSON_KEY, "\"b\"", 1 },
		{ JSON_OBJECT, "{", 2 }, { JSON_CLOSE, "}", 1 },
		{ JSON_KEY, "\"c\"", 1 }, { JSON_NULL, "null", 1 },
		{ JSON_KEY, "\"d\"", 1 }, { JSON_FALSE, "false", 1 },
		{ JSON_CLOSE, "}", 0 },
	};
	struct json j;
	size_t i;

	(void)state;
	json_begin(&j, text, strlen(text));
	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(json_next(&j), rows[i].token);
		assert_int_equal(j.tok_len, strlen(rows[i].bytes));
		assert_memory_equal(text + j.tok, rows[i].bytes, j.tok_len);
		assert_int_equal(j.depth, rows[i].depth);
	}
	assert_int_equal(json_next(&j), JSON_END);
	assert_int_equal(json_next(&j), JSON_END);
	assert_int_equal(json_skip(&j), 0);
	json_begin(&j, "[x", 2);
	assert_int_equal(json_next(&j), JSON_ARRAY);
	assert_int_equal(json_next(&j), JSON_BAD);
	assert_int_equal(json_next(&j), JSON_BAD);
	assert_int_equal(j.at, 1);
	assert_int_equal(json_skip(&j), -1);
}

static void
skips_values(void **state)
{
	static const char text[] =
	    "{\"a\":[[1,{\"x\":[]}],2],\"b\":\"s\",\"c\":{\"d\":{}},\"e\":0}";
	struct json j;

	(void)state;
	json_begin(&j, text, strlen(text));
	assert_int_equal(json_skip(&j), 0);
	assert_int_equal(json_next(&j), JSON_OBJECT);
	assert_int_equal(json_next(&j), JSON_KEY);
	assert_int_equal(json_skip(&j), 0);
	assert_int_equal(json_next(&j), JSON_KEY);
	assert_true(json_is(&j, "b"));
	assert_int_equal(json_skip(&j), 0);
	assert_int_equal(json_next(&j), JSON_KEY);
	assert_int_equal(json_next(&j), JSON_OBJECT);
	assert_int_equal(json_skip(&j), 0);
	assert_int_equal(json_next(&j), JSON_KEY);
	assert_true(json_is(&j, "e"));
	assert_int_equal(json_next(&j), JSON_NUMBER);
	assert_int_equal(json_skip(&j), 0);
	assert_int_equal(json_next(&j), JSON_CLOSE);
	assert_int_equal(json_next(&j), JSON_END);

	json_begin(&j, "{\"a\":[1,[2", 10);
	json_next(&j);
	assert_int_equal(json_skip(&j), -1);
	assert_string_equal(j.why, "a comma or the closing bracket must "
	    "come here");
	json_begin(&j, "[]", 2);
	json_next(&j);
	assert_int_equal(json_skip(&j), 0);
	assert_int_equal(json_next(&j), JSON_END);
}

/* What json_is and json_text make of the string that text is. */
static bool
is(const char *text, const char *w)
{
	struct json j;

	json_begin(&j, text, strlen(text));
	assert_int_equal(json_next(&j), JSON_STRING);
	return json_is(&j, w);
}

static void
compares_with_escapes_resolved(void **state)
{
	(void)state;
	assert_true(is("\"model\"", "model"));
	assert_false(is("\"Model\"", "model"));
	assert_false(is("\"model\"", "mode"));
	assert_false(is("\"mode\"", "model"));
	assert_true(is("\"\"", ""));
	assert_true(is("\"m\\u006fdel\"", "model"));
	assert_true(is("\"\\u006D\\u006f\\u0064\\u0065\\u006c\"", "model"));
	assert_false(is("\"m\\u006fdel\"", "mode"));
	assert_false(is("\"m\\u006fdel\"", "modell"));
	assert_false(is("\"m\\u006fdel\\u0000\"", "model"));
	assert_false(is("\"\\u0000\"", ""));
	assert_true(is("\"\\u00f1\\ud83d\\ude00\"",
	    "\xc3\xb1\xf0\x9f\x98\x80"));
	assert_false(is("\"\\ud83d\\ude00\"", "\xf0\x9f"));
	assert_true(is("\"\xc3\xb1\\t\"", "\xc3\xb1\t"));
}

static void
gives_text_with_escapes_resolved(void **state)
{
	static const char text[] = "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000"
	    "\\u007f\\u0080\\u07ff\\u0800\\uffff\\ud800\\udc00"
	    "\\udbff\\udfff z\"";
	static const char want[] = "a\"\\/\b\f\n\r\t\0\x7f\xc2\x80\xdf\xbf"
	    "\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf z";
	struct json j;
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	json_begin(&j, text, strlen(text));
	assert_int_equal(json_next(&j), JSON_STRING);
	assert_true(j.escaped);
	assert_int_equal(json_text(&j, &b), 0);
	assert_int_equal(b.len, sizeof(want) - 1);
	assert_memory_equal(b.data, want, b.len);
	json_begin(&j, "\"plain\"", 7);
	json_next(&j);
	assert_false(j.escaped);
	buf_clear(&b);
	assert_int_equal(json_text(&j, &b), 0);
	assert_string_equal(buf_str(&b), "plain");
	buf_release(&b);
}

static void
unescapes_all_or_nothing(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	buf_puts(&b, "x");
	assert_int_equal(json_unescape("ab\\ncd", 6, &b), -1);
	assert_string_equal(buf_str(&b), "x");
	buf_clear(&b);
	assert_int_equal(json_unescape("ab\\ncd", 6, &b), 0);
	assert_string_equal(buf_str(&b), "ab\ncd");
	buf_clear(&b);
	assert_int_equal(json_unescape("a\\", 2, &b), -1);
	assert_int_equal(b.len, 0);
	buf_release(&b);
}

static void
parses_a_tree(void **state)
{
	static const char text[] = "{\"error\":{\"code\":429,\"metadata\":"
	    "{\"raw\":\"r\"}},\"Error\":1,\"a\":[true,null,{\"b\":\"c\"}],"
	    "\"big\":1e999,\"7\":\"seven\"}";
	struct json_tree *t = json_parse(text, strlen(text));
	double v = 0;

	(void)state;
	assert_non_null(t);
	assert_int_equal(json_kind(t), JSON_OBJECT);
	assert_ptr_equal(json_at(t, ""), t);
	assert_int_equal(json_kind(json_at(t, "error")), JSON_OBJECT);
	assert_int_equal(json_number(json_at(t, "error.code"), &v), 0);
	assert_true(v > 428.5 && v < 429.5);
	assert_string_equal(json_string(json_at(t, "error.metadata.raw")),
	    "r");
	assert_int_equal(json_kind(json_at(t, "Error")), JSON_NUMBER);
	assert_null(json_at(t, "ERROR"));
	assert_int_equal(json_count(json_at(t, "a")), 3);
	assert_int_equal(json_kind(json_at(t, "a.0")), JSON_TRUE);
	assert_int_equal(json_kind(json_at(t, "a.1")), JSON_NULL);
	assert_string_equal(json_string(json_at(t, "a.2.b")), "c");
	assert_null(json_at(t, "a.3"));
	assert_null(json_at(t, "a.-1"));
	assert_null(json_at(t, "a.x"));
	assert_null(json_at(t, "a.99999999999"));
	assert_null(json_at(t, "error.code.x"));
	assert_null(json_at(t, "error..code"));
	assert_string_equal(json_string(json_at(t, "7")), "seven");
	assert_int_equal(json_number(json_at(t, "big"), &v), -1);
	assert_int_equal(json_number(json_at(t, "7"), &v), -1);
	assert_null(json_string(json_at(t, "big")));
	assert_int_equal(json_count(json_at(t, "error")), 0);
	json_free(t);
}

static void
a_tree_that_is_not_there(void **state)
{
	double v;

	(void)state;
	json_free(NULL);
	assert_null(json_at(NULL, "a"));
	assert_int_equal(json_kind(NULL), JSON_BAD);
	assert_null(json_string(NULL));
	assert_int_equal(json_number(NULL, &v), -1);
	assert_int_equal(json_count(NULL), 0);
	assert_null(json_parse("", 0));
	assert_null(json_parse("{\"a\":1}x", 8));
	assert_null(json_parse("{\"a\":01}", 8));
}

static void
a_tree_needs_no_nul(void **state)
{
	char *exact = malloc(5);
	struct json_tree *t;

	(void)state;
	assert_non_null(exact);
	memcpy(exact, "[1] \n", 5);
	t = json_parse(exact, 5);
	assert_int_equal(json_count(t), 1);
	json_free(t);
	free(exact);
}

static void
a_long_number_is_not_cut(void **state)
{
	struct json_tree *t;
	char text[100];
	double v = 0;

	(void)state;
	memset(text, '1', sizeof(text));
	assert_int_equal(check(text, sizeof(text)), 0);
	t = json_parse(text, sizeof(text));
	/* cJSON as its makers ship it may refuse it. */
	if (t != NULL) {
		assert_int_equal(json_number(t, &v), 0);
		assert_true(v > 1.1e99 && v < 1.2e99);
	}
	json_free(t);
}

static void
writes(void **state)
{
	struct buf b;
	struct json_out w = { .out = &b };

	(void)state;
	buf_init(&b, 1000);
	json_open(&w, NULL, '{');
	json_put(&w, "a\"", "x\n");
	json_put(&w, "n", NULL);
	json_open(&w, "list", '[');
	json_put_int(&w, NULL, INT64_MIN);
	json_open(&w, NULL, '{');
	json_close(&w, '}');
	json_open(&w, NULL, '[');
	json_put_bool(&w, NULL, true);
	json_close(&w, ']');
	json_put_bool(&w, NULL, false);
	json_put_null(&w, NULL);
	json_close(&w, ']');
	json_put_raw(&w, "raw", "1e400", 5);
	json_close(&w, '}');
	assert_string_equal(buf_str(&b), "{\"a\\\"\":\"x\\n\",\"n\":null,"
	    "\"list\":[-9223372036854775808,{},[true],false,null],"
	    "\"raw\":1e400}");
	assert_int_equal(check(b.data, b.len), 0);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_what_is_json),
		cmocka_unit_test(refuses_what_is_not),
		cmocka_unit_test(finds_the_end_of_a_string_anywhere),
		cmocka_unit_test(says_where_and_why),
		cmocka_unit_test(bounds_the_depth),
		cmocka_unit_test(remembers_what_is_open),
		cmocka_unit_test(gives_tokens_and_their_places),
		cmocka_unit_test(skips_values),
		cmocka_unit_test(compares_with_escapes_resolved),
		cmocka_unit_test(gives_text_with_escapes_resolved),
		cmocka_unit_test(unescapes_all_or_nothing),
		cmocka_unit_test(parses_a_tree),
		cmocka_unit_test(a_tree_that_is_not_there),
		cmocka_unit_test(a_tree_needs_no_nul),
		cmocka_unit_test(a_long_number_is_not_cut),
		cmocka_unit_test(writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
