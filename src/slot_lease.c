#include "slot.h"

#include "config.h"
#include "map.h"

size_t
slot_key(const struct slot_table *t, size_t lane)
{
	const struct config_lane *l = &t->cfg->lanes[lane];

	return l->key < t->cfg->providers[l->provider].nkeys ?
	    t->key[l->provider] + l->key : SIZE_MAX;
}

size_t
slot_scopes(const struct slot_table *t, size_t lane, size_t client,
    size_t scope[SLOT_SCOPES])
{
	size_t n = 0;

	scope[n++] = t->lanes + lane;
	scope[n++] = t->cfg->lanes[lane].provider;
	if (slot_key(t, lane) != SIZE_MAX)
		scope[n++] = slot_key(t, lane);
	if (client < t->cfg->nclients)
		scope[n++] = t->clients + client;
	return n;
}

uint32_t
slot_named(const struct slot_lease *l, int k)
{
	return (l->slot[k] & ~(uint32_t)SLOT_MORE) - 1;
}

int
slot_holds(const struct slot_lease *l, int k)
{
	return (l->slot[k] & SLOT_MORE) == 0;
}

/* Stage a lease that is free, taken off the free list; *index. NULL: full. */
static struct slot_lease *
slot_lease_new(struct slot_table *t, uint32_t *index)
{
	struct slot_head *h = slot_stage_head(t);
	const struct slot_lease *l;
	struct slot_lease *s;

	if (h == NULL)
		return NULL;
	if (h->free > 0 && h->free <= h->top) {
		*index = (uint32_t)h->free - 1;
		l = slot_lease(t, *index);
		if (l == NULL || l->owner != 0 || l->tokens > SLOT_LEASES)
			return NULL;
		h->free = l->tokens;
	} else if (h->free == 0 && h->top < SLOT_LEASES)
		*index = (uint32_t)h->top++;
	else
		return NULL;
	s = slot_stage_lease(t, *index);
	if (s == NULL)
		return NULL;
	h->taken++;
	*s = (struct slot_lease){ .gen = (uint32_t)++h->gen };
	return s;
}

/* Stage an open lease i and put it on the free list. */
static void
slot_lease_free(struct slot_table *t, uint32_t i)
{
	struct slot_lease *l = slot_stage_lease(t, i);
	struct slot_head *h = slot_stage_head(t);

	if (l == NULL || h == NULL)
		return;
	l->owner = 0;
	l->tokens = (uint32_t)h->free;
	h->free = i + 1;
}

uint64_t
slot_probe(uint32_t gen, uint32_t i)
{
	return (uint64_t)gen << 32 | (i + 1);
}

/* Charge scope n of w and name it in lease s. */
static struct quota_slot *
reserve_in(struct slot_table *t, const struct text_time *now,
    const struct slot_want *w, size_t n, struct slot_lease *s, uint64_t probe)
{
	struct slot_scope *c = &t->scopes[w->scope[n]];
	struct quota_slot *q = slot_stage(t, w->scope[n], now);
	bool client = w->scope[n] >= t->clients, more = client && w->more;
	size_t at = client ? SLOT_CLIENT : n;
	struct window_mark m;

	if (q == NULL)
		return NULL;
	m = quota_take(q, &c->rule, &w->now, w->tokens, probe);
	if (more)
		window_adjust(&q->windows, m, -1, 0);
	s->sec = m.sec;
	s->serial[at] = m.serial;
	s->slot[at] = (uint16_t)((c->slot + 1) | (more ? SLOT_MORE : 0));
	return q;
}

int
slot_reserve(struct slot_table *t, const struct text_time *now,
    const struct slot_want *w, struct slot_got *got)
{
	const struct quota_slot *q;
	struct slot_lease *s;
	uint64_t number;
	size_t n;

	if ((s = slot_lease_new(t, &got->index)) == NULL)
		goto full;
	got->gen = s->gen;
	got->probe = false;
	number = w->late ? 0 : slot_probe(s->gen, got->index);
	s->owner = (uint16_t)(t->worker + 1);
	s->owner_gen = t->gen;
	s->tokens = (uint32_t)w->tokens;
	s->wall = (uint32_t)(w->now.wall / 1000);
	for (n = 0; n < w->n; n++) {
		if ((q = reserve_in(t, now, w, n, s, number)) == NULL)
			goto full;
		got->probe |= !w->late && q->probe == number;
	}
	map_commit(t->map);
	return 0;
full:
	map_drop(t->map);
	return -1;
}

int64_t
slot_pid(const struct slot_table *t, int worker)
{
	const uint64_t *w;

	if (worker < 0 || worker >= MAP_WORKERS ||
	    map_size(t->map) < SLOT_WORKERS_OFF + MAP_WORKERS * 8)
		return 0;
	w = (const void *)((const char *)map_data(t->map) + SLOT_WORKERS_OFF);
	return (int64_t)(w[worker] >> 32);
}

