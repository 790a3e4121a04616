/* ring: a rolling window as a ring of buckets. Pure.
 *
 * Bucket number b holds what happened in seconds [b * unit, (b + 1) * unit) and
 * counts until the whole of it is out of the window, that is while the present
 * bucket's number is below b + n: never above the limit in any position of a
 * window of (n - 1) * unit seconds, at the cost of one bucket's width of it
 * (1/61 of a minute by seconds). The head is the second of the newest bucket;
 * buckets that are too old are zero, see ring_roll. Seconds are positive.
 *
 * Tried elsewhere and refused: GCRA and the interpolated sliding counter, which
 * admit up to twice the limit in an unlucky window. */
#ifndef RING_H
#define RING_H

#include <stdint.h>

#define RING_MAX	64		/* buckets */

/* The counts lie elsewhere. A narrow ring has 16 bits a bucket. */
struct ring {
	uint32_t *count;
	uint16_t *narrow;		/* instead of count, if not NULL */
	int	 n;			/* at most RING_MAX */
	int	 unit;			/* seconds */
};

/* The sum at second sec, which may be past head. */
int64_t	ring_sum(const struct ring *r, int64_t head, int64_t sec);

/* Add to the bucket of second sec, if it is still in the window that ends at
 * head: clamped to zero and to what a bucket holds. */
void	ring_add(const struct ring *r, int64_t head, int64_t sec,
	    int64_t delta);

/* How much more the bucket of sec >= head can hold. */
int64_t	ring_room(const struct ring *r, int64_t head, int64_t sec);

/* The first second, sec or later, at which the sum is at most `most` if
 * nothing is added; 0 <= most. */
int64_t	ring_when(const struct ring *r, int64_t head, int64_t sec,
	    int64_t most);

/* The first second at which nothing is left; sec if that is now. */
int64_t	ring_empty(const struct ring *r, int64_t head, int64_t sec);

/* Move the head forward: what leaves the window becomes zero. */
void	ring_roll(const struct ring *r, int64_t head, int64_t to);

/* Move what is there by delta seconds into a ring whose head is `to`. Each
 * bucket goes where its last instant goes, never too early, never past to. */
void	ring_move(const struct ring *r, int64_t head, int64_t delta,
	    int64_t to);

#endif
