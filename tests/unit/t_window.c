#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "../../src/window.c"

#define T0	1795219200000LL		/* 2026-11-21T00:00:00Z */
#define M0	1000000000LL
#define MIN	(60 * SECOND)

static struct config_limits
none(void)
{
	struct config_limits l;
	int i;

	for (i = 0; i < CONFIG_LIMITS; i++)
		l.max[i] = CONFIG_NONE;
	return l;
}

static struct text_time
at(int64_t ms)
{
	return (struct text_time){ T0 + ms, M0 + ms };
}

static bool
fits(const struct window_set *s, const struct window_rule *r,
    const struct text_time *t, int64_t tokens)
{
	struct window w;
	int l;

	for (l = 0; l < CONFIG_CONCURRENCY; l++) {
		window_get(&w, s, r, t, (enum config_limit)l);
		if (!window_fits(&w, w.tokens ? tokens : 1))
			return false;
	}
	return true;
}

/* When everything fits, as the ledger puts it together. */
static int64_t
until(const struct window_set *s, const struct window_rule *r,
    const struct text_time *t, int64_t tokens)
{
	struct window w;
	int64_t most = t->wall, u;
	int l;

	for (l = 0; l < CONFIG_CONCURRENCY; l++) {
		window_get(&w, s, r, t, (enum config_limit)l);
		u = window_until(&w, t, w.tokens ? tokens : 1);
		most = u > most ? u : most;
	}
	return most;
}

/* The plain slow model: a list of everything that was admitted. */

#define EVENTS	20000

struct event {
	struct text_time at;
	int64_t	 tokens;
	bool	 given_back;
	struct window_mark mark;
};

struct model {
	struct event *e;
	size_t	 n;
	const struct window_rule *rule;
};

/* The local date as libc knows it. */
static int64_t
date(enum config_day day, bool month, int64_t wall)
{
	time_t t = (time_t)(wall / 1000);
	struct tm tm;

	if (day == CONFIG_DAY_UTC)
		gmtime_r(&t, &tm);
	else
		localtime_r(&t, &tm);
	return month ? tm.tm_year * 12 + tm.tm_mon :
	    tm.tm_year * 366 + tm.tm_yday;
}

/* What counts at now in window l: by whole buckets as the ring does
 * (bucket true), or in the true window. */
static int64_t
model_used(const struct model *m, enum config_limit l,
    const struct text_time *now, bool bucket)
{
	static const int64_t unit[] = { 1, 120, 2880 };
	static const int64_t length[] = { 60, 3600, 86400 };
	enum config_day day = m->rule->day;
	bool tokens = shape[l].tokens, month = shape[l].month, in;
	int ring = shape[l].ring;
	int64_t sum = 0, start = INT64_MIN, len;
	const struct event *e;
	size_t i;

	if (ring < 0 && !month && day == CONFIG_DAY_ROLLING)
		ring = 2;
	len = month ? MONTH : DAY;
	for (i = 0; i < m->n; i++) {
		e = &m->e[i];
		if (ring >= 0 && bucket)
			in = second(e->at.mono) / unit[ring] + length[ring] /
			    unit[ring] >= second(now->mono) / unit[ring];
		else if (ring >= 0)
			in = now->mono - e->at.mono <= length[ring] * 1000;
		else if (day_calendar(day))
			in = date(day, month, e->at.wall) ==
			    date(day, month, now->wall);
		else {
			/* windows from a first use follow one another */
			if (start == INT64_MIN || e->at.wall >= start + len) {
				start = e->at.wall;
				sum = 0;
			}
			in = now->wall < start + len;
		}
		if (in && !(e->given_back && !tokens))
			sum += tokens ? e->tokens : 1;
	}
	if (ring < 0 && !day_calendar(day) && start != INT64_MIN &&
	    now->wall >= start + len)
		sum = 0;
	return sum;
}

static bool
model_fits(const struct model *m, const struct text_time *now,
    int64_t tokens, bool bucket)
{
	int64_t max, need;
	int l;

	for (l = 0; l < CONFIG_CONCURRENCY; l++) {
		max = m->rule->limits->max[l];
		need = shape[l].tokens ? tokens : 1;
		if (max != CONFIG_NONE && model_used(m,
		    (enum config_limit)l, now, bucket) + need > max)
			return false;
	}
	return true;
}

