#include "ledger.h"
#include "ledger_own.h"

#include <stdlib.h>

#include "audit.h"
#include "book.h"
#include "buf.h"
#include "config.h"
#include "line.h"
#include "map.h"
#include "slot.h"
#include "text.h"
#include "throttle.h"

static struct ledger *
make(const struct config *cfg, const struct text_time *now,
    int (*open)(struct book *, const struct config *,
    const struct text_time *))
{
	struct ledger *l = calloc(1, sizeof(*l));

	if (l == NULL || open(&l->b, cfg, now) < 0) {
		free(l);
		return NULL;
	}
	l->memo = calloc(l->b.t.nscopes + 1, sizeof(*l->memo));
	if (l->memo == NULL) {
		ledger_close(l);
		return NULL;
	}
	return l;
}

struct ledger *
ledger_open(const struct config *cfg, const struct text_time *now)
{
	return make(cfg, now, book_open);
}

struct ledger *
ledger_snapshot(const struct config *cfg, const struct text_time *now)
{
	return make(cfg, now, book_snapshot);
}

void
ledger_close(struct ledger *l)
{
	if (l == NULL)
		return;
	book_close(&l->b);
	free(l->memo);
	free(l);
}

const char *
ledger_health(const struct ledger *l)
{
	return book_health(&l->b);
}

bool
ledger_crowded(const struct ledger *l)
{
	return book_crowded(&l->b);
}

void
ledger_aside(struct ledger *l)
{
	l->b.aside = true;
}

void
ledger_tick(struct ledger *l, const struct text_time *now)
{
	book_tick(&l->b, now);
}

/* Take. */

struct taking {
	struct slot_want want;
	bool	 dare;
};

/* Ask every scope; nothing is reserved. A slot that has moved is found before
 * the first is staged. */
static int
ask(struct ledger *l, struct taking *k, struct quota_answer *why)
{
	struct slot_want *w = &k->want;
	const struct quota_slot *s;
	size_t i;

	*why = (struct quota_answer){ QUOTA_OPEN, 0, 0 };
	for (i = 0; i < w->n; i++) {
		s = slot_at(&l->b.t, w->scope[i], &l->b.now);
		if (s == NULL) {
			*why = (struct quota_answer){ QUOTA_CONCURRENCY,
			    l->b.now.wall + 1000, 0 };
			return -1;
		}
		window_raise(&s->windows, &w->now);
		if (quota_astray(s, &l->b.now))
			book_heal(&l->b, w->scope[i]);
	}
	for (i = 0; i < w->n; i++) {
		if (w->more && w->scope[i] >= l->b.t.clients)
			continue;
		quota_check(slot_look(&l->b.t, w->scope[i]),
		    &l->b.t.scopes[w->scope[i]].rule, &w->now, w->tokens, why);
	}
	if (why->reason == QUOTA_OPEN || (k->dare && why->dare != 0 &&
	    why->dare <= w->now.wall))
		return 0;
	if (why->until <= l->b.now.wall)
		why->until = l->b.now.wall + 1;
	return -1;
}

static uint64_t
reserve(struct ledger *l, const struct taking *k)
{
	struct slot_got got;

	if (slot_reserve(&l->b.t, &l->b.now, &k->want, &got) < 0)
		return 0;
	return book_lease(&l->b, got.gen, got.index) |
	    (got.probe ? BOOK_PROBE : 0);
}

static int
take_all(struct ledger *l, struct taking *k, uint64_t *lease,
    struct quota_answer *why)
{
	const struct text_time now = k->want.now;
	const struct quota_answer full = { QUOTA_CONCURRENCY, now.wall + 1000,
	    0 };
	int tries, r = -1;

	*why = full;
	if (k->want.tokens > UINT32_MAX) {
		*why = (struct quota_answer){ QUOTA_TOO_LARGE, INT64_MAX, 0 };
		return -1;
	}
	if (book_begin(&l->b, &now) < 0)
		return -1;
	for (tries = 0; tries < 2 && r < 0; tries++) {
		if (ask(l, k, why) == 0) {
			if ((*lease = reserve(l, k)) != 0)
				r = 0;
			else
				*why = full;
		}
		/* The dead may hold what is missing. */
		if (r == 0 || (why->reason != QUOTA_CONCURRENCY &&
		    why->reason != QUOTA_PROBE) ||
		    slot_sweep(&l->b.t, &now) == 0)
			break;
	}
	book_end(&l->b);
	return r;
}

