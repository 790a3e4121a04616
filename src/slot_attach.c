#include "slot.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "map.h"
#include "save.h"
#include "text.h"

#define SLOTS_MIN	256
#define ALIASES_MIN	128

static void
prepare(struct slot_table *t, uint64_t nslots, uint64_t naliases)
{
	struct slot_head *h = map_raw(t->map);

	memset(h, 0, map_size(t->map));
	h->nslots = nslots;
	h->naliases = naliases;
}

/* What was copied from another file or another boot: leases are gone, with
 * what they reserved still counted. */
static void
convert(struct slot_table *t, const struct text_time *then,
    const struct text_time *now)
{
	struct slot_head *h = map_raw(t->map);
	char *data = map_raw(t->map);
	struct quota_slot *s;
	uint64_t i;

	memset(data + SLOT_WORKERS_OFF, 0, MAP_WORKERS * 8);
	memset(data + slot_lease_off(h->naliases), 0,
	    SLOT_LEASES * sizeof(struct slot_lease) +
	    SLOT_PLACES * sizeof(struct slot_place));
	h->free = 0;
	h->top = 0;
	h->waiting = 0;
	h->abandoned = h->taken - h->settled;
	for (i = 0; i < h->nslots; i++) {
		s = (void *)(data + slot_slots_off(h->naliases) +
		    i * sizeof(*s));
		if ((s->hash[0] | s->hash[1]) != 0)
			quota_reboot(s, then, now);
	}
}

static void
take_worker(struct slot_table *t, const struct text_time *now)
{
	uint64_t *w;

	t->worker = map_claim(t->map);
	t->crowded = t->worker < 0;
	if (t->crowded)
		return;
	w = map_stage(t->map, SLOT_WORKERS_OFF + (size_t)t->worker * 8, 8);
	if (w == NULL)
		return;
	t->gen = (uint16_t)(*w + 1);
	*w = (uint64_t)(uint32_t)getpid() << 32 | t->gen;
	map_commit(t->map);
	slot_sweep(t, now);		/* what the last owner left */
}

static void
sizes(const struct slot_table *t, uint64_t *nslots, uint64_t *naliases)
{
	*nslots = (t->nscopes + 8 + SLOT_STEP - 1) / SLOT_STEP * SLOT_STEP;
	if (*nslots < SLOTS_MIN)
		*nslots = SLOTS_MIN;
	*naliases = (t->naliases + 16) / 16 * 16;
	if (*naliases < ALIASES_MIN)
		*naliases = ALIASES_MIN;
}

/* Put the data of a map that was just opened in order. */
static int
settle_in(struct slot_table *t, struct map *old, const struct text_time *now)
{
	uint64_t nslots, naliases;

	sizes(t, &nslots, &naliases);
	if (map_state(t->map) == MAP_FRESH && old != NULL &&
	    map_size(old) <= map_size(t->map) && map_begin(old) == 0) {
		memcpy(map_raw(t->map), map_data(old), map_size(old));
		map_end(old);
		slot_past_told(t, now);
		if (slot_sane(map_raw(t->map), map_size(t->map)))
			convert(t, now, now);
		else
			prepare(t, nslots, naliases);
	} else if (map_state(t->map) == MAP_FRESH)
		prepare(t, nslots, naliases);
	else if (!slot_sane(slot_head(t), map_size(t->map))) {
		log_msg(LOG_WARN, "state_reset", "the state file's tables are"
		    " damaged; counts begin anew");
		while (nslots > 1 &&
		    slot_whole(nslots, naliases) > map_size(t->map))
			nslots--;
		prepare(t, nslots, naliases);
	} else if (map_state(t->map) == MAP_RESTORED)
		convert(t, map_then(t->map), now);
	map_ready(t->map);
	if (slot_resolve(t, now) < 0)
		return -1;
	take_worker(t, now);
	return t->worker < 0 ? -1 : 0;
}

/* Back to the memory that we came from: its leases are still open. */
static void
stay(struct slot_table *t, struct map *old, uint16_t epoch,
    const struct text_time *now)
{
	bool resolved = map_why(t->map) == NULL;

	map_end(t->map);
	map_close(t->map);
	t->map = old;
	t->epoch = epoch;
	t->epochs--;
	t->worker = map_claim(old);
	if (resolved)
		(void)slot_resolve(t, now);
}

