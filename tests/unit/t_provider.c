#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/provider.c"

#include <stdlib.h>

#define NOW	INT64_C(1795262400000)	/* 2026-11-21T12:00:00Z, a Saturday */

static struct config_provider
provider(char *name, char *url)
{
	return (struct config_provider){ .name = name, .title = "Title",
	    .url = url, .day = CONFIG_DAY_ROLLING };
}

static void
judge_of(char *name, int status, enum fault_code net, const char *head,
    const char *body, struct provider_verdict *v)
{
	struct config_provider p = provider(name, "http://127.0.0.1:9");
	struct provider_answer a = { .status = status, .head = head,
	    .head_len = head != NULL ? strlen(head) : 0, .body = body,
	    .body_len = body != NULL ? strlen(body) : 0, .net = net };

	provider_judge(&p, &a, NOW, v);
}

/* ---- one answer for each row of the table ---- */

static const struct want {
	const char	*row;
	char		*provider;
	enum provider_action action;
	enum provider_scope scope;
	enum quota_reason reason;
	int		 seconds;
	bool		 breaker;
	enum fault_code	 fault;
} wants[] = {
	{ "gem-key", "gemini", PROVIDER_NEXT, PROVIDER_KEY,
	  QUOTA_BAD_KEY, 21600, false, FAULT_UPSTREAM_STATUS },
	{ "xai-key", "xai", PROVIDER_NEXT, PROVIDER_KEY,
	  QUOTA_BAD_KEY, 21600, false, FAULT_UPSTREAM_STATUS },
	{ "mistral-401", "mistral", PROVIDER_NEXT, PROVIDER_KEY,
	  QUOTA_BAD_KEY, 3600, false, FAULT_UPSTREAM_STATUS },
	{ "any-401", "groq", PROVIDER_NEXT, PROVIDER_KEY,
	  QUOTA_BAD_KEY, 21600, false, FAULT_UPSTREAM_STATUS },
	{ "or-moderation", "openrouter", PROVIDER_FAIL, PROVIDER_NONE,
	  QUOTA_OPEN, 0, false, FAULT_CONTENT_BLOCKED },
	{ "blocked-code", "openai", PROVIDER_FAIL, PROVIDER_NONE,
	  QUOTA_OPEN, 0, false, FAULT_CONTENT_BLOCKED },
	{ "zai-1301", "zai", PROVIDER_FAIL, PROVIDER_NONE,
	  QUOTA_OPEN, 0, false, FAULT_CONTENT_BLOCKED },
	{ "or-inflight", "openrouter", PROVIDER_NEXT, PROVIDER_KEY,
	  QUOTA_RATE_MINUTE, 5, false, FAULT_RATE_LIMITED },
	{ "xai-credits", "xai", PROVIDER_NEXT, PROVIDER_KEY,
	  QUOTA_NO_CREDIT, 86400, false, FAULT_UPSTREAM_STATUS },
	{ "openai-quota", "openai", PROVIDER_NEXT, PROVIDER_KEY,
	  QUOTA_NO_CREDIT, 86400, false, FAULT_UPSTREAM_STATUS },
	{ "zai-1113", "zai", PROVIDER_NEXT, PROVIDER_LANE,
	  QUOTA_NO_CREDIT, 86400, false, FAULT_UPSTREAM_STATUS },
	{ "any-402", "sambanova", PROVIDER_NEXT, PROVIDER_KEY,
	  QUOTA_NO_CREDIT, 86400, false, FAULT_UPSTREAM_STATUS },
	{ "gem-zero", "gemini", PROVIDER_NEXT, PROVIDER_LANE,
	  QUOTA_NOT_ENTITLED, 86400, false, FAULT_UPSTREAM_STATUS },
	{ "ollama-sub", "ollama-cloud", PROVIDER_NEXT, PROVIDER_LANE,
	  QUOTA_NOT_ENTITLED, 86400, false, FAULT_UPSTREAM_STATUS },
	{ "cf-paid", "cloudflare", PROVIDER_NEXT, PROVIDER_LANE,
	  QUOTA_NOT_ENTITLED, 86400, false, FAULT_UPSTREAM_STATUS },
	{ "zai-1311", "zai", PROVIDER_NEXT, PROVIDER_LANE,
	  QUOTA_NOT_ENTITLED, 86400, false, FAULT_UPSTREAM_STATUS },
	{ "mistral-zero", "mistral", PROVIDER_NEXT, PROVIDER_LANE,
	  QUOTA_NOT_ENTITLED, 86400, false, FAULT_UPSTREAM_STATUS },
	{ "nv-function", "nvidia", PROVIDER_NEXT, PROVIDER_LANE,
	  QUOTA_NOT_ENTITLED, 86400, false, FAULT_UPSTREAM_STATUS },
	{ "or-policy", "openrouter", PROVIDER_NEXT, PROVIDER_ACCOUNT,
	  QUOTA_ACCOUNT_SETTING, 21600, false, FAULT_UPSTREAM_STATUS },
	{ "gem-region", "gemini", PROVIDER_NEXT, PROVIDER_ACCOUNT,
	  QUOTA_ACCOUNT_SETTING, 21600, false, FAULT_UPSTREAM_STATUS },
	{ "decommissioned", "groq", PROVIDER_NEXT, PROVIDER_MODEL,
	  QUOTA_MODEL_GONE, 86400, false, FAULT_UPSTREAM_STATUS },
	{ "any-410", "nvidia", PROVIDER_NEXT, PROVIDER_MODEL,
	  QUOTA_MODEL_GONE, 86400, false, FAULT_UPSTREAM_STATUS },
	{ "any-404", "nvidia", PROVIDER_NEXT, PROVIDER_MODEL,
	  QUOTA_MODEL_GONE, 86400, false, FAULT_UPSTREAM_STATUS },
	{ "groq-413", "groq", PROVIDER_NEXT, PROVIDER_NONE,
	  QUOTA_OPEN, 0, false, FAULT_CONTEXT_LENGTH },
	{ "any-413", "vllm", PROVIDER_LARGER, PROVIDER_NONE,
	  QUOTA_OPEN, 0, false, FAULT_CONTEXT_LENGTH },
	{ "ctx", "vllm", PROVIDER_LARGER, PROVIDER_NONE,
	  QUOTA_OPEN, 0, false, FAULT_CONTEXT_LENGTH },
	{ "groq-gen", "groq", PROVIDER_SAME, PROVIDER_NONE,
	  QUOTA_OPEN, 0, false, FAULT_UPSTREAM_STATUS },
	{ "nv-degraded", "nvidia", PROVIDER_NEXT, PROVIDER_MODEL,
	  QUOTA_CAPACITY, 600, true, FAULT_UPSTREAM_STATUS },
	{ "strip", "mistral", PROVIDER_STRIP, PROVIDER_NONE,
	  QUOTA_OPEN, 0, false, FAULT_INVALID_REQUEST },
	{ "effort", "groq", PROVIDER_STRIP, PROVIDER_NONE,
	  QUOTA_OPEN, 0, false, FAULT_INVALID_REQUEST },
	{ "mid-token-limit", "openrouter", PROVIDER_FAIL, PROVIDER_NONE,
	  QUOTA_OPEN, 0, false, FAULT_INVALID_REQUEST },
	{ "gem-day", "gemini", PROVIDER_NEXT, PROVIDER_LANE,
	  QUOTA_RATE_DAY, 72000, false, FAULT_RATE_LIMITED },
	{ "gem-min", "gemini", PROVIDER_NEXT, PROVIDER_LANE,
	  QUOTA_RATE_MINUTE, 33, false, FAULT_RATE_LIMITED },
	{ "or-day", "openrouter", PROVIDER_NEXT, PROVIDER_ACCOUNT,
	  QUOTA_RATE_DAY, 43200, false, FAULT_RATE_LIMITED },
	{ "or-min", "openrouter", PROVIDER_NEXT, PROVIDER_ACCOUNT,
	  QUOTA_RATE_MINUTE, 41, false, FAULT_RATE_LIMITED },
	{ "or-upstream", "openrouter", PROVIDER_NEXT, PROVIDER_MODEL,
	  QUOTA_CAPACITY, 10, true, FAULT_UPSTREAM_STATUS },
	{ "cb-queue", "cerebras", PROVIDER_NEXT, PROVIDER_MODEL,
	  QUOTA_CAPACITY, 10, true, FAULT_UPSTREAM_STATUS },
	{ "cb-day", "cerebras", PROVIDER_NEXT, PROVIDER_LANE,
	  QUOTA_RATE_DAY, 40000, false, FAULT_RATE_LIMITED },
	{ "cb-other", "cerebras", PROVIDER_NEXT, PROVIDER_LANE,
	  QUOTA_RATE_MINUTE, 22, false, FAULT_RATE_LIMITED },
	{ "groq-day", "groq", PROVIDER_NEXT, PROVIDER_LANE,
	  QUOTA_RATE_DAY, 433, false, FAULT_RATE_LIMITED },
	{ "mistral-cap", "mistral", PROVIDER_NEXT, PROVIDER_MODEL,
	  QUOTA_CAPACITY, 10, true, FAULT_UPSTREAM_STATUS },
	{ "cf-day", "cloudflare", PROVIDER_NEXT, PROVIDER_KEY,
	  QUOTA_RATE_DAY, 43200, false, FAULT_RATE_LIMITED },
	{ "cf-cap", "cloudflare", PROVIDER_NEXT, PROVIDER_MODEL,
	  QUOTA_CAPACITY, 10, true, FAULT_UPSTREAM_STATUS },
	{ "zai-day", "zai", PROVIDER_NEXT, PROVIDER_KEY,
	  QUOTA_RATE_DAY, 3600, false, FAULT_RATE_LIMITED },
	{ "zai-usage", "zai", PROVIDER_NEXT, PROVIDER_KEY,
	  QUOTA_RATE_DAY, 9000, false, FAULT_RATE_LIMITED },
	{ "zai-cap", "zai", PROVIDER_NEXT, PROVIDER_MODEL,
	  QUOTA_CAPACITY, 10, true, FAULT_UPSTREAM_STATUS },
	{ "zai-rate", "zai", PROVIDER_NEXT, PROVIDER_KEY,
	  QUOTA_RATE_MINUTE, 5, false, FAULT_RATE_LIMITED },
	{ "cohere-month", "cohere", PROVIDER_NEXT, PROVIDER_KEY,
	  QUOTA_RATE_MONTH, 820800, false, FAULT_RATE_LIMITED },
	{ "at-capacity", "xai", PROVIDER_NEXT, PROVIDER_MODEL,
	  QUOTA_CAPACITY, 10, true, FAULT_UPSTREAM_STATUS },
	{ "any-429", "nvidia", PROVIDER_NEXT, PROVIDER_KEY,
	  QUOTA_RATE_MINUTE, 60, false, FAULT_RATE_LIMITED },
	{ "loading", "llamacpp", PROVIDER_SAME, PROVIDER_NONE,
	  QUOTA_OPEN, 0, false, FAULT_UPSTREAM_STATUS },
	{ "flex", "groq", PROVIDER_NEXT, PROVIDER_MODEL,
	  QUOTA_CAPACITY, 10, true, FAULT_UPSTREAM_STATUS },
	{ "html-503", "other", PROVIDER_NEXT, PROVIDER_ACCOUNT,
	  QUOTA_DOWN, 5, true, FAULT_UPSTREAM_STATUS },
	{ "overload", "gemini", PROVIDER_NEXT, PROVIDER_MODEL,
	  QUOTA_CAPACITY, 40, true, FAULT_UPSTREAM_STATUS },
	{ "timeouts", "other", PROVIDER_NEXT, PROVIDER_MODEL,
	  QUOTA_TIMEOUT, 10, true, FAULT_UPSTREAM_TIMEOUT },
	{ "sse-code", "openrouter", PROVIDER_NEXT, PROVIDER_MODEL,
	  QUOTA_CAPACITY, 10, true, FAULT_UPSTREAM_ERROR },
	{ "5xx", "other", PROVIDER_NEXT, PROVIDER_ACCOUNT,
	  QUOTA_DOWN, 5, true, FAULT_UPSTREAM_STATUS },
	{ "any-403", "other", PROVIDER_NEXT, PROVIDER_KEY,
	  QUOTA_KEY_REFUSED, 900, false, FAULT_UPSTREAM_STATUS },
	{ "any-4xx", "groq", PROVIDER_FAIL, PROVIDER_NONE,
	  QUOTA_OPEN, 0, false, FAULT_INVALID_REQUEST },
	{ "redirect", "other", PROVIDER_NEXT, PROVIDER_ACCOUNT,
	  QUOTA_DOWN, 5, true, FAULT_UPSTREAM_STATUS },
	{ "odd", "other", PROVIDER_NEXT, PROVIDER_MODEL,
	  QUOTA_DOWN, 10, true, FAULT_UPSTREAM_MALFORMED },
	{ "unknown", "groq", PROVIDER_NEXT, PROVIDER_MODEL,
	  QUOTA_CAPACITY, 10, true, FAULT_UPSTREAM_ERROR },
};

