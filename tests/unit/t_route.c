#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/route.c"

#include <stdio.h>
#include <stdlib.h>

#define MODELS	64

/* A configuration of `models` models with `keys` keys each, one alias. */
struct world {
	struct config	 c;
	struct config_model models[MODELS];
	char		 names[MODELS][48];
	struct config_lane lanes[2 * ROUTE_LANES];
	uint16_t	 list[2 * ROUTE_LANES];
	struct config_alias alias;
	struct config_route route;
	struct quota_view views[2 * ROUTE_LANES];
	struct route_pick picks[2 * ROUTE_LANES];
	struct route_ask ask;
};

static struct world w;

static void
world(size_t models, size_t keys, enum config_strategy strategy)
{
	size_t i, k, n = 0;

	memset(&w, 0, sizeof(w));
	for (i = 0; i < models; i++) {
		snprintf(w.names[i], sizeof(w.names[i]), "p%zu/m%zu", i % 3,
		    i);
		w.models[i].name = w.names[i];
		w.models[i].weight = 1;
		for (k = 0; k < keys; k++, n++) {
			w.lanes[n].model = (uint16_t)i;
			w.lanes[n].key = (uint16_t)k;
			w.list[n] = (uint16_t)n;
			w.views[n].resets = INT64_MAX;
			w.views[n].unused = -1;
		}
	}
	w.route.strategy = strategy;
	w.alias.lanes = w.list;
	w.alias.nlanes = n;
	w.c.models = w.models;
	w.c.lanes = w.lanes;
	w.c.routes = &w.route;
	w.ask.alias = &w.alias;
}

/* The models' numbers in their order, open ones first, then a '|'. What must
 * hold of every order is checked: each lane once, the open part open, and all
 * of it, the rest with a reason, soonest first. */
static const char *
order_of(const struct quota_view *views)
{
	static char out[32 * ROUTE_LANES];
	static bool met[2 * ROUTE_LANES];
	size_t i, open, at = 0;

	memset(met, 0, sizeof(met));
	memset(w.picks, 0xff, sizeof(w.picks));
	open = route_order(&w.c, &w.ask, views, w.picks);
	assert_true(open <= w.alias.nlanes);
	out[0] = '\0';
	for (i = 0; i < w.alias.nlanes; i++) {
		assert_true(w.picks[i].lane < w.alias.nlanes);
		assert_false(met[w.picks[i].lane]);
		met[w.picks[i].lane] = true;
		assert_true((w.picks[i].answer.reason == QUOTA_OPEN) ==
		    (i < open));
		if (i < open && views != NULL)
			assert_int_equal(views[w.picks[i].lane].answer.reason,
			    QUOTA_OPEN);
		if (i > open)
			assert_true(w.picks[i - 1].answer.until <=
			    w.picks[i].answer.until);
		at += (size_t)snprintf(out + at, sizeof(out) - at, "%s%d.%d",
		    i == open ? "| " : i > 0 ? " " : "",
		    w.lanes[w.picks[i].lane].model,
		    w.lanes[w.picks[i].lane].key);
	}
	return out;
}

static int
first_of(const struct quota_view *views)
{
	order_of(views);
	assert_int_equal(w.picks[0].answer.reason, QUOTA_OPEN);
	return w.lanes[w.picks[0].lane].model;
}

/* ---- round-robin ---- */

static void
turns(void **state)
{
	(void)state;
	world(3, 1, CONFIG_ROUND_ROBIN);
	assert_string_equal(order_of(NULL), "0.0 1.0 2.0");
	w.ask.turn = 1;
	assert_string_equal(order_of(NULL), "1.0 2.0 0.0");
	w.ask.turn = 5;
	assert_string_equal(order_of(w.views), "2.0 0.0 1.0");
	w.ask.turn = UINT64_MAX;
	assert_string_equal(order_of(NULL), "0.0 1.0 2.0");
}

static void
turns_of_keys(void **state)
{
	(void)state;
	world(2, 3, CONFIG_ROUND_ROBIN);
	assert_string_equal(order_of(NULL), "0.0 1.0 0.1 1.1 0.2 1.2");
	w.ask.turn = 1;
	assert_string_equal(order_of(NULL), "1.0 0.0 1.1 0.1 1.2 0.2");
	w.ask.turn = 2;
	assert_string_equal(order_of(NULL), "0.1 1.1 0.2 1.2 0.0 1.0");
	/* a closed key is no turn lost */
	w.views[1].answer = (struct quota_answer){ QUOTA_RPM, 5000, 0 };
	assert_string_equal(order_of(w.views), "0.2 1.1 0.0 1.2 1.0| 0.1");
}

