#include "throttle.h"

#include <assert.h>
#include <stddef.h>

#include "map.h"
#include "slot.h"
#include "text.h"

#define WAYS		8	/* an address has its place among so many */
#define TELL_MS		60000

static_assert(sizeof(struct slot_failed) == 24, "failed");
static_assert(SLOT_FAILED % WAYS == 0, "whole sets");

static const struct slot_failed *
set_of(const struct slot_table *t, uint64_t who)
{
	const char *data = map_data(t->map);

	if (map_size(t->map) < SLOT_FAILED_OFF + SLOT_FAILED_LEN)
		return NULL;
	return (const struct slot_failed *)(const void *)(data +
	    SLOT_FAILED_OFF) + who % (SLOT_FAILED / WAYS) * WAYS;
}

/* What is left to the time when the bucket is full again. More than a whole
 * bucket: the clock was set back, or the file is damaged. */
static int64_t
left(const struct slot_failed *c, const struct text_time *now)
{
	int64_t ms;

	if (__builtin_sub_overflow(c->until, now->wall, &ms) || ms <= 0)
		return 0;
	return ms <= THROTTLE_BURST * THROTTLE_MS ? ms : 0;
}

static int64_t
wait_of(int64_t ms)
{
	ms -= (THROTTLE_BURST - 1) * THROTTLE_MS;
	return ms > 0 ? ms : 0;
}

/* The place of who, else the one that is missed least. */
static const struct slot_failed *
place_of(const struct slot_failed *set, const struct text_time *now,
    uint64_t who)
{
	const struct slot_failed *best = set;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].who == who)
			return &set[i];
		if (left(&set[i], now) < left(best, now))
			best = &set[i];
	}
	return best;
}

int64_t
throttle_wait(const struct slot_table *t, const struct text_time *now,
    uint64_t who)
{
	uint64_t number = map_peek(t->map);
	const struct slot_failed *c = set_of(t, who);
	int64_t ms = 0;

	if (number == 0 || c == NULL)
		return 0;
	c = place_of(c, now, who);
	if (c->who == who)
		ms = wait_of(left(c, now));
	return map_peeked(t->map, number) ? ms : 0;
}

int64_t
throttle_count(struct slot_table *t, const struct text_time *now,
    uint64_t who, bool *tell)
{
	const struct slot_failed *is = set_of(t, who);
	struct slot_failed *c;
	int64_t ms;

	*tell = false;
	if (is == NULL)
		return 0;
	is = place_of(is, now, who);
	ms = is->who == who ? left(is, now) : 0;
	if (wait_of(ms) > 0)
		return wait_of(ms);
	c = map_stage(t->map, (size_t)((const char *)is -
	    (const char *)map_data(t->map)), sizeof(*c));
	if (c == NULL)
		return 0;
	if (c->who != who)
		*c = (struct slot_failed){ .who = who };
	ms += THROTTLE_MS;
	c->until = now->wall + ms;
	if (wait_of(ms) > 0 && (c->told == 0 || now->wall < c->told ||
	    now->wall - c->told >= TELL_MS)) {
		*tell = true;
		c->told = now->wall;
	}
	map_commit(t->map);
	return 0;
}
