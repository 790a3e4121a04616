#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../src/throttle.c"
#include "config.h"

#define T0	1795219200000LL		/* 2026-11-21T00:00:00Z */

static const struct config empty;
static struct slot_table one, two;	/* as two processes */
static struct text_time now;
static char path[64];

static int
up(void **state)
{
	(void)state;
	now = (struct text_time){ .wall = T0, .mono = 1000 };
	snprintf(path, sizeof(path), "/tmp/t_throttle.%d", (int)getpid());
	return slot_init(&one, &empty) != 0 || slot_init(&two, &empty) != 0 ||
	    slot_attach(&one, path, &now) != 0 ||
	    slot_attach(&two, path, &now) != 0 ? -1 : 0;
}

static int
down(void **state)
{
	(void)state;
	slot_release(&one);
	slot_release(&two);
	return unlink(path);
}

static void
later(int64_t ms)
{
	now.wall += ms;
	now.mono += ms;
}

/* As ledger_failed does it. */
static int64_t
failed(struct slot_table *t, uint64_t who, bool *tell)
{
	int64_t ms = throttle_wait(t, &now, who);

	*tell = false;
	if (ms > 0)
		return ms;
	assert_int_equal(map_begin(t->map), 0);
	ms = throttle_count(t, &now, who, tell);
	map_end(t->map);
	return ms;
}

static void
ten_then_one_in_six_seconds(void **state)
{
	bool tell;

	(void)state;
	for (int i = 0; i < 10; i++) {
		/* whichever process hears of it */
		assert_int_equal(failed(i % 2 ? &one : &two, 7, &tell), 0);
		assert_int_equal(tell, i == 9);
	}
	assert_int_equal(failed(&one, 7, &tell), 6000);
	assert_int_equal(failed(&two, 7, &tell), 6000);
	later(5999);
	assert_int_equal(failed(&one, 7, &tell), 1);
	later(1);
	assert_int_equal(failed(&one, 7, &tell), 0);
	assert_false(tell);		/* it was, less than a minute ago */
	assert_int_equal(failed(&one, 7, &tell), 6000);
	/* others are others */
	assert_int_equal(failed(&one, 8, &tell), 0);
	/* full again after a minute, and told of anew */
	later(60000);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(failed(&one, 7, &tell), 0);
		assert_int_equal(tell, i == 9);
	}
	assert_int_equal(failed(&one, 7, &tell), 6000);
}

/* What is not counted does not push the time away: who goes on trying gets no
 * worse. */
static void
refusals_cost_nothing(void **state)
{
	bool tell;

	(void)state;
	for (int i = 0; i < 10; i++)
		(void)failed(&one, 9, &tell);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(failed(&one, 9, &tell), 6000);
		assert_false(tell);
	}
	later(6000);
	assert_int_equal(failed(&one, 9, &tell), 0);
}

static void
the_clock_goes_back(void **state)
{
	bool tell;

	(void)state;
	for (int i = 0; i < 10; i++)
		(void)failed(&one, 5, &tell);
	now.wall -= 86400000;
	/* not for a day: no bucket takes more than a minute to fill */
	for (int i = 0; i < 10; i++) {
		assert_int_equal(failed(&one, 5, &tell), 0);
		assert_int_equal(tell, i == 9);
	}
	assert_int_equal(failed(&one, 5, &tell), 6000);
}

/* More addresses than there is room for: nothing grows, and who is over the
 * limit stays so before those who failed once. */
static void
the_table_is_bounded(void **state)
{
	size_t size = map_size(one.map);
	bool tell;

	(void)state;
	for (int i = 0; i < 10; i++)
		(void)failed(&one, 3, &tell);
	for (uint64_t who = 1000; who < 1000 + 100 * SLOT_FAILED; who++) {
		assert_int_equal(failed(&one, who, &tell), 0);
		assert_false(tell);
	}
	assert_int_equal(map_size(one.map), size);
	assert_int_equal(failed(&two, 3, &tell), 6000);
}

/* Whatever stands there, the time to wait stays within a bucket. */
static void
damage_bars_nobody_for_long(void **state)
{
	static const int64_t odd[] = { INT64_MIN, -1, 0, INT64_MAX };
	bool tell;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
		for (size_t k = 0; k < sizeof(odd) / sizeof(*odd); k++) {
			struct slot_failed *c;
			int64_t ms;

			assert_int_equal(map_begin(one.map), 0);
			for (int n = 0; n < WAYS; n++) {
				c = map_stage(one.map, SLOT_FAILED_OFF +
				    (size_t)n * sizeof(*c), sizeof(*c));
				*c = (struct slot_failed){ SLOT_FAILED / WAYS *
				    ((uint64_t)n + 1), odd[i], odd[k] };
			}
			map_commit(one.map);
			map_end(one.map);
			ms = failed(&one, SLOT_FAILED / WAYS, &tell);
			assert_in_range(ms, 0, 6000);
			ms = failed(&one, SLOT_FAILED * 100, &tell);
			assert_int_equal(ms, 0);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name)	cmocka_unit_test_setup_teardown(name, up, down)
		T(ten_then_one_in_six_seconds),
		T(refusals_cost_nothing),
		T(the_clock_goes_back),
		T(the_table_is_bounded),
		T(damage_bars_nobody_for_long),
	};

	return cmocka_run_group_tests_name("throttle", tests, NULL, NULL);
}
