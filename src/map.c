#include "map.h"
#include "map_own.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "latch.h"
#include "lock.h"
#include "log.h"
#include "save.h"
#include "site.h"
#include "text.h"

#ifndef MAP_BOOT_ID
#define MAP_BOOT_ID	"/proc/sys/kernel/random/boot_id"
#endif
#define MAGIC		"relevoST"
#define VERSION		2
#define ENDIAN		0x01020304

#define OPEN_WAIT_MS	2000
#define TRIES		20
#define ASIDE_MAX	1000	/* names of one second */

static_assert(sizeof(struct map_head) == 48, "head");

static struct image_live *
live(const struct map *m)
{
	return image_live(&m->im);
}

static void __attribute__((format(printf, 2, 3)))
because(struct map *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m->why, sizeof(m->why), fmt, ap);
	va_end(ap);
}

int
map_begin(struct map *m)
{
	return image_begin(&m->im);
}

void
map_end(struct map *m)
{
	image_end(&m->im);
}

bool
map_busy(const struct map *m)
{
	return m->im.busy;
}

void *
map_stage(struct map *m, size_t off, size_t len)
{
	return image_stage(&m->im, off, len);
}

void
map_commit(struct map *m)
{
	image_commit(&m->im);
}

void
map_drop(struct map *m)
{
	image_drop(&m->im);
}

uint64_t
map_add(struct map *m, size_t off, uint64_t n)
{
	return image_add(&m->im, off, n);
}

uint64_t
map_peek(const struct map *m)
{
	return image_peek(&m->im);
}

bool
map_peeked(const struct map *m, uint64_t number)
{
	return image_peeked(&m->im, number);
}

int
map_grow(struct map *m, size_t size)
{
	return image_grow(&m->im, size);
}

const void *
map_data(const struct map *m)
{
	return m->im.base + IMAGE_DATA;
}

void *
map_raw(struct map *m)
{
	return m->im.base + IMAGE_DATA;
}

size_t
map_size(const struct map *m)
{
	return m->im.size;
}

enum map_state
map_state(const struct map *m)
{
	return m->state;
}

const struct text_time *
map_then(const struct map *m)
{
	return &m->then;
}

const char *
map_why(const struct map *m)
{
	return m->fd < 0 ? m->why : NULL;
}

/* Workers. */

static_assert(MAP_WORKERS == LATCH_NUMBERS, "workers");

static bool
others(const struct map *m)
{
	return lock_held(m->fd, IMAGE_LIFE, MAP_WORKERS);
}

int
map_claim(struct map *m)
{
	return m->fd < 0 ? 0 : image_claim(&m->im, (int)getpid());
}

bool
map_alive(const struct map *m, int worker)
{
	return m->fd < 0 ? worker == 0 : latch_alive(&m->im.latch, worker);
}

bool
map_last(struct map *m)
{
	if (m->fd < 0)
		return true;
	latch_resign(&m->im.latch);
	return !others(m);
}

/* Of this boot, or of another one, or not ready yet? */
static bool
ours(const struct map *m)
{
	return image_load(&live(m)->boot[0]) == m->boot[0] &&
	    image_load(&live(m)->boot[1]) == m->boot[1];
}

/* Or of another one, and all of it is there nevertheless? */
static bool
kept(const struct map *m)
{
	return m->remote && image_load(&live(m)->boot[0]) != 0 && !ours(m);
}

int
map_check(struct map *m)
{
	struct stat st;

	if (m->fd < 0)
		return 0;
	if (m->im.lost || stat(m->path, &st) < 0 || st.st_dev != m->dev ||
	    st.st_ino != m->ino || st.st_size < (off_t)m->im.len)
		return -1;
	if (m->im.copy)
		return 0;
	return memcmp(m->im.base, &m->head, sizeof(m->head)) == 0 &&
	    ours(m) ? 0 : -1;
}

/* Opening. */

