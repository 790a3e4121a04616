#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>


#include "../../src/raw.c"

static void
test_missing(void **state)
{
	char out[16];

	(void)state;
	unsetenv("T_A");
	setenv("T_B", "x", 1);
	setenv("T_C", "", 1);
	assert_true(raw_missing("${T_A}", out, sizeof(out)));
	assert_string_equal(out, "T_A");
	assert_true(raw_missing("\"https://${T_B}/${T_C}\"", out,
	    sizeof(out)));
	assert_string_equal(out, "T_C");
	assert_false(raw_missing("${T_B}", out, sizeof(out)));
	assert_false(raw_missing("${T_A:-x}", out, sizeof(out)));
	assert_false(raw_missing("'${T_A}'", out, sizeof(out)));
	assert_false(raw_missing("\"\\${T_A}\"", out, sizeof(out)));
	assert_false(raw_missing("${T_A", out, 2));
	assert_false(raw_missing("${}", out, sizeof(out)));
	assert_false(raw_missing("", out, sizeof(out)));
	assert_false(raw_missing("plain$", out, sizeof(out)));
	unsetenv("T_B");
	unsetenv("T_C");
}

static void
test_literal(void **state)
{
	(void)state;
	assert_true(raw_literal("gsk_abc"));
	assert_true(raw_literal("\"gsk_abc\""));
	assert_true(raw_literal("${A:-gsk_abc}"));
	assert_true(raw_literal("\"${A}gsk\""));
	assert_true(raw_literal("\"gsk${A}\""));
	assert_true(raw_literal("'${A}'"));
	assert_false(raw_literal("${A}"));
	assert_false(raw_literal("${A:-}"));
	assert_false(raw_literal("\"${A}\""));
	assert_false(raw_literal("\"${A} ${B}\""));
	assert_false(raw_literal("\"\""));
	assert_false(raw_literal(""));
}

static void
test_unset_empty(void **state)
{
	(void)state;
	setenv("T_A", "", 1);
	setenv("T_B", "", 1);
	setenv("T_C", "x", 1);
	raw_unset_empty("\"${T_B} ${T_C:-y} ${T_D:-z} ${:-q} ${T_A:-}\"");
	assert_null(getenv("T_A"));
	assert_string_equal(getenv("T_B"), "");
	assert_string_equal(getenv("T_C"), "x");
	raw_unset_empty("'${T_B:-x}'");
	assert_string_equal(getenv("T_B"), "");
	raw_unset_empty("${T_B:-x");
	raw_unset_empty("");
	unsetenv("T_B");
	unsetenv("T_C");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_literal),
		cmocka_unit_test(test_unset_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
