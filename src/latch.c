#include "latch.h"

#include <stddef.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "lock.h"

/* Called before every store to shared memory; the tests cut there. */
#ifndef IMAGE_STORE_HOOK
#define IMAGE_STORE_HOOK()	((void)0)
#endif

#define COUNTED		48		/* bits below the holder's number */
#define NOBODY		LATCH_NUMBERS	/* who has no number */
#define SPINS		400		/* less than a wake-up costs */

void
latch_init(struct latch *l, int fd, off_t outer, off_t life)
{
	struct timespec ts;

	*l = (struct latch){ .fd = fd, .outer = outer, .life = life,
	    .number = -1 };
	if (getrandom(&l->next, sizeof(l->next), GRND_NONBLOCK) !=
	    sizeof(l->next)) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		l->next = (uint64_t)ts.tv_nsec * 2654435761U ^
		    (uint64_t)ts.tv_sec << 30 ^ (uint64_t)getpid();
	}
}

/* A value that was never in the word before; not 0. */
static uint64_t
name(struct latch *l)
{
	uint64_t who = (uint64_t)(l->number < 0 ? NOBODY : l->number) + 1;

	return who << COUNTED | (l->next++ & (((uint64_t)1 << COUNTED) - 1));
}

static int
holder(uint64_t value)
{
	return (int)(value >> COUNTED) - 1;
}

/* Whether the holder who wrote this value, not we, is gone. */
static bool
dead(const struct latch *l, uint64_t value)
{
	int who = holder(value);

	if (who == NOBODY)
		return l->outside || !lock_held(l->fd, l->outer, 1);
	return who == l->number || !latch_alive(l, who);
}

static bool
swap(_Atomic uint64_t *word, uint64_t from, uint64_t to)
{
	IMAGE_STORE_HOOK();
	return atomic_compare_exchange_strong_explicit(word, &from, to,
	    memory_order_acq_rel, memory_order_relaxed);
}

static int
take_word(struct latch *l, _Atomic uint64_t *word, int64_t ms)
{
	struct lock_nap nap = { 0, 0 };
	uint64_t mine = name(l), is;
	int i = 0;

	for (;;) {
		is = atomic_load_explicit(word, memory_order_relaxed);
		if (is == 0 || (i >= SPINS && dead(l, is))) {
			if (swap(word, is, mine))
				break;
		} else if (i++ >= SPINS && !lock_nap(&nap, ms))
			return -1;
	}
	l->held = mine;
	return 0;
}

int
latch_take(struct latch *l, _Atomic uint64_t *word, int64_t ms)
{
	if (l->number < 0 || word == NULL) {
		if (lock_wait(l->fd, l->outer, ms) < 0)
			return -1;
		l->outside = true;
	}
	if (word == NULL || take_word(l, word, ms) == 0)
		return 0;
	latch_drop(l, NULL);
	return -1;
}

/* By a swap: were it not ours any more, it must not become free. */
void
latch_drop(struct latch *l, _Atomic uint64_t *word)
{
	if (word != NULL && l->held != 0)
		(void)swap(word, l->held, 0);
	l->held = 0;
	if (l->outside)
		lock_drop(l->fd, l->outer);
	l->outside = false;
}

void
latch_seize(struct latch *l, _Atomic uint64_t *word)
{
	l->outside = true;
	l->held = name(l);
	IMAGE_STORE_HOOK();
	atomic_store_explicit(word, l->held, memory_order_seq_cst);
}

int
latch_claim(struct latch *l, _Atomic uint64_t *word, int start)
{
	int i, k;

	if (l->number >= 0)
		return l->number;
	for (i = 0; i < LATCH_NUMBERS; i++) {
		k = (start + i) % LATCH_NUMBERS;
		if (lock_try(l->fd, l->life + k) < 0)
			continue;
		l->number = k;
		/* Whoever had it before may have died with the word. */
		if (word != NULL && l->held == 0 && holder(atomic_load_explicit(
		    word, memory_order_relaxed)) == k &&
		    latch_take(l, word, 0) == 0)
			latch_drop(l, word);
		return k;
	}
	return -1;
}

void
latch_resign(struct latch *l)
{
	if (l->number >= 0)
		lock_drop(l->fd, l->life + l->number);
	l->number = -1;
}

bool
latch_alive(const struct latch *l, int number)
{
	return number >= 0 && number < LATCH_NUMBERS &&
	    (number == l->number || lock_held(l->fd, l->life + number, 1));
}
