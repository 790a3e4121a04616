#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>


#include "../../src/parse.c"
#include "loaded.h"

static const char *const options[] = { "s", "b", "i", "d", "z", "w", "l",
    NULL };
static const struct parse_spec specs[] = {
	{ "one", PARSE_UNTITLED, options },
	{ "many", PARSE_TITLED, options },
	{ "any", PARSE_EITHER, options },
};
static const char *const words[] = { "red", "green" };

static int
read_text(struct loaded *l, struct parse *p, const char *text)
{
	loaded_dir(l);
	loaded_write(l->dir, "c", text, 0600);
	return parse_path(p, l->path, specs, 3, &l->errors, &l->warnings);
}

static void
done(struct loaded *l, struct parse *p)
{
	parse_release(p);
	loaded_free(l);
}

static void
test_values(void **state)
{
	struct loaded l;
	struct parse p;
	const struct scan_section *sec;
	char **list;
	size_t i = 0;

	(void)state;
	setenv("T_X", "from env", 1);
	unsetenv("T_Y");
	assert_int_equal(read_text(&l, &p, "one { s = \"${T_X} \\\"\\$\\\\\""
	    " b = yes i = 12 d = 1500ms z = 2K w = green\n"
	    "l = {a, 'b \"c\\d', ${T_Y}, ${T_Y:-dflt}, \"${T_X}/v1\"} }\n"
	    "many t { } any { } any u { }"), 0);
	sec = parse_each(&p, "one", &i);
	assert_non_null(sec);
	assert_string_equal(parse_str(&p, sec, "s", ""), "from env \"$\\");
	assert_true(parse_bool(&p, sec, "b", false));
	assert_int_equal(parse_int(&p, sec, "i", 0, 20, 1), 12);
	assert_int_equal(parse_ms(&p, sec, "d", 0, 2000, 1), 1500);
	assert_int_equal(parse_size(&p, sec, "z", 0, 4096, 1), 2048);
	assert_int_equal(parse_word(&p, sec, "w", words, 2, 0), 1);
	list = parse_list(&p, sec, "l");
	assert_string_equal(list[0], "a");
	assert_string_equal(list[1], "b \"c\\d");
	assert_string_equal(list[2], "");
	assert_string_equal(list[3], "dflt");
	assert_string_equal(list[4], "from env/v1");
	assert_null(list[5]);
	parse_list_free(list);
	assert_null(parse_each(&p, "one", &i));
	assert_int_equal(parse_count(&p, "any"), 2);
	assert_int_equal(p.scan.nerrors, 0);
	unsetenv("T_X");
	done(&l, &p);
}

static void
test_defaults(void **state)
{
	struct loaded l;
	struct parse p;
	size_t i = 0;
	const struct scan_section *sec;

	(void)state;
	assert_int_equal(read_text(&l, &p, "one { }"), 0);
	for (sec = parse_each(&p, "one", &i);; sec = NULL) {
		assert_null(parse_str(&p, sec, "s", NULL));
		assert_true(parse_bool(&p, sec, "b", true));
		assert_int_equal(parse_int(&p, sec, "i", 0, 20, -1), -1);
		assert_int_equal(parse_ms(&p, sec, "d", 1, 2000, 7), 7);
		assert_null(parse_list(&p, sec, "l"));
		if (sec == NULL)
			break;
	}
	done(&l, &p);
}

static void
test_bad_values(void **state)
{
	static const char *const bad[] = {
		"b = maybe", "b = YES", "b = {yes}", "b = \"\"",
		"i = -1", "i = 1.5", "i = 0x1", "i = 1_000", "i = 21",
		"i = 18446744073709551616", "i = \"\"", "i = {1}",
		"d = 10", "d = 0s", "d = 3s", "d = -1s", "d = 1x", "d = s",
		"z = 8M", "z = 1T", "z = x", "w = blue", "w = \"\"",
		"s = {a, b}", "s = {}",
	};
	struct loaded l;
	struct parse p;
	char text[100];
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const struct scan_section *sec;

		snprintf(text, sizeof(text), "one {\n%s }", bad[i]);
		assert_int_equal(read_text(&l, &p, text), 0);
		k = 0;
		sec = parse_each(&p, "one", &k);
		assert_null(parse_str(&p, sec, "s", NULL));
		assert_true(parse_bool(&p, sec, "b", true));
		assert_int_equal(parse_int(&p, sec, "i", 2, 20, 3), 3);
		assert_int_equal(parse_ms(&p, sec, "d", 1, 2000, 7), 7);
		assert_int_equal(parse_size(&p, sec, "z", 1, 4096, 9), 9);
		assert_int_equal(parse_word(&p, sec, "w", words, 2, 1), 1);
		if (p.scan.nerrors != 1)
			fail_msg("%s: %s", bad[i], buf_str(&l.errors));
		assert_non_null(strstr(buf_str(&l.errors), "/c:2: "));
		done(&l, &p);
	}
}

