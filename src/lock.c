#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define NAP_MOST_MS	3	/* a nap and what a busy machine adds to it */

static int
set(int fd, off_t at, short type)
{
	struct flock f = { .l_type = type, .l_whence = SEEK_SET,
	    .l_start = at, .l_len = 1 };
	int r;

	do {
		r = fcntl(fd, F_OFD_SETLK, &f);
	} while (r < 0 && errno == EINTR);
	if (r < 0 && errno == EACCES)
		errno = EAGAIN;		/* fcntl(2): either, by the system */
	return r;
}

int
lock_try(int fd, off_t at)
{
	return set(fd, at, F_WRLCK);
}

void
lock_drop(int fd, off_t at)
{
	set(fd, at, F_UNLCK);
}

bool
lock_held(int fd, off_t at, off_t n)
{
	struct flock f = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
	    .l_start = at, .l_len = n };

	return fcntl(fd, F_OFD_GETLK, &f) != 0 || f.l_type != F_UNLCK;
}

static int64_t
steady(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* By the clock alone, a machine that stood still for 100 ms, as a guest or
 * under a quota of processor time does, would seem to be a holder who does: the
 * waiter wakes up late, but the holder had no turn either. So it takes naps,
 * too, to lose patience.
 *
 * Tries and sleeps, since a blocking F_OFD_SETLKW could be bounded only by a
 * signal. Holders need a few us; sleeps differ by the try, so that waiters do
 * not march in step. Nobody queues, but eight processes that did nothing else
 * never waited for 100 ms. */
bool
lock_nap(struct lock_nap *n, int64_t ms)
{
	struct timespec ts = { 0, 0 };
	int i = n->tries++;

	if (i < 3)
		return true;
	if (i == 3)
		n->began = steady();
	else if (i >= ms / NAP_MOST_MS && steady() - n->began >= ms) {
		errno = EAGAIN;
		return false;
	}
	ts.tv_nsec = (20000L << (i - 3 < 5 ? i - 3 : 5)) +
	    (long)(i * 7919 % 16) * 1000;
	nanosleep(&ts, NULL);
	return true;
}

int
lock_wait(int fd, off_t at, int64_t ms)
{
	struct lock_nap nap = { 0, 0 };

	while (lock_try(fd, at) < 0)
		if (errno != EAGAIN || !lock_nap(&nap, ms))
			return -1;
	return 0;
}
