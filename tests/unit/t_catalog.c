#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>


#include "../../src/catalog.c"
#include "loaded.h"

#define P ACCESS "provider p { url = https://p.example "

static void
test_pool(void **state)
{
	struct loaded l;
	const struct config_provider *p;

	(void)state;
	setenv("T_KEY", " first-key-1 ,second-key-2,, first-key-1,  x ", 1);
	loaded_text(&l, ONE);
	assert_non_null(l.c);
	p = &l.c->providers[0];
	assert_int_equal(p->nkeys, 3);
	assert_string_equal(p->keys[0].secret, "first-key-1");
	assert_string_equal(p->keys[1].secret, "second-key-2");
	assert_string_equal(p->keys[2].secret, "x");
	/* BLAKE2b-256 of the key, by b2sum -l 256. */
	assert_string_equal(p->keys[0].name, "k-a4441f4e6a1b");
	assert_null(p->off);
	loaded_says(&l.warnings, 2, "has a key twice");
	assert_null(strstr(buf_str(&l.warnings), "first-key-1"));
	assert_int_equal(l.c->nlanes, 3);
	unsetenv("T_KEY");
	loaded_free(&l);
}

static void
off_is(const char *text, const char *off, const char *needs)
{
	struct loaded l;

	loaded_text(&l, text);
	if (l.c == NULL)
		fail_msg("%s", buf_str(&l.errors));
	assert_string_equal(l.c->providers[0].off, off);
	if (needs != NULL)
		assert_string_equal(l.c->providers[0].needs, needs);
	else
		assert_null(l.c->providers[0].needs);
	loaded_free(&l);
}

static void
test_off(void **state)
{
	(void)state;
	unsetenv("T_KEY");
	off_is(ONE, "T_KEY is not set", "T_KEY");
	setenv("T_KEY", " , ", 1);
	off_is(ONE, "no key: set `key` of provider p", NULL);
	setenv("T_KEY", "", 1);
	off_is(ONE, "T_KEY is not set", "T_KEY");
	off_is(P "}", "no key: set `key` of provider p", NULL);
	off_is(P "keys = {${T_KEY}} }", "T_KEY is not set", "T_KEY");
	off_is(P "key-needed = no enabled = no }",
	    "switched off in the configuration", NULL);
	off_is(ACCESS "provider p { url = \"https://h/${T_KEY}/x/\""
	    " key = kkkkkkkk }", "T_KEY is not set", "T_KEY");
	unsetenv("T_KEY");
}

static void
test_keyless(void **state)
{
	struct loaded l;

	(void)state;
	loaded_text(&l, P "key-needed = no }\nmodel p/m { }");
	assert_int_equal(l.c->providers[0].nkeys, 1);
	assert_string_equal(l.c->providers[0].keys[0].secret, "");
	assert_int_equal(strlen(l.c->providers[0].keys[0].name), 14);
	assert_int_equal(l.c->nlanes, 1);
	assert_int_equal(l.c->nproviders, 1);
	loaded_free(&l);
}

/* A key that could split a header or is not one; never shown. */
static void
test_bad_keys(void **state)
{
	static const char *const keys[] = { "two words", "a\tb-secret",
	    "\"quoted-secret\"", "'secret'", "se\xc3\xa9" "cret",
	    "sec\x7f" "ret", "${T_OTHER}" };
	static char longest[CATALOG_MAX_KEY + 2];
	struct loaded l;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		setenv("T_KEY", keys[i], 1);
		loaded_text(&l, ONE);
		assert_null(l.c);
		assert_non_null(strstr(buf_str(&l.errors), "/c:2: "));
		assert_null(strstr(buf_str(&l.errors), keys[i]));
		loaded_free(&l);
	}
	memset(longest, 'x', sizeof(longest) - 1);
	setenv("T_KEY", longest, 1);
	loaded_fails(ONE, 2, "longer than 4096");
	longest[CATALOG_MAX_KEY] = '\0';
	setenv("T_KEY", longest, 1);
	loaded_text(&l, ONE);
	assert_non_null(l.c);
	loaded_free(&l);
	unsetenv("T_KEY");
}

