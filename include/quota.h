/* quota: windows as pure arithmetic on a slot; time is an argument.
 *
 * A slot holds what one scope (a provider's account, a key, a model on a key,
 * a client) has used in each of its windows, what is reserved by leases, what
 * the provider itself said, and for how long it is barred. It lies in the
 * mapped file: fixed widths, no pointers. Nothing here blocks, allocates, or
 * reads a clock. */
#ifndef QUOTA_H
#define QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "window.h"

struct text_time;

/* Why a scope does or does not admit. The words (quota_word) are the same in
 * /models, /usage, /route, 429 bodies and the log. */
enum quota_reason {
	QUOTA_OPEN,			/* "" : it would be admitted */
	/* windows, in the order of enum config_limit */
	QUOTA_RPM, QUOTA_RPH, QUOTA_RPD, QUOTA_RPMONTH,
	QUOTA_TPM, QUOTA_TPH, QUOTA_TPD, QUOTA_TPMONTH,
	QUOTA_CONCURRENCY,
	QUOTA_TOO_LARGE,		/* more than a whole window's limit */
	/* bars, set by a verdict on what the provider said */
	QUOTA_RATE_MINUTE, QUOTA_RATE_DAY, QUOTA_RATE_MONTH,
	QUOTA_CAPACITY,			/* the provider is overloaded */
	QUOTA_DOWN,			/* it fails */
	QUOTA_TIMEOUT,
	QUOTA_BAD_KEY, QUOTA_KEY_REFUSED, QUOTA_NO_CREDIT,
	QUOTA_NOT_ENTITLED, QUOTA_ACCOUNT_SETTING, QUOTA_MODEL_GONE,
	QUOTA_PROBE,			/* half open: one probe is under way */
	/* not of a scope, but of a lane; used by route */
	QUOTA_OFF,			/* switched off or without a key */
	QUOTA_CANNOT,			/* lacks what the request needs */
	QUOTA_CONTEXT,			/* too small for the request */
	QUOTA_REASONS
};
const char *quota_word(enum quota_reason r);

/* Where the figure of a limit came from. */
enum quota_source { QUOTA_SRC_CONFIG, QUOTA_SRC_HEADER, QUOTA_SRC_ERROR };

/* What a provider said about itself, one window each. -1: not said. */
struct quota_seen {
	enum config_limit limit;
	enum quota_source source;
	int64_t	max;
	int64_t	remaining;
	int64_t	reset;			/* wall ms */
};

/* What a refusal (or a view) tells. until is the wall time in ms from which
 * asking again makes sense; never in the past; INT64_MAX: never. */
struct quota_answer {
	enum quota_reason reason;
	int64_t	until;
	int64_t	dare;			/* wall ms: nothing refuses but what we
					 * concluded from failures, so that from
					 * then on it may be tried all the same
					 * if nothing else is open; 0: no */
};

/* A bar that is to be set. */
struct quota_ban {
	enum quota_reason reason;
	int64_t	until;			/* wall ms */
	bool	guess;			/* nobody told us so: concluded from a
					 * failure */
};

/* What a lane looks like now, for route. */
struct quota_view {
	struct quota_answer answer;	/* would a take be admitted now */
	double	pressure;		/* fullest window, 0..1, reserved too */
	int64_t	requests;		/* admitted in the present day */
	int64_t	resets;			/* wall ms: soonest end of a window
					 * that has unused room; INT64_MAX */
	int64_t	unused;			/* requests left in that window, -1 */
	int64_t	first_ms;		/* average time to first content; 0
					 * unknown */
	int32_t	inflight;
	int32_t	failures;		/* in a row */
};

/* One line of /usage: a window of a scope. */
struct quota_row {
	enum config_limit limit;
	enum quota_source source;
	int64_t	used, reserved, max, remaining;	/* max, remaining -1: none */
	int64_t	reset;			/* wall ms; 0 unknown */
};

#define QUOTA_NAME	96

/* What one scope used and what became of it. In the mapped file: fixed
 * widths, no pointers. */
