#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "map.h"

/* Another process, which has the lock and does not go on: for the next `slow`
 * tries of ours. */
static struct map *holder;
static int slow;

static int
begin(struct map *m)
{
	int r = map_begin(m);

	if (r < 0 && holder != NULL && --slow == 0) {
		map_close(holder);
		holder = NULL;
	}
	return r;
}

#define map_begin begin
#include "../../src/book.c"
#undef map_begin

#include "buf.h"
#include "ledger.h"

/* What is done in memory, because the file's lock is stuck, must be in the file
 * in the end as if it had been done there. */

#define T0	1795219200000LL		/* 2026-11-21T00:00:00Z */

static char dir[64], path[96];

/* One provider with a key, two models, a client. */
static struct {
	struct config c;
	struct config_provider p;
	struct config_key k;
	struct config_model m[2];
	struct config_lane l[2];
	struct config_client u;
} w;

static void
no_limits(struct config_limits *l)
{
	for (int i = 0; i < CONFIG_LIMITS; i++)
		l->max[i] = CONFIG_NONE;
}

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/t_bookXXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/state", dir);
	memset(&w, 0, sizeof(w));
	w.c.state = path;
	w.c.providers = &w.p;
	w.c.nproviders = 1;
	w.c.models = w.m;
	w.c.nmodels = 2;
	w.c.lanes = w.l;
	w.c.nlanes = 2;
	w.c.clients = &w.u;
	w.c.nclients = 1;
	w.p.name = "p";
	w.p.keys = &w.k;
	w.p.nkeys = 1;
	strcpy(w.k.name, "k");
	w.m[0].id = "a";
	w.m[1].id = "b";
	w.l[1].model = 1;
	w.u.name = "u";
	no_limits(&w.p.limits);
	no_limits(&w.p.key_limits);
	no_limits(&w.m[0].limits);
	no_limits(&w.m[1].limits);
	no_limits(&w.u.limits);
	return 0;
}

static int
teardown(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

static const struct text_time t0 = { T0, 1000000 };

static const struct ledger_end good = { .counted = true, .prompt = 40,
    .completion = 20, .first_ms = 100 };
static const struct ledger_end bad = { .asked = true, .failed = true,
    .prompt = -1, .completion = -1, .first_ms = -1 };

/* On a loop: one that waits 500 ms for the lock and has a tick. */
static struct ledger *
opened(void)
{
	struct ledger *l = ledger_open(&w.c, &t0);

	assert_non_null(l);
	ledger_aside(l);
	return l;
}

/* Another process has the lock, and does not go on. */
static struct map *
stuck(void)
{
	struct map_want want = { .path = path, .layout = slot_layout() };
	struct map *m = map_open(&want, &t0);

	assert_null(map_why(m));
	return m;
}

static uint64_t
take(struct ledger *l, size_t lane)
{
	struct quota_answer why;
	uint64_t id;

	assert_int_equal(0, ledger_take(l, &t0, lane, 0, 500, &id, &why));
	return id;
}

static void
settle_as(struct ledger *l, uint64_t id, const struct ledger_end *e)
{
	ledger_settle(l, &t0, id, e);
}

/* What the file says of a scope: requests and tokens, as counted since it was
 * made and in the day's window; failures; in flight. */
static void
has(struct ledger *l, enum ledger_kind kind, size_t index, int64_t requests,
    int64_t tokens, int64_t failures, int inflight)
{
	struct quota_row rows[CONFIG_LIMITS];
	struct ledger_counts c;
	int64_t rpd = 0, tpd = 0;
	size_t n = ledger_report(l, &t0, kind, index, &c, rows), i;

	for (i = 0; i < n; i++) {
		if (rows[i].limit == CONFIG_RPD)
			rpd = rows[i].used;
		if (rows[i].limit == CONFIG_TPD)
			tpd = rows[i].used;
	}
	assert_int_equal(requests, c.requests);
	assert_int_equal(requests, rpd);
	assert_int_equal(tokens, c.tokens);
	assert_int_equal(tokens, tpd);
	assert_int_equal(failures, c.failures);
	assert_int_equal(inflight, c.inflight);
}

static void
sound(struct ledger *l)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	if (ledger_verify(l, &t0, &b) != 0)
		fail_msg("%s", buf_str(&b));
	buf_release(&b);
}