/* The answer of a fixture: its status, head and body; of an event stream the
 * last event's data. The caller frees. */
static char *
load(const char *name, struct provider_answer *a)
{
	char path[128], *p, *data;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "tests/fixtures/providers/%s.http", name);
	f = fopen(path, "r");
	assert_non_null(f);
	p = calloc(1, 65536);
	assert_non_null(p);
	n = fread(p, 1, 65535, f);
	fclose(f);
	data = strstr(p, "\r\n\r\n");
	assert_non_null(data);
	data += 4;
	*a = (struct provider_answer){ .status = atoi(p + 9), .head = p,
	    .head_len = (size_t)(data - p), .body = data,
	    .body_len = (size_t)(p + n - data) };
	if (a->status == 200) {
		a->net = FAULT_UPSTREAM_ERROR;
		a->body = strstr(data, "data: ");
		assert_non_null(a->body);
		a->body += 6;
		a->body_len = strcspn(a->body, "\n");
	}
	return p;
}

static void
check_row(const struct want *w)
{
	struct config_provider p = provider(w->provider, "http://127.0.0.1");
	struct provider_verdict v;
	struct provider_answer a;
	int64_t until;
	char *raw;

	raw = load(w->row, &a);
	provider_judge(&p, &a, NOW, &v);
	until = w->seconds == 0 ? 0 : NOW + w->seconds * SECOND;
	if (strcmp(v.row, w->row) != 0 || v.action != w->action ||
	    v.scope != w->scope || v.reason != w->reason ||
	    v.breaker != w->breaker || v.fault.code != w->fault ||
	    v.until != until)
		fail_msg("%s: got %s, action %d scope %d reason %s breaker "
		    "%d fault %s for %lld ms", w->row, v.row, v.action,
		    v.scope, quota_word(v.reason), v.breaker,
		    fault_word(v.fault.code), (long long)(v.until - NOW));
	assert_int_equal(strncmp(v.fault.message, "Title: ", 7), 0);
	assert_true((v.fault.retry_ms > 0) ==
	    (w->breaker || w->fault == FAULT_RATE_LIMITED));
	/* Nothing of the operator's account, nothing of the user's text. */
	assert_null(strstr(v.fault.message, "org_ours"));
	assert_null(strstr(v.fault.message, "11112222"));
	assert_null(strstr(v.fault.message, "nothing of note"));
	free(raw);
}

