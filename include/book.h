/* book: the tables wherever they are at the moment: in the state file, or in
 * this process's memory while the file cannot be used.
 *
 * What is taken in memory is charged to the file when it comes back. A lease's
 * number tells in which of them it was taken. */
#ifndef BOOK_H
#define BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slot.h"
#include "text.h"

struct book {
	const struct config *cfg;
	struct slot_table t;
	struct text_time now;		/* the last that was heard of */
	struct map *away;		/* the file, while its lock is stuck */
	struct book_ended *ended;	/* settled while it was away */
	size_t	 nended, ended_cap;
	bool	 aside;			/* on a loop: see ledger_aside */
	bool	 unsaved;		/* checkpoints fail; it was said */
	char	 why[256];
};

/* Open the file of cfg, which is borrowed, or memory. 0, or -1: memory is out.
 * Blocks for files. */
int	book_open(struct book *b, const struct config *cfg,
	    const struct text_time *now);

/* The same of what the file holds now, for one who only looks; then
 * book_begin, book_end, book_health and book_close. */
int	book_snapshot(struct book *b, const struct config *cfg,
	    const struct text_time *now);

/* Tell a file that was away what was done meanwhile, end our leases at their
 * estimate, checkpoint if we are the last, release. Blocks for the disk, and
 * for a stuck lock 10 s, 2 s if aside. */
void	book_close(struct book *b);

/* Take the lock of the tables. A file that is gone, or whose lock is held for
 * 500 ms (2 s unless aside), is left for memory, so -1 means that there is no
 * memory either. */
int	book_begin(struct book *b, const struct text_time *now);
void	book_end(struct book *b);

/* NULL: the file is in use; else a sentence, owned by b. */
const char *book_health(const struct book *b);

/* Whether the file is sound, but has no number left for this process: what it
 * admitted nobody else would see. */
bool	book_crowded(const struct book *b);

/* The number of lease i of generation gen, never 0; with BOOK_PROBE, which is
 * no part of any, one that probes what is barred. */
#define BOOK_PROBE	0x8000
uint64_t book_lease(const struct book *b, uint32_t gen, uint32_t i);

/* End a lease by its number, wherever it was taken; not under the lock. One
 * that is not open is ignored. */
void	book_settle(struct book *b, const struct text_time *now,
	    uint64_t lease, const struct slot_end *end);

/* See ledger_good; not under the lock. */
void	book_good(struct book *b, const struct text_time *now,
	    uint64_t lease);

/* Under the lock: mend a scope after the wall clock was set back, see
 * quota_heal. */
void	book_heal(struct book *b, size_t scope);

/* Housekeeping, see ledger_tick. */
void	book_tick(struct book *b, const struct text_time *now);

#endif