static int64_t
leap(unsigned *seed)
{
	switch (rand_r(seed) % 64) {
	case 0:
		return rand_r(seed) % (2 * DAY);
	case 1: case 2:
		return rand_r(seed) % (3 * HOUR);
	case 3: case 4: case 5:
		return rand_r(seed) % (10 * MIN);
	case 6:
		return 60 * SECOND;
	case 7:
		return 61 * SECOND;
	default:
		return rand_r(seed) % 4000;
	}
}

/* One random trace: every decision is the slow model's by buckets, no
 * admission is above a limit in the true window, and what `until` promises
 * holds to the millisecond. */
static size_t
trace(unsigned seed, size_t steps)
{
	static const int64_t scale[] = { 6, 40, 80, 300, 900, 6000, 12000,
	    50000 };
	struct config_limits lim = none();
	struct window_rule rule = { &lim, (enum config_day)(seed % 4) };
	struct model m = { malloc(EVENTS * sizeof(struct event)), 0, &rule };
	struct window_set s;
	struct text_time t, u;
	size_t i, k, admitted = 0;
	int64_t tokens, delta;
	struct event *e;
	int l;

	for (l = 0; l < CONFIG_CONCURRENCY; l++) {
		if (rand_r(&seed) % 3 == 0)
			lim.max[l] = 1 + rand_r(&seed) % scale[l];
	}
	window_init(&s);
	t = at(rand_r(&seed) % (400LL * DAY));
	for (i = 0; i < steps; i++) {
		delta = leap(&seed);
		t.wall += delta;
		t.mono += delta;
		tokens = rand_r(&seed) % 200;
		if (fits(&s, &rule, &t, tokens) !=
		    model_fits(&m, &t, tokens, true))
			fail_msg("seed step %zu: differs from the model", i);
		if (!fits(&s, &rule, &t, tokens)) {
			u = t;
			u.wall = until(&s, &rule, &t, tokens);
			if (u.wall == INT64_MAX || rand_r(&seed) % 8)
				continue;
			assert_true(u.wall > t.wall);
			u.mono += u.wall - t.wall;
			assert_true(model_fits(&m, &u, tokens, true));
			u.wall--;
			u.mono--;
			assert_false(model_fits(&m, &u, tokens, true));
			continue;
		}
		assert_true(model_fits(&m, &t, tokens, false));
		if (m.n == EVENTS)
			break;
		e = &m.e[m.n++];
		*e = (struct event){ t, tokens, false,
		    window_take(&s, rule.day, &t, tokens) };
		admitted++;
		/* an earlier one is settled: more, less, or given back */
		k = m.n - 1 - (size_t)rand_r(&seed) % (m.n < 8 ? m.n : 8);
		e = &m.e[k];
		delta = rand_r(&seed) % 60 - 40;
		if (e->tokens + delta < 0)
			delta = -e->tokens;
		if (e->given_back)
			continue;
		e->given_back = rand_r(&seed) % 16 == 0;
		window_adjust(&s, e->mark, e->given_back ? -1 : 0, delta);
		e->tokens += delta;
	}
	free(m.e);
	return admitted;
}

static void
agrees_with_the_slow_model(void **state)
{
	size_t admitted = 0;
	unsigned i;

	(void)state;
	setenv("TZ", "PST8PDT,M3.2.0,M11.1.0", 1);
	tzset();
	for (i = 0; i < 160; i++)
		admitted += trace(i, 750);
	assert_true(admitted > 20000);
}