static void
every_row(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++)
		check_row(&wants[i]);
}

/* A body that was cut anywhere gets a verdict too, never a good one. */
static void
cut_bodies(void **state)
{
	struct config_provider p;
	struct provider_verdict v;
	struct provider_answer a, b;
	size_t i, k, n;
	char *raw, *copy;

	(void)state;
	for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		p = provider(wants[i].provider, "http://127.0.0.1");
		raw = load(wants[i].row, &a);
		n = a.body_len;
		for (k = 0; k < n; k++) {
			copy = malloc(k > 0 ? k : 1);
			assert_non_null(copy);
			memcpy(copy, a.body, k);
			b = a;
			b.body = copy;
			b.body_len = k;
			provider_judge(&p, &b, NOW, &v);
			assert_non_null(v.row);
			assert_true(v.action != PROVIDER_USE);
			free(copy);
		}
		free(raw);
	}
}

static void
below_http(void **state)
{
	static const struct {
		enum fault_code net, fault;
		enum provider_scope scope;
		int seconds;
		bool breaker;
	} t[] = {
		{ FAULT_UPSTREAM_REFUSED, FAULT_UPSTREAM_REFUSED,
		  PROVIDER_ACCOUNT, 30, true },
		{ FAULT_UPSTREAM_TIMEOUT, FAULT_UPSTREAM_TIMEOUT,
		  PROVIDER_MODEL, 10, true },
		{ FAULT_UPSTREAM_CUT, FAULT_UPSTREAM_CUT,
		  PROVIDER_MODEL, 10, true },
		{ FAULT_UPSTREAM_EMPTY, FAULT_UPSTREAM_EMPTY,
		  PROVIDER_NONE, 0, true },
		{ FAULT_UPSTREAM_MALFORMED, FAULT_UPSTREAM_MALFORMED,
		  PROVIDER_MODEL, 10, true },
		{ FAULT_INTERNAL, FAULT_INTERNAL, PROVIDER_NONE, 0, false },
	};
	struct provider_verdict v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		/* whatever status stood before the failure */
		judge_of("groq", i % 2 ? 200 : 0, t[i].net, NULL, NULL, &v);
		assert_int_equal(v.action, PROVIDER_NEXT);
		assert_int_equal(v.fault.code, t[i].fault);
		assert_int_equal(v.scope, t[i].scope);
		assert_int_equal(v.until, t[i].seconds == 0 ? 0 :
		    NOW + t[i].seconds * SECOND);
		assert_int_equal(v.breaker, t[i].breaker);
		assert_int_equal(v.guess, t[i].breaker);
	}
}

