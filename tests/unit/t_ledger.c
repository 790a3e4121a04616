#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/ledger.c"
#include "image.h"

#define T0	1795219200000LL		/* 2026-11-21T00:00:00Z */
#define MINUTE	60000LL
#define HOUR	(60 * MINUTE)
#define DAY	(24 * HOUR)

static char dir[64], path[96];

static struct config_limits
none(void)
{
	struct config_limits l;
	int i;

	for (i = 0; i < CONFIG_LIMITS; i++)
		l.max[i] = CONFIG_NONE;
	return l;
}

/* Two providers, two keys on the first, three models; two clients. */
struct world {
	struct config c;
	struct config_provider p[2];
	struct config_key k[3];
	struct config_model m[3];
	struct config_lane l[5];
	struct config_alias a[2];
	struct config_client u[2];
};

static void
world(struct world *w)
{
	static const struct config_lane lanes[] = {
	    { 0, 0, 0 }, { 0, 0, 1 }, { 0, 1, 0 }, { 0, 1, 1 }, { 1, 2, 0 } };
	static char *ids[] = { "big", "small", "other" };
	size_t i;

	memset(w, 0, sizeof(*w));
	w->c.state = path;
	w->c.providers = w->p;
	w->c.nproviders = 2;
	w->c.models = w->m;
	w->c.nmodels = 3;
	w->c.lanes = w->l;
	w->c.nlanes = 5;
	w->c.aliases = w->a;
	w->c.naliases = 2;
	w->c.clients = w->u;
	w->c.nclients = 2;
	memcpy(w->l, lanes, sizeof(lanes));
	w->p[0].name = "groq";
	w->p[1].name = "cerebras";
	w->p[0].keys = w->k;
	w->p[0].nkeys = 2;
	w->p[1].keys = w->k + 2;
	w->p[1].nkeys = 1;
	for (i = 0; i < 3; i++) {
		snprintf(w->k[i].name, sizeof(w->k[i].name), "k-%012zu", i);
		w->m[i].id = ids[i];
		w->m[i].limits = none();
	}
	for (i = 0; i < 2; i++) {
		w->p[i].limits = none();
		w->p[i].key_limits = none();
		w->u[i].limits = none();
	}
	w->m[2].provider = 1;
	w->a[0].name = "auto";
	w->a[1].name = "fast";
	w->u[0].name = "bot";
	w->u[1].name = "page";
}

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/t_ledgerXXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/state", dir);
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

static struct text_time
at(int64_t ms)
{
	return (struct text_time){ T0 + ms, 1000000 + ms };
}

static const struct ledger_end good = { .counted = true, .prompt = 40,
    .completion = 20, .first_ms = 100 };
static const struct ledger_end unknown = { .counted = true, .prompt = -1,
    .completion = -1, .first_ms = -1 };
static const struct ledger_end bad = { .asked = true, .failed = true,
    .prompt = -1, .completion = -1, .first_ms = -1 };
static const struct ledger_end nothing = { .unknown = true, .prompt = -1,
    .completion = -1, .first_ms = -1 };

static int
take(struct ledger *l, int64_t ms, size_t lane, int64_t tokens, uint64_t *id,
    struct quota_answer *why)
{
	struct text_time t = at(ms);

	return ledger_take(l, &t, lane, LEDGER_NOBODY, tokens, id, why);
}

static void
settle_at(struct ledger *l, int64_t ms, uint64_t id,
    const struct ledger_end *e)
{
	struct text_time t = at(ms);

	ledger_settle(l, &t, id, e);
}

static struct ledger *
open_at(const struct world *w, int64_t ms)
{
	struct text_time t = at(ms);
	struct ledger *l = ledger_open(&w->c, &t);

	assert_non_null(l);
	return l;
}

static void
sound(struct ledger *l, int64_t ms)
{
	struct text_time t = at(ms);
	struct buf b;

	buf_init(&b, 1 << 16);
	if (ledger_verify(l, &t, &b) != 0)
		fail_msg("%s", buf_str(&b));
	buf_release(&b);
}

static int64_t
row(struct ledger *l, int64_t ms, enum ledger_kind kind, size_t index,
    enum config_limit limit, bool reserved)
{
	struct quota_row rows[CONFIG_LIMITS];
	struct ledger_counts c;
	struct text_time t = at(ms);
	size_t n = ledger_report(l, &t, kind, index, &c, rows), i;

	for (i = 0; i < n; i++) {
		if (rows[i].limit == limit)
			return reserved ? rows[i].reserved : rows[i].used;
	}
	return 0;
}

static void
takes_and_settles(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct ledger_counts c;
	struct quota_row rows[CONFIG_LIMITS];
	struct text_time t = at(1500);
	uint64_t id;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	assert_null(ledger_health(l));
	assert_int_equal(0, take(l, 1000, 0, 500, &id, &why));
	assert_int_equal(0, row(l, 1000, LEDGER_K_LANE, 0, CONFIG_TPM, false));
	assert_int_equal(500, row(l, 1000, LEDGER_K_LANE, 0, CONFIG_TPM,
	    true));
	assert_int_equal(1, row(l, 1000, LEDGER_K_LANE, 0, CONFIG_CONCURRENCY,
	    false));
	sound(l, 1000);
	settle_at(l, 1500, id, &good);
	assert_int_equal(60, row(l, 1500, LEDGER_K_LANE, 0, CONFIG_TPM,
	    false));
	assert_int_equal(60, row(l, 1500, LEDGER_K_KEY, 0, CONFIG_TPD,
	    false));
	assert_int_equal(60, row(l, 1500, LEDGER_K_ACCOUNT, 0, CONFIG_TPH,
	    false));
	assert_int_equal(0, row(l, 1500, LEDGER_K_ACCOUNT, 1, CONFIG_TPH,
	    false));
	/* a second time changes nothing */
	settle_at(l, 1500, id, &good);
	settle_at(l, 1500, 12345, &good);
	assert_int_equal(1, row(l, 1500, LEDGER_K_LANE, 0, CONFIG_RPM,
	    false));
	ledger_report(l, &t, LEDGER_K_LANE, 0, &c, rows);
	assert_int_equal(1, c.requests);
	assert_int_equal(60, c.tokens);
	assert_int_equal(1, c.requests_today);
	assert_int_equal(60, c.tokens_today);
	assert_int_equal(T0, c.day_start);
	assert_int_equal(100, c.first_ms);
	assert_int_equal(0, c.inflight);
	sound(l, 1500);
	ledger_close(l);
}

static void
all_scopes_or_none(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(0);
	uint64_t id;

	(void)state;
	world(&w);
	w.m[0].limits.max[CONFIG_RPM] = 10;
	w.p[0].key_limits.max[CONFIG_RPD] = 2;
	w.p[0].limits.max[CONFIG_RPD] = 3;
	w.u[0].limits.max[CONFIG_RPD] = 1;
	l = open_at(&w, 0);
	assert_int_equal(0, ledger_take(l, &t, 0, 0, 1, &id, &why));
	settle_at(l, 0, id, &good);
	/* the client is at its end, the others are not charged */
	assert_int_equal(-1, ledger_take(l, &t, 0, 0, 1, &id, &why));
	assert_int_equal(QUOTA_RPD, why.reason);
	assert_int_equal(T0 + DAY, why.until);
	assert_int_equal(1, row(l, 0, LEDGER_K_LANE, 0, CONFIG_RPM, false));
	assert_int_equal(0, ledger_take(l, &t, 0, 1, 1, &id, &why));
	/* the key's limit, then the account's over both keys */
	assert_int_equal(-1, ledger_take(l, &t, 2, 1, 1, &id, &why));
	assert_int_equal(0, ledger_take(l, &t, 3, 1, 1, &id, &why));
	assert_int_equal(-1, ledger_take(l, &t, 1, 1, 1, &id, &why));
	assert_int_equal(QUOTA_RPD, why.reason);
	sound(l, 0);
	ledger_close(l);
}

static void
gives_back_what_does_not_count(void **state)
{
	const struct ledger_end e = { .counted = false, .prompt = -1,
	    .completion = -1, .first_ms = -1, .failed = true };
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	uint64_t id;

	(void)state;
	world(&w);
	w.m[0].limits.max[CONFIG_RPD] = 1;
	w.m[0].limits.max[CONFIG_TPD] = 100;
	l = open_at(&w, 0);
	assert_int_equal(0, take(l, 0, 0, 100, &id, &why));
	assert_int_equal(-1, take(l, 0, 0, 100, &id, &why));
	settle_at(l, 50, book_lease(&l->b, 1, 0), &e);
	assert_int_equal(0, take(l, 100, 0, 100, &id, &why));
	settle_at(l, 150, id, &unknown);
	assert_int_equal(100, row(l, 150, LEDGER_K_LANE, 0, CONFIG_TPD,
	    false));
	assert_int_equal(-1, take(l, 150, 0, 101, &id, &why));
	assert_int_equal(QUOTA_TOO_LARGE, why.reason);
	assert_true(why.until == INT64_MAX);
	ledger_close(l);
}