/* Steady demand gets at least 95 % of each limit, however small. */
static void
uses_the_limit_up(void **state)
{
	static const struct {
		enum config_limit limit;
		enum config_day day;
		int64_t	 max, step, length, windows, need;
	} rows[] = {
		{ CONFIG_RPM, CONFIG_DAY_UTC, 1, 100, MIN, 60, 1 },
		{ CONFIG_RPM, CONFIG_DAY_UTC, 30, 100, MIN, 60, 1 },
		{ CONFIG_RPM, CONFIG_DAY_UTC, 1000, 20, MIN, 30, 1 },
		{ CONFIG_TPM, CONFIG_DAY_UTC, 6000, 50, MIN, 60, 50 },
		{ CONFIG_RPH, CONFIG_DAY_UTC, 1, 1000, HOUR, 60, 1 },
		{ CONFIG_RPH, CONFIG_DAY_UTC, 120, 1000, HOUR, 60, 1 },
		{ CONFIG_TPH, CONFIG_DAY_UTC, 60000, 1000, HOUR, 40, 100 },
		{ CONFIG_RPD, CONFIG_DAY_ROLLING, 1, 20000, DAY, 60, 1 },
		{ CONFIG_RPD, CONFIG_DAY_ROLLING, 50, 20000, DAY, 60, 1 },
		{ CONFIG_TPD, CONFIG_DAY_ROLLING, 9000, 20000, DAY, 40, 50 },
		{ CONFIG_RPD, CONFIG_DAY_UTC, 50, 20000, DAY, 40, 1 },
		{ CONFIG_RPD, CONFIG_DAY_PACIFIC, 50, 20000, DAY, 200, 1 },
		{ CONFIG_RPD, CONFIG_DAY_FIRST_USE, 50, 20000, DAY, 40, 1 },
	};
	struct config_limits lim;
	struct window_rule rule = { &lim, CONFIG_DAY_UTC };
	struct window_set s;
	struct text_time t;
	int64_t ms, got, end;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		lim = none();
		lim.max[rows[i].limit] = rows[i].max;
		rule.day = rows[i].day;
		window_init(&s);
		got = 0;
		end = rows[i].length * rows[i].windows;
		for (ms = 0; ms < end; ms += rows[i].step) {
			t = at(ms);
			while (fits(&s, &rule, &t, rows[i].need)) {
				window_take(&s, rule.day, &t, rows[i].need);
				got += rows[i].need;
			}
		}
		if (got < rows[i].max * rows[i].windows * 95 / 100)
			fail_msg("row %zu: %lld of %lld", i, (long long)got,
			    (long long)(rows[i].max * rows[i].windows));
	}
}

static void
a_clock_set_forth_and_back(void **state)
{
	struct config_limits lim = none();
	struct window_rule rule = { &lim, CONFIG_DAY_UTC };
	struct window_set s;
	struct text_time t = at(23 * HOUR);
	int i;

	(void)state;
	lim.max[CONFIG_RPD] = 10;
	window_init(&s);
	for (i = 0; i < 10; i++)
		window_take(&s, rule.day, &t, 0);
	assert_false(fits(&s, &rule, &t, 0));
	t.wall += 2 * HOUR;		/* wrongly the next day */
	for (i = 0; i < 4; i++) {
		assert_true(fits(&s, &rule, &t, 0));
		window_take(&s, rule.day, &t, 0);
	}
	t.wall -= 2 * HOUR;		/* and back: no quota twice */
	assert_false(fits(&s, &rule, &t, 0));
	t.wall += HOUR;			/* the true midnight */
	for (i = 0; i < 6; i++) {
		assert_true(fits(&s, &rule, &t, 0));
		window_take(&s, rule.day, &t, 0);
	}
	assert_false(fits(&s, &rule, &t, 0));
}

static void
a_clock_set_back(void **state)
{
	static const int64_t steps[] = { 1000, HOUR, 23 * HOUR, 2 * DAY,
	    40 * DAY, 400 * DAY };
	struct config_limits lim = none();
	struct window_rule rule = { &lim, CONFIG_DAY_UTC };
	struct window_set s;
	struct text_time t;
	size_t i, k;

	(void)state;
	lim.max[CONFIG_RPD] = 10;
	lim.max[CONFIG_RPM] = 10;
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		window_init(&s);
		t = at(500);
		for (k = 0; k < 10; k++)
			window_take(&s, rule.day, &t, 0);
		t.wall -= steps[i];
		if (window_astray(&s, &t))
			window_heal(&s, rule.day, &t);
		assert_true((steps[i] > DAY) == (s.day.start < T0));
		assert_false(fits(&s, &rule, &t, 0));
		/* the minute is on the steady clock */
		t.mono += 61 * SECOND;
		assert_false(fits(&s, &rule, &t, 0));
		/* nobody is locked out for longer than a day and the step
		 * below a day */
		t.wall += DAY + (steps[i] < DAY ? steps[i] : 0);
		t.mono += DAY;
		assert_true(fits(&s, &rule, &t, 0));
		window_take(&s, rule.day, &t, 0);
	}
}

static int64_t
own(const struct window_set *s, const struct window_rule *r,
    const struct text_time *t, enum config_limit l)
{
	struct window w;

	window_get(&w, s, r, t, l);
	return w.own;
}

/* What the day before used is in force again while the clock is before today,
 * and belongs to the window that holds when it was set back by far more. */
