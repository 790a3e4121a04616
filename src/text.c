#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_MS		1000000ULL
#define NS_SECOND	1000000000ULL
#define CENTURY_MS	3155760000000LL		/* 100 years of 365.25 days */

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

void
text_clock(struct text_time *t)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	t->wall = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	clock_gettime(CLOCK_BOOTTIME, &ts);
	t->mono = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool
text_is(const char *p, size_t n, const char *word)
{
	return n == strlen(word) && (n == 0 || memcmp(p, word, n) == 0);
}

/* Not strcasecmp: that one follows the locale. */
static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool
text_isi(const char *p, size_t n, const char *word)
{
	size_t i;

	for (i = 0; i < n && word[i] != '\0'; i++)
		if (lower(p[i]) != lower(word[i]))
			return false;
	return i == n && word[i] == '\0';
}

int
text_uint(const char *p, size_t n, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	if (n == 0)
		return -1;
	for (i = 0; i < n; i++) {
		uint64_t d;

		if (!digit(p[i]))
			return -1;
		d = (uint64_t)(p[i] - '0');
		if (d > max || v > (max - d) / 10)
			return -1;
		v = v * 10 + d;
	}
	*out = v;
	return 0;
}

/* ---- durations ---- */

/* A number with a fraction: the whole part and nine decimal places; rest says
 * whether a digit after those was not zero. */
struct decimal {
	uint64_t whole;
	uint64_t nano;
	bool	 rest;
};

/* Read one from p[0..n). How many bytes it took, 0 when there is none. */
static size_t
decimal(const char *p, size_t n, struct decimal *d)
{
	uint64_t scale = NS_SECOND / 10;
	size_t i = 0, dot;

	*d = (struct decimal){ 0 };
	while (i < n && digit(p[i]))
		i++;
	if (text_uint(p, i, INT64_MAX, &d->whole) < 0)
		return 0;
	if (i == n || p[i] != '.')
		return i;
	for (dot = i++; i < n && digit(p[i]); i++) {
		d->nano += (uint64_t)(p[i] - '0') * scale;
		if (scale == 0 && p[i] != '0')
			d->rest = true;
		scale /= 10;
	}
	return i - dot > 1 ? i : 0;
}

/* What follows a number in p[0..n): its unit in ns, and its length. */
static size_t
unit(const char *p, size_t n, uint64_t *ns)
{
	/* Go prints short spans with ns and U+00B5 (time.Duration.String),
	 * and Go is what several providers' limit headers are made by. Longer
	 * words first: "ms" is not "m". */
	static const struct {
		const char	*word;
		uint64_t	 ns;
	} units[] = {
		{ "ms", NS_MS }, { "us", 1000 }, { "\xc2\xb5s", 1000 },
		{ "ns", 1 }, { "s", NS_SECOND }, { "m", 60 * NS_SECOND },
		{ "h", 3600 * NS_SECOND }, { "d", 86400 * NS_SECOND },
	};
	size_t i, len;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		len = strlen(units[i].word);
		if (len <= n && memcmp(p, units[i].word, len) == 0) {
			*ns = units[i].ns;
			return len;
		}
	}
	return 0;
}

/* Add d units of ns each to *sum. A century in ns fits 63 bits; the fraction
 * is multiplied in two halves, as 128 bits do not exist everywhere. */
static int
add(uint64_t *sum, bool *rest, const struct decimal *d, uint64_t ns)
{
	const uint64_t limit = CENTURY_MS * NS_MS;
	uint64_t low = d->nano * (ns % NS_SECOND);
	uint64_t v;

	if (ns > limit || (ns > 0 && d->whole > limit / ns))
		return -1;
	v = d->whole * ns + d->nano * (ns / NS_SECOND) + low / NS_SECOND;
	if (low % NS_SECOND != 0 || d->rest)
		*rest = true;
	if (v > limit - *sum)
		return -1;
	*sum += v;
	return 0;
}

int
text_duration(const char *p, size_t n, int64_t bare, int64_t *ms)
{
	uint64_t sum = 0, ns;
	bool rest = false;
	struct decimal d;
	size_t i = 0, k;

	do {
		k = decimal(p + i, n - i, &d);
		if (k == 0)
			return -1;
		if (k == n) {		/* all of it is one number */
			if (bare <= 0 || bare > CENTURY_MS)
				return -1;
			ns = (uint64_t)bare * NS_MS;
		} else {
			i += k;
			k = unit(p + i, n - i, &ns);
			if (k == 0)
				return -1;
		}
		if (add(&sum, &rest, &d, ns) < 0)
			return -1;
		i += k;
	} while (i < n);
	sum = sum / NS_MS + (sum % NS_MS != 0 || rest);
	if (sum > CENTURY_MS)
		return -1;
	*ms = (int64_t)sum;
	return 0;
}

