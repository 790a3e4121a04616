#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/http.c"

#include <stdlib.h>

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define ENV(...)	((char *[]){ "REQUEST_METHOD=GET", __VA_ARGS__, NULL })

/* Read an environment that must be good. */
static struct http
good(char *const *envp)
{
	struct http h;
	struct fault f;

	f.message[0] = '\0';
	if (http_read(&h, envp, NULL, &f) < 0)
		fail_msg("refused: %s", f.message);
	return h;
}

/* Read one that must not: why was it refused? */
static enum fault_code
refused(char *const *envp)
{
	struct fault f = { .code = FAULT_NONE };
	struct http h;

	assert_int_equal(http_read(&h, envp, NULL, &f), -1);
	assert_int_equal(strlen(h.id), 20);
	assert_non_null(h.method_name);
	assert_non_null(h.query);
	assert_int_equal(h.path[0], '/');
	return f.code;
}

static void
reads_a_request(void **state)
{
	struct http h = good((char *[]){
		"REQUEST_METHOD=POST", "REQUEST_URI=/v1/chat?x=1&y=2",
		"SCRIPT_NAME=/v1", "PATH_INFO=/chat", "QUERY_STRING=wrong",
		"CONTENT_TYPE=application/json", "CONTENT_LENGTH=12",
		"REMOTE_ADDR=::1", "HTTP_ACCEPT=*/*",
		"HTTP_ORIGIN=https://a.example",
		"HTTP_ACCESS_CONTROL_REQUEST_METHOD=POST",
		"HTTP_ACCESS_CONTROL_REQUEST_HEADERS=x",
		"HTTP_AUTHORIZATION=Bearer t0k=n",
		"HTTP_X_RELEVO_MAX_WAIT=5s", "HTTP_IF_NONE_MATCH=\"e\"",
		"HTTP_PROXY=http://evil", "NOVALUE", "=odd", "", NULL
	});

	(void)state;
	assert_int_equal(h.method, HTTP_POST);
	assert_string_equal(h.method_name, "POST");
	assert_string_equal(h.path, "/v1/chat");
	assert_string_equal(h.query, "x=1&y=2");
	assert_string_equal(h.script, "/v1");
	assert_string_equal(h.type, "application/json");
	assert_string_equal(h.accept, "*/*");
	assert_string_equal(h.origin, "https://a.example");
	assert_string_equal(h.cors_method, "POST");
	assert_string_equal(h.cors_headers, "x");
	assert_string_equal(h.token, "t0k=n");
	assert_true(h.auth_header);
	assert_string_equal(h.max_wait, "5s");
	assert_string_equal(h.etag, "\"e\"");
	assert_string_equal(h.remote, "::1");
	assert_int_equal(h.length, 12);
}

static void
what_is_absent(void **state)
{
	struct http h = good(ENV("REQUEST_URI=/"));

	(void)state;
	assert_int_equal(h.method, HTTP_GET);
	assert_string_equal(h.query, "");
	assert_string_equal(h.script, "");
	assert_string_equal(h.type, "");
	assert_string_equal(h.accept, "");
	assert_null(h.origin);
	assert_null(h.cors_method);
	assert_null(h.token);
	assert_false(h.auth_header);
	assert_null(h.max_wait);
	assert_null(h.etag);
	assert_int_equal(h.length, -1);
}

static void
methods(void **state)
{
	(void)state;
	assert_int_equal(method("HEAD"), HTTP_HEAD);
	assert_int_equal(method("OPTIONS"), HTTP_OPTIONS);
	assert_int_equal(method("PUT"), HTTP_OTHER);
	assert_int_equal(method("get"), HTTP_OTHER);
	assert_int_equal(method("GET "), HTTP_OTHER);
	assert_int_equal(refused((char *[]){ "REQUEST_URI=/", NULL }),
	    FAULT_INVALID_REQUEST);
	assert_int_equal(refused((char *[]){ NULL }), FAULT_INVALID_REQUEST);
	assert_int_equal(refused((char *[]){ "REQUEST_METHOD=",
	    "REQUEST_URI=/", NULL }), FAULT_INVALID_REQUEST);
}

