#include "slot.h"

#include <assert.h>

#include "map.h"
#include "text.h"

static_assert(sizeof(struct slot_cell) == 40, "cell");

/* Where each ring begins in the table, in cells. */
static const struct {
	uint32_t first, size;
	int64_t	 ms;			/* that one cell covers */
} rings[] = {
	[SLOT_BY_HOUR] = { 0, SLOT_HOURS, 3600000 },
	[SLOT_BY_DAY] = { SLOT_HOURS, SLOT_DAYS, 86400000 },
};

int64_t
slot_number(enum slot_ring ring, int64_t wall)
{
	return wall > 0 ? wall / rings[ring].ms : 0;
}

int64_t
slot_began(enum slot_ring ring, int64_t number)
{
	return number * rings[ring].ms;
}

static size_t
cell_off(enum slot_ring ring, int64_t number)
{
	size_t i = (size_t)(number % rings[ring].size);

	return SLOT_HISTORY_OFF + (rings[ring].first + i) *
	    sizeof(struct slot_cell);
}

const struct slot_cell *
slot_cell(const struct slot_table *t, enum slot_ring ring, int64_t number)
{
	if (number < 0 || map_size(t->map) <
	    SLOT_HISTORY_OFF + SLOT_HISTORY_LEN)
		return NULL;
	return (const void *)((const char *)map_data(t->map) +
	    cell_off(ring, number));
}

static void
count(struct slot_table *t, enum slot_ring ring, int64_t wall,
    const struct slot_cell *add)
{
	int64_t number = slot_number(ring, wall);
	struct slot_cell *c;

	c = map_stage(t->map, cell_off(ring, number), sizeof(*c));
	if (c == NULL)
		return;
	/* What stood here was a whole turn ago, or the clock was set. */
	if (c->number != number)
		*c = (struct slot_cell){ .number = number };
	c->requests += add->requests;
	c->tokens += add->tokens;
	c->failures += add->failures;
	c->fallbacks += add->fallbacks;
}

void
slot_count(struct slot_table *t, const struct text_time *now,
    const struct slot_cell *add)
{
	count(t, SLOT_BY_HOUR, now->wall, add);
	count(t, SLOT_BY_DAY, now->wall, add);
}