static void
the_last_hour(struct ledger *l, int64_t requests, int64_t tokens,
    int64_t failures)
{
	struct ledger_history h;
	const struct ledger_span *s = &h.hours[LEDGER_HOURS - 1];

	ledger_history(l, &t0, &h);
	assert_int_equal(requests, s->requests);
	assert_int_equal(tokens, s->tokens);
	assert_int_equal(failures, s->failures);
}

/* Began and ended in memory. */
static void
ended_in_memory(void **state)
{
	struct ledger *l = opened();
	struct map *m;
	uint64_t a, b;

	(void)state;
	settle_as(l, take(l, 0), &good);
	m = stuck();
	a = take(l, 0);
	assert_non_null(ledger_health(l));
	b = take(l, 1);
	settle_as(l, a, &bad);
	settle_as(l, b, &good);
	map_close(m);
	ledger_tick(l, &t0);
	assert_null(ledger_health(l));
	has(l, LEDGER_K_LANE, 0, 1, 60, 1, 0);
	has(l, LEDGER_K_LANE, 1, 1, 60, 0, 0);
	has(l, LEDGER_K_KEY, 0, 2, 120, 1, 0);
	/* the client is not given back what it made us ask for */
	has(l, LEDGER_K_CLIENT, 0, 3, 120, 1, 0);
	the_last_hour(l, 2, 120, 1);
	/* and once only */
	ledger_tick(l, &t0);
	has(l, LEDGER_K_LANE, 1, 1, 60, 0, 0);
	sound(l);
	ledger_close(l);
}

/* A process without a tick, such as a CGI's. */
static void
ended_in_a_short_life(void **state)
{
	struct ledger *l = opened();
	struct map *m = stuck();

	(void)state;
	settle_as(l, take(l, 0), &bad);
	assert_non_null(ledger_health(l));
	map_close(m);
	ledger_close(l);
	l = opened();
	has(l, LEDGER_K_LANE, 0, 0, 0, 1, 0);
	sound(l);
	ledger_close(l);
}

/* Began in memory, ended when the file was there again, or away again, or
 * never. */
static void
open_when_it_came_back(void **state)
{
	struct ledger *l = opened();
	struct map *m = stuck();
	struct quota_answer why;
	uint64_t a, b, c, d;

	(void)state;
	a = take(l, 0);
	b = take(l, 0);
	c = take(l, 1);
	d = take(l, 1);
	assert_int_equal(0, ledger_more(l, &t0, 1, 0, 500, false, &d, &why));
	map_close(m);
	ledger_tick(l, &t0);
	assert_null(ledger_health(l));
	has(l, LEDGER_K_LANE, 0, 0, 0, 0, 2);
	has(l, LEDGER_K_CLIENT, 0, 0, 0, 0, 5);
	sound(l);
	settle_as(l, a, &bad);
	has(l, LEDGER_K_LANE, 0, 0, 0, 1, 1);
	settle_as(l, a, &good);			/* is over */
	has(l, LEDGER_K_LANE, 0, 0, 0, 1, 1);
	m = stuck();
	settle_as(l, b, &good);
	assert_non_null(ledger_health(l));
	settle_as(l, d, &good);
	map_close(m);
	ledger_tick(l, &t0);
	has(l, LEDGER_K_LANE, 0, 1, 60, 1, 0);
	has(l, LEDGER_K_LANE, 1, 1, 60, 0, 2);
	settle_as(l, c, &good);
	has(l, LEDGER_K_LANE, 1, 2, 120, 0, 1);
	/* a, b, c: the client's second try is no second request */
	has(l, LEDGER_K_CLIENT, 0, 3, 180, 1, 1);
	sound(l);
	ledger_close(l);
	l = opened();
	has(l, LEDGER_K_LANE, 1, 3, 620, 0, 0);	/* at its estimate */
	has(l, LEDGER_K_CLIENT, 0, 4, 680, 1, 0);
	sound(l);
	ledger_close(l);
}

