#include "slot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "map.h"
#include "names.h"
#include "text.h"

#define DAY		86400000LL
#define FORGET		(32 * DAY)	/* longer than every window */
#define SLOTS_MAX	16384

#define HEAD_OFF	0
#define ALIAS_OFF	(SLOT_FAILED_OFF + SLOT_FAILED_LEN)

static_assert(sizeof(struct slot_head) == 128, "head");
static_assert(sizeof(struct slot_lease) == 32, "lease");
static_assert(sizeof(struct slot_place) == 32, "place");
static_assert(CONFIG_SCOPES + 8 + SLOT_STEP <= SLOTS_MAX, "a slot for each");

struct alias {
	uint64_t hash[2];
	uint64_t turn;			/* changed by map_add only */
	uint64_t used;			/* wall s */
};
static_assert(sizeof(struct alias) == 32, "alias");

/* Where the tables begin. Slots are last, so that they can grow. */
size_t
slot_lease_off(uint64_t naliases)
{
	return ALIAS_OFF + naliases * sizeof(struct alias);
}

static size_t
place_off(uint64_t naliases)
{
	return slot_lease_off(naliases) +
	    SLOT_LEASES * sizeof(struct slot_lease);
}

size_t
slot_slots_off(uint64_t naliases)
{
	return place_off(naliases) + SLOT_PLACES * sizeof(struct slot_place);
}

size_t
slot_whole(uint64_t nslots, uint64_t naliases)
{
	return slot_slots_off(naliases) + nslots * sizeof(struct quota_slot);
}

uint64_t
slot_layout(void)
{
	static const uint32_t shape[] = { sizeof(struct slot_head),
	    sizeof(struct slot_lease), sizeof(struct quota_slot),
	    sizeof(struct alias), SLOT_LEASES, SLOT_PLACES, MAP_WORKERS,
	    sizeof(struct slot_cell), SLOT_HOURS, SLOT_DAYS,
	    sizeof(struct slot_failed), SLOT_FAILED,
	    offsetof(struct quota_slot, windows),
	    offsetof(struct window_set, minute_req),
	    offsetof(struct window_set, day_tok), CONFIG_LIMITS,
	    QUOTA_REASONS };

	return text_hash(TEXT_HASH, shape, sizeof(shape));
}

/* Names. */

#define PARTS	6

/* Whose key scope i is. */
static size_t
provider_of_key(const struct slot_table *t, size_t i)
{
	size_t k = 0;

	while (k + 1 < t->cfg->nproviders && t->key[k + 1] <= i)
		k++;
	return k;
}

/* The parts of scope i's name. */
static size_t
parts(const struct slot_table *t, size_t i, const char *p[PARTS])
{
	const struct config *c = t->cfg;
	const struct config_lane *lane;
	size_t k;

	if (i < t->keys) {
		p[0] = "provider/";
		p[1] = c->providers[i].name;
		return 2;
	}
	if (i < t->lanes) {
		k = provider_of_key(t, i);
		p[0] = "key/";
		p[1] = c->providers[k].name;
		p[2] = "/";
		p[3] = c->providers[k].keys[i - t->key[k]].name;
		return 4;
	}
	if (i >= t->clients) {
		p[0] = "client/";
		p[1] = c->clients[i - t->clients].name;
		return 2;
	}
	lane = &c->lanes[i - t->lanes];
	k = lane->provider;
	p[0] = "lane/";
	p[1] = c->providers[k].name;
	p[2] = "/";
	p[3] = lane->key < c->providers[k].nkeys ?
	    c->providers[k].keys[lane->key].name : "-";
	p[4] = "/";
	p[5] = c->models[lane->model].id;
	return 6;
}

static void
hash_parts(uint64_t hash[2], const char *const *p, size_t n)
{
	size_t i;

	hash[0] = TEXT_HASH;
	hash[1] = 0x2545f4914f6cdd1dULL;
	for (i = 0; i < n; i++) {
		hash[0] = text_hash(hash[0], p[i], strlen(p[i]));
		hash[1] = text_hash(hash[1], p[i], strlen(p[i]));
	}
	hash[1] = (hash[1] ^ hash[1] >> 31) | 1;	/* 0 0 is a free slot */
}

static void
name_of(const struct slot_table *t, size_t i, char name[QUOTA_NAME])
{
	const char *p[PARTS];
	size_t n = parts(t, i, p), k, len, at = 0;

	for (k = 0; k < n; k++) {
		len = strlen(p[k]);
		if (len > QUOTA_NAME - 1 - at)
			len = QUOTA_NAME - 1 - at;
		memcpy(name + at, p[k], len);
		at += len;
	}
	name[at] = '\0';
}

