#include "names.h"

#include <stdlib.h>
#include <string.h>

void
names_add(struct names *n, uint32_t i)
{
	size_t k = n->hash(n->table, i)[0] % n->cap;

	while (n->at[k] != NAMES_NONE)
		k = (k + 1) % n->cap;
	n->at[k] = i;
}

int
names_init(struct names *n, const void *table, uint64_t most,
    const uint64_t *(*hash)(const void *, uint32_t))
{
	const uint64_t *h;

	*n = (struct names){ .table = table, .hash = hash, .cap = 64 };
	while (n->cap < most * 2)
		n->cap *= 2;
	n->at = malloc(n->cap * sizeof(*n->at));
	if (n->at == NULL)
		return -1;
	memset(n->at, 0xff, n->cap * sizeof(*n->at));
	for (uint32_t i = 0; (h = hash(table, i)) != NULL; i++) {
		if ((h[0] | h[1]) != 0)
			names_add(n, i);
	}
	return 0;
}

void
names_release(struct names *n)
{
	free(n->at);
	n->at = NULL;
}

uint32_t
names_find(const struct names *n, const uint64_t hash[2])
{
	for (size_t k = hash[0] % n->cap; n->at[k] != NAMES_NONE;
	    k = (k + 1) % n->cap) {
		const uint64_t *h = n->hash(n->table, n->at[k]);

		if (h != NULL && h[0] == hash[0] && h[1] == hash[1])
			return n->at[k];
	}
	return NAMES_NONE;
}