static void
even_shares(void **state)
{
	int count[4] = { 0 };
	uint64_t turn;

	(void)state;
	world(4, 1, CONFIG_ROUND_ROBIN);
	for (turn = 0; turn < 1000; turn++) {
		w.ask.turn = 7919 + turn;
		count[first_of(w.views)]++;
	}
	assert_int_equal(count[0], 250);
	assert_int_equal(count[1], 250);
	assert_int_equal(count[2], 250);
	assert_int_equal(count[3], 250);

	memset(count, 0, sizeof(count));
	w.views[1].answer = (struct quota_answer){ QUOTA_RPD, 1, 0 };
	for (turn = 0; turn < 999; turn++) {
		w.ask.turn = turn;
		count[first_of(w.views)]++;
	}
	assert_int_equal(count[0], 333);
	assert_int_equal(count[1], 0);
	assert_int_equal(count[2], 333);
	assert_int_equal(count[3], 333);
}

/* ---- the other strategies ---- */

static void
random_shares(void **state)
{
	int count[4][4] = { { 0 } };
	uint64_t i, x = 1;
	size_t k;

	(void)state;
	world(4, 1, CONFIG_RANDOM);
	for (i = 0; i < 8000; i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		w.ask.chance = x;
		order_of(NULL);
		for (k = 0; k < 4; k++)
			count[k][w.picks[k].lane]++;
	}
	/* 2000 each; ten standard deviations of 38.7 */
	for (i = 0; i < 4; i++)
		for (k = 0; k < 4; k++)
			assert_in_range(count[i][k], 1613, 2387);
	w.ask.chance = 12345;
	assert_int_equal(first_of(NULL), first_of(NULL));
}

static void
random_keys(void **state)
{
	int count[3] = { 0 };
	uint64_t i;

	(void)state;
	world(2, 3, CONFIG_RANDOM);
	for (i = 0; i < 3000; i++) {
		w.ask.chance = mix(i);
		order_of(NULL);
		count[w.lanes[w.picks[0].lane].key]++;
		/* the second try is the other model's */
		assert_int_not_equal(w.lanes[w.picks[0].lane].model,
		    w.lanes[w.picks[1].lane].model);
	}
	for (i = 0; i < 3; i++)
		assert_in_range(count[i], 750, 1250);
}

static void
least_used_order(void **state)
{
	(void)state;
	world(4, 1, CONFIG_LEAST_USED);
	w.views[0].requests = 5;
	w.views[1].requests = 3;
	w.views[2].requests = 3;
	w.views[1].inflight = 1;
	w.views[3].requests = 0;
	w.views[3].answer = (struct quota_answer){ QUOTA_DOWN, 9, 0 };
	assert_string_equal(order_of(w.views), "2.0 1.0 0.0| 3.0");
	assert_string_equal(order_of(NULL), "0.0 1.0 2.0 3.0");
	w.ask.turn = 1;
	assert_string_equal(order_of(NULL), "1.0 2.0 3.0 0.0");
	/* the keys take turns as well, a step each round of the models */
	world(2, 2, CONFIG_LEAST_USED);
	assert_string_equal(order_of(w.views), "0.0 0.1 1.0 1.1");
	w.ask.turn = 2;
	assert_string_equal(order_of(w.views), "0.1 0.0 1.1 1.0");
}

/* Counting what was served, the shares stay within one of each other. */
static void
least_used_shares(void **state)
{
	uint64_t i;

	(void)state;
	world(3, 2, CONFIG_LEAST_USED);
	w.views[4].requests = 50;
	for (i = 0; i < 550; i++) {
		w.ask.turn = i;
		order_of(w.views);
		w.views[w.picks[0].lane].requests++;
	}
	for (i = 0; i < 6; i++)
		assert_int_equal(w.views[i].requests, 100);
}