/* What a client's slot holds and has had, of its second client. */
static void
client_has(struct ledger *l, int64_t ms, int requests, int reserved,
    int tokens, int total)
{
	struct quota_row rows[CONFIG_LIMITS];
	struct text_time t = at(ms);
	struct ledger_counts c;

	assert_int_equal(requests, row(l, ms, LEDGER_K_CLIENT, 1, CONFIG_RPD,
	    false));
	assert_int_equal(reserved, row(l, ms, LEDGER_K_CLIENT, 1, CONFIG_RPD,
	    true));
	assert_int_equal(tokens, row(l, ms, LEDGER_K_CLIENT, 1, CONFIG_TPD,
	    false));
	ledger_report(l, &t, LEDGER_K_CLIENT, 1, &c, rows);
	assert_int_equal(total, c.requests);
	sound(l, ms);
}

/* A request is one of its client's, however many lanes it went through. */
static void
one_request_of_the_client(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(0), later = at(70000);
	uint64_t id;
	pid_t pid;
	int st;

	(void)state;
	world(&w);
	w.p[1].nkeys = 0;
	w.u[1].limits.max[CONFIG_RPM] = 1;
	w.u[1].limits.max[CONFIG_RPD] = 3;
	w.u[1].limits.max[CONFIG_TPD] = 200;
	l = open_at(&w, 0);
	/* nobody was asked */
	assert_int_equal(0, ledger_take(l, &t, 0, 1, 90, &id, &why));
	client_has(l, 0, 0, 1, 0, 0);
	settle_at(l, 0, id, &nothing);
	client_has(l, 0, 0, 0, 0, 0);
	/* the first failed, and the provider does not count it */
	assert_int_equal(0, ledger_take(l, &t, 0, 1, 90, &id, &why));
	settle_at(l, 0, id, &bad);
	client_has(l, 0, 1, 0, 0, 1);
	assert_int_equal(0, row(l, 0, LEDGER_K_LANE, 0, CONFIG_RPD, false));
	/* another request is one too many, another attempt is not */
	assert_int_equal(-1, ledger_take(l, &t, 4, 1, 90, &id, &why));
	assert_int_equal(QUOTA_RPM, why.reason);
	assert_int_equal(0, ledger_more(l, &t, 1, 1, 90, false, &id, &why));
	client_has(l, 0, 1, 0, 0, 1);
	assert_int_equal(90, row(l, 0, LEDGER_K_CLIENT, 1, CONFIG_TPD, true));
	assert_int_equal(1, row(l, 0, LEDGER_K_CLIENT, 1, CONFIG_CONCURRENCY,
	    false));
	assert_int_equal(1, row(l, 0, LEDGER_K_LANE, 1, CONFIG_RPD, true));
	settle_at(l, 0, id, &bad);
	client_has(l, 0, 1, 0, 0, 1);
	/* an attempt may outlast the minute of the first, on a lane without a
	 * key; then its process dies */
	if ((pid = fork()) == 0) {
		struct ledger *c = open_at(&w, 70000);

		kill(getpid(), ledger_more(c, &later, 4, 1, 90, false, &id,
		    &why) == 0 ? SIGKILL : SIGTERM);
	}
	waitpid(pid, &st, 0);
	assert_int_equal(SIGKILL, WTERMSIG(st));
	client_has(l, 70000, 1, 0, 0, 1);
	ledger_tick(l, &later);
	client_has(l, 70000, 1, 0, 90, 1);
	assert_int_equal(1, row(l, 70000, LEDGER_K_LANE, 4, CONFIG_RPD,
	    false));
	/* all limits are the client's again with its next request */
	later = at(140000);
	assert_int_equal(0, ledger_take(l, &later, 0, 1, 10, &id, &why));
	settle_at(l, 140000, id, &good);
	client_has(l, 140000, 2, 0, 150, 2);
	assert_int_equal(0, ledger_more(l, &later, 1, 1, 90, false, &id,
	    &why));
	settle_at(l, 140000, id, &good);
	client_has(l, 140000, 2, 0, 210, 2);
	ledger_close(l);
}

/* While the state file cannot be used it is the same. */
static void
one_request_of_the_client_beside_the_file(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(0);
	struct map_want want = { .path = path, .layout = slot_layout() };
	struct map *other;
	uint64_t id;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	assert_int_equal(0, ledger_take(l, &t, 0, 1, 90, &id, &why));
	settle_at(l, 0, id, &bad);
	client_has(l, 0, 1, 0, 0, 1);
	other = map_open(&want, &t);
	assert_null(map_why(other));
	assert_int_equal(0, ledger_more(l, &t, 1, 1, 90, false, &id, &why));
	settle_at(l, 0, id, &good);
	assert_int_equal(0, ledger_more(l, &t, 0, 1, 10, false, &id, &why));
	settle_at(l, 0, id, &good);
	assert_non_null(ledger_health(l));
	map_close(other);
	ledger_tick(l, &t);
	assert_null(ledger_health(l));
	client_has(l, 0, 1, 0, 120, 1);
	ledger_close(l);
}

static void
counts_what_is_in_flight(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	uint64_t a, b;

	(void)state;
	world(&w);
	w.m[0].limits.max[CONFIG_CONCURRENCY] = 1;
	l = open_at(&w, 0);
	assert_int_equal(0, take(l, 0, 0, 1, &a, &why));
	assert_int_equal(-1, take(l, 10, 0, 1, &b, &why));
	assert_int_equal(QUOTA_CONCURRENCY, why.reason);
	assert_int_equal(T0 + 1010, why.until);
	settle_at(l, 20, a, &good);
	assert_int_equal(0, take(l, 30, 0, 1, &b, &why));
	ledger_close(l);
}

/* A process that dies with leases open, while we live. */
static void
ends_the_leases_of_the_dead(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(100);
	uint64_t id;
	pid_t pid;
	int i, st;

	(void)state;
	world(&w);
	w.m[0].limits.max[CONFIG_CONCURRENCY] = 3;
	l = open_at(&w, 0);
	if ((pid = fork()) == 0) {
		struct ledger *c = open_at(&w, 0);

		for (i = 0; i < 3; i++)
			take(c, 0, 0, 50, &id, &why);
		kill(getpid(), SIGKILL);
	}
	assert_true(pid > 0);
	waitpid(pid, &st, 0);
	/* found by the take that it would refuse */
	assert_int_equal(0, take(l, 100, 0, 1, &id, &why));
	assert_int_equal(3, (int)slot_head(&l->b.t)->abandoned);
	assert_int_equal(150, row(l, 100, LEDGER_K_LANE, 0, CONFIG_TPM,
	    false));
	ledger_tick(l, &t);
	sound(l, 100);
	ledger_close(l);
}

/* An owner that there cannot be is dead, and not the first of the living. */
static void
ends_the_leases_of_nobody(void **state)
{
	static const uint16_t owners[] = { MAP_WORKERS + 1, UINT16_MAX };
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(100);
	struct slot_lease *e;
	uint64_t id;
	size_t i;

	(void)state;
	world(&w);
	w.c.state = NULL;		/* in memory we are the first */
	l = open_at(&w, 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(0, take(l, 0, 0, 50, &id, &why));
		assert_int_equal(0, book_begin(&l->b, &t));
		e = slot_stage_lease(&l->b.t, 0);
		e->owner = owners[i];
		map_commit(l->b.t.map);
		book_end(&l->b);
		ledger_tick(l, &t);
		assert_int_equal(i + 1, slot_head(&l->b.t)->abandoned);
		assert_int_equal(0, row(l, 100, LEDGER_K_LANE, 0,
		    CONFIG_CONCURRENCY, false));
	}
	ledger_close(l);
}

static void
a_clean_end_settles_and_is_kept(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	uint64_t id;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	take(l, 0, 4, 70, &id, &why);
	ledger_close(l);
	l = open_at(&w, 1000);
	assert_int_equal(70, row(l, 1000, LEDGER_K_LANE, 4, CONFIG_TPD,
	    false));
	assert_int_equal(1, (int)slot_head(&l->b.t)->abandoned);
	sound(l, 1000);
	/* the lease of the former attachment means nothing now */
	settle_at(l, 1000, id, &good);
	sound(l, 1000);
	ledger_close(l);
}

/* Counters follow names through any change of the config. */
static void
config_may_change(void **state)
{
	struct world w, v;
	struct ledger *l, *m;
	struct quota_answer why;
	uint64_t id;
	struct config_lane t;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	take(l, 0, 4, 70, &id, &why);
	settle_at(l, 0, id, &unknown);
	take(l, 0, 0, 11, &id, &why);
	settle_at(l, 0, id, &unknown);
	world(&v);
	t = v.l[0];
	v.l[0] = v.l[4];
	v.l[4] = t;
	v.c.nlanes = 5;
	m = open_at(&v, 10);
	assert_int_equal(70, row(m, 10, LEDGER_K_LANE, 0, CONFIG_TPD, false));
	assert_int_equal(11, row(m, 10, LEDGER_K_LANE, 4, CONFIG_TPD, false));
	/* both at once on one file */
	take(m, 20, 0, 5, &id, &why);
	settle_at(m, 20, id, &unknown);
	assert_int_equal(75, row(l, 20, LEDGER_K_LANE, 4, CONFIG_TPD, false));
	ledger_close(m);
	ledger_close(l);
}

