#include "window.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "day.h"
#include "text.h"

#define SECOND		1000LL
#define HOUR		(3600 * SECOND)
#define DAY		(24 * HOUR)
#define MONTH		(30 * DAY)

/* Seconds of the rings are counted from long before the machine started, so
 * that what is carried over a reboot has a positive number too. */
#define BIAS		(1LL << 30)

enum { MINUTE, HOURLY, DAILY, RINGS };

static_assert(sizeof(struct window_span) == 32, "span");
static_assert(sizeof(struct window_set) == 1048, "set");
static_assert(offsetof(struct window_set, extra) == 76, "set");
static_assert(offsetof(struct window_set, day_tok) == 920, "set");

static const struct { bool tokens, month; int ring; } shape[] = {
	[CONFIG_RPM] = { false, false, MINUTE },
	[CONFIG_RPH] = { false, false, HOURLY },
	[CONFIG_RPD] = { false, false, -1 },
	[CONFIG_RPMONTH] = { false, true, -1 },
	[CONFIG_TPM] = { true, false, MINUTE },
	[CONFIG_TPH] = { true, false, HOURLY },
	[CONFIG_TPD] = { true, false, -1 },
	[CONFIG_TPMONTH] = { true, true, -1 },
};

/* Spans. */

#define UNSET		1735689600000LL		/* 2025 */

bool
window_unreal(int64_t at, const struct text_time *t, int64_t most)
{
	return at > t->wall + most && t->wall >= UNSET;
}

static bool
ahead(const struct window_span *s, bool month, const struct text_time *t)
{
	return window_unreal(s->start, t, month ? MONTH + DAY : DAY);
}

/* When the one that holds now began; 0: with its first use. */
static int64_t
span_begin(enum config_day day, bool month, int64_t now)
{
	return day_calendar(day) ? day_begin(day, month, now) : 0;
}

static bool
span_roll(struct window_span *s, enum config_day day, bool month,
    const struct text_time *t)
{
	int64_t now = t->wall;

	if (s->start == 0) {
		s->start = span_begin(day, month, now);
		return false;
	}
	if (now < s->start) {
		/* Set back by less than a window: both count until then. By
		 * more: the start was never real, what was counted belongs to
		 * the window that holds now. */
		if (!ahead(s, month, t))
			return false;
		s->req += s->preq;
		s->tok += s->ptok;
		s->preq = 0;
		s->ptok = 0;
		s->start = day_calendar(day) ? span_begin(day, month, now) :
		    now;
		return false;
	}
	if (now < day_end(day, month, s->start))
		return false;
	s->preq = s->req;
	s->ptok = s->tok;
	s->req = 0;
	s->tok = 0;
	s->start = span_begin(day, month, now);
	return true;
}

/* Another kind of day (the config changed) keeps what was counted and counts
 * it in its own present window. */
static void
spans_roll(struct window_set *s, enum config_day day,
    const struct text_time *t)
{
	uint8_t d = s->serial & 15, m = s->serial >> 4;

	if (s->kind != day) {
		if (day_calendar(day) && s->day.start != 0) {
			s->day.start = day_begin(day, false, t->wall);
			s->month.start = day_begin(day, true, t->wall);
		}
		s->kind = (uint8_t)day;
	}
	d += span_roll(&s->day, day, false, t);
	m += span_roll(&s->month, day, true, t);
	s->serial = (uint8_t)((d & 15) | (m & 15) << 4);
}

/* What span_roll would leave, without changing it. The first comparison
 * spares the calendar nearly always: no day is shorter than 23 h, no month
 * than 28 d. */
