#include "book.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "line.h"
#include "log.h"
#include "map.h"
#include "slot.h"
#include "text.h"

#define SAVE_MS		2000

/* Each waits for 100 ms. A holder that is stopped must not stop a loop for
 * long; but one that only has no turn is more common: with a load of 12 to 50
 * on two processors, one that was opening the file, for which it needs 50 us,
 * was seen to keep the lock for more than 100 ms. Who serves one request has
 * nothing else to do than to wait. */
#define TRIES_LOOP	5
#define TRIES_ALONE	20

/* What was counted in memory is lost to the file if it does not come back. Less
 * on a loop, whose supervisor waits 2 s for its end. */
#define LEAVE_LOOP	20
#define LEAVE_ALONE	100

/* A lease of the file that ended while the file was out of reach. */
struct book_ended {
	uint32_t gen, index;
	struct slot_end end;
};

/* The file is gone or stuck: go on in memory with what is known. A lock that
 * is held so long belongs to a stopped process; the file stays open beside and
 * our leases in it stay alive until the lock is free again. */
static void
fall_back(struct book *b)
{
	bool busy = map_busy(b->t.map);
	struct map *old;

	if ((old = slot_detach(&b->t, &b->now)) == NULL)
		return;
	snprintf(b->why, sizeof(b->why), "%s: %s; counting in memory",
	    b->cfg->state, busy ? "its lock is held too long" :
	    "truncated or damaged while in use");
	log_msg(LOG_WARN, busy ? "state_busy" : "state_lost", "%s", b->why);
	if (busy)
		b->away = old;
	else
		map_close(old);
}

/* Memory has no lock that could fail, so the second try succeeds, but for a
 * process without memory. */
int
book_begin(struct book *b, const struct text_time *now)
{
	int i = b->aside ? TRIES_LOOP : TRIES_ALONE;

	b->now = *now;
	do {
		if (map_begin(b->t.map) == 0)
			return 0;
	} while (--i > 0 && map_busy(b->t.map));
	fall_back(b);
	return map_begin(b->t.map);
}

void
book_end(struct book *b)
{
	map_end(b->t.map);
}

void
book_heal(struct book *b, size_t scope)
{
	struct quota_slot *s = slot_stage(&b->t, scope, &b->now);

	if (s == NULL)
		return;
	quota_heal(s, b->t.scopes[scope].rule.day, &b->now);
	map_commit(b->t.map);
}

/* Views only read: what they would refuse for ever is mended here. */
static void
heal_all(struct book *b)
{
	const struct quota_slot *s;
	size_t i;

	for (i = 0; i < b->t.nscopes; i++) {
		s = slot_look(&b->t, i);
		if (s != NULL && quota_astray(s, &b->now))
			book_heal(b, i);
	}
}

int
book_open(struct book *b, const struct config *cfg,
    const struct text_time *now)
{
	*b = (struct book){ .cfg = cfg, .now = *now };
	if (slot_init(&b->t, cfg) < 0 ||
	    slot_attach(&b->t, cfg->state, now) < 0) {
		slot_release(&b->t);
		return -1;
	}
	if (book_begin(b, now) == 0) {
		heal_all(b);
		book_end(b);
	}
	return 0;
}

int
book_snapshot(struct book *b, const struct config *cfg,
    const struct text_time *now)
{
	const char *why;

	*b = (struct book){ .cfg = cfg, .now = *now };
	if (slot_init(&b->t, cfg) < 0 ||
	    slot_snapshot(&b->t, cfg->state, now, &why) < 0) {
		slot_release(&b->t);
		return -1;
	}
	if (why != NULL)
		snprintf(b->why, sizeof(b->why), "%s: %s", cfg->state, why);
	return 0;
}

bool
book_crowded(const struct book *b)
{
	return map_why(b->t.map) != NULL && b->t.crowded;
}

const char *
book_health(const struct book *b)
{
	if (map_why(b->t.map) == NULL)
		return b->unsaved ? "no checkpoint can be written; a power "
		    "cut would lose counts" : NULL;
	if (b->t.left != NULL)
		return b->t.left;
	return b->why[0] != '\0' ? b->why : map_why(b->t.map);
}

