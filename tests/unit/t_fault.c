#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/fault.c"

static void
every_code_has_its_row(void **state)
{
	int i, j;

	(void)state;
	for (i = 0; i < FAULT_CODES; i++) {
		assert_non_null(table[i].word);
		assert_non_null(table[i].type);
		if (i != FAULT_NONE)
			assert_in_range(table[i].status, 400, 504);
		assert_true(*fault_phrase(table[i].status) != '\0');
		for (j = 0; j < i; j++)
			assert_string_not_equal(table[i].word,
			    table[j].word);
	}
}

static void
words_that_sdks_know(void **state)
{
	(void)state;
	assert_string_equal(fault_word(FAULT_CONTEXT_LENGTH),
	    "context_length_exceeded");
	assert_string_equal(fault_word(FAULT_UNAUTHORIZED),
	    "invalid_api_key");
	assert_string_equal(fault_word(FAULT_MODEL_NOT_FOUND),
	    "model_not_found");
	assert_string_equal(fault_word(FAULT_RATE_LIMITED),
	    "rate_limit_exceeded");
	assert_string_equal(fault_type(FAULT_RATE_LIMITED),
	    "rate_limit_error");
	assert_string_equal(fault_type(FAULT_QUOTA), "insufficient_quota");
	assert_string_equal(fault_phrase(429), "Too Many Requests");
	assert_string_equal(fault_phrase(299), "");
	assert_string_equal(fault_phrase(-1), "");
}

static void
a_code_out_of_the_table_is_internal(void **state)
{
	struct fault f;

	(void)state;
	fault_set(&f, (enum fault_code)9999, NULL, "x");
	assert_int_equal(f.status, 500);
	assert_string_equal(fault_word((enum fault_code)-1),
	    "internal_error");
}

static void
set_fills_all(void **state)
{
	struct fault f;

	(void)state;
	memset(&f, 0x55, sizeof(f));
	fault_set(&f, FAULT_RATE_LIMITED, "model", "wait %d s", 5);
	assert_int_equal(f.code, FAULT_RATE_LIMITED);
	assert_int_equal(f.status, 429);
	assert_string_equal(f.param, "model");
	assert_int_equal(f.retry_ms, -1);
	assert_string_equal(f.message, "wait 5 s");
}

/* n letters, then tail: what is left of it? */
static void
cut_after(int n, const char *tail, size_t left)
{
	char long_text[600];
	struct fault f;

	memset(long_text, 'a', sizeof(long_text));
	strcpy(long_text + n, tail);
	fault_set(&f, FAULT_INTERNAL, NULL, "%s", long_text);
	assert_int_equal(strlen(f.message), left);
	assert_memory_equal(f.message, long_text, left);
}

static void
cuts_at_a_character(void **state)
{
	static const char euros[] = "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac";

	(void)state;
	cut_after(399, "", 399);
	cut_after(399, "b", 399);
	cut_after(398, euros, 398);
	cut_after(397, euros, 397);
	cut_after(396, euros, 399);
	cut_after(395, euros, 398);
	cut_after(398, "\xf0\x9f\x98\x80", 398);
	cut_after(397, "\xf0\x9f\x98\x80", 397);
	cut_after(396, "\xf0\x9f\x98\x80", 396);
	cut_after(395, "\xf0\x9f\x98\x80", 399);
	/* continuations without a start: nothing to save */
	cut_after(395, "\x80\x80\x80\x80\x80\x80", 399);
}

static void
puts_the_one_shape(void **state)
{
	struct fault f;
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	fault_set(&f, FAULT_MODEL_NOT_FOUND, "model", "No \"%s\"\n",
	    "a\xff");
	assert_int_equal(fault_put(&f, &b), 0);
	assert_string_equal(buf_str(&b), "{\"error\":{\"message\":"
	    "\"No \\\"a\xef\xbf\xbd\\\"\\n\",\"type\":\"not_found_error\","
	    "\"param\":\"model\",\"code\":\"model_not_found\"}}");
	buf_clear(&b);
	fault_set(&f, FAULT_INTERNAL, NULL, "%s", "");
	assert_int_equal(fault_put(&f, &b), 0);
	assert_string_equal(buf_str(&b), "{\"error\":{\"message\":\"\","
	    "\"type\":\"server_error\",\"param\":null,"
	    "\"code\":\"internal_error\"}}");
	buf_release(&b);
	buf_init(&b, 20);
	assert_int_equal(fault_put(&f, &b), -1);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_its_row),
		cmocka_unit_test(words_that_sdks_know),
		cmocka_unit_test(a_code_out_of_the_table_is_internal),
		cmocka_unit_test(set_fills_all),
		cmocka_unit_test(cuts_at_a_character),
		cmocka_unit_test(puts_the_one_shape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