static void
ids_differ(void **state)
{
	struct http a = good(ENV("REQUEST_URI=/"));
	struct http b = good(ENV("REQUEST_URI=/"));

	(void)state;
	assert_int_equal(strlen(a.id), 20);
	assert_memory_equal(a.id, "req_", 4);
	assert_int_equal(strspn(a.id + 4, "abcdefghijklmnopqrstuvwxyz234567"),
	    16);
	assert_string_not_equal(a.id, b.id);
}

/* Past the end of what was fetched at once, and of two processes. */
static void
ids_from_a_store(void **state)
{
	static struct http_ids one, other;
	char id[80][HTTP_ID];
	size_t i, k;

	(void)state;
	for (i = 0; i < 80; i++) {
		http_id(i % 2 == 0 ? &one : &other, id[i]);
		assert_int_equal(strlen(id[i]), 20);
		assert_int_equal(strspn(id[i] + 4,
		    "abcdefghijklmnopqrstuvwxyz234567"), 16);
		for (k = 0; k < i; k++)
			assert_string_not_equal(id[k], id[i]);
	}
}

/* The path that a REQUEST_URI gives; what is refused gives its code word. */
static void
uri(const char *text, const char *path_wanted, const char *query_wanted)
{
	size_t size = strlen(text) + sizeof("REQUEST_URI=");
	char *var = malloc(size);
	struct fault f;
	struct http h;

	assert_non_null(var);
	snprintf(var, size, "REQUEST_URI=%s", text);
	if (http_read(&h, ENV(var), NULL, &f) < 0) {
		assert_string_equal(fault_word(f.code), path_wanted);
		assert_string_equal(h.path, "/");
	} else {
		assert_string_equal(h.path, path_wanted);
		assert_string_equal(h.query, query_wanted);
	}
	free(var);
}