static int64_t
span_used(const struct window_span *s, uint8_t kind, struct window *w,
    bool month, int64_t now)
{
	uint64_t n = w->tokens ? s->tok : s->req;
	uint64_t before = w->tokens ? s->ptok : s->preq;

	w->start = s->start;
	if (s->start == 0)
		return 0;
	if (now < s->start)
		n += before;
	else if (kind == w->day &&
	    now - s->start >= (month ? 27 * DAY : 22 * HOUR) &&
	    now >= day_end(w->day, month, s->start)) {
		w->start = 0;
		return 0;
	}
	if (kind != w->day && day_calendar(w->day))
		w->start = day_begin(w->day, month, now);
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static uint64_t
add(uint64_t n, int64_t delta, uint64_t max)
{
	if (delta < 0)
		return n < (uint64_t)-delta ? 0 : n - (uint64_t)-delta;
	return n > max - (uint64_t)delta ? max : n + (uint64_t)delta;
}

static void
span_add(struct window_span *s, int64_t requests, int64_t tokens)
{
	s->req = (uint32_t)add(s->req, requests, UINT32_MAX);
	s->tok = add(s->tok, tokens, INT64_MAX);
}

/* Rings. */

static struct ring
ring_of(const struct window_set *cs, int which, bool tokens)
{
	struct window_set *s = (struct window_set *)(uintptr_t)cs;

	if (which == MINUTE)
		return (struct ring){ tokens ? s->minute_tok : NULL,
		    tokens ? NULL : s->minute_req, WINDOW_MINUTE_N, 1 };
	if (which == HOURLY)
		return (struct ring){ tokens ? s->hour_tok : s->hour_req,
		    NULL, WINDOW_HOUR_N, 120 };
	return (struct ring){ tokens ? s->day_tok : s->day_req,
	    NULL, WINDOW_DAY_N, 2880 };
}

static int64_t
second(int64_t mono)
{
	int64_t s = mono / SECOND - (mono % SECOND < 0) + BIAS;

	return s < 1 ? 1 : s > UINT32_MAX ? UINT32_MAX : s;
}

static bool
damaged(const struct window_set *s)
{
	return s->head < 0 || s->head > UINT32_MAX;
}

static void
rings_move(struct window_set *s, int64_t delta, int64_t head)
{
	struct ring r;
	int i;

	for (i = 0; i < RINGS * 2 && !damaged(s); i++) {
		r = ring_of(s, i / 2, i % 2);
		ring_move(&r, s->head, delta, head);
	}
	s->head = head;
}

static void
rings_roll(struct window_set *s, int64_t sec)
{
	struct ring r;
	int i;

	/* Mono never goes back within a boot, but a file may be damaged. */
	if (damaged(s) || s->head > sec + DAY / SECOND)
		rings_move(s, sec - s->head, sec);
	if (sec <= s->head)
		return;
	for (i = 0; i < RINGS * 2; i++) {
		r = ring_of(s, i / 2, i % 2);
		ring_roll(&r, s->head, sec);
	}
	s->head = sec;
}

void
window_init(struct window_set *s)
{
	memset(s, 0, sizeof(*s));
	memset(s->max, 0xff, sizeof(s->max));
	s->head = 1;
}

void
window_raise(const struct window_set *s, struct text_time *t)
{
	int64_t sec = second(t->mono);

	if (s->head > sec && s->head <= sec + DAY / SECOND)
		t->mono = (s->head - BIAS) * SECOND;
}

bool
window_astray(const struct window_set *s, const struct text_time *t)
{
	return ahead(&s->day, false, t) || ahead(&s->month, true, t);
}

void
window_heal(struct window_set *s, enum config_day day,
    const struct text_time *t)
{
	int l;

	spans_roll(s, day, t);
	for (l = 0; l < CONFIG_CONCURRENCY; l++)
		if (window_unreal(s->until[l] * SECOND, t, MONTH + 2 * DAY))
			s->until[l] = 0;
}

struct window_mark
window_take(struct window_set *s, enum config_day day,
    const struct text_time *t, int64_t tokens)
{
	struct window_mark m = { (uint32_t)second(t->mono), 0 };

	rings_roll(s, m.sec);
	spans_roll(s, day, t);
	if (s->day.start == 0)
		s->day.start = t->wall;		/* the first use */
	if (s->month.start == 0)
		s->month.start = t->wall;
	m.serial = s->serial;
	window_adjust(s, m, 1, tokens);
	return m;
}

void
window_adjust(struct window_set *s, struct window_mark m, int64_t requests,
    int64_t tokens)
{
	struct ring r;
	int i;

	for (i = 0; i < RINGS * 2; i++) {
		r = ring_of(s, i / 2, i % 2);
		ring_add(&r, s->head, m.sec, i % 2 ? tokens : requests);
	}
	if (((m.serial ^ s->serial) & 0x0f) == 0)
		span_add(&s->day, requests, tokens);
	if (((m.serial ^ s->serial) & 0xf0) == 0)
		span_add(&s->month, requests, tokens);
}

static struct window_use
least(const struct window_use *a, const struct window_use *b)
{
	return (struct window_use){
	    a->requests < b->requests ? a->requests : b->requests,
	    a->tokens < b->tokens ? a->tokens : b->tokens };
}

/* In the rings all of it is as of now, so that it leaves none too early; but a
 * rolling day has a ring, too. */
void
window_add(struct window_set *s, enum config_day day,
    const struct text_time *t, const struct window_use *all,
    const struct window_use *today, const struct window_use *month)
{
	struct window_use d = least(all, today), m = least(all, month);
	struct window_mark at = window_take(s, day, t, 0);

	window_adjust(s, at, -1, 0);
	span_add(&s->day, d.requests, d.tokens);
	span_add(&s->month, m.requests, m.tokens);
	if (day != CONFIG_DAY_ROLLING)
		d = *all;
	at.serial ^= 0x11;		/* the rings alone */
	window_adjust(s, at, d.requests, d.tokens);
}

/* Reading one window. */

static void
said(struct window *w, const struct window_set *s, int64_t now)
{
	enum config_limit l = w->limit;

	if ((int64_t)s->until[l] * SECOND <= now)
		return;
	w->until = (int64_t)s->until[l] * SECOND;
	w->extra = s->extra[l];
	if (s->max[l] != UINT32_MAX &&
	    (w->max == CONFIG_NONE || s->max[l] < w->max)) {
		w->max = s->max[l];
		w->source = s->source[l];
	}
}

void
window_get(struct window *w, const struct window_set *s,
    const struct window_rule *r, const struct text_time *t,
    enum config_limit l)
{
	int ring = shape[l].ring;

	w->limit = l;
	w->tokens = shape[l].tokens;
	w->rolling = false;
	w->extra = 0;
	w->until = 0;
	w->source = 0;
	w->start = 0;
	w->configured = r->limits->max[l];
	w->max = w->configured;
	said(w, s, t->wall);
	w->day = r->day;
	w->sec = second(t->mono);
	w->head = damaged(s) ? w->sec : s->head;
	if (ring < 0 && !shape[l].month && r->day == CONFIG_DAY_ROLLING)
		ring = DAILY;
	if (ring < 0) {
		w->own = span_used(shape[l].month ? &s->month : &s->day,
		    s->kind, w, shape[l].month, t->wall);
		return;
	}
	w->rolling = true;
	w->ring = ring_of(s, ring, w->tokens);
	w->own = ring_sum(&w->ring, w->head, w->sec);
}

static int64_t
ring_wall(const struct text_time *t, int64_t sec)
{
	return t->wall + (sec - BIAS) * SECOND - t->mono;
}

static bool
room(const struct window *w, int64_t need)
{
	return !w->rolling || ring_room(&w->ring, w->head, w->sec) >= need;
}

/* Not used + need, which may overflow. */
bool
window_fits(const struct window *w, int64_t need)
{
	if (w->max == CONFIG_NONE)
		return true;
	return w->max - w->extra - w->own >= need && room(w, need);
}

static int64_t
window_end(const struct window *w)
{
	return w->start == 0 ? 0 :
	    day_end(w->day, shape[w->limit].month, w->start);
}

/* As window_until, under the limit `max` and with `extra` more used. */
static int64_t
fit(const struct window *w, const struct text_time *t, int64_t max,
    int64_t extra, int64_t need)
{
	int64_t at;

	if (max == CONFIG_NONE)
		return t->wall;
	if (need > max - extra)
		return INT64_MAX;
	if (!w->rolling)
		return need <= max - extra - w->own ? t->wall :
		    window_end(w);
	at = ring_when(&w->ring, w->head, w->sec, max - extra - need);
	if (at <= w->sec && !room(w, need))
		at = (w->sec / w->ring.unit + 1) * w->ring.unit;
	return at <= w->sec ? t->wall : ring_wall(t, at);
}

int64_t
window_until(const struct window *w, const struct text_time *t, int64_t need)
{
	int64_t a = fit(w, t, w->max, w->extra, need), b;

	if (w->until == 0 || a < w->until)
		return a;
	b = fit(w, t, w->configured, 0, need);
	return b > w->until ? b : w->until;
}

int64_t
window_reset(const struct window *w, const struct text_time *t)
{
	int64_t at = 0;

	if (!w->rolling)
		at = window_end(w);
	else if (w->own > 0)
		at = ring_wall(t, ring_empty(&w->ring, w->head, w->sec));
	return w->extra > 0 && w->until > at ? w->until : at;
}

bool
window_holds(const struct window_set *s, const struct window_rule *r,
    const struct text_time *t, struct window_mark m, enum config_limit l)
{
	struct window w;

	if ((unsigned)l >= CONFIG_CONCURRENCY)
		return true;
	window_get(&w, s, r, t, l);
	if (w.rolling)
		return m.sec / w.ring.unit > w.sec / w.ring.unit - w.ring.n;
	return w.start != 0 &&
	    ((m.serial ^ s->serial) & (shape[l].month ? 0xf0 : 0x0f)) == 0;
}

/* What the provider says. */

static uint32_t
narrow(int64_t n)
{
	return n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static int64_t
natural_end(const struct window *w, int64_t now)
{
	int64_t end;

	if (w->rolling)
		return now + (w->ring.n - 1) * w->ring.unit * SECOND;
	end = window_end(w);
	return end > now ? end : now + DAY;
}

void
window_observe(struct window_set *s, const struct window_rule *r,
    const struct text_time *t, enum config_limit l, int64_t said_max,
    int64_t remaining, int64_t reset, uint8_t source)
{
	struct window w;
	int64_t max, extra = 0;
	bool stricter = false;

	if ((unsigned)l >= CONFIG_CONCURRENCY)
		return;
	window_get(&w, s, r, t, l);
	/* By our count all of it is used, and some is left: theirs is another
	 * window, an hour's or a day that begins elsewhere. */
	if (!w.rolling && remaining > 0 && said_max >= 0 && w.own >= said_max)
		return;
	if (reset <= t->wall || reset > t->wall + MONTH + DAY)
		reset = natural_end(&w, t->wall);
	max = w.max;
	if (said_max >= 0 && (max == CONFIG_NONE || said_max < max)) {
		max = said_max;
		stricter = true;
	}
	if (remaining >= 0) {
		if (max == CONFIG_NONE)
			max = remaining > INT64_MAX - w.own ? INT64_MAX :
			    w.own + remaining;
		extra = max - w.own - remaining;
		stricter |= max != w.max;
	}
	stricter |= extra > w.extra;
	if (!stricter)
		return;
	/* An earlier word that is stricter stays until its own reset. */
	if (w.until > reset && (w.extra >= extra ||
	    (w.max != w.configured && w.max <= max)))
		reset = w.until;
	s->extra[l] = narrow(extra > w.extra ? extra : w.extra);
	s->max[l] = max == w.configured ? UINT32_MAX : narrow(max);
	s->until[l] = narrow((reset + SECOND - 1) / SECOND);
	s->source[l] = source;
}

void
window_reboot(struct window_set *s, const struct text_time *then,
    const struct text_time *now)
{
	int64_t sec = second(now->mono), delta, head;

	delta = ((then->wall - then->mono) - (now->wall - now->mono)) / SECOND
	    + 1;
	if (damaged(s) || delta > (1LL << 40) || delta < -(1LL << 40))
		delta = 0;
	head = s->head + delta;
	/* A wall clock that is behind what was written (no battery): all of
	 * it counts as of now. */
	if (head > sec) {
		delta -= head - sec;
		head = sec;
	}
	if (head < 1)
		head = 1;
	rings_move(s, delta, head);
}
