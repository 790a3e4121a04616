#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/quota.c"

#define T0	1795219200000LL		/* 2026-11-21T00:00:00Z */

static const uint64_t hash[2] = { 1, 2 };
static struct config_limits lim;
static const struct window_rule rule = { &lim, CONFIG_DAY_UTC };

static int
setup(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < CONFIG_LIMITS; i++)
		lim.max[i] = CONFIG_NONE;
	return 0;
}

static struct text_time
at(int64_t ms)
{
	return (struct text_time){ T0 + ms, 1000000 + ms };
}

static struct quota_answer
ask(const struct quota_slot *s, int64_t ms, int64_t tokens)
{
	struct quota_answer a = { QUOTA_OPEN, 0, 0 };
	struct text_time t = at(ms);

	quota_check(s, &rule, &t, tokens, &a);
	return a;
}

static void
take(struct quota_slot *s, int64_t ms, int64_t tokens, uint64_t lease)
{
	struct text_time t = at(ms);

	quota_take(s, &rule, &t, tokens, lease);
}

static void
done(struct quota_slot *s, int64_t ms, uint64_t lease, bool failed)
{
	struct text_time t = at(ms);

	quota_done(s, &t, lease, true, failed);
}

static void
has_a_word_for_each_reason(void **state)
{
	int i, k;

	(void)state;
	assert_string_equal("", quota_word(QUOTA_OPEN));
	for (i = 1; i < QUOTA_REASONS; i++) {
		assert_true(quota_word((enum quota_reason)i)[0] != '\0');
		for (k = 0; k < i; k++)
			assert_string_not_equal(
			    quota_word((enum quota_reason)i),
			    quota_word((enum quota_reason)k));
	}
	assert_string_equal("", quota_word((enum quota_reason)-1));
	assert_string_equal("", quota_word(QUOTA_REASONS));
	assert_string_equal("rpm", quota_word(QUOTA_RPM));
	assert_string_equal("tpmonth", quota_word(QUOTA_TPMONTH));
}

static void
names_the_longest_refusal(void **state)
{
	struct quota_slot s;
	struct quota_answer a;

	(void)state;
	quota_init(&s, "lane/x", hash);
	lim.max[CONFIG_RPM] = 1;
	lim.max[CONFIG_TPD] = 100;
	assert_int_equal(QUOTA_OPEN, ask(&s, 0, 100).reason);
	take(&s, 0, 60, 1);
	a = ask(&s, 1000, 40);
	assert_int_equal(QUOTA_RPM, a.reason);
	assert_int_equal(T0 + 61000, a.until);
	a = ask(&s, 1000, 41);
	assert_int_equal(QUOTA_TPD, a.reason);
	assert_int_equal(T0 + 86400000, a.until);
	a = ask(&s, 1000, 101);
	assert_int_equal(QUOTA_TOO_LARGE, a.reason);
	assert_true(a.until == INT64_MAX);
	assert_int_equal(QUOTA_OPEN, ask(&s, 61000, 40).reason);
}

static void
zero_admits_nothing(void **state)
{
	struct quota_slot s;
	struct quota_answer a;
	int l;

	(void)state;
	quota_init(&s, "lane/x", hash);
	for (l = CONFIG_RPM; l <= CONFIG_RPMONTH; l++) {
		lim.max[l] = 0;
		a = ask(&s, 0, 0);
		assert_int_equal(QUOTA_RPM + l, a.reason);
		assert_true(a.until == INT64_MAX);
		lim.max[l] = CONFIG_NONE;
	}
	lim.max[CONFIG_CONCURRENCY] = 0;
	assert_int_equal(QUOTA_CONCURRENCY, ask(&s, 0, 0).reason);
	lim.max[CONFIG_CONCURRENCY] = CONFIG_NONE;
	lim.max[CONFIG_TPM] = 0;
	assert_int_equal(QUOTA_OPEN, ask(&s, 0, 0).reason);
	assert_int_equal(QUOTA_TOO_LARGE, ask(&s, 0, 1).reason);
}

