#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/names.c"

#define MOST	700

static uint64_t table[MOST][2];

static const uint64_t *
hash_of(const void *t, uint32_t i)
{
	return i < MOST ? ((const uint64_t (*)[2])t)[i] : NULL;
}

/* Names that fall on one place in the index, gaps, and one that is not
 * there. */
static void
every_name_is_found_and_no_other(void **state)
{
	struct names n;
	const uint64_t none[2] = { 7, 8 }, half[2] = { 4096, 0 };

	(void)state;
	for (uint64_t i = 0; i < MOST; i++) {
		table[i][0] = i % 5 == 4 ? 0 : i / 10 * 4096;
		table[i][1] = i % 5 == 4 ? 0 : i + 1;
	}
	assert_int_equal(names_init(&n, table, MOST, hash_of), 0);
	for (uint32_t i = 0; i < MOST; i++)
		if (table[i][1] != 0)
			assert_int_equal(names_find(&n, table[i]), i);
	assert_int_equal(names_find(&n, none), NAMES_NONE);
	table[4][0] = 8192;
	table[4][1] = 5;
	assert_int_equal(names_find(&n, table[4]), NAMES_NONE);
	names_add(&n, 4);
	assert_int_equal(names_find(&n, table[4]), 4);
	assert_int_equal(names_find(&n, none), NAMES_NONE);
	assert_int_equal(names_find(&n, half), NAMES_NONE);
	names_release(&n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_is_found_and_no_other),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
