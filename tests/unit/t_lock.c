#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../src/lock.c"

#include <errno.h>
#include <stdio.h>

/* Naps until patience is lost. */
static int
naps(struct lock_nap n, int64_t ms)
{
	int i = 0;

	errno = 0;
	while (i < 100000 && lock_nap(&n, ms))
		i++;
	assert_int_equal(EAGAIN, errno);
	return i;
}

/* The machine stood still between two tries: nobody had a turn meanwhile. */
static void
time_alone_ends_no_patience(void **state)
{
	(void)state;
	assert_in_range(naps((struct lock_nap){ 4, steady() - 5000 }, 100),
	    25, 40);
}

static void
nor_do_tries_alone(void **state)
{
	struct lock_nap n = { 100000, steady() };

	(void)state;
	assert_true(lock_nap(&n, 60000));
	n.began -= 60000;
	assert_false(lock_nap(&n, 60000));
}

static void
no_time_is_a_few_tries(void **state)
{
	(void)state;
	assert_in_range(naps((struct lock_nap){ 0, 0 }, 0), 3, 5);
}

static void
held_by_another_description(void **state)
{
	FILE *f = tmpfile();
	char path[64];
	int other;

	(void)state;
	assert_non_null(f);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(f));
	other = open(path, O_RDWR | O_CLOEXEC);
	assert_true(other >= 0);
	assert_int_equal(0, lock_wait(fileno(f), 7, 20));
	assert_int_equal(-1, lock_wait(other, 7, 20));
	assert_int_equal(EAGAIN, errno);
	assert_true(lock_held(other, 5, 3));
	assert_false(lock_held(other, 8, 3));
	lock_drop(fileno(f), 7);
	assert_int_equal(0, lock_wait(other, 7, 20));
	close(other);
	fclose(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_alone_ends_no_patience),
		cmocka_unit_test(nor_do_tries_alone),
		cmocka_unit_test(no_time_is_a_few_tries),
		cmocka_unit_test(held_by_another_description),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
