/* top: who is asked what at the moment, and what is left: a picture of the
 * state file for a terminal, drawn anew each second.
 *
 * It reads the file by itself, through a snapshot: no server need run, no token
 * is asked for, and looking changes nothing. No curses library: what is needed
 * of a terminal is seven escape sequences of ECMA-48 and DEC's VT220, which
 * every terminal of today knows. */
#ifndef TOP_H
#define TOP_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct config;
struct ledger;
struct text_time;

/* The command: a picture each delay ms on a terminal, or count of them as plain
 * lines (0, and no terminal: one). The exit status. Blocks until it is told to
 * end; ends by the signal that ended it, the terminal as it was before. */
int	top_run(const struct config *cfg, int64_t delay, uint64_t count);

/* A picture: lines of at most `width` columns, each ended by a line feed, which
 * is its only control character whatever names and paths hold. rows: for how
 * many lines there is room, 0 for all. 0, or -1: out is full. */
struct top_size {
	size_t	 width, rows;
};
int	top_frame(const struct config *cfg, struct ledger *l,
	    const struct text_time *now, const struct top_size *size,
	    struct buf *out);

#endif
