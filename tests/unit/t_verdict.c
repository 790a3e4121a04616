#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/verdict.c"

#include <stdio.h>
#include <unistd.h>

#define ROWS	(sizeof(rows) / sizeof(rows[0]))

/* Each row has a word of its own and a fixture that reaches it (the verdict
 * on it is checked with those of provider). */
static void
rows_have_fixtures(void **state)
{
	char path[128];
	size_t i, k;

	(void)state;
	for (i = 0; i < ROWS; i++) {
		snprintf(path, sizeof(path), "tests/fixtures/providers/%s.http",
		    rows[i].id);
		if (access(path, R_OK) != 0)
			fail_msg("no %s", path);
		for (k = 0; k < i; k++)
			assert_string_not_equal(rows[i].id, rows[k].id);
	}
}

/* Matching is in lower case, so the rows must be. */
static void
rows_lower_case(void **state)
{
	const char *p;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS; i++) {
		for (p = rows[i].texts; p != NULL && *p != '\0'; p++)
			assert_false(*p >= 'A' && *p <= 'Z');
		for (p = rows[i].codes; p != NULL && *p != '\0'; p++)
			assert_false(*p >= 'A' && *p <= 'Z');
	}
	assert_null(rows[ROWS - 1].kind);
	assert_null(rows[ROWS - 1].statuses);
	assert_null(rows[ROWS - 1].codes);
	assert_null(rows[ROWS - 1].texts);
}

/* A row of any provider that looks at the status alone hides what comes after
 * it with that status. */
static void
rows_reachable(void **state)
{
	size_t i, k;

	(void)state;
	for (i = 0; i < ROWS; i++)
		for (k = 0; k < i; k++)
			if (rows[k].kind == NULL && rows[k].codes == NULL &&
			    rows[k].texts == NULL && rows[k].head == NULL &&
			    rows[k].statuses != NULL &&
			    rows[i].statuses != NULL)
				assert_string_not_equal(rows[k].statuses,
				    rows[i].statuses);
}

static void
shapes(void **state)
{
	static const struct {
		int status;
		const char *body;
		int want;
		const char *code, *message;
	} t[] = {
		{ 400, "{\"error\":{\"message\":\"m\",\"code\":\"AbC\"}}", 400,
		  "abc", "m" },
		{ 200, "{\"id\":1,\"error\":{\"code\":429,\"message\":\"m\"}}",
		  429, "429", "m" },
		{ 200, "{\"error\":{\"code\":\"q\",\"message\":\"m\"},"
		  "\"status_code\":503}", 503, "q", "m" },
		{ 0, "{\"error\":{\"message\":\"m\",\"status_code\":400}}", 400,
		  "", "m" },
		{ 429, "[{\"error\":{\"code\":503,\"message\":\"m\"}},"
		  "{\"error\":{\"message\":\"other\"}}]", 429, "503", "m" },
		{ 400, "{\"code\":\"c\",\"error\":\"m\"}", 400, "c", "m" },
		{ 402, "{\"error\":\"m\"}", 402, "", "m" },
		{ 429, "{\"success\":false,\"errors\":[{\"code\":3036,"
		  "\"message\":\"m\"},{\"code\":1,\"message\":\"n\"}]}", 429,
		  "3036", "m" },
		{ 429, "{\"message\":\"m\",\"code\":\"c\"}", 429, "c", "m" },
		{ 422, "{\"message\":{\"detail\":[{\"msg\":\"m\"}]}}", 422, "",
		  "m" },
		{ 401, "{\"detail\":\"m\"}", 401, "", "m" },
		{ 429, "{\"status\":429,\"title\":\"m\"}", 429, "", "m" },
		{ 404, " \r\n404 page", 404, "", "404 page" },
		{ 502, "<html>x", 502, "", "" },
		{ 500, "", 500, "", "" },
		/* cut in the middle: what came before counts */
		{ 429, "{\"error\":{\"code\":\"c\",\"message\":\"m\",\"de",
		  429, "c", "m" },
		{ 400, "{\"error\":{\"message\":\"a\\nb\\u00e9\"}}", 400, "",
		  "a b\xc3\xa9" },
		{ 0, "{\"error\":{\"code\":99999999999}}", 0, "99999999999",
		  "" },
		{ 0, "{\"error\":{\"code\":599}}", 599, "599", "" },
		{ 0, "{\"error\":{\"code\":600}}", 0, "600", "" },
		/* of a list the first */
		{ 429, "[{\"a\":1},{\"error\":{\"message\":\"m\"}}]", 429, "",
		  "" },
	};
	struct verdict_error e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		verdict_read(&e, t[i].status, t[i].body, strlen(t[i].body));
		assert_int_equal(e.status, t[i].want);
		assert_string_equal(e.code, t[i].code);
		assert_string_equal(e.message, t[i].message);
	}
	verdict_read(&e, 503, NULL, 0);
	assert_int_equal(e.status, 503);
	assert_string_equal(e.text, "\n");
}