/* From 3 models to 400: the file grows under a process that has it mapped. */
static void
grows(void **state)
{
	struct world w;
	struct config big;
	struct config_model *m = calloc(400, sizeof(*m));
	struct config_lane *la = calloc(400, sizeof(*la));
	char (*ids)[16] = calloc(400, 16);
	struct ledger *l, *b;
	struct quota_answer why;
	struct stat st, now;
	uint64_t id, other;
	int i;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	assert_int_equal(0, take(l, 0, 0, 11, &id, &why));
	assert_int_equal(0, stat(path, &st));
	big = w.c;
	for (i = 0; i < 400; i++) {
		snprintf(ids[i], 16, "m%d", i);
		m[i] = (struct config_model){ .id = ids[i],
		    .limits = none() };
		la[i] = (struct config_lane){ 0, (uint16_t)i, 0 };
	}
	m[399].id = w.m[0].id;
	big.models = m;
	big.nmodels = 400;
	big.lanes = la;
	big.nlanes = 400;
	{
		struct text_time t = at(10);

		b = ledger_open(&big, &t);
	}
	assert_non_null(b);
	assert_null(ledger_health(b));
	assert_int_equal(0, stat(path, &now));
	assert_true(now.st_size > st.st_size);
	assert_int_equal(11, row(b, 10, LEDGER_K_LANE, 399, CONFIG_TPD,
	    true));
	assert_int_equal(0, take(b, 20, 398, 5, &other, &why));
	/* the small one sees the new size, settles its own lease and sweeps
	 * leases in slots that it did not know */
	settle_at(l, 30, id, &good);
	assert_int_equal(60, row(l, 30, LEDGER_K_LANE, 0, CONFIG_TPD, false));
	settle_at(b, 40, other, &good);
	sound(l, 40);
	ledger_close(l);
	/* a file that is made anew has what was counted, and such a size */
	assert_int_equal(0, unlink(path));
	{
		struct text_time t = at(50);

		ledger_tick(b, &t);
	}
	assert_null(ledger_health(b));
	assert_int_equal(60, row(b, 50, LEDGER_K_LANE, 399, CONFIG_TPD,
	    false));
	assert_int_equal(0, stat(path, &st));
	assert_int_equal(now.st_size, st.st_size);
	ledger_close(b);
	free(m);
	free(la);
	free(ids);
}

/* Two models of one name at the provider are one to it. */
static void
one_slot_for_one_name(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	uint64_t id;

	(void)state;
	world(&w);
	w.m[1].id = w.m[0].id;
	l = open_at(&w, 0);
	assert_int_equal(0, take(l, 0, 0, 11, &id, &why));
	assert_int_equal(11, row(l, 0, LEDGER_K_LANE, 2, CONFIG_TPM, true));
	sound(l, 0);
	ledger_close(l);
}

static void
turns_are_shared(void **state)
{
	struct world w;
	struct ledger *a, *b;

	(void)state;
	world(&w);
	a = open_at(&w, 0);
	b = open_at(&w, 0);
	assert_int_equal(0, ledger_turn(a, 0));
	assert_int_equal(1, ledger_turn(b, 0));
	assert_int_equal(2, ledger_turn(a, 0));
	assert_int_equal(0, ledger_turn(b, 1));
	ledger_close(a);
	assert_int_equal(3, ledger_turn(b, 0));
	ledger_close(b);
	a = open_at(&w, 0);
	assert_int_equal(4, ledger_turn(a, 0));
	ledger_close(a);
}

static void
bars_the_right_scope(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(0);
	uint64_t id;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	ledger_bar(l, &t, 0, LEDGER_LANE,
	    &(struct quota_ban){ QUOTA_RATE_MINUTE, T0 + 5000, false });
	assert_int_equal(-1, take(l, 0, 0, 1, &id, &why));
	assert_int_equal(QUOTA_RATE_MINUTE, why.reason);
	assert_int_equal(T0 + 5000, why.until);
	assert_int_equal(0, take(l, 0, 1, 1, &id, &why));
	assert_int_equal(0, take(l, 0, 2, 1, &id, &why));
	/* shorter: the longer stays; longer: it wins */
	ledger_bar(l, &t, 0, LEDGER_LANE,
	    &(struct quota_ban){ QUOTA_RATE_DAY, T0 + 2000, false });
	assert_int_equal(-1, take(l, 3000, 0, 1, &id, &why));
	assert_int_equal(0, take(l, 5000, 0, 1, &id, &why));
	ledger_bar(l, &t, 0, LEDGER_MODEL,
	    &(struct quota_ban){ QUOTA_MODEL_GONE, T0 + 60000, false });
	assert_int_equal(-1, take(l, 6000, 0, 1, &id, &why));
	assert_int_equal(-1, take(l, 6000, 1, 1, &id, &why));
	assert_int_equal(0, take(l, 6000, 2, 1, &id, &why));
	ledger_bar(l, &t, 2, LEDGER_KEY,
	    &(struct quota_ban){ QUOTA_BAD_KEY, T0 + 60000, false });
	assert_int_equal(-1, take(l, 6000, 2, 1, &id, &why));
	assert_int_equal(0, take(l, 6000, 3, 1, &id, &why));
	ledger_bar(l, &t, 3, LEDGER_ACCOUNT,
	    &(struct quota_ban){ QUOTA_NO_CREDIT, T0 + 70000, false });
	assert_int_equal(-1, take(l, 6000, 3, 1, &id, &why));
	assert_int_equal(QUOTA_NO_CREDIT, why.reason);
	assert_int_equal(0, take(l, 6000, 4, 1, &id, &why));
	ledger_close(l);
}

static void
probes_one_at_a_time(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(0);
	uint64_t id, other;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	ledger_bar(l, &t, 0, LEDGER_LANE,
	    &(struct quota_ban){ QUOTA_DOWN, T0 + 10000, false });
	assert_int_equal(0, take(l, 10000, 0, 1, &id, &why));
	assert_int_equal(-1, take(l, 10001, 0, 1, &other, &why));
	assert_int_equal(QUOTA_PROBE, why.reason);
	settle_at(l, 11000, id, &bad);
	assert_int_equal(-1, take(l, 30999, 0, 1, &other, &why));
	assert_int_equal(QUOTA_DOWN, why.reason);
	assert_int_equal(T0 + 31000, why.until);
	assert_int_equal(0, take(l, 31000, 0, 1, &id, &why));
	settle_at(l, 31000, id, &bad);
	assert_int_equal(-1, take(l, 70999, 0, 1, &other, &why));
	assert_int_equal(0, take(l, 71000, 0, 1, &id, &why));
	settle_at(l, 72000, id, &good);
	assert_int_equal(0, take(l, 72000, 0, 1, &id, &why));
	assert_int_equal(0, take(l, 72000, 0, 1, &id, &why));
	ledger_close(l);
}

/* A clock that was years ahead: what was concluded then ends when it is set,
 * also where nothing was taken at that time. A bar of a month is none of it. */
static void
bars_of_a_clock_that_was_wrong(void **state)
{
	static const struct quota_seen none_left = { CONFIG_TPD,
	    QUOTA_SRC_HEADER, 100, 0, T0 + 400 * DAY + HOUR };
	struct text_time t = at(0), ahead = at(400 * DAY);
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	uint64_t id;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	ledger_bar(l, &t, 4, LEDGER_LANE, &(struct quota_ban){
	    QUOTA_RATE_MONTH, T0 + 31 * DAY, false });
	ahead.mono = t.mono + 1000;
	assert_int_equal(0, ledger_take(l, &ahead, 0, 0, 1, &id, &why));
	ledger_settle(l, &ahead, id, &good);
	ledger_observe(l, &ahead, 0, LEDGER_LANE, &none_left, 1);
	ledger_bar(l, &ahead, 0, LEDGER_MODEL, &(struct quota_ban){
	    QUOTA_RATE_DAY, ahead.wall + DAY, false });
	t.mono += 2000;
	assert_int_equal(0, ledger_take(l, &t, 1, 0, 1, &id, &why));
	assert_int_equal(0, ledger_take(l, &t, 0, 0, 1, &id, &why));
	assert_int_equal(-1, ledger_take(l, &t, 4, 0, 1, &id, &why));
	assert_int_equal(QUOTA_RATE_MONTH, why.reason);
	assert_true(why.until == T0 + 31 * DAY);
	ledger_close(l);
}

/* A stream of minutes is no reason to refuse all others: the probe is over at
 * its first content, and what becomes of it then is a failure like any other,
 * for which nothing doubles. */
