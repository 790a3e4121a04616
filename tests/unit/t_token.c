#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>


#include "../../src/token.c"

/* The kinds of the tokens of text, a letter each: E W S { } = , ( ) and ! */
static const char *
kinds(const char *text, char *out)
{
	static const char letter[] = "EWS{}=,()!";
	struct token_reader r = { text, text + strlen(text), 1 };
	struct token t;
	char *p = out;

	do {
		token_next(&r, &t);
		*p++ = letter[t.kind];
		assert_true((t.why != NULL && t.kind == TOKEN_BAD) ||
		    t.kind != TOKEN_BAD);
	} while (t.kind != TOKEN_END && p < out + 60);
	*p = '\0';
	return out;
}

static void
test_kinds(void **state)
{
	static const struct {
		const char *text, *kinds;
	} rows[] = {
		{ "", "E" }, { " \t\r\n", "E" }, { "a b", "WWE" },
		{ "a=b", "W=WE" }, { "a{b=c}", "W{W=W}E" },
		{ "f(\"x\")", "W(S)E" }, { "{a,b}", "{W,W}E" },
		{ "https://a/b:1", "WE" }, { "@cf/a-b.c:free", "WE" },
		{ "# x { = \" \n a", "WE" }, { "a // x\nb", "WWE" },
		{ "a /* { \n */ b", "WWE" }, { "a /* b", "W!E" },
		{ "/*/ a */ b", "WE" },
		{ "\"a b\"", "SE" }, { "'a\" b'", "SE" },
		{ "\"a \\\" b\"", "SE" }, { "\"\\$\\\\\\'\"", "SE" },
		{ "\"\\n\" a\nb", "!WE" }, { "\"\\0\"", "!E" },
		{ "\"a\nb\" c", "!!E" }, { "'a\\\nb'", "!!E" },
		{ "\"a\\", "!E" }, { "'", "!E" }, { "\"", "!E" },
		{ "${A}", "SE" }, { "${A:-x y}", "SE" }, { "${A", "!E" },
		{ "${A}b", "!E" }, { "\"${A}b\"", "SE" },
		{ "\"${A:-\"x\"}\"", "SE" }, { "\"${A\"\n}\"", "!}!E" },
		{ "a*b", "!E" }, { "a#b", "!E" }, { "a+b", "!E" },
		{ "a$b", "!E" }, { "a\"b\"", "!E" }, { "\"a\"b", "!E" },
		{ "a\x01", "!E" }, { "a\x7f", "!E" }, { "\xc3\xa9", "WE" },
	};
	char out[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(kinds(rows[i].text, out), rows[i].kinds) != 0)
			fail_msg("%s: %s, not %s", rows[i].text, out,
			    rows[i].kinds);
}

static void
test_lines(void **state)
{
	static const char text[] = "a # x\n/* \n\n */ b\n\"c";
	struct token_reader r = { text, text + sizeof(text) - 1, 1 };
	struct token t;

	(void)state;
	token_next(&r, &t);
	assert_int_equal(t.line, 1);
	token_next(&r, &t);
	assert_int_equal(t.line, 4);
	token_next(&r, &t);
	assert_int_equal(t.line, 5);
	assert_int_equal(t.kind, TOKEN_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
