#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/log.c"

#include "../fuzz/forget.h"

#include <fcntl.h>

/* What a test logs goes to a file; taken() gives it back. */
static char got[4 * LINE];
static int file = -1, old = -1;

static int
begin(void **state)
{
	(void)state;
	file = open("/tmp", O_TMPFILE | O_RDWR | O_APPEND, 0600);
	old = dup(STDERR_FILENO);
	if (file < 0 || old < 0 || dup2(file, STDERR_FILENO) < 0)
		return -1;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	dup2(old, STDERR_FILENO);
	close(old);
	close(file);
	forget();
	log_level(LOG_INFO);
	sink = UNKNOWN;
	return 0;
}

static const char *
taken(void)
{
	ssize_t n = pread(file, got, sizeof(got) - 1, 0);

	assert_true(n >= 0);
	got[n] = '\0';
	assert_int_equal(ftruncate(file, 0), 0);
	return got;
}

/* The line after its time, which has a fixed width. */
static const char *
untimed(const char *text)
{
	assert_memory_equal(text, "{\"time\":\"20", 11);
	assert_memory_equal(text + 29, "\",\"level\"", 9);
	return text + 31;
}

static void
writes_one_object_a_line(void **state)
{
	(void)state;
	errno = 77;
	log_msg(LOG_WARN, "config", "no key for %s", "groq");
	assert_int_equal(errno, 77);
	assert_string_equal(untimed(taken()), "\"level\":\"warn\","
	    "\"event\":\"config\",\"message\":\"no key for groq\"}\n");
}

static void
drops_what_is_below_the_level(void **state)
{
	(void)state;
	log_msg(LOG_DEBUG, "x", "y");
	log_open(LOG_DEBUG, "x");
	log_str("a", "b");
	log_int("c", 1);
	log_close();
	log_close();
	assert_string_equal(taken(), "");
	log_level(LOG_ERROR);
	log_msg(LOG_WARN, "x", "y");
	assert_string_equal(taken(), "");
	log_level(LOG_DEBUG);
	log_msg(LOG_DEBUG, "x", "y");
	assert_non_null(strstr(taken(), "\"level\":\"debug\""));
}

static void
builds_a_line(void **state)
{
	(void)state;
	log_open(LOG_INFO, "request");
	log_str("id", "req_1");
	log_str("left out", NULL);
	log_int("ms", -12);
	log_int("big", INT64_MIN);
	log_str("model", "a\"b");
	log_close();
	assert_string_equal(untimed(taken()), "\"level\":\"info\","
	    "\"event\":\"request\",\"id\":\"req_1\",\"ms\":-12,"
	    "\"big\":-9223372036854775808,\"model\":\"a\\\"b\"}\n");
	log_str("after", "the close");
	log_close();
	assert_string_equal(taken(), "");
}

static void
escapes_foreign_bytes(void **state)
{
	(void)state;
	log_msg(LOG_ERROR, "e", "%s", "a\n{\"level\":\x1b[2J\xff");
	assert_string_equal(untimed(taken()), "\"level\":\"error\","
	    "\"event\":\"e\",\"message\":"
	    "\"a\\n{\\\"level\\\":\\u001b[2J\xef\xbf\xbd\"}\n");
}