int
text_size(const char *p, size_t n, uint64_t max, uint64_t *out)
{
	static const char units[] = "kmg";
	unsigned shift = 0;
	const char *u;
	uint64_t v;

	if (n > 0 && !digit(p[n - 1])) {
		u = memchr(units, lower(p[n - 1]), 3);
		if (u == NULL)
			return -1;
		shift = 10 * (unsigned)(u - units + 1);
		n--;
	}
	if (text_uint(p, n, max >> shift, &v) < 0)
		return -1;
	*out = v << shift;
	return 0;
}

/* ---- dates ---- */

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Exactly n digits at **p, bounded by end. The value, or -1. */
static int
digits(const char **p, const char *end, int n)
{
	int v = 0;

	if (end - *p < n)
		return -1;
	for (; n > 0; n--, (*p)++) {
		if (!digit(**p))
			return -1;
		v = v * 10 + (**p - '0');
	}
	return v;
}

/* RFC 3339 time-offset, and the fraction before it. 0 or -1. */
static int
offset(const char **p, const char *end, int *ms, int *minutes)
{
	int scale = 100, h, m, sign;

	if (*p < end && **p == '.') {
		const char *dot = (*p)++;

		for (; *p < end && digit(**p); (*p)++, scale /= 10)
			*ms += (**p - '0') * scale;
		if (*p - dot < 2)
			return -1;
	}
	if (*p == end)
		return -1;
	if (lower(**p) == 'z') {
		(*p)++;
		return 0;
	}
	if (**p != '+' && **p != '-')
		return -1;
	sign = *(*p)++ == '-' ? -1 : 1;
	h = digits(p, end, 2);
	if (h < 0 || h > 23 || *p == end || *(*p)++ != ':')
		return -1;
	m = digits(p, end, 2);
	if (m < 0 || m > 59)
		return -1;
	*minutes = sign * (h * 60 + m);
	return 0;
}

static int
month(const char **p, const char *end)
{
	int i;

	if (end - *p < 3)
		return -1;
	for (i = 0; i < 12; i++) {
		if (memcmp(*p, months + i * 3, 3) == 0) {
			*p += 3;
			return i;
		}
	}
	return -1;
}

/* A weekday is not compared with the date: nothing hangs on it. */
static int
letters(const char **p, const char *end)
{
	const char *start = *p;

	while (*p < end && lower(**p) >= 'a' && lower(**p) <= 'z')
		(*p)++;
	return *p - start >= 3 ? 0 : -1;
}

/* Two digits of a year, as RFC 850 has them: POSIX's pivot. RFC 9110 5.6.7
 * would compare with the present; this module has none, and no server of
 * this century sends the form. */
static int
short_year(int y)
{
	return y < 0 ? -1 : y < 69 ? y + 100 : y;
}

struct moment {
	struct tm	tm;
	int		ms;
	int		minutes;	/* east of UTC */
};

/* One conversion of a date pattern. 0 or -1. */
static int
convert(char what, const char **p, const char *end, struct moment *m)
{
	static const char two[] = "dHMS";
	int *const field[] = {
		&m->tm.tm_mday, &m->tm.tm_hour, &m->tm.tm_min, &m->tm.tm_sec
	};
	int v = 0;

	switch (what) {
	case 'a':
		return letters(p, end);
	case 'b':
		v = m->tm.tm_mon = month(p, end);
		break;
	case 'e':	/* asctime pads the day by a space */
		if (*p == end || **p != ' ')
			return convert('d', p, end, m);
		(*p)++;
		v = m->tm.tm_mday = digits(p, end, 1);
		break;
	case 'm':
		v = m->tm.tm_mon = digits(p, end, 2) - 1;
		break;
	case 'T':
		v = *p < end && memchr("Tt ", *(*p)++, 3) != NULL ? 0 : -1;
		break;
	case 'Y':
		v = digits(p, end, 4);
		m->tm.tm_year = v - 1900;
		break;
	case 'y':
		v = m->tm.tm_year = short_year(digits(p, end, 2));
		break;
	case 'z':
		return offset(p, end, &m->ms, &m->minutes);
	default:
		v = *field[strchr(two, what) - two] = digits(p, end, 2);
		break;
	}
	return v < 0 ? -1 : 0;
}

/* strptime(3) would do but for its locale, its leniency about spaces and its
 * need of a NUL. */
