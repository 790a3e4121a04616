#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/config.c"
#include "loaded.h"

static const char whole[] =
    "server {\n"
    "	access = token chat-format = text\n"
    "	allowed-origins = {\"https://a.example\", \"http://b:81/\"}\n"
    "	prefix = /ai/ max-body = 1M workers = 3 heartbeat = 0s\n"
    "	client-stall = 1500ms body-timeout = 5s drain-time = 1m"
    " cgi-linger = 10m\n"
    "	proxy = \"socks5h://u:secretpw@h:1080\" log = debug\n"
    "	sandbox = no allowed-hosts = {a.example, b}\n"
    "}\n"
    "route slow { strategy = fastest max-wait = 0s sticky = yes }\n"
    "route { attempts = 2 fallback = no }\n"
    "provider a {\n"
    "	url = https://a.example/v1/ keys = {\"aaaaaaaaa1\", \"aaaaaaaaa2\"}\n"
    "	title = \"A \\\"quoted\\\" \\$\\\\ title\"\n"
    "	rpm = 1 rph = 2 rpd = 3 rpmonth = 4 tpm = 5 tph = 6 tpd = 7\n"
    "	tpmonth = 8 concurrency = 9 key-rpm = 10 key-tpmonth = 1099511627776\n"
    "	day-resets = America/Los_Angeles counts-failures = yes http2 = yes\n"
    "	stream-usage = no connect-timeout = 1s first-event-timeout = 2s\n"
    "	idle-timeout = 3s total-timeout = 4s drop = {user, n}\n"
    "	rename = {\"seed=random_seed\"} headers = {\"X-Title: relevo = it\"}\n"
    "}\n"
    "provider off { url = https://o.example key = ${T_UNSET} }\n"
    "provider hole { url = \"https://o.example/${T_UNSET}/v1\""
    " key = kkkkkkkkkkkk }\n"
    "provider dis { url = https://o.example key-needed = no enabled = no }\n"
    "provider lan { url = http://10.0.0.1:80 key-needed = no\n"
    "	insecure = yes }\n"
    "provider demo { }\n"
    "model a/x/y:free { title = \"X\" rpm = 0 context = 10 output = 5\n"
    "	can = {tools, vision, json, audio, reasoning} weight = 7 tier = 2\n"
    "	slow = yes }\n"
    "model a/z { enabled = no }\n"
    "model lan/z { }\n"
    "model hole/z { }\n"
    "model off/q { }\n"
    "alias fast { models = {\"lan/*\", \"a/*\"} route = slow }\n"
    "alias old-id { models = {\"gone/*\"} retired = yes }\n"
    "client bot { rpd = 5 models = {\"a/*\"} usage = all expires = 2027-01-31\n"
    "	token = \"blake2b:0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef\" }\n"
    "client all { token = \"blake2b:1123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef\" }\n";

static void
test_values(void **state)
{
	struct loaded l;
	const struct config *c;
	const struct config_provider *a;

	(void)state;
	loaded_text(&l, whole);
	c = l.c;
	if (c == NULL)
		fail_msg("%s", buf_str(&l.errors));
	assert_false(c->open);
	assert_true(c->chat_text && c->debug && !c->sandbox);
	assert_string_equal(c->hosts[1], "b");
	assert_string_equal(c->origins[1], "http://b:81");
	assert_null(c->origins[2]);
	assert_string_equal(c->prefix, "/ai");
	assert_int_equal(c->max_body, 1 << 20);
	assert_int_equal(c->heartbeat_ms, 0);
	assert_int_equal(c->stall_ms, 1500);
	assert_int_equal(c->drain_ms, 60000);
	assert_int_equal(c->linger_ms, 600000);
	assert_int_equal(c->nroutes, 2);
	assert_string_equal(c->routes[0].name, "default");
	assert_int_equal(c->routes[0].attempts, 2);
	assert_false(c->routes[0].fallback);
	assert_int_equal(c->routes[1].strategy, CONFIG_FASTEST);
	a = &c->providers[0];
	assert_string_equal(a->url, "https://a.example/v1");
	assert_string_equal(a->title, "A \"quoted\" $\\ title");
	assert_int_equal(a->nkeys, 2);
	assert_int_equal(a->limits.max[CONFIG_RPM], 1);
	assert_int_equal(a->limits.max[CONFIG_CONCURRENCY], 9);
	assert_int_equal(a->key_limits.max[CONFIG_TPMONTH], 1099511627776);
	assert_int_equal(a->key_limits.max[CONFIG_RPD], CONFIG_NONE);
	assert_int_equal(a->day, CONFIG_DAY_PACIFIC);
	assert_true(a->counts_failures && a->http2 && !a->stream_usage);
	assert_string_equal(a->rename[0].value, "random_seed");
	assert_string_equal(a->headers[0].value, "relevo = it");
	assert_null(a->headers[1].name);
	assert_int_equal(a->line, 11);
	assert_string_equal(c->providers[1].off, "T_UNSET is not set");
	assert_string_equal(c->providers[2].off, "T_UNSET is not set");
	assert_int_equal(c->models[0].limits.max[CONFIG_RPM], 0);
	assert_string_equal(c->models[0].id, "x/y:free");
	assert_int_equal(c->models[0].can, 0x1f);
	assert_int_equal(c->clients[0].expires, 1801353600000);
	assert_int_equal(c->clients[0].hash[31], 0xef);
	assert_true(c->clients[0].sees_all && !c->clients[1].sees_all);
	loaded_free(&l);
}

