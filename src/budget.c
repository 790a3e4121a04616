#include "budget.h"

#include <stddef.h>

#define PART_MS		10000

static size_t
part_of(struct budget *b, int64_t now)
{
	int64_t at = now / PART_MS;
	size_t i = (size_t)(at % BUDGET_PARTS);

	if (b->part[i].at != at) {
		b->part[i].at = at;
		b->part[i].asked = b->part[i].again = 0;
	}
	return i;
}

void
budget_asked(struct budget *b, int64_t now)
{
	b->part[part_of(b, now)].asked++;
}

void
budget_again(struct budget *b, int64_t now)
{
	b->part[part_of(b, now)].again++;
}

bool
budget_may(const struct budget *b, int64_t now)
{
	uint64_t asked = 0, again = 0;
	size_t i;

	for (i = 0; i < BUDGET_PARTS; i++) {
		if (b->part[i].at + BUDGET_PARTS <= now / PART_MS)
			continue;
		asked += b->part[i].asked;
		again += b->part[i].again;
	}
	return again < BUDGET_FREE || (again + 1) * BUDGET_SHARE <= asked;
}

int64_t
budget_share(int64_t left, int64_t attempts)
{
	int64_t share = attempts > 1 ? left / attempts : left;

	return share > 1 ? share : 1;
}
