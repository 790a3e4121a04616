#include "quota.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "day.h"
#include "text.h"

#define SECOND		1000LL
#define DAY		(86400 * SECOND)

/* Half open: 10 s doubled for each failed probe, at most 300 s (Envoy's
 * outlier detection has the same cap). */
#define BACKOFF_MS	(10 * SECOND)
#define BACKOFF_MAX_MS	(300 * SECOND)

/* Between two tries of what is barred, while nothing else is open: a second,
 * as a client would wait, and not much longer, for a guess may be wrong; but
 * who fails for an hour must not eat a day's requests. */
#define DARE_MS		(1 * SECOND)
#define DARE_MAX_MS	(30 * SECOND)

#define ALPHA		0.25f
#define OVERHEAD	7.0f

static_assert(sizeof(struct quota_slot) == 1240, "slot");
static_assert(offsetof(struct quota_slot, windows) == 192, "slot");

static const char *const words[QUOTA_REASONS] = {
	[QUOTA_OPEN] = "",
	[QUOTA_RPM] = "rpm", [QUOTA_RPH] = "rph",
	[QUOTA_RPD] = "rpd", [QUOTA_RPMONTH] = "rpmonth",
	[QUOTA_TPM] = "tpm", [QUOTA_TPH] = "tph",
	[QUOTA_TPD] = "tpd", [QUOTA_TPMONTH] = "tpmonth",
	[QUOTA_CONCURRENCY] = "concurrency",
	[QUOTA_TOO_LARGE] = "too_large",
	[QUOTA_RATE_MINUTE] = "rate_minute",
	[QUOTA_RATE_DAY] = "rate_day",
	[QUOTA_RATE_MONTH] = "rate_month",
	[QUOTA_CAPACITY] = "capacity",
	[QUOTA_DOWN] = "down",
	[QUOTA_TIMEOUT] = "timeout",
	[QUOTA_BAD_KEY] = "bad_key",
	[QUOTA_KEY_REFUSED] = "key_refused",
	[QUOTA_NO_CREDIT] = "no_credit",
	[QUOTA_NOT_ENTITLED] = "not_entitled",
	[QUOTA_ACCOUNT_SETTING] = "account_setting",
	[QUOTA_MODEL_GONE] = "model_gone",
	[QUOTA_PROBE] = "probe",
	[QUOTA_OFF] = "off",
	[QUOTA_CANNOT] = "cannot",
	[QUOTA_CONTEXT] = "context",
};

const char *
quota_word(enum quota_reason r)
{
	return (unsigned)r < QUOTA_REASONS ? words[r] : "";
}

void
quota_stricter(struct quota_answer *a, const struct quota_answer *b)
{
	int64_t dare = a->dare > b->dare ? a->dare : b->dare;

	if (b->reason == QUOTA_OPEN)
		return;
	if (a->reason == QUOTA_OPEN) {
		*a = *b;
		return;
	}
	if (a->dare == 0 || b->dare == 0)
		dare = 0;
	if (b->until > a->until)
		*a = *b;
	a->dare = dare;
}

static void
refuse(struct quota_answer *a, enum quota_reason reason, int64_t until)
{
	quota_stricter(a, &(struct quota_answer){ reason, until, 0 });
}

static void
refuse_window(const struct window *w, const struct text_time *t,
    int64_t need, struct quota_answer *a)
{
	if (w->tokens && w->configured != CONFIG_NONE &&
	    need > w->configured)
		refuse(a, QUOTA_TOO_LARGE, INT64_MAX);
	else
		refuse(a, QUOTA_RPM + (w->limit - CONFIG_RPM),
		    window_until(w, t, need));
}

static bool
probing(enum quota_reason r)
{
	return r == QUOTA_CAPACITY || r == QUOTA_DOWN || r == QUOTA_TIMEOUT;
}

/* When a bar that holds may be dared; 0: it must not be. */
static int64_t
dare_at(const struct quota_slot *s, const struct text_time *t)
{
	int64_t at = s->dare_until > t->wall ? s->dare_until : t->wall;

	if (s->guess == 0 || !probing((enum quota_reason)s->bar))
		return 0;
	if (s->probe != 0 && at < t->wall + SECOND)
		return t->wall + SECOND;
	return at;
}

/* What is not a window: how many at once, bars, the half-open probe. */
static void
check_bar(const struct quota_slot *s, const struct window_rule *r,
    const struct text_time *t, struct quota_answer *a)
{
	int64_t most = r->limits->max[CONFIG_CONCURRENCY];

	if (most != CONFIG_NONE && (int64_t)s->inflight >= most)
		refuse(a, QUOTA_CONCURRENCY,
		    most == 0 ? INT64_MAX : t->wall + SECOND);
	if (s->bar == QUOTA_OPEN || s->bar >= QUOTA_REASONS)
		return;
	if (t->wall < s->bar_until)
		quota_stricter(a, &(struct quota_answer){
		    (enum quota_reason)s->bar, s->bar_until, dare_at(s, t) });
	else if (probing((enum quota_reason)s->bar) && s->probe != 0)
		refuse(a, QUOTA_PROBE, t->wall + SECOND);
}