static void
test_provider_errors(void **state)
{
	(void)state;
	loaded_fails(ACCESS "provider p { key = kkkkkkkk }", 2, "wants a url");
	loaded_fails(ACCESS "provider p {\nurl = ftp://x }", 3, "the url ");
	loaded_fails(ACCESS "provider p {\nurl = http://10.0.0.1 }", 3,
	    "insecure = yes");
	loaded_fails(ACCESS "provider a/b { url = https://x }", 2,
	    "no name for a provider");
	loaded_fails(ACCESS "provider demo { rpm = 1 }", 2, "built in");
	loaded_fails(P "\nkey = a keys = {b} }", 3, "not both");
	loaded_fails(P "\nkey = '${T_KEY}' }", 3, "a variable as such");
	loaded_fails(P "\nconnect-timeout = 0s }", 3, "connect-timeout = 0s");
	loaded_fails(P "\ntotal-timeout = 25h }", 3, "total-timeout = 25h");
	loaded_fails(P "\nrpm = -1 }", 3, "rpm = -1");
	loaded_fails(P "\nkey-tpd = 1099511627777 }", 3, "key-tpd = ");
	loaded_fails(P "\nday-resets = lunar }", 3, "America/Los_Angeles");
	loaded_fails(P "\nrename = {\"a\"} }", 3, "rename wants");
	loaded_fails(P "\nrename = {\"a b=c\"} }", 3, "no names");
	loaded_fails(P "\ndrop = {\"messages[].name\"} }", 3, "no name of");
	loaded_fails(P "\nheaders = {\"X\"} }", 3, "headers wants");
	loaded_fails(P "\nheaders = {\"Host: x\"} }", 3, "not yours");
	loaded_fails(P "\nheaders = {\"A B: x\"} }", 3, "no name of a header");
#define FIVE	"\"A: b\", \"A: b\", \"A: b\", \"A: b\", \"A: b\", "
	loaded_fails(P "\nheaders = {" FIVE FIVE FIVE FIVE FIVE "} }", 3,
	    "more than 24 headers");
#undef FIVE
}

static void
test_model_errors(void **state)
{
	(void)state;
	loaded_fails(P "}\nmodel q/m { }", 3, "there is no provider 'q'");
	loaded_fails(P "}\nmodel p { }", 3, "PROVIDER/ID");
	loaded_fails(P "}\nmodel p/ { }", 3, "PROVIDER/ID");
	loaded_fails(P "}\nmodel \"p/a b\" { }", 3, "PROVIDER/ID");
	loaded_fails(P "}\nmodel \"p/a*\" { }", 3, "PROVIDER/ID");
	loaded_fails(P "}\nmodel p/m { }\nmodel p/m { }", 4, "there twice");
	loaded_fails(P "}\nmodel p/m {\ncan = {tools, flying} }", 4, "flying");
	loaded_fails(P "}\nmodel p/m {\nweight = 0 }", 4, "weight = 0");
	loaded_fails(P "}\nmodel p/m {\nrpm = 9223372036854775808 }", 4,
	    "rpm = 9223372036854775808");
	loaded_fails(ACCESS "provider demo { }\nmodel demo/x { }", 3,
	    "only the models echo and tortoise");
}

/* A limit of 0 is one, but others write it for none. */
static void
test_zero_limit(void **state)
{
	struct loaded l;

	(void)state;
	loaded_text(&l, P "key = kkkkkkkk\nkey-rpd = 0 }\nmodel p/m {\n"
	    "rpm = 5\nrpd = 0 }");
	assert_non_null(l.c);
	assert_int_equal(2, loaded_lines(&l.warnings));
	loaded_says(&l.warnings, 3, "key-rpd = 0 admits nothing");
	loaded_says(&l.warnings, 6, "rpd = 0 admits nothing");
	assert_int_equal(0, l.c->models[0].limits.max[CONFIG_RPD]);
	loaded_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_keyless),
		cmocka_unit_test(test_bad_keys),
		cmocka_unit_test(test_provider_errors),
		cmocka_unit_test(test_zero_limit),
		cmocka_unit_test(test_model_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
