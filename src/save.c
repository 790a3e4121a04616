#include "save.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC		"relevoCK"
#define SAVE_MAX	((size_t)64 << 20)

struct head {
	char	 magic[8];
	uint64_t number, nonce, layout;
	int64_t	 wall, mono;
	uint64_t ranges, len;
	uint64_t sum;			/* of the file with this as 0 */
};
static_assert(sizeof(struct head) == 72, "head");

uint64_t
save_sum(uint64_t h, const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t w;

	for (; n >= 8; n -= 8, s += 8) {
		memcpy(&w, s, 8);
		h = (h ^ w) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 32;
	}
	while (n-- > 0)
		h = (h ^ *s++) * 0x100000001b3ULL;
	return h ^ h >> 29;
}

static uint64_t
sum_of(const unsigned char *p, size_t len)
{
	struct head h;

	memcpy(&h, p, sizeof(h));
	h.sum = 0;
	return save_sum(save_sum(1, &h, sizeof(h)), p + sizeof(h),
	    len - sizeof(h));
}

void *
save_make(const struct save_head *sh, const void *image,
    const struct save_range *r, size_t n, size_t *len)
{
	struct head h = { .number = sh->number, .nonce = sh->nonce,
	    .layout = sh->layout, .wall = sh->wall,
	    .mono = sh->mono, .ranges = n };
	unsigned char *p, *q;
	size_t i;

	memcpy(h.magic, MAGIC, 8);
	h.len = sizeof(h) + n * sizeof(*r);
	for (i = 0; i < n; i++)
		h.len += r[i].len;
	if ((p = malloc(h.len)) == NULL)
		return NULL;
	memcpy(p, &h, sizeof(h));
	q = p + sizeof(h);
	if (n > 0)
		memcpy(q, r, n * sizeof(*r));
	q += n * sizeof(*r);
	for (i = 0; i < n; i++) {
		memcpy(q, (const char *)image + r[i].off, r[i].len);
		q += r[i].len;
	}
	h.sum = sum_of(p, h.len);
	memcpy(p, &h, sizeof(h));
	*len = h.len;
	return p;
}

int
save_write(int fd, const void *p, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pwrite(fd, (const char *)p + done, len - done,
		    (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return fdatasync(fd);
}

/* ---- beside the caller ---- */

#define STACK	(256 * 1024)	/* of which two pages are used */

struct save_job {
	pthread_t	 thread;
	int		 fd, dir;
	const void	*p;
	size_t		 len;
	int		 result;
	atomic_bool	 ended;
};

static void *
write_aside(void *arg)
{
	struct save_job *j = arg;

	j->result = save_write(j->fd, j->p, j->len);
	if (j->result == 0 && j->dir >= 0)
		(void)fsync(j->dir);
	atomic_store(&j->ended, true);
	return NULL;
}

/* Signals are for the thread that has a loop. */
static int
start_quiet(struct save_job *j)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	if (pthread_attr_init(&attr) != 0)
		return -1;
	(void)pthread_attr_setstacksize(&attr, STACK);
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&j->thread, &attr, write_aside, j);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	return r == 0 ? 0 : -1;
}

struct save_job *
save_start(int fd, int dir, const void *p, size_t len)
{
	struct save_job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->fd = fd;
	j->dir = dir;
	j->p = p;
	j->len = len;
	if (start_quiet(j) == 0)
		return j;
	free(j);
	return NULL;
}

bool
save_ended(const struct save_job *j)
{
	return atomic_load(&j->ended);
}

int
save_end(struct save_job *j)
{
	int r;

	(void)pthread_join(j->thread, NULL);
	r = j->result;
	free(j);
	return r;
}

/* ---- reading ---- */

static int
read_all(int fd, unsigned char *p, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(fd, p + done, len - done, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

void *
save_read(int fd, struct save_head *sh, size_t *len)
{
	struct head h;
	struct stat st;
	unsigned char *p;

	if (fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(h) ||
	    read_all(fd, (unsigned char *)&h, sizeof(h)) < 0 ||
	    memcmp(h.magic, MAGIC, 8) != 0 || h.len < sizeof(h) ||
	    h.len > SAVE_MAX || (off_t)h.len > st.st_size ||
	    h.ranges > (h.len - sizeof(h)) / sizeof(struct save_range))
		return NULL;
	if ((p = malloc(h.len)) == NULL)
		return NULL;
	if (read_all(fd, p, h.len) < 0 || memcmp(p, &h, sizeof(h)) != 0 ||
	    sum_of(p, h.len) != h.sum) {
		free(p);
		return NULL;
	}
	*sh = (struct save_head){ h.number, h.nonce, h.layout,
	    h.wall, h.mono };
	*len = h.len;
	return p;
}

int
save_apply(const void *p, size_t len, void *image, size_t size)
{
	const unsigned char *s = p;
	struct save_range r;
	struct head h;
	size_t i, at, pass;

	memcpy(&h, s, sizeof(h));
	for (pass = 0; pass < 2; pass++) {
		at = sizeof(h) + h.ranges * sizeof(r);
		for (i = 0; i < h.ranges; i++) {
			memcpy(&r, s + sizeof(h) + i * sizeof(r), sizeof(r));
			if (r.off > size || r.len > size - r.off ||
			    r.len > len - at)
				return -1;
			if (pass == 1)
				memcpy((char *)image + r.off, s + at, r.len);
			at += r.len;
		}
	}
	return 0;
}