static void
weighted_shares(void **state)
{
	static const int weights[] = { 7, 1, 3, 1000, 2 };
	int count[5] = { 0 }, sum = 0, apart = 0, run = 0, i;
	uint64_t turn;

	(void)state;
	world(5, 1, CONFIG_WEIGHTED);
	for (i = 0; i < 5; i++) {
		w.models[i].weight = weights[i];
		sum += weights[i];
	}
	for (turn = 0; turn < (uint64_t)sum; turn++) {
		w.ask.turn = turn + 99999;
		count[first_of(NULL)]++;
	}
	for (i = 0; i < 5; i++)
		assert_int_equal(count[i], weights[i]);

	/* 3 : 1 comes spread, never four of one in a row */
	world(2, 1, CONFIG_WEIGHTED);
	w.models[0].weight = 3;
	memset(count, 0, sizeof(count));
	for (turn = 0; turn < 400; turn++) {
		w.ask.turn = turn;
		if (first_of(NULL) == 0) {
			count[0]++;
			run++;
		} else {
			run = 0;
		}
		apart = run > apart ? run : apart;
	}
	assert_int_equal(count[0], 300);
	assert_true(apart <= 3);
}

/* At no turn of a cycle is a model more than two slots from its share. */
static void
weighted_smooth(void **state)
{
	static const int weights[][3] = { { 500, 500, 0 }, { 501, 499, 0 },
	    { 1, 1, 1 }, { 1000, 7, 13 }, { 300, 700, 999 }, { 1, 1000, 1 } };
	int sum, count[3], far;
	size_t i, k, n;
	uint64_t turn;

	(void)state;
	for (i = 0; i < sizeof(weights) / sizeof(weights[0]); i++) {
		n = weights[i][2] != 0 ? 3 : 2;
		world(n, 1, CONFIG_WEIGHTED);
		for (sum = 0, k = 0; k < n; k++) {
			w.models[k].weight = weights[i][k];
			sum += weights[i][k];
			count[k] = 0;
		}
		for (turn = 0; turn < (uint64_t)sum; turn++) {
			w.ask.turn = turn;
			count[first_of(NULL)]++;
			for (k = 0; k < n; k++) {
				far = count[k] * sum - weights[i][k] *
				    ((int)turn + 1);
				assert_true(abs(far) <= 2 * sum);
			}
		}
		for (k = 0; k < n; k++)
			assert_int_equal(count[k], weights[i][k]);
	}
}

static void
weighted_fallback(void **state)
{
	(void)state;
	world(3, 2, CONFIG_WEIGHTED);
	w.models[2].weight = 5;
	w.models[1].weight = 3;
	w.ask.turn = 3;
	assert_string_equal(order_of(NULL), "0.0 2.0 1.0 0.1 2.1 1.1");
	w.ask.turn = 9;		/* the next cycle takes the next key */
	assert_string_equal(order_of(NULL), "2.1 1.1 0.1 2.0 1.0 0.0");
}

static void
fastest_order(void **state)
{
	(void)state;
	world(4, 1, CONFIG_FASTEST);
	w.views[0].first_ms = 900;
	w.views[1].first_ms = 200;
	w.views[3].first_ms = 400;
	assert_string_equal(order_of(w.views), "2.0 1.0 3.0 0.0");
	/* its first request is under way: let it come back */
	w.views[2].inflight = 1;
	assert_string_equal(order_of(w.views), "1.0 3.0 0.0 2.0");
	w.views[3].first_ms = 200;
	w.ask.turn = 2;
	assert_string_equal(order_of(w.views), "3.0 1.0 0.0 2.0");
}

static void
headroom_order(void **state)
{
	size_t i;

	(void)state;
	world(4, 1, CONFIG_HEADROOM);
	for (i = 0; i < 4; i++) {
		w.views[i].resets = 7200000;
		w.views[i].unused = 10;
	}
	w.views[0].pressure = 0.9;
	w.views[1].pressure = 0.2;
	w.views[2].resets = 3600000;	/* lapses an hour sooner */
	w.views[2].pressure = 1;
	w.views[3].resets = INT64_MAX;	/* never lapses */
	w.views[3].unused = -1;
	assert_string_equal(order_of(w.views), "2.0 1.0 0.0 3.0");
	/* the only one that sees is kept for pictures ... */
	w.models[2].can = CONFIG_CAN_VISION;
	assert_string_equal(order_of(w.views), "1.0 0.0 3.0 2.0");
	/* ... and what most can is nothing rare */
	for (i = 0; i < 3; i++)
		w.models[i].can |= CONFIG_CAN_TOOLS;
	assert_string_equal(order_of(w.views), "1.0 0.0 3.0 2.0");
	w.ask.needs = CONFIG_CAN_VISION;
	assert_string_equal(order_of(w.views), "2.0| 0.0 1.0 3.0");
	assert_int_equal(w.picks[1].answer.reason, QUOTA_CANNOT);
}

/* ---- what holds for all ---- */

