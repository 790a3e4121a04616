#include "timer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int64_t
timer_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
put(struct timers *h, struct timer *t, size_t slot)
{
	h->heap[slot] = t;
	t->slot = slot;
}

/* Find t's place from slot, up and then down. */
static void
settle(struct timers *h, struct timer *t, size_t slot)
{
	size_t kid;

	for (; slot > 1 && h->heap[slot / 2]->due > t->due; slot /= 2)
		put(h, h->heap[slot / 2], slot);
	while ((kid = slot * 2) <= h->n) {
		if (kid < h->n && h->heap[kid + 1]->due < h->heap[kid]->due)
			kid++;
		if (h->heap[kid]->due >= t->due)
			break;
		put(h, h->heap[kid], slot);
		slot = kid;
	}
	put(h, t, slot);
}

void
timer_set(struct timers *h, struct timer *t, int64_t due)
{
	t->due = due;
	if (t->slot) {
		settle(h, t, t->slot);
		return;
	}
	if (h->n + 1 >= h->cap) {
		h->cap = h->cap ? h->cap * 2 : 64;
		h->heap = realloc(h->heap, h->cap * sizeof(*h->heap));
		if (!h->heap) {
			fputs("mock: out of memory\n", stderr);
			exit(70);
		}
	}
	settle(h, t, ++h->n);
}

void
timer_clear(struct timers *h, struct timer *t)
{
	size_t slot = t->slot;
	struct timer *last;

	if (!slot)
		return;
	t->slot = 0;
	last = h->heap[h->n--];
	if (last != t)
		settle(h, last, slot);
}

struct timer *
timer_first(const struct timers *h)
{
	return h->n ? h->heap[1] : NULL;
}

void
timer_free(struct timers *h)
{
	free(h->heap);
}
