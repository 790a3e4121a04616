#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/explain.c"
#include "loaded.h"

#define T0	1795219200000LL		/* 2026-11-21T00:00:00Z */
#define STATES	3000

static uint64_t seed = 88172645463325252ULL;

static uint64_t
any(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

struct world {
	struct loaded	 at;
	char		 dir[32];	/* of the state file */
	struct ledger	*l;
	struct text_time now;
};

static const char text[] =
    "route { strategy = round-robin max-wait = 5s }\n"
    "route a { strategy = random }\n"
    "route b { strategy = least-used }\n"
    "route c { strategy = weighted }\n"
    "route d { strategy = fastest sticky = yes }\n"
    "route e { strategy = headroom attempts = 1 }\n"
    "provider p { url = https://p.example/v1 key = \"k1,k2\" rpm = 9 }\n"
    "provider q { url = https://q.example/v1 key = \"k3,k4,k5\""
    "  key-rpd = 60 }\n"
    "provider s { url = https://s.example/v1 key = k6 day-resets = rolling }\n"
    "model p/m1 { rpm = 3 rpd = 40 tpm = 6000 weight = 3 }\n"
    "model p/m2 { rpm = 5 tpd = 90000 context = 8000 can = {tools} }\n"
    "model q/m3 { concurrency = 2 tier = 1 can = {tools, vision} }\n"
    "model q/m4 { rpm = 2 weight = 7 output = 256 }\n"
    "model s/m5 { rph = 30 tpm = 4000 can = {json} }\n"
    "alias a { models = {\"*\"} route = a }\n"
    "alias b { models = {\"*\"} route = b }\n"
    "alias c { models = {\"p/*\", \"s/*\"} route = c }\n"
    "alias d { models = {\"*\"} route = d }\n"
    "alias e { models = {\"q/*\", \"p/*\"} route = e }\n"
    "client bot { token = \"blake2b:"
    "00000000000000000000000000000000000000000000000000000000000000aa\"\n"
    "  rpm = 30 models = {\"p/*\", \"q/*\"} }\n";

static void
world(struct world *w)
{
	char all[4096];

	strcpy(w->dir, "/tmp/t_explainXXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(all, sizeof(all), "server { state = \"%s/s\" access = open }"
	    "\n%s", w->dir, text);
	loaded_text(&w->at, all);
	if (w->at.c == NULL)
		fail_msg("%s", buf_str(&w->at.errors));
	w->now = (struct text_time){ T0, 1000000 };
	w->l = ledger_open(w->at.c, &w->now);
	assert_non_null(w->l);
	assert_null(ledger_health(w->l));
}

static void
world_end(struct world *w)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", w->dir);
	ledger_close(w->l);
	loaded_free(&w->at);
	assert_int_equal(system(cmd), 0);
}

static void
any_chat(struct chat *c, const char *model)
{
	static const unsigned needs[] = { 0, 0, 0, CONFIG_CAN_TOOLS,
	    CONFIG_CAN_VISION };

	explain_plain(c, model, (int64_t)any(any(4) == 0 ? 9000 : 400));
	c->needs = needs[any(5)];
	c->output = any(3) == 0 ? -1 : (int64_t)any(3000);
	c->thread = any(3);
}

static void
teach(struct world *w, size_t lane, int64_t real)
{
	struct ledger_end end = { .counted = true, .prompt = real,
	    .first_ms = -1, .raw = 100 };
	struct quota_answer why;
	uint64_t lease;

	if (ledger_take(w->l, &w->now, lane, LEDGER_NOBODY, real, &lease,
	    &why) == 0)
		ledger_settle(w->l, &w->now, lease, &end);
}

/* Something happens in the world: a bar, an observation, time. */
static void
happen(struct world *w)
{
	size_t lane = any(w->at.c->nlanes);
	struct quota_seen seen = { CONFIG_RPM, QUOTA_SRC_HEADER, 5,
	    (int64_t)any(5), w->now.wall + (int64_t)any(60000) };
	struct quota_ban ban;

	switch (any(6)) {
	case 0:
		ban = (struct quota_ban){ (enum quota_reason)
		    (QUOTA_RATE_MINUTE + any(10)), w->now.wall + 1 +
		    (int64_t)any(20000), false };
		if (any(2) == 0) {
			ban.reason = QUOTA_CAPACITY + (unsigned)any(3);
			ban.guess = true;
		}
		ledger_bar(w->l, &w->now, lane, (enum ledger_scope)any(4),
		    &ban);
		break;
	case 1:
		ledger_observe(w->l, &w->now, lane, LEDGER_LANE, &seen, 1);
		break;
	case 2:
		teach(w, lane, 50 + (int64_t)any(200));
		break;
	default:
		break;
	}
	w->now.wall += (int64_t)any(900);
	w->now.mono = 1000000 + w->now.wall - T0;
}

static bool though_barred;		/* the last answer_of */

static char *
answer_of(const struct explain *e)
{
	struct json_tree *t;
	struct buf out;
	const char *s;
	char *name;

	buf_init(&out, 1 << 20);
	assert_int_equal(explain_json(e, &out), 0);
	t = json_parse(out.data, out.len);
	assert_non_null(t);
	s = json_string(json_at(t, "answer.model"));
	name = s != NULL ? strdup(s) : NULL;
	though_barred = json_string(json_at(t, "answer.thoughBarred")) != NULL;
	/* The first of the order is the answer. */
	if (s != NULL)
		assert_string_equal(s, json_string(json_at(t,
		    "order.0.model")));
	json_free(t);
	buf_release(&out);
	return name;
}

/* The real request. */
static char *
ask(struct world *w, const struct explain *e, uint64_t *lease)
{
	struct seek s;
	size_t lane;
	char *name = NULL;

	assert_int_equal(seek_init(&s, e->cfg, e->ledger, e->alias, e->chat,
	    e->client), 0);
	s.patience = e->now->mono + s.route->max_wait_ms;
	seek_order(&s, e->now, e->chance);
	*lease = 0;
	if (seek_next(&s, e->now, &lane, lease) == 0 ||
	    (seek_wait(&s, e->now) < 0 &&
	    seek_dare(&s, e->now, &lane, lease) == 0))
		name = strdup(w->at.c->models[w->at.c->lanes[lane].model].name);
	seek_release(&s);
	return name;
}

/* On a ledger that stands still the dry run names the model that the request
 * then gets, whatever happened before. */
static void
foretold(void **state)
{
	static const char *const models[] = { "", "a", "b", "c", "d", "e",
	    "p/m1", "q/m3" };
	struct ledger_end end = { .counted = true, .prompt = 50,
	    .completion = 30 };
	uint64_t open[64] = { 0 };
	int i, served = 0, refused = 0, dared = 0;
	struct world w;

	(void)state;
	world(&w);
	for (i = 0; i < STATES; i++) {
		uint64_t *lease = &open[any(64)];
		struct explain e = { w.at.c, w.l, NULL, NULL,
		    any(3) == 0 ? 0 : LEDGER_NOBODY, &w.now, any(UINT64_MAX) };
		struct chat chat;
		char *told, *told2, *got;

		any_chat(&chat, models[any(8)]);
		e.alias = config_find(w.at.c, chat.model);
		assert_non_null(e.alias);
		e.chat = &chat;
		end.failed = any(5) == 0;
		end.first_ms = (int64_t)any(3000);
		if (*lease != 0)
			ledger_settle(w.l, &w.now, *lease, &end);
		told = answer_of(&e);
		dared += though_barred;
		told2 = answer_of(&e);	/* it changed nothing */
		got = ask(&w, &e, lease);
		if (told == NULL || got == NULL) {
			assert_ptr_equal(told, got);
			assert_ptr_equal(told2, got);
			refused++;
		} else {
			assert_string_equal(told, got);
			assert_string_equal(told2, got);
			served++;
		}
		free(told);
		free(told2);
		free(got);
		happen(&w);
	}
	/* The test is about both. */
	assert_true(served > STATES / 10);
	assert_true(refused > STATES / 20);
	assert_true(dared > STATES / 200);
	world_end(&w);
}

static struct explain
plain(struct world *w, const char *model, size_t client, int64_t tokens,
    struct chat *chat)
{
	explain_plain(chat, model, tokens);
	return (struct explain){ w->at.c, w->l, config_find(w->at.c, model),
	    chat, client, &w->now, 7 };
}

static struct json_tree *
tree(struct world *w, const char *model, size_t client, int64_t tokens)
{
	struct chat chat;
	struct explain e = plain(w, model, client, tokens, &chat);
	struct json_tree *t;
	struct buf out;

	buf_init(&out, 1 << 20);
	assert_int_equal(explain_json(&e, &out), 0);
	t = json_parse(out.data, out.len);
	assert_non_null(t);
	buf_release(&out);
	return t;
}

static void
says(struct json_tree *t, const char *path, const char *want)
{
	const char *s = json_string(json_at(t, path));

	if (want == NULL) {
		assert_int_equal(json_kind(json_at(t, path)), JSON_NULL);
		return;
	}
	assert_non_null(s);
	assert_string_equal(s, want);
}

static double
number(struct json_tree *t, const char *path)
{
	double v;

	assert_int_equal(json_number(json_at(t, path), &v), 0);
	return v;
}

static void
reasons(void **state)
{
	struct quota_answer why;
	struct json_tree *t;
	struct world w;
	uint64_t lease;
	size_t i;

	(void)state;
	world(&w);
	/* m1 on k1 for three times, barred on k2 for an hour */
	for (i = 0; i < 3; i++)
		assert_int_equal(ledger_take(w.l, &w.now, 0, LEDGER_NOBODY,
		    10, &lease, &why), 0);
	ledger_bar(w.l, &w.now, 1, LEDGER_LANE,
	    &(struct quota_ban){ QUOTA_RATE_DAY, w.now.wall + 3600000, false });
	t = tree(&w, "p/m1", LEDGER_NOBODY, 0);
	says(t, "order.0.reason", "rpm");
	says(t, "order.0.windows.0.scope", "model");
	says(t, "order.0.windows.0.window", "rpm");
	assert_true(number(t, "order.0.windows.0.reserved") == 3);
	assert_true(number(t, "order.0.windows.0.remaining") == 0);
	assert_true(number(t, "order.0.inMs") > 59000);
	assert_true(number(t, "order.0.inMs") <= 61000);
	assert_true(number(t, "order.0.inFlight") == 3);
	says(t, "order.1.reason", "rate_day");
	says(t, "order.1.until", "2026-11-21T01:00:00Z");
	says(t, "answer", NULL);
	/* a minute is longer than max-wait */
	says(t, "waitMs", NULL);
	says(t, "refusal.code", "rate_limit_exceeded");
	assert_true(number(t, "refusal.status") == 429);
	assert_true(number(t, "refusal.retryAfterMs") ==
	    number(t, "order.0.inMs"));
	json_free(t);
	/* 56 s later it would wait */
	w.now.wall += 56000;
	w.now.mono += 56000;
	t = tree(&w, "p/m1", LEDGER_NOBODY, 0);
	assert_true(number(t, "waitMs") > 3000);
	assert_true(number(t, "waitMs") <= 5000);
	says(t, "refusal", NULL);
	json_free(t);
	/* only the day's reset helps */
	ledger_bar(w.l, &w.now, 0, LEDGER_LANE,
	    &(struct quota_ban){ QUOTA_RATE_DAY, w.now.wall + 7200000, false });
	t = tree(&w, "p/m1", LEDGER_NOBODY, 0);
	says(t, "refusal.code", "insufficient_quota");
	json_free(t);
	world_end(&w);
}

/* Nothing is open, and the bar is our own guess. */
static void
tried_though_barred(void **state)
{
	struct json_tree *t;
	struct world w;
	struct buf out;
	struct chat chat;
	struct explain e;

	(void)state;
	world(&w);
	t = tree(&w, "s/m5", LEDGER_NOBODY, 0);
	says(t, "answer.thoughBarred", NULL);
	json_free(t);
	ledger_bar(w.l, &w.now, 10, LEDGER_LANE, &(struct quota_ban){
	    QUOTA_TIMEOUT, w.now.wall + 9000, true });
	t = tree(&w, "s/m5", LEDGER_NOBODY, 0);
	says(t, "answer.model", "s/m5");
	says(t, "answer.thoughBarred", "timeout");
	says(t, "order.0.reason", "timeout");
	assert_true(number(t, "order.0.inMs") == 9000);
	assert_true(number(t, "waitMs") == 0);
	says(t, "refusal", NULL);
	json_free(t);
	e = plain(&w, "s/m5", LEDGER_NOBODY, 5, &chat);
	buf_init(&out, 65536);
	assert_int_equal(explain_text(&e, &out), 0);
	assert_non_null(strstr(buf_str(&out), ", 1 lane\n"));
	assert_non_null(strstr(buf_str(&out),
	    "s/m5 is tried though barred: nothing else is open\n"));
	assert_null(strstr(buf_str(&out), "refused"));
	buf_release(&out);
	world_end(&w);
}

static void
whose_limit(void **state)
{
	struct ledger_end used = { .counted = true, .prompt = 1,
	    .completion = 1, .first_ms = -1 };
	struct quota_answer why;
	struct json_tree *t;
	struct world w;
	uint64_t lease;
	size_t i;

	(void)state;
	world(&w);
	/* A client does not see what it may not use. */
	t = tree(&w, "", 0, 0);
	assert_int_equal(json_count(json_at(t, "order")), 10);
	json_free(t);
	t = tree(&w, "", LEDGER_NOBODY, 0);
	assert_int_equal(json_count(json_at(t, "order")), 11);
	json_free(t);
	/* Its own limit shuts all of them, with the figures. */
	for (i = 0; i < 30; i++) {
		assert_int_equal(ledger_take(w.l, &w.now, 4 + i % 3, 0, 1,
		    &lease, &why), 0);
		ledger_settle(w.l, &w.now, lease, &used);
	}
	t = tree(&w, "q/m3", 0, 0);
	says(t, "answer", NULL);
	says(t, "order.0.reason", "rpm");
	json_free(t);
	t = tree(&w, "q/m3", LEDGER_NOBODY, 0);
	says(t, "answer.model", "q/m3");
	json_free(t);
	world_end(&w);
}

static void
unfit_ones(void **state)
{
	struct json_tree *t;
	struct world w;
	struct buf out;
	struct chat chat;
	struct explain e;

	(void)state;
	world(&w);
	t = tree(&w, "p/m2", LEDGER_NOBODY, 9000);
	says(t, "order.0.reason", "context");
	says(t, "order.0.inMs", NULL);
	says(t, "refusal.code", "context_length_exceeded");
	json_free(t);
	e = plain(&w, "p/m1", LEDGER_NOBODY, 5, &chat);
	chat.needs = CONFIG_CAN_VISION;
	buf_init(&out, 65536);
	assert_int_equal(explain_text(&e, &out), 0);
	assert_non_null(strstr(buf_str(&out), "cannot"));
	assert_non_null(strstr(buf_str(&out), "it would be refused: 400"));
	buf_release(&out);
	/* no room for it is told, not cut */
	buf_init(&out, 100);
	assert_int_equal(explain_json(&e, &out), -1);
	buf_release(&out);
	world_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foretold),
		cmocka_unit_test(reasons),
		cmocka_unit_test(tried_though_barred),
		cmocka_unit_test(whose_limit),
		cmocka_unit_test(unfit_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