static void
tiers(void **state)
{
	enum config_strategy s;

	(void)state;
	for (s = 0; s < CONFIG_STRATEGIES; s++) {
		world(4, 2, s);
		w.models[0].tier = 2;
		w.models[1].tier = 0;
		w.models[2].tier = 2;
		w.models[3].tier = 1;
		for (w.ask.turn = 0; w.ask.turn < 20; w.ask.turn++) {
			w.ask.chance = mix(w.ask.turn);
			order_of(w.views);
			assert_int_equal(w.lanes[w.picks[0].lane].model, 1);
			assert_int_equal(w.lanes[w.picks[1].lane].model, 1);
			assert_int_equal(w.lanes[w.picks[2].lane].model, 3);
			assert_int_equal(w.lanes[w.picks[3].lane].model, 3);
		}
	}
}

static void
filters(void **state)
{
	static char *patterns[] = { "p0/*", "*/m1", NULL };

	(void)state;
	world(4, 1, CONFIG_ROUND_ROBIN);
	w.models[1].context = 1000;
	w.models[2].off = "enabled = no";
	w.models[3].can = CONFIG_CAN_TOOLS | CONFIG_CAN_JSON;
	w.ask.tokens = 1000;
	assert_string_equal(order_of(w.views), "0.0 1.0 3.0| 2.0");
	assert_int_equal(w.picks[3].answer.reason, QUOTA_OFF);
	assert_true(w.picks[3].answer.until == INT64_MAX);
	w.ask.tokens = 1001;
	assert_string_equal(order_of(w.views), "0.0 3.0| 1.0 2.0");
	assert_int_equal(w.picks[2].answer.reason, QUOTA_CONTEXT);
	w.ask.needs = CONFIG_CAN_TOOLS | CONFIG_CAN_REASONING;
	assert_string_equal(order_of(w.views), "3.0| 0.0 1.0 2.0");
	assert_int_equal(w.picks[1].answer.reason, QUOTA_CANNOT);
	w.ask.needs = CONFIG_CAN_TOOLS | CONFIG_CAN_VISION;
	assert_string_equal(order_of(w.views), "| 0.0 1.0 2.0 3.0");

	w.ask.needs = 0;
	w.ask.tokens = 0;
	w.ask.allowed = patterns;
	assert_string_equal(order_of(w.views), "0.0 1.0 3.0| 2.0");
	patterns[1] = NULL;
	assert_string_equal(order_of(w.views), "0.0 3.0| 1.0 2.0");
	patterns[0] = NULL;
	assert_string_equal(order_of(w.views), "| 0.0 1.0 2.0 3.0");
	patterns[0] = "p0/*";
	patterns[1] = "*/m1";
}

static void
closed_lanes(void **state)
{
	(void)state;
	world(5, 1, CONFIG_ROUND_ROBIN);
	w.views[0].answer = (struct quota_answer){ QUOTA_RPM, 5000, 0 };
	w.views[2].answer = (struct quota_answer){ QUOTA_BAD_KEY, INT64_MAX,
	    0 };
	w.views[3].answer = (struct quota_answer){ QUOTA_TPD, 4000, 0 };
	w.ask.turn = 1;
	assert_string_equal(order_of(w.views), "4.0 1.0| 3.0 0.0 2.0");
	assert_int_equal(w.picks[2].answer.reason, QUOTA_TPD);
	assert_int_equal(w.picks[2].answer.until, 4000);
	w.views[1].answer = w.views[4].answer =
	    (struct quota_answer){ QUOTA_CAPACITY, 4500, 0 };
	assert_string_equal(order_of(w.views), "| 3.0 1.0 4.0 0.0 2.0");
}

/* A conversation stays where it is; when its lane closes it alone moves, and
 * comes back. The lanes of all conversations together are spread. */
static void
sticky(void **state)
{
	uint16_t was[300];
	int count[5] = { 0 }, moved = 0;
	uint64_t i;

	(void)state;
	world(5, 2, CONFIG_ROUND_ROBIN);
	w.route.sticky = true;
	for (i = 0; i < 300; i++) {
		w.ask.thread = i + 1;
		w.ask.turn = i;
		first_of(w.views);
		was[i] = w.picks[0].lane;
		count[w.lanes[was[i]].model]++;
		w.ask.turn = i + 3;
		first_of(w.views);
		assert_int_equal(w.picks[0].lane, was[i]);
	}
	for (i = 0; i < 5; i++)
		assert_in_range(count[i], 30, 90);
	w.views[4].answer = (struct quota_answer){ QUOTA_RPM, 1, 0 };
	for (i = 0; i < 300; i++) {
		w.ask.thread = i + 1;
		first_of(w.views);
		if (w.picks[0].lane == was[i])
			continue;
		moved++;
		assert_int_equal(was[i], 4);
		assert_int_equal(w.lanes[w.picks[0].lane].model, 2);
	}
	assert_in_range(moved, 10, 60);
	/* no thread: the strategy decides */
	w.ask.thread = 0;
	w.ask.turn = 3;
	assert_int_equal(first_of(w.views), 3);
}

