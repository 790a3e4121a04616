/* names: an index by hash over a table of names, to find many at once: 700
 * names in a table of 700 are else half a million comparisons. */
#ifndef NAMES_H
#define NAMES_H

#include <stddef.h>
#include <stdint.h>

#define NAMES_NONE	UINT32_MAX

struct names {
	const void *table;
	/* The hash of entry i, both words 0 for an empty one; NULL: the end. */
	const uint64_t *(*hash)(const void *table, uint32_t i);
	uint32_t *at;
	size_t	 cap;
};

/* Index a table of at most most entries, borrowed. 0, or -1 out of memory. */
int	names_init(struct names *n, const void *table, uint64_t most,
	    const uint64_t *(*hash)(const void *table, uint32_t i));
void	names_release(struct names *n);

/* Entry i is new in the table. */
void	names_add(struct names *n, uint32_t i);

/* The entry with that hash, or NAMES_NONE. */
uint32_t names_find(const struct names *n, const uint64_t hash[2]);

#endif