static const struct config_limits unlimited = { { CONFIG_NONE, CONFIG_NONE,
    CONFIG_NONE, CONFIG_NONE, CONFIG_NONE, CONFIG_NONE, CONFIG_NONE,
    CONFIG_NONE, CONFIG_NONE } };

static void
rule_of(const struct slot_table *t, size_t i, struct window_rule *r)
{
	const struct config *c = t->cfg;
	const struct config_lane *lane;
	size_t k;

	if (i < t->keys)
		*r = (struct window_rule){ &c->providers[i].limits,
		    c->providers[i].day };
	else if (i < t->lanes) {
		k = provider_of_key(t, i);
		*r = (struct window_rule){ &c->providers[k].key_limits,
		    c->providers[k].day };
	} else if (i < t->clients) {
		lane = &c->lanes[i - t->lanes];
		*r = (struct window_rule){ &c->models[lane->model].limits,
		    c->providers[lane->provider].day };
	} else
		*r = (struct window_rule){ &c->clients[i - t->clients].limits,
		    CONFIG_DAY_UTC };
}

int
slot_init(struct slot_table *t, const struct config *cfg)
{
	const char *p[PARTS];
	size_t i, nkeys = 0;

	*t = (struct slot_table){ .cfg = cfg, .worker = -1 };
	t->key = calloc(cfg->nproviders + 1, sizeof(*t->key));
	if (t->key == NULL)
		return -1;
	for (i = 0; i < cfg->nproviders; i++) {
		t->key[i] = cfg->nproviders + nkeys;
		nkeys += cfg->providers[i].nkeys;
	}
	t->keys = cfg->nproviders;
	t->lanes = t->keys + nkeys;
	t->clients = t->lanes + cfg->nlanes;
	t->nscopes = t->clients + cfg->nclients;
	t->naliases = cfg->naliases;
	t->scopes = calloc(t->nscopes + 1, sizeof(*t->scopes));
	t->alias = calloc(t->naliases + 1, sizeof(*t->alias));
	t->turn = calloc(t->naliases + 1, sizeof(*t->turn));
	t->own_turn = calloc(t->naliases + 1, sizeof(*t->own_turn));
	if (t->scopes == NULL || t->alias == NULL || t->turn == NULL ||
	    t->own_turn == NULL)
		return -1;
	for (i = 0; i < t->nscopes; i++) {
		hash_parts(t->scopes[i].hash, p, parts(t, i, p));
		rule_of(t, i, &t->scopes[i].rule);
		t->scopes[i].slot = SLOT_NONE;
	}
	for (i = 0; i < t->naliases; i++) {
		p[0] = "alias/";
		p[1] = cfg->aliases[i].name;
		hash_parts(t->alias[i], p, 2);
		t->turn[i] = SLOT_NONE;
	}
	return 0;
}

void
slot_release(struct slot_table *t)
{
	map_close(t->map);
	free(t->key);
	free(t->scopes);
	free(t->alias);
	free(t->turn);
	free(t->own_turn);
	free(t->past);
	free(t->open);
	*t = (struct slot_table){ .worker = -1 };
}

/* Reading. */

const struct slot_head *
slot_head(const struct slot_table *t)
{
	return map_data(t->map);
}

bool
slot_sane(const struct slot_head *h, size_t size)
{
	return h->nslots <= SLOTS_MAX && h->naliases <= SLOTS_MAX &&
	    slot_whole(h->nslots, h->naliases) <= size && h->nslots > 0 &&
	    h->top <= SLOT_LEASES && h->free <= SLOT_LEASES;
}

const struct quota_slot *
slot_index(const struct slot_table *t, uint32_t i)
{
	const char *data = map_data(t->map);
	const struct slot_head *h = slot_head(t);

	if (!slot_sane(h, map_size(t->map)) || i >= h->nslots)
		return NULL;
	return (const void *)(data + slot_slots_off(h->naliases) +
	    i * sizeof(struct quota_slot));
}

const struct slot_lease *
slot_lease(const struct slot_table *t, uint32_t i)
{
	const char *data = map_data(t->map);
	const struct slot_head *h = slot_head(t);

	if (!slot_sane(h, map_size(t->map)) || i >= SLOT_LEASES)
		return NULL;
	return (const void *)(data + slot_lease_off(h->naliases) +
	    i * sizeof(struct slot_lease));
}

const struct slot_place *
slot_place(const struct slot_table *t, uint32_t i)
{
	const char *data = map_data(t->map);
	const struct slot_head *h = slot_head(t);

	if (!slot_sane(h, map_size(t->map)) || i >= SLOT_PLACES)
		return NULL;
	return (const void *)(data + place_off(h->naliases) +
	    i * sizeof(struct slot_place));
}

