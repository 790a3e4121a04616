#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/reply.c"

#include <stdio.h>

#include "log.h"

#define HEAD_SSE	"HTTP/1.1 200 OK\r\n" \
			"Content-Type: text/event-stream; charset=utf-8\r\n"
#define HEAD_JSON	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

#define C(delta, finish) \
	"{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":7," \
	"\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":" delta \
	",\"finish_reason\":" finish "}]}"
#define EV(json)	"data: " json "\n\n"
#define TEXT(s)		C("{\"content\":\"" s "\"}", "null")
#define STOP		C("{}", "\"stop\"")
#define DONE		EV("[DONE]")
#define USAGE		"{\"prompt_tokens\":9,\"completion_tokens\":4," \
			"\"total_tokens\":13}"
#define USAGE_CHUNK	"{\"id\":\"c1\",\"choices\":[],\"usage\":" USAGE "}"

static struct reply r;
static struct buf out;

static const struct reply_spec sse = {
	.mode = REPLY_SSE, .max_event = 4096, .max_json = 4096
}, sse_usage = {
	.mode = REPLY_SSE, .want_usage = true, .max_event = 4096,
	.max_json = 4096
}, told = {
	.mode = REPLY_SSE, .relevo = "{\"provider\":\"p\"}",
	.max_event = 4096, .max_json = 4096
}, text = {
	.mode = REPLY_TEXT, .max_event = 4096, .max_json = 4096
}, json = {
	.mode = REPLY_JSON, .max_event = 4096, .max_json = 4096
}, json_told = {
	.mode = REPLY_JSON, .relevo = "{\"provider\":\"p\"}",
	.max_event = 4096, .max_json = 4096
};

static void
release(void)
{
	reply_release(&r);
	buf_release(&out);
}

/* One answer, fed in pieces of `piece` bytes. */
static void
feed(const struct reply_spec *spec, const char *head, const char *body,
    size_t piece)
{
	size_t n = strlen(body), i, k;

	release();
	buf_init(&out, 1 << 20);
	reply_init(&r, spec);
	reply_head(&r, head, strlen(head));
	for (i = 0; i < n; i += k) {
		k = n - i < piece ? n - i : piece;
		reply_feed(&r, body + i, k, &out);
	}
}

/* What the client gets must not depend on the pieces. */
static void
expect(const struct reply_spec *spec, const char *head, const char *body,
    const char *wanted)
{
	static const size_t pieces[] = { 1 << 20, 1, 2, 3, 7, 64 };
	size_t i;

	for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		feed(spec, head, body, pieces[i]);
		reply_end(&r, true, &out);
		assert_string_equal(buf_str(&out), wanted);
	}
}

static void
expect_done(const struct reply_spec *spec, const char *head, const char *body,
    const char *wanted)
{
	expect(spec, head, body, wanted);
	assert_true(r.done);
	assert_false(r.failed);
}

static void
expect_fault(const struct reply_spec *spec, const char *head,
    const char *body, const char *wanted, enum fault_code code)
{
	expect(spec, head, body, wanted);
	assert_true(r.failed);
	assert_false(r.done);
	assert_int_equal(r.fault.code, code);
}

/* Choices may come one after the other. Who asked for two is not told that all
 * is there when the second never began; a provider that knows no n says so by
 * [DONE], or by a clean end. */
static void
test_choices_asked_for(void **state)
{
	static const struct reply_spec two = { .mode = REPLY_SSE,
	    .choices = 2, .max_event = 4096, .max_json = 4096 };

	(void)state;
#define SECOND	"{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}," \
		"\"finish_reason\":\"stop\"}]}"
#define FIRST	EV(TEXT("a")) EV(STOP)
	feed(&two, HEAD_SSE, FIRST, 1 << 20);
	assert_false(r.finished);
	reply_end(&r, false, &out);
	assert_int_equal(r.fault.code, FAULT_UPSTREAM_CUT);
	feed(&two, HEAD_SSE, FIRST EV(SECOND), 1 << 20);
	assert_true(r.finished);
	reply_end(&r, false, &out);
	assert_true(r.done);
	assert_string_equal(buf_str(&out), FIRST EV(SECOND) DONE);
	expect_done(&two, HEAD_SSE, FIRST DONE, FIRST DONE);
	expect_done(&two, HEAD_SSE, FIRST, FIRST DONE);
	expect_fault(&two, HEAD_SSE,
	    FIRST EV("{\"error\":{\"message\":\"x\"}}"), FIRST,
	    FAULT_UPSTREAM_ERROR);
}

/* All tokens went into what is not shown: that is the answer, not a failure. */
static void
test_nothing_but_an_end(void **state)
{
	(void)state;
#define SPENT(why)	C("{}", "\"" why "\"")
	expect_done(&sse, HEAD_SSE, EV(SPENT("length")) DONE,
	    EV(SPENT("length")) DONE);
	expect_done(&sse, HEAD_SSE, EV(SPENT("content_filter")),
	    EV(SPENT("content_filter")) DONE);
	expect_done(&json, HEAD_JSON, "{\"choices\":[{\"index\":0,\"message\":"
	    "{\"content\":\"\"},\"finish_reason\":\"length\"}]}",
	    "{\"choices\":[{\"index\":0,\"message\":"
	    "{\"content\":\"\"},\"finish_reason\":\"length\"}]}");
	expect_fault(&sse, HEAD_SSE, EV(STOP) DONE, EV(STOP),
	    FAULT_UPSTREAM_EMPTY);
	/* Bare text has no word for it. */
	expect_fault(&text, HEAD_SSE, EV(SPENT("length")) DONE, "",
	    FAULT_UPSTREAM_EMPTY);
}

