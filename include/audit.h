/* audit: the state file for people: everything it holds, everything that is
 * wrong with it, a new beginning. Each is called under the file's lock. */
#ifndef AUDIT_H
#define AUDIT_H

struct buf;
struct slot_table;
struct text_time;

/* Append the whole file as JSON. 0, or -1 as buf_put. */
int	audit_dump(struct slot_table *t, const struct text_time *now,
	    struct buf *out);

/* Append a line for each broken invariant, and one with the totals. 0: none
 * is broken. */
int	audit_verify(struct slot_table *t, const struct text_time *now,
	    struct buf *out);

/* Forget what the slot of this name (NULL: every slot) has used, was barred
 * by and was told; what open leases hold, totals, the history and learned
 * rates stay. 0, or -1 with a sentence when there is no such slot. */
int	audit_reset(struct slot_table *t, const char *name, struct buf *out);

#endif
