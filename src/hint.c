#include "hint.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "http.h"
#include "text.h"

#define SECOND		INT64_C(1000)
#define HOUR		(3600 * SECOND)
#define DAY		(24 * HOUR)
#define YEAR		(366 * DAY)
#define MOST		(INT64_C(1) << 40)	/* as in config_limits */
#define GUESS_MS	(120 * SECOND)

/* ---- when to come back ---- */

/* A time in any of the forms that are in use: Go's "2m59.56s", seconds as
 * "33011.382867", epoch seconds, epoch milliseconds, RFC 3339, HTTP date. The
 * forms do not overlap (no wait is 31 years long), so no provider needs to be
 * asked for its own. 0 or -1. */
static int
when(const char *p, size_t n, int64_t now, int64_t *wall)
{
	uint64_t v;
	int64_t ms;

	if (n == 0 || n > 64)
		return -1;
	if (text_uint(p, n, UINT64_C(1) << 52, &v) == 0 && v >= 1000000000) {
		*wall = (int64_t)(v >= UINT64_C(1000000000000) ? v : v * 1000);
		return 0;
	}
	if (text_duration(p, n, SECOND, &ms) == 0) {
		*wall = now + ms;
		return 0;
	}
	return text_date(p, n, wall);
}

static bool
digits(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!isdigit((unsigned char)p[i]))
			return false;
	return n > 0;
}

/* retry-after-ms (OpenAI's SDKs prefer it), then Retry-After, RFC 9110
 * 10.2.3, with the fractions that providers send. More digits than a century
 * mean "very long". */
static int
from_retry_after(const struct hint_text *t, int64_t now, int64_t *ms)
{
	const char *p;
	int64_t wall;
	size_t n;

	p = http_find(t->head, t->head_len, "retry-after-ms", &n);
	if (p != NULL && text_duration(p, n, 1, ms) == 0)
		return 0;
	p = http_find(t->head, t->head_len, "retry-after", &n);
	if (p == NULL)
		return -1;
	if (text_duration(p, n, SECOND, ms) == 0)
		return 0;
	if (digits(p, n)) {
		*ms = HINT_MAX;
		return 0;
	}
	if (text_date(p, n, &wall) < 0)
		return -1;
	*ms = wall - now;
	return 0;
}

/* OpenRouter tells its reset in the head of a 429 and in the body's
 * error.metadata.headers. */
static int
from_reset(const struct hint_text *t, int64_t now, int64_t *ms)
{
	const char *p;
	int64_t wall;
	size_t n;

	p = http_find(t->head, t->head_len, "x-ratelimit-reset", &n);
	if (p == NULL || when(p, n, now, &wall) < 0) {
		if (t->reset == NULL ||
		    when(t->reset, strlen(t->reset), now, &wall) < 0)
			return -1;
	}
	*ms = wall - now;
	return 0;
}

static int
from_delay(const struct hint_text *t, int64_t now, int64_t *ms)
{
	(void)now;
	if (t->delay == NULL)
		return -1;
	return text_duration(t->delay, strlen(t->delay), SECOND, ms);
}

/* The reset of a window that has nothing left; of the others it would be the
 * time until they are full again, which nobody has to wait for. */
static int
from_empty(const struct hint_text *t, int64_t now, int64_t *ms)
{
	static const char *const window[] = { "tokens-minute", "tokens",
	    "requests", "requests-day" };
	char name[64];
	const char *p;
	int64_t wall;
	size_t i, n;

	for (i = 0; i < sizeof(window) / sizeof(window[0]); i++) {
		snprintf(name, sizeof(name), "x-ratelimit-remaining-%s",
		    window[i]);
		p = http_find(t->head, t->head_len, name, &n);
		if (p == NULL || !text_is(p, n, "0"))
			continue;
		snprintf(name, sizeof(name), "x-ratelimit-reset-%s",
		    window[i]);
		p = http_find(t->head, t->head_len, name, &n);
		if (p != NULL && when(p, n, now, &wall) == 0) {
			*ms = wall - now;
			return 0;
		}
	}
	return -1;
}

/* "9m52.272s", "7.8s." or "20 seconds" at p. 0 or -1. */
static int
spoken(const char *p, int64_t *ms)
{
	static const struct { const char *word; int64_t ms; } units[] = {
		{ " second", SECOND }, { " minute", 60 * SECOND },
		{ " hour", HOUR }, { "seconds", SECOND },
		{ "minutes", 60 * SECOND }, { "hours", HOUR },
	};
	size_t i, n = strspn(p, "0123456789.hms");

	while (n > 0 && p[n - 1] == '.')
		n--;
	if (text_duration(p, n, 0, ms) == 0)
		return 0;
	n = strspn(p, "0123456789.");
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strncasecmp(p + n, units[i].word,
		    strlen(units[i].word)) == 0)
			return text_duration(p, n, units[i].ms, ms);
	return -1;
}

