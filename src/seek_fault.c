#include "seek.h"

#include <stdio.h>

#include "chat.h"
#include "config.h"
#include "fault.h"
#include "ledger.h"
#include "route.h"
#include "text.h"

#define SEEK_LONG_MS	(15 * 60 * 1000)	/* no minute window: a day's */
#define SEEK_AGAIN_MS	1000	/* the least that a client is told to wait */
#define SEEK_DAY_MS	(60 * 1000)	/* a day that ends sooner is no quota */

static bool
of_a_day(enum quota_reason r)
{
	return r == QUOTA_RPD || r == QUOTA_RPMONTH || r == QUOTA_TPD ||
	    r == QUOTA_TPMONTH || r == QUOTA_RATE_DAY ||
	    r == QUOTA_RATE_MONTH;
}

/* In how many milliseconds a barred lane may be dared, at least a second, that
 * clients do not come back all at once; -1: none may. */
static int64_t
dare_ms(const struct seek *s, const struct text_time *now)
{
	int64_t at = s->dare.dare, soon = now->wall + SEEK_AGAIN_MS;

	if (s->dare.reason == QUOTA_OPEN)
		return -1;
	if (at < soon)
		at = soon;
	if (at > s->dare.until)
		at = s->dare.until;
	return at > now->wall ? at - now->wall : 0;
}

/* When the client may come back, and what it waits for; OPEN: nothing. */
static struct quota_answer
again(const struct seek *s, const struct text_time *now)
{
	struct quota_answer a = { QUOTA_OPEN, 0, 0 };
	int64_t ms = seek_soonest(s, now), dare = dare_ms(s, now);

	if (ms >= 0)
		a = (struct quota_answer){ s->soonest.reason, now->wall + ms,
		    0 };
	if (dare >= 0 && (ms < 0 || dare < ms))
		a = (struct quota_answer){ s->dare.reason, now->wall + dare,
		    0 };
	/* It came while the last attempt went on. */
	if (a.until <= now->wall)
		a.until = now->wall + SEEK_AGAIN_MS;
	return a;
}

/* Whether it is the client's own limit that stands in the way: without it some
 * lane would have room. */
static bool
is_own(const struct seek *s, const struct text_time *now)
{
	const struct config_alias *a = s->alias;
	struct quota_view v;

	if (s->client == LEDGER_NOBODY || s->attempts > 0)
		return false;
	for (size_t i = 0; i < a->nlanes; i++) {
		if (s->picks[i].answer.reason >= QUOTA_OFF)
			continue;
		ledger_view(s->ledger, now, &s->picks[i].lane, 1,
		    LEDGER_NOBODY, seek_tokens(s, s->picks[i].lane), &v);
		if (v.answer.reason == QUOTA_OPEN)
			return true;
	}
	return false;
}

/* Every lane is at a limit, or some are and the others are broken. */
static void
fault_limited(const struct seek *s, const struct quota_answer *why, int64_t ms,
    bool own, struct fault *f)
{
	char what[sizeof(f->message)], in[32], at[24];
	bool day;

	if (own)
		snprintf(what, sizeof(what), "this token is at its own limit");
	else
		snprintf(what, sizeof(what), "every model of \"%.200s\" is at "
		    "its limit%s", s->alias->name,
		    why->reason < QUOTA_CAPACITY ? "" : " or out of order");

	text_ago(in, ms);
	text_iso(at, why->until);
	day = ms > SEEK_LONG_MS || (ms > SEEK_DAY_MS &&
	    of_a_day(why->reason));
	/* The sentences are those that SDKs look for: "try again in 12s" is
	 * read as a time, "will reset at" as a day's quota. */
	if (day)
		fault_set(f, FAULT_QUOTA, NULL, "%s (%s); it will reset at %s, "
		    "in %s", what, quota_word(why->reason), at, in);
	else
		fault_set(f, FAULT_RATE_LIMITED, NULL, "%s (%s); try again in "
		    "%llds", what, quota_word(why->reason),
		    (long long)(ms + 999) / 1000);
	f->retry_ms = ms;
}

static bool
may_any(const struct seek *s)
{
	const struct config *c = s->cfg;

	for (size_t i = 0; i < s->alias->nlanes; i++)
		if (route_allowed(c->clients[s->client].models,
		    c->models[c->lanes[s->alias->lanes[i]].model].name))
			return true;
	return s->alias->nlanes == 0;
}

/* Nothing was asked, and not for want of room. */
static void
fault_unfit(const struct seek *s, struct fault *f)
{
	const char *name = s->alias->name;
	bool context = s->larger > 0, cannot = false, large = false;

	for (size_t i = 0; i < s->alias->nlanes; i++) {
		context |= s->picks[i].answer.reason == QUOTA_CONTEXT;
		cannot |= s->picks[i].answer.reason == QUOTA_CANNOT;
		large |= s->picks[i].answer.reason == QUOTA_TOO_LARGE;
	}
	if (s->client != LEDGER_NOBODY && !may_any(s))
		fault_set(f, FAULT_FORBIDDEN, "model", "this token may not use "
		    "any model of \"%s\"", name);
	else if (context || large)
		fault_set(f, FAULT_CONTEXT_LENGTH, "messages", "a request of "
		    "about %lld tokens is more than any model of \"%s\" takes "
		    "%s; shorten it or name another model",
		    (long long)s->chat->prompt, name, context ?
		    "into its context" : "within its whole limit");
	else if (cannot)
		fault_set(f, FAULT_INVALID_REQUEST, "model", "no model of "
		    "\"%s\" can do what this request needs (tools, images, "
		    "audio or a JSON schema)", name);
	else
		fault_set(f, FAULT_NO_MODELS, "model", "no model of \"%s\" is "
		    "available; GET /models says why", name);
}

void
seek_fault(const struct seek *s, const struct text_time *now,
    const struct fault *last, const char *trail, struct fault *f)
{
	struct quota_answer why = again(s, now);
	int64_t ms = why.reason == QUOTA_OPEN ? -1 : why.until - now->wall;

	if (ms >= 0 && s->limited) {
		fault_limited(s, &why, ms, is_own(s, now), f);
	} else if (s->attempts == 1 && last->code != FAULT_NONE) {
		*f = *last;	/* the only failure: its own code says more */
		if (ms >= 0 && ms < f->retry_ms)
			f->retry_ms = ms;
	} else if (s->attempts > 0 || ms >= 0) {
		fault_set(f, FAULT_ALL_FAILED, NULL,
		    "no provider could answer (%s)", trail[0] ? trail :
		    quota_word(why.reason));
		f->retry_ms = ms;
	} else {
		fault_unfit(s, f);
	}
}
