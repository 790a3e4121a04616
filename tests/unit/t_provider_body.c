#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/provider_body.c"

#include <stdlib.h>

#define MSG "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static struct config_model model = { .id = "real/id" };

/* body as sent to p, given back as a string that the caller frees. Its
 * allocation must be exactly as long as it is. */
static char *
sent(const struct config_provider *p, const char *body, bool stream)
{
	size_t n = strlen(body), at;
	const char *why;
	struct fault f;
	struct chat c;
	struct buf out;
	char *copy = malloc(n), *result;

	assert_non_null(copy);
	memcpy(copy, body, n);
	assert_int_equal(chat_scan(&c, copy, n, &f), 0);
	buf_init(&out, 1 << 20);
	assert_int_equal(provider_body(p, &model, &c, copy, n, stream, &out),
	    0);
	assert_int_equal(json_check(out.data, out.len, &at, &why), 0);
	result = strdup(buf_str(&out));
	assert_non_null(result);
	buf_release(&out);
	free(copy);
	return result;
}

struct splicing {
	const char *body;
	bool stream;
	const char *want;
};

static void
check(const struct config_provider *p, const struct splicing *t, size_t n)
{
	char *got;
	size_t i;

	for (i = 0; i < n; i++) {
		got = sent(p, t[i].body, t[i].stream);
		assert_string_equal(got, t[i].want);
		free(got);
	}
}

#define CHECK(p, t) check(p, t, sizeof(t) / sizeof((t)[0]))

static void
in_place(void **state)
{
	static const struct config_provider p = { .stream_usage = true };
	static const struct splicing t[] = {
		{ "{\"model\":\"x\"," MSG ",\"stream\":true,"
		  "\"stream_options\":{\"include_usage\":true}}", true,
		  "{\"model\":\"real/id\"," MSG ",\"stream\":true,"
		  "\"stream_options\":{\"include_usage\":true}}" },
		/* every byte of the rest stays: spaces, escapes, order */
		{ " {\n  " MSG ",\n  \"x\" : [1.0e+5, \"\\u00e9\\/\"],\n"
		  "\t\"model\" : \"auto\" ,\n\"stream\" : false\n}\r\n", true,
		  " {\"stream_options\":{\"include_usage\":true},\n  " MSG
		  ",\n  \"x\" : [1.0e+5, \"\\u00e9\\/\"],\n"
		  "\t\"model\" : \"real/id\" ,\n\"stream\" : true\n}\r\n" },
		{ "{" MSG "}", true, "{\"model\":\"real/id\",\"stream\":true,"
		  "\"stream_options\":{\"include_usage\":true}," MSG "}" },
		{ "{" MSG "}", false,
		  "{\"model\":\"real/id\",\"stream\":false," MSG "}" },
		{ "{" MSG ",\"stream\":null}", false,
		  "{\"model\":\"real/id\"," MSG ",\"stream\":false}" },
		{ "{\"mod\\u0065l\":\"a\\\"}\"," MSG ",\"stream\":false}",
		  false, "{\"mod\\u0065l\":\"real/id\"," MSG
		  ",\"stream\":false}" },
	};

	(void)state;
	CHECK(&p, t);
}

static void
stream_options(void **state)
{
	static const struct config_provider p = { .stream_usage = true };
	static const struct config_provider q = { .stream_usage = false };
	static const struct splicing with[] = {
		{ "{\"model\":\"x\",\"stream\":true,\"stream_options\":{}," MSG
		  "}", true, "{\"model\":\"real/id\",\"stream\":true,"
		  "\"stream_options\":{\"include_usage\":true}," MSG "}" },
		{ "{\"model\":\"x\",\"stream\":true,\"stream_options\":"
		  "{ \"a\":{\"include_usage\":false} }," MSG "}", true,
		  "{\"model\":\"real/id\",\"stream\":true,\"stream_options\":"
		  "{\"include_usage\":true, \"a\":{\"include_usage\":false} },"
		  MSG "}" },
		{ "{\"model\":\"x\",\"stream\":true,\"stream_options\":"
		  "{\"a\":1,\"include_usage\" : false,\"b\":2}," MSG "}", true,
		  "{\"model\":\"real/id\",\"stream\":true,\"stream_options\":"
		  "{\"a\":1,\"include_usage\" : true,\"b\":2}," MSG "}" },
		{ "{\"stream_options\":null,\"model\":\"x\",\"stream\":true,"
		  MSG "}", true,
		  "{\"stream_options\":{\"include_usage\":true},"
		  "\"model\":\"real/id\",\"stream\":true," MSG "}" },
		/* only with a stream: OpenAI answers 400 else */
		{ "{\"model\":\"x\",\"stream\":true,\"stream_options\":"
		  "{\"include_usage\":true}," MSG "}", false,
		  "{\"model\":\"real/id\",\"stream\":false," MSG "}" },
	};
	static const struct splicing without[] = {
		{ "{" MSG "}", true,
		  "{\"model\":\"real/id\",\"stream\":true," MSG "}" },
		{ "{" MSG " , \"stream_options\":{\"include_usage\":true} }",
		  true, "{\"model\":\"real/id\",\"stream\":true," MSG " }" },
	};

	(void)state;
	CHECK(&p, with);
	CHECK(&q, without);
}

