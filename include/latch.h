/* latch: a lock that costs no system call while nobody else wants it: a word in
 * a shared mapping, for whose holder's life the kernel vouches.
 *
 * The word is 0, or it names its holder. Taking it is one compare-and-swap, and
 * so is giving it back. Who finds it held asks the kernel whether the holder
 * lives: each process keeps a byte of the file locked (lock.h) as long as it
 * has a number, and the kernel drops that lock with the process. The word of a
 * dead holder is swapped for one's own.
 *
 * The argument. (1) One holder at a time: the word changes by compare-and-swap
 * only, from 0, or from the very value that was seen before its holder was seen
 * dead. (2) A living holder is never robbed: a process has its number's byte
 * locked before it writes that number into the word and until after it has
 * taken it out again, so "nobody locks that byte" means that the value is a
 * dead one's, or no longer in the word; then the swap fails, since no value is
 * ever used twice: beside the number there are 48 bits that start at random
 * and are counted up. (3) No word is stuck: a dead holder's byte is free, until
 * somebody else gets the same number; he knows that a word with his number is
 * not his, and latch_claim makes him look. (4) Processes without a number, when
 * they open the file or close it, first take one lock for all of them, the
 * outer one, and are vouched for by it: so there is at most one, and who has
 * that lock and sees their mark in the word knows that it is a dead one's.
 *
 * A robust mutex would do without the second look, but cannot be trusted in a
 * file that may be copied, or damaged, while it is held. Here any garbage in
 * the word is a dead holder's.
 *
 * Where the mapping is not shared (a remote file) the outer lock alone is
 * used: word NULL. */
#ifndef LATCH_H
#define LATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LATCH_NUMBERS	512

struct latch {
	int	 fd;			/* whose bytes are locked; borrowed */
	off_t	 outer;			/* the byte of those without a number */
	off_t	 life;			/* number k's byte is life + k */
	int	 number;		/* ours, -1: none */
	uint64_t held;			/* what we wrote; 0: not held */
	uint64_t next;
	bool	 outside;		/* the outer lock is held */
};

void	latch_init(struct latch *l, int fd, off_t outer, off_t life);

/* Take it, waiting at most `ms`. 0, or -1 with EAGAIN, or with what the kernel
 * says of a descriptor that cannot be locked. */
int	latch_take(struct latch *l, _Atomic uint64_t *word, int64_t ms);
void	latch_drop(struct latch *l, _Atomic uint64_t *word);

/* Take it for sure: nobody else can use a word that is not put in order yet.
 * The outer lock is held by the caller and is given back by latch_drop. */
void	latch_seize(struct latch *l, _Atomic uint64_t *word);

/* Get a number, from `start` on; give it up. Not the latter while held. The
 * number, or -1: all are taken. */
int	latch_claim(struct latch *l, _Atomic uint64_t *word, int start);
void	latch_resign(struct latch *l);

/* Whether a number belongs to a living process. */
bool	latch_alive(const struct latch *l, int number);

#endif