static void
same_lanes(const struct config *x, const struct config *y)
{
	size_t i;

	assert_int_equal(x->nlanes, y->nlanes);
	assert_memory_equal(x->lanes, y->lanes, x->nlanes * sizeof(*x->lanes));
	assert_int_equal(x->naliases, y->naliases);
	for (i = 0; i < x->naliases; i++) {
		const struct config_alias *a = &x->aliases[i];
		const struct config_alias *b = &y->aliases[i];

		assert_string_equal(a->name, b->name);
		assert_int_equal(a->nlanes, b->nlanes);
		assert_int_equal(a->route, b->route);
		assert_true(a->retired == b->retired);
		assert_true(a->implicit == b->implicit);
		if (a->nlanes != 0)
			assert_memory_equal(a->lanes, b->lanes,
			    a->nlanes * sizeof(*a->lanes));
	}
	for (i = 0; i < x->nproviders; i++) {
		const char *s = x->providers[i].off, *t = y->providers[i].off;

		assert_string_equal(s ? s : "", t ? t : "");
	}
}

/* What is printed loads to what was printed; no secret is in it. */
static void
round_trip(const char *text)
{
	struct loaded l, again;
	struct buf one, two;

	buf_init(&one, 1 << 20);
	buf_init(&two, 1 << 20);
	loaded_text(&l, text);
	if (l.c == NULL)
		fail_msg("%s", buf_str(&l.errors));
	assert_int_equal(config_print(l.c, &one), 0);
	assert_null(strstr(buf_str(&one), "aaaaaaaaa1"));
	assert_null(strstr(buf_str(&one), "secretpw"));
	assert_null(strstr(buf_str(&one), "relevo = it"));
	assert_null(strstr(buf_str(&one), "0123456789abcdef01234567"));
	loaded_text(&again, buf_str(&one));
	if (again.c == NULL)
		fail_msg("%s\n%s", buf_str(&again.errors), buf_str(&one));
	assert_int_equal(config_print(again.c, &two), 0);
	assert_string_equal(buf_str(&one), buf_str(&two));
	same_lanes(l.c, again.c);
	buf_release(&one);
	buf_release(&two);
	loaded_free(&l);
	loaded_free(&again);
}

static void
test_round_trip(void **state)
{
	(void)state;
	round_trip(whole);
	round_trip(ACCESS);			/* the demo alone */
	setenv("T_KEY", "kkkkkkkkkkkk, kkkkkkkkkkk2", 1);
	round_trip(ONE);
	unsetenv("T_KEY");
	round_trip(ONE);
}

static void
test_print_small_buffer(void **state)
{
	struct loaded l;
	struct buf b;

	(void)state;
	loaded_text(&l, whole);
	buf_init(&b, 100);
	assert_int_equal(config_print(l.c, &b), -1);
	buf_release(&b);
	loaded_free(&l);
}

/* The file that ships: safe without a decision, sound with one. */
static void
test_shipped(void **state)
{
	struct buf e, w;
	struct config *c;
	const struct config_alias *a;

	(void)state;
	buf_init(&e, 1 << 20);
	buf_init(&w, 1 << 20);
	unsetenv("RELEVO_ACCESS");
	assert_null(config_load("conf/relevo.conf", &e, &w));
	assert_non_null(strstr(buf_str(&e), "relevo client new"));
	assert_int_equal(loaded_lines(&e), 1);
	buf_clear(&e);
	setenv("RELEVO_ACCESS", "open", 1);
	setenv("GROQ_API_KEY", "gsk_0123456789", 1);
	c = config_load("conf/relevo.conf", &e, &w);
	if (c == NULL)
		fail_msg("%s", buf_str(&e));
	assert_string_equal(buf_str(&w), "");
	assert_true(c->open);
	assert_int_equal(c->nlanes, 3);
	a = config_find(c, "groq/llama-3.3-70b-versatile");
	assert_non_null(a);
	assert_true(a->retired);
	assert_int_equal(a->nlanes, 1);
	assert_string_equal(c->models[c->lanes[a->lanes[0]].model].name,
	    "groq/openai/gpt-oss-120b");
	assert_int_equal(config_find(c, "")->nlanes, 3);
	config_free(c);
	unsetenv("RELEVO_ACCESS");
	unsetenv("GROQ_API_KEY");
	buf_release(&e);
	buf_release(&w);
}

static void
test_free_null(void **state)
{
	(void)state;
	config_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_print_small_buffer),
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_free_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
