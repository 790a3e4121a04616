#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/hint.c"

#include <stdlib.h>

#define NOW	INT64_C(1795262400000)	/* 2026-11-21T12:00:00Z */

/* "limit:max/remaining@ms" for each, or "" */
static const char *
seen_in(const char *kind, const char *head, size_t max)
{
	static char out[512];
	struct quota_seen seen[8];
	size_t i, n, at = 0;

	out[0] = '\0';
	n = hint_limits(kind, head, strlen(head), NOW, seen, max);
	assert_true(n <= max);
	for (i = 0; i < n; i++) {
		assert_int_equal(seen[i].source, QUOTA_SRC_HEADER);
		at += (size_t)snprintf(out + at, sizeof(out) - at,
		    "%s%d:%lld/%lld@%lld", i ? " " : "", seen[i].limit,
		    (long long)seen[i].max, (long long)seen[i].remaining,
		    (long long)(seen[i].reset < 0 ? -1 :
		    seen[i].reset - NOW));
	}
	return out;
}

/* enum config_limit: RPM 0, RPD 2, TPM 4, TPD 6 */
static void
dialects(void **state)
{
	static const struct { const char *kind, *head, *want; } t[] = {
		{ "groq", "x-ratelimit-limit-requests: 1000\r\n"
		  "x-ratelimit-limit-tokens: 8000\r\n"
		  "x-ratelimit-remaining-requests: 998\r\n"
		  "x-ratelimit-remaining-tokens: 7893\r\n"
		  "x-ratelimit-reset-requests: 2m52.8s\r\n"
		  "x-ratelimit-reset-tokens: 802.5ms\r\n",
		  "2:1000/998@172800 4:8000/7893@803" },
		/* a day's, however soon it is full again */
		{ "groq", "x-ratelimit-limit-requests: 1000\r\n"
		  "x-ratelimit-reset-requests: 1.2s\r\n", "2:1000/-1@1200" },
		{ "groq", "x-ratelimit-reset-tokens: 3m7.055999999s\r\n"
		  "X-RateLimit-Remaining-Tokens: 0\r\n", "4:-1/0@187056" },
		{ "mistral", "x-ratelimit-limit-req-minute: 50\r\n"
		  "x-ratelimit-remaining-req-minute: 0\r\n"
		  "x-ratelimit-limit-tokens-minute: 50000\r\n"
		  "x-ratelimit-remaining-tokens-minute: 49979\r\n"
		  "x-ratelimit-tokens-query-cost: 21\r\n",
		  "0:50/0@-1 4:50000/49979@-1" },
		{ "cerebras", "x-ratelimit-limit-requests-day: 2400\r\n"
		  "x-ratelimit-limit-tokens-minute: 30000\r\n"
		  "x-ratelimit-remaining-requests-day: 2399\r\n"
		  "x-ratelimit-remaining-tokens-minute: 0\r\n"
		  "x-ratelimit-reset-requests-day: 33011.382867\r\n"
		  "x-ratelimit-reset-tokens-minute: 11.382867\r\n",
		  "2:2400/2399@33011383 4:30000/0@11383" },
		{ "openrouter", "X-RateLimit-Limit: 50\r\n"
		  "X-RateLimit-Remaining: 0\r\n"
		  "X-RateLimit-Reset: 1795305600000\r\n", "2:50/0@43200000" },
		{ "openrouter", "X-RateLimit-Limit: 20\r\n"
		  "X-RateLimit-Remaining: 0\r\n"
		  "X-RateLimit-Reset: 1795262441000\r\n", "0:20/0@41000" },
		{ "sambanova", "x-ratelimit-limit-requests: 20\r\n"
		  "x-ratelimit-remaining-requests: 19\r\n"
		  "x-ratelimit-reset-requests: 1795262430\r\n"
		  "x-ratelimit-limit-requests-day: 200\r\n"
		  "x-ratelimit-remaining-requests-day: 3\r\n",
		  "0:20/19@30000 2:200/3@-1" },
		{ "openai", "x-ratelimit-limit-requests: 500\r\n"
		  "x-ratelimit-remaining-requests: 499\r\n"
		  "x-ratelimit-reset-requests: 120ms\r\n"
		  "x-ratelimit-limit-tokens: 30000\r\n"
		  "x-ratelimit-remaining-tokens: 29000\r\n"
		  "x-ratelimit-reset-tokens: 6m0s\r\n",
		  "0:500/499@120 4:30000/29000@360000" },
		{ "openai", "x-ratelimit-limit-requests: 200\r\n"
		  "x-ratelimit-reset-requests: 7m12s\r\n", "2:200/-1@432000" },
		{ "anthropic", "anthropic-ratelimit-requests-limit: 50\r\n"
		  "anthropic-ratelimit-requests-remaining: 49\r\n"
		  "anthropic-ratelimit-requests-reset: "
		  "2026-11-21T12:00:01Z\r\n", "0:50/49@1000" },
		{ "gemini", "content-type: text/event-stream\r\n", "" },
		/* nobody's own: minute or day by the reset, else by name */
		{ "", "x-ratelimit-limit-requests: 60\r\n"
		  "x-ratelimit-reset-requests: 119s\r\n", "0:60/-1@119000" },
		{ "", "x-ratelimit-limit-requests: 60\r\n"
		  "x-ratelimit-reset-requests: 2m\r\n", "2:60/-1@120000" },
		{ "", "x-ratelimit-limit-tokens: 60\r\n"
		  "x-ratelimit-reset-tokens: 3h\r\n", "6:60/-1@10800000" },
		{ "", "x-ratelimit-limit-requests: 60\r\n", "" },
		{ "new", "x-ratelimit-remaining-requests-day: 5\r\n",
		  "2:-1/5@-1" },
		{ "new", "x-ratelimit-remaining-tokens-day: 6\r\n"
		  "x-ratelimit-remaining-tokens-minute: 7\r\n"
		  "x-ratelimit-limit-requests-minute: 1\r\n"
		  "x-ratelimit-remaining-requests-minute: 0\r\n",
		  "0:1/0@-1 4:-1/7@-1 6:-1/6@-1" },
		{ "new", "x-ratelimit-remaining-req-minute: 5\r\n",
		  "0:-1/5@-1" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_string_equal(seen_in(t[i].kind, t[i].head, 8),
		    t[i].want);
	assert_string_equal(seen_in("groq", t[0].head, 1),
	    "2:1000/998@172800");
	assert_string_equal(seen_in("groq", t[0].head, 0), "");
	assert_int_equal(hint_limits("groq", NULL, 0, NOW, NULL, 8), 0);
}

/* One false figure and the window is not believed at all. */
static void
lies(void **state)
{
	static const char *const t[] = {
		"x-ratelimit-limit-requests: -1\r\n",
		"x-ratelimit-limit-requests: NaN\r\n",
		"x-ratelimit-limit-requests: 1e9\r\n",
		"x-ratelimit-limit-requests: 10.5\r\n",
		"x-ratelimit-limit-requests:\r\n",
		"x-ratelimit-limit-requests: 99999999999999999999\r\n",
		"x-ratelimit-limit-requests: 1099511627777\r\n",
		"x-ratelimit-limit-requests: 5\r\n"
		"x-ratelimit-remaining-requests: 6\r\n",
		"x-ratelimit-limit-requests: 5\r\n"
		"x-ratelimit-remaining-requests: many\r\n",
		"x-ratelimit-limit-requests: 5\r\n"
		"x-ratelimit-reset-requests: -3s\r\n",
		"x-ratelimit-limit-requests: 0\r\n"
		"x-ratelimit-remaining-requests: 0\r\n",
		/* full again by now, and nothing left */
		"x-ratelimit-remaining-requests: 0\r\n"
		"x-ratelimit-reset-requests: 0s\r\n",
		"x-ratelimit-limit-requests: 5\r\n"
		"x-ratelimit-reset-requests: NaN\r\n",
		"x-ratelimit-limit-requests: 5\r\n"
		"x-ratelimit-reset-requests: 32503680000\r\n",
		"x-ratelimit-limit-requests: 5\r\n"
		"x-ratelimit-reset-requests: 3000-01-01T00:00:00Z\r\n",
		"x-ratelimit-limit-requests: 5\r\n"
		"x-ratelimit-reset-requests: 9000h\r\n",
		"x-ratelimit-limit-requests: 5\r\n"
		"x-ratelimit-reset-requests: 1700000000\r\n",
		"x-ratelimit-reset-requests: 5s\r\n",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_string_equal(seen_in("groq", t[i], 8), "");
}

static void
long_lies(void **state)
{
	size_t n = 65536;
	char *head = malloc(n + 1);

	(void)state;
	assert_non_null(head);
	memset(head, '9', n);
	head[n] = '\0';
	memcpy(head, "x-ratelimit-limit-requests: ", 28);
	assert_string_equal(seen_in("groq", head, 8), "");
	memcpy(head, "x-ratelimit-limit-requests: 5\r\n"
	    "x-ratelimit-reset-requests: ", 59);
	assert_string_equal(seen_in("groq", head, 8), "");
	free(head);
}

static int64_t
wait_of(const char *message)
{
	struct hint_text t = { .message = message };
	int64_t ms;

	return hint_wait(&t, NOW, &ms) == 0 ? ms : -1;
}

static void
prose(void **state)
{
	static const struct { const char *text; int64_t ms; } t[] = {
		{ "Please try again in 9m52.272s. Need more", 592272 },
		{ "please try again in 7.8s.", 7800 },
		{ "Please retry in 34.404917283s", 34405 },
		{ "retry after 20 seconds", 20000 },
		{ "wait 2 minutes", 120000 },
		{ "try again in 1h2m3s", 3723000 },
		{ "retry in 500ms", 1000 },	/* no less than a second */
		{ "Please try again later", -1 },
		{ "retry. Code 429", -1 },
		{ "try again in 5 apples, or wait 3s", 3000 },
		{ "retry this in more than twenty bytes 5s", -1 },
		{ "retry\n5s", -1 },
		{ "try again in 300h", HINT_MAX },
		{ "retry in 99999999999999999999999h", -1 },
		{ "your limit will reset at 2026-11-21 20:30:00", 1800000 },
		{ "your limit will reset at 2026-11-21 13:00:00", 3600000 },
		{ "your limit will reset at 2026-11-20 13:00:00", -1 },
		{ "your limit will reset at 2026-11-", -1 },
		{ "", -1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(wait_of(t[i].text), t[i].ms);
}

/* The first place that tells a time is the one that counts. */
static void
precedence(void **state)
{
	struct hint_text t = { .delay = "38s", .reset = "25",
	    .message = "try again in 5s" };
	static const char both[] = "retry-after: 12\r\n"
	    "x-ratelimit-remaining-tokens: 0\r\n"
	    "x-ratelimit-reset-tokens: 3s\r\n";
	int64_t ms;

	(void)state;
	t.head = both;
	t.head_len = sizeof(both) - 1;
	assert_int_equal(hint_wait(&t, NOW, &ms), 0);
	assert_int_equal(ms, 12000);
	t.head += 17;
	t.head_len -= 17;
	assert_int_equal(hint_wait(&t, NOW, &ms), 0);
	assert_int_equal(ms, 25000);
	t.reset = "";
	assert_int_equal(hint_wait(&t, NOW, &ms), 0);
	assert_int_equal(ms, 38000);
	t.delay = "x";
	assert_int_equal(hint_wait(&t, NOW, &ms), 0);
	assert_int_equal(ms, 3000);
	t.head = NULL;
	assert_int_equal(hint_wait(&t, NOW, &ms), 0);
	assert_int_equal(ms, 5000);
	t.message = NULL;
	assert_int_equal(hint_wait(&t, NOW, &ms), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialects),
		cmocka_unit_test(lies),
		cmocka_unit_test(long_lies),
		cmocka_unit_test(prose),
		cmocka_unit_test(precedence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