/* Events of text alone go on in runs; what stands among them is seen. */
static void
test_runs_of_text(void **state)
{
	static const struct reply_spec small = { .mode = REPLY_SSE,
	    .max_event = 160, .max_json = 4096 };
	char big[2000];

	(void)state;
#define RUN	EV(TEXT("a")) EV(TEXT("bc")) EV(TEXT("\\u00e9\\n"))
	expect_done(&sse, HEAD_SSE, RUN RUN ": x\n\n" RUN EV(STOP) DONE,
	    RUN RUN RUN EV(STOP) DONE);
	assert_int_equal(r.bytes, 3 * (1 + 2 + 3));
	expect_done(&text, HEAD_SSE, RUN RUN EV(STOP) DONE,
	    "abc\xc3\xa9\nabc\xc3\xa9\n");
	expect_fault(&sse, HEAD_SSE, RUN EV(TEXT("\xff")) RUN, RUN,
	    FAULT_UPSTREAM_MALFORMED);
	expect_fault(&sse, HEAD_SSE, RUN RUN, RUN RUN, FAULT_UPSTREAM_CUT);
	/* One above the maximum is none of them, as if it came in pieces:
	 * here its text is too long for what is kept of it, and not counted. */
	snprintf(big, sizeof(big),
	    "%s" EV(C("{\"content\":\"%0100d\"}", "null"))
	    "%s" EV(STOP) DONE, RUN, 0, RUN);
	expect_done(&small, HEAD_SSE, big, big);
	assert_int_equal(r.bytes, 2 * (1 + 2 + 3));
	feed(&small, HEAD_SSE, big, sizeof(big));
	assert_int_equal(r.bytes, 2 * (1 + 2 + 3));
}

/* Its last byte finds no room. */
static void
test_end_of_parts(void **state)
{
	static const struct reply_spec small = { .mode = REPLY_SSE,
	    .max_event = 160, .max_json = 4096 };
	char big[500];
	int n = snprintf(big, sizeof(big), EV(TEXT("%0300d")), 0);

	(void)state;
	release();
	buf_init(&out, (size_t)n - 1);
	reply_init(&r, &small);
	reply_head(&r, HEAD_SSE, strlen(HEAD_SSE));
	reply_feed(&r, big, (size_t)n, &out);
	assert_true(r.failed);
	assert_int_equal(r.fault.code, FAULT_INTERNAL);
}

static void
test_passes_as_it_came(void **state)
{
	(void)state;
	expect_done(&sse, HEAD_SSE, EV(C("{\"role\":\"assistant\"}", "null"))
	    EV(TEXT("caf\\u00e9 \xc3\xb1")) EV(STOP) DONE,
	    EV(C("{\"role\":\"assistant\"}", "null"))
	    EV(TEXT("caf\\u00e9 \xc3\xb1")) EV(STOP) DONE);
	assert_true(r.content);
	assert_true(r.finished);
	assert_int_equal(r.bytes, 8);
	assert_int_equal(reply_estimate(&r), 2);
	assert_int_equal(r.prompt, -1);
}

static void
test_framing_is_ours(void **state)
{
	(void)state;
	expect_done(&sse, HEAD_SSE,
	    "\xef\xbb\xbf: hello\r\nid: 1\r\nevent: message\r\n"
	    "data:{\"id\":\"c1\",\r\ndata:\t\"choices\":[{\"index\":0,\r\n"
	    "data:\"delta\":{\"content\":\"x\"}}]}\r\n\r\n: PROCESSING\n\n"
	    "data\n\ndata: \n\n" EV(STOP) "data:[DONE]\r\r" EV(TEXT("late")),
	    EV("{\"id\":\"c1\", \t\"choices\":[{\"index\":0, "
	    "\"delta\":{\"content\":\"x\"}}]}") EV(STOP) DONE);
}

static void
test_done_is_added(void **state)
{
	(void)state;
	expect_done(&sse, HEAD_SSE, EV(TEXT("x")) EV(STOP),
	    EV(TEXT("x")) EV(STOP) DONE);
	/* A finish_reason proves more than the way the connection ended. */
	feed(&sse, HEAD_SSE, EV(TEXT("x")) EV(STOP), 9);
	reply_end(&r, false, &out);
	assert_true(r.done);
}

static void
test_cut(void **state)
{
	(void)state;
	expect_fault(&sse, HEAD_SSE, EV(TEXT("x")), EV(TEXT("x")),
	    FAULT_UPSTREAM_CUT);
	expect_fault(&sse, HEAD_SSE, EV(TEXT("x")) DONE, EV(TEXT("x")),
	    FAULT_UPSTREAM_CUT);
	/* An event without its blank line is none. */
	expect_fault(&sse, HEAD_SSE, EV(TEXT("x")) "data: " STOP "\n",
	    EV(TEXT("x")), FAULT_UPSTREAM_CUT);
	expect_fault(&text, HEAD_SSE, EV(TEXT("x")), "x", FAULT_UPSTREAM_CUT);
	expect_fault(&sse, HEAD_SSE, EV(TEXT("x")) EV(C("{}", "\"\"")) DONE,
	    EV(TEXT("x")) EV(C("{}", "null")), FAULT_UPSTREAM_CUT);
}

/* Who has seen each finish_reason has all of the text. */
static void
test_wrong_behind_the_end(void **state)
{
	static const char *const late[] = { EV("{"), EV("{\"error\":"
	    "{\"code\":500}}"), "event: error\n" EV("{}"),
	    EV(C("{}", "\"error\"")) };
	char big[6000], body[8000];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(late) / sizeof(late[0]); i++) {
		snprintf(body, sizeof(body), "%s%s%s%s", EV(TEXT("x")),
		    EV(STOP), late[i], EV(USAGE_CHUNK));
		expect_done(&sse, HEAD_SSE, body, EV(TEXT("x")) EV(STOP)
		    DONE);
		expect_done(&text, HEAD_SSE, body, "x");
	}
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	snprintf(body, sizeof(body), "%s%sdata: %s", EV(TEXT("x")), EV(STOP),
	    big);
	expect_done(&text, HEAD_SSE, body, "x");
	/* Not while a choice is open, nor without content. */
	expect_fault(&sse, HEAD_SSE, EV("{\"choices\":[{\"index\":1,"
	    "\"delta\":{\"content\":\"x\"}}]}") EV(STOP) EV("{"),
	    EV("{\"choices\":[{\"index\":1,\"delta\":{\"content\":"
	    "\"x\"}}]}") EV(STOP), FAULT_UPSTREAM_MALFORMED);
	expect_fault(&text, HEAD_SSE, EV(STOP) EV("{\"error\":{}}"), "",
	    FAULT_UPSTREAM_ERROR);
}