/* Who names a time is believed; a time that we chose is a guess. */
static void
whose_word(void **state)
{
	static const struct {
		int status;
		const char *head;
		bool guess;
	} t[] = {
		{ 503, "HTTP/1.1 503 No\r\n\r\n", true },
		{ 503, "HTTP/1.1 503 No\r\nRetry-After: 9\r\n\r\n", false },
		{ 500, "HTTP/1.1 500 No\r\n\r\n", true },
		{ 504, "HTTP/1.1 504 No\r\nRetry-After: 9\r\n\r\n", false },
		{ 429, "HTTP/1.1 429 No\r\n\r\n", false },
		{ 401, "HTTP/1.1 401 No\r\n\r\n", false },
	};
	struct provider_verdict v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		judge_of("groq", t[i].status, FAULT_NONE, t[i].head, NULL, &v);
		assert_true(v.until > NOW);
		assert_int_equal(v.guess, t[i].guess);
	}
}

static void
good_head(void **state)
{
	struct provider_verdict v;

	(void)state;
	judge_of("groq", 200, FAULT_NONE, "HTTP/1.1 200 OK\r\n\r\n",
	    NULL, &v);
	assert_int_equal(v.action, PROVIDER_USE);
	assert_int_equal(v.until, 0);
	assert_false(v.breaker);
	assert_int_equal(v.fault.code, FAULT_NONE);
}

