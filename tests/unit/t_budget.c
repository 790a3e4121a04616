#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/budget.c"

#define T	1000000000LL

static int
granted(struct budget *b, int64_t now, int tries)
{
	int n = 0;

	for (; tries > 0 && budget_may(b, now); tries--, n++)
		budget_again(b, now);
	return n;
}

static void
a_quiet_minute(void **state)
{
	struct budget b = { 0 };

	(void)state;
	assert_int_equal(granted(&b, T, 100), 10);
	assert_int_equal(granted(&b, T + 59999, 100), 0);
	/* gone from sight a minute later, to the part */
	assert_int_equal(granted(&b, T + 70000, 100), 10);
}

static void
a_fifth(void **state)
{
	struct budget b = { 0 };
	int i;

	(void)state;
	for (i = 0; i < 1000; i++)
		budget_asked(&b, T + i);
	assert_int_equal(granted(&b, T + 1000, 1000), 200);
	/* more traffic, a fifth more */
	for (i = 0; i < 100; i++)
		budget_asked(&b, T + 30000);
	assert_int_equal(granted(&b, T + 30000, 1000), 20);
	/* old traffic gives no credit */
	assert_int_equal(granted(&b, T + 130000, 1000), 10);
}

/* However requests and failures follow each other, no minute has more. */
static void
never_more(void **state)
{
	static uint64_t asked[6000], again[6000];
	struct budget b = { 0 };
	uint64_t x = 88172645463325252ULL, a, r;
	int i, k;

	(void)state;
	for (i = 0; i < 6000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		/* storms and lulls */
		for (k = 0; k < (int)(x % (i / 500 % 2 ? 7 : 2)); k++) {
			budget_asked(&b, T + i * 100);
			asked[i]++;
			again[i] += (uint64_t)granted(&b, T + i * 100, 3);
		}
	}
	for (i = 600; i < 6000; i++) {
		a = r = 0;
		/* the parts reach back 60 to 70 s */
		for (k = i - 599; k <= i; k++)
			r += again[k];
		for (k = i < 1400 ? 0 : i - 1399; k <= i; k++)
			a += asked[k];
		assert_true(r <= a / 5 + 10);
	}
}

static void
shares(void **state)
{
	(void)state;
	assert_int_equal(budget_share(600000, 4), 150000);
	assert_int_equal(budget_share(600000, 1), 600000);
	assert_int_equal(budget_share(600000, 0), 600000);
	assert_int_equal(budget_share(0, 4), 1);
	assert_int_equal(budget_share(-5, 1), 1);
	assert_int_equal(budget_share(3, 4), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quiet_minute),
		cmocka_unit_test(a_fifth),
		cmocka_unit_test(never_more),
		cmocka_unit_test(shares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