static void
drop_and_rename(void **state)
{
	static char *drop[] = { "user", "logit_bias", "top_k", "model", NULL };
	static struct config_pair rename[] = { { "seed", "random_seed" },
	    { "max_completion_tokens", "max_tokens" }, { NULL, NULL } };
	static const struct config_provider p = { .drop = drop,
	    .rename = rename };
	static const struct splicing t[] = {
		{ "{\"user\":\"u\"," MSG ",\"model\":\"x\",\"stream\":false}",
		  false, "{" MSG ",\"model\":\"real/id\",\"stream\":false}" },
		{ "{ \"user\":{\"a\":[1]} , \"top_k\":5 ,\n " MSG
		  ",\"logit_bias\":{},\"model\":\"x\" , \"top_k2\":1,"
		  "\"stream\":false}", false,
		  "{ " MSG ",\"model\":\"real/id\" , \"top_k2\":1,"
		  "\"stream\":false}" },
		{ "{\"model\":\"x\",\"stream\":false," MSG ",\"user\":1 , "
		  "\"top_k\":2\n}", false,
		  "{\"model\":\"real/id\",\"stream\":false," MSG "\n}" },
		{ "{\"s\\u0065ed\" : 7," MSG "}", false,
		  "{\"model\":\"real/id\",\"stream\":false,"
		  "\"random_seed\" : 7," MSG "}" },
		/* both names: the provider's own stays, once */
		{ "{\"max_completion_tokens\":9," MSG ",\"max_tokens\":5}",
		  false, "{\"model\":\"real/id\",\"stream\":false," MSG
		  ",\"max_tokens\":5}" },
		{ "{" MSG ",\"max_completion_tokens\":9}", false,
		  "{\"model\":\"real/id\",\"stream\":false," MSG
		  ",\"max_tokens\":9}" },
		/* only at the top */
		{ "{" MSG ",\"x\":{\"user\":1,\"seed\":2}}", false,
		  "{\"model\":\"real/id\",\"stream\":false," MSG
		  ",\"x\":{\"user\":1,\"seed\":2}}" },
	};

	(void)state;
	CHECK(&p, t);
}

static void
dropped_options(void **state)
{
	static char *drop[] = { "stream_options", NULL };
	static const struct config_provider p = { .drop = drop,
	    .stream_usage = true };
	static const struct splicing t[] = {
		{ "{" MSG ",\"stream_options\":{}}", true,
		  "{\"model\":\"real/id\",\"stream\":true," MSG "}" },
		{ "{\"stream\":true," MSG "}", true,
		  "{\"model\":\"real/id\",\"stream\":true," MSG "}" },
	};

	(void)state;
	CHECK(&p, t);
}

/* Nothing but what is dropped; and no member at all. */
static void
empty_bodies(void **state)
{
	static char *drop[] = { "user", NULL };
	static const struct config_provider p = { .drop = drop }, q = { 0 };
	static const char only[] = "{ \"user\":1 }", none[] = " { } ";
	struct chat c = { .empty = true };
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	assert_int_equal(provider_body(&p, &model, &c, only, sizeof(only) - 1,
	    false, &out), 0);
	assert_string_equal(buf_str(&out),
	    "{\"model\":\"real/id\",\"stream\":false  }");
	buf_clear(&out);
	assert_int_equal(provider_body(&q, &model, &c, none, sizeof(none) - 1,
	    false, &out), 0);
	assert_string_equal(buf_str(&out),
	    " {\"model\":\"real/id\",\"stream\":false } ");
	buf_release(&out);
}

