/* timer: deadlines in a binary heap, embedded in what they wake. */
#ifndef TIMER_H
#define TIMER_H

#include <stddef.h>
#include <stdint.h>

struct timer {
	int64_t	 due;		/* microseconds, CLOCK_MONOTONIC */
	size_t	 slot;		/* in the heap, from 1; 0: not set */
};

struct timers {
	struct timer **heap;	/* heap[1..n] */
	size_t	 n, cap;
};

int64_t	timer_now(void);
void	timer_set(struct timers *h, struct timer *t, int64_t due);
void	timer_clear(struct timers *h, struct timer *t);
/* The earliest, or NULL. */
struct timer *timer_first(const struct timers *h);
void	timer_free(struct timers *h);

#endif