static void
bars_keep_the_longer(void **state)
{
	struct quota_slot s;
	struct text_time t = at(0);

	(void)state;
	quota_init(&s, "lane/x", hash);
	quota_bar(&s, &t,
	    &(struct quota_ban){ QUOTA_RATE_MINUTE, T0 - 5, false });
	assert_int_equal(QUOTA_OPEN, ask(&s, 0, 0).reason);
	quota_bar(&s, &t,
	    &(struct quota_ban){ QUOTA_RATE_MINUTE, T0 + 5000, false });
	quota_bar(&s, &t,
	    &(struct quota_ban){ QUOTA_RATE_DAY, T0 + 4000, false });
	assert_int_equal(QUOTA_RATE_MINUTE, ask(&s, 4999, 0).reason);
	quota_bar(&s, &t,
	    &(struct quota_ban){ QUOTA_RATE_DAY, T0 + 6000, false });
	assert_int_equal(QUOTA_RATE_DAY, ask(&s, 5999, 0).reason);
	assert_int_equal(QUOTA_OPEN, ask(&s, 6000, 0).reason);
	take(&s, 6000, 0, 1);
	take(&s, 6000, 0, 2);		/* no probe for these */
	quota_bar(&s, &t,
	    &(struct quota_ban){ (enum quota_reason)200, T0 + 90000, false });
	assert_int_equal(QUOTA_OPEN, ask(&s, 7000, 0).reason);
}

static void
backs_off_doubling(void **state)
{
	static const int64_t waits[] = { 20, 40, 80, 160, 300, 300, 300 };
	struct quota_slot s;
	struct text_time t = at(0);
	int64_t now = 10000;
	uint64_t lease = 100;
	size_t i;

	(void)state;
	quota_init(&s, "lane/x", hash);
	quota_bar(&s, &t,
	    &(struct quota_ban){ QUOTA_CAPACITY, T0 + now, false });
	for (i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		assert_int_equal(QUOTA_CAPACITY, ask(&s, now - 1, 0).reason);
		assert_int_equal(QUOTA_OPEN, ask(&s, now, 0).reason);
		take(&s, now, 0, ++lease);
		assert_int_equal(QUOTA_PROBE, ask(&s, now, 0).reason);
		done(&s, now, lease - 1, false);	/* not the probe */
		assert_int_equal(QUOTA_PROBE, ask(&s, now, 0).reason);
		done(&s, now, lease, true);
		now += waits[i] * 1000;
		assert_int_equal(T0 + now, ask(&s, now - 1, 0).until);
	}
	/* its process died: the next one probes */
	take(&s, now, 0, ++lease);
	t = at(now);
	quota_done(&s, &t, lease, false, false);
	assert_int_equal(QUOTA_OPEN, ask(&s, now, 0).reason);
	take(&s, now, 0, ++lease);
	done(&s, now, lease, false);
	take(&s, now, 0, ++lease);
	assert_int_equal(QUOTA_OPEN, ask(&s, now, 0).reason);
	quota_bar(&s, &t,
	    &(struct quota_ban){ QUOTA_DOWN, T0 + now + 10, false });
	take(&s, now + 10, 0, ++lease);
	done(&s, now + 10, lease, true);
	assert_int_equal(T0 + now + 20010, ask(&s, now + 10, 0).until);
}

/* The probe was answered, with a 429: what that tells holds. */
static void
a_probe_is_told_a_limit(void **state)
{
	struct quota_slot s;
	struct text_time t = at(10000);

	(void)state;
	quota_init(&s, "lane/x", hash);
	quota_bar(&s, &(struct text_time){ T0, 0 },
	    &(struct quota_ban){ QUOTA_DOWN, T0 + 10000, false });
	take(&s, 10000, 0, 1);
	quota_bar(&s, &t,
	    &(struct quota_ban){ QUOTA_RATE_MINUTE, T0 + 40000, false });
	done(&s, 10000, 1, false);
	assert_int_equal(QUOTA_RATE_MINUTE, ask(&s, 39999, 0).reason);
	assert_int_equal(QUOTA_OPEN, ask(&s, 40000, 0).reason);
}

