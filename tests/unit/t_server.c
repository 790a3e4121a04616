#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>


#include "../../src/server.c"
#include "loaded.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TOKEN "token = \"blake2b:" HEX "\""

static void
test_defaults(void **state)
{
	struct loaded l;
	const struct config *c;
	char state_path[120];

	(void)state;
	unsetenv("ALLOWED_ORIGINS");
	loaded_text(&l, ACCESS);
	c = l.c;
	assert_non_null(c);
	snprintf(state_path, sizeof(state_path), "%s/state", l.dir);
	assert_string_equal(c->state, state_path);
	assert_true(c->open);
	assert_false(c->chat_text || c->debug);
	assert_true(c->sandbox);
	assert_null(c->origins[0]);
	assert_string_equal(c->prefix, "");
	assert_string_equal(c->ca_path, "");
	assert_string_equal(c->proxy, "");
	assert_int_equal(c->max_body, 8 << 20);
	assert_int_equal(c->workers, 1);
	assert_int_equal(c->heartbeat_ms, 10000);
	assert_int_equal(c->stall_ms, 30000);
	assert_int_equal(c->body_ms, 30000);
	assert_int_equal(c->drain_ms, 30000);
	assert_int_equal(c->linger_ms, 0);
	assert_int_equal(c->nroutes, 1);
	assert_int_equal(c->routes[0].strategy, CONFIG_ROUND_ROBIN);
	assert_true(c->routes[0].fallback);
	assert_int_equal(c->routes[0].attempts, 4);
	assert_int_equal(c->routes[0].max_wait_ms, 10000);
	loaded_free(&l);
}

static void
test_linger(void **state)
{
	static const char *const off[] = { "no", "0", "0s", "\"no\"" };
	char text[256];
	struct loaded l;

	(void)state;
	for (size_t i = 0; i < sizeof(off) / sizeof(*off); i++) {
		snprintf(text, sizeof(text), "server { access = open "
		    "cgi-linger = %s }", off[i]);
		loaded_text(&l, text);
		assert_non_null(l.c);
		assert_int_equal(l.c->linger_ms, 0);
		loaded_free(&l);
	}
	loaded_fails("server { access = open\ncgi-linger = yes }", 2,
	    "cgi-linger = yes");
	for (int n = 90; n <= 91; n++) {
		snprintf(text, sizeof(text), "server { access = open "
		    "state = \"/%0*d\"\ncgi-linger = 1m }", n - 1, 0);
		loaded_text(&l, text);
		assert_non_null(l.c);
		assert_int_equal(l.c->linger_ms, 60000);
		if (n == 90)
			assert_int_equal(l.warnings.len, 0);
		else
			loaded_says(&l.warnings, 2, "nothing lingers");
		loaded_free(&l);
	}
}

/* As docker compose hands over what its own environment does not have. */
static void
test_empty_variable(void **state)
{
	struct loaded l;

	(void)state;
	setenv("T_ACCESS", "", 1);
	loaded_text(&l, "server { access = ${T_ACCESS:-open} workers = 2 }");
	assert_non_null(l.c);
	assert_true(l.c->open);
	loaded_free(&l);
	setenv("T_ACCESS", "", 1);
	loaded_fails("server {\naccess = ${T_ACCESS} }", 2, "access = :");
	unsetenv("T_ACCESS");
}

static void
test_access(void **state)
{
	(void)state;
	loaded_fails("", 0, "access is not set");
	loaded_fails("\nserver { }", 2, "access is not set");
	loaded_fails("server {\naccess = maybe }", 2, "token open");
	loaded_fails("server {\naccess = token }", 2, "relevo client new");
	loaded_fails("server { access = open }\nserver { }", 2, "there twice");
}

static void
test_server_errors(void **state)
{
	static const char *const bad[] = {
		"chat-format = xml", "prefix = ai", "prefix = \"/a b\"",
		"prefix = \"/a?b\"", "max-body = 1", "max-body = 2G",
		"workers = 0", "workers = 257", "heartbeat = 10",
		"client-stall = 0s", "body-timeout = 0s", "state = \"\"",
		"state = /tmp", "state = /tmp/", "state = c",
		"state = new-folder/", "state = ./.env", "state = .env",
		"proxy = ftp://x", "proxy = h:80", "log = loud",
		"ca-path = /nonexistent/ca", "allowed-origins = {example.org}",
		"allowed-origins = {\"https://a/path\"}",
		"allowed-origins = {\"https://a b\"}",
		"allowed-origins = {\"\"}",
		"allowed-hosts = {\"a:80\"}", "allowed-hosts = {\"\"}",
		"allowed-hosts = {\"https://a\"}",
	};
	char text[200];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct loaded l;

		snprintf(text, sizeof(text), "server { access = open\n%s }",
		    bad[i]);
		loaded_dir(&l);
		loaded_write(l.dir, "c", text, 0600);
		loaded_write(l.dir, ".env", "", 0600);
		loaded_read(&l);
		if (l.c != NULL || loaded_lines(&l.errors) != 1 ||
		    strstr(buf_str(&l.errors), "/c:2: ") == NULL)
			fail_msg("%s: %s", bad[i], buf_str(&l.errors));
		loaded_free(&l);
	}
}

