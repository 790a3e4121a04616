#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/text.c"
#include "../../src/text_quote.c"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static void
compares_words(void **state)
{
	(void)state;
	assert_true(text_is("abcX", 3, "abc"));
	assert_false(text_is("abc", 3, "abcd"));
	assert_false(text_is("abcd", 4, "abc"));
	assert_false(text_is("ABC", 3, "abc"));
	assert_true(text_is(NULL, 0, ""));
	assert_false(text_is("a\0", 2, "a"));
	assert_true(text_isi("BeArEr", 6, "bearer"));
	assert_false(text_isi("bearer", 5, "bearer"));
	/* '@' and '`', '[' and '{' differ by the bit that case does. */
	assert_false(text_isi("@[", 2, "`{"));
	/* the Kelvin sign is no k */
	assert_false(text_isi("\xe2\x84\xaa", 3, "k"));
}

static void
reads_digits_only(void **state)
{
	static const char *const refused[] = {
		"", "-1", "+1", " 1", "1 ", "0x1", "1.0", "1e3", "12a",
		"18446744073709551616", "99999999999999999999999999"
	};
	uint64_t v = 77;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(refused); i++)
		assert_int_equal(text_uint(refused[i], strlen(refused[i]),
		    UINT64_MAX, &v), -1);
	assert_int_equal(v, 77);
	assert_int_equal(text_uint("18446744073709551615", 20, UINT64_MAX,
	    &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(text_uint("007", 3, 7, &v), 0);
	assert_int_equal(v, 7);
	assert_int_equal(text_uint("8", 1, 7, &v), -1);
	assert_int_equal(text_uint("10", 2, 9, &v), -1);
	assert_int_equal(text_uint("0", 1, 0, &v), 0);
	assert_int_equal(v, 0);
}

static void
reads_durations(void **state)
{
	static const struct {
		const char	*text;
		int64_t		 bare;
		int64_t		 ms;	/* -1: refused */
	} rows[] = {
		{ "10s", 0, 10000 },
		{ "250ms", 0, 250 },
		{ "1h30m", 0, 5400000 },
		{ "2m59.56s", 0, 179560 },
		{ "6m0s", 0, 360000 },
		{ "1d", 0, 86400000 },
		{ "34.074824224s", 0, 34075 },
		{ "7.66s", 0, 7660 },
		{ "577.5us", 0, 1 },
		{ "577.5\xc2\xb5s", 0, 1 },
		{ "1ns", 0, 1 },
		{ "1.0000000000000001ms", 0, 2 },
		{ "1.0000000000000000ms", 0, 1 },
		{ "0.5ms0.5ms", 0, 1 },
		{ "0s", 0, 0 },
		{ "0", 1000, 0 },
		{ "2", 1000, 2000 },
		{ "2.5", 1000, 2500 },
		{ "0.0001", 1000, 1 },
		{ "7", 60000, 420000 },
		{ "1.5", 86400000, 129600000 },
		{ "36525d", 0, 3155760000000 },
		{ "36525d1ns", 0, -1 },
		{ "36526d", 0, -1 },
		{ "3155760000", 1000, 3155760000000 },
		{ "3155760001", 1000, -1 },
		{ "99999999999999999999999", 1000, -1 },
		{ "9223372036854775807d", 0, -1 },
		{ "1000000000000", 1000, -1 },
		{ "2", 0, -1 },
		{ "2", -5, -1 },
		{ "", 1000, -1 },
		{ "-1s", 1000, -1 },
		{ "-1", 1000, -1 },
		{ "+1", 1000, -1 },
		{ "NaN", 1000, -1 },
		{ "inf", 1000, -1 },
		{ "1e5", 1000, -1 },
		{ ".5s", 1000, -1 },
		{ "5.s", 1000, -1 },
		{ "5.", 1000, -1 },
		{ "1h30", 1000, -1 },
		{ "s", 1000, -1 },
		{ "1 s", 1000, -1 },
		{ "1s ", 1000, -1 },
		{ "1S", 1000, -1 },
		{ "1w", 1000, -1 },
		{ "1.2.3s", 1000, -1 },
	};
	int64_t ms;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		ms = -1;
		if (text_duration(rows[i].text, strlen(rows[i].text),
		    rows[i].bare, &ms) < 0)
			ms = -1;
		if (ms != rows[i].ms)
			fail_msg("%s: %lld", rows[i].text, (long long)ms);
	}
}