/* Nor is it all the same what the provider said of itself to another request
 * while the probe was out. */
static void
a_word_outlasts_the_probe(void **state)
{
	struct text_time t = at(10000);
	struct quota_slot s;

	(void)state;
	quota_init(&s, "lane/x", hash);
	quota_bar(&s, &(struct text_time){ T0, 0 },
	    &(struct quota_ban){ QUOTA_DOWN, T0 + 10000, false });
	take(&s, 10000, 0, 1);
	quota_good(&s, &t, 2);
	assert_int_equal(QUOTA_PROBE, ask(&s, 10000, 0).reason);
	quota_bar(&s, &t,
	    &(struct quota_ban){ QUOTA_CAPACITY, T0 + 40000, false });
	quota_good(&s, &t, 1);
	assert_int_equal(QUOTA_CAPACITY, ask(&s, 39999, 0).reason);
	assert_int_equal(QUOTA_OPEN, ask(&s, 40000, 0).reason);
}

static void
guess(struct quota_slot *s, int64_t now, int64_t until)
{
	const struct text_time t = at(now);

	quota_bar(s, &t, &(struct quota_ban){ QUOTA_DOWN, T0 + until, true });
}

/* A bar that we concluded from failures may be dared, one at a time, after 1 s,
 * then 2, 4 ... 30; that makes the bar neither longer nor shorter, until one
 * of them is served. */
static void
dares_what_is_a_guess(void **state)
{
	static const int64_t gaps[] = { 1, 2, 4, 8, 16, 30, 30, 30 };
	struct quota_slot s;
	int64_t now = 1000;
	uint64_t lease = 0;
	size_t i;

	(void)state;
	quota_init(&s, "lane/x", hash);
	guess(&s, 0, 300000);
	for (i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
		assert_int_equal(QUOTA_DOWN, ask(&s, now, 0).reason);
		assert_int_equal(T0 + 300000, ask(&s, now, 0).until);
		assert_int_equal(T0 + now, ask(&s, now, 0).dare);
		take(&s, now, 0, ++lease);
		/* while it is out nobody knows */
		assert_true(ask(&s, now, 0).dare >= T0 + now + 1000);
		done(&s, now + 10, lease, true);
		assert_int_equal(T0 + now + gaps[i] * 1000,
		    ask(&s, now + 20, 0).dare);
		now += gaps[i] * 1000;
	}
	take(&s, now, 0, ++lease);
	assert_int_equal(T0 + now + 41000, ask(&s, now + 40000, 0).dare);
	done(&s, now, lease, false);
	assert_int_equal(QUOTA_OPEN, ask(&s, now, 0).reason);
	/* and then it begins anew */
	guess(&s, now, now + 5000);
	take(&s, now, 0, ++lease);
	done(&s, now, lease, true);
	assert_int_equal(T0 + now + 1000, ask(&s, now, 0).dare);
}

static void
never_dares_a_word(void **state)
{
	struct quota_slot s;
	struct text_time t = at(0);

	(void)state;
	quota_init(&s, "lane/x", hash);
	quota_bar(&s, &t, &(struct quota_ban){ QUOTA_CAPACITY, T0 + 5000,
	    false });
	assert_int_equal(0, ask(&s, 0, 0).dare);
	/* a guess makes it longer, and no guess of it */
	guess(&s, 0, 9000);
	assert_int_equal(T0 + 9000, ask(&s, 0, 0).until);
	assert_int_equal(0, ask(&s, 0, 0).dare);
	/* a word ends a guess */
	quota_init(&s, "lane/x", hash);
	guess(&s, 0, 30000);
	quota_bar(&s, &t, &(struct quota_ban){ QUOTA_RATE_MINUTE, T0 + 9000,
	    false });
	assert_int_equal(QUOTA_RATE_MINUTE, ask(&s, 0, 0).reason);
	assert_int_equal(T0 + 9000, ask(&s, 0, 0).until);
	assert_int_equal(0, ask(&s, 0, 0).dare);
	/* nor beside a window that is full */
	quota_init(&s, "lane/x", hash);
	lim.max[CONFIG_RPM] = 1;
	take(&s, 0, 0, 1);
	guess(&s, 0, 5000);
	assert_int_equal(QUOTA_RPM, ask(&s, 0, 0).reason);
	assert_int_equal(0, ask(&s, 0, 0).dare);
	guess(&s, 0, 90000);
	assert_int_equal(QUOTA_DOWN, ask(&s, 0, 0).reason);
	assert_int_equal(0, ask(&s, 0, 0).dare);
	lim.max[CONFIG_RPM] = CONFIG_NONE;
}