void
quota_check(const struct quota_slot *s, const struct window_rule *r,
    const struct text_time *t, int64_t tokens, struct quota_answer *a)
{
	struct window w;
	int64_t need;
	enum config_limit l;

	for (l = 0; l < CONFIG_CONCURRENCY; l++) {
		if (!window_limited(&s->windows, r, t->wall, l))
			continue;
		window_get(&w, &s->windows, r, t, l);
		need = w.tokens ? tokens : 1;
		if (!window_fits(&w, need))
			refuse_window(&w, t, need, a);
	}
	check_bar(s, r, t, a);
}

/* A take although a bar holds. */
static void
dare(struct quota_slot *s, const struct text_time *t, uint64_t lease)
{
	int64_t gap = DARE_MS << (s->dares < 5 ? s->dares : 5);

	s->probe = lease;
	s->dared = 1;
	s->dares += s->dares < 5;
	s->dare_until = t->wall + (gap < DARE_MAX_MS ? gap : DARE_MAX_MS);
}

/* A take after a bar. */
static void
half_open(struct quota_slot *s, uint64_t lease)
{
	s->dared = 0;
	if (probing((enum quota_reason)s->bar))
		s->probe = lease;
	else
		s->bar = QUOTA_OPEN;
}

struct window_mark
quota_take(struct quota_slot *s, const struct window_rule *r,
    const struct text_time *t, int64_t tokens, uint64_t lease)
{
	s->inflight++;
	s->last_used = t->wall;
	if (s->bar != QUOTA_OPEN && lease != 0) {
		if (t->wall < s->bar_until)
			dare(s, t, lease);
		else
			half_open(s, lease);
	}
	return window_take(&s->windows, r->day, t, tokens);
}

/* The probe was answered. By a refusal, it may be, or another request was
 * refused since: what the provider said then stays. */
static void
served(struct quota_slot *s, const struct text_time *t)
{
	if (probing((enum quota_reason)s->bar) &&
	    (s->guess != 0 || t->wall >= s->bar_until))
		s->bar = QUOTA_OPEN;
	s->backoff = s->dares = 0;
	s->dare_until = 0;
}

void
quota_good(struct quota_slot *s, const struct text_time *t, uint64_t lease)
{
	if (s->probe != lease)
		return;
	s->probe = 0;
	served(s, t);
}

void
quota_done(struct quota_slot *s, const struct text_time *t, uint64_t lease,
    bool known, bool failed)
{
	int64_t wait;

	if (s->inflight > 0)
		s->inflight--;
	if (known && failed) {
		s->failures += s->failures < UINT32_MAX;
		s->streak += s->streak < UINT32_MAX;
	} else if (known)
		s->streak = 0;
	if (s->probe != lease)
		return;
	s->probe = 0;
	if (!known)
		return;
	if (!failed) {
		served(s, t);
		return;
	}
	/* Asked early, it says nothing of how long the bar should be. */
	if (s->dared != 0)
		return;
	s->backoff += s->backoff < 5;
	wait = BACKOFF_MS << s->backoff;
	if (wait > BACKOFF_MAX_MS)
		wait = BACKOFF_MAX_MS;
	if (s->bar_until < t->wall + wait)
		s->bar_until = t->wall + wait;
}

/* What a provider says of itself takes the place of a guess, even of a longer
 * one; a guess on top of its word makes a bar longer, but never a guess. */
void
quota_bar(struct quota_slot *s, const struct text_time *t,
    const struct quota_ban *ban)
{
	bool holds = s->bar != QUOTA_OPEN && t->wall < s->bar_until;
	bool said = holds && s->guess == 0;

	if (ban->until <= t->wall || (unsigned)ban->reason >= QUOTA_REASONS ||
	    ban->reason == QUOTA_OPEN || (holds && s->bar_until >= ban->until &&
	    (said || ban->guess)))
		return;
	s->bar = (uint8_t)ban->reason;
	s->bar_until = ban->until;
	s->guess = ban->guess && !said;
}

/* One pass over the windows for both the answer and the pressure. */
static void
see_window(const struct window *w, const struct text_time *t, int64_t tokens,
    struct quota_view *v)
{
	int64_t need = w->tokens ? tokens : 1, used = w->own + w->extra, end;
	double p = w->max > 0 ? (double)used / (double)w->max : 1;

	if (!window_fits(w, need))
		refuse_window(w, t, need, &v->answer);
	v->pressure = fmin(1, fmax(p, v->pressure));
	if (w->tokens || w->rolling || used >= w->max)
		return;
	end = window_reset(w, t);
	if (end > t->wall && end < v->resets) {
		v->resets = end;
		v->unused = w->max - used;
	}
}

