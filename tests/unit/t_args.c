#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/args.c"

static const struct args_row row = {
	"look", "[PLACE]", "looks", "Text.\n",
	{ { "--deep", "N", "how deep (0)", false },
	  { "-n", "COUNT", "how often", false },
	  { "--json", NULL, "for programs", false } }
};

static const struct args_row strict = {
	"make it", "NAME", "makes", NULL,
	{ { "--at", "PATH", "where", true } }
};

/* The words of a line, split at blanks; "_" is an empty one. */
static int
read_line(struct args *a, const struct args_row *r, const char *line,
    char why[256])
{
	static char words[256];
	char *argv[16], *save;
	struct buf out;
	int n = 0, rc;

	assert_true(strlen(line) < sizeof(words));
	strcpy(words, line);
	for (char *w = strtok_r(words, " ", &save); w != NULL && n < 16;
	    w = strtok_r(NULL, " ", &save))
		argv[n++] = strcmp(w, "_") == 0 ? w + 1 : w;
	buf_init(&out, 1024);
	rc = args_read(a, r, n, argv, &out);
	strcpy(why, buf_str(&out));
	buf_release(&out);
	return rc;
}

static void
assert_word(const char *is, const char *wanted)
{
	if (wanted == NULL)
		assert_null(is);
	else
		assert_string_equal(is, wanted);
}

static void
test_read(void **state)
{
	static const struct {
		const char *line, *deep, *n, *json, *operand;
	} rows[] = {
		{ "", NULL, NULL, NULL, NULL },
		{ "here", NULL, NULL, NULL, "here" },
		{ "--json here", NULL, NULL, "", "here" },
		{ "here --json", NULL, NULL, "", "here" },
		{ "--deep 3 --json", "3", NULL, "", NULL },
		{ "--deep=3 here -n 4", "3", "4", NULL, "here" },
		{ "-n4", NULL, "4", NULL, NULL },
		{ "--deep 3 --deep 4", "4", NULL, NULL, NULL },
		{ "--deep --json", "--json", NULL, NULL, NULL },
		{ "-- --json", NULL, NULL, NULL, "--json" },
		{ "--json -- -h", NULL, NULL, "", "-h" },
		{ "-", NULL, NULL, NULL, "-" },
		{ "_", NULL, NULL, NULL, "" },
		{ "--", NULL, NULL, NULL, NULL },
	};
	struct args a;
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (read_line(&a, &row, rows[i].line, why) != 0)
			fail_msg("%s: %s", rows[i].line, why);
		assert_false(a.help);
		assert_string_equal(why, "");
		assert_word(args_value(&a, "--deep"), rows[i].deep);
		assert_word(args_value(&a, "-n"), rows[i].n);
		assert_word(args_value(&a, "--json"), rows[i].json);
		assert_word(a.operand, rows[i].operand);
		assert_null(args_value(&a, "--other"));
	}
}

static void
test_wrong(void **state)
{
	static const struct {
		const struct args_row *row;
		const char *line, *why;
	} rows[] = {
		{ &row, "--josn", "look has no option --josn; is --json" },
		{ &row, "--jsonx", "look has no option --jsonx; is --json" },
		{ &row, "-x", "look has no option -x" },
		{ &row, "--deeper 3", "look has no option --deeper" },
		{ &row, "--json=", "--json takes no value" },
		{ &row, "--json=yes", "--json takes no value" },
		{ &row, "--deep", "--deep wants a value: --deep N" },
		{ &row, "--deep=", "--deep wants a value: --deep N" },
		{ &row, "--deep _", "--deep wants a value: --deep N" },
		{ &row, "-n", "-n wants a value: -n COUNT" },
		{ &row, "a b", "look takes one argument, and \"b\" is" },
		{ &strict, "x", "make it wants --at PATH" },
		{ &strict, "--at y", "make it wants a NAME" },
		{ &strict, "--at y --", "make it wants a NAME" },
	};
	struct args a;
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(read_line(&a, rows[i].row, rows[i].line, why),
		    -1);
		if (strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
			fail_msg("%s: %s", rows[i].line, why);
	}
	assert_int_equal(read_line(&a, &strict, "--at y z", why), 0);
}

/* Whatever else is wrong, who asks for help gets it. */
static void
test_help(void **state)
{
	static const char *const lines[] = { "--help", "-h", "--json -h",
	    "--nonsense --help", "a b --help", "--deep --help" };
	struct args a;
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		assert_int_equal(read_line(&a, &row, lines[i], why), 0);
		assert_true(a.help);
	}
}

static void
test_text(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	args_usage(&row, &out);
	assert_string_equal(buf_str(&out),
	    "look [--deep N] [-n COUNT] [--json] [PLACE]");
	buf_clear(&out);
	args_usage(&strict, &out);
	assert_string_equal(buf_str(&out), "make it --at PATH NAME");
	buf_clear(&out);
	args_help(&row, &out);
	assert_string_equal(buf_str(&out),
	    "  --deep N         how deep (0)\n"
	    "  -n COUNT         how often\n"
	    "  --json           for programs\n"
	    "  --config FILE    the configuration\n"
	    "  -h, --help       this\n"
	    "\nText.\n");
	buf_release(&out);
}

static void
test_near(void **state)
{
	static const char *const near[][2] = {
		{ "chek", "check" }, { "cehck", "check" },
		{ "checkk", "check" }, { "model", "models" },
		{ "mod", "models" }, { "ver", "version" },
		{ "explian", "explain" }, { "--josn", "--json" },
		{ "uasge", "usage" }, { "--conf", "--config" },
	}, *const far[][2] = {
		{ "", "check" }, { "-x", "-d" }, { "c", "check" },
		{ "dance", "check" }, { "start", "state" }, { "tip", "usage" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "check" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(near) / sizeof(*near); i++)
		if (!args_near(near[i][0], near[i][1]))
			fail_msg("%s is near %s", near[i][0], near[i][1]);
	for (size_t i = 0; i < sizeof(far) / sizeof(*far); i++)
		if (args_near(far[i][0], far[i][1]))
			fail_msg("%s is far from %s", far[i][0], far[i][1]);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read), cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_help), cmocka_unit_test(test_text),
		cmocka_unit_test(test_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
