/* line: those who wait for room stand in line, first come first served, over
 * all processes, and none of them holds anything but its place.
 *
 * A place is a row of a table in the state file: a ticket (a number that only
 * grows), the line that it is for, who owns it, and when the owner will look
 * next. Every waiter sleeps by itself until room is due and then asks whether
 * somebody with a lower ticket is there; nobody is woken, for a process cannot
 * wake another's event loop without a descriptor that both know. So a waiter
 * that is killed wakes nobody and blocks nobody: who did not look when it had
 * said it would is passed over, at once when its process is dead, after
 * LINE_GRACE when it only is stopped; it keeps its ticket, and is first again
 * when it comes back.
 *
 * Two words for each alias, "next ticket" and "now served", would be smaller.
 * But then every place that is given up (the client left, max-wait is over)
 * has to be walked over, each at the price of the grace.
 *
 * All functions are called under the file's lock and end their own changes. */
#ifndef LINE_H
#define LINE_H

#include <stddef.h>
#include <stdint.h>

struct slot_table;
struct text_time;

#define LINE_GRACE	1000		/* ms */

/* See ledger_ahead, ledger_join, ledger_leave. */
size_t	line_ahead(struct slot_table *t, const struct text_time *now,
	    uint64_t line, uint64_t ticket);
void	line_join(struct slot_table *t, uint64_t line, uint64_t *ticket,
	    int64_t due);
void	line_leave(struct slot_table *t, uint64_t ticket);

/* Take the places of dead processes away. */
void	line_sweep(struct slot_table *t);

#endif
