#include "slot.h"

#include <stdlib.h>

#include "map.h"
#include "text.h"

struct use {
	uint64_t requests, tokens;
	uint32_t failures;
	struct quota_ban bar;
};

/* Of a scope: at the time that memory took the file's place, and what has come
 * since; of that, in the present day and month is at most so much. */
struct slot_past {
	struct use was, due;
	struct window_use day, month;
};

/* A lease that is open in memory; then, where it went. */
struct slot_open {
	struct slot_id from, to;
	struct slot_want want;
};

static struct use
use_of(const struct quota_slot *s)
{
	return (struct use){ s->requests, s->tokens, s->failures,
	    { (enum quota_reason)s->bar, s->bar_until, s->guess != 0 } };
}

/* A slot that was reset meanwhile has less. */
static uint64_t
more(uint64_t is, uint64_t was)
{
	return is > was ? is - was : 0;
}

int
slot_past_new(struct slot_table *t)
{
	struct slot_past *p = calloc(t->nscopes + 1, sizeof(*p));

	if (p == NULL)
		return -1;
	free(t->past);
	t->past = p;
	return 0;
}

void
slot_past_begin(struct slot_table *t, const struct text_time *now)
{
	const struct quota_slot *s;
	size_t i;

	for (i = 0; t->past != NULL && i < t->nscopes; i++) {
		t->past[i] = (struct slot_past){ 0 };
		if ((s = slot_at(t, i, now)) != NULL)
			t->past[i].was = use_of(s);
	}
}

static struct window_use
within(const struct quota_slot *s, const struct window_rule *r,
    const struct text_time *now, enum config_limit requests,
    enum config_limit tokens)
{
	struct window w, v;

	window_get(&w, &s->windows, r, now, requests);
	window_get(&v, &s->windows, r, now, tokens);
	return (struct window_use){ w.own, v.own };
}

/* The lease l in memory, if it can be taken once more. */
static bool
wanted(const struct slot_table *t, const struct slot_lease *l,
    struct slot_want *w)
{
	const struct quota_slot *s;
	size_t scope;
	int k;

	*w = (struct slot_want){ .tokens = l->tokens, .late = true,
	    .more = !slot_holds(l, SLOT_CLIENT) };
	for (k = 0; k < SLOT_SCOPES; k++) {
		if ((s = slot_index(t, slot_named(l, k))) == NULL)
			continue;
		if ((scope = slot_scope_of(t, s)) == SIZE_MAX)
			return false;
		w->scope[w->n++] = scope;
	}
	return w->n > 0;
}

/* To be charged as it stands: one request more, at its estimate. */
static void
owe(struct slot_table *t, const struct slot_want *w)
{
	size_t n;

	for (n = 0; n < w->n; n++) {
		t->past[w->scope[n]].due.requests +=
		    !(w->more && w->scope[n] >= t->clients);
		t->past[w->scope[n]].due.tokens += (uint64_t)w->tokens;
	}
}

static void
collect_open(struct slot_table *t)
{
	uint64_t top = slot_head(t)->top;
	const struct slot_lease *l;
	struct slot_open *p;
	struct slot_want w;
	uint32_t i;

	t->nopen = t->nmoved;
	for (i = 0; i < top && (l = slot_lease(t, i)) != NULL; i++) {
		if (l->owner == 0 || !wanted(t, l, &w))
			continue;
		p = realloc(t->open, (t->nopen + 1) * sizeof(*p));
		if (p == NULL) {
			owe(t, &w);
			continue;
		}
		t->open = p;
		t->open[t->nopen++] = (struct slot_open){ .want = w,
		    .from = { t->epoch, l->gen, i } };
	}
}

void
slot_past_end(struct slot_table *t, const struct text_time *now)
{
	const struct window_rule *r;
	const struct quota_slot *s;
	struct slot_past *p;
	struct use is;
	size_t i;

	for (i = 0; t->past != NULL && i < t->nscopes; i++) {
		p = &t->past[i];
		p->due = (struct use){ 0 };
		if ((s = slot_at(t, i, now)) == NULL)
			continue;
		is = use_of(s);
		p->due = (struct use){ more(is.requests, p->was.requests),
		    more(is.tokens, p->was.tokens),
		    (uint32_t)more(is.failures, p->was.failures), { 0 } };
		if (is.bar.until != p->was.bar.until)
			p->due.bar = is.bar;
		r = &t->scopes[i].rule;
		p->day = within(s, r, now, CONFIG_RPD, CONFIG_TPD);
		p->month = within(s, r, now, CONFIG_RPMONTH, CONFIG_TPMONTH);
	}
	if (t->past != NULL)
		collect_open(t);
}