static void
a_probe_that_answers_is_over(void **state)
{
	static const struct quota_ban bans[] = {
		{ QUOTA_DOWN, T0 + 10000, false },	/* half open, at 10 s */
		{ QUOTA_TIMEOUT, T0 + 90000, true },	/* dared, at 10 s */
	};
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct ledger_counts c;
	struct quota_row rows[CONFIG_LIMITS];
	struct text_time t = at(0), now = at(10000);
	uint64_t id, other;
	size_t i;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	assert_int_equal(0, take(l, 0, 0, 1, &other, &why));
	assert_false(ledger_probes(other));
	for (i = 0; i < 2; i++) {
		ledger_bar(l, &t, i, LEDGER_LANE, &bans[i]);
		ledger_bar(l, &t, i, LEDGER_KEY, &bans[i]);
		assert_int_equal(0, ledger_dare(l, &now, i, LEDGER_NOBODY, 1,
		    &id, &why));
		assert_true(ledger_probes(id));
		assert_int_equal(-1, take(l, 10500, i, 1, &other, &why));
		/* of one that is none, or no more, nothing follows */
		now = at(11000);
		ledger_good(l, &now, 12345);
		assert_int_equal(-1, take(l, 11000, i, 1, &other, &why));
		ledger_good(l, &now, id);
		assert_int_equal(0, take(l, 11000, i, 1, &other, &why));
		assert_false(ledger_probes(other));
		sound(l, 11000);
		settle_at(l, 12000, id, &bad);
		assert_int_equal(0, take(l, 12000, i, 1, &other, &why));
		ledger_report(l, &now, LEDGER_K_LANE, i, &c, rows);
		assert_int_equal(1, c.failures);
		ledger_good(l, &now, id);
		now = at(10000);
	}
	/* the next one begins at 20 s */
	t = at(13000);
	ledger_bar(l, &t, 0, LEDGER_LANE,
	    &(struct quota_ban){ QUOTA_DOWN, T0 + 20000, false });
	assert_int_equal(0, take(l, 20000, 0, 1, &id, &why));
	settle_at(l, 20000, id, &bad);
	assert_int_equal(-1, take(l, 20000, 0, 1, &id, &why));
	assert_int_equal(T0 + 40000, why.until);
	ledger_close(l);
}

/* Its client left before anything came, or our memory was out: the next one
 * finds out. */
static void
learns_nothing(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(0);
	struct ledger_counts c;
	struct quota_row rows[CONFIG_LIMITS];
	uint64_t id, other;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	ledger_bar(l, &t, 0, LEDGER_LANE,
	    &(struct quota_ban){ QUOTA_DOWN, T0 + 10000, false });
	assert_int_equal(0, take(l, 10000, 0, 1, &id, &why));
	settle_at(l, 11000, id, &nothing);
	assert_int_equal(0, take(l, 11000, 0, 1, &id, &why));
	assert_int_equal(-1, take(l, 11000, 0, 1, &other, &why));
	assert_int_equal(QUOTA_PROBE, why.reason);
	t = at(11000);
	(void)ledger_report(l, &t, LEDGER_K_LANE, 0, &c, rows);
	assert_int_equal(0, c.failures);
	ledger_close(l);
}

static void
believes_the_provider(void **state)
{
	struct quota_seen seen[2] = {
	    { CONFIG_RPD, QUOTA_SRC_HEADER, 1000, 1, T0 + HOUR },
	    { CONFIG_TPM, QUOTA_SRC_HEADER, 50, -1, T0 + MINUTE } };
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(0);
	struct quota_row rows[CONFIG_LIMITS];
	struct ledger_counts c;
	uint64_t id;
	size_t n, i;

	(void)state;
	world(&w);
	w.m[0].limits.max[CONFIG_RPD] = 100;
	l = open_at(&w, 0);
	ledger_observe(l, &t, 0, LEDGER_LANE, seen, 2);
	n = ledger_report(l, &t, LEDGER_K_LANE, 0, &c, rows);
	assert_int_equal(2, n);
	for (i = 0; i < n; i++) {
		if (rows[i].limit == CONFIG_RPD) {
			assert_int_equal(100, rows[i].max);
			assert_int_equal(1, rows[i].remaining);
			assert_int_equal(QUOTA_SRC_CONFIG, rows[i].source);
		} else {
			assert_int_equal(50, rows[i].max);
			assert_int_equal(QUOTA_SRC_HEADER, rows[i].source);
		}
	}
	assert_int_equal(-1, take(l, 10, 0, 51, &id, &why));
	assert_int_equal(QUOTA_TPM, why.reason);
	assert_int_equal(T0 + MINUTE, why.until);
	assert_int_equal(0, take(l, 10, 0, 50, &id, &why));
	assert_int_equal(-1, take(l, 10, 0, 0, &id, &why));
	assert_int_equal(QUOTA_RPD, why.reason);
	assert_int_equal(T0 + HOUR, why.until);
	/* laxer words change nothing before the reset */
	seen[0].remaining = 500;
	ledger_observe(l, &t, 0, LEDGER_LANE, seen, 1);
	assert_int_equal(-1, take(l, 10, 0, 0, &id, &why));
	assert_int_equal(0, take(l, HOUR, 0, 51, &id, &why));
	ledger_close(l);
}

/* Five requests an hour, told as a limit that no name says to be of an hour:
 * all are had in each, not one for every hour after the first. */
static void
believes_what_is_left(void **state)
{
	struct quota_seen seen = { CONFIG_RPD, QUOTA_SRC_HEADER, 5, 0, 0 };
	struct quota_answer why;
	struct text_time t;
	struct ledger *l;
	struct world w;
	uint64_t id;
	int64_t hour;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	for (hour = 0; hour < 3; hour++) {
		seen.reset = T0 + (hour + 1) * HOUR;
		for (seen.remaining = 5; seen.remaining-- > 0; ) {
			t = at(hour * HOUR + 1000);
			assert_int_equal(0, take(l, hour * HOUR + 1000, 0, 1,
			    &id, &why));
			ledger_observe(l, &t, 0, LEDGER_LANE, &seen, 1);
		}
		assert_int_equal(-1, take(l, hour * HOUR + 1000, 0, 1, &id,
		    &why));
		assert_int_equal(seen.reset, why.until);
	}
	ledger_close(l);
}

static void
views_fold_all_scopes(void **state)
{
	const uint16_t lanes[] = { 0, 1, 4 };
	struct quota_view v[3];
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(0);
	uint64_t id;

	(void)state;
	world(&w);
	w.m[0].limits.max[CONFIG_RPD] = 10;
	w.p[0].key_limits.max[CONFIG_TPM] = 100;
	l = open_at(&w, 0);
	assert_int_equal(0, take(l, 0, 0, 80, &id, &why));
	ledger_view(l, &t, lanes, 3, 0, 30, v);
	assert_int_equal(QUOTA_TPM, v[0].answer.reason);
	assert_int_equal(QUOTA_OPEN, v[1].answer.reason);
	assert_int_equal(QUOTA_OPEN, v[2].answer.reason);
	assert_float_equal(0.8, v[0].pressure, 1e-9);
	assert_float_equal(0.0, v[1].pressure, 1e-9);
	assert_int_equal(1, v[0].requests);
	assert_int_equal(9, v[0].unused);
	assert_int_equal(T0 + DAY, v[0].resets);
	assert_int_equal(1, v[0].inflight);
	assert_int_equal(-1, v[2].unused);
	assert_true(v[2].resets == INT64_MAX);
	/* what the view says, the take does */
	assert_int_equal(-1, take(l, 0, 0, 30, &id, &why));
	assert_int_equal(v[0].answer.until, why.until);
	assert_int_equal(0, take(l, why.until - T0, 0, 30, &id, &why));
	ledger_close(l);
}

static void
learn(struct ledger *l, int64_t raw, int64_t real)
{
	struct ledger_end e = { .counted = true, .prompt = real,
	    .completion = 0, .first_ms = -1, .raw = raw };
	struct quota_answer why;
	uint64_t id;

	assert_int_equal(0, take(l, 0, 0, 1, &id, &why));
	settle_at(l, 0, id, &e);
}

static void
learns_the_estimate(void **state)
{
	struct world w;
	struct ledger *l;
	int i;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	/* (7 + 100) * 1.1 */
	assert_int_equal(118, ledger_estimate(l, 0, 100));
	for (i = 0; i < 60; i++) {
		learn(l, 10, 60);
		learn(l, 1000, 1250);
	}
	assert_in_range(ledger_estimate(l, 0, 10), 64, 68);
	assert_in_range(ledger_estimate(l, 0, 1000), 1374, 1377);
	assert_int_equal(118, ledger_estimate(l, 1, 100));
	for (i = 0; i < 60; i++)
		learn(l, 1000, 1000000);
	assert_in_range(ledger_estimate(l, 0, 1000), 2750, 2850);
	/* nothing to learn from */
	learn(l, -5, 10);
	learn(l, 0, 10);
	learn(l, 1000, -5);
	assert_in_range(ledger_estimate(l, 0, 1000), 2750, 2850);
	ledger_close(l);
}

static void
table_of_leases_full(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	uint64_t id;
	int i;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	for (i = 0; i < SLOT_LEASES; i++)
		assert_int_equal(0, take(l, 0, 0, 1, &id, &why));
	assert_int_equal(-1, take(l, 0, 4, 1, &id, &why));
	assert_int_equal(QUOTA_CONCURRENCY, why.reason);
	assert_int_equal(T0 + 1000, why.until);
	sound(l, 0);
	settle_at(l, 5, book_lease(&l->b, 77, 76), &good);
	assert_int_equal(0, take(l, 10, 4, 1, &id, &why));
	sound(l, 10);
	ledger_close(l);
}