/* The file was gone, not stuck, and comes back as another process has it. */
static void
open_when_another_file_came(void **state)
{
	struct ledger *l, *other;
	char away[128];
	uint64_t a;

	(void)state;
	snprintf(away, sizeof(away), "%s.away", dir);
	assert_int_equal(0, rename(dir, away));
	l = opened();
	assert_non_null(ledger_health(l));
	settle_as(l, take(l, 0), &bad);
	settle_as(l, take(l, 0), &good);
	a = take(l, 0);
	assert_int_equal(0, rename(away, dir));
	other = opened();
	settle_as(other, take(other, 1), &good);
	ledger_tick(l, &t0);
	assert_null(ledger_health(l));
	has(l, LEDGER_K_LANE, 0, 1, 60, 1, 1);
	has(l, LEDGER_K_KEY, 0, 2, 120, 1, 1);
	settle_as(l, a, &good);
	has(other, LEDGER_K_LANE, 0, 2, 120, 1, 0);
	sound(other);
	ledger_close(other);
	ledger_close(l);
}

/* A new file is made from a copy of what memory has, and not told it again. */
static void
a_file_from_memory(void **state)
{
	struct ledger *l;
	char away[128];

	(void)state;
	snprintf(away, sizeof(away), "%s.away", dir);
	assert_int_equal(0, rename(dir, away));
	l = opened();
	settle_as(l, take(l, 0), &bad);
	settle_as(l, take(l, 0), &good);
	assert_int_equal(0, rename(away, dir));
	ledger_tick(l, &t0);
	assert_null(ledger_health(l));
	has(l, LEDGER_K_LANE, 0, 1, 60, 1, 0);
	has(l, LEDGER_K_CLIENT, 0, 2, 60, 1, 0);
	the_last_hour(l, 1, 60, 1);
	sound(l);
	ledger_close(l);
}

/* So is a lease that is open there, which ends in the file as any other. */
static void
open_when_a_file_was_made(void **state)
{
	struct quota_row rows[CONFIG_LIMITS];
	struct ledger_counts c;
	struct ledger *l;
	char away[128];
	uint64_t a, b;

	(void)state;
	snprintf(away, sizeof(away), "%s.away", dir);
	assert_int_equal(0, rename(dir, away));
	l = opened();
	settle_as(l, take(l, 0), &good);
	a = take(l, 0);
	b = take(l, 0);
	assert_int_equal(0, rename(away, dir));
	ledger_tick(l, &t0);
	assert_null(ledger_health(l));
	has(l, LEDGER_K_LANE, 0, 1, 60, 0, 2);
	has(l, LEDGER_K_CLIENT, 0, 1, 60, 0, 2);
	ledger_report(l, &t0, LEDGER_K_LANE, 0, &c, rows);
	assert_int_equal(100, c.first_ms);
	settle_as(l, a, &good);
	settle_as(l, b, &bad);
	has(l, LEDGER_K_LANE, 0, 2, 120, 1, 0);
	has(l, LEDGER_K_CLIENT, 0, 3, 120, 1, 0);
	the_last_hour(l, 2, 120, 1);
	sound(l);
	ledger_close(l);
}

static struct quota_answer
bar_of(struct ledger *l, size_t lane)
{
	struct quota_row rows[CONFIG_LIMITS];
	struct ledger_counts c;

	ledger_report(l, &t0, LEDGER_K_LANE, lane, &c, rows);
	return c.bar;
}