static void
read_boot(uint64_t boot[2])
{
	char id[64];
	ssize_t n = -1;
	int fd = open(MAP_BOOT_ID, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		n = read(fd, id, sizeof(id));
		close(fd);
	}
	if (n < 0)
		n = 0;
	boot[0] = save_sum(1, id, (size_t)n) | 1;
	boot[1] = save_sum(2, id, (size_t)n) | 1;
}

/* No lock outlives its kernel: while somebody has a worker's, the data is of
 * this boot, whatever the ids say. A container's may be one file that is laid
 * over the kernel's (LXC, systemd-nspawn), which a service with a /proc of its
 * own does not see; then its commands know another id than the service. */
static void
believe(struct map *m)
{
	uint64_t boot;

	/* In this order: who brings a file of another boot into order writes
	 * the id (map_ready) before it has a worker's lock. */
	if (m->remote || !others(m) ||
	    (boot = image_load(&live(m)->boot[0])) == 0)
		return;
	m->boot[0] = boot;
	m->boot[1] = image_load(&live(m)->boot[1]);
}

static uint64_t
head_sum(const struct map_head *h)
{
	return save_sum(3, h, offsetof(struct map_head, sum));
}

static bool
head_good(const struct map *m, const struct map_head *h)
{
	return memcmp(h->magic, MAGIC, 8) == 0 && h->version == VERSION &&
	    h->endian == ENDIAN && h->layout == m->layout &&
	    h->sum == head_sum(h);
}

/* Put the newest whole checkpoint into the data; any: of whatever file. */
static bool
restore(struct map *m, bool any)
{
	struct save_head h, best = { .number = 0 };
	void *p, *keep = NULL;
	size_t len, keep_len = 0;
	bool done;
	int i, fd;

	for (i = 0; i < 2; i++) {
		if ((fd = map_save_open(m, (uint64_t)i, 0)) < 0)
			continue;
		p = save_read(fd, &h, &len);
		close(fd);
		if (p == NULL || h.layout != m->layout ||
		    (!any && h.nonce != m->head.nonce) ||
		    (keep != NULL && (any ? h.wall < best.wall :
		    h.number < best.number))) {
			free(p);
			continue;
		}
		free(keep);
		keep = p;
		keep_len = len;
		best = h;
	}
	memset(m->im.base + IMAGE_DATA, 0, m->im.size);
	done = keep != NULL && save_apply(keep, keep_len,
	    m->im.base + IMAGE_DATA, m->im.size) == 0;
	free(keep);
	if (done) {
		m->then.wall = best.wall;
		m->then.mono = best.mono;
		image_store(&m->im, &live(m)->saved, best.number);
	}
	return done;
}

/* Make the empty file fd ours. Space first: a hole on a full disk would be a
 * SIGBUS later. The head is on the disk before anybody uses the file, so that
 * a power cut can only tear the data. */
static int
create(struct map *m, size_t size, int64_t wall)
{
	struct map_head h = { .version = VERSION, .endian = ENDIAN,
	    .layout = m->layout, .made = wall };
	int e = posix_fallocate(m->fd, 0, (off_t)(IMAGE_DATA + size));

	if (e == EOPNOTSUPP && m->remote)
		e = ftruncate(m->fd, (off_t)(IMAGE_DATA + size)) < 0 ?
		    errno : 0;
	if (e != 0) {
		because(m, "%s: %s", m->path, strerror(e));
		if (ftruncate(m->fd, 0) < 0)
			because(m, "%s: %s", m->path, strerror(errno));
		return -1;
	}
	memcpy(h.magic, MAGIC, 8);
	if (getrandom(&h.nonce, sizeof(h.nonce), 0) != sizeof(h.nonce))
		h.nonce = (uint64_t)wall ^ (uint64_t)getpid() << 40;
	h.sum = head_sum(&h);
	if (site_write(m->fd, &h, sizeof(h), 0) < 0 || fdatasync(m->fd) < 0) {
		because(m, "%s: %s", m->path, strerror(errno));
		return -1;
	}
	site_sync(m->path);
	m->head = h;
	return 0;
}

