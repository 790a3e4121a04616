#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/chat.c"

#include <stdio.h>
#include <stdlib.h>

static struct chat c;
static struct fault f;

/* The body is copied to its exact size, so that a read past it is seen. */
static int
scan(const char *body)
{
	size_t n = strlen(body);
	char *p = malloc(n > 0 ? n : 1);
	int result;

	assert_non_null(p);
	memcpy(p, body, n);
	memset(&f, 0, sizeof(f));
	result = chat_scan(&c, p, n, &f);
	free(p);
	return result;
}

#define USER		"{\"role\":\"user\",\"content\":\"Hi\"}"
#define ASK(members)	"{\"messages\":[" USER "]" members "}"

static void
test_smallest(void **state)
{
	(void)state;
	assert_int_equal(scan(ASK("")), 0);
	assert_string_equal(c.model, "");
	assert_int_equal(c.model_at.len, 0);
	assert_false(c.stream);
	assert_false(c.has_stream);
	assert_false(c.want_usage);
	assert_false(c.empty);
	assert_int_equal(c.needs, 0);
	assert_int_equal(c.messages, 1);
	/* Hi is 927 thousandths; 4 for the message, 3 for the request. */
	assert_int_equal(c.prompt, 8);
	assert_int_equal(c.output, -1);
}

static void
test_spans(void **state)
{
	const char *body = "\n{ \"model\" :\t\"a\\u002fb\",\r\n\"stream\" : "
	    "true , \"stream_options\":{\"include_usage\": true, \"x\":[1]},"
	    "\"messages\":[" USER "]}\n";
	size_t n = strlen(body);

	(void)state;
	assert_int_equal(chat_scan(&c, body, n, &f), 0);
	assert_string_equal(c.model, "a/b");
	assert_true(c.stream);
	assert_true(c.has_stream);
	assert_true(c.want_usage);
	assert_memory_equal(body + c.model_at.at,
	    "\"model\" :\t\"a\\u002fb\",", c.model_at.len + 1);
	assert_int_equal(body[c.model_at.value], '"');
	assert_memory_equal(body + c.model_at.value, "\"a\\u002fb\"", 10);
	assert_int_equal(c.model_at.value + 10,
	    c.model_at.at + c.model_at.len);
	assert_memory_equal(body + c.stream_at.at, "\"stream\" : true",
	    c.stream_at.len);
	assert_memory_equal(body + c.stream_at.value, "true ", 5);
	assert_int_equal(body[c.options_at.value], '{');
	assert_int_equal(body[c.options_at.at + c.options_at.len - 1], '}');
}

static void
test_stream_words(void **state)
{
	(void)state;
	assert_int_equal(scan(ASK(",\"stream\":false")), 0);
	assert_true(c.has_stream);
	assert_false(c.stream);
	assert_int_equal(scan(ASK(",\"stream\":null")), 0);
	assert_true(c.has_stream);
	assert_false(c.stream);
	assert_int_equal(scan(ASK(",\"stream_options\":null")), 0);
	assert_int_equal(scan(ASK(",\"stream_options\":{"
	    "\"include_usage\":false}")), 0);
	assert_false(c.want_usage);
}