/* A lease names the day in which it was taken, on every day: what it corrects
 * is that day's count. */
static void
corrects_its_own_day(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	uint64_t id, over;
	int day;

	(void)state;
	world(&w);
	w.m[0].limits.max[CONFIG_TPD] = 1000;
	l = open_at(&w, 0);
	for (day = 0; day < 18; day++) {
		assert_int_equal(0, take(l, day * DAY, 0, 500, &id, &why));
		settle_at(l, day * DAY + 10, id, &good);
		assert_int_equal(60, row(l, day * DAY + 10, LEDGER_K_LANE, 0,
		    CONFIG_TPD, false));
		assert_int_equal(0, take(l, (day + 1) * DAY - 10, 0, 500,
		    &over, &why));
		assert_int_equal(0, take(l, (day + 1) * DAY, 0, 30, &id,
		    &why));
		settle_at(l, (day + 1) * DAY, over, &good);
		assert_int_equal(30, row(l, (day + 1) * DAY, LEDGER_K_LANE, 0,
		    CONFIG_TPD, true));
		settle_at(l, (day + 1) * DAY, id, &nothing);
		assert_int_equal(0, row(l, (day + 1) * DAY, LEDGER_K_LANE, 0,
		    CONFIG_TPD, false));
	}
	sound(l, day * DAY);
	ledger_close(l);
}

/* The clock was set back by a month under a process that runs: what was used up
 * comes back with the end of the day that holds now. */
static void
clock_set_back(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time back = { T0, 2000000 };
	uint64_t id;

	(void)state;
	world(&w);
	w.m[0].limits.max[CONFIG_RPD] = 1;
	l = open_at(&w, 30 * DAY);
	assert_int_equal(0, take(l, 30 * DAY, 0, 10, &id, &why));
	back.mono += 30 * DAY;
	assert_int_equal(-1, ledger_take(l, &back, 0, LEDGER_NOBODY, 10, &id,
	    &why));
	assert_int_equal(QUOTA_RPD, why.reason);
	assert_true(why.until == T0 + DAY);
	ledger_close(l);
}

/* What only one half of is known is known; nothing is larger than a lease can
 * hold. */
static void
odd_sizes(void **state)
{
	static const struct ledger_end prompt = { .counted = true,
	    .prompt = 5, .completion = -1, .first_ms = -1 };
	static const struct ledger_end answer = { .counted = true,
	    .prompt = -1, .completion = 7, .first_ms = -1 };
	const int64_t most = UINT32_MAX;
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	uint64_t id;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	assert_int_equal(0, take(l, 0, 0, 500, &id, &why));
	settle_at(l, 0, id, &prompt);
	assert_int_equal(0, take(l, 0, 0, 500, &id, &why));
	settle_at(l, 0, id, &answer);
	assert_int_equal(12, row(l, 0, LEDGER_K_LANE, 0, CONFIG_TPD, false));
	assert_int_equal(-1, take(l, 0, 0, most + 1, &id, &why));
	assert_int_equal(QUOTA_TOO_LARGE, why.reason);
	assert_true(why.until == INT64_MAX);
	assert_int_equal(0, take(l, 0, 0, most, &id, &why));
	settle_at(l, 0, id, &good);
	assert_int_equal(72, row(l, 0, LEDGER_K_LANE, 0, CONFIG_TPD, false));
	ledger_close(l);
}

/* Of the first client, too, a second attempt is not a second request. */
static void
one_request_of_the_first(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct ledger_end second = good;
	struct ledger_totals sum;
	struct text_time t = at(0);
	uint64_t id;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	assert_int_equal(0, ledger_take(l, &t, 0, 0, 90, &id, &why));
	settle_at(l, 0, id, &bad);
	assert_int_equal(0, ledger_more(l, &t, 1, 0, 90, false, &id, &why));
	second.fallback = true;
	settle_at(l, 0, id, &second);
	assert_int_equal(1, row(l, 0, LEDGER_K_CLIENT, 0, CONFIG_RPD, false));
	assert_int_equal(60, row(l, 0, LEDGER_K_CLIENT, 0, CONFIG_TPD,
	    false));
	ledger_totals(l, &t, &sum);
	assert_int_equal(2, sum.settled);
	assert_int_equal(1, sum.fallbacks);
	ledger_close(l);
}

/* Each key has the limits of its own provider's keys. */
static void
limits_of_keys(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	size_t lane;
	uint64_t id;

	(void)state;
	world(&w);
	w.p[0].key_limits.max[CONFIG_RPM] = 2;
	w.p[1].key_limits.max[CONFIG_RPM] = 1;
	l = open_at(&w, 0);
	/* two lanes on each key of the first */
	for (lane = 0; lane < 5; lane++)
		assert_int_equal(0, take(l, 0, lane, 1, &id, &why));
	for (lane = 0; lane < 5; lane++) {
		assert_int_equal(-1, take(l, 0, lane, 1, &id, &why));
		assert_int_equal(QUOTA_RPM, why.reason);
	}
	ledger_close(l);
}

/* A name that is too long for its slot is cut there, and still its own. */
static void
long_names(void **state)
{
	char ids[2][QUOTA_NAME];
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(0);
	struct buf b;
	uint64_t id;
	int i;

	(void)state;
	world(&w);
	for (i = 0; i < 2; i++) {
		memset(ids[i], 'n', sizeof(ids[i]) - 2);
		ids[i][sizeof(ids[i]) - 2] = (char)('0' + i);
		ids[i][sizeof(ids[i]) - 1] = '\0';
		w.m[i].id = ids[i];
	}
	l = open_at(&w, 0);
	assert_int_equal(0, take(l, 0, 0, 11, &id, &why));
	assert_int_equal(0, take(l, 0, 2, 12, &id, &why));
	assert_int_equal(11, row(l, 0, LEDGER_K_LANE, 0, CONFIG_TPD, true));
	assert_int_equal(12, row(l, 0, LEDGER_K_LANE, 2, CONFIG_TPD, true));
	buf_init(&b, 1 << 18);
	assert_int_equal(0, ledger_dump(l, &t, &b));
	assert_non_null(strstr(buf_str(&b), "nnn\","));
	assert_null(strstr(buf_str(&b), "nnn0"));
	buf_release(&b);
	sound(l, 0);
	ledger_close(l);
}

/* The tables of the file do not lie on one another. */
static void
turns_beside_leases(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	uint64_t id[200];
	int i;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	for (i = 0; i < 200; i++) {
		assert_int_equal(i, ledger_turn(l, 1));
		assert_int_equal(0, take(l, 0, 0, 1, &id[i], &why));
	}
	assert_int_equal(0, ledger_turn(l, 0));
	assert_int_equal(200, ledger_turn(l, 1));
	for (i = 0; i < 200; i++)
		settle_at(l, 0, id[i], &unknown);
	assert_int_equal(200, row(l, 0, LEDGER_K_LANE, 0, CONFIG_RPD, false));
	sound(l, 0);
	ledger_close(l);
}

/* Wrong tokens are counted, over all processes. */
static void
counts_what_failed(void **state)
{
	struct text_time t = at(0);
	struct ledger *l, *other;
	struct world w;
	bool tell;
	int i;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	other = open_at(&w, 0);
	for (i = 0; i < 100 && ledger_failed(i % 2 ? l : other, &t, 7,
	    &tell) == 0; i++)
		;
	assert_in_range(i, 1, 20);
	assert_true(ledger_failed(l, &t, 7, &tell) > 0);
	assert_true(ledger_failed(other, &t, 7, &tell) > 0);
	assert_true(ledger_failed(other, &t, 8, &tell) == 0);
	ledger_close(other);
	ledger_close(l);
}

/* After it others may use the file. */
static void
lets_go(const struct world *w)
{
	struct quota_answer why;
	struct ledger *other = open_at(w, 50);
	uint64_t id;

	assert_int_equal(0, take(other, 50, 4, 10, &id, &why));
	assert_null(ledger_health(other));
	ledger_close(other);
}

static void
dumps_and_resets(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(50);
	struct buf b;
	uint64_t id, open;

	(void)state;
	world(&w);
	w.m[0].limits.max[CONFIG_RPD] = 2;
	l = open_at(&w, 0);
	assert_int_equal(0, take(l, 0, 0, 10, &id, &why));
	settle_at(l, 0, id, &good);
	assert_int_equal(0, take(l, 0, 0, 10, &open, &why));
	buf_init(&b, 1 << 18);
	assert_int_equal(0, ledger_dump(l, &t, &b));
	lets_go(&w);
	assert_non_null(strstr(buf_str(&b),
	    "\"name\":\"lane/groq/k-000000000000/big\""));
	assert_non_null(strstr(buf_str(&b), "\"name\":\"client/page\""));
	assert_non_null(strstr(buf_str(&b), "{\"window\":\"rpd\",\"used\":2,"
	    "\"max\":2,\"reset\":\"2026-11-22T00:00:00Z\"}"));
	buf_clear(&b);
	assert_int_equal(-1, ledger_reset(l, &t, "lane/nobody", &b));
	assert_int_equal(-1, take(l, 60, 0, 10, &id, &why));
	assert_int_equal(0, ledger_reset(l, &t,
	    "lane/groq/k-000000000000/big", &b));
	lets_go(&w);
	sound(l, 60);
	lets_go(&w);
	/* the open one still counts */
	assert_int_equal(0, take(l, 60, 0, 10, &id, &why));
	assert_int_equal(-1, take(l, 60, 0, 10, &id, &why));
	assert_int_equal(0, ledger_reset(l, &t, NULL, &b));
	settle_at(l, 70, open, &good);
	sound(l, 70);
	buf_release(&b);
	ledger_close(l);
}