/* Any views, any strategy: order_of checks what must hold. */
static void
any_views(void **state)
{
	uint64_t x = 42;
	size_t i, n;
	int round;

	(void)state;
	for (round = 0; round < 600; round++) {
		x = mix(x);
		world(1 + x % 9, 1 + x / 16 % 4, (enum config_strategy)
		    (round % CONFIG_STRATEGIES));
		w.route.sticky = x >> 60 & 1;
		w.ask.thread = x >> 59 & 3;
		w.ask.turn = x;
		w.ask.chance = mix(x);
		n = w.alias.nlanes;
		for (i = 0; i < n; i++) {
			x = mix(x);
			w.views[i] = (struct quota_view){
			    .answer = { .reason = x & 3 ? QUOTA_OPEN :
				QUOTA_RPM, .until = x & 3 ? 0 :
				(int64_t)(x >> 40) },
			    .pressure = (double)(x & 255) / 200,
			    .requests = (int64_t)(x >> 8 & 15),
			    .resets = x >> 12 & 1 ? INT64_MAX :
				(int64_t)(x >> 20),
			    .unused = (int64_t)(x >> 16 & 7) - 1,
			    .first_ms = (int64_t)(x >> 24 & 1023),
			    .inflight = (int32_t)(x >> 34 & 3) };
			w.models[w.lanes[i].model].tier =
			    (int)(x >> 36 & 1);
			w.models[w.lanes[i].model].weight =
			    1 + (int)(x >> 37 & 15);
		}
		order_of(w.views);
	}
}

static void
many_lanes(void **state)
{
	enum config_strategy s;

	(void)state;
	for (s = 0; s < CONFIG_STRATEGIES; s++) {
		world(MODELS, ROUTE_LANES / MODELS, s);
		w.ask.turn = 1000003;
		order_of(w.views);
		assert_int_equal(w.picks[ROUTE_LANES - 1].answer.reason,
		    QUOTA_OPEN);
	}
	world(MODELS, ROUTE_LANES / MODELS + 1, CONFIG_ROUND_ROBIN);
	order_of(w.views);
	assert_int_equal(w.picks[ROUTE_LANES - 1].answer.reason, QUOTA_OPEN);
	assert_int_equal(w.picks[ROUTE_LANES].answer.reason, QUOTA_OFF);
}

static void
no_lanes(void **state)
{
	(void)state;
	world(0, 0, CONFIG_WEIGHTED);
	assert_int_equal(route_order(&w.c, &w.ask, NULL, w.picks), 0);
}

static void
needs_views(void **state)
{
	static const bool want[CONFIG_STRATEGIES] = {
		[CONFIG_LEAST_USED] = true, [CONFIG_FASTEST] = true,
		[CONFIG_HEADROOM] = true,
	};
	enum config_strategy s;

	(void)state;
	for (s = 0; s < CONFIG_STRATEGIES; s++) {
		world(1, 1, s);
		assert_int_equal(route_needs_view(&w.c, &w.alias), want[s]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(turns),
		cmocka_unit_test(turns_of_keys),
		cmocka_unit_test(even_shares),
		cmocka_unit_test(random_shares),
		cmocka_unit_test(random_keys),
		cmocka_unit_test(least_used_order),
		cmocka_unit_test(least_used_shares),
		cmocka_unit_test(weighted_shares),
		cmocka_unit_test(weighted_smooth),
		cmocka_unit_test(weighted_fallback),
		cmocka_unit_test(fastest_order),
		cmocka_unit_test(headroom_order),
		cmocka_unit_test(tiers),
		cmocka_unit_test(filters),
		cmocka_unit_test(closed_lanes),
		cmocka_unit_test(sticky),
		cmocka_unit_test(any_views),
		cmocka_unit_test(many_lanes),
		cmocka_unit_test(no_lanes),
		cmocka_unit_test(needs_views),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