/* Under the lock: take what lies there, or what was saved. */
static void
examine(struct map *m, bool any, int64_t wall)
{
	size_t i;

	if (ours(m) || kept(m)) {
		m->state = ours(m) ? MAP_SAME : MAP_RESTORED;
		m->then.wall = wall;
		/* The file is longer if its growing was cut. */
		m->im.size = image_load(&live(m)->size);
		m->im.copied = image_load(&live(m)->seq);
		return;
	}
	for (i = 0; i < sizeof(struct image_live) / 8; i++)
		image_store(&m->im, (_Atomic uint64_t *)(void *)live(m) + i, 0);
	image_store(&m->im, &live(m)->size, m->im.size);
	m->state = restore(m, any) ? MAP_RESTORED : MAP_FRESH;
}

/* A name that is free for what is set aside now; its length or -1. Nobody else
 * looks for one: the lock of the file that has the path is ours. */
static int
aside(const struct map *m, int64_t wall, char *to, size_t size)
{
	struct stat st;
	char stamp[24];
	int i, n;

	text_iso(stamp, wall);
	n = snprintf(to, size, "%s.bad-%s", m->path, stamp);
	for (i = 2; n < (int)size && lstat(to, &st) == 0; i++) {
		if (i > ASIDE_MAX)
			return -1;
		n = snprintf(to, size, "%s.bad-%s-%d", m->path, stamp, i);
	}
	return n < (int)size ? n : -1;
}

/* Rename what is not ours, so that nothing of it is lost. */
static int
set_aside(struct map *m, const char *what, int64_t wall)
{
	char to[4096];

	if (others(m)) {
		because(m, "%s: %s, but other processes use it", m->path,
		    what);
		return -1;
	}
	if (aside(m, wall, to, sizeof(to)) < 0 || rename(m->path, to) < 0) {
		because(m, "%s: %s, and it cannot be renamed", m->path, what);
		return -1;
	}
	log_msg(LOG_WARN, "state_set_aside", "%s: %s; kept as %s", m->path,
	    what, to);
	return 0;
}

/* What is wrong with the file m->fd of n bytes, or NULL. */
static const char *
wrong(struct map *m, off_t n)
{
	if (n < IMAGE_DATA + 8 || n > (off_t)(IMAGE_DATA + IMAGE_MAX) ||
	    n % 8 != 0)
		return "not a state file (its length)";
	if (site_read(m->fd, &m->head, sizeof(m->head), 0) < 0)
		return "cannot be read";
	if (memcmp(m->head.magic, MAGIC, 8) != 0)
		return "not a state file";
	if (m->head.sum != head_sum(&m->head))
		return "its head is damaged";
	if (!head_good(m, &m->head))
		return "made by another version";
	return NULL;
}

static void
leave(struct map *m)
{
	image_detach(&m->im);
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}

enum { USED, AGAIN, FAILED };

/* Attach the file that the path leads to now, or make it. */
static int
open_once(struct map *m, const struct map_want *w, bool *any, int64_t wall)
{
	struct stat st, now;
	const char *what = NULL;
	off_t n;

	if ((m->fd = site_open(m->path, O_CREAT, &st, m->why,
	    sizeof(m->why))) < 0)
		return FAILED;
	if (lock_wait(m->fd, IMAGE_LOCK, OPEN_WAIT_MS) < 0) {
		because(m, "%s: the lock: %s", m->path, strerror(errno));
		return FAILED;
	}
	/* It may have been set aside or made while we waited. */
	if (stat(m->path, &now) < 0 || now.st_ino != st.st_ino ||
	    now.st_dev != st.st_dev || fstat(m->fd, &st) < 0)
		return AGAIN;
	m->dev = st.st_dev;
	m->ino = st.st_ino;
	m->remote = w->copy || site_remote(m->fd);
	n = st.st_size;
	if (n == 0) {
		if (create(m, w->size, wall) < 0)
			return FAILED;
		n = (off_t)(IMAGE_DATA + w->size);
	} else
		what = wrong(m, n);
	if (what == NULL) {
		if (image_attach(&m->im, m->fd, (size_t)n, m->remote) < 0) {
			because(m, "%s: %s", m->path, strerror(errno));
			return FAILED;
		}
		believe(m);
		if (image_hold(&m->im, ours(m), OPEN_WAIT_MS) < 0) {
			because(m, "%s: the lock: %s", m->path,
			    strerror(errno));
			return FAILED;
		}
		if (kept(m) && others(m)) {
			because(m, "%s: another machine uses it", m->path);
			return FAILED;
		}
		if ((ours(m) || kept(m)) &&
		    (image_load(&live(m)->size) > m->im.size ||
		    image_load(&live(m)->size) % 8 != 0 ||
		    image_finish(&m->im) < 0))
			what = "its redo record is damaged";
	}
	if (what == NULL) {
		examine(m, *any, wall);
		return m->im.lost ? AGAIN : USED;
	}
	*any = true;
	return set_aside(m, what, wall) < 0 ? FAILED : AGAIN;
}

