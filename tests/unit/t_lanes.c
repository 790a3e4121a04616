#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>


#include "../../src/lanes.c"
#include "loaded.h"

static const char text[] = ACCESS
    "provider p { url = https://p key = \"aaaaaaaa,bbbbbbbb\" }\n"
    "provider q { url = https://q key = cccccccc }\n"
    "provider r { url = https://r key = ${T_UNSET} }\n"
    "model q/x { }\n"
    "model p/big/y { }\n"
    "model p/x { }\n"
    "model r/x { }\n"
    "model q/q/x { }\n"
    "model p/z { enabled = no }\n"
    "route calm { }\n";

/* "provider/id:key ..." of an alias. */
static const char *
lanes_of(const struct config *c, const char *name, char *out)
{
	const struct config_alias *a = config_find(c, name);
	char *p = out;
	size_t i;

	if (a == NULL)
		return "none";
	*p = '\0';
	for (i = 0; i < a->nlanes; i++)
		p += sprintf(p, "%s%s:%d", i ? " " : "",
		    c->models[c->lanes[a->lanes[i]].model].name,
		    c->lanes[a->lanes[i]].key);
	return out;
}

static void
check(const struct config *c, const char *name, const char *lanes)
{
	char out[1000];

	assert_string_equal(lanes_of(c, name, out), lanes);
}

static void
test_lanes(void **state)
{
	struct loaded l;

	(void)state;
	unsetenv("T_UNSET");
	loaded_text(&l, text);
	if (l.c == NULL)
		fail_msg("%s", buf_str(&l.errors));
	assert_int_equal(l.c->nproviders, 3);
	check(l.c, "auto", "q/x:0 p/big/y:0 p/big/y:1 p/x:0 p/x:1 q/q/x:0");
	check(l.c, "", "q/x:0 p/big/y:0 p/big/y:1 p/x:0 p/x:1 q/q/x:0");
	assert_string_equal(l.c->aliases[0].name, "auto");
	assert_true(l.c->aliases[0].implicit);
	check(l.c, "p/x", "p/x:0 p/x:1");
	check(l.c, "big/y", "p/big/y:0 p/big/y:1");
	check(l.c, "x", "q/x:0 p/x:0 p/x:1");
	/* "q/x" is the model of q, though p's or q's bare id may be it too */
	check(l.c, "q/x", "q/x:0");
	check(l.c, "q/q/x", "q/q/x:0");
	check(l.c, "r/x", "");			/* known, but off */
	check(l.c, "p/z", "");
	check(l.c, "z", "");
	check(l.c, "y", "none");
	check(l.c, "demo/echo", "none");
	check(l.c, "p", "none");
	check(l.c, "P/X", "none");
	loaded_free(&l);
}

static void
test_aliases(void **state)
{
	struct buf b;
	struct loaded l;
	const struct config_alias *a;

	(void)state;
	buf_init(&b, 10000);
	buf_printf(&b, "%s%s", text,
	    "alias mix { models = {\"p/x\", \"q/*\", \"*\"} route = calm }\n"
	    "alias old/id:1 { models = {\"p/x\", \"gone/x\"} retired = yes }\n"
	    "alias gone { models = {\"gone/*\"} retired = yes }\n"
	    "alias auto { models = {\"*/?\"} }\n"
	    "alias off { models = {\"r/*\"} }\n");
	loaded_text(&l, buf_str(&b));
	if (l.c == NULL)
		fail_msg("%s", buf_str(&l.errors));
	assert_string_equal(buf_str(&l.warnings), "");
	check(l.c, "mix", "p/x:0 p/x:1 q/x:0 q/q/x:0 p/big/y:0 p/big/y:1");
	assert_string_equal(l.c->routes[config_find(l.c, "mix")->route].name,
	    "calm");
	check(l.c, "old/id:1", "p/x:0 p/x:1");
	check(l.c, "any/old/id:1", "p/x:0 p/x:1");
	assert_true(config_find(l.c, "old/id:1")->retired);
	check(l.c, "gone", "");
	check(l.c, "any/mix", "none");		/* not retired */
	check(l.c, "auto", "q/x:0 p/big/y:0 p/big/y:1 p/x:0 p/x:1 q/q/x:0");
	assert_false(l.c->aliases[0].implicit);
	assert_string_equal(l.c->aliases[0].name, "auto");
	check(l.c, "off", "");
	a = config_find(l.c, "x");
	assert_true(a->implicit);
	assert_int_equal(a->route, 0);
	loaded_free(&l);
	buf_release(&b);
}

