#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>


#include "../../src/config_load.c"
#include "loaded.h"

/* Everything that is wrong is told at once, whatever part finds it. */
static void
test_all_errors_at_once(void **state)
{
	struct loaded l;

	(void)state;
	loaded_dir(&l);
	loaded_write(l.dir, ".env", "T_FINE=1\nbroken\n", 0600);
	loaded_write(l.dir, "c", "server { max-body = x\n}\n"
	    "route { strategy = luck }\n"
	    "provider p { url = ftp://x\n	colour = red }\n"
	    "model q/m { }\n"
	    "alias a { models = {\"zz\"} }\n"
	    "client c { }\n"
	    "provider open { url = https://x\n", 0600);
	loaded_read(&l);
	assert_null(l.c);
	assert_non_null(strstr(buf_str(&l.errors), "/.env:2: "));
	loaded_says(&l.errors, 1, "access is not set");
	loaded_says(&l.errors, 1, "max-body = x");
	loaded_says(&l.errors, 3, "strategy = luck");
	loaded_says(&l.errors, 4, "the url must begin");
	loaded_says(&l.errors, 5, "'colour' is no option");
	loaded_says(&l.errors, 6, "there is no provider 'q'");
	loaded_says(&l.errors, 7, "alias 'a' matches no model");
	loaded_says(&l.errors, 8, "client 'c' has no token");
	loaded_says(&l.errors, 9, "is not closed");
	assert_int_equal(loaded_lines(&l.errors), 10);
	unsetenv("T_FINE");
	loaded_free(&l);
}

static void
test_unreadable(void **state)
{
	struct loaded l;

	(void)state;
	loaded_dir(&l);
	loaded_read(&l);
	assert_null(l.c);
	assert_non_null(strstr(buf_str(&l.errors),
	    "/c: No such file or directory"));
	assert_int_equal(loaded_lines(&l.errors), 1);
	assert_int_equal(mkdir(l.path, 0700), 0);
	loaded_read(&l);
	assert_null(l.c);
	assert_non_null(strstr(buf_str(&l.errors), "/c: Is a directory"));
	assert_null(config_load("", &l.errors, NULL));
	assert_null(config_load("/", &l.errors, NULL));
	loaded_free(&l);
}

/* .env beside the file feeds ${NAME}; what is set already wins. */
static void
test_dotenv(void **state)
{
	struct loaded l;

	(void)state;
	unsetenv("T_KEY");
	loaded_dir(&l);
	loaded_write(l.dir, ".env", "T_KEY='from-dotenv'\n", 0600);
	loaded_write(l.dir, "c", ONE, 0644);
	loaded_read(&l);
	assert_non_null(l.c);
	assert_string_equal(l.c->providers[0].keys[0].secret, "from-dotenv");
	loaded_write(l.dir, ".env", "T_KEY='changed-since'\n", 0600);
	loaded_read(&l);
	assert_string_equal(l.c->providers[0].keys[0].secret, "from-dotenv");
	loaded_write(l.dir, ".env", "", 0640);
	loaded_read(&l);
	assert_true((l.c != NULL) == (geteuid() == 0));
	loaded_write(l.dir, ".env", "", 0604);
	loaded_read(&l);
	assert_null(l.c);
	assert_non_null(strstr(buf_str(&l.errors), "chmod 600"));
	unsetenv("T_KEY");
	loaded_free(&l);
}

/* A file with a secret of its own must be closed; others need not be. */
static void
test_exposed(void **state)
{
	static const struct {
		const char *text;
		bool secret;
	} rows[] = {
		{ ONE, false },
		{ ACCESS "provider p { url = https://p key = literal1 }",
		    true },
		{ ACCESS "provider p { url = https://p key = ${A:-lit1} }",
		    true },
		{ ACCESS "provider p { url = https://p keys = {${A}, b} }",
		    true },
		{ ACCESS "provider p { url = https://p key-needed = no\n"
		    "headers = {\"Authorization: Basic eHh4\"} }", true },
		{ ACCESS "provider p { url = https://p key-needed = no\n"
		    "headers = {\"X-Api-Key: eHh4\"} }", true },
		{ ACCESS "provider p { url = https://p key-needed = no\n"
		    "headers = {\"Cookie: s=${A}1\"} }", true },
		{ ACCESS "provider p { url = https://p key-needed = no\n"
		    "headers = {'X-Token: ${A}'} }", true },
		{ ACCESS "provider p { url = https://p key-needed = no\n"
		    "headers = {\"X-Api-Key: ${A}\"} }", false },
		{ ACCESS "provider p { url = https://p key-needed = no\n"
		    "headers = {\"X-Title: a key: ours\"} }", false },
		{ "server { access = open proxy = \"http://u:p@h\" }", true },
		{ "server { access = open proxy = \"http://h\" }", false },
	};
	struct loaded l;
	size_t i;

	(void)state;
	loaded_dir(&l);
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		loaded_write(l.dir, "c", rows[i].text, 0644);
		loaded_read(&l);
		if ((l.c == NULL) != rows[i].secret)
			fail_msg("%s\n%s", rows[i].text, buf_str(&l.errors));
		if (rows[i].secret)
			assert_non_null(strstr(buf_str(&l.errors),
			    "chmod 600"));
		loaded_write(l.dir, "c", rows[i].text, 0600);
		loaded_read(&l);
		assert_non_null(l.c);
	}
	/* The file that holds it is the one that counts. */
	loaded_write(l.dir, "keys", "provider p { url = https://p "
	    "key = literal1 }", 0600);
	loaded_write(l.dir, "c", ACCESS "include(\"keys\")", 0644);
	loaded_read(&l);
	assert_non_null(l.c);
	loaded_write(l.dir, "keys", "provider p { url = https://p "
	    "key = literal1 }", 0644);
	loaded_read(&l);
	assert_null(l.c);
	assert_non_null(strstr(buf_str(&l.errors), "/keys:1: "));
	loaded_free(&l);
}

static void
test_provider_without_model(void **state)
{
	struct loaded l;

	(void)state;
	loaded_text(&l, ACCESS "provider p { url = https://p key = kkkkkkkk }");
	assert_non_null(l.c);
	loaded_says(&l.warnings, 2, "provider 'p' has no model");
	loaded_free(&l);
}

/* A path without a folder, and state, ca-path and .env beside it. */
static void
test_relative_path(void **state)
{
	struct loaded l;
	char old[1000], want[120];

	(void)state;
	loaded_text(&l, "server { access = open state = var/s ca-path = ca }");
	assert_null(l.c);		/* no ca yet */
	loaded_write(l.dir, "ca", "", 0644);
	assert_non_null(getcwd(old, sizeof(old)));
	assert_int_equal(chdir(l.dir), 0);
	strcpy(l.path, "c");
	loaded_read(&l);
	assert_int_equal(chdir(old), 0);
	assert_non_null(l.c);
	snprintf(want, sizeof(want), "%s/var/s", l.dir);
	assert_string_equal(l.c->state, want);
	snprintf(want, sizeof(want), "%s/ca", l.dir);
	assert_string_equal(l.c->ca_path, want);
	loaded_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_errors_at_once),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_dotenv),
		cmocka_unit_test(test_exposed),
		cmocka_unit_test(test_provider_without_model),
		cmocka_unit_test(test_relative_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
