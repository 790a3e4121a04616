#include "line.h"

#include <stdbool.h>

#include "map.h"
#include "slot.h"
#include "text.h"

#define LATE	100		/* ms overdue from which its process is asked
				 * for: a system call */

/* A ticket is a serial number and, below it, the place: it is found without a
 * search, and still older is lower. */
static uint32_t
place_of(uint64_t ticket)
{
	return (uint32_t)(ticket % SLOT_PLACES);
}

static bool
dead(const struct slot_table *t, const struct slot_place *p)
{
	int w = p->owner - 1;

	if (w == t->worker)
		return p->owner_gen != t->gen;
	return !map_alive(t->map, w);
}

static void
take_away(struct slot_table *t, uint32_t i)
{
	struct slot_place *p = slot_stage_place(t, i);
	struct slot_head *h = slot_stage_head(t);

	if (p != NULL && h != NULL) {
		p->ticket = 0;
		if (h->waiting > 0)
			h->waiting--;
		map_commit(t->map);
	} else {
		map_drop(t->map);
	}
}

size_t
line_ahead(struct slot_table *t, const struct text_time *now, uint64_t line,
    uint64_t ticket)
{
	uint64_t left = slot_head(t)->waiting;
	const struct slot_place *p;
	size_t n = 0;
	uint32_t i;

	for (i = 0; left > 0 && (p = slot_place(t, i)) != NULL; i++) {
		if (p->ticket == 0)
			continue;
		left--;
		if (p->line != line || (ticket != 0 && p->ticket >= ticket))
			continue;
		if (now->mono <= p->due + LATE)
			n++;
		else if (dead(t, p))
			take_away(t, i);
		else if (now->mono <= p->due + LINE_GRACE)
			n++;
	}
	return n;
}

/* A free place, taken; 0 when there is none. */
static uint64_t
take_place(struct slot_table *t, uint64_t line, int64_t due)
{
	const struct slot_place *is;
	struct slot_place *p;
	struct slot_head *h;
	uint32_t i;

	for (i = 0; (is = slot_place(t, i)) != NULL && is->ticket != 0; i++)
		;
	p = is == NULL ? NULL : slot_stage_place(t, i);
	h = slot_stage_head(t);
	if (p == NULL || h == NULL)
		return 0;
	h->ticket = (h->ticket / SLOT_PLACES + 1) * SLOT_PLACES + i;
	h->waiting++;
	*p = (struct slot_place){ .ticket = h->ticket, .line = line,
	    .due = due, .owner = (uint16_t)(t->worker + 1),
	    .owner_gen = t->gen };
	return p->ticket;
}

void
line_join(struct slot_table *t, uint64_t line, uint64_t *ticket, int64_t due)
{
	const struct slot_place *is = slot_place(t, place_of(*ticket));
	struct slot_place *p;

	if (*ticket != 0 && is != NULL && is->ticket == *ticket) {
		p = slot_stage_place(t, place_of(*ticket));
		if (p != NULL)
			p->due = due;
	} else {
		/* New, or its place was lost with the file. */
		*ticket = take_place(t, line, due);
	}
	map_commit(t->map);
}

void
line_leave(struct slot_table *t, uint64_t ticket)
{
	const struct slot_place *p = slot_place(t, place_of(ticket));

	if (p != NULL && p->ticket == ticket)
		take_away(t, place_of(ticket));
}

/* The count is made anew: it is only a hint that saves the search, but a wrong
 * zero would hide who waits. */
void
line_sweep(struct slot_table *t)
{
	const struct slot_place *p;
	struct slot_head *h;
	uint64_t n = 0;
	uint32_t i;

	if (slot_head(t)->waiting == 0)
		return;
	for (i = 0; (p = slot_place(t, i)) != NULL; i++) {
		if (p->ticket != 0 && dead(t, p))
			take_away(t, i);
		n += p->ticket != 0;
	}
	if (n == slot_head(t)->waiting || (h = slot_stage_head(t)) == NULL)
		return;
	h->waiting = n;
	map_commit(t->map);
}