int
slot_attach(struct slot_table *t, const char *path,
    const struct text_time *now)
{
	uint64_t nslots, naliases;
	struct map_want want = { .path = path, .layout = slot_layout() };
	struct map *old = t->map, *m;
	uint16_t epoch = t->epoch;
	bool memory = old != NULL && map_why(old) != NULL, crowded;
	int r = -1;

	sizes(t, &nslots, &naliases);
	want.size = slot_whole(nslots, naliases);
	if (old != NULL && map_size(old) > want.size)
		want.size = map_size(old);	/* grown since it was made */
	if ((m = map_open(&want, now)) == NULL)
		return -1;
	if (memory && map_why(m) == NULL)
		slot_past_end(t, now);
	else if (!memory && map_why(m) != NULL && slot_past_new(t) < 0) {
		map_close(m);
		return -1;
	}
	t->map = m;
	t->epoch = ++t->epochs;
	if (!memory || map_why(m) == NULL)
		r = settle_in(t, old, now);
	if (r < 0 && memory) {
		stay(t, old, epoch, now);
		return 0;
	}
	if (r == 0 && map_why(m) != NULL)
		slot_past_begin(t, now);
	else if (r == 0) {
		t->left = NULL;
		slot_past_charge(t, now);
	}
	map_end(m);
	map_close(old);
	if (r < 0 && path != NULL) {
		crowded = t->crowded;
		t->left = crowded ? "more processes than the state file has"
		    " room for" : "the state file cannot grow for this"
		    " configuration (a full disk?)";
		log_msg(LOG_WARN, "state_full", "%s: %s", path, t->left);
		r = slot_attach(t, NULL, now);
		t->crowded = crowded;
	}
	return r;
}

int
slot_snapshot(struct slot_table *t, const char *path,
    const struct text_time *now, const char **why)
{
	uint64_t nslots, naliases;
	struct map_want want = { .path = path, .layout = slot_layout(),
	    .look = true };

	sizes(t, &nslots, &naliases);
	want.size = slot_whole(nslots, naliases);
	*why = NULL;
	t->map = map_open(&want, now);
	if (t->map != NULL && map_state(t->map) != MAP_FRESH &&
	    !slot_sane(slot_head(t), map_size(t->map))) {
		*why = "its tables are damaged";
		map_close(t->map);
		want.path = NULL;
		t->map = map_open(&want, now);
	}
	if (t->map == NULL)
		return -1;
	if (map_state(t->map) == MAP_RESTORED)
		convert(t, map_then(t->map), now);
	else if (map_state(t->map) == MAP_FRESH)
		prepare(t, nslots, naliases);
	return slot_resolve(t, now);
}

struct map *
slot_detach(struct slot_table *t, const struct text_time *now)
{
	struct map_want want = { .size = map_size(t->map) };
	struct map *old = t->map, *m;

	if (slot_past_new(t) < 0 || (m = map_open(&want, now)) == NULL)
		return NULL;
	memcpy(map_raw(m), map_data(old), map_size(old));
	t->map = m;
	t->away = t->epoch;
	t->epoch = ++t->epochs;
	if (slot_sane(slot_head(t), map_size(m)))
		convert(t, now, now);
	else
		prepare(t, 1, 0);
	t->worker = map_claim(m);
	slot_past_begin(t, now);
	return old;
}

void
slot_return(struct slot_table *t, struct map *m, const struct text_time *now)
{
	slot_past_end(t, now);
	map_close(t->map);
	t->map = m;
	t->epoch = t->away;
	t->worker = map_claim(m);
	slot_past_charge(t, now);
}

bool
slot_save(struct slot_table *t, const struct text_time *now, int64_t age)
{
	const struct slot_head *h = slot_head(t);
	struct save_range *r;
	const struct quota_slot *s;
	size_t n = 1, off;
	uint32_t i;
	bool ok;

	if (map_stale(t->map, now) < age || map_stale(t->map, now) < 0 ||
	    !slot_sane(h, map_size(t->map)))
		return false;
	if ((r = malloc((h->nslots + 1) * sizeof(*r))) == NULL)
		return false;
	r[0] = (struct save_range){ 0, slot_lease_off(h->naliases) };
	for (i = 0; (s = slot_index(t, i)) != NULL; i++) {
		if ((s->hash[0] | s->hash[1]) == 0)
			continue;
		off = slot_slots_off(h->naliases) + i * sizeof(*s);
		if (r[n - 1].off + r[n - 1].len == off)
			r[n - 1].len += sizeof(*s);
		else
			r[n++] = (struct save_range){ off, sizeof(*s) };
	}
	ok = map_save(t->map, now, r, n) == 0;
	free(r);
	return ok;
}