/* What a client wrote comes back in an error and must not choose the row. */
static void
hostile_echoes(void **state)
{
	static const struct {
		char *provider;
		int status;
		const char *body, *row;
	} t[] = {
		{ "gemini", 400, "{\"error\":{\"message\":\"Invalid value "
		  "at 'x': \\\"API key not valid\\\"\"}}", "any-4xx" },
		{ "gemini", 400, "{\"error\":{\"message\":\"bad\\nreason:"
		  "api_key_invalid\\n\"}}", "any-4xx" },
		{ "xai", 400, "{\"error\":\"no: incorrect api key\"}",
		  "any-4xx" },
		{ "groq", 400, "{\"error\":{\"message\":\"x\","
		  "\"failed_generation\":\"maximum context length\"}}",
		  "any-4xx" },
		{ "mistral", 422, "{\"detail\":[{\"msg\":\"x\",\"in\\u0070"
		  "ut\":{\"a\":[\"prompt is too long\"]}}]}", "any-4xx" },
		{ "openrouter", 400, "{\"error\":{\"message\":\"x\","
		  "\"metadata\":{\"raw\":\"{\\\"input\\\":\\\"context "
		  "window\\\"}\"}}}", "any-4xx" },
		/* the same text where the provider speaks itself */
		{ "openrouter", 400, "{\"error\":{\"message\":\"x\","
		  "\"metadata\":{\"raw\":\"{\\\"error\\\":\\\"context "
		  "window\\\"}\"}}}", "ctx" },
		{ "groq", 429, "{\"error\":{\"message\":\"x\",\"messages\":"
		  "[{\"content\":\"(TPD) try again in 23h\"}]}}", "any-429" },
	};
	struct provider_verdict v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		judge_of(t[i].provider, t[i].status, FAULT_NONE, NULL,
		    t[i].body, &v);
		assert_string_equal(v.row, t[i].row);
	}
	assert_int_equal(v.until, NOW + 60 * SECOND);
}