static void
test_alias_errors(void **state)
{
	(void)state;
	setenv("T_KEY", "kkkkkkkk", 1);
	loaded_fails(ONE "alias a {\nmodels = {\"q/*\"}\nroute = default }", 5,
	    "alias 'a' matches no model");
	loaded_fails(ONE "alias a { }", 4, "wants models");
	loaded_fails(ONE "alias a {\nmodels = {} }", 5, "matches no model");
	loaded_fails(ONE "alias p/m { models = {\"p/m\"} }", 4,
	    "also the name");
	loaded_fails(ONE "alias m { models = {\"p/m\"} }", 4, "also the name");
	loaded_fails(ONE "alias \"a b\" { models = {\"p/m\"} }", 4, "no name");
	loaded_fails(ONE "alias a { models = {\"p/m\"}\nroute = x }", 5,
	    "there is no route 'x'");
	unsetenv("T_KEY");
}

static void
test_pattern_without_match_is_a_warning(void **state)
{
	struct loaded l;

	(void)state;
	setenv("T_KEY", "kkkkkkkk", 1);
	loaded_text(&l, ONE "alias a { models = {\"p/m\",\n\"q/*\"} }");
	assert_non_null(l.c);
	loaded_says(&l.warnings, 4, "'q/*' matches no model");
	unsetenv("T_KEY");
	loaded_free(&l);
}

static void
test_demo(void **state)
{
	struct loaded l;
	const struct config_model *m;

	(void)state;
	unsetenv("T_KEY");
	loaded_text(&l, ONE "alias a { models = {\"p/*\"} }\n"
	    "alias old { models = {\"x/*\"} retired = yes }\n");
	check(l.c, "auto", "demo/echo:0 demo/tortoise:0");
	check(l.c, "a", "demo/echo:0 demo/tortoise:0");
	check(l.c, "old", "demo/echo:0 demo/tortoise:0");
	check(l.c, "echo", "demo/echo:0");
	check(l.c, "p/m", "");
	assert_true(l.c->providers[1].demo);
	m = &l.c->models[1];
	assert_string_equal(m->title, "Demo echo");
	assert_int_equal(m->limits.max[CONFIG_RPM], 6);
	assert_int_equal(m->limits.max[CONFIG_RPD], 200);
	assert_int_equal(m->limits.max[CONFIG_TPM], CONFIG_NONE);
	assert_true(l.c->models[2].slow);
	loaded_free(&l);

	setenv("T_KEY", "kkkkkkkk", 1);
	loaded_text(&l, ONE);
	check(l.c, "auto", "p/m:0");
	check(l.c, "demo/echo", "none");
	loaded_free(&l);
	loaded_text(&l, ONE "provider demo { }\nmodel demo/echo { rpm = 99 }");
	check(l.c, "auto", "p/m:0 demo/echo:0 demo/tortoise:0");
	assert_int_equal(l.c->models[1].limits.max[CONFIG_RPM], 99);
	loaded_free(&l);
	unsetenv("T_KEY");
}

static void
test_too_many_lanes(void **state)
{
	struct buf b;
	struct loaded l;
	int i;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_puts(&b, ACCESS "provider p { url = https://p keys = {");
	for (i = 0; i < 100; i++)
		buf_printf(&b, "key%05d,", i);
	buf_puts(&b, "} }\n");
	for (i = 0; i < 159; i++)
		buf_printf(&b, "model p/m%d { }\n", i);
	loaded_text(&l, buf_str(&b));
	assert_null(l.c);
	assert_non_null(strstr(buf_str(&l.errors), "15900 models times keys "
	    "and 101 providers, keys and clients are more than 16000"));
	assert_int_equal(loaded_lines(&l.errors), 1);
	loaded_free(&l);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lanes),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_alias_errors),
		cmocka_unit_test(test_pattern_without_match_is_a_warning),
		cmocka_unit_test(test_demo),
		cmocka_unit_test(test_too_many_lanes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
