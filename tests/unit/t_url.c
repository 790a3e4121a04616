#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>


#include "../../src/url.c"

static void
test_good(void **state)
{
	static const char *const rows[] = {
		"https://api.groq.com/openai/v1", "https://a", "https://a/",
		"https://a:8443/v1", "https://[2001:db8::1]/v1",
		"https://[2001:db8::1]:8443/v1", "https://xn--bcher-kva.de",
		"http://127.0.0.1:11434/v1", "http://localhost:8080",
		"http://[::1]:80/v1", "http://127.1.2.3", "http://LocalHost",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (url_wrong(rows[i], false) != NULL)
			fail_msg("%s: %s", rows[i], url_wrong(rows[i], false));
	assert_null(url_wrong("http://10.0.0.1/v1", true));
}

static void
test_bad(void **state)
{
	static const char *const rows[] = {
		"", "a", "https:/a", "https://", "https:///v1", "ftp://a",
		"file:///etc/passwd", "HTTPS://a", "https://u@a",
		"https://u:p@a/v1", "https://a/v1\r\nX: y", "https://a b",
		"https://a/\x01", "https://b\xc3\xbc" "cher.de",
		"https://a?x=1", "https://a#x", "https://a:0", "https://a:",
		"https://a:70000", "https://a:8x", "https://[::1", "https://[]",
		"https://[::g]", "https://.a", "https://a\\b", "https://{a}",
		"http://10.0.0.1", "http://a.example", "http://localhost.evil",
		"http://127.0.0.1.evil.example", "http://127.", "https://a,b",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (url_wrong(rows[i], false) == NULL)
			fail_msg("%s passed", rows[i]);
	assert_non_null(url_wrong("ftp://a", true));
}

static void
test_port(void **state)
{
	static const struct {
		const char *url;
		int	 port;
	} rows[] = {
		{ "https://a", 443 }, { "https://a/v1:9", 443 },
		{ "https://a:8443/v1", 8443 }, { "http://a/v1", 80 },
		{ "https://[2001:db8::1]/v1", 443 },
		{ "https://[2001:db8::1]:8443/v1", 8443 },
		{ "http://127.0.0.1:11434", 11434 },
		{ "http://u:1@h", 80 }, { "socks5h://u:p@h:1081", 1081 },
		{ "http://u:p@[::1]:8", 8 }, { "http://h:99999", 80 },
		{ "http://h:", 80 }, { "", 80 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (url_port(rows[i].url, 80) != rows[i].port)
			fail_msg("%s: %d", rows[i].url,
			    url_port(rows[i].url, 80));
	assert_int_equal(url_port("http://proxy", 1080), 1080);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