static void
test_refused(void **state)
{
	static const struct {
		const char	*body;
		const char	*param;		/* NULL: none */
		const char	*part;		/* of the message */
	} rows[] = {
		{ "", NULL, "not valid JSON at byte 0" },
		{ "{\"messages\":[" USER "]", NULL, "not valid JSON at byte" },
		{ ASK("") "x", NULL, "not valid JSON at byte" },
		{ "\xef\xbb\xbf" ASK(""), NULL, "not valid JSON at byte 0" },
		{ "{\"messages\":[{\"role\":\"user\",\"content\":\"a\nb\"}]}",
		    NULL, "control byte in a string" },
		{ "{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}",
		    NULL, "UTF-8" },
		{ "{\"messages\":[{\"role\":\"user\",\"content\":"
		    "\"\\ud800\"}]}", NULL, "escape" },
		{ ASK(",\"x\":01"), NULL, "leading zero" },
		{ "[]", NULL, "must be a JSON object" },
		{ "null", NULL, "must be a JSON object" },
		{ "{}", "messages", "messages is missing" },
		{ "{\"messages\":[]}", "messages", "non-empty array" },
		{ "{\"messages\":null}", "messages", "non-empty array" },
		{ "{\"messages\":\"hi\"}", "messages", "non-empty array" },
		{ "{\"Messages\":[" USER "]}", "messages", "missing" },
		{ "{\"messages\":[" USER ",7]}", "messages",
		    "messages[1] must be an object" },
		{ "{\"messages\":[{\"content\":\"x\"}]}", "messages",
		    "messages[0].role is missing" },
		{ "{\"messages\":[{\"role\":\"User\",\"content\":\"x\"}]}",
		    "messages", "messages[0].role must be one of" },
		{ "{\"messages\":[{\"role\":null,\"content\":\"x\"}]}",
		    "messages", "messages[0].role must be one of" },
		{ "{\"messages\":[" USER "," USER ",{\"role\":\"user\"}]}",
		    "messages", "messages[2].content is missing" },
		{ "{\"messages\":[{\"role\":\"user\",\"content\":null}]}",
		    "messages", "messages[0].content is missing" },
		{ "{\"messages\":[{\"role\":\"user\",\"content\":7}]}",
		    "messages", "messages[0].content must be" },
		{ "{\"messages\":[{\"role\":\"user\",\"content\":[\"x\"]}]}",
		    "messages", "messages[0].content[0] must be an object" },
		{ "{\"messages\":[{\"role\":\"user\",\"content\":["
		    "{\"type\":\"text\",\"text\":\"a\"},{\"text\":\"b\"}]}]}",
		    "messages", "messages[0].content[1] must be an object" },
		{ "{\"messages\":[{\"role\":\"assistant\"}]}", "messages",
		    "no tool_calls" },
		{ "{\"messages\":[{\"role\":\"assistant\",\"content\":null,"
		    "\"tool_calls\":null}]}", "messages", "no tool_calls" },
		{ ASK(",\"model\":7"), "model", "model must be a string" },
		{ ASK(",\"model\":\"a\\u0000b\""), "model", "model must be" },
		{ ASK(",\"stream\":\"yes\""), "stream", "true or false" },
		{ ASK(",\"stream\":1"), "stream", "true or false" },
		{ ASK(",\"stream_options\":true"), "stream_options",
		    "must be an object" },
		{ ASK(",\"stream_options\":{\"include_usage\":1}"),
		    "stream_options", "include_usage must be" },
		{ ASK(",\"stream_options\":{\"include_usage\":true,"
		    "\"include_usage\":false}"),
		    "stream_options", "include_usage twice" },
		{ ASK(",\"max_tokens\":-1"), "max_tokens", "whole number" },
		{ ASK(",\"max_tokens\":1.5"), "max_tokens", "whole number" },
		{ ASK(",\"max_tokens\":\"9\""), "max_tokens",
		    "whole number" },
		{ ASK(",\"max_tokens\":99999999999999999999"), "max_tokens",
		    "whole number" },
		{ ASK(",\"max_completion_tokens\":1e3"),
		    "max_completion_tokens", "whole number" },
		{ ASK(",\"n\":0"), "n", "1 to 128" },
		{ ASK(",\"n\":129"), "n", "1 to 128" },
		{ ASK(",\"n\":[]"), "n", "1 to 128" },
		{ ASK(",\"x\":1,\"y\":2,\"x\":3"), NULL, "\"x\" twice" },
		{ ASK(",\"model\":\"a\",\"mod\\u0065l\":\"b\""), NULL,
		    "twice" },
		{ ASK(",\"messages\":[]"), NULL, "\"messages\" twice" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(scan(rows[i].body), -1);
		assert_int_equal(f.status, 400);
		if (strstr(f.message, rows[i].part) == NULL)
			assert_string_equal(f.message, rows[i].part);
		if (rows[i].param == NULL)
			assert_null(f.param);
		else
			assert_string_equal(f.param, rows[i].param);
	}
}

static void
test_accepted(void **state)
{
	static const char *const bodies[] = {
		ASK(",\"unknown\":{\"deep\":[1,{\"a\":null}]}"),
		ASK(",\"max_tokens\":null,\"n\":null,\"tools\":null"),
		ASK(",\"response_format\":null,\"model\":\"\""),
		ASK(",\"a\":1,\"b\":{\"a\":1,\"a\":2}"),
		"{\"messages\":[{\"content\":\"x\",\"role\":\"developer\"}]}",
		"{\"messages\":[{\"role\":\"us\\u0065r\",\"content\":\"x\"}]}",
		"{\"messages\":[{\"role\":\"assistant\",\"content\":null,"
		    "\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\","
		    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
		    "{\"role\":\"tool\",\"tool_call_id\":\"c\","
		    "\"content\":\"x\"}]}",
		"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[]}]}",
		"{\"messages\":[{\"role\":\"user\",\"content\":[]}]}",
		"{\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}",
		("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
		    "\"new_thing\",\"x\":{\"y\":[\"z\"]}}]}]}"),
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		assert_int_equal(scan(bodies[i]), 0);
}

static void
test_empty_object(void **state)
{
	(void)state;
	assert_int_equal(scan("{ }"), -1);
	assert_true(c.empty);
	assert_int_equal(scan("{\"x\":1}"), -1);
	assert_false(c.empty);
}

static void
test_model_length(void **state)
{
	char body[600], name[300];

	(void)state;
	memset(name, 'm', sizeof(name));
	name[255] = '\0';
	snprintf(body, sizeof(body), "{\"model\":\"%s\",\"messages\":[" USER
	    "]}", name);
	assert_int_equal(scan(body), 0);
	assert_string_equal(c.model, name);
	name[255] = 'm';
	name[256] = '\0';
	snprintf(body, sizeof(body), "{\"model\":\"%s\",\"messages\":[" USER
	    "]}", name);
	assert_int_equal(scan(body), -1);
	assert_string_equal(f.param, "model");
}

static void
test_many_keys(void **state)
{
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, 1 << 16);
	buf_puts(&b, "{\"messages\":[" USER "]");
	for (i = 1; i < 256; i++)
		buf_printf(&b, ",\"k%d\":%d", i, i);
	buf_puts(&b, "}");
	assert_int_equal(scan(buf_str(&b)), 0);
	b.len--;
	buf_puts(&b, ",\"one more\":1}");
	assert_int_equal(scan(buf_str(&b)), -1);
	assert_non_null(strstr(f.message, "more than 256"));
	buf_release(&b);
}

static void
test_needs(void **state)
{
#define PART(part) "{\"messages\":[{\"role\":\"user\",\"content\":[" part "]}]}"
	static const struct {
		const char	*body;
		unsigned	 needs;
	} rows[] = {
		{ ASK(",\"tools\":[]"), 0 },
		{ ASK(",\"tools\":[\n ]"), 0 },
		{ ASK(",\"tools\": [ {\"type\":\"function\"}]"),
		    CONFIG_CAN_TOOLS },
		{ ASK(",\"functions\":[{\"name\":\"f\"}]"),
		    CONFIG_CAN_TOOLS },
		{ ASK(",\"response_format\":{\"type\":\"json_object\"}"), 0 },
		{ ASK(",\"response_format\":{\"json_schema\":{\"name\":"
		    "\"json_schema\"},\"type\":\"json_schema\"}"),
		    CONFIG_CAN_JSON },
		{ PART("{\"type\":\"text\",\"text\":\"image_url\"}"), 0 },
		{ PART("{\"type\":\"image_url\",\"image_url\":{\"url\":"
		    "\"data:image/png;base64,AAAA\"}}"), CONFIG_CAN_VISION },
		{ PART("{\"image_url\":\"u\",\"type\":\"input_image\"}"),
		    CONFIG_CAN_VISION },
		{ PART("{\"type\":\"input_audio\",\"input_audio\":{\"data\":"
		    "\"AAAA\",\"format\":\"wav\"}}"), CONFIG_CAN_AUDIO },
		{ ASK(",\"type\":\"image_url\""), 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(scan(rows[i].body), 0);
		assert_int_equal(c.needs, rows[i].needs);
	}
}

static void
test_output(void **state)
{
	static const struct {
		const char	*body;
		int64_t		 output;
		int		 choices;
	} rows[] = {
		{ ASK(",\"max_tokens\":0"), 0, 1 },
		{ ASK(",\"max_tokens\":100"), 100, 1 },
		{ ASK(",\"max_tokens\":1,\"max_completion_tokens\":10000"),
		    10000, 1 },
		{ ASK(",\"max_completion_tokens\":7,\"max_tokens\":null"),
		    7, 1 },
		{ ASK(",\"n\":3,\"max_tokens\":100"), 300, 3 },
		{ ASK(",\"n\":128,\"max_tokens\":1099511627776"),
		    128 * ((int64_t)1 << 40), 128 },
		{ ASK(",\"n\":3"), -1, 3 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(scan(rows[i].body), 0);
		assert_int_equal(c.output, rows[i].output);
		assert_int_equal(c.choices, rows[i].choices);
	}
}

static void
test_prompt(void **state)
{
	int64_t plain;

	(void)state;
	/* Two messages of "Hi": 1854 thousandths. */
	assert_int_equal(scan("{\"messages\":[" USER "," USER "]}"), 0);
	assert_int_equal(c.prompt, 2 + 8 + 3);
	/* An image costs the same however many bytes it has. */
	assert_int_equal(scan(PART("{\"type\":\"image_url\",\"image_url\":{"
	    "\"url\":\"data:image/png;base64,AAAAAAAAAAAAAAAAAAAAAAAA\"}}")),
	    0);
	assert_int_equal(c.prompt, 1100 + 4 + 3);
	assert_int_equal(scan(PART("{\"type\":\"image_url\",\"image_url\":{"
	    "\"detail\":\"low\",\"url\":\"data:\"}}")), 0);
	assert_int_equal(c.prompt, 85 + 4 + 3);
	/* Arguments of calls are text; ids and types are not. */
	assert_int_equal(scan("{\"messages\":[{\"role\":\"assistant\","
	    "\"tool_calls\":[{\"id\":\"call_0123456789\",\"type\":"
	    "\"function\",\"function\":{\"name\":\"Hi\",\"arguments\":"
	    "\"Hi\"}}]}]}"), 0);
	assert_int_equal(c.prompt, 2 + 4 + 3);
	/* Tools count, and white space between their tokens does not. */
	assert_int_equal(scan(ASK(",\"tools\":[{\"name\":\"weather\","
	    "\"parameters\":{\"type\":\"object\"}}]")), 0);
	plain = c.prompt;
	assert_in_range(plain, 8 + 10, 8 + 16);
	assert_int_equal(scan(ASK(",\"tools\":[\n\n {\n\"name\" : "
	    "\"weather\",\n\n\"parameters\":\n{\"type\":\n\"object\"}}\n]")),
	    0);
	assert_int_equal(c.prompt, plain);
}

static void
test_thread(void **state)
{
#define SYS "{\"role\":\"system\",\"content\":\"be kind\"}"
#define BOT "{\"role\":\"assistant\",\"content\":\"yes?\"}"
	uint64_t first;

	(void)state;
	assert_int_equal(scan("{\"messages\":[" SYS "," USER "]}"), 0);
	first = c.thread;
	assert_int_equal(scan("{\"model\":\"x\",\"messages\":[" SYS "," USER
	    "," BOT "," USER "]}"), 0);
	assert_int_equal(c.thread, first);
	assert_int_equal(scan("{\"messages\":[" USER "]}"), 0);
	assert_int_not_equal(c.thread, first);
	assert_int_equal(scan("{\"messages\":[" SYS ",{\"role\":\"user\","
	    "\"content\":\"Ho\"}]}"), 0);
	assert_int_not_equal(c.thread, first);
	/* Nobody asked: the first message stands for the question. */
	assert_int_equal(scan("{\"messages\":[" SYS "]}"), 0);
	first = c.thread;
	assert_int_equal(scan("{\"messages\":[" SYS "," BOT "]}"), 0);
	assert_int_equal(c.thread, first);
}

/* ---- the estimate ---- */

static int64_t
plain(const char *s)
{
	return chat_estimate(s, strlen(s));
}

static int64_t
inside(const char *s)
{
	return chat_estimate_json(s, strlen(s));
}

static void
test_estimate(void **state)
{
	static const struct {
		const char	*text;
		int64_t		 milli;
	} rows[] = {
		{ "", 0 },
		{ " \t ", 0 },
		{ "a", 764 },
		{ "ab", 927 },
		{ "a b", 1528 },
		{ "a1b", 2324 },
		{ "\n\n", 1610 },
		{ "...", 671 },
		{ ". .", 1342 },
		{ ".\\.", 671 },
		{ "a.b", 2199 },
		{ "2026", 3184 },
		{ "\xc3\xb1", 497 },		/* n with tilde */
		{ "a\xc3\xb1" "a", 2025 },
		{ "\xe4\xbd\xa0", 778 },	/* CJK */
		{ "\xe0\xa4\xa8", 755 },	/* Devanagari */
		{ "\xe2\xba\x80", 778 },	/* U+2E80, the first of CJK */
		{ "\xe2\xb9\xbf", 755 },	/* U+2E7F */
		{ "\xe9\xbf\xbf", 778 },	/* U+9FFF */
		{ "\xea\x80\x80", 755 },	/* U+A000 */
		{ "\xed\x9e\xa3", 778 },	/* U+D7A3 */
		{ "\xed\x9e\xa4", 755 },
		{ "\xef\xbf\xaf", 778 },	/* U+FFEF */
		{ "\xef\xbf\xb0", 755 },
		{ "\xf0\x9f\x9a\x80", 1860 },
		{ "\x80", 0 },		/* not UTF-8: as what it begins */
		{ "\xe4\xbd", 778 },
		{ "\xe2\xba", 671 },
		/* Long enough for whole blocks, with every kind at seams. */
		{ "the quick brown fox jumps over the lazy dog",
		    35 * 163 + 9 * 601 },
		{ "0123456789abcdef0123456789abcdef", 20 * 796 +
		    12 * 163 + 2 * 601 },
		{ "...............a................", 15 * 0 + 671 + 764 +
		    671 },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xb1" "aaaaaaaaaaa"
		    "aaaaaaaaaaaaaaaaaaa\n", 36 * 163 + 601 + 497 +
		    30 * 163 + 601 + 805 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(plain(rows[i].text), rows[i].milli);
}

/* An escape counts as what it means. */
static void
test_estimate_escapes(void **state)
{
	static const struct {
		const char	*escaped, *meant;
	} rows[] = {
		{ "a\\nb", "a\nb" },
		{ "a\\tb", "a\tb" },
		{ "say \\\"hi\\\"", "say \"hi\"" },
		{ "a\\\\b", "a\\b" },
		{ "a\\/b", "a/b" },
		{ "a\\u0062c", "abc" },
		{ "x\\u00f1y", "x\xc3\xb1y" },
		{ "\\u4F60\\u597d", "\xe4\xbd\xa0\xe5\xa5\xbd" },
		{ "\\ud83d\\uDE80", "\xf0\x9f\x9a\x80" },
		{ "\\u002e\\u002e", ".." },
		{ "end of a line that is long\\nnot to be one with the next",
		    "end of a line that is long\nnot to be one with the next" },
		{ "...............\\\".................",
		    "...............\"................." },
		{ "word word word \\u0061nd more words to fill the block",
		    "word word word and more words to fill the block" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(inside(rows[i].escaped),
		    plain(rows[i].meant));
}

/* The fast way and the slow way agree, wherever a text begins: each prefix
 * costs as much as its bytes one by one. */
static void
test_estimate_seams(void **state)
{
	static const char bytes[] = "ab1 .\n,Z\t9(\xc3\xb1" "c-_de f";
	char text[9000];
	uint32_t seed = 7;
	size_t i, n = 0, k;
	int64_t sum = 0;
	char last = ' ';

	(void)state;
	while (n < 8000) {
		seed = seed * 1664525 + 1013904223;
		k = seed >> 16;
		i = k % (sizeof(bytes) - 1);
		if ((unsigned char)bytes[i] >= 0x80) {
			text[n++] = '\xc3';
			text[n++] = '\xb1';
			sum += 497;
			last = '\xb1';
			continue;
		}
		text[n] = bytes[i];
		if (strchr("abcdefZ", text[n]) != NULL)
			sum += 163 + (strchr("abcdefZ", last) == NULL ?
			    601 : 0);
		else if (text[n] == '\n')
			sum += 805;
		else if (text[n] == '1' || text[n] == '9')
			sum += 796;
		else if (strchr(".,(-_", text[n]) != NULL)
			sum += strchr(".,(-_", last) == NULL ? 671 : 0;
		last = text[n++];
		assert_int_equal(chat_estimate(text, n), sum);
		if (n % 64 == 0)
			assert_int_equal(chat_estimate_json(text, n), sum);
	}
}

/* Escapes at any place of a long text: as what they mean. */
static void
test_estimate_escaped_seams(void **state)
{
	static const struct {
		const char	*escaped, *meant;
	} parts[] = {
		{ "\\n", "\n" }, { "\\t", "\t" }, { "\\\"", "\"" },
		{ "\\\\", "\\" }, { "\\u0061", "a" },
		{ "\\u00f1", "\xc3\xb1" }, { "n", "n" }, { "t", "t" },
		{ "words", "words" }, { " ", " " }, { ", ", ", " },
		{ "();", "();" }, { "42", "42" },
		{ "a run of words that has no mark in it", "a run of words "
		    "that has no mark in it" },
	};
	const size_t n = sizeof(parts) / sizeof(parts[0]);
	char escaped[4096], meant[4096];
	uint32_t seed = 11;
	size_t i, k;

	(void)state;
	for (i = 0; i < 2000; i++) {
		escaped[0] = meant[0] = '\0';
		while (strlen(escaped) < i * 2) {
			seed = seed * 1664525 + 1013904223;
			/* Some texts with few marks, some of nothing else. */
			k = (seed >> 16) % (i % 3 == 0 ? 6 : n);
			k = i % 3 == 1 && seed >> 29 != 0 ? n - 1 - k % 8 : k;
			strcat(escaped, parts[k].escaped);
			strcat(meant, parts[k].meant);
		}
		assert_int_equal(inside(escaped), plain(meant));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_smallest),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_stream_words),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_empty_object),
		cmocka_unit_test(test_model_length),
		cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_prompt),
		cmocka_unit_test(test_thread),
		cmocka_unit_test(test_estimate),
		cmocka_unit_test(test_estimate_escapes),
		cmocka_unit_test(test_estimate_seams),
		cmocka_unit_test(test_estimate_escaped_seams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