/* As open_once, into memory of our own. What a change has torn is read again,
 * but for the last time: then some process was killed in a change, which is
 * finished in the copy. */
static int
look_once(struct map *m, const struct map_want *w, int64_t wall, bool last)
{
	const struct image_live *l;
	struct image_live now;
	const char *what;
	struct stat st;

	m->fd = open(m->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK |
	    O_NOCTTY);
	if (m->fd < 0 || fstat(m->fd, &st) < 0) {
		because(m, "%s: %s", m->path, strerror(errno));
		return FAILED;
	}
	m->remote = w->copy || site_remote(m->fd);
	what = S_ISREG(st.st_mode) ? wrong(m, st.st_size) :
	    "not a regular file";
	if (what != NULL) {
		because(m, "%s: %s", m->path, what);
		return FAILED;
	}
	if (image_attach(&m->im, m->fd, (size_t)st.st_size, true) < 0 ||
	    site_read(m->fd, &now, sizeof(now), IMAGE_LIVE) < 0)
		return AGAIN;
	l = live(m);
	if (image_load(&l->size) > m->im.size || (!last &&
	    (image_load(&l->mark) != 0 || image_load(&now.mark) != 0 ||
	    image_load(&l->seq) != image_load(&now.seq))))
		return AGAIN;
	believe(m);
	m->im.fd = -1;
	m->im.copy = false;
	(void)image_finish(&m->im);
	examine(m, false, wall);
	return USED;
}

struct map *
map_open(const struct map_want *w, const struct text_time *now)
{
	struct map *m;
	bool any = false;
	int i, r = AGAIN;

	if ((m = calloc(1, sizeof(*m))) == NULL)
		return NULL;
	m->fd = -1;
	m->layout = w->layout;
	m->look = w->look;
	read_boot(m->boot);
	because(m, "no state file is configured");
	if (w->path != NULL && (m->path = strdup(w->path)) == NULL)
		goto fail;
	for (i = 0; m->path != NULL && i < TRIES && r == AGAIN; i++) {
		r = w->look ? look_once(m, w, now->wall, i == TRIES - 1) :
		    open_once(m, w, &any, now->wall);
		if (r == USED)
			return m;
		leave(m);
	}
	if (r == AGAIN && m->path != NULL)
		because(m, "%s is replaced all the time", m->path);
	m->state = MAP_FRESH;
	if (image_attach(&m->im, -1, IMAGE_DATA + w->size, false) == 0)
		return m;
fail:
	map_close(m);
	return NULL;
}

void
map_ready(struct map *m)
{
	if (m->fd < 0)
		return;
	image_pass(&m->im, 0, m->im.len);
	image_store(&m->im, &live(m)->boot[0], m->boot[0]);
	image_store(&m->im, &live(m)->boot[1], m->boot[1]);
}

void
map_close(struct map *m)
{
	if (m == NULL)
		return;
	(void)map_saving(m, true);
	leave(m);
	free(m->save);
	free(m->path);
	free(m);
}
