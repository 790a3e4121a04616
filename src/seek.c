#include "seek.h"

#include <stdlib.h>
#include <string.h>

#include "chat.h"
#include "config.h"
#include "ledger.h"
#include "route.h"
#include "text.h"

#define SEEK_OUTPUT	1024	/* output tokens reserved when none declared */

int
seek_init(struct seek *s, const struct config *cfg, struct ledger *ledger,
    const struct config_alias *alias, const struct chat *chat, size_t client)
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
	return 0;
}

void
seek_release(struct seek *s)
{
	if (s->ticket != 0)
		ledger_leave(s->ledger, s->ticket);
	s->ticket = 0;
	free(s->picks);
	free(s->tried);
	s->picks = NULL;
	s->tried = NULL;
}

/* ---- the order ---- */

/* xorshift64 (Marsaglia 2003). */
uint64_t
seek_chance(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void
order(struct seek *s, const struct text_time *now, uint64_t chance)
{
	const struct config_alias *a = s->alias;
	struct route_ask ask = {
		.alias = a, .needs = s->chat->needs,
		.tokens = s->chat->prompt + (s->chat->output > 0 ?
		    s->chat->output : 0),
		.turn = s->turn, .chance = chance, .thread = s->chat->thread,
	};
	struct quota_view *views;

	if (s->client != LEDGER_NOBODY)
		ask.allowed = s->cfg->clients[s->client].models;
	/* Without views every lane counts as open; the take still decides.
	 * What a view refuses has to be what a take would refuse, whatever
	 * the lane has learned: its factor is never below 0.44. */
	views = calloc(a->nlanes + 1, sizeof(*views));
	if (views != NULL)
		ledger_view(s->ledger, now, a->lanes, a->nlanes, s->client,
		    s->chat->prompt * 2 / 5, views);
	s->open = route_order(s->cfg, &ask, views, s->picks);
	s->next = 0;
	s->limited = s->room = false;
	s->soonest.reason = s->dare.reason = QUOTA_OPEN;
	free(views);
}

static size_t
alias_index(const struct seek *s)
{
	return (size_t)(s->alias - s->cfg->aliases);
}

void
seek_order(struct seek *s, const struct text_time *now, uint64_t chance)
{
	if (!s->turned && s->alias->nlanes > 1) {
		s->turn = ledger_turn(s->ledger, alias_index(s));
		s->turned = true;
	}
	order(s, now, chance);
}

/* A lane came to nothing because of this; remembered for the end. A time that
 * has passed since it was noted tells nothing any more. */
static void
note(struct seek *s, const struct text_time *now,
    const struct quota_answer *why)
{
	if (why->reason == QUOTA_OPEN || why->reason == QUOTA_TOO_LARGE ||
	    why->reason >= QUOTA_OFF)
		return;
	if (why->dare != 0) {
		if (s->dare.reason == QUOTA_OPEN ||
		    s->dare.until <= now->wall || why->dare < s->dare.dare)
			s->dare = *why;
		return;
	}
	s->limited |= why->reason < QUOTA_CAPACITY;
	if (s->soonest.reason == QUOTA_OPEN ||
	    s->soonest.until <= now->wall || why->until < s->soonest.until)
		s->soonest = *why;
}

/* Whose limits count: a client is admitted once, and what its own first attempt
 * has used up does not stand in the way of the next. */
static size_t
client_of(const struct seek *s)
{
	return s->attempts > 0 ? LEDGER_NOBODY : s->client;
}

void
seek_barred(struct seek *s, const struct text_time *now, size_t lane,
    const struct quota_ban *ban)
{
	struct quota_answer why = { ban->reason, ban->until, 0 };
	uint16_t one = (uint16_t)lane;
	struct quota_view v;

	if (ban->guess) {
		ledger_view(s->ledger, now, &one, 1, client_of(s), 0, &v);
		why.dare = v.answer.dare;
	}
	note(s, now, &why);
}

static int64_t
least(int64_t max, const struct config_limits *l)
{
	for (int i = CONFIG_TPM; i <= CONFIG_TPMONTH; i++)
		if (l->max[i] >= 0 && l->max[i] < max)
			max = l->max[i];
	return max;
}

/* An output that is only guessed, or declared larger than a whole window, must
 * not shut a small limit out for ever: the request then asks for an empty
 * window. */
int64_t
seek_tokens(const struct seek *s, size_t lane)
{
	const struct config *c = s->cfg;
	const struct config_model *m = &c->models[c->lanes[lane].model];
	const struct config_provider *p = &c->providers[m->provider];
	int64_t prompt = ledger_estimate(s->ledger, lane, s->chat->prompt);
	int64_t output = s->chat->output >= 0 ? s->chat->output : SEEK_OUTPUT;
	int64_t most = least(INT64_MAX, &m->limits);

	if (m->output > 0 && output > m->output)
		output = m->output;
	most = least(least(most, &p->limits), &p->key_limits);
	if (s->client != LEDGER_NOBODY)
		most = least(most, &c->clients[s->client].limits);
	return prompt <= most && prompt + output > most ? most :
	    prompt + output;
}

static bool
given(const struct seek *s, uint16_t lane)
{
	return s->tried[lane / 8] & (1 << lane % 8);
}

/* What pick p would answer to seek_next. */
static void
look(const struct seek *s, const struct text_time *now, struct route_pick *p)
{
	struct quota_view v;

	if (p->answer.reason >= QUOTA_OFF)
		return;
	ledger_view(s->ledger, now, &p->lane, 1, client_of(s),
	    seek_tokens(s, p->lane), &v);
	p->answer = v.answer;
}

/* When there is room, truly: the order was made from what a prompt without an
 * answer would need, and that may be a while ago. */
static void
look_on(struct seek *s, const struct text_time *now)
{
	for (size_t i = 0; i < s->alias->nlanes; i++) {
		struct route_pick *p = &s->picks[i];

		if (given(s, p->lane))
			continue;
		look(s, now, p);
		note(s, now, &p->answer);
		s->room |= p->answer.reason == QUOTA_OPEN;
	}
}

void
seek_foresee(struct seek *s, const struct text_time *now, uint64_t chance)
{
	size_t i, k = 0, n = s->alias->nlanes;
	struct route_pick p;

	s->turn = n > 1 ? ledger_turn_now(s->ledger, alias_index(s)) : 0;
	order(s, now, chance);
	look_on(s, now);
	/* The open ones forward, in their order. */
	for (i = 0; i < s->open; i++) {
		p = s->picks[i];
		if (p.answer.reason != QUOTA_OPEN)
			continue;
		memmove(&s->picks[k + 1], &s->picks[k],
		    (i - k) * sizeof(p));
		s->picks[k++] = p;
	}
	s->open = k;
}

/* ---- the line ---- */

int64_t
seek_max_wait(const struct config_route *route, const char *word)
{
	int64_t own;

	if (word == NULL || text_duration(word, strlen(word), 1000, &own) != 0)
		return route->max_wait_ms;
	return own < route->max_wait_ms ? own : route->max_wait_ms;
}

/* Who waits for the same: the same alias and needs. A client with limits or
 * models of its own stands in a line of its own, for what it waits for may be
 * its own next minute. So who waits for a model that sees, or for its own
 * budget, stands in nobody else's way. Within a line a long question at its
 * head does hold up short ones: else it might wait for ever. */
static uint64_t
line_of(const struct seek *s)
{
	uint64_t h = text_hash(TEXT_HASH, s->alias->name,
	    strlen(s->alias->name));
	const struct config_client *c;
	bool own;

	h = text_hash(h, &s->chat->needs, sizeof(s->chat->needs));
	if (s->client != LEDGER_NOBODY) {
		c = &s->cfg->clients[s->client];
		own = c->models != NULL;
		for (int i = 0; i < CONFIG_LIMITS; i++)
			own |= c->limits.max[i] != CONFIG_NONE;
		if (own)
			h = text_hash(h, c->hash, sizeof(c->hash));
	}
	return h | 1;
}

/* Who may not wait (any more) looks past the line: the choice is between a slot
 * that is free and a refusal. */
size_t
seek_ahead(const struct seek *s, const struct text_time *now)
{
	if (s->attempts > 0 || now->mono >= s->patience)
		return 0;
	return ledger_ahead(s->ledger, now, line_of(s), s->ticket);
}

#define SEEK_POLL	20	/* ms, when there is room for those before us */
#define SEEK_BUSY	100	/* ms, when a running request has to end first:
				 * nobody knows when */
#define SEEK_STEP	5	/* ms: those in line wake one after the other */
#define SEEK_STEPS	50

int64_t
seek_wait(struct seek *s, const struct text_time *now)
{
	int64_t left = s->patience - now->mono, ms, before;

	if (s->attempts > 0 || left <= 0 || (!s->room && !s->limited))
		return -1;
	ms = s->room ? SEEK_POLL : seek_soonest(s, now);
	if (ms > left && !s->room)
		return -1;
	if (!s->room && s->soonest.reason == QUOTA_CONCURRENCY)
		ms = SEEK_BUSY;
	before = (int64_t)seek_ahead(s, now);
	ms += (before < SEEK_STEPS ? before : SEEK_STEPS) * SEEK_STEP;
	/* The last look is at the last moment. */
	if (ms > left)
		ms = left;
	if (ms < 1)
		ms = 1;
	ledger_join(s->ledger, now, line_of(s), &s->ticket, now->mono + ms);
	return ms;
}

int64_t
seek_soonest(const struct seek *s, const struct text_time *now)
{
	if (s->soonest.reason == QUOTA_OPEN)
		return -1;
	return s->soonest.until > now->wall ? s->soonest.until - now->wall : 0;
}

/* ---- the walk ---- */

/* Whether another lane may be given at all. */
static bool
may_more(const struct seek *s)
{
	return s->attempts < s->route->attempts && (s->attempts == 0 ||
	    s->route->fallback);
}

static bool
too_small(const struct seek *s, size_t lane)
{
	const struct config *c = s->cfg;

	return s->larger > 0 &&
	    c->models[c->lanes[lane].model].context <= s->larger;
}

static void
give(struct seek *s, size_t lane)
{
	s->tried[lane / 8] |= (unsigned char)(1 << lane % 8);
	s->attempts++;
	ledger_leave(s->ledger, s->ticket);
	s->ticket = 0;
}

static int
take(struct seek *s, const struct text_time *now, size_t lane, bool dare,
    uint64_t *lease, struct quota_answer *why)
{
	int64_t tokens = seek_tokens(s, lane);

	if (s->attempts > 0)
		return ledger_more(s->ledger, now, lane, s->client, tokens,
		    dare, lease, why);
	return (dare ? ledger_dare : ledger_take)(s->ledger, now, lane,
	    s->client, tokens, lease, why);
}

/* Take from pick p, if it may be given. */
static int
offer(struct seek *s, const struct text_time *now, struct route_pick *p,
    size_t *lane, uint64_t *lease)
{
	if (!may_more(s) || given(s, p->lane) || too_small(s, p->lane))
		return -1;
	if (take(s, now, p->lane, false, lease, &p->answer) != 0) {
		note(s, now, &p->answer);
		return -1;
	}
	*lane = p->lane;
	give(s, p->lane);
	return 0;
}

int
seek_next(struct seek *s, const struct text_time *now, size_t *lane,
    uint64_t *lease)
{
	size_t i;

	if (seek_ahead(s, now) > 0) {
		look_on(s, now);
		return -1;
	}
	while (s->next < s->open && may_more(s))
		if (offer(s, now, &s->picks[s->next++], lane, lease) == 0)
			return 0;
	/* Since they were put in order an attempt may have lasted for as long
	 * as a window. */
	look_on(s, now);
	for (i = 0; s->room && i < s->alias->nlanes; i++)
		if (s->picks[i].answer.reason == QUOTA_OPEN &&
		    offer(s, now, &s->picks[i], lane, lease) == 0)
			return 0;
	s->room = false;
	return -1;
}

size_t
seek_dares(const struct seek *s, const struct text_time *now)
{
	const struct route_pick *p;
	size_t best = SIZE_MAX;

	for (size_t i = 0; may_more(s) && !s->room && i < s->alias->nlanes;
	    i++) {
		p = &s->picks[i];
		if (p->answer.dare == 0 || p->answer.dare > now->wall ||
		    given(s, p->lane) || too_small(s, p->lane))
			continue;
		if (best == SIZE_MAX ||
		    p->answer.until < s->picks[best].answer.until)
			best = i;
	}
	return best;
}

int
seek_dare(struct seek *s, const struct text_time *now, size_t *lane,
    uint64_t *lease)
{
	struct route_pick *p;
	size_t i;

	while ((i = seek_dares(s, now)) != SIZE_MAX) {
		p = &s->picks[i];
		if (take(s, now, p->lane, true, lease, &p->answer) == 0) {
			*lane = p->lane;
			give(s, p->lane);
			return 0;
		}
		/* Another was quicker; it is not looked at again. */
		note(s, now, &p->answer);
		p->answer.dare = 0;
	}
	return -1;
}

int
seek_again(struct seek *s, const struct text_time *now, size_t lane,
    uint64_t *lease)
{
	struct quota_answer why;

	if (take(s, now, lane, false, lease, &why) == 0)
		return 0;
	note(s, now, &why);
	return -1;
}