static void
text_of_a_body(void **state)
{
	static const char body[] = "{\"Error\":{\"Message\":\"Line\\none\","
	    "\"n\":12,\"x\":null,\"deep\":{\"a\":[\"B\",true]},"
	    "\"Input\":\"kept\",\"input\":\"gone\",\"content\":[{\"y\":1}],"
	    "\"raw\":\"{\\\"k\\\":\\\"V\\\",\\\"prompt\\\":\\\"gone\\\"}\"}}";
	struct verdict_error e;

	(void)state;
	verdict_read(&e, 400, body, sizeof(body) - 1);
	assert_string_equal(e.text, "\nmessage:line one\nn:12\na:b\na:true\n"
	    "input:kept\ninput:\ncontent:\nk:v\nprompt:\n");
	assert_int_equal(e.text_len, strlen(e.text));
}

static void
param_of_a_body(void **state)
{
	static const char *const bodies[] = {
		"{\"error\":{\"status\":422,\"param\":\"top_p\","
		"\"message\":\"m\"}}",
		"{\"detail\":[{\"loc\":[\"body\",\"top_p\"],\"msg\":\"m\"}]}",
	};
	struct verdict_error e;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		verdict_read(&e, 422, bodies[i], strlen(bodies[i]));
		assert_string_equal(e.param, "top_p");
		assert_string_equal(e.message, "m");
	}
}

/* A message that is too long ends with a whole character. */
static void
cut_at_a_character(void **state)
{
	struct verdict_error e;
	char body[1024];
	int n, len;

	(void)state;
	for (n = (int)sizeof(e.message) - 4; n < (int)sizeof(e.message); n++) {
		len = sprintf(body, "{\"message\":\"%0*d\xc3\xa9\xe2\x82"
		    "\xac\"}", n, 0);
		verdict_read(&e, 400, body, (size_t)len);
		assert_int_equal(strlen(e.message),
		    n + 3 <= (int)sizeof(e.message) ? n + 2 : n);
	}
}

/* A body far larger than the room for its text. */
static void
big_bodies(void **state)
{
	static char body[200000];
	struct verdict_error e;
	size_t n = 0, i;

	(void)state;
	n += (size_t)sprintf(body, "{\"error\":{\"code\":\"c\",\"m\":\"");
	memset(body + n, 'A', 100000);
	n += 100000;
	n += (size_t)sprintf(body + n, "\",\"e\":\"");
	for (i = 0; i < 20000; i++)
		n += (size_t)sprintf(body + n, "\\\"");
	n += (size_t)sprintf(body + n, "\",\"message\":\"late\"}}");
	verdict_read(&e, 429, body, n);
	assert_string_equal(e.code, "c");
	assert_string_equal(e.message, "late");
	assert_true(e.text_len < sizeof(e.text));
	assert_int_equal(e.text[e.text_len], '\0');
	assert_int_equal(e.text[e.text_len - 1], '\n');

	memset(body, '[', 1000);
	verdict_read(&e, 429, body, 1000);
	assert_string_equal(verdict_find("", &e, NULL, 0)->id, "any-429");
}

static void
heads(void **state)
{
	static const char none[] = "x-ratelimit-limit-req-minute: 0\r\n";
	static const char some[] = "x-ratelimit-limit-req-minute: 05\r\n";
	struct verdict_error e;

	(void)state;
	verdict_read(&e, 429, "{}", 2);
	assert_string_equal(verdict_find("mistral", &e, none,
	    sizeof(none) - 1)->id, "mistral-zero");
	assert_string_equal(verdict_find("mistral", &e, some,
	    sizeof(some) - 1)->id, "any-429");
	assert_string_equal(verdict_find("groq", &e, none,
	    sizeof(none) - 1)->id, "any-429");
}

static void
every_status(void **state)
{
	struct verdict_error e;
	int i;

	(void)state;
	for (i = 100; i < 1000; i++) {
		verdict_read(&e, i, NULL, 0);
		if (i != 200 && i < 600)
			assert_string_not_equal(verdict_find("", &e, NULL,
			    0)->id, "unknown");
	}
}

static void
nets_known(void **state)
{
	(void)state;
	assert_string_equal(verdict_net(FAULT_UPSTREAM_REFUSED)->id, "net");
	assert_int_equal(verdict_net(FAULT_UPSTREAM_CUT)->class,
	    VERDICT_TRUNCATED);
	assert_int_equal(verdict_net(FAULT_INTERNAL)->class,
	    VERDICT_INTERNAL);
	assert_int_equal(verdict_net(FAULT_NONE)->class, VERDICT_INTERNAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_have_fixtures),
		cmocka_unit_test(rows_lower_case),
		cmocka_unit_test(rows_reachable),
		cmocka_unit_test(shapes),
		cmocka_unit_test(text_of_a_body),
		cmocka_unit_test(param_of_a_body),
		cmocka_unit_test(cut_at_a_character),
		cmocka_unit_test(big_bodies),
		cmocka_unit_test(heads),
		cmocka_unit_test(every_status),
		cmocka_unit_test(nets_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
