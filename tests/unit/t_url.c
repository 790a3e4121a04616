#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>

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
		"https://a/\x01", ("https://b\xc3\xbc" "cher.de"),
		"https://a?x=1", "https://a#x", "https://a:0", "https://a:",
		"https://a:70000", "https://a:8x", "https://[::1", "https://[]",
		"https://[::g]", "https://.a", "https://a\\b", "https://{a}",
		"http://10.0.0.1", "http://a.example", "http://localhost.evil",
		"http://127.0.0.1.evil.example", "http://127.", "https://a,b",
		"https://a/v1/chat/completions", "https://a/chat/completions/",
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

static bool
is_near(const char *text)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return url_near((const void *)&v4);
	assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
	return url_near((const void *)&v6);
}

static void
test_public(void **state)
{
	static const char *const yes[] = { "https://api.groq.com/openai/v1",
		"https://a.example:8443", "https://a.example./v1",
		"https://localhost.example/v1", "https://1.2.3.4.example" };
	static const char *const no[] = { "https://localhost/v1",
		"http://127.0.0.1:8080/v1", "https://10.0.0.1", "https://box",
		"https://[2001:db8::1]:8443/v1", "https://llm.lan:8080/v1",
		"https://mac.LOCAL/v1", "https://x.home.arpa.", "https://box.",
		"https://metadata.google.internal/" };

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		if (!url_public(yes[i]))
			fail_msg("%s is public", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
		if (url_public(no[i]))
			fail_msg("%s is not public", no[i]);
}

static void
test_near(void **state)
{
	static const char *const yes[] = { "127.0.0.1", "127.255.255.255",
		"0.0.0.0", "0.1.2.3", "169.254.169.254", "::1", "::",
		"fe80::1", "febf::1", "::ffff:127.0.0.1",
		"::ffff:169.254.169.254" };
	static const char *const no[] = { "126.255.255.255", "128.0.0.1",
		"10.0.0.1", "192.168.1.1", "169.253.0.1", "169.255.0.1",
		"1.0.0.0", "2001:db8::1", "fec0::1", "fd00::1",
		"::ffff:8.8.8.8", "::2" };
	struct sockaddr other = { .sa_family = AF_UNIX };

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		if (!is_near(yes[i]))
			fail_msg("%s is near", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
		if (is_near(no[i]))
			fail_msg("%s is not near", no[i]);
	assert_false(url_near(&other));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_public),
		cmocka_unit_test(test_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