/* Our own open leases end with us. */
static void
settle_own(struct book *b)
{
	const struct slot_lease *s;
	uint64_t top = slot_head(&b->t)->top;
	uint32_t i;

	for (i = 0; i < top && (s = slot_lease(&b->t, i)) != NULL; i++) {
		if (s->owner == b->t.worker + 1 && s->owner_gen == b->t.gen)
			slot_settle(&b->t, &b->now, i, NULL);
	}
}

static void
saved(struct book *b, bool ok)
{
	if (!ok && !b->unsaved)		/* once, not every 2 s */
		log_msg(LOG_WARN, "state_not_saved", "%s: no checkpoint can"
		    " be written; a power cut would lose counts",
		    b->cfg->state);
	b->unsaved = !ok;
}

/* The last process to leave writes a checkpoint; others only when one is due,
 * or each CGI request would wait for the disk. */
static void
checkpoint(struct book *b, bool leaving)
{
	enum map_saving was = map_saving(b->t.map, leaving);
	bool due;

	if (was == MAP_SAVING)
		return;
	if (was != MAP_IDLE)
		saved(b, was == MAP_SAVED);
	if (leaving && map_last(b->t.map)) {
		if (map_begin(b->t.map) < 0)
			return;
		due = slot_save(&b->t, &b->now, 0);
		map_end(b->t.map);
	} else {
		if (map_stale(b->t.map, &b->now) < 0)
			b->unsaved = false;	/* another process could */
		if (map_stale(b->t.map, &b->now) < SAVE_MS ||
		    map_begin(b->t.map) < 0)
			return;
		due = slot_save(&b->t, &b->now, SAVE_MS);
		map_end(b->t.map);
	}
	if (!due || (b->aside && !leaving && map_flush_aside(b->t.map) == 0))
		return;
	saved(b, map_flush(b->t.map) == 0);
}

uint64_t
book_lease(const struct book *b, uint32_t gen, uint32_t i)
{
	return (uint64_t)gen << 32 | (uint32_t)b->t.epoch << 16 | i;
}

/* Remember for later; without memory the lease ends with this process. */
static void
remember(struct book *b, uint32_t gen, uint32_t index,
    const struct slot_end *e)
{
	size_t cap = b->ended_cap == 0 ? 64 : b->ended_cap * 2;
	struct book_ended *p;

	if (b->nended == b->ended_cap) {
		p = realloc(b->ended, cap * sizeof(*p));
		if (p == NULL)
			return;
		b->ended = p;
		b->ended_cap = cap;
	}
	b->ended[b->nended++] = (struct book_ended){ gen, index, *e };
}

static_assert(SLOT_LEASES <= BOOK_PROBE, "a bit of its own");

static bool
open_here(const struct book *b, uint32_t gen, uint32_t i)
{
	const struct slot_lease *s = slot_lease(&b->t, i);

	return s != NULL && s->gen == gen && s->owner == b->t.worker + 1 &&
	    s->owner_gen == b->t.gen;
}

static void
settle(struct book *b, uint32_t gen, uint32_t i, const struct slot_end *e)
{
	if (open_here(b, gen, i))
		slot_settle(&b->t, &b->now, i, e);
}

static struct slot_id
id_of(struct book *b, uint64_t lease, bool last)
{
	struct slot_id id = { (uint16_t)(lease >> 16), (uint32_t)(lease >> 32),
	    lease & (BOOK_PROBE - 1) };

	slot_follow(&b->t, &id, last);
	return id;
}

void
book_settle(struct book *b, const struct text_time *now, uint64_t lease,
    const struct slot_end *e)
{
	struct slot_id id = id_of(b, lease, true);

	if (id.epoch == b->t.epoch && book_begin(b, now) == 0) {
		/* book_begin may have changed the map. */
		if (id.epoch == b->t.epoch)
			settle(b, id.gen, id.index, e);
		book_end(b);
	}
	if (id.epoch != b->t.epoch && b->away != NULL &&
	    id.epoch == b->t.away)
		remember(b, id.gen, id.index, e);
}