static int
take_lane(struct ledger *l, const struct text_time *now, size_t lane,
    size_t client, struct taking k, uint64_t *lease, struct quota_answer *why)
{
	k.want.now = *now;
	k.want.n = slot_scopes(&l->b.t, lane, client, k.want.scope);
	return take_all(l, &k, lease, why);
}

int
ledger_take(struct ledger *l, const struct text_time *now, size_t lane,
    size_t client, int64_t tokens, uint64_t *lease, struct quota_answer *why)
{
	const struct taking k = {
	    .want.tokens = tokens < 0 ? 0 : tokens };

	return take_lane(l, now, lane, client, k, lease, why);
}

int
ledger_dare(struct ledger *l, const struct text_time *now, size_t lane,
    size_t client, int64_t tokens, uint64_t *lease, struct quota_answer *why)
{
	const struct taking k = {
	    .want.tokens = tokens < 0 ? 0 : tokens, .dare = true };

	return take_lane(l, now, lane, client, k, lease, why);
}

int
ledger_more(struct ledger *l, const struct text_time *now, size_t lane,
    size_t client, int64_t tokens, bool dare, uint64_t *lease,
    struct quota_answer *why)
{
	const struct taking k = {
	    .want = { .tokens = tokens < 0 ? 0 : tokens, .more = true },
	    .dare = dare };

	return take_lane(l, now, lane, client, k, lease, why);
}

bool
ledger_probes(uint64_t lease)
{
	return lease & BOOK_PROBE;
}

void
ledger_good(struct ledger *l, const struct text_time *now, uint64_t lease)
{
	book_good(&l->b, now, lease);
}

/* Settle. */

static int64_t
used_tokens(const struct ledger_end *e)
{
	int64_t n;

	if (e->prompt < 0 && e->completion < 0)
		return e->counted ? -1 : 0;
	if (__builtin_add_overflow(e->prompt < 0 ? 0 : e->prompt,
	    e->completion < 0 ? 0 : e->completion, &n))
		return UINT32_MAX;
	return n > UINT32_MAX ? UINT32_MAX : n;
}

void
ledger_settle(struct ledger *l, const struct text_time *now, uint64_t lease,
    const struct ledger_end *e)
{
	struct slot_end se = { e->counted, e->asked, e->failed, e->unknown,
	    e->fallback, used_tokens(e), e->first_ms, e->raw, e->prompt };

	book_settle(&l->b, now, lease, &se);
}

/* What the provider says. */

struct change {
	const struct quota_seen *seen;
	size_t	 n;
	const struct quota_ban *ban;	/* NULL: none */
};

static void
change_scope(struct ledger *l, size_t scope, const struct change *c)
{
	const struct window_rule *r = &l->b.t.scopes[scope].rule;
	struct quota_slot *s = slot_stage(&l->b.t, scope, &l->b.now);
	struct text_time now = l->b.now;
	size_t i;

	if (s == NULL)
		return;
	window_raise(&s->windows, &now);
	for (i = 0; i < c->n; i++)
		window_observe(&s->windows, r, &now, c->seen[i].limit,
		    c->seen[i].max, c->seen[i].remaining, c->seen[i].reset,
		    (uint8_t)c->seen[i].source);
	if (c->ban != NULL)
		quota_bar(s, &now, c->ban);
	map_commit(l->b.t.map);
}

static void
change(struct ledger *l, size_t lane, enum ledger_scope scope,
    const struct change *c)
{
	const struct config_lane *is = &l->b.cfg->lanes[lane];
	size_t i;

	switch (scope) {
	case LEDGER_LANE:
		change_scope(l, l->b.t.lanes + lane, c);
		break;
	case LEDGER_MODEL:
		for (i = 0; i < l->b.cfg->nlanes; i++) {
			if (l->b.cfg->lanes[i].model == is->model &&
			    l->b.cfg->lanes[i].provider == is->provider)
				change_scope(l, l->b.t.lanes + i, c);
		}
		break;
	case LEDGER_KEY:
		i = slot_key(&l->b.t, lane);
		change_scope(l, i == SIZE_MAX ? l->b.t.lanes + lane : i, c);
		break;
	case LEDGER_ACCOUNT:
		change_scope(l, is->provider, c);
		break;
	}
}