static struct ledger_history
history_at(struct ledger *l, int64_t ms)
{
	struct text_time t = at(ms);
	struct ledger_history h;

	ledger_history(l, &t, &h);
	return h;
}

#define IS(s, ms, r, t, bads, other)					\
	do {								\
		assert_int_equal(T0 + (ms), (s).at);			\
		assert_int_equal(r, (s).requests);			\
		assert_int_equal(t, (s).tokens);			\
		assert_int_equal(bads, (s).failures);			\
		assert_int_equal(other, (s).fallbacks);			\
	} while (0)

/* 60 tokens for the bot at `ms`: a lease of four scopes. */
static void
one_good(struct ledger *l, int64_t ms)
{
	struct text_time t = at(ms);
	struct quota_answer why;
	uint64_t id;

	assert_int_equal(0, ledger_take(l, &t, 0, 0, 500, &id, &why));
	settle_at(l, ms, id, &good);
}

static void
history_by_hour_and_day(void **state)
{
	const struct ledger_end failed = { .failed = true, .fallback = true,
	    .prompt = -1, .completion = -1, .first_ms = -1 };
	struct ledger_end second = unknown;
	struct ledger_history h;
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	uint64_t id;
	int i;

	(void)state;
	world(&w);
	second.fallback = true;
	l = open_at(&w, 0);
	h = history_at(l, 0);
	for (i = 0; i < LEDGER_HOURS; i++)
		IS(h.hours[i], (i - 47) * HOUR, 0, 0, 0, 0);
	for (i = 0; i < LEDGER_DAYS; i++)
		IS(h.days[i], (i - 61) * DAY, 0, 0, 0, 0);
	one_good(l, 0);
	/* what failed and did not count used nothing */
	assert_int_equal(0, take(l, HOUR / 2, 0, 80, &id, &why));
	settle_at(l, HOUR / 2, id, &failed);
	settle_at(l, HOUR / 2, id, &failed);
	/* it counts where it ends */
	assert_int_equal(0, take(l, HOUR - 1, 4, 70, &id, &why));
	h = history_at(l, HOUR - 1);
	IS(h.hours[47], 0, 1, 60, 1, 0);
	settle_at(l, HOUR, id, &second);
	h = history_at(l, 2 * HOUR - 1);
	IS(h.hours[45], -HOUR, 0, 0, 0, 0);
	IS(h.hours[46], 0, 1, 60, 1, 0);
	IS(h.hours[47], HOUR, 1, 70, 0, 1);
	IS(h.days[60], -DAY, 0, 0, 0, 0);
	IS(h.days[61], 0, 2, 130, 1, 1);
	sound(l, 2 * HOUR);
	/* one that is left open ends at its estimate */
	assert_int_equal(0, take(l, 2 * HOUR, 4, 7, &id, &why));
	ledger_close(l);
	l = open_at(&w, 4 * HOUR);
	h = history_at(l, 4 * HOUR);
	IS(h.hours[43], 0, 1, 60, 1, 0);
	IS(h.hours[44], HOUR, 1, 70, 0, 1);
	IS(h.hours[45], 2 * HOUR, 1, 7, 0, 0);
	IS(h.hours[46], 3 * HOUR, 0, 0, 0, 0);
	IS(h.days[61], 0, 3, 137, 1, 1);
	/* the place of the first hour, a whole turn later */
	one_good(l, 48 * HOUR + 5);
	h = history_at(l, 48 * HOUR + 5);
	IS(h.hours[0], HOUR, 1, 70, 0, 1);
	IS(h.hours[47], 48 * HOUR, 1, 60, 0, 0);
	IS(h.days[59], 0, 3, 137, 1, 1);
	IS(h.days[60], DAY, 0, 0, 0, 0);
	IS(h.days[61], 2 * DAY, 1, 60, 0, 0);
	/* what is over is not the present, though it stands in its place */
	h = history_at(l, 49 * HOUR);
	IS(h.hours[46], 48 * HOUR, 1, 60, 0, 0);
	IS(h.hours[47], 49 * HOUR, 0, 0, 0, 0);
	/* and so for days */
	h = history_at(l, 62 * DAY);
	IS(h.days[1], 2 * DAY, 1, 60, 0, 0);
	IS(h.days[61], 62 * DAY, 0, 0, 0, 0);
	one_good(l, 62 * DAY);
	h = history_at(l, 62 * DAY);
	IS(h.days[61], 62 * DAY, 1, 60, 0, 0);
	sound(l, 62 * DAY);
	/* the clock set back two months: what is ahead is not shown */
	h = history_at(l, 3 * DAY);
	IS(h.days[60], 2 * DAY, 1, 60, 0, 0);
	IS(h.days[58], 0, 0, 0, 0, 0);
	one_good(l, 0);
	h = history_at(l, 0);
	IS(h.hours[47], 0, 1, 60, 0, 0);
	IS(h.days[61], 0, 1, 60, 0, 0);
	sound(l, 0);
	ledger_close(l);
}

/* Another boot: the mapping is not believed, and here it is wrong. */
static void
history_is_in_the_checkpoint(void **state)
{
	static const char zeros[SLOT_HISTORY_LEN];
	struct ledger_history h;
	struct world w;
	struct ledger *l;
	struct buf b;
	struct text_time t = at(3 * HOUR);
	uint64_t boot = 1;
	int fd;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	one_good(l, 0);
	one_good(l, HOUR);
	ledger_close(l);
	assert_int_equal(0, (fd = open(path, O_RDWR)) < 0);
	assert_int_equal(8, pwrite(fd, &boot, 8, IMAGE_LIVE));
	assert_int_equal(sizeof(zeros), pwrite(fd, zeros, sizeof(zeros),
	    IMAGE_DATA + SLOT_HISTORY_OFF));
	close(fd);
	l = open_at(&w, 3 * HOUR);
	assert_null(ledger_health(l));
	h = history_at(l, 3 * HOUR);
	IS(h.hours[44], 0, 1, 60, 0, 0);
	IS(h.hours[45], HOUR, 1, 60, 0, 0);
	IS(h.days[61], 0, 2, 120, 0, 0);
	sound(l, 3 * HOUR);
	buf_init(&b, 1 << 18);
	assert_int_equal(0, ledger_dump(l, &t, &b));
	assert_non_null(strstr(buf_str(&b), "\"days\":[{\"at\":"
	    "\"2026-11-21T00:00:00Z\",\"requests\":2,\"tokens\":120,"
	    "\"failures\":0,\"fallbacks\":0}]"));
	buf_release(&b);
	ledger_close(l);
}

static void
history_is_verified(void **state)
{
	const struct slot_cell cells[] = {
		{ .number = 49 },		/* is of place 1 */
		{ .number = -48 },
		{ .number = INT64_MAX },
		{ .number = 48, .tokens = (uint64_t)-1 },
	};
	struct text_time t = at(0);
	struct world w;
	struct ledger *l;
	struct buf b;
	size_t i;
	int fd;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	assert_int_equal(0, (fd = open(path, O_RDWR)) < 0);
	buf_init(&b, 1 << 18);
	for (i = 0; i < 4; i++) {
		assert_int_equal(sizeof(*cells), pwrite(fd, &cells[i],
		    sizeof(*cells), IMAGE_DATA + SLOT_HISTORY_OFF));
		buf_clear(&b);
		assert_int_equal(-1, ledger_verify(l, &t, &b));
		assert_non_null(strstr(buf_str(&b), "; 1 fault\n"));
		assert_non_null(strstr(buf_str(&b), i < 3 ? "in place 0" :
		    "hour 48 has a negative figure"));
		assert_int_equal(0, ledger_dump(l, &t, &b));
		history_at(l, 0);
	}
	/* the next use puts it in order */
	one_good(l, -(T0 / HOUR % 48) * HOUR);
	sound(l, 0);
	buf_release(&b);
	close(fd);
	ledger_close(l);
}

/* Each bit of the head and each byte of the tables flipped: nothing crashes,
 * nothing hangs, the service answers. */