/* What curl says of a proxy may hold a part of its address. */
static void
test_proxy_password(void **state)
{
	char said[] = "http://someone:pass-word-1@h:80 "
	    "someone:pass-word-1 pass-word-1 h:80";
	struct loaded l;

	(void)state;
	loaded_text(&l, "server { access = open "
	    "proxy = \"http://someone:pass-word-1@h:80\" }");
	assert_non_null(l.c);
	log_redact(said, strlen(said));
	assert_string_equal(said,
	    "http://************************ "
	    "******************* *********** h:80");
	loaded_free(&l);
}

/* It has ended already: nobody can have meant that. */
static void
test_expired(void **state)
{
	struct loaded l;

	(void)state;
	loaded_text(&l, "server { access = token }\n"
	    "client a { " TOKEN "\nexpires = 2020-01-31 }");
	assert_non_null(l.c);
	loaded_says(&l.warnings, 3, "client 'a' has expired");
	loaded_free(&l);
}

static void
test_origins_from_environment(void **state)
{
	struct loaded l;

	(void)state;
	setenv("ALLOWED_ORIGINS", "http://localhost:3000/, *,", 1);
	loaded_text(&l, ACCESS);
	assert_string_equal(l.c->origins[0], "http://localhost:3000");
	assert_string_equal(l.c->origins[1], "*");
	assert_null(l.c->origins[2]);
	loaded_free(&l);
	loaded_text(&l, "server { access = open allowed-origins = {} }");
	assert_null(l.c->origins[0]);
	loaded_free(&l);
	setenv("ALLOWED_ORIGINS", "localhost", 1);
	loaded_fails(ACCESS, 0, "ALLOWED_ORIGINS: 'localhost'");
	unsetenv("ALLOWED_ORIGINS");
}

static void
test_routes(void **state)
{
	(void)state;
	loaded_fails(ACCESS "route {\nstrategy = luck }", 3, "headroom");
	loaded_fails(ACCESS "route {\nattempts = 0 }", 3, "attempts = 0");
	loaded_fails(ACCESS "route {\nattempts = 17 }", 3, "attempts = 17");
	loaded_fails(ACCESS "route {\nmax-wait = 11m }", 3, "max-wait");
	loaded_fails(ACCESS "route { }\nroute default { }", 3, "twice");
	loaded_fails(ACCESS "route \"a b\" { }", 2, "no name for a route");
}

static void
test_clients(void **state)
{
	struct loaded l;
	const struct config_client *cl;

	(void)state;
	loaded_text(&l, "server { access = token }\n"
	    "client a { " TOKEN " rpm = 3 expires = 2027-01-31T12:00:00Z }");
	assert_non_null(l.c);
	cl = &l.c->clients[0];
	assert_string_equal(cl->name, "a");
	assert_int_equal(cl->hash[0], 0x01);
	assert_int_equal(cl->hash[31], 0xef);
	assert_int_equal(cl->limits.max[CONFIG_RPM], 3);
	assert_int_equal(cl->expires, 1801396800000);
	assert_null(cl->models);
	loaded_free(&l);
	loaded_fails(ACCESS "client a { }", 2, "relevo client new a");
	loaded_fails(ACCESS "client a/b { " TOKEN " }", 2, "no name");
	loaded_fails(ACCESS "client a { " TOKEN "}\nclient b { " TOKEN " }", 0,
	    "clients 'a' and 'b' have one token");
	loaded_fails(ACCESS "client a { " TOKEN "\nexpires = soon }", 3,
	    "expires = soon");
	loaded_fails(ACCESS "client a { " TOKEN "\nexpires = 2027-13-01 }", 3,
	    "expires = 2027-13-01");
	loaded_fails(ACCESS "client a { " TOKEN "\nmodels = {\"\"} }", 3,
	    "no pattern");
}

/* A token in place of its hash is refused and not shown. */
static void
test_bad_tokens(void **state)
{
	static const char *const bad[] = { "sk-relevo-plain-token", "blake2b:",
	    "blake2b:" HEX "0", "blake2b:zz" HEX, "sha256:" HEX,
	    "blake2b:0123456789abcdef", "blake2b:0123456***" };
	char text[300];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct loaded l;

		snprintf(text, sizeof(text), ACCESS "client a {\n"
		    "token = \"%s\" }", bad[i]);
		loaded_text(&l, text);
		assert_null(l.c);
		loaded_says(&l.errors, 3, "64 hex digits");
		assert_null(strstr(buf_str(&l.errors), "plain-token"));
		loaded_free(&l);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_linger),
		cmocka_unit_test(test_empty_variable),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_server_errors),
		cmocka_unit_test(test_proxy_password),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_origins_from_environment),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_clients),
		cmocka_unit_test(test_bad_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
