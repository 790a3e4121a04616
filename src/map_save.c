#include "map.h"
#include "map_own.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "lock.h"
#include "save.h"
#include "site.h"
#include "text.h"

#define LOCK_SAVE	(IMAGE_LOCK + 1)

static struct image_live *
live(const struct map *m)
{
	return image_live(&m->im);
}

/* By one who only looks, root say: it need not be his, but of whom the state
 * file is. */
static int
look_at(const struct map *m, const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK |
	    O_NOCTTY);
	struct stat st, of;

	if (fd >= 0 && (fstat(fd, &st) < 0 || fstat(m->fd, &of) < 0 ||
	    !S_ISREG(st.st_mode) || st.st_uid != of.st_uid)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int
map_save_open(struct map *m, uint64_t number, int flags)
{
	char path[4096], why[sizeof(m->why)];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s.%d", m->path,
	    (int)(number & 1)) >= (int)sizeof(path))
		return -1;
	if (m->look)
		return look_at(m, path);
	return site_open(path, flags, &st, why, sizeof(why));
}

int64_t
map_stale(const struct map *m, const struct text_time *now)
{
	const struct image_live *l = live(m);
	int64_t age;

	if (m->im.fd < 0 || m->im.copy ||
	    image_load(&l->seq) == image_load(&l->saved_seq))
		return -1;
	age = now->mono - (int64_t)image_load(&l->saved_at);
	return age < 0 ? INT64_MAX : age;
}

int
map_save(struct map *m, const struct text_time *now,
    const struct save_range *r, size_t n)
{
	struct save_head h = { .nonce = m->head.nonce, .layout = m->layout,
	    .wall = now->wall, .mono = now->mono };

	if (m->im.fd < 0 || m->im.copy || lock_try(m->fd, LOCK_SAVE) < 0)
		return -1;
	h.number = image_load(&live(m)->saved) + 1;
	free(m->save);
	m->save = save_make(&h, m->im.base + IMAGE_DATA, r, n, &m->save_len);
	m->save_number = h.number;
	m->save_seq = image_load(&live(m)->seq);
	image_store(&m->im, &live(m)->saved_at, (uint64_t)now->mono);
	if (m->save != NULL)
		return 0;
	lock_drop(m->fd, LOCK_SAVE);
	return -1;
}

/* The file to write what was copied into, and its directory if that may not
 * know its name for sure yet, else -1. */
static int
open_save(struct map *m, int *dir)
{
	int fd = -1;

	*dir = -1;
	if (m->save == NULL || m->job != NULL || m->im.fd < 0)
		return -1;
	fd = map_save_open(m, m->save_number, O_CREAT);
	if (fd >= 0 && m->save_number <= 2)
		*dir = site_dir(m->path);
	return fd;
}

/* It is written, or not. */
static int
over(struct map *m, int fd, int dir, int r)
{
	/* Nobody else writes these words while LOCK_SAVE is ours. */
	if (r == 0) {
		image_store(&m->im, &live(m)->saved, m->save_number);
		image_store(&m->im, &live(m)->saved_seq, m->save_seq);
	}
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	free(m->save);
	m->save = NULL;
	lock_drop(m->fd, LOCK_SAVE);
	return r;
}

int
map_flush(struct map *m)
{
	int dir, fd, r = -1;

	if (m->save == NULL || m->job != NULL || m->im.fd < 0)
		return -1;
	fd = open_save(m, &dir);
	if (fd >= 0)
		r = save_write(fd, m->save, m->save_len);
	if (r == 0 && dir >= 0)
		(void)fsync(dir);
	return over(m, fd, dir, r);
}

int
map_flush_aside(struct map *m)
{
	int dir, fd = open_save(m, &dir);

	if (fd < 0)
		return -1;
	m->job = save_start(fd, dir, m->save, m->save_len);
	m->job_fd = fd;
	m->job_dir = dir;
	if (m->job != NULL)
		return 0;
	close(fd);
	if (dir >= 0)
		close(dir);
	return -1;
}

enum map_saving
map_saving(struct map *m, bool wait)
{
	int r;

	if (m->job == NULL)
		return MAP_IDLE;
	if (!wait && !save_ended(m->job))
		return MAP_SAVING;
	r = save_end(m->job);
	m->job = NULL;
	return over(m, m->job_fd, m->job_dir, r) == 0 ? MAP_SAVED :
	    MAP_UNSAVED;
}