static int
from_prose(const struct hint_text *t, int64_t now, int64_t *ms)
{
	static const char *const lead[] = { "try again", "retry", "wait" };
	const char *p, *q;
	size_t i, k;

	(void)now;
	if (t->message == NULL)
		return -1;
	for (i = 0; i < sizeof(lead) / sizeof(lead[0]); i++)
		for (p = t->message; (p = strcasestr(p, lead[i])) != NULL; ) {
			q = p += strlen(lead[i]);
			for (k = 0; k < 20 && *q != '\0' &&
			    *q != '\n' && !isdigit((unsigned char)*q); k++)
				q++;
			if (isdigit((unsigned char)*q) && spoken(q, ms) == 0)
				return 0;
		}
	return -1;
}

/* "Your limit will reset at 2026-11-21 20:00:00" (Z.ai, code 1308, reported
 * 2026). The zone is not told. Its makers' is Beijing: the earlier reading,
 * and too early costs one refused call; if that has passed, UTC. */
static int
from_reset_at(const struct hint_text *t, int64_t now, int64_t *ms)
{
	static const char *const zone[] = { "+08:00", "Z" };
	const char *p = t->message;
	char date[32];
	int64_t wall;
	size_t i;

	p = p != NULL ? strcasestr(p, "reset at ") : NULL;
	if (p == NULL || strlen(p + 9) < 19)
		return -1;
	p += 9;
	for (i = 0; i < 2; i++) {
		snprintf(date, sizeof(date), "%.10sT%.8s%s", p, p + 11,
		    zone[i]);
		if (text_date(date, strlen(date), &wall) == 0 && wall > now) {
			*ms = wall - now;
			return 0;
		}
	}
	return -1;
}

int
hint_wait(const struct hint_text *t, int64_t now, int64_t *ms)
{
	static int (*const from[])(const struct hint_text *, int64_t,
	    int64_t *) = { from_retry_after, from_reset, from_delay,
	    from_empty, from_prose, from_reset_at };
	struct hint_text none;
	size_t i;

	if (t->head == NULL) {
		none = *t;
		none.head = "";
		none.head_len = 0;
		t = &none;
	}
	for (i = 0; i < sizeof(from) / sizeof(from[0]); i++)
		if (from[i](t, now, ms) == 0)
			break;
	if (i == sizeof(from) / sizeof(from[0]))
		return -1;
	*ms = *ms < HINT_MIN ? HINT_MIN : *ms > HINT_MAX ? HINT_MAX : *ms;
	return 0;
}

/* ---- limits ---- */

struct family {
	const char	*kind;		/* NULL: any that has no row */
	enum config_limit limit;
	bool		 guess;		/* minute or day, by the reset */
	const char	*max, *left, *reset;
};

#define XRL(word) "x-ratelimit-limit-" word, "x-ratelimit-remaining-" word, \
	"x-ratelimit-reset-" word
#define ARL(word) "anthropic-ratelimit-" word "-limit", \
	"anthropic-ratelimit-" word "-remaining", \
	"anthropic-ratelimit-" word "-reset"

static const struct family families[] = {
	/* console.groq.com/docs/rate-limits, 2026-08-22: requests are a day's,
	 * tokens a minute's */
	{ "groq", CONFIG_RPD, false, XRL("requests") },
	{ "groq", CONFIG_TPM, false, XRL("tokens") },
	/* seen in recorded answers, 2026-09 */
	{ "mistral", CONFIG_RPM, false, XRL("req-minute") },
	{ "mistral", CONFIG_TPM, false, XRL("tokens-minute") },
	/* inference-docs.cerebras.ai, 2025; seen live since */
	{ "cerebras", CONFIG_RPD, false, XRL("requests-day") },
	{ "cerebras", CONFIG_TPM, false, XRL("tokens-minute") },
	/* openrouter.ai/docs/api-reference/limits, 2026-08-22: only on its own
	 * 429, for the minute or for the day */
	{ "openrouter", CONFIG_RPM, true, "x-ratelimit-limit",
	  "x-ratelimit-remaining", "x-ratelimit-reset" },
	/* docs.sambanova.ai, rate limits, 2026-08 */
	{ "sambanova", CONFIG_RPM, false, XRL("requests") },
	{ "sambanova", CONFIG_RPD, false, XRL("requests-day") },
	/* platform.openai.com/docs/guides/rate-limits, 2026-08: requests are a
	 * minute's, a day's on small tiers */
	{ "openai", CONFIG_RPM, true, XRL("requests") },
	{ "openai", CONFIG_TPM, false, XRL("tokens") },
	/* docs.anthropic.com/en/api/rate-limits, 2026-08 */
	{ "anthropic", CONFIG_RPM, false, ARL("requests") },
	{ "anthropic", CONFIG_TPM, false, ARL("tokens") },
	/* the names that others took over; a suffix says the window itself */
	{ NULL, CONFIG_RPM, true, XRL("requests") },
	{ NULL, CONFIG_TPM, true, XRL("tokens") },
	{ NULL, CONFIG_RPM, false, XRL("req-minute") },
	{ NULL, CONFIG_RPM, false, XRL("requests-minute") },
	{ NULL, CONFIG_TPM, false, XRL("tokens-minute") },
	{ NULL, CONFIG_RPD, false, XRL("requests-day") },
	{ NULL, CONFIG_TPD, false, XRL("tokens-day") },
};

