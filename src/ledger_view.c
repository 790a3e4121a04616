#include "ledger.h"
#include "ledger_own.h"

#include <assert.h>
#include <math.h>

#include "book.h"
#include "config.h"
#include "map.h"
#include "slot.h"
#include "text.h"

static_assert(LEDGER_HOURS == SLOT_HOURS && LEDGER_DAYS == SLOT_DAYS,
    "history");

static int64_t
first_of(const struct quota_slot *s)
{
	return s->first_ms > 0 && s->first_ms < 1e9f ? lroundf(s->first_ms) : 0;
}

static const struct quota_view nothing_seen = { .resets = INT64_MAX,
    .unused = -1 };

/* A slot that has moved or cannot be read looks empty: take will tell. */
static const struct quota_slot *
see(struct ledger *l, const struct text_time *now, size_t scope,
    int64_t tokens, struct quota_view *v)
{
	const struct quota_slot *s = slot_look(&l->b.t, scope);

	*v = nothing_seen;
	if (s != NULL)
		quota_see(s, &l->b.t.scopes[scope].rule, now, tokens, v);
	return s;
}

/* What is of the lane alone. */
static void
see_lane(struct ledger *l, const struct text_time *now, size_t scope,
    int64_t tokens, struct quota_view *v)
{
	const struct quota_slot *s = see(l, now, scope, tokens, v);

	if (s == NULL)
		return;
	v->requests = quota_today(s, &l->b.t.scopes[scope].rule, now, false);
	v->first_ms = first_of(s);
	v->inflight = (int32_t)s->inflight;
	v->failures = s->streak > INT32_MAX ? INT32_MAX : (int32_t)s->streak;
}

/* The stricter of both. */
static void
fold(struct quota_view *v, const struct quota_view *o)
{
	quota_stricter(&v->answer, &o->answer);
	v->pressure = fmax(v->pressure, o->pressure);
	if (o->resets < v->resets) {
		v->resets = o->resets;
		v->unused = o->unused;
	}
}

static void
view_lane(struct ledger *l, const struct text_time *now, size_t lane,
    size_t client, int64_t tokens, struct quota_view *v)
{
	size_t scope[SLOT_SCOPES], n, i;
	struct memo *m;

	n = slot_scopes(&l->b.t, lane, client, scope);
	see_lane(l, now, scope[0], tokens, v);
	for (i = 1; i < n; i++) {
		m = &l->memo[scope[i]];
		if (m->call != l->call) {
			(void)see(l, now, scope[i], tokens, &m->v);
			m->call = l->call;
		}
		fold(v, &m->v);
	}
	if (v->answer.reason != QUOTA_OPEN && v->answer.until <= now->wall)
		v->answer.until = now->wall + 1;
}

static void
view_all(struct ledger *l, const struct text_time *now,
    const uint16_t *lanes, size_t n, size_t client, int64_t tokens,
    struct quota_view *views)
{
	size_t i;

	l->call++;
	for (i = 0; i < n; i++)
		view_lane(l, now, lanes[i], client, tokens, &views[i]);
}

void
ledger_view(struct ledger *l, const struct text_time *now,
    const uint16_t *lanes, size_t n, size_t client, int64_t tokens,
    struct quota_view *views)
{
	uint64_t number;
	size_t i;
	int tries;

	if (tokens < 0)
		tokens = 0;
	/* Without the lock first: a change in between is seen, and the
	 * reading repeated. */
	for (tries = 0; tries < 3; tries++) {
		if ((number = map_peek(l->b.t.map)) == 0)
			break;
		view_all(l, now, lanes, n, client, tokens, views);
		if (map_peeked(l->b.t.map, number))
			return;
	}
	for (i = 0; i < n; i++)
		views[i] = nothing_seen;
	if (book_begin(&l->b, now) < 0)
		return;
	view_all(l, now, lanes, n, client, tokens, views);
	book_end(&l->b);
}

static size_t
scope_of(const struct ledger *l, enum ledger_kind kind, size_t index)
{
	switch (kind) {
	case LEDGER_K_ACCOUNT:
		return index < l->b.cfg->nproviders ? index : SIZE_MAX;
	case LEDGER_K_KEY:
		return index < l->b.cfg->nlanes ?
		    slot_key(&l->b.t, index) : SIZE_MAX;
	case LEDGER_K_LANE:
		return index < l->b.cfg->nlanes ?
		    l->b.t.lanes + index : SIZE_MAX;
	case LEDGER_K_CLIENT:
		return index < l->b.cfg->nclients ? l->b.t.clients + index :
		    SIZE_MAX;
	}
	return SIZE_MAX;
}

size_t
ledger_report(struct ledger *l, const struct text_time *now,
    enum ledger_kind kind, size_t index, struct ledger_counts *c,
    struct quota_row rows[CONFIG_LIMITS])
{
	size_t scope = scope_of(l, kind, index), n = 0;
	const struct quota_slot *s;
	const struct window_rule *r;
	struct text_time t = *now;