static void
odd_bodies(void **state)
{
	static const char *const t[] = { "", "{", "[", "[]", "{}", "null",
	    "\"x\"", "[[{}]]", "{\"error\":null}", "{\"error\":[]}",
	    "{\"error\":{\"code\":{}}}", "{\"errors\":[]}",
	    "{\"errors\":[1,{\"code\":3036}]}", "\xff\xfe", "{\"a\":\xff}",
	    "{\"error\":{\"message\":\"\\u0000\\u0001\\u007f\"}}" };
	struct provider_verdict v;
	size_t i;
	char *p;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		judge_of("groq", 400, FAULT_NONE, NULL, t[i], &v);
		assert_string_equal(v.row, "any-4xx");
		for (p = v.fault.message; *p != '\0'; p++)
			assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
		judge_of("other", 0, FAULT_UPSTREAM_ERROR, NULL, t[i], &v);
		assert_string_equal(v.row, "unknown");
	}
}

/* The client sees the provider's words about its request, cut, in one line,
 * and whole characters. */
static void
words_for_the_client(void **state)
{
	struct provider_verdict v;
	char body[2048], *p;

	(void)state;
	strcpy(body, "{\"error\":{\"message\":\"");
	p = body + strlen(body);
	memcpy(p, "a\\nb\\u001bc", 11);
	for (p += 11; p < body + 1800; p += 3)
		memcpy(p, "\xe2\x82\xac", 3);
	strcpy(p, "\"}}");
	judge_of("groq", 400, FAULT_NONE, NULL, body, &v);
	assert_string_equal(v.row, "any-4xx");
	assert_non_null(strstr(v.fault.message, ": a b c\xe2\x82\xac"));
	p = v.fault.message;
	assert_in_range(strlen(p), 300, 350);
	for (; *p != '\0'; p += text_utf8(p, strlen(p)))
		assert_int_not_equal(text_utf8(p, strlen(p)), 0);

	judge_of("groq", 500, FAULT_NONE, NULL,
	    "{\"error\":{\"message\":\"secret inside\"}}", &v);
	assert_null(strstr(v.fault.message, "secret"));
	assert_int_equal(v.fault.status, 502);
}

/* Wherever a quoted key stands to the place where the sentence is cut. */
static void
no_half_of_a_key(void **state)
{
	static const char key[] = "test-key-of-half";
	struct provider_verdict v;
	char body[1024];
	int n;

	(void)state;
	assert_int_equal(log_secret(key), 0);
	for (n = 280; n < 500; n++) {
		snprintf(body, sizeof(body), "{\"error\":{\"message\":\""
		    "%0*d%s\"}}", n, 0, key);
		judge_of("groq", 400, FAULT_NONE, NULL, body, &v);
		assert_non_null(strstr(v.fault.message, ": 0000"));
		assert_null(strstr(v.fault.message, "0te"));
	}
}