static bool
same(const uint64_t a[2], const uint64_t b[2])
{
	return a[0] == b[0] && a[1] == b[1];
}

const struct quota_slot *
slot_look(const struct slot_table *t, size_t scope)
{
	const struct slot_scope *c = &t->scopes[scope];
	const struct quota_slot *s = slot_index(t, c->slot);

	return s != NULL && same(s->hash, c->hash) ? s : NULL;
}

size_t
slot_scope_of(const struct slot_table *t, const struct quota_slot *s)
{
	size_t i;

	for (i = 0; i < t->nscopes; i++) {
		if (same(t->scopes[i].hash, s->hash))
			return i;
	}
	return SIZE_MAX;
}

const struct window_rule *
slot_rule(const struct slot_table *t, const struct quota_slot *s)
{
	static const struct window_rule none[] = {
	    { &unlimited, CONFIG_DAY_UTC }, { &unlimited, CONFIG_DAY_PACIFIC },
	    { &unlimited, CONFIG_DAY_ROLLING },
	    { &unlimited, CONFIG_DAY_FIRST_USE } };
	size_t i = slot_scope_of(t, s);

	return i != SIZE_MAX ? &t->scopes[i].rule :
	    &none[s->windows.kind < CONFIG_DAYS ? s->windows.kind : 0];
}

/* Staging. */

struct slot_head *
slot_stage_head(struct slot_table *t)
{
	return map_stage(t->map, HEAD_OFF, sizeof(struct slot_head));
}

static void *
stage_at(struct slot_table *t, const void *p, size_t len)
{
	return p == NULL ? NULL : map_stage(t->map,
	    (size_t)((const char *)p - (const char *)map_data(t->map)), len);
}

struct quota_slot *
slot_stage_index(struct slot_table *t, uint32_t i)
{
	return stage_at(t, slot_index(t, i), sizeof(struct quota_slot));
}

struct slot_lease *
slot_stage_lease(struct slot_table *t, uint32_t i)
{
	return stage_at(t, slot_lease(t, i), sizeof(struct slot_lease));
}

struct slot_place *
slot_stage_place(struct slot_table *t, uint32_t i)
{
	return stage_at(t, slot_place(t, i), sizeof(struct slot_place));
}

/* Making slots. */

static uint32_t
free_slot(const struct slot_table *t, uint32_t from)
{
	const struct quota_slot *s;
	uint32_t i;

	for (i = from; (s = slot_index(t, i)) != NULL; i++) {
		if ((s->hash[0] | s->hash[1]) == 0)
			return i;
	}
	return SLOT_NONE;
}

/* None is free: the slot of nobody's that is unused longest, and was last used
 * before `before`. */
static uint32_t
spare_slot(const struct slot_table *t, int64_t before)
{
	const struct quota_slot *s;
	uint32_t i, best = SLOT_NONE;
	int64_t oldest = before;

	for (i = 0; (s = slot_index(t, i)) != NULL; i++) {
		if (s->last_used < oldest && s->inflight == 0 &&
		    s->last_used != 0 && slot_scope_of(t, s) == SIZE_MAX) {
			oldest = s->last_used;
			best = i;
		}
	}
	return best;
}

static bool
grow(struct slot_table *t)
{
	uint64_t n = slot_head(t)->nslots, to = n + n / 4;
	struct slot_head *h;

	to = (to + SLOT_STEP) / SLOT_STEP * SLOT_STEP;
	if (to > SLOTS_MAX ||
	    map_grow(t->map, slot_whole(to, slot_head(t)->naliases)) < 0 ||
	    (h = slot_stage_head(t)) == NULL)
		return false;
	h->nslots = to;
	map_commit(t->map);
	return true;
}

/* No slot below `from` is free. */
static uint32_t
claim(struct slot_table *t, size_t scope, const struct text_time *now,
    uint32_t from)
{
	struct slot_scope *c = &t->scopes[scope];
	char name[QUOTA_NAME];
	struct quota_slot *s;
	uint32_t i;

	i = free_slot(t, from);
	if (i == SLOT_NONE)
		i = spare_slot(t, now->wall - FORGET);
	if (i == SLOT_NONE && grow(t))
		i = free_slot(t, from);
	if (i == SLOT_NONE)
		i = spare_slot(t, INT64_MAX);
	map_drop(t->map);
	if (i == SLOT_NONE || (s = slot_stage_index(t, i)) == NULL)
		return SLOT_NONE;
	name_of(t, scope, name);
	quota_init(s, name, c->hash);
	s->last_used = now->wall;
	s->windows.kind = (uint8_t)c->rule.day;
	map_commit(t->map);
	return i;
}

