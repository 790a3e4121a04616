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

struct buf;
struct config;
struct ledger;
struct text_time;

/* `top [-d SECONDS] [-n COUNT] [--once]`: the exit status, or -1 when it is
 * called wrongly. Blocks until it is told to end; ends by the signal that ended
 * it, the terminal as it was before. */
int	top_run(const struct config *cfg, int argc, char **argv);

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