static void
members_to_strip(void **state)
{
	static const struct { const char *body, *member; } t[] = {
		{ "{\"error\":{\"message\":\"Unsupported parameter: "
		  "'max_tokens' is not supported with this model. Use "
		  "'max_completion_tokens' instead.\"}}", "max_tokens" },
		{ "{\"error\":{\"message\":\"unsupported value\","
		  "\"param\":\"temperature\"}}", "temperature" },
		{ "[{\"error\":{\"message\":\"Invalid JSON payload received. "
		  "Unknown name \\\"user\\\": Cannot find field.\"}}]",
		  "user" },
		{ "{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":"
		  "[\"body\",\"seed\"],\"msg\":\"x\"}]}", "seed" },
		{ "{\"message\":\"This model only supports single tool-calls "
		  "at once!\"}", "parallel_tool_calls" },
		{ "{\"error\":{\"message\":\"Unrecognized request argument "
		  "supplied: logit_bias\"}}", "logit_bias" },
		{ "{\"error\":{\"message\":\"Unrecognized request arguments "
		  "supplied: tools\"}}", "" },
		{ "{\"error\":{\"message\":\"reasoning_effort is wrong\"}}",
		  "reasoning_effort" },
		/* never what the answer hangs on, nor what is no member */
		{ "{\"error\":{\"message\":\"'tools' is unsupported\"}}", "" },
		{ "{\"error\":{\"message\":\"unsupported value\","
		  "\"param\":\"messages[0].content\"}}", "" },
		{ "{\"error\":{\"message\":\"'messages' is unsupported\","
		  "\"param\":\"model\"}}", "" },
		{ "{\"error\":{\"message\":\"'A-b' and 'c\\\"d' and `' is "
		  "unsupported\"}}", "" },
	};
	struct provider_verdict v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		judge_of("other", 400, FAULT_NONE, NULL, t[i].body, &v);
		assert_string_equal(v.strip, t[i].member);
		assert_int_equal(v.action, t[i].member[0] != '\0' ?
		    PROVIDER_STRIP : PROVIDER_NEXT);
		assert_int_equal(v.fault.code, FAULT_INVALID_REQUEST);
	}
}

/* ---- times ---- */

static int64_t
bar_of(char *name, int status, const char *head, const char *body,
    enum quota_reason *reason)
{
	struct provider_verdict v;

	judge_of(name, status, FAULT_NONE, head, body, &v);
	*reason = v.reason;
	return v.until - NOW;
}

static void
hints(void **state)
{
	static const struct {
		const char *head;
		int64_t ms;
		enum quota_reason reason;
	} t[] = {
		{ "retry-after: 30\r\n", 30000, QUOTA_RATE_MINUTE },
		{ "Retry-After: 2.5\r\n", 2500, QUOTA_RATE_MINUTE },
		{ "Retry-After: 0\r\n", 1000, QUOTA_RATE_MINUTE },
		{ "Retry-After: -7\r\n", 60000, QUOTA_RATE_MINUTE },
		{ "Retry-After: soon\r\n", 60000, QUOTA_RATE_MINUTE },
		{ "Retry-After: NaN\r\n", 60000, QUOTA_RATE_MINUTE },
		{ "Retry-After: 1000000000000\r\n", 86400000,
		  QUOTA_RATE_DAY },
		{ "Retry-After: 99999999999999999999999\r\n", 86400000,
		  QUOTA_RATE_DAY },
		{ "Retry-After: 900\r\n", 900000, QUOTA_RATE_MINUTE },
		{ "Retry-After: 901\r\n", 901000, QUOTA_RATE_DAY },
		{ "Retry-After: Sat, 21 Nov 2026 12:01:30 GMT\r\n", 90000,
		  QUOTA_RATE_MINUTE },
		{ "Retry-After: Sat, 21 Nov 2020 12:01:30 GMT\r\n", 1000,
		  QUOTA_RATE_MINUTE },
		{ "Retry-After: 30\r\nretry-after-ms: 1500\r\n", 1500,
		  QUOTA_RATE_MINUTE },
		{ "X-RateLimit-Reset: 1795262425000\r\n", 25000,
		  QUOTA_RATE_MINUTE },
		{ "X-RateLimit-Reset: 1795262425\r\n", 25000,
		  QUOTA_RATE_MINUTE },
		{ "X-RateLimit-Reset: 25\r\n", 25000, QUOTA_RATE_MINUTE },
		{ "x-ratelimit-remaining-requests: 0\r\n"
		  "x-ratelimit-reset-requests: 1h2m\r\n", 3720000,
		  QUOTA_RATE_DAY },
		{ "x-ratelimit-remaining-requests: 3\r\n"
		  "x-ratelimit-reset-requests: 1h2m\r\n", 60000,
		  QUOTA_RATE_MINUTE },
		{ "\r\n", 60000, QUOTA_RATE_MINUTE },
	};
	enum quota_reason reason;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(bar_of("other", 429, t[i].head, "{}",
		    &reason), t[i].ms);
		assert_int_equal(reason, t[i].reason);
	}
}