static int
match(const char *pattern, const char *p, const char *end, struct moment *m)
{
	*m = (struct moment){ .ms = 0 };
	for (; *pattern != '\0'; pattern++) {
		if (*pattern == '%') {
			if (convert(*++pattern, &p, end, m) < 0)
				return -1;
		} else if (p == end || *p++ != *pattern) {
			return -1;
		}
	}
	return p == end ? 0 : -1;
}

int
text_date(const char *p, size_t n, int64_t *wall)
{
	static const char *const patterns[] = {
		"%a, %d %b %Y %H:%M:%S GMT",	/* IMF-fixdate */
		"%Y-%m-%d%T%H:%M:%S%z",		/* RFC 3339 */
		"%a, %d-%b-%y %H:%M:%S GMT",	/* RFC 850 */
		"%a %b %e %H:%M:%S %Y",		/* asctime */
	};
	struct moment m;
	struct tm back;
	time_t t;
	size_t i;

	for (i = 0; match(patterns[i], p, p + n, &m) < 0; i++)
		if (i + 1 == sizeof(patterns) / sizeof(patterns[0]))
			return -1;
	/* 60 is a leap second; timegm makes it the next one. */
	if (m.tm.tm_hour > 23 || m.tm.tm_min > 59 || m.tm.tm_sec > 60)
		return -1;
	back = m.tm;
	back.tm_hour = back.tm_min = back.tm_sec = 0;
	timegm(&back);
	if (back.tm_mday != m.tm.tm_mday || back.tm_mon != m.tm.tm_mon)
		return -1;	/* 31 June, day 0 */
	t = timegm(&m.tm);
	*wall = (int64_t)t * 1000 + m.ms - (int64_t)m.minutes * 60000;
	return 0;
}

/* Not by printf: each line of the log has a time. */
static void
two(char *out, int v)
{
	out[0] = (char)('0' + v / 10);
	out[1] = (char)('0' + v % 10);
}

void
text_iso(char *out, int64_t wall)
{
	int64_t s = wall / 1000 - (wall % 1000 < 0);
	time_t t = (time_t)s;
	struct tm tm;

	if (s < -62167219200LL || s > 253402300799LL ||
	    gmtime_r(&t, &tm) == NULL) {
		memcpy(out, "-", 2);
		return;
	}
	memcpy(out, "....-..-..T..:..:..Z", 21);
	two(out, (tm.tm_year + 1900) / 100);
	two(out + 2, (tm.tm_year + 1900) % 100);
	two(out + 5, tm.tm_mon + 1);
	two(out + 8, tm.tm_mday);
	two(out + 11, tm.tm_hour);
	two(out + 14, tm.tm_min);
	two(out + 17, tm.tm_sec);
}

void
text_ago(char *out, int64_t ms)
{
	/* A span below `below` is told as big units and small ones. */
	static const struct {
		int64_t		 below, big, small;
		const char	*big_word, *small_word;
	} rows[] = {
		{ 1000, 1000, 1, "s", "ms" },
		{ 60000, 60000, 1000, "min", "s" },
		{ 3600000, 60000, 1000, "min", "s" },
		{ 86400000, 3600000, 60000, "h", "min" },
		{ INT64_MAX, 86400000, 3600000, "d", "h" },
	};
	int64_t per, v;
	size_t i;
	int left;

	if (ms < 0)
		ms = 0;
	for (i = 0;; i++) {
		/* Rounding up may reach the next row: 59.9 s is 1 min. */
		v = ms / rows[i].small + (ms % rows[i].small != 0);
		if (rows[i].below == INT64_MAX ||
		    v < rows[i].below / rows[i].small)
			break;
	}
	per = rows[i].big / rows[i].small;
	left = (int)(v % per);
	if (v < per)
		snprintf(out, 32, "%d %s", left, rows[i].small_word);
	else if (left == 0)
		snprintf(out, 32, "%" PRId64 " %s", v / per,
		    rows[i].big_word);
	else
		snprintf(out, 32, "%" PRId64 " %s %d %s", v / per,
		    rows[i].big_word, left, rows[i].small_word);
}

/* ---- escapes ---- */

static int
hex(char c)
{
	if (digit(c))
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
text_percent(const char *p, size_t n, char *out)
{
	size_t i, len = 0;
	int high, low;
	char c;

	for (i = 0; i < n; i++) {
		c = p[i];
		if (c == '%') {
			if (n - i < 3)
				return -1;
			high = hex(p[i + 1]);
			low = hex(p[i + 2]);
			if (high < 0 || low < 0)
				return -1;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (c == '\0')
			return -1;
		out[len++] = c;
	}
	return (int)len;
}

uint64_t
text_hash(uint64_t h, const void *p, size_t n)
{
	const unsigned char *u = p;
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ u[i]) * 0x100000001b3ULL;
	return h;
}
