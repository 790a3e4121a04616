#include "seek.h"

#include <stdlib.h>
#include <string.h>

#include "chat.h"
#include "config.h"
#include "fault.h"
#include "ledger.h"
#include "route.h"
#include "text.h"

#define SEEK_OUTPUT	1024	/* output tokens reserved when none declared */
#define SEEK_LONG_MS	(15 * 60 * 1000)	/* no minute window: a day's */

int
seek_init(struct seek *s, const struct config *cfg, struct ledger *ledger,
    const struct config_alias *alias, const struct chat *chat, size_t client,
    uint64_t chance)
{
	memset(s, 0, sizeof(*s));
	s->cfg = cfg;
	s->ledger = ledger;
	s->alias = alias;
	s->chat = chat;
	s->client = client;
	s->route = &cfg->routes[alias->route];
	s->picks = calloc(alias->nlanes + 1, sizeof(*s->picks));
	s->tried = calloc(cfg->nlanes / 8 + 1, 1);
	if (s->picks == NULL || s->tried == NULL) {
		seek_release(s);
		return -1;
	}
	seek_order(s, chance);
	return 0;
}

void
seek_release(struct seek *s)
{
	free(s->picks);
	free(s->tried);
	s->picks = NULL;
	s->tried = NULL;
}

void
seek_order(struct seek *s, uint64_t chance)
{
	const struct config_alias *a = s->alias;
	struct route_ask ask = {
		.alias = a, .needs = s->chat->needs,
		.tokens = s->chat->prompt + (s->chat->output > 0 ?
		    s->chat->output : 0),
		.chance = chance, .thread = s->chat->thread,
	};
	struct quota_view *views;
	struct text_time now;

	if (a->nlanes > 1)
		ask.turn = ledger_turn(s->ledger, (size_t)(a -
		    s->cfg->aliases));
	if (s->client != LEDGER_NOBODY)
		ask.allowed = s->cfg->clients[s->client].models;
	/* Without views every lane counts as open; the take still decides. */
	views = calloc(a->nlanes + 1, sizeof(*views));
	text_clock(&now);
	if (views != NULL)
		ledger_view(s->ledger, &now, a->lanes, a->nlanes, s->client,
		    s->chat->prompt, views);
	s->open = route_order(s->cfg, &ask, views, s->picks);
	s->next = 0;
	s->limited = false;
	s->soonest.reason = QUOTA_OPEN;
	for (size_t i = s->open; i < a->nlanes; i++)
		seek_note(s, &s->picks[i].answer);
	free(views);
}

void
seek_note(struct seek *s, const struct quota_answer *why)
{
	if (why->reason == QUOTA_OPEN || why->reason == QUOTA_TOO_LARGE ||
	    why->reason >= QUOTA_OFF)
		return;
	s->limited |= why->reason < QUOTA_CAPACITY;
	if (s->soonest.reason == QUOTA_OPEN || why->until < s->soonest.until)
		s->soonest = *why;
}

/* What a lane has to have room for. A declared output larger than the whole
 * minute must not shut a small model out for ever: it then asks for an empty
 * minute. */
static int64_t
tokens_for(const struct seek *s, size_t lane, const struct config_model *m)
{
	int64_t prompt = ledger_estimate(s->ledger, lane, s->chat->prompt);
	int64_t output = s->chat->output >= 0 ? s->chat->output : SEEK_OUTPUT;
	int64_t tpm = m->limits.max[CONFIG_TPM];

	if (m->output > 0 && output > m->output)
		output = m->output;
	return tpm >= 0 && prompt <= tpm && prompt + output > tpm ? tpm :
	    prompt + output;
}

int
seek_next(struct seek *s, size_t *lane, uint64_t *lease)
{
	const struct config *c = s->cfg;
	struct text_time now;

	text_clock(&now);
	while (s->next < s->open && s->attempts < s->route->attempts &&
	    (s->attempts == 0 || s->route->fallback)) {
		struct route_pick *p = &s->picks[s->next++];
		const struct config_model *m =
		    &c->models[c->lanes[p->lane].model];

		if (s->tried[p->lane / 8] & (1 << p->lane % 8) ||
		    (s->larger > 0 && m->context <= s->larger))
			continue;
		if (ledger_take(s->ledger, &now, p->lane, s->client,
		    tokens_for(s, p->lane, m), lease, &p->answer) == 0) {
			s->tried[p->lane / 8] |=
			    (unsigned char)(1 << p->lane % 8);
			s->attempts++;
			*lane = p->lane;
			return 0;
		}
		seek_note(s, &p->answer);
	}
	return -1;
}

int
seek_again(struct seek *s, size_t lane, uint64_t *lease)
{
	const struct config *c = s->cfg;
	struct quota_answer why;
	struct text_time now;

	text_clock(&now);
	if (ledger_take(s->ledger, &now, lane, s->client, tokens_for(s, lane,
	    &c->models[c->lanes[lane].model]), lease, &why) == 0)
		return 0;
	seek_note(s, &why);
	return -1;
}

int64_t
seek_wait(const struct seek *s)
{
	struct text_time now;

	if (s->attempts > 0 || !s->limited)
		return -1;
	text_clock(&now);
	return s->soonest.until > now.wall ? s->soonest.until - now.wall : 1;
}

/* ---- what to say ---- */

/* Every lane is at a limit, or some are and the others are broken. */
static void
fault_limited(const struct seek *s, int64_t ms, struct fault *f)
{
	char in[32], at[24];

	text_ago(in, ms);
	text_iso(at, s->soonest.until);
	/* The sentences are those that SDKs look for: "try again in 12s" is
	 * read as a time, "will reset at" as a day's quota. */
	if (ms > SEEK_LONG_MS)
		fault_set(f, FAULT_QUOTA, NULL, "every model of \"%s\" is at "
		    "its limit (%s); it will reset at %s, in %s",
		    s->alias->name, quota_word(s->soonest.reason), at, in);
	else
		fault_set(f, FAULT_RATE_LIMITED, NULL, "every model of \"%s\" "
		    "is at its limit (%s); try again in %llds",
		    s->alias->name, quota_word(s->soonest.reason),
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
		fault_set(f, FAULT_NO_MODELS, "model", "no model of \"%s\" can "
		    "do what this request needs (tools, images, audio or a "
		    "JSON schema)", name);
	else
		fault_set(f, FAULT_NO_MODELS, "model", "no model of \"%s\" is "
		    "available; GET /models says why", name);
}

void
seek_fault(const struct seek *s, const struct fault *last, const char *trail,
    struct fault *f)
{
	struct text_time now;
	int64_t ms;

	text_clock(&now);
	ms = s->soonest.reason == QUOTA_OPEN ? -1 :
	    s->soonest.until > now.wall ? s->soonest.until - now.wall : 0;
	if (ms >= 0 && s->limited) {
		fault_limited(s, ms, f);
	} else if (s->attempts == 1 && last->code != FAULT_NONE) {
		*f = *last;	/* the only failure: its own code says more */
	} else if (s->attempts > 0 || ms >= 0) {
		fault_set(f, FAULT_ALL_FAILED, NULL,
		    "no provider could answer (%s)", trail[0] ? trail :
		    quota_word(s->soonest.reason));
		f->retry_ms = ms;
	} else {
		fault_unfit(s, f);
	}
}