static uint32_t
find(const struct slot_table *t, const uint64_t hash[2])
{
	const struct quota_slot *s;
	uint32_t i;

	for (i = 0; (s = slot_index(t, i)) != NULL; i++) {
		if (same(s->hash, hash))
			return i;
	}
	return SLOT_NONE;
}

/* It moved: another process with another config needed its place. Nothing is
 * staged yet by the caller's promise. */
const struct quota_slot *
slot_at(struct slot_table *t, size_t scope, const struct text_time *now)
{
	struct slot_scope *c = &t->scopes[scope];
	const struct quota_slot *s = slot_look(t, scope);

	if (s != NULL)
		return s;
	c->slot = find(t, c->hash);
	if (c->slot == SLOT_NONE)
		c->slot = claim(t, scope, now, 0);
	return slot_look(t, scope);
}

struct quota_slot *
slot_stage(struct slot_table *t, size_t scope, const struct text_time *now)
{
	return stage_at(t, slot_at(t, scope, now), sizeof(struct quota_slot));
}

static const uint64_t *
slot_hash(const void *t, uint32_t i)
{
	const struct quota_slot *s = slot_index(t, i);

	return s == NULL ? NULL : s->hash;
}

static int
resolve_scopes(struct slot_table *t, const struct text_time *now)
{
	struct slot_scope *c;
	struct names n;
	uint32_t from = 0;
	size_t i;

	if (names_init(&n, t, slot_head(t)->nslots + t->nscopes,
	    slot_hash) != 0)
		return -1;
	for (i = 0; i < t->nscopes; i++) {
		c = &t->scopes[i];
		c->slot = names_find(&n, c->hash);
		if (c->slot != SLOT_NONE)
			continue;
		/* Thousands at once, in a new file. */
		c->slot = claim(t, i, now, from);
		if (slot_look(t, i) == NULL)
			break;
		names_add(&n, c->slot);
		if (from <= c->slot)
			from = c->slot + 1;
	}
	names_release(&n);
	return i == t->nscopes ? 0 : -1;
}

/* Aliases. */

static const struct alias *
alias_at(const struct slot_table *t, uint32_t i)
{
	const struct slot_head *h = slot_head(t);

	if (!slot_sane(h, map_size(t->map)) || i >= h->naliases)
		return NULL;
	return (const void *)((const char *)map_data(t->map) + ALIAS_OFF +
	    i * sizeof(struct alias));
}

static uint32_t
alias_find(struct slot_table *t, const uint64_t hash[2],
    const struct text_time *now)
{
	const struct alias *a;
	uint64_t oldest = UINT64_MAX;
	uint32_t i, best = SLOT_NONE;
	uint64_t *w;
	size_t off;

	for (i = 0; (a = alias_at(t, i)) != NULL; i++) {
		if (same(a->hash, hash))
			return i;
		if (a->used < oldest) {
			oldest = a->used;
			best = i;
		}
	}
	if ((a = alias_at(t, best)) == NULL)
		return SLOT_NONE;
	/* The hash and the date around the turn, which stays: any number is
	 * as good to begin with. */
	off = (size_t)((const char *)a - (const char *)map_data(t->map));
	if ((w = map_stage(t->map, off, 16)) != NULL)
		memcpy(w, hash, 16);
	if ((w = map_stage(t->map, off + 24, 8)) != NULL)
		*w = (uint64_t)(now->wall / 1000);
	map_commit(t->map);
	return best;
}

uint64_t
slot_turn(struct slot_table *t, size_t alias, uint64_t n)
{
	const struct alias *a = alias_at(t, t->turn[alias]);

	if (a == NULL || !same(a->hash, t->alias[alias])) {
		t->own_turn[alias] += n;
		return t->own_turn[alias] - n;
	}
	return map_add(t->map, (size_t)((const char *)&a->turn -
	    (const char *)map_data(t->map)), n);
}

static const uint64_t *
alias_hash(const void *t, uint32_t i)
{
	const struct alias *a = alias_at(t, i);

	return a == NULL ? NULL : a->hash;
}

static int
resolve_aliases(struct slot_table *t, const struct text_time *now)
{
	struct names n;
	size_t i;

	if (names_init(&n, t, slot_head(t)->naliases, alias_hash) != 0)
		return -1;
	for (i = 0; i < t->naliases; i++)
		t->turn[i] = names_find(&n, t->alias[i]);
	names_release(&n);
	for (i = 0; i < t->naliases; i++)
		if (t->turn[i] == SLOT_NONE)
			t->turn[i] = alias_find(t, t->alias[i], now);
	return 0;
}

int
slot_resolve(struct slot_table *t, const struct text_time *now)
{
	if (resolve_scopes(t, now) < 0)
		return -1;
	return resolve_aliases(t, now);
}
