/* window: all windows of one scope: what was used in the last minute, hour,
 * day and month, and what the provider says of them. Pure.
 *
 * Minute, hour and rolling day are rings (see ring.h); calendar days, months
 * and days from a first use are spans. Every use is counted in all of them,
 * limited or not, so a limit that is configured later knows the past. It lies
 * in the mapped file: fixed widths, no pointers. */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "ring.h"

struct text_time;

#define WINDOW_MINUTE_N	61		/* of 1 s */
#define WINDOW_HOUR_N	31		/* of 120 s: 30/31 of it usable */
#define WINDOW_DAY_N	31		/* of 2880 s */

/* A window with a fixed start. The p members are the window before: while the
 * wall clock stands before `start` (it was set back) both count, so a clock
 * that is set forth and back does not give the quota twice. */
struct window_span {
	int64_t	 start;			/* wall ms; 0: nothing used yet */
	uint64_t tok, ptok;
	uint32_t req, preq;
};

struct window_set {
	int64_t	 head;			/* second of the newest buckets */
	struct window_span day, month;
	uint8_t	 kind;			/* enum config_day of the spans */
	uint8_t	 serial;		/* day's in the low 4 bits, month's */
	uint16_t spare;
	/* what the provider said, each window until its reset */
	uint32_t extra[CONFIG_CONCURRENCY];	/* use that we did not see */
	uint32_t max[CONFIG_CONCURRENCY];	/* UINT32_MAX: none */
	uint32_t until[CONFIG_CONCURRENCY];	/* wall s; 0 none */
	uint8_t	 source[CONFIG_CONCURRENCY];	/* enum quota_source */
	/* Requests of a second are narrow: 700 scopes fit in a megabyte. */
	uint16_t minute_req[WINDOW_MINUTE_N + 1];
	uint32_t minute_tok[WINDOW_MINUTE_N];
	uint32_t hour_req[WINDOW_HOUR_N], hour_tok[WINDOW_HOUR_N];
	uint32_t day_req[WINDOW_DAY_N], day_tok[WINDOW_DAY_N];
	uint32_t spare2;
};

/* The rules of a scope, from the config. ROLLING: 24 h slide. Its month, and
 * that of FIRST_USE, is 30 d from the first use: a ring of days would cost a
 * fifth of the file for a limit that no provider is known to have. */
struct window_rule {
	const struct config_limits *limits;
	enum config_day day;
};

/* Where a use was counted: its second, and the serials of the day and the
 * month of this scope. */
struct window_mark {
	uint32_t sec;
	uint8_t	 serial;
};

/* Empty s: all zeros but for what says "none". */
void	window_init(struct window_set *s);

/* Lift t->mono to the newest bucket of s: another process has seen that time
 * already, so a t that is behind was read before a delay, and the request will
 * leave later than it says. */
void	window_raise(const struct window_set *s, struct text_time *t);

/* Whether the wall time `at`, which was at most `most` ms ahead when it was
 * noted, was never real: the clock had been set forth, and back since. But a
 * clock before 2025 is not set yet (no battery, 1970 until the network answers)
 * and says nothing. */
bool	window_unreal(int64_t at, const struct text_time *t, int64_t most);

/* Whether a day or month begins at such a time; then window_heal lets it begin
 * now, with all that was counted, or nobody is admitted before that day comes,
 * and forgets what the provider said until such a time. */
bool	window_astray(const struct window_set *s, const struct text_time *t);
void	window_heal(struct window_set *s, enum config_day day,
	    const struct text_time *t);

/* Count one request and its tokens at t, which has been raised. */
struct window_mark window_take(struct window_set *s, enum config_day day,
	    const struct text_time *t, int64_t tokens);

/* Count at t, which has been raised, what was used at some time up to t: at
 * most `today` of it in t's day and `month` in t's month. */
struct window_use {
	int64_t	 requests, tokens;
};
void	window_add(struct window_set *s, enum config_day day,
	    const struct text_time *t, const struct window_use *all,
	    const struct window_use *today, const struct window_use *month);

/* Change what was counted at m by so much, in the windows that it is still
 * in. Never below zero. */
void	window_adjust(struct window_set *s, struct window_mark m,
	    int64_t requests, int64_t tokens);

/* One window at one time. */
struct window {
	enum config_limit limit;
	bool	 tokens, rolling;
	int64_t	 own;			/* used as we counted */
	int64_t	 extra;			/* and what the provider saw more */
	int64_t	 configured, max;	/* max is the stricter; CONFIG_NONE */
	uint8_t	 source;		/* of max: enum quota_source */
	int64_t	 until;			/* of what was said; 0: nothing */
	int64_t	 start;			/* of a span; 0: not begun */
	enum config_day day;
	int64_t	 head, sec;
	struct ring ring;		/* if rolling; never written through */
};

/* Fill w. */
void	window_get(struct window *w, const struct window_set *s,
	    const struct window_rule *r, const struct text_time *t,
	    enum config_limit l);

/* Whether window l may have a limit at wall ms: one of the config, or what the
 * provider said and was not reset. Most scopes limit one or two of the eight:
 * the others are not looked at. */
static inline bool
window_limited(const struct window_set *s, const struct window_rule *r,
    int64_t wall, enum config_limit l)
{
	return r->limits->max[l] != CONFIG_NONE ||
	    (int64_t)s->until[l] * 1000 > wall;
}

/* Whether w holds `need` more. */
bool	window_fits(const struct window *w, int64_t need);

/* The wall time from which `need` more fits if nothing else comes; t->wall if
 * that is now, INT64_MAX never. */
int64_t	window_until(const struct window *w, const struct text_time *t,
	    int64_t need);

/* When a span ends (0: not begun); when a ring is empty, 0 if it is. */
int64_t	window_reset(const struct window *w, const struct text_time *t);

/* Whether what was counted at m still counts in window l at t. In
 * CONFIG_CONCURRENCY it does as long as it is open. */
bool	window_holds(const struct window_set *s, const struct window_rule *r,
	    const struct text_time *t, struct window_mark m,
	    enum config_limit l);

/* The provider said that at most `max` are allowed in window l, `remaining`
 * are left, and that it is reset at `reset` (wall ms); -1: not said. The
 * stricter wins until the reset. */
void	window_observe(struct window_set *s, const struct window_rule *r,
	    const struct text_time *t, enum config_limit l, int64_t max,
	    int64_t remaining, int64_t reset, uint8_t source);

/* The machine was started anew and mono began anew: move the rings so that
 * what the wall clock says may still be inside its window stays. `then` is
 * when s was last written; mono 0: nobody knows, all of it counts as of now. */
void	window_reboot(struct window_set *s, const struct text_time *then,
	    const struct text_time *now);

#endif