static void
paths(void **state)
{
	static const struct {
		const char	*uri, *path, *query;
	} rows[] = {
		{ "/", "/", "" },
		{ "/chat", "/chat", "" },
		{ "//chat", "/chat", "" },
		{ "/chat/", "/chat", "" },
		{ "///v1///models//", "/v1/models", "" },
		{ "/chat?", "/chat", "" },
		{ "/chat?a=b%26c?d", "/chat", "a=b%26c?d" },
		{ "/chat#x?y", "/chat", "" },
		{ "?a", "/", "a" },
		{ "/v1/models/groq%2Fx%2fgpt", "/v1/models/groq/x/gpt", "" },
		{ "/v1/env/x%20y", "/v1/env/x y", "" },
		{ "/a+b;x", "/a+b;x", "" },
		{ "/%e2%82%ac", "/\xe2\x82\xac", "" },
		{ "/.", "/.", "" },
		{ "/...", "/...", "" },
		{ "/..a/b..", "/..a/b..", "" },
		{ "/%252e%252e/x", "/%2e%2e/x", "" },
		{ "http://host/chat?x", "/chat", "x" },
		{ "http://host", "/", "" },
		{ "http://host?x", "/", "x" },
		{ "HTTPS://u:p@h:80//chat/", "/chat", "" },
		{ "/chat?u=http://host/x", "/chat", "u=http://host/x" },
		{ "/p://x/y", "/p:/x/y", "" },
		{ "*", "/", "" },
		{ "chat", "invalid_request", "" },
		{ "://x/chat", "invalid_request", "" },
		{ "**", "invalid_request", "" },
		{ "/chat/../usage", "invalid_request", "" },
		{ "/..", "invalid_request", "" },
		{ "/%2e%2e/usage", "invalid_request", "" },
		{ "/a%2f..%2fb", "invalid_request", "" },
		{ "http://host/..", "invalid_request", "" },
		{ "/chat%00", "invalid_request", "" },
		{ "/chat%0d%0aX: y", "invalid_request", "" },
		{ "/chat\r\n", "invalid_request", "" },
		{ "/\x7f", "invalid_request", "" },
		{ "/chat%", "invalid_request", "" },
		{ "/chat%4", "invalid_request", "" },
		{ "/chat%gg", "invalid_request", "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		uri(rows[i].uri, rows[i].path, rows[i].query);
}

static void
long_paths(void **state)
{
	static char text[9000];
	size_t i;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[0] = '/';
	uri(text, "unknown_url", "");
	text[HTTP_PATH - 1] = '\0';
	uri(text, "unknown_url", "");
	text[HTTP_PATH - 2] = '\0';
	uri(text, text, "");
	/* the same, each byte as %61 */
	for (i = 1; i < HTTP_PATH - 2; i++)
		memcpy(text + 3 * i - 2, "%61", 3);
	text[3 * i - 2] = '\0';
	assert_int_equal(strlen(text), 1 + 3 * (HTTP_PATH - 3));
	{
		char want[HTTP_PATH];

		memset(want, 'a', sizeof(want));
		want[0] = '/';
		want[HTTP_PATH - 2] = '\0';
		uri(text, want, "");
	}
	memset(text, '/', sizeof(text) - 1);
	uri(text, "unknown_url", "");
}

static void
paths_without_request_uri(void **state)
{
	struct http h;
	static char text[9000];

	(void)state;
	h = good(ENV("SCRIPT_NAME=/gw.cgi", "PATH_INFO=/v1//x y/",
	    "QUERY_STRING=a=b"));
	assert_string_equal(h.path, "/gw.cgi/v1/x y");
	assert_string_equal(h.query, "a=b");
	h = good(ENV("PATH_INFO=/100%25", "REQUEST_URI="));
	assert_string_equal(h.path, "/100%25");
	h = good(ENV("REMOTE_ADDR=x"));
	assert_string_equal(h.path, "/");
	h = good(ENV("PATH_INFO=chat"));
	assert_string_equal(h.path, "/chat");
	assert_int_equal(refused(ENV("PATH_INFO=/a\r\nb")),
	    FAULT_INVALID_REQUEST);
	assert_int_equal(refused(ENV("PATH_INFO=/a/../b")),
	    FAULT_INVALID_REQUEST);
	assert_int_equal(refused(ENV("SCRIPT_NAME=/a/.", "PATH_INFO=./b")),
	    FAULT_INVALID_REQUEST);
	memset(text, 'a', sizeof(text) - 1);
	memcpy(text, "PATH_INFO=", 10);
	assert_int_equal(refused(ENV(text)), FAULT_UNKNOWN_URL);
	text[10 + HTTP_PATH - 2] = '\0';
	assert_int_equal(strlen(good(ENV(text)).path), HTTP_PATH - 1);
}

static void
names_must_be_unique(void **state)
{
	struct http h;

	(void)state;
	assert_int_equal(refused(ENV("REQUEST_URI=/", "HTTP_X_API_KEY=a",
	    "HTTP_X_API_KEY=b")), FAULT_DUPLICATE_HEADER);
	assert_int_equal(refused(ENV("REQUEST_URI=/", "HTTP_FOO=a",
	    "HTTP_BAR=", "HTTP_FOO=a")), FAULT_DUPLICATE_HEADER);
	assert_int_equal(refused(ENV("REQUEST_METHOD=GET", "REQUEST_URI=/")),
	    FAULT_DUPLICATE_HEADER);
	assert_int_equal(refused(ENV("REQUEST_URI=/", "REQUEST_URI=/")),
	    FAULT_DUPLICATE_HEADER);
	assert_int_equal(refused(ENV("REQUEST_URI=/", "CONTENT_LENGTH=1",
	    "CONTENT_LENGTH=2")), FAULT_DUPLICATE_HEADER);
	assert_int_equal(refused(ENV("REQUEST_URI=/", "CONTENT_TYPE=a",
	    "CONTENT_TYPE=a")), FAULT_DUPLICATE_HEADER);
	/* what an administrator may set twice, and what only looks alike */
	h = good(ENV("REQUEST_URI=/", "SCRIPT_FILENAME=a",
	    "SCRIPT_FILENAME=a", "HTTP_A=1", "HTTP_AB=1", "HTTP_=1",
	    "HTTP_a=1", "http_a=1", "HTTP_B", "HTTP_B"));
	assert_string_equal(h.path, "/");
}

static void
a_refusal_knows_its_origin(void **state)
{
	struct http h;
	struct fault f;

	(void)state;
	assert_int_equal(http_read(&h, ENV("HTTP_A=1", "HTTP_A=1",
	    "HTTP_ORIGIN=https://a.example", "REQUEST_URI=/x"), NULL, &f), -1);
	assert_string_equal(h.origin, "https://a.example");
	assert_int_equal(h.method, HTTP_GET);
	assert_string_equal(h.path, "/");
}

static void
many_variables(void **state)
{
	static char text[300][32];
	char *envp[301] = { "REQUEST_METHOD=GET" };
	size_t i;

	(void)state;
	for (i = 1; i < 300; i++) {
		snprintf(text[i], sizeof(text[i]), "HTTP_X%zu=y", i);
		envp[i] = text[i];
	}
	assert_int_equal(refused(envp), FAULT_HEADERS);
	envp[256] = NULL;
	assert_string_equal(good(envp).path, "/");
	strcpy(text[255], "HTTP_X1=z");
	assert_int_equal(refused(envp), FAULT_DUPLICATE_HEADER);
}

static void
long_variables(void **state)
{
	static char big[65537];
	char *envp[] = { "REQUEST_METHOD=GET", big, "REQUEST_URI=/x", NULL };
	size_t rest = strlen(envp[0]) + strlen(envp[2]);

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	memcpy(big, "HTTP_X=", 7);
	assert_int_equal(refused(envp), FAULT_HEADERS);
	big[65536 - rest + 1] = '\0';
	assert_int_equal(refused(envp), FAULT_HEADERS);
	big[65536 - rest] = '\0';
	assert_string_equal(good(envp).path, "/x");
}

static void
lengths(void **state)
{
	static const struct {
		char		*var;
		int64_t		 length;	/* -2: refused */
	} rows[] = {
		{ "CONTENT_LENGTH=", -1 },
		{ "CONTENT_LENGTH=0", 0 },
		{ "CONTENT_LENGTH=-1", -1 },
		{ "CONTENT_LENGTH=-99999999999999999999", -1 },
		{ "CONTENT_LENGTH=9223372036854775807", INT64_MAX },
		{ "CONTENT_LENGTH=9223372036854775808", INT64_MAX },
		{ "CONTENT_LENGTH=99999999999999999999999", INT64_MAX },
		{ "CONTENT_LENGTH=+1", -2 },
		{ "CONTENT_LENGTH= 1", -2 },
		{ "CONTENT_LENGTH=1 ", -2 },
		{ "CONTENT_LENGTH=-", -2 },
		{ "CONTENT_LENGTH=--1", -2 },
		{ "CONTENT_LENGTH=0x10", -2 },
		{ "CONTENT_LENGTH=1.0", -2 },
		{ "CONTENT_LENGTH=1,1", -2 },
		{ "CONTENT_LENGTH=many", -2 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		if (rows[i].length == -2)
			assert_int_equal(refused(ENV("REQUEST_URI=/",
			    rows[i].var)), FAULT_INVALID_REQUEST);
		else
			assert_true(good(ENV("REQUEST_URI=/",
			    rows[i].var)).length == rows[i].length);
	}
}

static void
tokens(void **state)
{
	static const struct {
		char		*a, *b;
		const char	*token;
		bool		 auth_header;
	} rows[] = {
		{ "HTTP_AUTHORIZATION=Bearer abc", "X=", "abc", true },
		{ "HTTP_AUTHORIZATION=bearer abc", "X=", "abc", true },
		{ "HTTP_AUTHORIZATION=BEARER   abc", "X=", "abc", true },
		{ "HTTP_AUTHORIZATION=Bearer a, Bearer b", "X=",
		    "a, Bearer b", true },
		{ "HTTP_AUTHORIZATION=Bearer", "X=", NULL, true },
		{ "HTTP_AUTHORIZATION=Bearer  ", "X=", NULL, true },
		{ "HTTP_AUTHORIZATION=Bearerabc", "X=", NULL, true },
		{ "HTTP_AUTHORIZATION=Basic abc", "X=", NULL, true },
		{ "HTTP_AUTHORIZATION=", "HTTP_X_API_KEY=k", "k", false },
		{ "HTTP_AUTHORIZATION=Basic abc", "HTTP_X_API_KEY=k", "k",
		    true },
		{ "HTTP_AUTHORIZATION=Bearer abc", "HTTP_X_API_KEY=k", "abc",
		    true },
		{ "HTTP_X_API_KEY=", "HTTP_API_KEY=j", "j", false },
		{ "HTTP_X_API_KEY=k", "HTTP_API_KEY=j", "k", false },
		{ "HTTP_X_API_KEY=", "HTTP_API_KEY=", NULL, false },
	};
	struct http h;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		h = good(ENV("REQUEST_URI=/", rows[i].a, rows[i].b));
		assert_int_equal(h.auth_header, rows[i].auth_header);
		if (rows[i].token == NULL)
			assert_null(h.token);
		else
			assert_string_equal(h.token, rows[i].token);
	}
}

static bool
prefers(const char *accept, const char *type, const char *other)
{
	struct http h = { .accept = accept };

	return http_prefers(&h, type, other);
}

static void
accepts(void **state)
{
	static const struct {
		const char	*accept;
		bool		 text;		/* before text/event-stream */
	} rows[] = {
		{ "", false },
		{ "*/*", false },
		{ "text/*", false },
		{ "text/plain", true },
		{ "TEXT/Plain", true },
		{ " text/plain ; charset=utf-8 ", true },
		{ "application/json, text/plain, */*", false },
		{ "text/plain, */*;q=0.8", true },
		{ "text/plain;q=0.5, */*;q=0.1", true },
		{ "text/plain;q=0.5, text/*", false },
		{ "text/plain;q=0, */*", false },
		{ "text/event-stream, text/plain", false },
		{ "text/event-stream;q=0.9,text/plain", true },
		{ "text/event-stream;q=0.999,text/plain;Q=1.000", true },
		{ "*/*, text/event-stream;q=0", true },
		{ "text/plain;x=\"q\";q=0.2, text/event-stream;q=0.3",
		    false },
		{ "text/plain;q=, text/event-stream;q=x", false },
		{ "text/plainx, xtext/plain, text, /, */, *", false },
		{ ",,;;,;q=1,", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		if (prefers(rows[i].accept, "text/plain",
		    "text/event-stream") != rows[i].text)
			fail_msg("Accept: %s", rows[i].accept);
	assert_true(prefers("text/html,application/xhtml+xml,"
	    "application/xml;q=0.9,image/avif,*/*;q=0.8", "text/html",
	    "application/json"));
}

static void
json_types(void **state)
{
	static const struct {
		const char	*type;
		bool		 json;
	} rows[] = {
		{ "application/json", true },
		{ "Application/JSON; charset=utf-8", true },
		{ "application/json ;x", true },
		{ "application/problem+json", true },
		{ "", false },
		{ "text/plain", false },
		{ "application/jsonx", false },
		{ "application/x-www-form-urlencoded", false },
		{ "text/plain; application/json", false },
		{ "text/plain;+json", false },
		{ "+json", false },
		{ "/+json", false },
		{ "json", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		struct http h = { .type = rows[i].type };

		if (http_is_json(&h) != rows[i].json)
			fail_msg("Content-Type: %s", rows[i].type);
	}
}

static void
queries(void **state)
{
	struct http h = {
		.query = "a=1&model=groq%2Fx+y&empty=&flag&bad=%g&nul=%00"
		    "&a=2&mode=m"
	};
	char out[9];

	(void)state;
	assert_int_equal(http_query(&h, "a", out, sizeof(out)), 0);
	assert_string_equal(out, "1");
	assert_int_equal(http_query(&h, "model", out, sizeof(out)), 0);
	assert_string_equal(out, "groq/x+y");
	assert_int_equal(http_query(&h, "model", out, sizeof(out) - 1), -1);
	assert_int_equal(http_query(&h, "mode", out, sizeof(out)), 0);
	assert_string_equal(out, "m");
	assert_int_equal(http_query(&h, "empty", out, 1), 0);
	assert_string_equal(out, "");
	assert_int_equal(http_query(&h, "flag", out, sizeof(out)), 0);
	assert_string_equal(out, "");
	assert_int_equal(http_query(&h, "bad", out, sizeof(out)), -1);
	assert_int_equal(http_query(&h, "nul", out, sizeof(out)), -1);
	assert_int_equal(http_query(&h, "none", out, sizeof(out)), -1);
	h.query = "";
	assert_int_equal(http_query(&h, "a", out, sizeof(out)), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_request),
		cmocka_unit_test(what_is_absent),
		cmocka_unit_test(methods),
		cmocka_unit_test(ids_differ),
		cmocka_unit_test(ids_from_a_store),
		cmocka_unit_test(paths),
		cmocka_unit_test(long_paths),
		cmocka_unit_test(paths_without_request_uri),
		cmocka_unit_test(names_must_be_unique),
		cmocka_unit_test(a_refusal_knows_its_origin),
		cmocka_unit_test(many_variables),
		cmocka_unit_test(long_variables),
		cmocka_unit_test(lengths),
		cmocka_unit_test(tokens),
		cmocka_unit_test(accepts),
		cmocka_unit_test(json_types),
		cmocka_unit_test(queries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
