#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/buf.c"

static void
starts_empty(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	assert_string_equal(buf_str(&b), "");
	assert_null(b.data);
	buf_release(&b);
	buf_release(&b);
	assert_int_equal(b.max, 10);
}

static void
fills_to_its_maximum(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_int_equal(buf_put(&b, "0123456789", 10), 0);
	assert_string_equal(buf_str(&b), "0123456789");
	assert_int_equal(buf_put(&b, NULL, 0), 0);
	assert_int_equal(buf_put(&b, "x", 1), -1);
	assert_true(b.failed);
	assert_string_equal(buf_str(&b), "0123456789");
	buf_release(&b);
}

static void
failure_sticks_until_clear(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	assert_int_equal(buf_puts(&b, "hello"), -1);
	assert_int_equal(buf_puts(&b, "a"), -1);
	assert_int_equal(buf_put(&b, NULL, 0), -1);
	assert_int_equal(buf_printf(&b, "a"), -1);
	assert_int_equal(buf_reserve(&b, 1), -1);
	assert_int_equal(b.len, 0);
	buf_clear(&b);
	assert_int_equal(buf_puts(&b, "a"), 0);
	assert_string_equal(buf_str(&b), "a");
	buf_release(&b);
	assert_false(b.failed);
}

static void
maximum_zero_takes_nothing(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	assert_int_equal(buf_puts(&b, ""), 0);
	assert_int_equal(buf_printf(&b, "%s", ""), 0);
	assert_int_equal(buf_puts(&b, "x"), -1);
	buf_release(&b);
}

static void
sizes_do_not_wrap(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	assert_int_equal(buf_puts(&b, "abc"), 0);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -1);
	buf_clear(&b);
	assert_int_equal(buf_puts(&b, "abc"), 0);
	assert_int_equal(buf_reserve(&b, SIZE_MAX - 3), -1);
	assert_string_equal(buf_str(&b), "abc");
	buf_release(&b);
}

static void
prints_what_does_not_fit_at_first(void **state)
{
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, 1000);
	assert_int_equal(buf_printf(&b, "%s", ""), 0);
	assert_int_equal(b.len, 0);
	for (i = 0; i < 10; i++)
		assert_int_equal(buf_printf(&b, "%0100d", i), 0);
	assert_int_equal(b.len, 1000);
	assert_memory_equal(b.data + 99, "00", 2);
	assert_int_equal(b.data[999], '9');
	assert_int_equal(buf_printf(&b, "%d", 1), -1);
	assert_int_equal(b.len, 1000);
	assert_int_equal(b.data[999], '9');
	buf_release(&b);
}

static void
reserve_is_one_allocation(void **state)
{
	struct buf b;
	char *p;
	int i;

	(void)state;
	buf_init(&b, 100000);
	assert_int_equal(buf_reserve(&b, 5000), 0);
	assert_int_equal(b.cap, 5001);
	p = b.data;
	for (i = 0; i < 5000; i++)
		assert_int_equal(buf_put(&b, "y", 1), 0);
	assert_ptr_equal(b.data, p);
	assert_int_equal(b.cap, 5001);
	buf_release(&b);
}

static void
a_large_piece_leaves_room_for_a_little(void **state)
{
	static const char large[40000];
	struct buf b;
	size_t cap;

	(void)state;
	buf_init(&b, 1000000);
	assert_int_equal(buf_puts(&b, "head"), 0);
	assert_int_equal(buf_put(&b, large, sizeof(large)), 0);
	cap = b.cap;
	assert_true(cap < 50000);
	assert_int_equal(buf_put(&b, large, 1000), 0);
	assert_int_equal(b.cap, cap);
	buf_release(&b);
}

static void
growth_stays_below_the_maximum(void **state)
{
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, 1500);
	for (i = 0; i < 1500; i++) {
		assert_int_equal(buf_put(&b, "z", 1), 0);
		assert_true(b.cap > b.len);
		assert_true(b.cap <= 1501);
	}
	assert_int_equal(buf_put(&b, "z", 1), -1);
	buf_release(&b);
}

static void
drops_from_the_front(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_drop(&b, 0);
	buf_puts(&b, "0123456789");
	buf_drop(&b, 0);
	assert_string_equal(buf_str(&b), "0123456789");
	buf_drop(&b, 7);
	assert_string_equal(buf_str(&b), "789");
	buf_puts(&b, "ab");
	assert_string_equal(buf_str(&b), "789ab");
	buf_drop(&b, 5);
	assert_int_equal(b.len, 0);
	assert_string_equal(buf_str(&b), "");
	buf_release(&b);
}

static void
holds_nul_bytes(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_put(&b, "a\0b", 3);
	assert_int_equal(b.len, 3);
	assert_memory_equal(buf_str(&b), "a\0b", 4);
	buf_release(&b);
}

static void
numbers(void **state)
{
	static const struct {
		int64_t v;
		const char *s;
	} rows[] = {
		{ 0, "0" }, { 7, "7" }, { -7, "-7" }, { 10, "10" },
		{ 999, "999" }, { INT64_MAX, "9223372036854775807" },
		{ INT64_MIN, "-9223372036854775808" },
	};
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_init(&b, strlen(rows[i].s));
		assert_int_equal(buf_int(&b, rows[i].v), 0);
		assert_string_equal(buf_str(&b), rows[i].s);
		assert_int_equal(buf_int(&b, 1), -1);	/* full */
		assert_string_equal(buf_str(&b), rows[i].s);
		buf_release(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_empty),
		cmocka_unit_test(fills_to_its_maximum),
		cmocka_unit_test(failure_sticks_until_clear),
		cmocka_unit_test(maximum_zero_takes_nothing),
		cmocka_unit_test(sizes_do_not_wrap),
		cmocka_unit_test(prints_what_does_not_fit_at_first),
		cmocka_unit_test(reserve_is_one_allocation),
		cmocka_unit_test(a_large_piece_leaves_room_for_a_little),
		cmocka_unit_test(growth_stays_below_the_maximum),
		cmocka_unit_test(drops_from_the_front),
		cmocka_unit_test(holds_nul_bytes),
		cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