static void
survives_damage(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(100);
	struct buf b;
	uint64_t id;
	unsigned seed = 7;
	int fd, i;
	unsigned char c;
	off_t size, where;

	(void)state;
	world(&w);
	w.m[0].limits.max[CONFIG_RPM] = 1000000;
	w.p[0].limits.max[CONFIG_TPD] = 1000000;
	l = open_at(&w, 0);
	take(l, 0, 0, 10, &id, &why);
	fd = open(path, O_RDWR);
	size = lseek(fd, 0, SEEK_END);
	buf_init(&b, 1 << 20);
	for (i = 0; i < 3000; i++) {
		seed = seed * 1103515245 + 12345;
		where = 512 + (off_t)((seed >> 4) % (unsigned)(i % 2 ?
		    size - 512 : 40000));
		assert_int_equal(1, pread(fd, &c, 1, where));
		c ^= (unsigned char)(1 << (i % 8));
		assert_int_equal(1, pwrite(fd, &c, 1, where));
		if (take(l, 100, i % 5, 10, &id, &why) == 0)
			settle_at(l, 100, id, &good);
		if (i % 64 == 0) {
			ledger_tick(l, &t);
			buf_clear(&b);
			ledger_verify(l, &t, &b);
			ledger_dump(l, &t, &b);
		}
	}
	buf_release(&b);
	close(fd);
	ledger_close(l);
}

/* A file that is one by its head, and whose tables cannot be: it is looked at as
 * that, and counts begin anew when it is opened. */
static void
damaged_tables(void **state)
{
	static const uint64_t sizes[] = { UINT64_MAX, 16000, 0 };
	const off_t where = IMAGE_DATA + offsetof(struct slot_head, nslots);
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(10);
	uint64_t id;
	size_t i;
	int fd;

	(void)state;
	world(&w);
	w.m[0].limits.max[CONFIG_RPD] = 1;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		l = open_at(&w, 0);
		assert_int_equal(0, take(l, 0, 0, 10, &id, &why));
		assert_int_equal(-1, take(l, 0, 0, 10, &id, &why));
		ledger_close(l);
		fd = open(path, O_WRONLY);
		assert_int_equal(8, pwrite(fd, &sizes[i], 8, where));
		close(fd);
		l = ledger_snapshot(&w.c, &t);
		assert_non_null(ledger_health(l));
		assert_non_null(strstr(ledger_health(l), "tables are damaged"));
		assert_int_equal(0, row(l, 10, LEDGER_K_LANE, 0, CONFIG_RPD,
		    false));
		ledger_close(l);
		l = open_at(&w, 10);
		assert_null(ledger_health(l));
		sound(l, 10);
		assert_int_equal(0, row(l, 10, LEDGER_K_LANE, 0, CONFIG_RPD,
		    true));
		ledger_close(l);
	}
}

static void
truncated_while_mapped(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(2000);
	uint64_t id;

	(void)state;
	world(&w);
	w.m[0].limits.max[CONFIG_RPD] = 3;
	l = open_at(&w, 0);
	assert_int_equal(0, take(l, 0, 0, 10, &id, &why));
	assert_int_equal(0, truncate(path, 4096));
	assert_int_equal(0, take(l, 10, 0, 10, &id, &why));
	assert_non_null(ledger_health(l));
	settle_at(l, 20, id, &good);
	ledger_tick(l, &t);
	assert_null(ledger_health(l));
	/* what was taken meanwhile is in the new file */
	assert_int_equal(1, row(l, 2000, LEDGER_K_LANE, 0, CONFIG_RPD,
	    false));
	sound(l, 2000);
	ledger_close(l);
}

/* No file any more, and no memory for what would take its place. Undone by
 * setrlimit(RLIMIT_AS, &all). */
static struct ledger *
open_without_memory(struct world *w, struct rlimit *all)
{
	struct rlimit none_left;
	struct ledger *l;
	unsigned long pages = 0;
	FILE *f;

	world(w);
	l = open_at(w, 0);
	assert_int_equal(0, truncate(path, 4096));
	assert_int_equal(-1, map_begin(l->b.t.map));
	assert_int_equal(0, getrlimit(RLIMIT_AS, all));
	f = fopen("/proc/self/statm", "r");
	assert_int_equal(1, fscanf(f, "%lu", &pages));
	fclose(f);
	/* Less than a ledger in memory takes; the sanitizers end the process
	 * where they have none at all. */
	none_left.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) +
	    (128 << 10);
	none_left.rlim_max = all->rlim_max;
	assert_int_equal(0, setrlimit(RLIMIT_AS, &none_left));
	return l;
}

static void
commands_say_why_without_memory(void **state)
{
	struct text_time t = at(0);
	struct rlimit all;
	struct ledger *l;
	struct world w;
	struct buf out;
	int r;

	(void)state;
	buf_init(&out, 4096);
	buf_puts(&out, "-");
	l = open_without_memory(&w, &all);
	r = ledger_dump(l, &t, &out) + ledger_verify(l, &t, &out) +
	    ledger_reset(l, &t, NULL, &out);
	assert_int_equal(0, setrlimit(RLIMIT_AS, &all));
	assert_int_equal(-3, r);
	assert_string_equal(buf_str(&out),
	    "-out of memory\nout of memory\nout of memory\n");
	buf_release(&out);
	ledger_close(l);
}

static void
views_say_something_without_memory(void **state)
{
	uint16_t lanes[] = { 0, 4 };
	struct quota_view v[2];
	struct text_time t = at(0);
	struct rlimit all;
	struct ledger *l;
	struct world w;
	int i;

	(void)state;
	memset(v, 0xff, sizeof(v));
	l = open_without_memory(&w, &all);
	ledger_view(l, &t, lanes, 2, 0, 1, v);
	assert_int_equal(0, setrlimit(RLIMIT_AS, &all));
	for (i = 0; i < 2; i++) {
		assert_int_equal(QUOTA_OPEN, v[i].answer.reason);
		assert_int_equal(0, v[i].inflight);
		assert_true(v[i].resets == INT64_MAX);
	}
	ledger_close(l);
}

static void
deleted_while_mapped(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(2000);
	struct stat st;
	uint64_t id;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	assert_int_equal(0, take(l, 0, 0, 10, &id, &why));
	assert_int_equal(0, unlink(path));
	ledger_tick(l, &t);
	assert_null(ledger_health(l));
	assert_int_equal(0, stat(path, &st));
	assert_int_equal(10, row(l, 2000, LEDGER_K_LANE, 0, CONFIG_TPD,
	    false));
	sound(l, 2000);
	ledger_close(l);
}

/* Another process holds the lock and does not let go. */
static void
lock_held_too_long(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(2000);
	struct map_want want = { .path = path, .layout = slot_layout() };
	struct ledger_history h;
	uint64_t before, during, more;
	struct map *other;

	(void)state;
	world(&w);
	w.m[0].limits.max[CONFIG_RPD] = 3;
	l = open_at(&w, 0);
	assert_int_equal(0, take(l, 0, 0, 10, &before, &why));
	other = map_open(&want, &t);
	assert_null(map_why(other));
	assert_int_equal(0, take(l, 10, 0, 10, &during, &why));
	assert_non_null(ledger_health(l));
	assert_int_equal(0, take(l, 10, 0, 10, &more, &why));
	assert_int_equal(-1, take(l, 10, 0, 10, &more, &why));
	settle_at(l, 20, before, &good);
	ledger_tick(l, &t);
	assert_non_null(ledger_health(l));
	map_close(other);
	ledger_tick(l, &t);
	assert_null(ledger_health(l));
	assert_int_equal(1, row(l, 2000, LEDGER_K_LANE, 0, CONFIG_RPD,
	    false));
	assert_int_equal(2, row(l, 2000, LEDGER_K_LANE, 0, CONFIG_RPD,
	    true));
	assert_int_equal(20, row(l, 2000, LEDGER_K_LANE, 0, CONFIG_TPD,
	    true));
	settle_at(l, 2000, during, &unknown);
	settle_at(l, 2000, more, &unknown);
	assert_int_equal(3, row(l, 2000, LEDGER_K_LANE, 0, CONFIG_RPD,
	    false));
	assert_int_equal(80, row(l, 2000, LEDGER_K_LANE, 0, CONFIG_TPD,
	    false));
	h = history_at(l, 2000);
	IS(h.hours[47], 0, 3, 80, 0, 0);
	IS(h.days[61], 0, 3, 80, 0, 0);
	assert_int_equal(0, row(l, 2000, LEDGER_K_LANE, 0,
	    CONFIG_CONCURRENCY, false));
	sound(l, 2000);
	ledger_close(l);
}

static void
memory_only(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(0);
	uint64_t id;

	(void)state;
	world(&w);
	w.c.state = "/nonexistent/dir/state";
	w.m[0].limits.max[CONFIG_RPD] = 1;
	l = open_at(&w, 0);
	assert_non_null(strstr(ledger_health(l), "No such file"));
	assert_int_equal(0, take(l, 0, 0, 1, &id, &why));
	assert_int_equal(-1, take(l, 0, 0, 1, &id, &why));
	/* a look for the file leaves open leases alone */
	ledger_tick(l, &t);
	assert_int_equal(1, row(l, 0, LEDGER_K_LANE, 0, CONFIG_CONCURRENCY,
	    false));
	settle_at(l, 0, id, &good);
	assert_int_equal(60, row(l, 0, LEDGER_K_LANE, 0, CONFIG_TPD, false));
	assert_int_equal(0, ledger_turn(l, 0));
	assert_int_equal(1, ledger_turn(l, 0));
	ledger_tick(l, &t);
	assert_int_equal(2, ledger_turn(l, 0));
	ledger_close(l);
	w.c.state = NULL;
	l = open_at(&w, 0);
	assert_non_null(ledger_health(l));
	ledger_close(l);
}