static void
reads_sizes(void **state)
{
	static const char *const refused[] = {
		"", "K", "1KB", "-1", "1.5M", "1T", "1 K", "k1", "1025"
	};
	uint64_t v = 5;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(refused); i++)
		assert_int_equal(text_size(refused[i], strlen(refused[i]),
		    1024, &v), -1);
	assert_int_equal(v, 5);
	assert_int_equal(text_size("1024", 4, 1024, &v), 0);
	assert_int_equal(v, 1024);
	assert_int_equal(text_size("1k", 2, 1024, &v), 0);
	assert_int_equal(v, 1024);
	assert_int_equal(text_size("2M", 2, UINT64_MAX, &v), 0);
	assert_int_equal(v, 2097152);
	assert_int_equal(text_size("3G", 2, UINT64_MAX, &v), 0);
	assert_int_equal(v, 3221225472);
	assert_int_equal(text_size("17179869184G", 12, UINT64_MAX, &v), -1);
	assert_int_equal(text_size("17179869183G", 12, UINT64_MAX, &v), 0);
}

static void
reads_dates(void **state)
{
	static const struct {
		const char	*text;
		int64_t		 wall;
	} rows[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777000 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777000 },
		{ "Sun Nov  6 08:49:37 1994", 784111777000 },
		{ "Wed Nov 16 08:49:37 1994", 784975777000 },
		{ "1994-11-06T08:49:37Z", 784111777000 },
		{ "1994-11-06t08:49:37z", 784111777000 },
		{ "1994-11-06 08:49:37.5Z", 784111777500 },
		{ "1994-11-06T08:49:37.123999Z", 784111777123 },
		{ "1994-11-06T10:49:37+02:00", 784111777000 },
		{ "1994-11-06T00:49:37-08:00", 784111777000 },
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1969-12-31T23:59:59Z", -1000 },
		{ "2024-02-29T00:00:00Z", 1709164800000 },
		{ "2016-12-31T23:59:60Z", 1483228800000 },
		{ "9999-12-31T23:59:59Z", 253402300799000 },
		{ "Thursday, 01-Jan-26 00:00:00 GMT", 1767225600000 },
	};
	static const char *const refused[] = {
		"", "now", "2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
		"2026-01-32T00:00:00Z", "2026-06-31T00:00:00Z",
		"2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
		"2026-01-01T00:00:61Z", "2026-01-01T00:00:00",
		"2026-01-01T00:00:00Zx", "2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00+0200", "2026-01-01T00:00:00+24:00",
		"26-01-01T00:00:00Z", "2026-1-01T00:00:00Z",
		"Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 06 Nov 1994 08:49:37", "Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun, 06 nov 1994 08:49:37 GMT",
		"Sun, 06 Now 1994 08:49:37 GMT", "S, 06 Nov 1994 08:49:37 GMT",
		"-001-01-01T00:00:00Z", "Sun Nov 6 08:49:37 1994",
	};
	int64_t wall;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		wall = 1;
		if (text_date(rows[i].text, strlen(rows[i].text), &wall) < 0 ||
		    wall != rows[i].wall)
			fail_msg("%s: %lld", rows[i].text, (long long)wall);
	}
	for (i = 0; i < COUNT(refused); i++)
		if (text_date(refused[i], strlen(refused[i]), &wall) == 0)
			fail_msg("%s was taken", refused[i]);
	/* every cut of a good one */
	for (i = 0; i < strlen(rows[0].text); i++)
		assert_int_equal(text_date(rows[0].text, i, &wall), -1);
}