struct quota_slot {
	uint64_t hash[2];		/* of the name; 0 0: free */
	char	 name[QUOTA_NAME];	/* cut to fit, NUL-terminated */
	uint64_t requests, tokens;	/* settled since the slot was made */
	int64_t	 last_used;		/* wall ms */
	int64_t	 bar_until;		/* wall ms */
	uint64_t probe;			/* the lease that probes; 0 none */
	uint32_t failures;		/* since the slot was made */
	uint32_t streak;		/* failures in a row */
	uint32_t inflight;		/* open leases; changed with them */
	uint8_t	 bar;			/* enum quota_reason */
	uint8_t	 backoff;		/* probes failed in a row */
	uint8_t	 guess;			/* the bar's end is our own guess */
	uint8_t	 dares;			/* tried though barred, in a row */
	float	 overhead, k;		/* the learned estimate */
	float	 first_ms;		/* average; 0 unknown */
	uint32_t dared;			/* the probe is such a try */
	int64_t	 dare_until;		/* wall ms: no other before that */
	struct window_set windows;
};

/* Empty s and give it its name. */
void	quota_init(struct quota_slot *s, const char *name,
	    const uint64_t hash[2]);

/* Make a the stricter of a and b: the refusal that lasts longer, and the later
 * time to dare, unless one of them must not be dared. */
void	quota_stricter(struct quota_answer *a, const struct quota_answer *b);

/* Would s admit a request of `tokens` at t? *a becomes the stricter of what it
 * holds and that: start with QUOTA_OPEN and 0, call for each scope. t need not
 * be raised (window_raise). */
void	quota_check(const struct quota_slot *s, const struct window_rule *r,
	    const struct text_time *t, int64_t tokens, struct quota_answer *a);

/* Reserve one request and `tokens` in every window, one more in flight. t has
 * been raised by every scope of the lease, `lease` is its number. While a bar
 * holds that is a dare: the next may come 1 s later, then 2, doubled to 30.
 * lease 0: it was sent before, so it neither dares nor probes. */
struct window_mark quota_take(struct quota_slot *s,
	    const struct window_rule *r, const struct text_time *t,
	    int64_t tokens, uint64_t lease);

/* A lease of s ended: one less in flight; a probe's result opens the scope or
 * bars it again, for 20 s after the first probe that failed, doubled each time
 * up to 300 s (a dare that failed leaves the bar as it is). known false: the
 * process died, nothing is known. */
void	quota_done(struct quota_slot *s, const struct text_time *t,
	    uint64_t lease, bool known, bool failed);

/* Whether a window began, or a bar ends, at a time that was never real (see
 * window_unreal); then quota_heal mends the windows, and the bar ends now. */
bool	quota_astray(const struct quota_slot *s, const struct text_time *t);
void	quota_heal(struct quota_slot *s, enum config_day day,
	    const struct text_time *t);

/* The lease `lease` is served, though not at its end: if it is the probe, the
 * scope is open, and what becomes of the rest is no probe's result. A bar that
 * the provider has named since then stays. */
void	quota_good(struct quota_slot *s, const struct text_time *t,
	    uint64_t lease);

/* See ledger_bar. */
void	quota_bar(struct quota_slot *s, const struct text_time *t,
	    const struct quota_ban *ban);

/* As quota_check on v->answer, and fold the fullest window and the soonest end
 * of one with unused room into v; start with pressure 0, resets INT64_MAX,
 * unused -1. */
void	quota_see(const struct quota_slot *s, const struct window_rule *r,
	    const struct text_time *t, int64_t tokens, struct quota_view *v);

/* The windows as rows, reserved 0 and used with what is reserved; their
 * number. */
size_t	quota_rows(const struct quota_slot *s, const struct window_rule *r,
	    const struct text_time *t, struct quota_row rows[CONFIG_LIMITS]);

/* Requests or tokens of the present day, and when it began. */
int64_t	quota_today(const struct quota_slot *s, const struct window_rule *r,
	    const struct text_time *t, bool tokens);
int64_t	quota_day_start(const struct quota_slot *s,
	    const struct window_rule *r, const struct text_time *t);

/* After a reboot: see window_reboot. Leases are gone: nothing is in flight. */
void	quota_reboot(struct quota_slot *s, const struct text_time *then,
	    const struct text_time *now);

/* tokens = (overhead + k * raw) * 1.1, and learning the two from a prompt of
 * which the provider told the real count. */
int64_t	quota_estimate(float overhead, float k, int64_t raw);
void	quota_learn(struct quota_slot *s, int64_t raw, int64_t real);

/* The average time to first content. */
void	quota_first(struct quota_slot *s, int64_t ms);

#endif
