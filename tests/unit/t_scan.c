#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>


#include "../../src/scan.c"
#include "loaded.h"

static struct buf errors;

static int
setup(void **state)
{
	(void)state;
	buf_init(&errors, 100000);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_release(&errors);
	return 0;
}

static void
test_sections(void **state)
{
	static const char text[] =
	    "server { a = 1 b = \"x y\" } # c\n"
	    "model p/q-1:free/x@1 {\n"
	    "	list = {one, \"two\",\n"
	    "	    '3',} empty = {}\n"
	    "}\n"
	    "route {}alias \"a b\" {x={y}}";
	struct scan s;

	(void)state;
	scan_init(&s, &errors);
	assert_int_equal(scan_text(&s, "f", text, strlen(text)), 0);
	assert_int_equal(s.nsections, 4);
	assert_string_equal(s.sections[0].kind, "server");
	assert_null(s.sections[0].title);
	assert_string_equal(s.sections[0].options[1].raw[0], "\"x y\"");
	assert_string_equal(s.sections[1].title, "p/q-1:free/x@1");
	assert_int_equal(s.sections[1].line, 2);
	assert_int_equal(s.sections[1].options[0].n, 3);
	assert_int_equal(s.sections[1].options[0].line, 3);
	assert_string_equal(s.sections[1].options[0].raw[2], "'3'");
	assert_int_equal(s.sections[1].options[1].n, 0);
	assert_true(s.sections[1].options[1].list);
	assert_string_equal(s.sections[3].title, "a b");
	assert_true(s.sections[3].options[0].list);
	scan_release(&s);
}

/* Every broken place is told with its line, and what follows is read. */
static void
test_errors(void **state)
{
	static const struct {
		const char *text, *errors;
		size_t sections, options;	/* options of the last one */
	} rows[] = {
		{ "a {", "f:1: section 'a' is not closed by a }\n", 1, 0 },
		{ "\na b {\nx = 1\nc { y = 2 }",
		    "f:2: section 'a b' is not closed by a }\n", 2, 1 },
		{ "a {\nx = 1\nc d {\n}",
		    "f:1: section 'a' is not closed by a }\n", 2, 0 },
		{ "a { x = \"1 }\nb { y = 1 }",
		    "f:1: a string is not closed on its line\n"
		    "f:1: section 'a' is not closed by a }\n", 2, 1 },
		{ "a { /* }\nb { y = 1 }",
		    "f:1: a comment begins here and never ends\n"
		    "f:1: section 'a' is not closed by a }\n", 2, 1 },
		{ "} a { x = 1 }", "f:1: this } closes nothing\n", 1, 1 },
		{ "a { x }", "f:1: 'x' wants a = and a value\n", 1, 0 },
		{ "a { x = }", "f:1: 'x' has no value\n", 1, 0 },
		{ "a {\nx = ,\ny = 1 }", "f:2: 'x' has no value\n", 1, 1 },
		{ "a { x = 1\nx = 2 }",
		    "f:2: 'x' is given twice (also in line 1)\n", 1, 1 },
		{ "a { x = {1 2}\ny = 1 }", "f:1: the list of 'x' wants "
		    "values with commas between and a } at its end\n", 1, 1 },
		{ "a { x = {,}\ny = 1 }", "f:1: the list of 'x' wants "
		    "values with commas between and a } at its end\n", 1, 1 },
		{ "a { x = {1", "f:1: the list of 'x' wants values with "
		    "commas between and a } at its end\n"
		    "f:1: section 'a' is not closed by a }\n", 1, 0 },
		{ "a b c {\n}", "f:1: 'a' wants a { here\n"
		    "f:2: this } closes nothing\n", 0, 0 },
		{ "a", "f:1: 'a' wants a { here\n", 0, 0 },
		{ "\"a\" { }", "f:1: a section's name was expected\n", 0, 0 },
		{ "a ${X} { }", "f:1: a section's name can hold no ${} and "
		    "no backslash\n", 1, 0 },
		{ "a { x += {1} }", "f:1: this text must stand in quotes (it "
		    "holds one of # \" ' $ * + or a control byte)\n"
		    "f:1: section 'a' is not closed by a }\n", 1, 0 },
		{ "a { x = p/*\ny = 1 }", "f:1: this text must stand in "
		    "quotes (it holds one of # \" ' $ * + or a control byte)"
		    "\n", 1, 1 },
		{ "include(x)", "f:1: include wants one file name: "
		    "include(\"more.conf\")\n", 0, 0 },
		{ "include \"x\"", "f:1: include wants one file name: "
		    "include(\"more.conf\")\n", 0, 0 },
		{ "include(\"/dev/null\")", "f:1: include: /dev/null: no "
		    "plain text in UTF-8\n", 0, 0 },
		{ "include(\"/nonexistent/x\")\na { x = 1 }", "f:1: include: "
		    "/nonexistent/x: No such file or directory\n", 1, 1 },
	};
	struct scan s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		buf_clear(&errors);
		scan_init(&s, &errors);
		assert_int_equal(scan_text(&s, "f", rows[i].text,
		    strlen(rows[i].text)), -1);
		if (strcmp(buf_str(&errors), rows[i].errors) != 0)
			fail_msg("%s\n%s", rows[i].text, buf_str(&errors));
		assert_int_equal(s.nsections, rows[i].sections);
		if (s.nsections != 0)
			assert_int_equal(
			    s.sections[s.nsections - 1].noptions,
			    rows[i].options);
		scan_release(&s);
	}
	scan_init(&s, &errors);
	assert_int_equal(scan_text(&s, "f", "a\0b", 3), -1);
	scan_release(&s);
}