	*c = (struct ledger_counts){ .day_start = now->wall };
	if (scope == SIZE_MAX || book_begin(&l->b, now) < 0)
		return 0;
	r = &l->b.t.scopes[scope].rule;
	if ((s = slot_at(&l->b.t, scope, now)) == NULL)
		goto out;
	window_raise(&s->windows, &t);
	c->requests = (int64_t)(s->requests & INT64_MAX);
	c->tokens = (int64_t)(s->tokens & INT64_MAX);
	c->failures = s->failures;
	c->last_used = s->requests > 0 || s->inflight > 0 ? s->last_used : 0;
	c->first_ms = first_of(s);
	c->inflight = (int32_t)s->inflight;
	c->requests_today = quota_today(s, r, &t, false);
	c->tokens_today = quota_today(s, r, &t, true);
	c->day_start = quota_day_start(s, r, &t);
	if (s->bar < QUOTA_REASONS && t.wall < s->bar_until)
		c->bar = (struct quota_answer){ s->bar, s->bar_until, 0 };
	n = quota_rows(s, r, &t, rows);
	slot_part(&l->b.t, &t, l->b.t.scopes[scope].slot, s, r, rows, n);
out:
	book_end(&l->b);
	return n;
}

static void
spans(const struct ledger *l, const struct text_time *now,
    enum slot_ring ring, struct ledger_span *s, int n)
{
	int64_t number = slot_number(ring, now->wall) - n;
	const struct slot_cell *c;
	int i;

	for (i = 0; i < n; i++) {
		s[i] = (struct ledger_span){ .at = slot_began(ring, ++number) };
		c = slot_cell(&l->b.t, ring, number);
		if (c == NULL || c->number != number)
			continue;
		s[i].requests = (int64_t)(c->requests & INT64_MAX);
		s[i].tokens = (int64_t)(c->tokens & INT64_MAX);
		s[i].failures = (int64_t)(c->failures & INT64_MAX);
		s[i].fallbacks = (int64_t)(c->fallbacks & INT64_MAX);
	}
}

void
ledger_history(struct ledger *l, const struct text_time *now,
    struct ledger_history *out)
{
	*out = (struct ledger_history){ 0 };
	if (book_begin(&l->b, now) < 0)
		return;
	spans(l, now, SLOT_BY_HOUR, out->hours, LEDGER_HOURS);
	spans(l, now, SLOT_BY_DAY, out->days, LEDGER_DAYS);
	book_end(&l->b);
}

void
ledger_totals(struct ledger *l, const struct text_time *now,
    struct ledger_totals *out)
{
	const struct slot_head *h;

	*out = (struct ledger_totals){ 0 };
	if (book_begin(&l->b, now) < 0)
		return;
	h = slot_head(&l->b.t);
	out->bytes = (int64_t)map_size(l->b.t.map);
	out->taken = (int64_t)(h->taken & INT64_MAX);
	out->settled = (int64_t)(h->settled & INT64_MAX);
	out->abandoned = (int64_t)(h->abandoned & INT64_MAX);
	out->fallbacks = (int64_t)(h->fallbacks & INT64_MAX);
	out->waiting = (int64_t)(h->waiting & INT64_MAX);
	book_end(&l->b);
}

/* The scope of ours from first to end whose slot the lease names. */
static size_t
scope_in(const struct slot_table *t, const struct slot_lease *e, size_t first,
    size_t end)
{
	size_t i;
	int j;

	for (j = 0; j < SLOT_SCOPES; j++) {
		for (i = first; e->slot[j] != 0 && i < end; i++) {
			if (t->scopes[i].slot == slot_named(e, j) &&
			    slot_look(t, i) != NULL)
				return i - first;
		}
	}
	return LEDGER_NOBODY;
}

static void
run_of(const struct slot_table *t, const struct slot_lease *e,
    struct ledger_run *out)
{
	out->lane = scope_in(t, e, t->lanes, t->clients);
	out->client = scope_in(t, e, t->clients, t->nscopes);
	out->pid = slot_pid(t, e->owner - 1);
	out->alive = map_alive(t->map, e->owner - 1);
	out->since = (int64_t)e->wall * 1000;
	out->tokens = e->tokens;
}

size_t
ledger_running(struct ledger *l, const struct text_time *now,
    struct ledger_run *out, size_t max)
{
	const struct slot_lease *e;
	uint64_t top;
	size_t n = 0;
	uint32_t i;

	if (book_begin(&l->b, now) < 0)
		return 0;
	top = slot_head(&l->b.t)->top;
	for (i = 0; i < top && (e = slot_lease(&l->b.t, i)) != NULL; i++) {
		if (e->owner == 0)
			continue;
		if (n < max)
			run_of(&l->b.t, e, &out[n]);
		n++;
	}
	book_end(&l->b);
	return n;
}