static void
cuts_to_4_kib_at_a_character(void **state)
{
	static char text[10000];
	const char *line_text;
	size_t i;

	(void)state;
	for (i = 0; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	log_msg(LOG_ERROR, "e", "%s", text);
	line_text = taken();
	assert_in_range(strlen(line_text), 3000, 4096);
	assert_string_equal(line_text + strlen(line_text) - 6,
	    "\xe2\x82\xac\"}\n");
	assert_null(strstr(line_text, "\xef\xbf\xbd"));
	memset(text, 1, sizeof(text) - 1);
	log_msg(LOG_ERROR, "e", "%s", text);
	line_text = taken();
	assert_in_range(strlen(line_text), 3000, 4096);
	assert_string_equal(line_text + strlen(line_text) - 9,
	    "\\u0001\"}\n");
}

static void
a_full_line_leaves_members_out(void **state)
{
	static char text[5000];
	const char *line_text;
	int i;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	log_open(LOG_INFO, "e");
	log_str("long", text);
	for (i = 0; i < 1000; i++) {
		log_int("n", i);
		log_str("s", "v");
	}
	log_close();
	line_text = taken();
	assert_in_range(strlen(line_text), 3000, 4096);
	assert_string_equal(line_text + strlen(line_text) - 2, "}\n");
	assert_int_equal(strchr(line_text, '\n') - line_text,
	    strlen(line_text) - 1);
}

static void
secrets_are_blanked(void **state)
{
	(void)state;
	assert_int_equal(log_secret("short"), -1);
	assert_int_equal(log_secret("1234567"), -1);
	assert_int_equal(log_secret("gsk_abcdefgh"), 0);
	assert_int_equal(log_secret("gsk_abcdefgh"), 0);
	assert_int_equal(secret_count, 1);
	log_msg(LOG_ERROR, "e", "short [gsk_abcdefgh] gsk_abcdefg %s",
	    "gsk_abcdefghgsk_abcdefgh");
	assert_non_null(strstr(taken(), "\"short [************] "
	    "gsk_abcdefg ************************\""));
}

static void
a_secret_at_the_cut_is_blanked(void **state)
{
	char text[5000];
	size_t i;

	(void)state;
	assert_int_equal(log_secret("canary-0123456789-canary"), 0);
	for (i = 3900; i < 4096; i++) {
		memset(text, 'x', i);
		strcpy(text + i, "canary-0123456789-canary and more");
		log_msg(LOG_ERROR, "e", "%s", text);
		assert_null(strstr(taken(), "canary"));
	}
}

static void
overlapping_secrets_all_go(void **state)
{
	char text[] = "<abcdefghijklmnop><ghijklmnopqrst>";

	(void)state;
	log_secret("abcdefgh");
	log_secret("abcdefghijkl");
	log_secret("ghijklmnop");
	log_secret("jklmnopqrst");
	log_redact(text, strlen(text));
	assert_string_equal(text, "<****************><**************>");
	log_redact(text, 0);
}

static void
a_secret_cut_by_the_end_goes_too(void **state)
{
	char text[] = "bad key gsk_abcdefg", less[] = "bad key gsk_abc",
	    inside[] = "gsk_abcdefg is no key";

	(void)state;
	log_secret("gsk_abcdefgh");
	log_redact(text, strlen(text));
	assert_string_equal(text, "bad key ***********");
	log_redact(less, strlen(less));
	assert_string_equal(less, "bad key gsk_abc");
	log_redact(inside, strlen(inside));
	assert_string_equal(inside, "gsk_abcdefg is no key");
}

static void
a_secret_is_found_in_a_url(void **state)
{
	char text[] = "/x?k=ab%2Fcd%2B12%3D%3D&k=ab%2fcd%2b12%3d%3d ab/cd+12==";

	(void)state;
	log_secret("ab/cd+12==");
	log_redact(text, strlen(text));
	assert_string_equal(text, "/x?k=******************&k="
	    "****************** **********");
}

static void
a_secret_is_copied_and_may_need_escapes(void **state)
{
	char secret[] = "pass\"word\\\n";

	(void)state;
	assert_int_equal(log_secret(secret), 0);
	memset(secret, 'x', 8);
	log_msg(LOG_ERROR, "e", "%s", "[pass\"word\\\n]");
	assert_non_null(strstr(taken(), "\"[***********]\""));
}

static bool
take_line(void *arg, const char *p, size_t n)
{
	char *to = arg;

	memcpy(to, p, n);
	to[n] = '\0';
	return strstr(to, "refuse") == NULL;
}

static void
a_taker_gets_whole_lines_and_stderr_what_it_refuses(void **state)
{
	char given[8192];
	const char *rest;

	(void)state;
	log_to(take_line, given);
	log_msg(LOG_INFO, "kept", "one");
	assert_non_null(strstr(given, "\"event\":\"kept\""));
	assert_string_equal(given + strlen(given) - 3, "\"}\n");
	log_msg(LOG_INFO, "refuse", "two");
	log_to(NULL, NULL);
	log_msg(LOG_INFO, "after", "three");
	rest = taken();
	assert_null(strstr(rest, "kept"));
	assert_non_null(strstr(rest, "\"two\"}\n{\"time\":"));
	assert_non_null(strstr(rest, "\"three\"}\n"));
}

#define LOG_TEST(f)	cmocka_unit_test_setup_teardown(f, begin, end)

static void
the_journal_is_told_the_level(void **state)
{
	static const char *const ranks[] = { "<3>", "<4>", "<6>", "<7>" };
	struct stat st;
	char stream[64];
	const char *p;

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	sink = UNKNOWN;
	log_level(LOG_DEBUG);
	for (enum log_level i = LOG_ERROR; i <= LOG_DEBUG; i++) {
		log_msg(i, "e", "m");
		p = taken();
		assert_memory_equal(p, ranks[i], 3);
		untimed(p + 3);
		assert_ptr_equal(strchr(p, '\n'), p + strlen(p) - 1);
	}
	/* Another file's: nothing of the kind. */
	stream[strlen(stream) - 1] ^= 1;
	setenv("JOURNAL_STREAM", stream, 1);
	sink = UNKNOWN;
	log_msg(LOG_ERROR, "e", "m");
	untimed(taken());
	unsetenv("JOURNAL_STREAM");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(writes_one_object_a_line),
		LOG_TEST(drops_what_is_below_the_level),
		LOG_TEST(builds_a_line),
		LOG_TEST(escapes_foreign_bytes),
		LOG_TEST(cuts_to_4_kib_at_a_character),
		LOG_TEST(a_full_line_leaves_members_out),
		LOG_TEST(secrets_are_blanked),
		LOG_TEST(a_secret_at_the_cut_is_blanked),
		LOG_TEST(overlapping_secrets_all_go),
		LOG_TEST(a_secret_cut_by_the_end_goes_too),
		LOG_TEST(a_secret_is_found_in_a_url),
		LOG_TEST(a_secret_is_copied_and_may_need_escapes),
		LOG_TEST(a_taker_gets_whole_lines_and_stderr_what_it_refuses),
		LOG_TEST(the_journal_is_told_the_level),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