/* Foreign bytes cannot begin a line of their own in the report. */
static void
test_message_is_one_line(void **state)
{
	struct scan s;

	(void)state;
	buf_clear(&errors);
	scan_init(&s, &errors);
	scan_error(&s, "f", 3, "a\nb\x1b[31m%s", "\r");
	assert_string_equal(buf_str(&errors), "f:3: a?b?[31m?\n");
	scan_release(&s);
}

static void
test_limits(void **state)
{
	struct buf text;
	struct scan s;
	int i;

	(void)state;
	buf_clear(&errors);
	buf_init(&text, 1 << 20);
	for (i = 0; i < SCAN_MAX_SECTIONS + 10; i++)
		buf_printf(&text, "m a/%d { }\n", i);
	scan_init(&s, &errors);
	assert_int_equal(scan_text(&s, "f", text.data, text.len), -1);
	assert_int_equal(s.nsections, SCAN_MAX_SECTIONS);
	assert_int_equal(loaded_lines(&errors), 1);
	scan_release(&s);
	buf_clear(&text);
	for (i = 0; i < 1000; i++)
		buf_puts(&text, "}\n");
	buf_clear(&errors);
	scan_init(&s, &errors);
	assert_int_equal(scan_text(&s, "f", text.data, text.len), -1);
	assert_int_equal(loaded_lines(&errors), SCAN_MAX_ERRORS);
	assert_int_equal(s.nerrors, 1000);
	scan_release(&s);
	buf_release(&text);
}

static void
test_include(void **state)
{
	struct loaded l;
	struct scan s;
	char path[100], text[8192];
	size_t i;

	(void)state;
	loaded_dir(&l);
	snprintf(path, sizeof(path), "%s/sub", l.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	loaded_write(l.dir, "c", "a 1 { }\ninclude(\"sub/d\")\na 4 { }", 0600);
	loaded_write(l.dir, "sub/d", "a 2 { }\ninclude(\"e\")\n", 0600);
	loaded_write(l.dir, "sub/e", "a 3 { }", 0644);
	scan_init(&s, &l.errors);
	assert_int_equal(scan_path(&s, l.path), 0);
	assert_int_equal(s.nsections, 4);
	assert_string_equal(s.sections[2].title, "3");
	assert_int_equal(s.sections[2].file->owner.mode & 0777, 0644);
	assert_string_equal(s.sections[3].title, "4");
	assert_int_equal(s.sections[3].line, 3);
	scan_release(&s);

	/* A file that includes itself ends after eight. */
	loaded_write(l.dir, "c", "a 1 { }\ninclude(\"c\")\n", 0600);
	assert_int_equal(scan_path(&s, l.path), -1);
	assert_int_equal(s.nfiles, SCAN_MAX_DEPTH);
	loaded_says(&l.errors, 2, "more than 8 deep");
	scan_release(&s);

	/* And if it does so eight times, not after 8^8. */
	buf_clear(&l.errors);
	scan_init(&s, &l.errors);
#define INCLUDE	"include(\"d\")\n"
#define TWICE	"include(\"c\")\ninclude(\"c\")\n"
	loaded_write(l.dir, "c", TWICE TWICE TWICE TWICE, 0600);
	assert_int_equal(scan_path(&s, l.path), -1);
	assert_int_equal(s.nfiles, SCAN_MAX_FILES);
	scan_release(&s);

	/* What is too much is said once. */
	buf_clear(&l.errors);
	scan_init(&s, &l.errors);
	for (i = 0; i < SCAN_MAX_FILES + 9; i++)
		strcpy(text + i * strlen(INCLUDE), INCLUDE);
	loaded_write(l.dir, "c", text, 0600);
	loaded_write(l.dir, "d", "", 0600);
	assert_int_equal(scan_path(&s, l.path), -1);
	assert_int_equal(loaded_lines(&l.errors), 1);
	loaded_says(&l.errors, SCAN_MAX_FILES, "more than 256 files in all");
	scan_release(&s);
	loaded_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_message_is_one_line),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_include),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