#define FAMILIES	(sizeof(families) / sizeof(families[0]))

/* A count; -1 when the header is not there. 0, or -1 when it is absurd. */
static int
count(const char *head, size_t n, const char *name, int64_t *out)
{
	const char *p;
	uint64_t v;
	size_t len;

	*out = -1;
	p = http_find(head, n, name, &len);
	if (p == NULL)
		return 0;
	if (text_uint(p, len, MOST, &v) < 0)
		return -1;
	*out = (int64_t)v;
	return 0;
}

/* One window of a family. 0, or -1 when the head does not tell it, or tells
 * what cannot be: then all of it is left out, for who errs in one figure is
 * not to be believed in the next. */
static int
look(const struct family *f, const char *head, size_t n, int64_t now,
    struct quota_seen *s)
{
	const char *p;
	size_t len;

	s->limit = f->limit;
	s->source = QUOTA_SRC_HEADER;
	s->reset = -1;
	if (count(head, n, f->max, &s->max) < 0 ||
	    count(head, n, f->left, &s->remaining) < 0)
		return -1;
	if (s->max < 0 && s->remaining < 0)
		return -1;
	/* Nor is a limit of 0, which some give for none: a model that the
	 * plan does not have is told by a refusal. */
	if (s->max == 0 || (s->max > 0 && s->remaining > s->max))
		return -1;
	p = http_find(head, n, f->reset, &len);
	if (p != NULL && (when(p, len, now, &s->reset) < 0 ||
	    s->reset <= now || s->reset - now > YEAR))
		return -1;
	if (!f->guess)
		return 0;
	/* Without a reset nobody knows whether 0 left means a minute or a
	 * day, and the wrong day closes a lane for a day. */
	if (s->reset < 0)
		return -1;
	if (s->reset - now >= GUESS_MS)
		s->limit += CONFIG_RPD - CONFIG_RPM;
	return 0;
}

static bool
begins(const char *p, size_t n, const char *word, size_t len)
{
	return n >= len && text_isi(p, len, word);
}

/* Cut a head down to the lines from the first to the last that may tell a
 * limit: each family asks for three headers, and most heads have none. */
static const char *
telling(const char *head, size_t *n)
{
	static const char x[] = "x-ratelimit-", a[] = "anthropic-ratelimit-";
	const char *p = head, *end = head + *n, *first = NULL, *last = head;
	size_t len;

	for (; p < end && *p != '\r' && *p != '\n'; p += len) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));

		len = (size_t)((eol != NULL ? eol + 1 : end) - p);
		if (!begins(p, len, x, sizeof(x) - 1) &&
		    !begins(p, len, a, sizeof(a) - 1))
			continue;
		if (first == NULL)
			first = p;
		last = p + len;
	}
	*n = (size_t)(last - (first != NULL ? first : head));
	return first;
}

size_t
hint_limits(const char *kind, const char *head, size_t n, int64_t now,
    struct quota_seen *seen, size_t max)
{
	size_t i, found = 0;
	bool known = false;

	if (head == NULL || (head = telling(head, &n)) == NULL)
		return 0;
	for (i = 0; i < FAMILIES && found < max; i++) {
		if (families[i].kind == NULL ? known :
		    strcmp(families[i].kind, kind) != 0)
			continue;
		known = known || families[i].kind != NULL;
		if (look(&families[i], head, n, now, &seen[found]) == 0)
			found++;
	}
	return found;
}
