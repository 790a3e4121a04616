#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "../../src/day.c"

static int64_t
ms(int y, int mon, int d, int h, int min)
{
	struct tm tm = { .tm_year = y - 1900, .tm_mon = mon - 1,
	    .tm_mday = d, .tm_hour = h, .tm_min = min };

	return (int64_t)timegm(&tm) * 1000;
}

static void
utc(void **state)
{
	(void)state;
	assert_true(day_begin(CONFIG_DAY_UTC, false, ms(2026, 11, 21, 23, 59))
	    == ms(2026, 11, 21, 0, 0));
	assert_true(day_begin(CONFIG_DAY_UTC, true, ms(2026, 11, 21, 23, 59))
	    == ms(2026, 11, 1, 0, 0));
	assert_true(day_end(CONFIG_DAY_UTC, true, ms(2028, 2, 1, 0, 0)) ==
	    ms(2028, 3, 1, 0, 0));
	assert_true(day_end(CONFIG_DAY_UTC, true, ms(2027, 12, 1, 0, 0)) ==
	    ms(2028, 1, 1, 0, 0));
	assert_true(day_begin(CONFIG_DAY_UTC, true, ms(2100, 3, 1, 0, 0) - 1)
	    == ms(2100, 2, 1, 0, 0));
	assert_true(day_begin(CONFIG_DAY_UTC, false, -1) == -DAY);
}

/* 2026: 8 March and 1 November; 2027: 14 March and 7 November. */
static void
pacific_days(void **state)
{
	const enum config_day p = CONFIG_DAY_PACIFIC;

	(void)state;
	assert_true(day_begin(p, false, ms(2026, 1, 10, 7, 59)) ==
	    ms(2026, 1, 9, 8, 0));
	assert_true(day_begin(p, false, ms(2026, 7, 10, 7, 0)) ==
	    ms(2026, 7, 10, 7, 0));
	/* 23 hours */
	assert_true(day_begin(p, false, ms(2026, 3, 8, 12, 0)) ==
	    ms(2026, 3, 8, 8, 0));
	assert_true(day_end(p, false, ms(2026, 3, 8, 8, 0)) ==
	    ms(2026, 3, 9, 7, 0));
	/* 25 hours */
	assert_true(day_begin(p, false, ms(2026, 11, 1, 23, 30)) ==
	    ms(2026, 11, 1, 7, 0));
	assert_true(day_end(p, false, ms(2026, 11, 1, 7, 0)) ==
	    ms(2026, 11, 2, 8, 0));
	assert_true(day_end(p, false, ms(2027, 3, 14, 8, 0)) ==
	    ms(2027, 3, 15, 7, 0));
	assert_true(day_begin(p, true, ms(2026, 11, 30, 23, 0)) ==
	    ms(2026, 11, 1, 7, 0));
	assert_true(day_end(p, true, ms(2026, 11, 1, 7, 0)) ==
	    ms(2026, 12, 1, 8, 0));
	assert_true(day_begin(p, true, ms(2027, 1, 1, 7, 59)) ==
	    ms(2026, 12, 1, 8, 0));
}

/* Each half hour of 40 years against the C library's reading of the same
 * rule. */
static void
agrees_with_libc(void **state)
{
	struct tm tm;
	time_t t, b;
	int64_t begin, end;

	(void)state;
	setenv("TZ", "PST8PDT,M3.2.0,M11.1.0", 1);
	tzset();
	for (t = ms(2010, 1, 1, 0, 0) / 1000; t < ms(2050, 1, 1, 0, 0) / 1000;
	    t += 1800) {
		localtime_r(&t, &tm);
		tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
		tm.tm_isdst = -1;
		b = mktime(&tm);
		begin = day_begin(CONFIG_DAY_PACIFIC, false,
		    (int64_t)t * 1000);
		if (begin != (int64_t)b * 1000)
			fail_msg("%lld: %lld is not %lld", (long long)t,
			    (long long)begin / 1000, (long long)b);
		end = day_end(CONFIG_DAY_PACIFIC, false, begin);
		assert_true(end > (int64_t)t * 1000 &&
		    end - begin >= 23 * HOUR && end - begin <= 25 * HOUR);
	}
}

static void
without_calendar(void **state)
{
	(void)state;
	assert_false(day_calendar(CONFIG_DAY_ROLLING));
	assert_true(day_begin(CONFIG_DAY_FIRST_USE, true, 12345) == 12345);
	assert_true(day_end(CONFIG_DAY_FIRST_USE, false, 5) == 5 + DAY);
	assert_true(day_end(CONFIG_DAY_ROLLING, true, 5) == 5 + 30 * DAY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utc), cmocka_unit_test(pacific_days),
		cmocka_unit_test(agrees_with_libc),
		cmocka_unit_test(without_calendar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