static void
exact_room(void **state)
{
	static const struct config_provider p = { .stream_usage = true };
	static const char body[] = "{\"model\":\"x\"," MSG "}";
	struct chat c;
	struct fault f;
	struct buf out;
	size_t n;

	(void)state;
	assert_int_equal(chat_scan(&c, body, sizeof(body) - 1, &f), 0);
	buf_init(&out, 1 << 20);
	assert_int_equal(provider_body(&p, &model, &c, body,
	    sizeof(body) - 1, true, &out), 0);
	n = out.len;
	buf_release(&out);
	buf_init(&out, n);
	assert_int_equal(provider_body(&p, &model, &c, body,
	    sizeof(body) - 1, true, &out), 0);
	assert_int_equal(out.len, n);
	buf_release(&out);
	buf_init(&out, n - 1);
	assert_int_equal(provider_body(&p, &model, &c, body,
	    sizeof(body) - 1, true, &out), -1);
	assert_int_equal(out.len, 0);
	buf_release(&out);
}

static void
odd_model_ids(void **state)
{
	static const struct config_provider p = { 0 };
	struct config_model m = { .id = "a\"b\\c\xff" };
	static const char body[] = "{" MSG "}";
	struct chat c;
	struct fault f;
	struct buf out;

	(void)state;
	assert_int_equal(chat_scan(&c, body, sizeof(body) - 1, &f), 0);
	buf_init(&out, 1000);
	assert_int_equal(provider_body(&p, &m, &c, body, sizeof(body) - 1,
	    false, &out), 0);
	assert_int_equal(strncmp(buf_str(&out),
	    "{\"model\":\"a\\\"b\\\\c", 17), 0);
	assert_int_equal(json_check(out.data, out.len, &(size_t){ 0 },
	    &(const char *){ NULL }), 0);
	buf_release(&out);
}

static void
more_members_than_room(void **state)
{
	static char *drop[] = { "a", NULL };
	static const struct config_provider p = { .drop = drop };
	struct chat c = { .empty = false };
	struct buf body, out;
	size_t i;

	(void)state;
	buf_init(&body, 10000);
	buf_init(&out, 10000);
	buf_puts(&body, "{\"b\":1");
	for (i = 0; i < 2 * EDITS; i++)
		buf_puts(&body, ",\"b\":1,\"a\":2");
	buf_puts(&body, "}");
	assert_int_equal(provider_body(&p, &model, &c, body.data, body.len,
	    false, &out), -1);
	assert_int_equal(out.len, 0);
	buf_release(&body);
	buf_release(&out);
}

static void
strip(void **state)
{
	static const struct { const char *body, *member, *want; } t[] = {
		{ "{\"a\":1,\"b\":2,\"c\":3}", "a", "{\"b\":2,\"c\":3}" },
		{ "{\"a\":1,\"b\":2,\"c\":3}", "b", "{\"a\":1,\"c\":3}" },
		{ "{\"a\":1,\"b\":2,\"c\":3}", "c", "{\"a\":1,\"b\":2}" },
		{ "{\"a\":1}", "a", "{}" },
		{ " { \"a\" : 1 , \"b\" : 2 } ", "a", " { \"b\" : 2 } " },
		{ " { \"a\" : 1 , \"b\" : 2 } ", "b", " { \"a\" : 1 } " },
		{ "{\"a\":1,\"a\":2,\"b\":3,\"a\":4}", "a", "{\"b\":3}" },
		{ "{\"x\":{\"a\":1}}", "a", NULL },
		{ "{}", "a", NULL },
		{ "[\"a\",1]", "a", NULL },
		{ "{\"a\":1,\"b\":}", "a", NULL },
		{ "", "a", NULL },
	};
	struct buf out;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		buf_init(&out, 1000);
		rc = provider_strip(t[i].body, strlen(t[i].body),
		    t[i].member, &out);
		assert_int_equal(rc, t[i].want != NULL ? 0 : -1);
		assert_string_equal(buf_str(&out),
		    t[i].want != NULL ? t[i].want : "");
		buf_release(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_place),
		cmocka_unit_test(stream_options),
		cmocka_unit_test(drop_and_rename),
		cmocka_unit_test(dropped_options),
		cmocka_unit_test(empty_bodies),
		cmocka_unit_test(exact_room),
		cmocka_unit_test(odd_model_ids),
		cmocka_unit_test(more_members_than_room),
		cmocka_unit_test(strip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