static void
counts_failures_in_a_row(void **state)
{
	struct quota_slot s;

	(void)state;
	quota_init(&s, "lane/x", hash);
	done(&s, 0, 1, true);
	done(&s, 0, 1, true);
	assert_int_equal(2, s.streak);
	done(&s, 0, 1, false);
	assert_int_equal(0, s.streak);
	assert_int_equal(2, s.failures);
	assert_int_equal(0, s.inflight);	/* not below */
}

static void
sees_pressure_and_room(void **state)
{
	struct quota_slot s;
	struct quota_view v = { .resets = INT64_MAX, .unused = -1 };
	struct text_time t = at(0);

	(void)state;
	quota_init(&s, "lane/x", hash);
	lim.max[CONFIG_RPD] = 10;
	lim.max[CONFIG_TPM] = 100;
	take(&s, 0, 30, 1);
	quota_see(&s, &rule, &t, 70, &v);
	assert_int_equal(QUOTA_OPEN, v.answer.reason);
	assert_float_equal(0.3, v.pressure, 1e-9);
	assert_int_equal(9, v.unused);
	assert_int_equal(T0 + 86400000, v.resets);
	quota_see(&s, &rule, &t, 71, &v);
	assert_int_equal(QUOTA_TPM, v.answer.reason);
	lim.max[CONFIG_CONCURRENCY] = 1;
	quota_see(&s, &rule, &t, 1, &v);
	assert_float_equal(1.0, v.pressure, 1e-9);
}

/* What lapses soonest is of a window that has begun. */
static void
sees_what_lapses(void **state)
{
	struct quota_view v = { .resets = INT64_MAX };
	struct quota_slot s;
	struct text_time t = at(1000);

	(void)state;
	quota_init(&s, "x", hash);
	lim.max[CONFIG_RPD] = 7;
	lim.max[CONFIG_RPMONTH] = 50;
	quota_see(&s, &rule, &t, 1, &v);
	assert_true(v.resets == INT64_MAX);
	assert_int_equal(0, v.unused);
	take(&s, 1000, 1, 1);
	quota_see(&s, &rule, &t, 1, &v);
	assert_true(v.resets == T0 + DAY);
	assert_int_equal(6, v.unused);
	/* the other way round the month ends sooner than that day */
	t = at(10 * DAY - 1000);
	take(&s, 10 * DAY - 1000, 1, 2);
	lim.max[CONFIG_RPD] = CONFIG_NONE;
	v = (struct quota_view){ .resets = INT64_MAX };
	quota_see(&s, &rule, &t, 1, &v);
	assert_true(v.resets == T0 + 10 * DAY);
	assert_int_equal(48, v.unused);
}

static void
knows_when_a_day_began(void **state)
{
	const struct window_rule first = { &lim, CONFIG_DAY_FIRST_USE };
	const struct window_rule rolling = { &lim, CONFIG_DAY_ROLLING };
	struct quota_slot s;
	struct text_time t = at(1000), later = at(DAY + 999);

	(void)state;
	quota_init(&s, "x", hash);
	assert_true(quota_day_start(&s, &rule, &later) == T0 + DAY);
	assert_true(quota_day_start(&s, &rolling, &later) == T0 + 999);
	assert_true(quota_day_start(&s, &first, &later) == later.wall);
	quota_take(&s, &first, &t, 5, 1);
	assert_true(quota_day_start(&s, &rolling, &later) == T0 + 999);
	assert_true(quota_day_start(&s, &first, &later) == T0 + 1000);
	later = at(DAY + 1000);
	assert_true(quota_day_start(&s, &first, &later) == later.wall);
}

