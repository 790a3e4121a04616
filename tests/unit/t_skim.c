#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/skim.c"

#include <stdio.h>
#include <string.h>

#include "json.h"

/* A string of n units, in whatever pieces: what is left is valid. */
static void
skims(const char *unit, size_t n)
{
	struct buf b;
	struct skim s;
	const char *why;
	size_t i, step, at, k;

	buf_init(&b, 100000);
	buf_puts(&b, "{\"a\":[1,\"");
	for (i = 0; i < n; i++)
		buf_puts(&b, unit);
	buf_puts(&b, "\",\"\"],\"b\":\"]\\\"}\"}");
	for (step = 1; step < 9; step++) {
		skim_init(&s, 1000);
		for (i = 0; i < b.len; i += k) {
			k = b.len - i < step ? b.len - i : step;
			skim_put(&s, b.data + i, k);
		}
		assert_false(s.text.failed);
		assert_int_equal(json_check(s.text.data, s.text.len, &at,
		    &why), 0);
		assert_int_equal(s.text.len + (size_t)s.left, b.len);
		assert_memory_equal(s.text.data, "{\"a\":[1,\"", 9);
		assert_string_equal(strstr(buf_str(&s.text), "\",\"\"]"),
		    "\",\"\"],\"b\":\"]\\\"}\"}");
		assert_true(n * strlen(unit) <= SKIM_STRING ? s.left == 0 :
		    s.text.len < SKIM_STRING + 60);
		skim_release(&s);
	}
	buf_release(&b);
}

static void
any_string_is_cut_between_characters(void **state)
{
	static const char *const units[] = { "x", "\\\\", "\\\"", "\\n", "{",
	    "\\u0041", "\\u4E2d", "\\ud83d\\ude80", "\\uDBFF\\uDFFF",
	    "\xc3\xb1", "\xe4\xb8\xad", "\xf0\x9f\x9a\x80", "a\\ud83d\\ude80",
	    "ab\xf0\x9f\x9a\x80", "abc\\u00e9" };
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		for (n = 0; n < 300; n += n < 3 ? 1 : 7)
			skims(units[i], n);
}

static void
keys_are_strings(void **state)
{
	struct skim s;
	char text[1000], key[500];

	(void)state;
	memset(key, 'k', sizeof(key));
	snprintf(text, sizeof(text), "{\"%.400s\":7}", key);
	skim_init(&s, 1000);
	skim_put(&s, text, strlen(text));
	assert_int_equal(s.text.len, SKIM_STRING + 6);
	assert_int_equal(s.left, 400 - SKIM_STRING);
	skim_clear(&s);
	assert_int_equal(s.left, 0);
	assert_int_equal(s.text.len, 0);
	skim_put(&s, "[1]", 3);
	assert_string_equal(buf_str(&s.text), "[1]");
	skim_release(&s);
}

static void
what_is_kept_is_bounded(void **state)
{
	struct skim s;

	(void)state;
	skim_init(&s, 20);
	for (int i = 0; i < 100; i++)
		skim_put(&s, "[\"a\",", 5);
	assert_true(s.text.failed);
	assert_true(s.text.len <= 20);
	skim_clear(&s);
	assert_false(s.text.failed);
	skim_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_string_is_cut_between_characters),
		cmocka_unit_test(keys_are_strings),
		cmocka_unit_test(what_is_kept_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