static void
a_clock_set_back_over_midnight(void **state)
{
	struct config_limits lim = none();
	struct window_rule rule = { &lim, CONFIG_DAY_UTC };
	struct text_time t = at(DAY - SECOND);
	struct window_set s;
	int i;

	(void)state;
	window_init(&s);
	window_take(&s, rule.day, &t, 7);
	window_take(&s, rule.day, &t, 8);
	t = at(DAY + SECOND);
	window_take(&s, rule.day, &t, 4);
	assert_int_equal(own(&s, &rule, &t, CONFIG_RPD), 1);
	assert_int_equal(own(&s, &rule, &t, CONFIG_TPD), 4);
	assert_int_equal(own(&s, &rule, &t, CONFIG_RPMONTH), 3);
	assert_int_equal(own(&s, &rule, &t, CONFIG_TPMONTH), 19);
	t.wall -= HOUR;
	assert_int_equal(own(&s, &rule, &t, CONFIG_RPD), 3);
	assert_int_equal(own(&s, &rule, &t, CONFIG_TPD), 19);
	t.wall -= 50 * DAY;
	assert_true(window_astray(&s, &t));
	for (i = 0; i < 2; i++) {
		window_heal(&s, rule.day, &t);
		assert_int_equal(own(&s, &rule, &t, CONFIG_RPD), 3);
		assert_int_equal(own(&s, &rule, &t, CONFIG_TPD), 19);
		assert_int_equal(own(&s, &rule, &t, CONFIG_RPMONTH), 3);
		assert_int_equal(own(&s, &rule, &t, CONFIG_TPMONTH), 19);
	}
	/* once */
	t.wall -= 23 * HOUR + HOUR / 2;
	assert_int_equal(own(&s, &rule, &t, CONFIG_RPD), 3);
	assert_int_equal(own(&s, &rule, &t, CONFIG_TPD), 19);
}

/* Each kind of day, over the end of one: requests are not tokens, a month is
 * no day. */
static void
days_and_months(void **state)
{
	static const enum config_day days[] = { CONFIG_DAY_UTC,
	    CONFIG_DAY_FIRST_USE };
	struct config_limits lim = none();
	struct window_set s;
	struct text_time t;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct window_rule rule = { &lim, days[i] };

		window_init(&s);
		t = at(0);
		window_take(&s, rule.day, &t, 7);
		t = at(DAY);
		window_take(&s, rule.day, &t, 4);
		assert_int_equal(own(&s, &rule, &t, CONFIG_RPD), 1);
		assert_int_equal(own(&s, &rule, &t, CONFIG_TPD), 4);
		assert_int_equal(own(&s, &rule, &t, CONFIG_RPMONTH), 2);
		assert_int_equal(own(&s, &rule, &t, CONFIG_TPMONTH), 11);
		assert_int_equal(own(&s, &rule, &t, CONFIG_RPM), 1);
		assert_int_equal(own(&s, &rule, &t, CONFIG_TPM), 4);
		assert_int_equal(own(&s, &rule, &t, CONFIG_TPH), 4);
	}
}

/* What is left is a limit, where the config has none and the provider names
 * none; until the reset that it told, or to the window's own end when that
 * makes no sense. */
static void
what_is_left_alone(void **state)
{
	static const struct { enum config_limit limit; int64_t reset, until; }
	t[] = {
		{ CONFIG_RPD, T0 + HOUR, T0 + HOUR },
		{ CONFIG_RPD, T0, T0 + DAY },
		{ CONFIG_RPD, T0 + MONTH + DAY, T0 + MONTH + DAY },
		{ CONFIG_RPD, T0 + MONTH + DAY + 1, T0 + DAY },
		{ CONFIG_RPH, 0, T0 + 30 * 120 * SECOND },
	};
	struct config_limits lim = none();
	struct window_rule rule = { &lim, CONFIG_DAY_UTC };
	struct text_time now = at(0), late;
	struct window_set s;
	struct window w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		window_init(&s);
		window_take(&s, rule.day, &now, 0);
		window_observe(&s, &rule, &now, t[i].limit, -1, 2, t[i].reset,
		    1);
		assert_true(fits(&s, &rule, &now, 0));
		window_take(&s, rule.day, &now, 0);
		assert_true(fits(&s, &rule, &now, 0));
		window_take(&s, rule.day, &now, 0);
		assert_false(fits(&s, &rule, &now, 0));
		window_get(&w, &s, &rule, &now, t[i].limit);
		assert_true(w.until == t[i].until);
		/* with its end our own word holds, which knows no limit */
		late = at(t[i].until - T0);
		assert_true(until(&s, &rule, &now, 0) <= late.wall);
		assert_true(fits(&s, &rule, &late, 0));
	}
	/* a window that has not begun */
	window_init(&s);
	now = at(HOUR);
	window_observe(&s, &rule, &now, CONFIG_RPD, -1, 0, 0, 1);
	window_get(&w, &s, &rule, &now, CONFIG_RPD);
	assert_true(w.until == T0 + HOUR + DAY);
}

