/* Numbers, durations, dates, sizes, escapes and quoting: what is read keeps to
 * the bounds that are promised, and what is written is read as the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "json.h"
#include "text.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define DAY	INT64_C(86400000)
#define CENTURY	(INT64_C(36525) * DAY)
#define YEAR_0	INT64_C(-62167219200000)	/* of 0000-01-01 */
#define YEAR_10000 INT64_C(253402300800000)

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
check_numbers(const char *p, size_t n)
{
	static const uint64_t most[] = { 0, 9, 1000, UINT64_MAX };
	uint64_t v, w;
	char s[32];
	size_t i;

	for (i = 0; i < 4; i++) {
		v = w = 77;
		if (text_uint(p, n, most[i], &v) == 0) {
			must(v <= most[i] && n > 0);
			snprintf(s, sizeof(s), "%llu", (unsigned long long)v);
			must(n > strlen(s) || text_is(p, n, s));
			/* Digits alone are a size, too. */
			must(text_size(p, n, most[i], &w) == 0 && w == v);
		} else {
			must(v == 77);
		}
		w = 77;
		must(text_size(p, n, most[i], &w) == 0 ? w <= most[i] :
		    w == 77);
	}
}

static void
check_duration(const char *p, size_t n)
{
	int64_t strict = -7, s = -7, d = -7;
	char words[32];

	if (text_duration(p, n, 0, &strict) == 0)
		must(strict >= 0 && strict <= CENTURY);
	else
		must(strict == -7);
	/* A unit means the same whatever a bare number would be. */
	if (text_duration(p, n, 1000, &s) == 0) {
		must(s >= 0 && s <= CENTURY);
		must(strict == -7 || strict == s);
		text_ago(words, s);
		must(strlen(words) > 0 && strlen(words) < sizeof(words));
	} else {
		must(strict == -7);
	}
	must(text_duration(p, n, DAY, &d) != 0 || (d >= 0 && d <= CENTURY));
}

static void
check_date(const char *p, size_t n)
{
	int64_t wall = -7, again;
	char s[24];

	if (text_date(p, n, &wall) != 0) {
		must(wall == -7);
		return;
	}
	text_iso(s, wall);
	if (wall < YEAR_0 || wall >= YEAR_10000) {
		must(strcmp(s, "-") == 0);
		return;
	}
	must(strlen(s) == 20);
	must(text_date(s, 20, &again) == 0);
	must(again <= wall && wall - again < 1000);
}

static void
check_percent(const char *p, size_t n)
{
	char *out = malloc(n > 0 ? n : 1);
	int k;

	must(out != NULL);
	k = text_percent(p, n, out);
	must(k >= -1 && k <= (int)n);
	must(k <= 0 || memchr(out, 0, (size_t)k) == NULL ||
	    memchr(p, 0, n) != NULL);
	must(k != (int)n || n == 0 || memcmp(out, p, n) == 0);
	free(out);
}

/* Quoted, it is JSON, and means the same if it was UTF-8 all through. */
static void
check_quote(const char *p, size_t n)
{
	struct buf quoted, plain;
	bool valid = true;
	const char *why;
	size_t i, k, at;

	for (i = 0; i < n && valid; i += k) {
		k = text_utf8(p + i, n - i);
		must(k <= 4 && k <= n - i);
		valid = k > 0;
	}
	buf_init(&quoted, 6 * n + 2);
	buf_init(&plain, 3 * n);
	must(text_quote(&quoted, p, n) == 0);
	must(json_check(quoted.data, quoted.len, &at, &why) == 0);
	must(json_unescape(quoted.data + 1, quoted.len - 2, &plain) == 0);
	must(!valid || (plain.len == n &&
	    (n == 0 || memcmp(plain.data, p, n) == 0)));
	buf_release(&quoted);
	buf_release(&plain);
}

static void
check_words(const char *p, size_t n)
{
	char *word = malloc(n + 1);

	must(word != NULL);
	if (n > 0)
		memcpy(word, p, n);
	word[n] = '\0';
	must(text_is(p, n, word) == (strlen(word) == n));
	must(!text_is(p, n, word) || text_isi(p, n, word));
	must(text_hash(TEXT_HASH, p, n) == text_hash(text_hash(TEXT_HASH, p,
	    n / 2), p + n / 2, n - n / 2));
	free(word);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *p = malloc(n > 0 ? n : 1);	/* so that ASan sees its end */
	int64_t wall;
	char s[32];

	must(p != NULL);
	if (n > 0)
		memcpy(p, data, n);
	check_numbers(p, n);
	check_duration(p, n);
	check_date(p, n);
	check_percent(p, n);
	check_quote(p, n);
	check_words(p, n);
	if (n >= sizeof(wall)) {
		memcpy(&wall, p, sizeof(wall));
		text_iso(s, wall);
		must(strlen(s) < 24);
		text_ago(s, wall);
		must(strlen(s) < 32);
	}
	free(p);
	return 0;
}