static void
writes_iso(void **state)
{
	char out[24];

	(void)state;
	text_iso(out, 0);
	assert_string_equal(out, "1970-01-01T00:00:00Z");
	text_iso(out, 1795262400999);
	assert_string_equal(out, "2026-11-21T12:00:00Z");
	text_iso(out, -1);
	assert_string_equal(out, "1969-12-31T23:59:59Z");
	text_iso(out, 253402300799999);
	assert_string_equal(out, "9999-12-31T23:59:59Z");
	text_iso(out, 253402300800000);
	assert_string_equal(out, "-");
	text_iso(out, -62167219200000);
	assert_string_equal(out, "0000-01-01T00:00:00Z");
	text_iso(out, -62167219200001);
	assert_string_equal(out, "-");
	text_iso(out, INT64_MAX);
	assert_string_equal(out, "-");
	text_iso(out, INT64_MIN);
	assert_string_equal(out, "-");
}

static void
tells_spans(void **state)
{
	static const struct {
		int64_t		 ms;
		const char	*words;
	} rows[] = {
		{ INT64_MIN, "0 ms" },
		{ -5, "0 ms" },
		{ 0, "0 ms" },
		{ 850, "850 ms" },
		{ 999, "999 ms" },
		{ 1000, "1 s" },
		{ 1001, "2 s" },
		{ 12000, "12 s" },
		{ 59001, "1 min" },
		{ 245000, "4 min 5 s" },
		{ 240001, "4 min 1 s" },
		{ 3599001, "1 h" },
		{ 12000000, "3 h 20 min" },
		{ 86399999, "1 d" },
		{ 187200000, "2 d 4 h" },
		{ 187200001, "2 d 5 h" },
		{ INT64_MAX, "106751991167 d 8 h" },
	};
	char out[32];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		text_ago(out, rows[i].ms);
		assert_string_equal(out, rows[i].words);
	}
}

static void
decodes_percent(void **state)
{
	static const char *const refused[] = {
		"%", "%4", "a%", "%zz", "%4g", "%g4", "%00", "a%00b", "%%41"
	};
	char out[64];
	size_t i;

	(void)state;
	assert_int_equal(text_percent("", 0, out), 0);
	assert_int_equal(text_percent("a%2Fb%2fc+%25", 13, out), 7);
	assert_memory_equal(out, "a/b/c+%", 7);
	assert_int_equal(text_percent("%41%ff", 6, out), 2);
	assert_memory_equal(out, "A\xff", 2);
	assert_int_equal(text_percent("%2541", 5, out), 3);
	assert_memory_equal(out, "%41", 3);
	for (i = 0; i < COUNT(refused); i++)
		assert_int_equal(text_percent(refused[i], strlen(refused[i]),
		    out), -1);
	assert_int_equal(text_percent("a\0b", 3, out), -1);
	assert_int_equal(text_percent("%41", 2, out), -1);
}