/* Errors of all kinds in one file: each is told, once. */
static void
test_names(void **state)
{
	struct loaded l;
	struct parse p;

	(void)state;
	assert_int_equal(read_text(&l, &p, "one { nope = 1\nalso = {2} }\n"
	    "other { s = 1 }\none { }\nmany { }\none x { }\nmany t { }\n"
	    "many t { }\nany { }\nany { }\n"
	    "many u { s = \"a\x01" "b\" }\n"), -1);
	loaded_says(&l.errors, 1, "'nope' is no option of a one section");
	loaded_says(&l.errors, 2, "'also' is no option");
	loaded_says(&l.errors, 3, "'other' is no section");
	loaded_says(&l.errors, 4, "section 'one' is there twice");
	loaded_says(&l.errors, 5, "section 'many' wants a name");
	loaded_says(&l.errors, 6, "section 'one' has no name");
	loaded_says(&l.errors, 8, "section 'many t' is there twice");
	loaded_says(&l.errors, 10, "section 'any' is there twice");
	loaded_says(&l.errors, 11, "'s' holds a control byte");
	assert_int_equal(loaded_lines(&l.errors), 9);
	assert_int_equal(parse_count(&p, "many"), 2);
	done(&l, &p);
}

/* A value from the environment is data: it cannot open a section. */
static void
test_environment_is_data(void **state)
{
	struct loaded l;
	struct parse p;
	const struct scan_section *sec;
	size_t i = 0;

	(void)state;
	setenv("T_X", "a\" } many evil { s = \"", 1);
	assert_int_equal(read_text(&l, &p, "one { s = ${T_X}\n"
	    "l = {\"${T_X}\"} }"), 0);
	sec = parse_each(&p, "one", &i);
	assert_string_equal(parse_str(&p, sec, "s", ""), getenv("T_X"));
	assert_string_equal(parse_find(sec, "l")->value[0], getenv("T_X"));
	assert_int_equal(parse_count(&p, "many"), 0);
	done(&l, &p);
	setenv("T_X", "line\nbreak", 1);
	assert_int_equal(read_text(&l, &p, "one { s = ${T_X} }"), -1);
	loaded_says(&l.errors, 1, "'s' holds a control byte");
	done(&l, &p);
	unsetenv("T_X");
}

/* What is refused is told by its section, and hides none of the others; what
 * would be two values where one was read moves none that comes after it. */
static void
test_refused(void **state)
{
	static const char *const raws[] = { "}", "1, 2", "{" };
	static const char text[] = "many t { s = a }\nmany u { s = b }\n"
	    "many v { s = c l = {d, 'e'} }\nmany w { l = {} }\n";
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(raws) / sizeof(*raws); i++) {
		struct loaded l;
		struct parse p = { .warnings = NULL };
		const struct scan_section *sec;

		loaded_dir(&l);
		scan_init(&p.scan, &l.errors);
		assert_int_equal(scan_text(&p.scan, "c", text,
		    sizeof(text) - 1), 0);
		free(p.scan.sections[1].options[0].raw[0]);
		p.scan.sections[1].options[0].raw[0] = strdup(raws[i]);
		read_sections(&p, p.scan.sections, p.scan.nsections);
		assert_string_equal(buf_str(&l.errors), "c:2: the values of "
		    "section 'many' cannot be read\n");
		k = 0;
		sec = parse_each(&p, "many", &k);
		assert_string_equal(parse_str(&p, sec, "s", ""), "a");
		sec = parse_each(&p, "many", &k);
		assert_string_equal(parse_str(&p, sec, "s", ""), "c");
		assert_string_equal(parse_find(sec, "l")->value[0], "d");
		assert_string_equal(parse_find(sec, "l")->value[1], "e");
		sec = parse_each(&p, "many", &k);
		assert_null(parse_find(sec, "l")->value[0]);
		assert_null(parse_each(&p, "many", &k));
		done(&l, &p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_environment_is_data),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
