/* throttle: how many wrong tokens an address may show.
 *
 * Ten at once, then one every six seconds: a bucket for each address (GCRA: the
 * time at which it is full again is all that must be kept), in a table of fixed
 * size in the state file, so that all processes count together. Whose bucket is
 * empty hears 429 instead of 401, is not counted on, and costs no write and no
 * lock. In a full table the bucket that is nearest to full is forgotten.
 *
 * A right token passes all the same. Others bar the address as a whole (sshd's
 * PerSourcePenalties, fail2ban), because a password can be guessed. A token is
 * 256 random bits, which no rate makes a difference to; but many clients share
 * an address behind a NAT, a tunnel or another proxy, where REMOTE_ADDR is the
 * same for the whole world, and a bar would let anybody lock all of them out
 * with ten requests. Who wants one has the log line, which names the address.
 *
 * Times are of the wall clock, for what is kept must outlive a boot. */
#ifndef THROTTLE_H
#define THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct slot_table;
struct text_time;

#define THROTTLE_BURST	10
#define THROTTLE_MS	6000

/* ms until one more wrong token of address `who` (not 0) is counted; 0: it is
 * now. Takes no lock; 0 also when it cannot be read without. */
int64_t	throttle_wait(const struct slot_table *t, const struct text_time *now,
	    uint64_t who);

/* Count one, under the file's lock. As throttle_wait; *tell: it was the last,
 * and that was not told in the last minute. */
int64_t	throttle_count(struct slot_table *t, const struct text_time *now,
	    uint64_t who, bool *tell);

#endif
