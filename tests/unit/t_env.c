#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>


#include "../../src/env.c"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int
read_env(const char *text, struct buf *errors)
{
	buf_clear(errors);
	return env_text("e", text, strlen(text), errors);
}

static void
test_values(void **state)
{
	static const struct {
		const char *line, *value;
	} rows[] = {
		{ "T_E=abc", "abc" },
		{ "  export\tT_E = a b \t# comment", "a b" },
		{ "T_E=", "" },
		{ "T_E=   # only a comment", "" },
		{ "T_E=#abc", "#abc" },
		{ "T_E=a#b", "a#b" },
		{ "T_E=abc\r", "abc" },
		{ "T_E=$HOME `id` ${X}", "$HOME `id` ${X}" },
		{ "T_E=\"a \\\"b\\\" \\n\\\\ # c\" # d", "a \"b\" \n\\ # c" },
		{ "T_E=\"\\q\"", "\\q" },
		{ "T_E='a \\n \"b\" # c'\r", "a \\n \"b\" # c" },
		{ "\xef\xbb\xbfT_E=bom", "bom" },
		{ "T_E=a=b==", "a=b==" },
		{ "export=T_E\nT_E=x", "x" },
	};
	struct buf errors;
	size_t i;

	(void)state;
	buf_init(&errors, 10000);
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		unsetenv("T_E");
		assert_int_equal(read_env(rows[i].line, &errors), 0);
		assert_string_equal(getenv("T_E"), rows[i].value);
	}
	unsetenv("T_E");
	unsetenv("export");
	buf_release(&errors);
}

static void
test_environment_wins(void **state)
{
	struct buf errors;

	(void)state;
	buf_init(&errors, 10000);
	setenv("T_E", "", 1);
	assert_int_equal(read_env("T_E=file\nT_E2=first\nT_E2=second\n",
	    &errors), 0);
	assert_string_equal(getenv("T_E"), "");
	assert_string_equal(getenv("T_E2"), "first");
	unsetenv("T_E");
	unsetenv("T_E2");
	buf_release(&errors);
}

/* Each broken line is told by its number, none by its text. */
static void
test_broken(void **state)
{
	struct buf errors;

	(void)state;
	buf_init(&errors, 10000);
	assert_int_equal(read_env("\nsecretword\n=secretword\n1A=x\n"
	    "T_E=\"secretword\nT_F='a' secretword\nT_G=fine\nA B=c",
	    &errors), -1);
	assert_string_equal(buf_str(&errors),
	    "e:2: NAME=value is expected\n"
	    "e:3: NAME=value is expected\n"
	    "e:4: NAME=value is expected\n"
	    "e:5: the quote is not closed on this line\n"
	    "e:6: text after the closing quote\n"
	    "e:8: NAME=value is expected\n");
	assert_null(getenv("T_E"));
	assert_string_equal(getenv("T_G"), "fine");
	unsetenv("T_G");
	buf_clear(&errors);
	assert_int_equal(env_text("e", "A=b\0c", 5, &errors), -1);
	buf_release(&errors);
}

static void
test_too_long(void **state)
{
	static char text[ENV_MAX_VALUE + 100];
	struct buf errors;

	(void)state;
	buf_init(&errors, 10000);
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "T_E=", 4);
	assert_int_equal(read_env(text, &errors), -1);
	assert_string_equal(buf_str(&errors), "e:1: the value is too long\n");
	assert_null(getenv("T_E"));
	buf_release(&errors);
}

static void
test_file(void **state)
{
	char path[] = "/tmp/relevo-env-XXXXXX";
	struct buf errors;
	int fd = mkstemp(path);

	(void)state;
	buf_init(&errors, 10000);
	assert_int_equal(write(fd, "T_E=x\n", 6), 6);
	close(fd);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(env_path(path, &errors), -1);
	assert_non_null(strstr(buf_str(&errors), "chmod 600"));
	assert_null(getenv("T_E"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(env_path(path, &errors), 0);
	assert_string_equal(getenv("T_E"), "x");
	unsetenv("T_E");
	unlink(path);
	buf_clear(&errors);
	assert_int_equal(env_path(path, &errors), 0);
	assert_int_equal(env_path("/tmp", &errors), -1);
	assert_non_null(strstr(buf_str(&errors), "/tmp: Is a directory"));
	buf_release(&errors);
}

static void
put_file(const char *dir, const char *name, const char *text, size_t n)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
}

static void
test_folder(void **state)
{
	static const char *const names[] = { "T_F", "T_G", "T_H", "t-i",
	    "T_J" };
	char dir[] = "/tmp/relevo-cred-XXXXXX", path[200];
	struct buf errors;

	(void)state;
	buf_init(&errors, 10000);
	assert_non_null(mkdtemp(dir));
	put_file(dir, "T_F", "a key\n", 6);
	put_file(dir, "T_G", "", 0);
	put_file(dir, "T_H", "from the folder", 15);
	put_file(dir, "t-i", "no variable", 11);
	setenv("T_H", "was there", 1);
	assert_int_equal(env_folder(dir, &errors), 0);
	assert_string_equal(buf_str(&errors), "");
	assert_string_equal(getenv("T_F"), "a key");
	assert_string_equal(getenv("T_G"), "");
	assert_string_equal(getenv("T_H"), "was there");
	put_file(dir, "T_J", "a\0b", 3);
	assert_int_equal(env_folder(dir, &errors), -1);
	assert_non_null(strstr(buf_str(&errors), "T_J: no plain text"));
	assert_null(getenv("T_J"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
		unsetenv(names[i]);
	}
	rmdir(dir);
	assert_int_equal(env_folder(NULL, &errors), 0);
	assert_int_equal(env_folder(dir, &errors), -1);
	buf_release(&errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_environment_wins),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
