/* lock: locks on single bytes of a file, held by an open file description.
 *
 * The kernel drops them when the last process that holds the description is
 * gone, so a lock is also a sign of life; unlike kill(pid, 0) it is true across
 * pid namespaces, and unlike F_SETLK it is not lost when some other descriptor
 * of the file is closed. A forked child shares it. Bytes may lie past the end
 * of the file. */
#ifndef LOCK_H
#define LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Lock one byte if that is possible at once. 0, or -1 with errno: EAGAIN when
 * another description has it. */
int	lock_try(int fd, off_t at);
void	lock_drop(int fd, off_t at);

/* The same, waiting at most `ms`. -1 with EAGAIN when the time is over. */
int	lock_wait(int fd, off_t at, int64_t ms);

/* A sleep between two tries: from 20 us to 640 us, longer each time. False,
 * with EAGAIN, when `ms` have passed since the first and there was a try for
 * each three of them; begin with { 0, 0 }. The first three calls do not
 * sleep. */
struct lock_nap {
	int	 tries;
	int64_t	 began;
};
bool	lock_nap(struct lock_nap *n, int64_t ms);

/* Whether another open file description locks one of n bytes; true when the
 * kernel cannot tell. */
bool	lock_held(int fd, off_t at, off_t n);

#endif