/* The lock is held for too long by others who are only many; a process that
 * ends at once has no tick to come back in. */
static void
a_short_life_beside_a_stuck_lock(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct map_want want = { .path = path, .layout = slot_layout() };
	struct text_time t = at(0);
	uint64_t before, in, after;
	struct map *other;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	assert_int_equal(0, take(l, 0, 0, 10, &before, &why));
	other = map_open(&want, &t);
	assert_null(map_why(other));
	assert_int_equal(0, take(l, 0, 0, 10, &in, &why));
	assert_non_null(ledger_health(l));
	settle_at(l, 0, before, &good);
	settle_at(l, 0, in, &good);
	assert_int_equal(0, take(l, 0, 0, 10, &after, &why));
	map_close(other);
	ledger_close(l);
	l = open_at(&w, 0);
	assert_int_equal(3, row(l, 0, LEDGER_K_LANE, 0, CONFIG_RPD, false));
	sound(l, 0);
	ledger_close(l);
}

/* More processes than there are numbers: the last one counts in memory until
 * a number is free. */
static void
no_number_left(void **state)
{
	struct world w;
	struct ledger *l;
	struct quota_answer why;
	struct text_time t = at(10);
	struct flock f = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
	    .l_start = ((off_t)1 << 40) + 16, .l_len = MAP_WORKERS };
	uint64_t id;
	int fd;

	(void)state;
	world(&w);
	ledger_close(open_at(&w, 0));
	fd = open(path, O_RDWR);
	assert_int_equal(0, fcntl(fd, F_OFD_SETLK, &f));
	l = open_at(&w, 0);
	assert_non_null(strstr(ledger_health(l), "more processes"));
	assert_true(ledger_crowded(l));
	assert_int_equal(0, take(l, 0, 0, 10, &id, &why));
	ledger_tick(l, &t);
	assert_non_null(ledger_health(l));
	assert_true(ledger_crowded(l));
	settle_at(l, 0, id, &good);
	assert_int_equal(60, row(l, 0, LEDGER_K_LANE, 0, CONFIG_TPD, false));
	close(fd);
	ledger_tick(l, &t);
	assert_null(ledger_health(l));
	assert_false(ledger_crowded(l));
	assert_int_equal(1, row(l, 10, LEDGER_K_LANE, 0, CONFIG_RPD, false));
	sound(l, 10);
	ledger_close(l);
}

/* The bytes of the state file, as a number. */
static uint64_t
bytes_of(const char *name)
{
	uint64_t h = TEXT_HASH;
	char piece[4096];
	ssize_t n;
	int fd = open(name, O_RDONLY);

	assert_true(fd >= 0);
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		h = text_hash(h, piece, (size_t)n);
	close(fd);
	return h;
}

static void
a_snapshot_sees_and_changes_nothing(void **state)
{
	struct world w;
	struct ledger *l, *s;
	struct text_time t = at(5000);
	struct quota_answer why;
	struct ledger_totals sum;
	struct ledger_run run[4];
	uint64_t id, left, was;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	assert_int_equal(0, take(l, 1000, 1, 500, &id, &why));
	settle_at(l, 1500, id, &good);
	t = at(2000);
	assert_int_equal(0, ledger_take(l, &t, 4, 1, 70, &left, &why));
	was = bytes_of(path);
	t = at(5000);
	s = ledger_snapshot(&w.c, &t);
	assert_null(ledger_health(s));
	assert_int_equal(60, row(s, 5000, LEDGER_K_LANE, 1, CONFIG_TPM, false));
	assert_int_equal(70, row(s, 5000, LEDGER_K_CLIENT, 1, CONFIG_TPM,
	    true));
	ledger_totals(s, &t, &sum);
	assert_int_equal(2, sum.taken);
	assert_int_equal(1, sum.settled);
	assert_int_equal(0, sum.waiting);
	assert_int_equal(1, ledger_running(s, &t, run, 4));
	assert_int_equal(4, run[0].lane);
	assert_int_equal(1, run[0].client);
	assert_int_equal(getpid(), run[0].pid);
	assert_true(run[0].alive);
	assert_int_equal(T0 + 2000, run[0].since);
	assert_int_equal(70, run[0].tokens);
	/* How many there are, when there is no room for them. */
	assert_int_equal(1, ledger_running(s, &t, NULL, 0));
	/* What is done to it stays in it. */
	assert_int_equal(0, take(s, 5000, 0, 10, &id, &why));
	ledger_close(s);
	assert_int_equal(was, bytes_of(path));
	settle_at(l, 6000, left, &good);
	sound(l, 6000);
	ledger_close(l);
	/* Nobody is there, and there is a checkpoint. */
	was = bytes_of(path);
	s = ledger_snapshot(&w.c, &t);
	ledger_totals(s, &t, &sum);
	assert_int_equal(2, sum.settled);
	assert_int_equal(0, ledger_running(s, &t, run, 4));
	ledger_close(s);
	assert_int_equal(was, bytes_of(path));
}

static void
a_snapshot_of_a_cut_change(void **state)
{
	struct world w;
	struct ledger *l, *s;
	struct text_time t = at(2000);
	struct quota_answer why;
	struct image_live live;
	uint64_t id, was;
	int fd;

	(void)state;
	world(&w);
	l = open_at(&w, 0);
	assert_int_equal(0, take(l, 1000, 0, 500, &id, &why));
	/* As if the process had been killed while it applied its record. */
	fd = open(path, O_RDWR);
	assert_int_equal(sizeof(live), pread(fd, &live, sizeof(live),
	    IMAGE_LIVE));
	live.mark = live.seq;
	assert_int_equal(8, pwrite(fd, (void *)&live.mark, 8, IMAGE_LIVE +
	    offsetof(struct image_live, mark)));
	was = bytes_of(path);
	s = ledger_snapshot(&w.c, &t);
	assert_null(ledger_health(s));
	assert_int_equal(500, row(s, 2000, LEDGER_K_LANE, 0, CONFIG_TPM, true));
	ledger_close(s);
	assert_int_equal(was, bytes_of(path));
	close(fd);
	ledger_close(l);
}

static void
a_snapshot_of_no_state_file(void **state)
{
	static const struct {
		const char *bytes, *why;
		size_t	 len;
	} files[] = {
		{ NULL, "No such file", 0 },
		{ "", "not a state file", 0 },
		{ "relevoST", "not a state file", 65536 },
		{ "elsewhat", "not a state file", 65536 },
	};
	struct world w;
	struct ledger *s;
	struct text_time t = at(0);
	struct ledger_run run;
	uint64_t was = 0;
	size_t i;
	FILE *f;

	(void)state;
	world(&w);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (files[i].bytes != NULL) {
			f = fopen(path, "w");
			fputs(files[i].bytes, f);
			fclose(f);
			assert_int_equal(0, truncate(path,
			    (off_t)files[i].len));
			was = bytes_of(path);
		}
		s = ledger_snapshot(&w.c, &t);
		assert_non_null(ledger_health(s));
		if (i != 2)	/* a right beginning, a wrong sum */
			assert_non_null(strstr(ledger_health(s),
			    files[i].why));
		assert_int_equal(0, ledger_running(s, &t, &run, 1));
		assert_int_equal(0, row(s, 0, LEDGER_K_LANE, 0, CONFIG_RPD,
		    false));
		ledger_close(s);
		if (files[i].bytes == NULL)
			assert_int_equal(-1, access(path, F_OK));
		else
			assert_int_equal(was, bytes_of(path));
	}
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(takes_and_settles), T(all_scopes_or_none),
		T(gives_back_what_does_not_count),
		T(one_request_of_the_client),
		T(one_request_of_the_client_beside_the_file),
		T(counts_what_is_in_flight), T(ends_the_leases_of_the_dead),
		T(ends_the_leases_of_nobody),
		T(a_clean_end_settles_and_is_kept), T(config_may_change),
		T(grows), T(one_slot_for_one_name), T(turns_are_shared),
		T(bars_the_right_scope), T(bars_of_a_clock_that_was_wrong),
		T(probes_one_at_a_time), T(a_probe_that_answers_is_over),
		T(learns_nothing),
		T(believes_the_provider),
		T(believes_what_is_left),
		T(views_fold_all_scopes), T(learns_the_estimate),
		T(table_of_leases_full), T(corrects_its_own_day),
		T(clock_set_back), T(odd_sizes), T(one_request_of_the_first),
		T(counts_what_failed), T(dumps_and_resets),
		T(limits_of_keys), T(long_names), T(turns_beside_leases),
		T(a_short_life_beside_a_stuck_lock),
		T(history_by_hour_and_day), T(history_is_in_the_checkpoint),
		T(history_is_verified),
		T(survives_damage), T(damaged_tables), T(truncated_while_mapped),
		T(views_say_something_without_memory),
		T(commands_say_why_without_memory),
		T(deleted_while_mapped), T(lock_held_too_long),
		T(memory_only), T(no_number_left),
		T(a_snapshot_sees_and_changes_nothing),
		T(a_snapshot_of_a_cut_change), T(a_snapshot_of_no_state_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