void
quota_see(const struct quota_slot *s, const struct window_rule *r,
    const struct text_time *t, int64_t tokens, struct quota_view *v)
{
	int64_t most = r->limits->max[CONFIG_CONCURRENCY];
	struct window w;
	double p;
	enum config_limit l;

	for (l = 0; l < CONFIG_CONCURRENCY; l++) {
		if (!window_limited(&s->windows, r, t->wall, l))
			continue;
		window_get(&w, &s->windows, r, t, l);
		if (w.max != CONFIG_NONE)
			see_window(&w, t, tokens, v);
	}
	check_bar(s, r, t, &v->answer);
	if (most == CONFIG_NONE)
		return;
	p = most > 0 ? (double)s->inflight / (double)most : 1;
	v->pressure = fmin(1, fmax(p, v->pressure));
}

/* No bar is longer when it is set: a month, or a day of 25 hours. */
static bool
unreal(const struct quota_slot *s, const struct text_time *t)
{
	return window_unreal(s->bar_until, t, s->bar == QUOTA_RATE_MONTH ?
	    32 * DAY : 2 * DAY);
}

bool
quota_astray(const struct quota_slot *s, const struct text_time *t)
{
	return window_astray(&s->windows, t) || unreal(s, t);
}

void
quota_heal(struct quota_slot *s, enum config_day day,
    const struct text_time *t)
{
	window_heal(&s->windows, day, t);
	if (!unreal(s, t))
		return;
	s->bar_until = t->wall;
	s->dare_until = 0;
}

size_t
quota_rows(const struct quota_slot *s, const struct window_rule *r,
    const struct text_time *t, struct quota_row rows[CONFIG_LIMITS])
{
	int64_t most = r->limits->max[CONFIG_CONCURRENCY], used;
	struct window w;
	size_t n = 0;
	int l;

	for (l = 0; l < CONFIG_CONCURRENCY; l++) {
		window_get(&w, &s->windows, r, t, (enum config_limit)l);
		used = w.own + w.extra;
		if (w.max == CONFIG_NONE && used == 0)
			continue;
		rows[n++] = (struct quota_row){ .limit = w.limit,
		    .source = (enum quota_source)w.source, .used = used,
		    .max = w.max,
		    .remaining = w.max == CONFIG_NONE ? -1 :
		    used < w.max ? w.max - used : 0,
		    .reset = window_reset(&w, t) };
	}
	if (most != CONFIG_NONE || s->inflight > 0)
		rows[n++] = (struct quota_row){ .limit = CONFIG_CONCURRENCY,
		    .used = s->inflight, .max = most,
		    .remaining = most == CONFIG_NONE ? -1 :
		    s->inflight < most ? most - s->inflight : 0 };
	return n;
}

int64_t
quota_today(const struct quota_slot *s, const struct window_rule *r,
    const struct text_time *t, bool tokens)
{
	struct window w;

	window_get(&w, &s->windows, r, t, tokens ? CONFIG_TPD : CONFIG_RPD);
	return w.own;
}

int64_t
quota_day_start(const struct quota_slot *s, const struct window_rule *r,
    const struct text_time *t)
{
	if (day_calendar(r->day))
		return day_begin(r->day, false, t->wall);
	if (r->day == CONFIG_DAY_ROLLING)
		return t->wall - DAY;
	if (s->windows.day.start == 0 ||
	    t->wall >= day_end(r->day, false, s->windows.day.start))
		return t->wall;
	return s->windows.day.start;
}

void
quota_reboot(struct quota_slot *s, const struct text_time *then,
    const struct text_time *now)
{
	window_reboot(&s->windows, then, now);
	s->inflight = 0;
	s->probe = 0;
	s->dares = 0;
}

int64_t
quota_estimate(float overhead, float k, int64_t raw)
{
	double n = ((double)overhead + (double)k * (double)raw) * 1.1;

	if (!(n > 0))
		return 0;
	return n > (double)UINT32_MAX ? UINT32_MAX : (int64_t)ceil(n);
}

static float
clip(float v, float lo, float hi)
{
	return !(v > lo) ? lo : v > hi ? hi : v;
}

/* A short prompt tells of the template around it, a long one of the
 * tokenizer. */
void
quota_learn(struct quota_slot *s, int64_t raw, int64_t real)
{
	float v;

	if (raw < 0 || real <= 0)
		return;
	if (raw < 60) {
		v = clip((float)real - s->k * (float)raw, 0, 6000);
		s->overhead = clip(s->overhead +
		    ALPHA * (v - s->overhead), 0, 6000);
	} else {
		v = clip(((float)real - s->overhead) / (float)raw, 0.4f, 2.5f);
		s->k = clip(s->k + ALPHA * (v - s->k), 0.4f, 2.5f);
	}
}

void
quota_first(struct quota_slot *s, int64_t ms)
{
	if (ms < 0)
		return;
	if (!(s->first_ms > 0))
		s->first_ms = (float)ms;
	else
		s->first_ms += ALPHA * ((float)ms - s->first_ms);
}

void
quota_init(struct quota_slot *s, const char *name, const uint64_t hash[2])
{
	size_t n = strlen(name);

	memset(s, 0, sizeof(*s));
	memcpy(s->name, name, n < QUOTA_NAME ? n : QUOTA_NAME - 1);
	s->hash[0] = hash[0];
	s->hash[1] = hash[1];
	s->overhead = OVERHEAD;
	s->k = 1;
	window_init(&s->windows);
}
