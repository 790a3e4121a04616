/* The answering half of http: heads, CORS, and reading a head. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/http.c"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static void
heads(void **state)
{
	struct http h = { .id = "req_x" };
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	http_head(&b, &h, 429, "application/json");
	http_header(&b, "X-A", "1\r\nSet-Cookie: x\x7f");
	http_end(&b);
	assert_string_equal(buf_str(&b), "Status: 429 Too Many Requests\r\n"
	    "Content-Type: application/json\r\nX-Request-Id: req_x\r\n"
	    "X-A: 1  Set-Cookie: x \r\n\r\n");
	buf_clear(&b);
	http_head(&b, &h, 299, NULL);
	assert_string_equal(buf_str(&b), "Status: 299\r\n"
	    "X-Request-Id: req_x\r\n");
	buf_release(&b);
}

/* The CORS lines for an origin, as one string. */
static const char *
cors(struct buf *b, enum http_method m, const char *origin,
    const char *headers, char *const *origins, bool want)
{
	struct http h = {
		.method = m, .origin = origin, .cors_headers = headers,
		.cors_method = m == HTTP_OPTIONS ? "POST" : NULL
	};

	buf_clear(b);
	assert_int_equal(http_cors(b, &h, origins), want);
	return buf_str(b);
}

static void
cors_origins(void **state)
{
	char *const two[] = { "https://a.example", "http://b", NULL };
	char *const any[] = { "*", NULL };
	char *const none[] = { NULL };
	static const char *const evil[] = {
		"https://a.example.evil", "https://a.exampl",
		"http://a.example", "https://a.example/", "null",
		"https://A.example", "https://a.example:443", "",
	};
	const char *s;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 2000);
	assert_string_equal(cors(&b, HTTP_GET, "http://b", NULL, NULL,
	    false), "");
	assert_string_equal(cors(&b, HTTP_GET, "http://b", NULL, none,
	    false), "");
	assert_string_equal(cors(&b, HTTP_GET, NULL, NULL, two, false),
	    "Vary: Origin\r\n");
	for (i = 0; i < COUNT(evil); i++)
		assert_string_equal(cors(&b, HTTP_OPTIONS, evil[i], "x", two,
		    false), "Vary: Origin\r\n");
	s = cors(&b, HTTP_GET, "http://b", NULL, two, true);
	assert_non_null(strstr(s, "Access-Control-Allow-Origin: http://b\r\n"));
	assert_non_null(strstr(s, "Vary: Origin\r\n"));
	assert_non_null(strstr(s, "X-Relevo-Attempts"));
	assert_null(strstr(s, "Credentials"));
	assert_null(strstr(s, "Allow-Methods"));
	s = cors(&b, HTTP_POST, "https://evil", NULL, any, true);
	assert_non_null(strstr(s, "Access-Control-Allow-Origin: *\r\n"));
	assert_null(strstr(s, "Credentials"));
	assert_null(strstr(s, "evil"));
	buf_release(&b);
}

static void
cors_preflight(void **state)
{
	static const char *const unsafe[] = {
		"a b", "a,", ",a", "a,,b", "a\r\nX: y", "a:b", "\xc3\xb1",
		"a;b", "(a)", "a=b", "\"a\"", "",
	};
	char *const any[] = { "*", NULL };
	const char *s;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 2000);
	assert_string_equal(cors(&b, HTTP_OPTIONS, "http://b",
	    "authorization, x-stainless-os,A1!#$%&'*+-.^_`|~", any, true),
	    "Vary: Origin\r\n"
	    "Access-Control-Allow-Origin: *\r\n"
	    "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"
	    "Access-Control-Allow-Headers: authorization, x-stainless-os,"
	    "A1!#$%&'*+-.^_`|~\r\n"
	    "Access-Control-Max-Age: 600\r\n");
	for (i = 0; i < COUNT(unsafe); i++) {
		s = cors(&b, HTTP_OPTIONS, "http://b", unsafe[i], any, true);
		assert_null(strstr(s, "Allow-Headers"));
		assert_non_null(strstr(s, "Allow-Methods"));
	}
	buf_release(&b);
}

static void
finds_headers(void **state)
{
	static const char head[] = "HTTP/1.1 429 Too Many\r\n"
	    "retry-after:  12 \t\r\nX-Empty:\nRetry-After: 99\r\n"
	    "Retry-After-Ms: 5\r\nBad name: x\r\n\r\nX-Body: no\r\n";
	const char *p;
	size_t n = 77;

	(void)state;
	p = http_find(head, sizeof(head) - 1, "Retry-After", &n);
	assert_non_null(p);
	assert_int_equal(n, 2);
	assert_memory_equal(p, "12", 2);
	p = http_find(head, sizeof(head) - 1, "x-empty", &n);
	assert_non_null(p);
	assert_int_equal(n, 0);
	p = http_find(head, sizeof(head) - 1, "retry-after-ms", &n);
	assert_non_null(p);
	assert_memory_equal(p, "5", n);
	assert_null(http_find(head, sizeof(head) - 1, "X-Body", &n));
	assert_null(http_find(head, sizeof(head) - 1, "Retry", &n));
	assert_null(http_find(head, 30, "X-Empty", &n));
	assert_null(http_find("", 0, "A", &n));
	assert_null(http_find("A", 1, "A", &n));
	p = http_find("A:", 2, "A", &n);
	assert_non_null(p);
	assert_int_equal(n, 0);
	p = http_find("A: b", 4, "a", &n);
	assert_non_null(p);
	assert_int_equal(n, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads),
		cmocka_unit_test(cors_origins),
		cmocka_unit_test(cors_preflight),
		cmocka_unit_test(finds_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