/* A lease of a file that is away tells it when it ends. */
void
book_good(struct book *b, const struct text_time *now, uint64_t lease)
{
	struct slot_id id = id_of(b, lease, false);

	if (id.epoch != b->t.epoch || book_begin(b, now) < 0)
		return;
	if (id.epoch == b->t.epoch && open_here(b, id.gen, id.index))
		slot_good(&b->t, &b->now, id.index);
	book_end(b);
}

/* In flight is what the leases say. It changes together with them, so this
 * finds nothing unless the file was damaged. */
static void
recount(struct book *b)
{
	const struct slot_head *h = slot_head(&b->t);
	const struct slot_lease *e;
	struct quota_slot *s;
	const struct quota_slot *is;
	uint16_t *n;
	uint32_t i;
	int j;

	if ((n = calloc(65536, sizeof(*n))) == NULL)
		return;
	for (i = 0; i < h->top && (e = slot_lease(&b->t, i)) != NULL; i++) {
		for (j = 0; e->owner != 0 && j < SLOT_SCOPES; j++)
			n[slot_named(e, j) & UINT16_MAX]++;
	}
	for (i = 0; (is = slot_index(&b->t, i)) != NULL; i++) {
		if (is->inflight == n[i])
			continue;
		if ((s = slot_stage_index(&b->t, i)) == NULL)
			break;
		s->inflight = n[i];
		map_commit(b->t.map);
	}
	free(n);
}

/* The lock that was stuck is free again: settle what ended meanwhile. */
static void
come_back(struct book *b)
{
	size_t i;

	if (map_begin(b->away) < 0) {
		if (map_busy(b->away))
			return;
		map_close(b->away);	/* lost; attach anew */
		b->away = NULL;
		return;
	}
	slot_return(&b->t, b->away, &b->now);
	b->away = NULL;
	for (i = 0; i < b->nended; i++)
		settle(b, b->ended[i].gen, b->ended[i].index,
		    &b->ended[i].end);
	b->nended = 0;
	book_end(b);
	b->why[0] = '\0';
	log_msg(LOG_INFO, "state_back", "%s is in use again", b->cfg->state);
}

static void
come_anew(struct book *b)
{
	bool file = map_why(b->t.map) == NULL;

	/* Our own lock must not look like another process that uses it. */
	if (file)
		map_last(b->t.map);
	if (slot_attach(&b->t, b->cfg->state, &b->now) < 0) {
		if (file)
			b->t.worker = map_claim(b->t.map);
		return;
	}
	if (map_why(b->t.map) != NULL)
		return;
	b->nended = 0;
	b->why[0] = '\0';
	log_msg(LOG_INFO, "state_back", "%s is in use", b->cfg->state);
}

void
book_close(struct book *b)
{
	int i = b->aside ? LEAVE_LOOP : LEAVE_ALONE;

	/* A CGI process has no tick. */
	while (b->away != NULL && i-- > 0)
		come_back(b);
	if (b->away == NULL && b->t.past != NULL && b->cfg->state != NULL &&
	    slot_head(&b->t)->taken > 0)
		come_anew(b);
	if (map_begin(b->t.map) == 0) {
		settle_own(b);
		book_end(b);
	}
	checkpoint(b, true);
	map_close(b->away);
	slot_release(&b->t);
	free(b->ended);
}

void
book_tick(struct book *b, const struct text_time *now)
{
	b->now = *now;
	if (b->away != NULL)
		come_back(b);
	if (map_why(b->t.map) != NULL) {
		if (b->away == NULL && b->cfg->state != NULL)
			come_anew(b);
	} else if (map_check(b->t.map) < 0)
		come_anew(b);
	if (book_begin(b, now) < 0)
		return;
	slot_sweep(&b->t, now);
	line_sweep(&b->t);
	heal_all(b);
	recount(b);
	book_end(b);
	checkpoint(b, false);
}