/* Who held them is gone with the boot. */
static void
holds_nothing_over_a_reboot(void **state)
{
	struct text_time t = at(0), then = at(9000), now = { T0 + 9000, 10 };
	struct quota_slot s;

	(void)state;
	quota_init(&s, "x", hash);
	quota_bar(&s, &t, &(struct quota_ban){ QUOTA_DOWN, T0 + 5000, true });
	take(&s, 1000, 1, 1);
	take(&s, 6000, 1, 2);
	assert_int_equal(QUOTA_PROBE, ask(&s, 9000, 1).reason);
	quota_reboot(&s, &then, &now);
	assert_int_equal(0, s.inflight);
	assert_int_equal(0, s.dares);
	assert_int_equal(QUOTA_OPEN, ask(&s, 9000, 1).reason);
}

static void
gives_rows(void **state)
{
	struct quota_row rows[CONFIG_LIMITS];
	struct quota_slot s;
	struct text_time t = at(1500);
	size_t n;

	(void)state;
	quota_init(&s, "lane/x", hash);
	assert_int_equal(0, quota_rows(&s, &rule, &t, rows));
	lim.max[CONFIG_RPM] = 3;
	n = quota_rows(&s, &rule, &t, rows);
	assert_int_equal(1, n);
	assert_int_equal(3, rows[0].remaining);
	assert_int_equal(0, rows[0].reset);
	take(&s, 1500, 7, 1);
	n = quota_rows(&s, &rule, &t, rows);
	assert_int_equal(CONFIG_LIMITS, n);
	assert_int_equal(2, rows[0].remaining);
	assert_int_equal(1, rows[0].used);
	assert_int_equal(T0 + 62000, rows[0].reset);
	assert_int_equal(-1, rows[1].remaining);
	assert_int_equal(-1, rows[1].max);
	assert_int_equal(7, quota_today(&s, &rule, &t, true));
	assert_int_equal(1, quota_today(&s, &rule, &t, false));
	assert_int_equal(T0, quota_day_start(&s, &rule, &t));
}

static void
estimates(void **state)
{
	struct quota_slot s;
	int i;

	(void)state;
	assert_int_equal(118, quota_estimate(7, 1, 100));
	assert_int_equal(8, quota_estimate(7, 1, 0));
	assert_int_equal(UINT32_MAX, quota_estimate(7, 2, INT64_MAX));
	assert_int_equal(0, quota_estimate(0.0f / 0.0f, 1, 5));
	quota_init(&s, "lane/x", hash);
	quota_learn(&s, 20, 47);		/* 27 over: a quarter of 20 */
	assert_float_equal(12.0, (double)s.overhead, 1e-3);
	quota_learn(&s, 100, 212);		/* k 2: a quarter of 1 */
	assert_float_equal(1.25, (double)s.k, 1e-3);
	for (i = 0; i < 100; i++) {
		quota_learn(&s, 60, INT64_MAX);
		quota_learn(&s, 59, INT64_MAX);
	}
	assert_float_equal(2.5, (double)s.k, 1e-3);
	assert_float_equal(6000, (double)s.overhead, 1);
	quota_first(&s, 100);
	quota_first(&s, 200);
	quota_first(&s, -1);
	assert_float_equal(125, (double)s.first_ms, 1e-3);
}

static void
cuts_long_names(void **state)
{
	struct quota_slot s;
	char name[300];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[299] = '\0';
	quota_init(&s, name, hash);
	assert_int_equal(QUOTA_NAME - 1, strlen(s.name));
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(has_a_word_for_each_reason), T(names_the_longest_refusal),
		T(zero_admits_nothing), T(bars_keep_the_longer),
		T(backs_off_doubling), T(a_probe_is_told_a_limit),
		T(a_word_outlasts_the_probe),
		T(dares_what_is_a_guess), T(never_dares_a_word),
		T(counts_failures_in_a_row),
		T(sees_pressure_and_room), T(sees_what_lapses),
		T(knows_when_a_day_began), T(holds_nothing_over_a_reboot),
		T(gives_rows), T(estimates),
		T(cuts_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