/* Who serves one request waits for a holder that is slow. */
static void
patient(void **state)
{
	struct ledger *l = ledger_open(&w.c, &t0);

	(void)state;
	holder = stuck();
	slow = 5;
	settle_as(l, take(l, 0), &bad);
	assert_null(holder);
	assert_null(ledger_health(l));
	has(l, LEDGER_K_LANE, 0, 0, 0, 1, 0);
	holder = stuck();
	slow = TRIES_ALONE;
	take(l, 0);
	assert_non_null(ledger_health(l));
	holder = stuck();
	slow = TRIES_ALONE + 1;
	ledger_close(l);
	assert_null(holder);
	l = opened();
	has(l, LEDGER_K_LANE, 0, 1, 500, 1, 0);
	/* who serves many is less so */
	holder = stuck();
	slow = 3;
	ledger_settle(l, &t0, take(l, 0), &good);
	assert_null(holder);
	assert_null(ledger_health(l));
	has(l, LEDGER_K_LANE, 0, 2, 560, 1, 0);
	holder = stuck();
	slow = TRIES_LOOP + 1;
	take(l, 0);
	assert_non_null(holder);
	assert_non_null(ledger_health(l));
	ledger_tick(l, &t0);
	assert_null(holder);
	ledger_tick(l, &t0);
	assert_null(ledger_health(l));
	has(l, LEDGER_K_LANE, 0, 2, 560, 1, 1);
	sound(l);
	ledger_close(l);
}

/* Its whole life was spent in memory. */
static void
stuck_from_the_first(void **state)
{
	struct ledger *l = opened();
	struct map *m;

	(void)state;
	ledger_close(l);
	m = stuck();
	l = ledger_open(&w.c, &t0);
	assert_non_null(ledger_health(l));
	settle_as(l, take(l, 0), &good);
	take(l, 1);
	map_close(m);
	ledger_close(l);
	l = opened();
	has(l, LEDGER_K_LANE, 0, 1, 60, 0, 0);
	has(l, LEDGER_K_LANE, 1, 1, 500, 0, 0);
	sound(l);
	ledger_close(l);
}

/* What a provider said meanwhile holds for all; what the file has learned
 * meanwhile is not undone. */
static void
barred_in_memory(void **state)
{
	const struct quota_ban day = { QUOTA_RATE_DAY, T0 + 3600000, false },
	    minute = { QUOTA_RATE_MINUTE, T0 + 60000, false };
	struct ledger *l = opened(), *other = opened();
	struct buf b;
	struct map *m;

	(void)state;
	ledger_bar(l, &t0, 1, LEDGER_LANE, &minute);
	m = stuck();
	ledger_bar(l, &t0, 0, LEDGER_LANE, &day);
	assert_non_null(ledger_health(l));
	map_close(m);
	buf_init(&b, 1 << 12);
	assert_int_equal(0, ledger_reset(other, &t0, NULL, &b));
	buf_release(&b);
	ledger_tick(l, &t0);
	assert_null(ledger_health(l));
	assert_int_equal(QUOTA_RATE_DAY, bar_of(other, 0).reason);
	assert_int_equal(T0 + 3600000, bar_of(other, 0).until);
	assert_int_equal(QUOTA_OPEN, bar_of(other, 1).reason);
	sound(other);
	ledger_close(other);
	ledger_close(l);
}

/* A stream that was served long ago, in memory, is no probe of what the file
 * still bars: or nobody would be admitted until its end. Nor does it take the
 * place of another process's probe. */
static void
no_probe_comes_back(void **state)
{
	const struct quota_ban full = { QUOTA_CAPACITY, T0 + 5000, true };
	const struct text_time late = { T0 + 6000, t0.mono + 6000 };
	struct ledger *l = opened(), *other = opened();
	struct quota_answer why;
	struct map *m;
	uint64_t a, b;

	(void)state;
	ledger_bar(l, &t0, 0, LEDGER_LANE, &full);
	m = stuck();
	assert_int_equal(0, ledger_take(l, &late, 0, 0, 500, &a, &why));
	assert_non_null(ledger_health(l));
	ledger_good(l, &late, a);
	map_close(m);
	ledger_tick(l, &late);
	assert_null(ledger_health(l));
	assert_int_equal(0, ledger_take(other, &late, 0, 0, 500, &b, &why));
	assert_true((b & BOOK_PROBE) != 0);
	m = stuck();
	take(l, 1);
	assert_int_equal(0, ledger_take(l, &late, 0, 0, 500, &a, &why));
	map_close(m);
	ledger_tick(l, &late);
	assert_null(ledger_health(l));
	ledger_good(other, &late, b);
	assert_int_equal(QUOTA_OPEN, bar_of(other, 0).reason);
	sound(other);
	ledger_close(other);
	ledger_close(l);
}