/* What is open in the copy gives back what it reserved, for it is taken once
 * more, and counts once only. */
static void
open_none(struct slot_table *t, const struct text_time *now)
{
	static const struct slot_end never = { .unknown = true,
	    .first_ms = -1 };
	struct slot_head *h = map_raw(t->map);
	size_t i;

	for (i = t->nmoved; i < t->nopen; i++) {
		slot_settle(t, now, t->open[i].from.index, &never);
		h->taken--;
		h->settled--;
	}
}

void
slot_past_told(struct slot_table *t, const struct text_time *now)
{
	size_t i;

	for (i = 0; t->past != NULL && i < t->nscopes; i++) {
		t->past[i].was.requests += t->past[i].due.requests;
		t->past[i].was.tokens += t->past[i].due.tokens;
		t->past[i].was.failures += t->past[i].due.failures;
		t->past[i].due = (struct use){ 0 };
	}
	open_none(t, now);
}

/* Under way in the file from now on. */
static void
reopen(struct slot_table *t, struct slot_open *o, const struct text_time *now)
{
	const struct quota_slot *s;
	struct slot_got got;
	size_t n;

	o->want.now = *now;
	for (n = 0; n < o->want.n; n++) {
		s = slot_at(t, o->want.scope[n], now);
		if (s != NULL)
			window_raise(&s->windows, &o->want.now);
	}
	if (slot_reserve(t, now, &o->want, &got) < 0) {
		owe(t, &o->want);
		return;
	}
	o->to = (struct slot_id){ t->epoch, got.gen, got.index };
	t->open[t->nmoved++] = *o;
}

/* What has ended, in the history once for each lane: a lease has one lane. */
static void
charge(struct slot_table *t, size_t i, const struct slot_past *p,
    const struct text_time *now)
{
	const struct use *due = &p->due;
	struct text_time at = *now;
	struct quota_slot *s;

	if ((s = slot_stage(t, i, now)) == NULL)
		return;
	window_raise(&s->windows, &at);
	if (due->requests != 0 || due->tokens != 0) {
		window_add(&s->windows, t->scopes[i].rule.day, &at,
		    &(struct window_use){ (int64_t)due->requests,
		    (int64_t)due->tokens }, &p->day, &p->month);
		s->last_used = now->wall;
	}
	s->requests += due->requests;
	s->tokens += due->tokens;
	s->failures += due->failures;
	if (due->bar.reason != QUOTA_OPEN)
		quota_bar(s, now, &due->bar);
	if (i >= t->lanes && i < t->clients)
		slot_count(t, now, &(struct slot_cell){
		    .requests = due->requests, .tokens = due->tokens,
		    .failures = due->failures });
	map_commit(t->map);
}

void
slot_past_charge(struct slot_table *t, const struct text_time *now)
{
	const struct use *due;
	size_t i;

	for (i = t->nmoved; i < t->nopen; i++)
		reopen(t, &t->open[i], now);
	t->nopen = t->nmoved;
	for (i = 0; t->past != NULL && i < t->nscopes; i++) {
		due = &t->past[i].due;
		if (due->requests != 0 || due->tokens != 0 ||
		    due->failures != 0 || due->bar.reason != QUOTA_OPEN)
			charge(t, i, &t->past[i], now);
	}
	free(t->past);
	t->past = NULL;
}

void
slot_follow(struct slot_table *t, struct slot_id *id, bool last)
{
	const struct slot_open *o;
	size_t i;

	for (i = 0; i < t->nmoved; i++) {
		o = &t->open[i];
		if (o->from.epoch != id->epoch || o->from.gen != id->gen ||
		    o->from.index != id->index)
			continue;
		*id = o->to;
		if (last) {
			t->open[i] = t->open[--t->nmoved];
			t->nopen = t->nmoved;
		}
		return;
	}
}