static void
knows_utf8(void **state)
{
	static const struct {
		const char	*p;
		size_t		 n, len;
	} rows[] = {
		{ "", 0, 0 },
		{ "a", 1, 1 },
		{ "\x7f", 1, 1 },
		{ "\0", 1, 1 },
		{ "\xc3\xb1", 2, 2 },
		{ "\xc3\xb1x", 3, 2 },
		{ "\xe2\x82\xac", 3, 3 },
		{ "\xf0\x9f\x98\x80", 4, 4 },
		{ "\xf4\x8f\xbf\xbf", 4, 4 },
		{ "\xed\x9f\xbf", 3, 3 },
		{ "\xee\x80\x80", 3, 3 },
		/* cut */
		{ "\xc3", 1, 0 },
		{ "\xe2\x82", 2, 0 },
		{ "\xf0\x9f\x98", 3, 0 },
		/* a continuation alone, overlong, surrogates, too far */
		{ "\x80", 1, 0 },
		{ "\xc0\x80", 2, 0 },
		{ "\xc1\xbf", 2, 0 },
		{ "\xe0\x80\x80", 3, 0 },
		{ "\xe0\x9f\xbf", 3, 0 },
		{ "\xed\xa0\x80", 3, 0 },
		{ "\xed\xbf\xbf", 3, 0 },
		{ "\xf0\x80\x80\x80", 4, 0 },
		{ "\xf0\x8f\xbf\xbf", 4, 0 },
		{ "\xf4\x90\x80\x80", 4, 0 },
		{ "\xf5\x80\x80\x80", 4, 0 },
		{ "\xff", 1, 0 },
		{ "\xc3" "a", 2, 0 },
		{ "\xe2\x82" "a", 3, 0 },
		{ "\xf0\x9f\x98" "a", 4, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		assert_int_equal(text_utf8(rows[i].p, rows[i].n),
		    rows[i].len);
}

static void
quotes(void **state)
{
	static const struct {
		const char	*p;
		size_t		 n;
		const char	*quoted;
	} rows[] = {
		{ "", 0, "\"\"" },
		{ "plain", 5, "\"plain\"" },
		{ "a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"" },
		{ "\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"" },
		{ "\0x\x1f\x7f", 4, "\"\\u0000x\\u001f\x7f\"" },
		{ "\xc3\xb1\xf0\x9f\x98\x80", 6,
		    "\"\xc3\xb1\xf0\x9f\x98\x80\"" },
		{ "a\xff" "b", 3, "\"a\xef\xbf\xbd" "b\"" },
		{ "\xed\xa0\x80", 3,
		    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "end\xe2\x82", 5, "\"end\xef\xbf\xbd\xef\xbf\xbd\"" },
	};
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		buf_init(&b, 1000);
		assert_int_equal(text_quote(&b, rows[i].p, rows[i].n), 0);
		assert_string_equal(buf_str(&b), rows[i].quoted);
		buf_release(&b);
	}
}

static void
quotes_all_or_nothing(void **state)
{
	struct buf b;
	size_t max;

	(void)state;
	for (max = 2; max < 14; max++) {
		buf_init(&b, max);
		buf_puts(&b, "x:");
		assert_int_equal(text_quote(&b, "ab\n\x01", 4), -1);
		assert_string_equal(buf_str(&b), "x:");
		buf_release(&b);
	}
	buf_init(&b, 14);
	buf_puts(&b, "x:");
	assert_int_equal(text_quote(&b, "ab\n\x01", 4), 0);
	assert_string_equal(buf_str(&b), "x:\"ab\\n\\u0001\"");
	buf_release(&b);
}

static void
hashes_as_fnv(void **state)
{
	(void)state;
	/* test vectors of draft-eastlake-fnv, appendix C */
	assert_true(text_hash(TEXT_HASH, "", 0) == 0xcbf29ce484222325ULL);
	assert_true(text_hash(TEXT_HASH, "a", 1) == 0xaf63dc4c8601ec8cULL);
	assert_true(text_hash(TEXT_HASH, "foobar", 6) ==
	    0x85944171f73967e8ULL);
	assert_true(text_hash(text_hash(TEXT_HASH, "foo", 3), "bar", 3) ==
	    0x85944171f73967e8ULL);
}

static int64_t
ms_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
clocks_run(void **state)
{
	int64_t mono = ms_of(CLOCK_BOOTTIME);
	struct text_time a, b;

	(void)state;
	text_clock(&a);
	text_clock(&b);
	assert_true(a.wall > 1700000000000);
	assert_in_range(a.mono, mono, b.mono);
	assert_in_range(b.mono, a.mono, ms_of(CLOCK_BOOTTIME));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares_words),
		cmocka_unit_test(reads_digits_only),
		cmocka_unit_test(reads_durations),
		cmocka_unit_test(reads_sizes),
		cmocka_unit_test(reads_dates),
		cmocka_unit_test(writes_iso),
		cmocka_unit_test(tells_spans),
		cmocka_unit_test(decodes_percent),
		cmocka_unit_test(knows_utf8),
		cmocka_unit_test(quotes),
		cmocka_unit_test(quotes_all_or_nothing),
		cmocka_unit_test(hashes_as_fnv),
		cmocka_unit_test(clocks_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