/* What the lease comes to: its estimate when nothing better is known. */
static int64_t
tokens_of(const struct slot_lease *l, const struct slot_end *end)
{
	return end != NULL && end->tokens >= 0 ? end->tokens : l->tokens;
}

static void
settle_slot(struct quota_slot *s, const struct slot_lease *l, int k,
    const struct text_time *now, uint32_t i, const struct slot_end *end)
{
	struct window_mark m = { l->sec, l->serial[k] };
	int64_t tokens = tokens_of(l, end);
	int held = slot_holds(l, k), kept = held;

	/* A client is not given back what it made us ask for. */
	if (end != NULL && !end->counted && !(k == SLOT_CLIENT && end->asked))
		kept = 0;
	quota_done(s, now, slot_probe(l->gen, i), end != NULL &&
	    !end->unknown, end != NULL && end->failed);
	window_adjust(&s->windows, m, kept - held, tokens - l->tokens);
	s->requests += (uint64_t)kept;
	s->tokens += (uint64_t)tokens;
	if (k != 0 || end == NULL)
		return;
	quota_first(s, end->first_ms);	/* the lane itself */
	if (end->raw > 0)
		quota_learn(s, end->raw, end->real);
}

void
slot_settle(struct slot_table *t, const struct text_time *now, uint32_t i,
    const struct slot_end *end)
{
	const struct slot_lease *l = slot_lease(t, i);
	struct quota_slot *s;
	struct slot_head *h = slot_stage_head(t);
	int k;

	if (l == NULL || l->owner == 0 || h == NULL)
		return;
	for (k = 0; k < SLOT_SCOPES; k++) {
		s = slot_stage_index(t, slot_named(l, k));
		if (s != NULL)
			settle_slot(s, l, k, now, i, end);
	}
	if (end == NULL)
		h->abandoned++;
	else
		h->settled++;
	h->fallbacks += end != NULL && end->fallback;
	slot_count(t, now, &(struct slot_cell){
	    .requests = end == NULL || end->counted,
	    .tokens = (uint64_t)tokens_of(l, end),
	    .failures = end != NULL && end->failed,
	    .fallbacks = end != NULL && end->fallback && !end->failed });
	slot_lease_free(t, i);
	map_commit(t->map);
}

void
slot_good(struct slot_table *t, const struct text_time *now, uint32_t i)
{
	const struct slot_lease *l = slot_lease(t, i);
	const struct quota_slot *is;
	struct quota_slot *s;
	uint64_t probe;
	int k;

	if (l == NULL || l->owner == 0)
		return;
	probe = slot_probe(l->gen, i);
	for (k = 0; k < SLOT_SCOPES; k++) {
		is = slot_index(t, slot_named(l, k));
		if (is != NULL && is->probe == probe &&
		    (s = slot_stage_index(t, slot_named(l, k))) != NULL)
			quota_good(s, now, probe);
	}
	map_commit(t->map);
}

size_t
slot_sweep(struct slot_table *t, const struct text_time *now)
{
	uint8_t known[MAP_WORKERS] = { 0 };	/* 1 lives, 2 is dead */
	const struct slot_lease *l;
	uint64_t top = slot_head(t)->top;
	size_t n = 0;
	uint32_t i;
	int w;

	for (i = 0; i < top && (l = slot_lease(t, i)) != NULL; i++) {
		if (l->owner == 0)
			continue;
		w = l->owner - 1;
		if (w >= MAP_WORKERS)
			;			/* nobody's */
		else if (w == t->worker)
			known[w] = l->owner_gen == t->gen ? 1 : 2;
		else if (known[w] == 0)
			known[w] = map_alive(t->map, w) ? 1 : 2;
		if (w >= MAP_WORKERS || known[w] == 2) {
			slot_settle(t, now, i, NULL);
			n++;
		}
	}
	return n;
}

void
slot_part(const struct slot_table *t, const struct text_time *now,
    uint32_t slot, const struct quota_slot *s, const struct window_rule *r,
    struct quota_row *rows, size_t n)
{
	const struct slot_lease *e;
	uint64_t top = slot_head(t)->top;
	struct window_mark m;
	uint32_t i;
	size_t k;
	int j;

	for (i = 0; i < top && (e = slot_lease(t, i)) != NULL; i++) {
		for (j = 0; j < SLOT_SCOPES; j++) {
			if (e->owner != 0 && slot_named(e, j) == slot)
				break;
		}
		if (j == SLOT_SCOPES)
			continue;
		m = (struct window_mark){ e->sec, e->serial[j] };
		for (k = 0; k < n; k++) {
			if (rows[k].limit != CONFIG_CONCURRENCY &&
			    window_holds(&s->windows, r, now, m, rows[k].limit))
				rows[k].reserved += rows[k].limit >=
				    CONFIG_TPM ? (int64_t)e->tokens :
				    slot_holds(e, j);
		}
	}
	for (k = 0; k < n; k++) {
		if (rows[k].reserved > rows[k].used)
			rows[k].reserved = rows[k].used;
		rows[k].used -= rows[k].reserved;
	}
}