void
ledger_observe(struct ledger *l, const struct text_time *now, size_t lane,
    enum ledger_scope scope, const struct quota_seen *seen, size_t n)
{
	struct change c = { seen, n, NULL };

	if (n == 0 || book_begin(&l->b, now) < 0)
		return;
	change(l, lane, scope, &c);
	book_end(&l->b);
}

void
ledger_bar(struct ledger *l, const struct text_time *now, size_t lane,
    enum ledger_scope scope, const struct quota_ban *ban)
{
	struct change c = { NULL, 0, ban };

	if (book_begin(&l->b, now) < 0)
		return;
	change(l, lane, scope, &c);
	book_end(&l->b);
}

uint64_t
ledger_turn(struct ledger *l, size_t alias)
{
	return slot_turn(&l->b.t, alias, 1);
}

uint64_t
ledger_turn_now(struct ledger *l, size_t alias)
{
	return slot_turn(&l->b.t, alias, 0);
}

/* Lines. */

size_t
ledger_ahead(struct ledger *l, const struct text_time *now, uint64_t line,
    uint64_t ticket)
{
	size_t n;

	/* One word, read without the lock: nobody waits, as a rule. */
	if (slot_head(&l->b.t)->waiting == 0 || book_begin(&l->b, now) < 0)
		return 0;
	n = line_ahead(&l->b.t, now, line, ticket);
	book_end(&l->b);
	return n;
}

void
ledger_join(struct ledger *l, const struct text_time *now, uint64_t line,
    uint64_t *ticket, int64_t due)
{
	if (book_begin(&l->b, now) < 0)
		return;
	line_join(&l->b.t, line, ticket, due);
	book_end(&l->b);
}

void
ledger_leave(struct ledger *l, uint64_t ticket)
{
	struct text_time now = l->b.now;

	if (ticket == 0 || book_begin(&l->b, &now) < 0)
		return;
	line_leave(&l->b.t, ticket);
	book_end(&l->b);
}

size_t
ledger_waiting(const struct ledger *l)
{
	return slot_head(&l->b.t)->waiting;
}

int64_t
ledger_failed(struct ledger *l, const struct text_time *now, uint64_t who,
    bool *tell)
{
	int64_t ms = throttle_wait(&l->b.t, now, who);

	*tell = false;
	if (ms == 0 && book_begin(&l->b, now) == 0) {
		ms = throttle_count(&l->b.t, now, who, tell);
		book_end(&l->b);
	}
	return ms;
}

int64_t
ledger_estimate(struct ledger *l, size_t lane, int64_t raw)
{
	const struct quota_slot *s = slot_look(&l->b.t, l->b.t.lanes + lane);

	/* Two words that each are whole; any pair of them will do. */
	if (s == NULL)
		return quota_estimate(7, 1, raw);
	return quota_estimate(s->overhead, s->k, raw);
}

/* For people: book_begin, and why not. */
static int
begin(struct ledger *l, const struct text_time *now, struct buf *out)
{
	if (book_begin(&l->b, now) == 0)
		return 0;
	buf_puts(out, "out of memory\n");
	return -1;
}

int
ledger_dump(struct ledger *l, const struct text_time *now, struct buf *out)
{
	int r;

	if (begin(l, now, out) < 0)
		return -1;
	r = audit_dump(&l->b.t, now, out);
	book_end(&l->b);
	return r;
}

int
ledger_verify(struct ledger *l, const struct text_time *now, struct buf *out)
{
	int r;

	if (begin(l, now, out) < 0)
		return -1;
	r = audit_verify(&l->b.t, now, out);
	book_end(&l->b);
	if (ledger_health(l) != NULL) {
		buf_printf(out, "%s\n", ledger_health(l));
		r = -1;
	}
	return r;
}

int
ledger_reset(struct ledger *l, const struct text_time *now, const char *name,
    struct buf *out)
{
	int r;

	if (begin(l, now, out) < 0)
		return -1;
	r = audit_reset(&l->b.t, name, out);
	book_end(&l->b);
	return r;
}