/* Days by the calendar: midnight in Los Angeles in winter and in summer, and
 * on the days when the clock changes. */
static void
pacific_days(void **state)
{
	static const struct { const char *now, *next; } t[] = {
		{ "2026-11-21T12:00:00Z", "2026-11-22T08:00:00Z" },
		{ "2026-11-22T07:59:59Z", "2026-11-22T08:00:00Z" },
		{ "2026-11-22T08:00:00Z", "2026-11-23T08:00:00Z" },
		{ "2026-07-01T12:00:00Z", "2026-07-02T07:00:00Z" },
		{ "2026-03-08T09:00:00Z", "2026-03-09T07:00:00Z" },
		{ "2026-03-08T07:30:00Z", "2026-03-08T08:00:00Z" },
		{ "2026-11-01T08:30:00Z", "2026-11-02T08:00:00Z" },
		{ "2026-11-01T06:30:00Z", "2026-11-01T07:00:00Z" },
		{ "2027-12-31T23:00:00Z", "2028-01-01T08:00:00Z" },
	};
	struct config_provider p = provider("gemini", "");
	static const char body[] = "{\"error\":{\"details\":[{\"quotaId\":"
	    "\"RequestsPerDay\"},{\"retryDelay\":\"38s\"}]}}";
	struct provider_answer a = { .status = 429, .body = body,
	    .body_len = sizeof(body) - 1 };
	struct provider_verdict v;
	int64_t now, next;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(text_date(t[i].now, 20, &now), 0);
		assert_int_equal(text_date(t[i].next, 20, &next), 0);
		provider_judge(&p, &a, now, &v);
		assert_string_equal(v.row, "gem-day");
		assert_int_equal(v.until, next);
	}
}

/* ---- who it is ---- */

static void
kinds(void **state)
{
	static const struct { char *name, *url, *kind; } t[] = {
		{ "groq", "http://127.0.0.1:8080", "groq" },
		{ "mine", "https://api.groq.com/openai/v1", "groq" },
		{ "mine", "https://API.Groq.com:443/openai/v1", "groq" },
		{ "mine", "https://user@api.groq.com", "groq" },
		{ "mine", "https://api.groq.com.evil.example/v1", "" },
		{ "mine", "https://evil.example/api.groq.com", "" },
		{ "groq", "https://openrouter.ai/api/v1", "openrouter" },
		{ "gro", "", "" },
		{ "", "", "" },
	};
	struct config_provider p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		p = provider(t[i].name, t[i].url);
		assert_string_equal(kind_of(&p), t[i].kind);
	}
}

/* Every class has its row in the second table. */
static void
classes_whole(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < VERDICT_CLASSES; i++) {
		assert_non_null(classes[i].words);
		assert_int_not_equal(classes[i].fault, FAULT_NONE);
		assert_int_not_equal(classes[i].action, PROVIDER_USE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(cut_bodies),
		cmocka_unit_test(below_http),
		cmocka_unit_test(whose_word),
		cmocka_unit_test(good_head),
		cmocka_unit_test(hostile_echoes),
		cmocka_unit_test(odd_bodies),
		cmocka_unit_test(words_for_the_client),
		cmocka_unit_test(no_half_of_a_key),
		cmocka_unit_test(members_to_strip),
		cmocka_unit_test(hints),
		cmocka_unit_test(pacific_days),
		cmocka_unit_test(kinds),
		cmocka_unit_test(classes_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