/* 1970 until the network tells the time: what was counted stays counted. */
static void
a_clock_not_set_yet(void **state)
{
	struct config_limits lim = none();
	struct window_rule rule = { &lim, CONFIG_DAY_UTC };
	struct window_set s;
	struct text_time t = at(HOUR);
	int i;

	(void)state;
	lim.max[CONFIG_RPD] = 10;
	window_init(&s);
	for (i = 0; i < 8; i++)
		window_take(&s, rule.day, &t, 0);
	t.wall = 9000;
	assert_false(window_astray(&s, &t));
	window_take(&s, rule.day, &t, 0);
	t.wall = T0 + 2 * HOUR;
	window_take(&s, rule.day, &t, 0);
	assert_false(fits(&s, &rule, &t, 0));
}

/* A process that read its clock and slept does not open old windows. */
static void
a_stale_time(void **state)
{
	struct config_limits lim = none();
	struct window_rule rule = { &lim, CONFIG_DAY_UTC };
	struct window_set s;
	struct text_time t = at(10 * MIN), stale = at(0);
	int i;

	(void)state;
	lim.max[CONFIG_RPM] = 5;
	lim.max[CONFIG_RPD] = 20;
	window_init(&s);
	for (i = 0; i < 5; i++)
		window_take(&s, rule.day, &t, 0);
	assert_false(fits(&s, &rule, &stale, 0));
	window_raise(&s, &stale);
	assert_true(stale.mono == t.mono);
	assert_false(fits(&s, &rule, &stale, 0));
	t = at(11 * MIN + SECOND);
	assert_true(fits(&s, &rule, &t, 0));
}

static void
carries_over_a_reboot(void **state)
{
	struct config_limits lim = none();
	struct window_rule rule = { &lim, CONFIG_DAY_ROLLING };
	struct window_set s, was;
	struct text_time t = at(0), then = at(10 * SECOND), now;
	int i;

	(void)state;
	lim.max[CONFIG_RPM] = 5;
	lim.max[CONFIG_RPD] = 8;
	window_init(&s);
	for (i = 0; i < 5; i++)
		window_take(&s, rule.day, &t, 0);
	was = s;
	/* back after 40 s: the minute is still full, 20 s later it is not */
	now = (struct text_time){ T0 + 40 * SECOND, 15000 };
	window_reboot(&s, &then, &now);
	assert_false(fits(&s, &rule, &now, 0));
	now.wall += 20 * SECOND;
	now.mono += 20 * SECOND;
	assert_false(fits(&s, &rule, &now, 0));
	now.wall += 3 * SECOND;
	now.mono += 3 * SECOND;
	assert_true(fits(&s, &rule, &now, 0));
	for (i = 0; i < 3; i++)
		window_take(&s, rule.day, &now, 0);
	assert_false(fits(&s, &rule, &now, 0));	/* the rolling day */
	/* back after 25 h: nothing is left */
	s = was;
	now = (struct text_time){ T0 + 25 * HOUR, 15000 };
	window_reboot(&s, &then, &now);
	for (i = 0; i < 5; i++) {
		assert_true(fits(&s, &rule, &now, 0));
		window_take(&s, rule.day, &now, 0);
	}
	/* back in 1970: all of it counts as of now, for no longer than the
	 * window */
	s = was;
	now = (struct text_time){ 5000, 15000 };
	window_reboot(&s, &then, &now);
	assert_false(fits(&s, &rule, &now, 0));
	now.mono += 62 * SECOND;
	assert_true(fits(&s, &rule, &now, 0));
	/* nobody knows when it was written, and this machine runs longer */
	s = was;
	now = (struct text_time){ T0 + 25 * HOUR, t.mono + 40 * HOUR };
	window_reboot(&s, &(struct text_time){ now.wall, 0 }, &now);
	assert_false(fits(&s, &rule, &now, 0));
	now.mono += 62 * SECOND;
	assert_true(fits(&s, &rule, &now, 0));
}

