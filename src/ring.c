#include "ring.h"

/* A damaged file may give any number: the index must be in range. */
static int
place(const struct ring *r, int64_t number)
{
	int i = (int)(number % r->n);

	return i < 0 ? i + r->n : i;
}

static uint32_t
get(const struct ring *r, int64_t number)
{
	int i = place(r, number);

	return r->narrow ? r->narrow[i] : r->count[i];
}

static int64_t
most_of(const struct ring *r)
{
	return r->narrow ? UINT16_MAX : UINT32_MAX;
}

static void
set(const struct ring *r, int64_t number, int64_t v)
{
	int i = place(r, number);

	if (v < 0)
		v = 0;
	if (v > most_of(r))
		v = most_of(r);
	if (r->narrow)
		r->narrow[i] = (uint16_t)v;
	else
		r->count[i] = (uint32_t)v;
}

static int64_t
whole(const struct ring *r)
{
	int64_t sum = 0;
	int i;

	if (r->narrow) {
		for (i = 0; i < r->n; i++)
			sum += r->narrow[i];
	} else {
		for (i = 0; i < r->n; i++)
			sum += r->count[i];
	}
	return sum;
}

int64_t
ring_sum(const struct ring *r, int64_t head, int64_t sec)
{
	int64_t h = head / r->unit, c = sec / r->unit, sum = 0, k;

	if (c >= h + r->n)
		return 0;
	if (c - h > r->n / 2) {
		for (k = c - r->n + 1; k <= h; k++)
			sum += get(r, k);
		return sum;
	}
	sum = whole(r);
	for (k = h - r->n + 1; k <= c - r->n; k++)
		sum -= get(r, k);
	return sum;
}

void
ring_add(const struct ring *r, int64_t head, int64_t sec, int64_t delta)
{
	int64_t number = sec / r->unit;

	if (number > head / r->unit - r->n && number <= head / r->unit)
		set(r, number, get(r, number) + delta);
}

int64_t
ring_room(const struct ring *r, int64_t head, int64_t sec)
{
	int64_t number = sec / r->unit;

	if (number > head / r->unit)
		return most_of(r);
	return most_of(r) - get(r, number);
}

int64_t
ring_when(const struct ring *r, int64_t head, int64_t sec, int64_t most)
{
	int64_t h = head / r->unit, c = sec / r->unit, k;
	int64_t over = ring_sum(r, head, sec) - most;

	for (k = (c > h ? c : h) - r->n + 1; over > 0 && k <= h; k++) {
		over -= get(r, k);
		if (over <= 0)
			return (k + r->n) * r->unit;
	}
	return sec;
}

int64_t
ring_empty(const struct ring *r, int64_t head, int64_t sec)
{
	return ring_when(r, head, sec, 0);
}

void
ring_roll(const struct ring *r, int64_t head, int64_t to)
{
	int64_t h = head / r->unit, c = to / r->unit;

	if (c - h > r->n)
		h = c - r->n;
	while (h < c)
		set(r, ++h, 0);
}

void
ring_move(const struct ring *r, int64_t head, int64_t delta, int64_t to)
{
	uint32_t old[RING_MAX];
	int64_t h = head / r->unit, top = to / r->unit, k, last;

	for (k = 0; k < r->n; k++) {
		old[place(r, k)] = get(r, k);
		set(r, k, 0);
	}
	for (k = h; k > h - r->n && k >= 0; k--) {
		last = (k + 1) * r->unit - 1;
		last = (last < head ? last : head) + delta;
		if (last < 0)
			continue;
		last = last > to ? top : last / r->unit;
		if (last > top - r->n)
			set(r, last, (int64_t)get(r, last) + old[place(r, k)]);
	}
}