static void
test_empty(void **state)
{
	(void)state;
	expect_fault(&sse, HEAD_SSE, "", "", FAULT_UPSTREAM_EMPTY);
	expect_fault(&sse, HEAD_SSE, ": only\n\n: comments\n\n", "",
	    FAULT_UPSTREAM_EMPTY);
	expect_fault(&sse, HEAD_SSE, DONE, "", FAULT_UPSTREAM_EMPTY);
	feed(&sse, HEAD_SSE, EV(C("{\"role\":\"assistant\",\"content\":\"\"}",
	    "\"stop\"")) DONE, 5);
	assert_false(r.content);
	assert_true(r.failed);
	assert_int_equal(r.fault.code, FAULT_UPSTREAM_EMPTY);
	/* Thoughts alone are no answer for who gets the text alone. */
	expect_fault(&text, HEAD_SSE, EV(C("{\"reasoning\":\"hm\"}", "null"))
	    EV(STOP) DONE, "", FAULT_UPSTREAM_EMPTY);
}

static void
test_what_is_content(void **state)
{
	static const struct {
		const char	*delta;
		bool		 content;
	} rows[] = {
		{ EV(C("{\"role\":\"assistant\"}", "null")), false },
		{ EV(C("{\"content\":\"\"}", "null")), false },
		{ EV(C("{\"content\":null}", "null")), false },
		{ EV(C("{\"content\":[]}", "null")), false },
		{ EV(C("{\"tool_calls\":[]}", "null")), false },
		{ EV(C("{\"reasoning\":\"\"}", "null")), false },
		{ EV(C("null", "null")), false },
		{ EV(C("{\"content\":\"a\"}", "null")), true },
		{ EV(C("{\"cont\\u0065nt\":\"a\"}", "null")), true },
		{ EV(C("{\"reasoning\":\"a\"}", "null")), true },
		{ EV(C("{\"reasoning_content\":\"a\"}", "null")), true },
		{ EV(C("{\"refusal\":\"no\"}", "null")), true },
		{ EV(C("{\"tool_calls\":[{\"index\":0,\"function\":"
		    "{\"name\":\"f\",\"arguments\":\"\"}}]}", "null")), true },
		{ EV(C("{\"content\":[{\"type\":\"thinking\",\"thinking\":"
		    "[{\"type\":\"text\",\"text\":\"hm\"}]}]}", "null")),
		    true },
		{ EV("{\"choices\":[{\"delta\":{\"content\":\"a\"}}],"
		    "\"error\":null}"), true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		feed(&sse, HEAD_SSE, rows[i].delta, 1 << 20);
		assert_false(r.failed);
		assert_int_equal(r.content, rows[i].content);
		assert_int_equal(r.open, 1);
	}
}

static void
test_bytes(void **state)
{
	(void)state;
	feed(&sse, HEAD_SSE,
	    EV(C("{\"reasoning\":\"abcd\",\"reasoning_content\":\"abcd\"}",
	    "null")) EV(C("{\"content\":\"\\u00e9\\n\\ud83d\\ude80\"}",
	    "null")) EV(C("{\"tool_calls\":[{\"id\":\"call_1\","
	    "\"type\":\"function\",\"function\":{\"name\":\"ab\","
	    "\"arguments\":\"{}\"}}]}", "null")), 1 << 20);
	/* 4; 2, 1 and 4; 2 and 2. */
	assert_int_equal(r.bytes, 15);
	assert_int_equal(reply_estimate(&r), 4);
}

static void
test_rewrites(void **state)
{
	(void)state;
	expect_done(&sse, HEAD_SSE,
	    EV(C("{\"role\":\"\",\"content\":\"a\"}", "\"\""))
	    EV(C("{\"content\":\"b\" , \"role\" : \"\" }", "null"))
	    EV(C("{\"role\":\"\"}", "null"))
	    EV("{\"choices\":[{\"finish_reason\":\"stop\",\"delta\":null}]}")
	    DONE,
	    EV(C("{\"content\":\"a\"}", "null"))
	    EV(C("{\"content\":\"b\"  }", "null"))
	    EV(C("{}", "null"))
	    EV("{\"choices\":[{\"finish_reason\":\"stop\",\"delta\":{}}]}")
	    DONE);
	/* the next one of the same shape too */
	expect_done(&sse, HEAD_SSE,
	    EV(C("{\"role\":\"\",\"content\":\"a\"}", "null"))
	    EV(C("{\"role\":\"\",\"content\":\"b\"}", "null"))
	    EV(C("{\"role\":\"\",\"content\":\"c\"}", "null"))
	    EV(STOP) DONE,
	    EV(TEXT("a")) EV(TEXT("b")) EV(TEXT("c")) EV(STOP) DONE);
}

static void
test_one_finish(void **state)
{
	(void)state;
	expect_done(&sse, HEAD_SSE, EV(TEXT("a")) EV(STOP)
	    EV(C("{\"content\":\"\"}", "\"stop\"")) DONE,
	    EV(TEXT("a")) EV(STOP) DONE);
	/* With text, or with the usage that the client waits for, the event
	 * stays and its finish_reason goes. */
	expect_done(&sse, HEAD_SSE, EV(TEXT("a")) EV(STOP)
	    EV(C("{\"content\":\"b\"}", "\"stop\"")) DONE,
	    EV(TEXT("a")) EV(STOP) EV(C("{\"content\":\"b\"}", "null")) DONE);
	expect_done(&sse_usage, HEAD_SSE, EV(TEXT("a")) EV(STOP)
	    EV("{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
	    "\"stop\"}],\"usage\":" USAGE "}") DONE,
	    EV(TEXT("a")) EV(STOP)
	    EV("{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
	    "null}],\"usage\":" USAGE "}") DONE);
	/* An unknown word is the provider's business. */
	expect_done(&sse, HEAD_SSE, EV(TEXT("a")) EV(C("{}", "\"eos\"")) DONE,
	    EV(TEXT("a")) EV(C("{}", "\"eos\"")) DONE);
}

static void
test_choices(void **state)
{
#define N(i, delta, finish) "{\"choices\":[{\"index\":" i ",\"delta\":" \
	delta ",\"finish_reason\":" finish "}]}"
	const char *one = EV(N("0", "{\"content\":\"a\"}", "null"))
	    EV(N("1", "{\"content\":\"b\"}", "null"))
	    EV(N("0", "{}", "\"stop\"")) DONE;

	(void)state;
	feed(&sse, HEAD_SSE, one, 1 << 20);
	assert_true(r.failed);
	assert_int_equal(r.fault.code, FAULT_UPSTREAM_CUT);
	expect_done(&sse, HEAD_SSE, EV(N("0", "{\"content\":\"a\"}", "null"))
	    EV(N("1", "{\"content\":\"b\"}", "null"))
	    EV(N("1", "{}", "\"stop\"")) EV(N("0", "{}", "\"length\"")) DONE,
	    EV(N("0", "{\"content\":\"a\"}", "null"))
	    EV(N("1", "{\"content\":\"b\"}", "null"))
	    EV(N("1", "{}", "\"stop\"")) EV(N("0", "{}", "\"length\"")) DONE);
	/* The bare text is that of the first choice alone. */
	expect_done(&text, HEAD_SSE,
	    EV(N("0", "{\"content\":\"a\"}", "\"stop\""))
	    EV(N("1", "{\"content\":\"b\"}", "\"stop\"")) DONE, "a");
	/* An index that has no bit does not hurt. */
	feed(&sse, HEAD_SSE, EV(N("64", "{\"content\":\"a\"}", "null"))
	    EV(N("99999999999", "{}", "null")), 3);
	assert_false(r.failed);
	assert_true(r.content);
}

static void
test_usage(void **state)
{
	(void)state;
	expect_done(&sse, HEAD_SSE, EV(TEXT("a")) EV(STOP) EV(USAGE_CHUNK)
	    DONE, EV(TEXT("a")) EV(STOP) DONE);
	assert_int_equal(r.prompt, 9);
	assert_int_equal(r.completion, 4);
	expect_done(&sse_usage, HEAD_SSE, EV(TEXT("a")) EV(STOP)
	    EV(USAGE_CHUNK) DONE, EV(TEXT("a")) EV(STOP) EV(USAGE_CHUNK)
	    DONE);
	/* Only where Groq alone looks for it: the client gets a chunk. */
	expect_done(&sse_usage, HEAD_SSE, EV(TEXT("a"))
	    EV("{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
	    "\"stop\"}],\"x_groq\":{\"id\":\"q\",\"usage\":" USAGE "}}") DONE,
	    EV(TEXT("a"))
	    EV("{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
	    "\"stop\"}],\"x_groq\":{\"id\":\"q\",\"usage\":" USAGE "}}")
	    EV("{\"id\":\"c1\",\"object\":\"chat.completion.chunk\","
	    "\"created\":7,\"model\":\"m\",\"choices\":[],\"usage\":" USAGE
	    "}") DONE);
	/* None came: none is made up. */
	expect_done(&sse_usage, HEAD_SSE, EV(TEXT("a")) EV(STOP) DONE,
	    EV(TEXT("a")) EV(STOP) DONE);
}

static void
test_usage_figures(void **state)
{
	static const struct {
		const char	*event;
		int64_t		 prompt, completion;
	} rows[] = {
		/* Reasoning that only the total has (xAI). */
		{ EV("{\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":"
		    "1,\"total_tokens\":303}}"), 12, 291 },
		{ EV("{\"usage\":{\"completion_tokens\":5,"
		    "\"prompt_tokens\":3}}"), 3, 5 },
		{ EV("{\"usage\":{\"prompt_tokens\":3,\"total_tokens\":5}}"),
		    3, 2 },
		{ EV("{\"usage\":{\"prompt_tokens\":3,"
		    "\"completion_tokens\":5,\"total_tokens\":0}}"), 3, 5 },
		{ EV("{\"usage\":null}"), -1, -1 },
		{ EV("{\"usage\":{}}"), -1, -1 },
		{ EV("{\"usage\":{\"completion_tokens\":5}}"), -1, -1 },
		{ EV("{\"usage\":{\"prompt_tokens\":-3,"
		    "\"completion_tokens\":5}}"), -1, -1 },
		{ EV("{\"usage\":{\"prompt_tokens\":\"3\","
		    "\"completion_tokens\":1e9}}"), -1, -1 },
		/* Zeros before the end do not count as a count. */
		{ EV("{\"usage\":" USAGE "}")
		    EV("{\"usage\":{\"prompt_tokens\":0,"
		    "\"completion_tokens\":0,\"total_tokens\":0}}"), 9, 4 },
		/* The last one holds. */
		{ EV("{\"usage\":{\"prompt_tokens\":9,"
		    "\"completion_tokens\":1}}")
		    EV("{\"usage\":" USAGE "}"), 9, 4 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		feed(&sse_usage, HEAD_SSE, rows[i].event, 1 << 20);
		assert_int_equal(r.prompt, rows[i].prompt);
		assert_int_equal(r.completion, rows[i].completion);
		assert_int_equal(out.len, 0);
	}
}

static void
test_no_choices_no_event(void **state)
{
	(void)state;
	expect_done(&sse_usage, HEAD_SSE, EV("{\"provider\":\"x\"}")
	    EV("{\"choices\":[],\"prompt_filter_results\":[]}")
	    EV("{\"choices\":null}") EV("{\"choices\":{}}") EV("null")
	    EV("\"ping\"") EV("7") EV("[]") EV("{}")
	    EV(TEXT("a")) EV(STOP) DONE, EV(TEXT("a")) EV(STOP) DONE);
}

static void
test_errors(void **state)
{
	char body[1024];

	(void)state;
	expect_fault(&sse, HEAD_SSE, EV("{\"error\":{\"message\":\"slow "
	    "\\u0064own\",\"code\":\"queue\"},\"status_code\":429}") DONE, "",
	    FAULT_UPSTREAM_ERROR);
	assert_int_equal(r.status, 429);
	assert_false(r.content);
	assert_string_equal(r.fault.message,
	    "The provider reported an error: slow down");
	assert_string_equal(buf_str(&r.error), "{\"error\":{\"message\":"
	    "\"slow \\u0064own\",\"code\":\"queue\"},"
	    "\"status_code\":429}");

	expect_fault(&sse, HEAD_SSE, EV(TEXT("a")) "event: error\n"
	    EV("{\"error\":{\"message\":\"x\",\"status_code\":400}}"),
	    EV(TEXT("a")), FAULT_UPSTREAM_ERROR);
	assert_int_equal(r.status, 400);
	assert_true(r.content);

	/* OpenRouter's: inside a normal chunk, then [DONE]. */
	expect_fault(&sse, HEAD_SSE, EV(TEXT("a"))
	    EV("{\"error\":{\"code\":502,\"message\":\"x\"},\"choices\":[{"
	    "\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":"
	    "null}]}") DONE, EV(TEXT("a")), FAULT_UPSTREAM_ERROR);
	assert_int_equal(r.status, 502);

	expect_fault(&sse, HEAD_SSE, EV(TEXT("a")) EV(C("{}", "\"error\""))
	    DONE, EV(TEXT("a")), FAULT_UPSTREAM_ERROR);
	expect_fault(&sse, HEAD_SSE, EV("[{\"error\":{\"code\":429}}]"), "",
	    FAULT_UPSTREAM_ERROR);
	assert_int_equal(r.status, 429);
	expect_fault(&sse, HEAD_SSE, EV("{\"error\":\"bad\"}"), "",
	    FAULT_UPSTREAM_ERROR);
	expect_fault(&sse, HEAD_SSE, "event: error\n" EV("{\"message\":1}"),
	    "", FAULT_UPSTREAM_ERROR);
	assert_int_equal(r.status, 0);

	/* Content in an event that fails is no content. */
	expect_fault(&sse, HEAD_SSE, EV("{\"choices\":[{\"delta\":{"
	    "\"content\":\"a\"}}],\"error\":{\"code\":7}}"), "",
	    FAULT_UPSTREAM_ERROR);
	assert_false(r.content);
	assert_int_equal(r.status, 0);

	/* What it says is told; of much of it the beginning. */
	expect_fault(&sse, HEAD_SSE, EV("{\"error\":{\"code\":500}}"), "",
	    FAULT_UPSTREAM_ERROR);
	assert_string_equal(r.fault.message,
	    "The provider reported an error.");
	snprintf(body, sizeof(body), EV("{\"error\":{\"message\":\"%0900d\"}}"),
	    7);
	expect_fault(&sse, HEAD_SSE, body, "", FAULT_UPSTREAM_ERROR);
	assert_memory_equal(r.fault.message,
	    "The provider reported an error: 00000", 37);
	assert_int_equal(strlen(r.fault.message), sizeof(r.fault.message) - 1);

	/* A model may speak of errors. */
	expect_done(&sse, HEAD_SSE, EV(TEXT("\\\"error\\\":{"))
	    EV(C("{\"error\":{}}", "\"stop\"")) DONE,
	    EV(TEXT("\\\"error\\\":{")) EV(C("{\"error\":{}}", "\"stop\""))
	    DONE);
}

static void
test_secrets_stay(void **state)
{
	(void)state;
	assert_int_equal(log_secret("sk-fixture-0001"), 0);
	expect_fault(&sse, HEAD_SSE, EV("{\"error\":{\"message\":"
	    "\"bad key sk-fixture-0001\"}}"), "", FAULT_UPSTREAM_ERROR);
	assert_string_equal(r.fault.message,
	    "The provider reported an error: bad key ***************");
}

static void
test_malformed(void **state)
{
	(void)state;
	expect_fault(&sse, HEAD_SSE, EV("{\"choices\":[{\"delta\":{"
	    "\"content\":\"a\"}}]"), "", FAULT_UPSTREAM_MALFORMED);
	assert_false(r.content);
	expect_fault(&sse, HEAD_SSE, EV(TEXT("a")) EV("{'choices':[]}"),
	    EV(TEXT("a")), FAULT_UPSTREAM_MALFORMED);
	expect_fault(&sse, HEAD_SSE, EV(TEXT("\xc3")), "",
	    FAULT_UPSTREAM_MALFORMED);
	expect_fault(&sse, HEAD_SSE, EV(TEXT("a") TEXT("b")), "",
	    FAULT_UPSTREAM_MALFORMED);
	expect_fault(&sse, HEAD_SSE, EV(TEXT("a")) EV("        [DONE] 7"),
	    EV(TEXT("a")), FAULT_UPSTREAM_MALFORMED);
}

static void
test_too_large(void **state)
{
	char big[8192];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	memcpy(big, EV(TEXT("a")) "data: ", strlen(EV(TEXT("a")) "data: "));
	expect_fault(&text, HEAD_SSE, big, "a", FAULT_UPSTREAM_MALFORMED);
	expect_fault(&json, HEAD_JSON, big, "", FAULT_UPSTREAM_MALFORMED);
	/* The caller's buffer is too small: nothing of the event is in it. */
	release();
	buf_init(&out, 150);
	reply_init(&r, &sse);
	reply_head(&r, HEAD_SSE, strlen(HEAD_SSE));
	reply_feed(&r, EV(TEXT("a")) EV(TEXT("b")),
	    strlen(EV(TEXT("a")) EV(TEXT("b"))), &out);
	assert_true(r.failed);
	assert_int_equal(r.fault.code, FAULT_INTERNAL);
	assert_string_equal(buf_str(&out), EV(TEXT("a")));
}

/* n bytes of filler, in units that a cut must not go through. */
static const char *
filler(const char *unit, size_t n)
{
	static char big[16 * 1024];
	size_t i, k = strlen(unit);

	assert_true(n < sizeof(big) - k);
	for (i = 0; i < n; i += k)
		memcpy(big + i, unit, k);
	big[i] = '\0';
	return big;
}

/* An event above the maximum of 4,096 goes on as it came. */
static void
test_parts(void **state)
{
	static const char *const units[] = { "x", "\xc3\xb1", "\\n",
	    "\\u4e2d", "\\ud83d\\ude80", "\xf0\x9f\x9a\x80", "\\\"" };
	static const struct { const char *before, *after; } rows[] = {
		{ "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"",
		    "\"},\"finish_reason\":null}]}" },
		/* all that an answer has to say, in one event */
		{ "{\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{"
		    "\"role\":\"\",\"content\":\"", "\"},\"finish_reason\":"
		    "\"stop\"}],\"usage\":" USAGE "}" },
	};
	char event[20 * 1024], body[40 * 1024], want[40 * 1024];
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		for (k = 0; k < 2; k++) {
			snprintf(event, sizeof(event), "%s%s%s",
			    rows[k].before, filler(units[i], 9000),
			    rows[k].after);
			snprintf(body, sizeof(body), ": c\r\n%sdata:%s\r\n\r\n"
			    "%s%s", EV(TEXT("a")), event, k ? "" : EV(STOP),
			    DONE);
			snprintf(want, sizeof(want), "%sdata: %s\n\n%s%s",
			    EV(TEXT("a")), event, k ? "" : EV(STOP), DONE);
			expect_done(&sse, HEAD_SSE, body, want);
			assert_int_equal(r.prompt, k ? 9 : -1);
			/* escapes are not resolved in all of it */
			assert_true(r.bytes > 8700 && r.bytes < 9099);
			assert_false(r.part);
		}
}

/* What is wrong with such an event is told behind it. */
static void
test_parts_that_fail(void **state)
{
	char body[40 * 1024], want[40 * 1024 + 32];
	const char *big = filler("x", 9000);

	(void)state;
	snprintf(body, sizeof(body), "data: {\"error\":{\"code\":429,"
	    "\"message\":\"%s\"}}\n\n", big);
	expect_fault(&sse, HEAD_SSE, body, body, FAULT_UPSTREAM_ERROR);
	assert_int_equal(r.status, 429);
	snprintf(body, sizeof(body), "data: {\"choices\":[\"%s\"\n\n", big);
	expect_fault(&sse, HEAD_SSE, body, body, FAULT_UPSTREAM_MALFORMED);
	/* It breaks off: an end has to be made before more can be said. */
	snprintf(body, sizeof(body), "data: {\"a\":\"%s", big);
	expect_fault(&sse, HEAD_SSE, body, body, FAULT_UPSTREAM_CUT);
	assert_true(r.part);
	snprintf(want, sizeof(want), "%s\n\n", body);
	reply_break(&r, &out);
	reply_break(&r, &out);
	assert_string_equal(buf_str(&out), want);
	/* Behind the last finish_reason that is no fault, and the end is made
	 * before [DONE] too. */
	snprintf(body, sizeof(body), "%s%sdata: {\"a\":\"%s",
	    EV(TEXT("a")), EV(STOP), big);
	snprintf(want, sizeof(want), "%s\n\n%s", body, DONE);
	expect_done(&sse, HEAD_SSE, body, want);
	/* Several lines of data, which fit one by one, become one line. */
	snprintf(body, sizeof(body), "data: {\"a\":\ndata: \"%.3000s\",\n"
	    "data: \"b\": \"%.3000s\"}\n\n", big, big);
	snprintf(want, sizeof(want), "data: {\"a\": \"%.3000s\", \"b\": "
	    "\"%.3000s\"}\n\n", big, big);
	expect_fault(&sse, HEAD_SSE, body, want, FAULT_UPSTREAM_CUT);
	/* A line of anything else is left out, however long it is. */
	snprintf(body, sizeof(body), ": %s\n%sxdata: %s\ndata: %s\n\n%s", big,
	    EV(TEXT("a")), big, STOP, DONE);
	expect_done(&sse, HEAD_SSE, body, EV(TEXT("a")) EV(STOP) DONE);
	/* A picture is no text: its size is no count of tokens. */
	snprintf(body, sizeof(body), "data: {\"choices\":[{\"delta\":{"
	    "\"images\":[{\"url\":\"%s\"}]}}]}\n\n", big);
	expect_fault(&sse, HEAD_SSE, body, body, FAULT_UPSTREAM_CUT);
	assert_int_equal(r.bytes, 0);
	/* Too much of it to be kept is not looked at. */
	snprintf(body, sizeof(body), "data: [%s7]\n\n%s%s",
	    filler("7,", 9000), EV(TEXT("a")), EV(STOP));
	snprintf(want, sizeof(want), "data: [%s7]\n\n%s%s%s",
	    filler("7,", 9000), EV(TEXT("a")), EV(STOP), DONE);
	expect_done(&sse, HEAD_SSE, body, want);
	/* Each is looked at for itself. */
	big = filler("x", 9000);
	snprintf(body, sizeof(body), EV(TEXT("%.5000s")) EV(TEXT("%.5000s"))
	    EV(STOP) DONE, big, big);
	expect_done(&sse, HEAD_SSE, body, body);
	/* Behind a broken one, and behind the end, nothing more goes on. */
	snprintf(body, sizeof(body), "data: [\"%.5000s\"\n\n"
	    EV(TEXT("%.5000s")), big, big);
	snprintf(want, sizeof(want), "data: [\"%.5000s\"\n\n", big);
	expect_fault(&sse, HEAD_SSE, body, want, FAULT_UPSTREAM_MALFORMED);
	snprintf(body, sizeof(body), "%sdata: [\"%.5000s\"\n\n"
	    EV(TEXT("%.5000s")), EV(TEXT("a")) EV(STOP), big, big);
	snprintf(want, sizeof(want), "%sdata: [\"%.5000s\"\n\n%s",
	    EV(TEXT("a")) EV(STOP), big, DONE);
	expect_done(&sse, HEAD_SSE, body, want);
}

static void
test_too_many_edits(void **state)
{
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, 1 << 16);
	buf_puts(&b, "data: {\"choices\":[");
	for (i = 0; i < 60; i++)
		buf_printf(&b, "%s{\"index\":%d,\"delta\":null}", i ? "," : "",
		    i);
	buf_puts(&b, "]}\n\n");
	expect_fault(&sse, HEAD_SSE, buf_str(&b), "",
	    FAULT_UPSTREAM_MALFORMED);
	buf_release(&b);
}

/* More texts in one event than are looked at: not one of them is left out. */
static void
test_too_many_texts(void **state)
{
	struct buf b;
	int i, n;

	(void)state;
	for (n = TEXTS; n <= TEXTS + 1; n++) {
		buf_init(&b, 1 << 16);
		buf_puts(&b, "data: {\"choices\":[");
		for (i = 0; i < n; i++)
			buf_printf(&b, "%s{\"index\":0,\"delta\":{\"content\":"
			    "\"%c\"}}", i ? "," : "", 'a' + i);
		buf_puts(&b, "]}\n\n" EV(STOP));
		if (n == TEXTS)
			expect_done(&text, HEAD_SSE, buf_str(&b),
			    "abcdefghijklmnop");
		else
			expect_fault(&text, HEAD_SSE, buf_str(&b), "",
			    FAULT_UPSTREAM_MALFORMED);
		buf_release(&b);
	}
}

static void
test_relevo(void **state)
{
	(void)state;
	expect_done(&told, HEAD_SSE, EV("{}")
	    EV(" " C("{\"role\":\"\",\"content\":\"a\"}", "\"\"")) EV(STOP)
	    DONE, EV(" {\"relevo\":{\"provider\":\"p\"},"
	    "\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":7,"
	    "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{"
	    "\"content\":\"a\"},\"finish_reason\":null}]}") EV(STOP) DONE);
}

static void
test_text(void **state)
{
	(void)state;
	expect_done(&text, HEAD_SSE, EV(C("{\"role\":\"assistant\"}", "null"))
	    EV(C("{\"reasoning\":\"hm\"}", "null"))
	    EV(C("{\"content\":[{\"type\":\"thinking\",\"thinking\":[{"
	    "\"type\":\"text\",\"text\":\"no\"}]},{\"text\":\"ye\","
	    "\"type\":\"text\"}]}", "null"))
	    EV(TEXT("s\\n\\u00f1 \\ud83d\\ude80")) EV(STOP) EV(USAGE_CHUNK)
	    DONE, "yes\n\xc3\xb1 \xf0\x9f\x9a\x80");
	expect_done(&text, HEAD_JSON, "{\"choices\":[{\"index\":0,\"message\":"
	    "{\"role\":\"assistant\",\"content\":\"h\\u00e9\"},"
	    "\"finish_reason\":\"stop\"}]}", "h\xc3\xa9");
	expect_fault(&text, HEAD_JSON, "{\"choices\":[{\"message\":{"
	    "\"content\":null,\"reasoning\":\"hm\"},\"finish_reason\":"
	    "\"stop\"}]}", "", FAULT_UPSTREAM_EMPTY);
}

#define ANSWER(message, finish) \
	"{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":7," \
	"\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":" message \
	",\"finish_reason\":" finish "}],\"usage\":" USAGE "}"

static void
test_json(void **state)
{
	(void)state;
	expect_done(&json, HEAD_JSON,
	    "\n " ANSWER("{\"content\":\"hi\"}", "\"stop\"") "\n",
	    "\n " ANSWER("{\"content\":\"hi\"}", "\"stop\"") "\n");
	assert_int_equal(r.prompt, 9);
	assert_int_equal(r.completion, 4);
	assert_int_equal(r.bytes, 2);
	expect_done(&json_told, HEAD_JSON,
	    "\n{\"choices\":[{\"message\":{\"content\":\"a\"},"
	    "\"finish_reason\":\"stop\"}]}",
	    "\n{\"relevo\":{\"provider\":\"p\"},\"choices\":[{\"message\":{"
	    "\"content\":\"a\"},\"finish_reason\":\"stop\"}]}");
	expect_done(&json, HEAD_JSON, ANSWER("{\"content\":null,"
	    "\"tool_calls\":[{\"id\":\"t\"}]}", "\"tool_calls\""),
	    ANSWER("{\"content\":null,\"tool_calls\":[{\"id\":\"t\"}]}",
	    "\"tool_calls\""));
}

static void
test_json_faults(void **state)
{
	static const struct {
		const char	*body;
		enum fault_code	 code;
	} rows[] = {
		{ "", FAULT_UPSTREAM_EMPTY },
		{ "<html>", FAULT_UPSTREAM_MALFORMED },
		{ ANSWER("{\"content\":\"hi\"}", "\"stop\"") "}",
		    FAULT_UPSTREAM_MALFORMED },
		{ "{}", FAULT_UPSTREAM_MALFORMED },
		{ "{\"choices\":7}", FAULT_UPSTREAM_MALFORMED },
		{ "{\"choices\":[]}", FAULT_UPSTREAM_EMPTY },
		{ "{\"choices\":[{\"finish_reason\":\"stop\"}]}",
		    FAULT_UPSTREAM_MALFORMED },
		{ ANSWER("null", "\"stop\""), FAULT_UPSTREAM_MALFORMED },
		{ ANSWER("{\"content\":\"hi\"}", "null"), FAULT_UPSTREAM_CUT },
		{ ANSWER("{\"content\":\"hi\"}", "\"\""), FAULT_UPSTREAM_CUT },
		{ ANSWER("{\"content\":\"\"}", "\"stop\""),
		    FAULT_UPSTREAM_EMPTY },
		{ "{\"error\":{\"message\":\"x\",\"code\":429}}",
		    FAULT_UPSTREAM_ERROR },
		{ "[{\"error\":{\"message\":\"x\"}}]", FAULT_UPSTREAM_ERROR },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect_fault(&json, HEAD_JSON, rows[i].body, "",
		    rows[i].code);
		expect_fault(&sse, HEAD_JSON, rows[i].body, "", rows[i].code);
	}
	feed(&json, HEAD_JSON, ANSWER("{\"content\":\"hi\"}", "\"stop\""), 8);
	reply_end(&r, false, &out);
	assert_int_equal(r.fault.code, FAULT_UPSTREAM_CUT);
	assert_int_equal(out.len, 0);
}

#define OWN(choices) \
	EV("{\"id\":\"c1\",\"object\":\"chat.completion.chunk\"," \
	"\"created\":7,\"model\":\"m\",\"choices\":[" choices "]}")

static void
test_json_as_stream(void **state)
{
	(void)state;
	expect_done(&sse, HEAD_JSON,
	    ANSWER("{\"role\":\"assistant\",\n\"content\":\"hi\"}",
	    "\"stop\""),
	    OWN("{\"index\":0,\"delta\":{\"role\":\"assistant\", \"content\":"
	    "\"hi\"},\"finish_reason\":null}")
	    OWN("{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}") DONE);
	expect_done(&sse_usage, HEAD_JSON, "{\"choices\":[{\"message\":{"
	    "\"tool_calls\":[{\"id\":\"a\"},{ },{\"index\":2}]},"
	    "\"finish_reason\":\"tool_calls\"}],\"usage\":" USAGE "}",
	    EV("{\"id\":\"chatcmpl-relevo\",\"object\":"
	    "\"chat.completion.chunk\",\"created\":0,\"model\":\"\","
	    "\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":["
	    "{\"index\":0,\"id\":\"a\"},{\"index\":1 },{\"index\":2}]},"
	    "\"finish_reason\":null}]}")
	    EV("{\"id\":\"chatcmpl-relevo\",\"object\":"
	    "\"chat.completion.chunk\",\"created\":0,\"model\":\"\","
	    "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
	    "\"tool_calls\"}]}")
	    EV("{\"id\":\"chatcmpl-relevo\",\"object\":"
	    "\"chat.completion.chunk\",\"created\":0,\"model\":\"\","
	    "\"choices\":[],\"usage\":" USAGE "}") DONE);
	expect(&told, HEAD_JSON, "{\"choices\":[{\"message\":{\"content\":"
	    "\"a\"},\"finish_reason\":\"stop\"}],\"id\":\"z\"}",
	    EV("{\"relevo\":{\"provider\":\"p\"},\"id\":\"z\",\"object\":"
	    "\"chat.completion.chunk\",\"created\":0,\"model\":\"\","
	    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},"
	    "\"finish_reason\":null}]}")
	    EV("{\"id\":\"z\",\"object\":\"chat.completion.chunk\","
	    "\"created\":0,\"model\":\"\",\"choices\":[{\"index\":0,"
	    "\"delta\":{},\"finish_reason\":\"stop\"}]}") DONE);
}

static void
test_heads(void **state)
{
	static const struct {
		const char	*head;
		bool		 sse, json;	/* accepted in that mode */
	} rows[] = {
		{ HEAD_SSE, true, false },
		{ HEAD_JSON, true, true },
		{ "HTTP/1.1 200 OK\r\ncontent-type:Text/Event-Stream;x\r\n",
		    true, false },
		{ "HTTP/1.1 200 OK\r\nContent-Type: application/problem+json"
		    "\r\n", true, true },
		{ "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n",
		    false, false },
		{ "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n", false,
		    false },
		{ "HTTP/1.1 200 OK\r\nContent-Type: ;\r\n", false, false },
		{ "HTTP/1.1 200 OK\r\n", false, false },
		{ HEAD_JSON "Content-Encoding: gzip\r\n", false, false },
		{ HEAD_JSON "Content-Encoding: identity\r\n", true, true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		feed(&sse, rows[i].head, "", 1);
		assert_int_equal(!r.failed, rows[i].sse);
		feed(&json, rows[i].head, "", 1);
		assert_int_equal(!r.failed, rows[i].json);
		if (r.failed)
			assert_int_equal(r.fault.code,
			    FAULT_UPSTREAM_MALFORMED);
	}
}

static void
test_error_event(void **state)
{
	struct fault f;

	(void)state;
	fault_set(&f, FAULT_UPSTREAM_CUT, NULL, "It \"broke\".");
	feed(&sse, HEAD_SSE, EV(TEXT("a")), 1 << 20);
	buf_clear(&out);
	reply_error(&f, &out);
	assert_memory_equal(buf_str(&out), "data: {\"error\":{", 16);
	assert_string_equal(buf_str(&out) + out.len - 2, "\n\n");
	assert_null(strstr(buf_str(&out), "[DONE]"));
}

/* Once failed or done, bytes change nothing. */
static void
test_ends_once(void **state)
{
	(void)state;
	feed(&sse, HEAD_SSE, EV(TEXT("a")) EV(STOP) DONE, 1 << 20);
	assert_true(r.done);
	buf_clear(&out);
	reply_feed(&r, EV(TEXT("b")), strlen(EV(TEXT("b"))), &out);
	reply_end(&r, false, &out);
	assert_int_equal(out.len, 0);
	assert_true(r.done);
	feed(&sse, HEAD_SSE, EV("{"), 1 << 20);
	assert_true(r.failed);
	reply_feed(&r, EV(TEXT("b")), strlen(EV(TEXT("b"))), &out);
	reply_end(&r, true, &out);
	assert_int_equal(out.len, 0);
	assert_int_equal(r.fault.code, FAULT_UPSTREAM_MALFORMED);
	release();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_end_of_parts),
		cmocka_unit_test(test_passes_as_it_came),
		cmocka_unit_test(test_choices_asked_for),
		cmocka_unit_test(test_nothing_but_an_end),
		cmocka_unit_test(test_runs_of_text),
		cmocka_unit_test(test_framing_is_ours),
		cmocka_unit_test(test_done_is_added),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_wrong_behind_the_end),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_what_is_content),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_rewrites),
		cmocka_unit_test(test_one_finish),
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_usage_figures),
		cmocka_unit_test(test_no_choices_no_event),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_secrets_stay),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_parts_that_fail),
		cmocka_unit_test(test_too_many_edits),
		cmocka_unit_test(test_too_many_texts),
		cmocka_unit_test(test_relevo),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_faults),
		cmocka_unit_test(test_json_as_stream),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_error_event),
		cmocka_unit_test(test_ends_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