static void
another_kind_of_day(void **state)
{
	struct config_limits lim = none();
	struct window_rule utc = { &lim, CONFIG_DAY_UTC };
	struct window_rule pacific = { &lim, CONFIG_DAY_PACIFIC };
	struct window_set s;
	struct text_time t = at(HOUR);
	int i;

	(void)state;
	lim.max[CONFIG_RPD] = 4;
	window_init(&s);
	for (i = 0; i < 4; i++)
		window_take(&s, CONFIG_DAY_UTC, &t, 0);
	assert_false(fits(&s, &utc, &t, 0));
	assert_false(fits(&s, &pacific, &t, 0));
	t = at(7 * HOUR);
	assert_false(fits(&s, &pacific, &t, 0));
}

static void
full_buckets(void **state)
{
	struct config_limits lim = none();
	struct window_rule rule = { &lim, CONFIG_DAY_UTC };
	struct window_set s;
	struct text_time t = at(0);
	int64_t i;

	(void)state;
	lim.max[CONFIG_RPM] = 1000000;
	lim.max[CONFIG_TPM] = 1LL << 40;
	window_init(&s);
	for (i = 0; fits(&s, &rule, &t, UINT32_MAX / 2) && i < 10; i++)
		window_take(&s, rule.day, &t, UINT32_MAX / 2);
	assert_int_equal(2, i);
	assert_true(until(&s, &rule, &t, UINT32_MAX / 2) == T0 + 1000);
	t = at(1000);
	for (i = 0; fits(&s, &rule, &t, 0) && i < 100000; i++)
		window_take(&s, rule.day, &t, 0);
	assert_int_equal(UINT16_MAX, i);
	assert_true(until(&s, &rule, &t, 0) == T0 + 2000);
}

static void
never_below_zero(void **state)
{
	struct window_set s;
	struct text_time t = at(0);
	struct window_mark m;
	struct window w;
	struct config_limits lim = none();
	struct window_rule rule = { &lim, CONFIG_DAY_UTC };
	int l;

	(void)state;
	window_init(&s);
	m = window_take(&s, CONFIG_DAY_UTC, &t, 10);
	window_adjust(&s, m, -5, -5000);
	window_adjust(&s, m, 0, INT64_MIN / 2);
	for (l = 0; l < CONFIG_CONCURRENCY; l++) {
		window_get(&w, &s, &rule, &t, (enum config_limit)l);
		assert_int_equal(0, w.own);
	}
}

/* Any bytes at all: no crash, no endless loop. */
static void
damaged_bytes(void **state)
{
	struct config_limits lim = none();
	struct window_rule rule = { &lim, CONFIG_DAY_UTC };
	struct window_set s;
	struct text_time t, then = at(0);
	struct window_mark m;
	unsigned seed = 3;
	size_t k;
	int i, l;

	(void)state;
	for (l = 0; l < CONFIG_CONCURRENCY; l++)
		lim.max[l] = 100;
	for (i = 0; i < 3000; i++) {
		for (k = 0; k < sizeof(s); k++)
			((unsigned char *)&s)[k] = i % 3 ?
			    (unsigned char)rand_r(&seed) : 0xff;
		if (i % 2)
			s.head = second(M0) + rand_r(&seed) % 100 - 50;
		/* the calendar is asked only about times that exist */
		s.day.start = T0 + rand_r(&seed);
		s.month.start = T0 - rand_r(&seed);
		rule.day = (enum config_day)(i % 4);
		t = at(rand_r(&seed) % 100000);
		window_raise(&s, &t);
		(void)fits(&s, &rule, &t, 5);
		(void)until(&s, &rule, &t, 5);
		if (i % 5 == 0)
			window_reboot(&s, &then, &t);
		m = window_take(&s, rule.day, &t, 10);
		window_adjust(&s, m, -1, -3);
		window_observe(&s, &rule, &t, (enum config_limit)(i % 8), 5,
		    1, T0, 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_slow_model),
		cmocka_unit_test(uses_the_limit_up),
		cmocka_unit_test(a_clock_set_forth_and_back),
		cmocka_unit_test(a_clock_set_back),
		cmocka_unit_test(a_clock_set_back_over_midnight),
		cmocka_unit_test(days_and_months),
		cmocka_unit_test(what_is_left_alone),
		cmocka_unit_test(a_clock_not_set_yet),
		cmocka_unit_test(a_stale_time),
		cmocka_unit_test(carries_over_a_reboot),
		cmocka_unit_test(another_kind_of_day),
		cmocka_unit_test(full_buckets),
		cmocka_unit_test(never_below_zero),
		cmocka_unit_test(damaged_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