static int64_t
used(struct ledger *l, const struct text_time *t, enum config_limit limit)
{
	struct quota_row rows[CONFIG_LIMITS];
	struct ledger_counts c;
	size_t n = ledger_report(l, t, LEDGER_K_LANE, 0, &c, rows), i;

	for (i = 0; i < n; i++) {
		if (rows[i].limit == limit)
			return rows[i].used;
	}
	return 0;
}

/* One request before and one after `ms` in memory: what the windows of the
 * file have then. */
static void
away_for(int64_t ms, enum config_day day, int64_t rph, int64_t rpd,
    int64_t rpmonth)
{
	const struct text_time late = { T0 + ms, t0.mono + ms };
	struct ledger *l;
	struct quota_answer why;
	struct map *m;
	uint64_t id;

	w.p.day = day;
	l = opened();
	m = stuck();
	settle_as(l, take(l, 0), &good);
	assert_non_null(ledger_health(l));
	assert_int_equal(0, ledger_take(l, &late, 0, 0, 500, &id, &why));
	ledger_settle(l, &late, id, &good);
	map_close(m);
	ledger_tick(l, &late);
	assert_null(ledger_health(l));
	assert_int_equal(rph, used(l, &late, CONFIG_RPH));
	assert_int_equal(rpd, used(l, &late, CONFIG_RPD));
	assert_int_equal(rpmonth, used(l, &late, CONFIG_RPMONTH));
	assert_int_equal(60 * rpd, used(l, &late, CONFIG_TPD));
	assert_int_equal(60 * rpmonth, used(l, &late, CONFIG_TPMONTH));
	sound(l);
	ledger_close(l);
	assert_int_equal(0, unlink(path));
}

/* Yesterday's use is not taken out of today's quota; of an hour's it is, for it
 * is not known when it was. */
static void
away_over_midnight(void **state)
{
	const int64_t hour = 3600000, d = 24 * hour;

	(void)state;
	away_for(hour, CONFIG_DAY_UTC, 2, 2, 2);
	away_for(d, CONFIG_DAY_UTC, 2, 1, 2);
	away_for(11 * d, CONFIG_DAY_UTC, 2, 1, 1);
	away_for(23 * hour, CONFIG_DAY_ROLLING, 2, 2, 2);
	away_for(25 * hour, CONFIG_DAY_ROLLING, 1, 1, 2);
	away_for(25 * hour, CONFIG_DAY_FIRST_USE, 2, 1, 2);
}

/* A worker asks for the file each second, for weeks: that must not use up the
 * numbers by which the maps are told apart. */
static void
numbers_last(void **state)
{
	struct book b;
	uint16_t epochs;
	char away[128];
	int i;

	(void)state;
	snprintf(away, sizeof(away), "%s.away", dir);
	assert_int_equal(0, rename(dir, away));
	assert_int_equal(0, book_open(&b, &w.c, &t0));
	epochs = b.t.epochs;
	for (i = 0; i < 3; i++)
		book_tick(&b, &t0);
	assert_non_null(book_health(&b));
	assert_int_equal(epochs, b.t.epochs);
	assert_int_equal(0, rename(away, dir));
	book_tick(&b, &t0);
	assert_null(book_health(&b));
	assert_int_equal(epochs + 1, b.t.epochs);
	book_close(&b);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(ended_in_memory), T(ended_in_a_short_life),
		T(open_when_it_came_back), T(open_when_another_file_came),
		T(a_file_from_memory), T(barred_in_memory), T(patient),
		T(stuck_from_the_first), T(no_probe_comes_back),
		T(open_when_a_file_was_made), T(numbers_last),
		T(away_over_midnight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
