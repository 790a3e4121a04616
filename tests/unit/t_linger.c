#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/linger.c"
#include "loaded.h"

static const char plain[] =
    "server { access = token state = \"/tmp/x/state\" cgi-linger = 1m\n"
    "	proxy = \"http://u:first-word@h:1\" }\n"
    "provider a { url = \"https://a.example/v1\" key = \"secret-key-1\"\n"
    "	headers = {\"X-Secret: first-value\"} }\n"
    "model a/m { }\n"
    "client c { token = \"blake2b:"
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\" }\n";

static void
name_of(const char *text, char out[LINGER_PATH])
{
	struct loaded l;

	loaded_text(&l, text);
	if (l.c == NULL)
		fail_msg("%s", buf_str(&l.errors));
	assert_int_equal(linger_name(l.c, out), 0);
	loaded_free(&l);
}

static void
the_name_changes_with_whatever_changes(void **state)
{
	static const char *const change[][2] = {
		{ "secret-key-1", "secret-key-2" },
		{ "ddeeff\"", "ddeefe\"" },	/* config_print hides it */
		{ "first-word", "other-word" },
		{ "first-value", "other-value" },
		{ "a/m { }", "a/m { rpm = 1 }" },
		{ "= 1m", "= 2m" },
	};
	char first[LINGER_PATH], other[LINGER_PATH], text[1024];

	(void)state;
	name_of(plain, first);
	assert_int_equal(strlen(first), strlen("/tmp/x/state.cgi-") + 12);
	name_of(plain, other);
	assert_string_equal(first, other);
	for (size_t i = 0; i < sizeof(change) / sizeof(*change); i++) {
		const char *at = strstr(plain, change[i][0]);

		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - plain),
		    plain, change[i][1], at + strlen(change[i][0]));
		name_of(text, other);
		assert_string_not_equal(first, other);
	}
}

static void
a_name_that_no_socket_can_have_is_refused(void **state)
{
	char path[200], out[LINGER_PATH], *none = NULL;
	struct config c = { .state = path, .prefix = "", .ca_path = "",
	    .proxy = "", .origins = &none };
	size_t longest = LINGER_PATH - 1 - strlen(".cgi-") - 12;

	(void)state;
	memset(path, 'x', sizeof(path));
	path[longest] = '\0';
	assert_int_equal(linger_name(&c, out), 0);
	assert_int_equal(strlen(out), LINGER_PATH - 1);
	assert_int_equal(longest, 90);	/* as server.c warns */
	path[longest] = 'x';
	path[longest + 1] = '\0';
	assert_int_equal(linger_name(&c, out), -1);
}

/* The environment of the process, by hand: scrub changes it in place. */
static void
what_a_request_brought_is_overwritten(void **state)
{
	char token[] = "HTTP_AUTHORIZATION=Bearer abc", tz[] = "TZ=UTC";
	char key[] = "GROQ_API_KEY=secret", conf[] = "RELEVO_CONFIG=/x";
	char *mine[] = { token, tz, key, conf, NULL }, **before = environ;

	(void)state;
	environ = mine;
	scrub();
	environ = before;
	assert_ptr_equal(mine[0], tz);
	assert_ptr_equal(mine[1], conf);
	assert_null(mine[2]);
	assert_int_equal(token[0], '\0');
	assert_int_equal(token[sizeof(token) - 2], '\0');
	assert_int_equal(key[5], '\0');
	assert_string_equal(tz, "TZ=UTC");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_changes_with_whatever_changes),
		cmocka_unit_test(a_name_that_no_socket_can_have_is_refused),
		cmocka_unit_test(what_a_request_brought_is_overwritten),
	};

	return cmocka_run_group_tests_name("linger", tests, NULL, NULL);
}
