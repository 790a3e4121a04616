#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static char boot_path[96];
#define MAP_BOOT_ID boot_path

#include "../../src/map.c"

/* As in image.c. */
struct redo {
	uint64_t val[IMAGE_RECORD];
	uint32_t off[IMAGE_RECORD];
};

static char dir[64], path[96];
static const struct text_time now = { 1795219200000LL, 5000000 };

static void
set_boot(const char *id)
{
	FILE *f = fopen(boot_path, "w");

	fputs(id, f);
	fclose(f);
}

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/t_mapXXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	umask(022);
	snprintf(path, sizeof(path), "%s/state", dir);
	snprintf(boot_path, sizeof(boot_path), "%s/boot", dir);
	set_boot("one");
	return 0;
}

static int
teardown(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

static struct map *
open_as(uint64_t layout, bool copy)
{
	struct map_want w = { .path = path, .layout = layout, .size = 65536,
	    .copy = copy };
	struct map *m = map_open(&w, &now);

	assert_non_null(m);
	return m;
}

static struct map *
ready(void)
{
	struct map *m = open_as(1, false);

	map_ready(m);
	map_end(m);
	return m;
}

static void
put(struct map *m, size_t off, uint64_t v)
{
	uint64_t *p;

	assert_int_equal(0, map_begin(m));
	p = map_stage(m, off, 8);
	*p = v;
	map_commit(m);
	map_end(m);
}

static uint64_t
value(const struct map *m, size_t off)
{
	uint64_t v;

	memcpy(&v, (const char *)map_data(m) + off, 8);
	return v;
}

static int
count(const char *pattern)
{
	char cmd[160];
	FILE *f;
	int n = -1;

	snprintf(cmd, sizeof(cmd), "ls -d %s/%s 2>/dev/null | wc -l", dir,
	    pattern);
	f = popen(cmd, "r");
	if (fscanf(f, "%d", &n) != 1)
		n = -1;
	pclose(f);
	return n;
}

static void
made_and_found_again(void **state)
{
	struct stat st;
	struct map *m = open_as(1, false);

	(void)state;
	assert_int_equal(MAP_FRESH, map_state(m));
	assert_null(map_why(m));
	map_ready(m);
	map_end(m);
	put(m, 800, 77);
	map_close(m);
	assert_int_equal(0, stat(path, &st));
	assert_int_equal(0600, st.st_mode & 07777);
	m = open_as(1, false);
	assert_int_equal(MAP_SAME, map_state(m));
	assert_int_equal(77, value(m, 800));
	map_end(m);
	map_close(m);
}

/* Killed before map_ready: the next one begins again. */
static void
made_but_not_ready(void **state)
{
	struct map *m = open_as(1, false);

	(void)state;
	memset(map_raw(m), 0xff, 100);
	map_end(m);
	map_close(m);
	m = open_as(1, false);
	assert_int_equal(MAP_FRESH, map_state(m));
	assert_int_equal(0, value(m, 0));
	map_end(m);
	map_close(m);
}

static void
stages_and_drops(void **state)
{
	struct map *m = ready();
	uint64_t *a, *b;
	int i;

	(void)state;
	assert_int_equal(0, map_begin(m));
	a = map_stage(m, 16, 16);
	b = map_stage(m, 16, 16);
	assert_ptr_equal(a, b);
	a[1] = 5;
	assert_int_equal(0, value(m, 24));
	map_drop(m);
	a = map_stage(m, 16, 16);
	assert_int_equal(0, a[1]);
	a[0] = 9;
	map_commit(m);
	assert_int_equal(9, value(m, 16));
	/* out of range, too large, too many */
	assert_null(map_stage(m, 65536, 8));
	assert_null(map_stage(m, 65528, 16));
	assert_null(map_stage(m, (size_t)-8, 16));
	assert_null(map_stage(m, 0, IMAGE_BYTES + 8));
	for (i = 0; i < IMAGE_STAGES; i++)
		assert_non_null(map_stage(m, (size_t)i * 64, 8));
	assert_null(map_stage(m, 2048, 8));
	map_drop(m);
	/* the largest change there is */
	a = map_stage(m, 0, IMAGE_BYTES);
	for (i = 0; i < IMAGE_BYTES / 8; i++)
		a[i] = (uint64_t)i + 1;
	map_commit(m);
	assert_int_equal(IMAGE_BYTES / 8, value(m, IMAGE_BYTES - 8));
	map_end(m);
	map_close(m);
}

static void
unlike_a_state_file(void **state)
{
	static const struct {
		const char *what;
		int bytes, fill;
	} rows[] = {
	    { "one byte", 1, 0 }, { "short", 300, 'x' },
	    { "zeros", 100000, 0 }, { "all FF", 100000, 0xff },
	    { "odd length", 100001, 0 } };
	struct map *m;
	size_t i;
	FILE *f;
	int k;

	(void)state;
	log_level(LOG_ERROR);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		umask(077);
		unlink(path);
		f = fopen(path, "w");
		for (k = 0; k < rows[i].bytes; k++)
			fputc(rows[i].fill, f);
		fclose(f);
		m = open_as(1, false);
		if (map_why(m) != NULL)
			fail_msg("%s: %s", rows[i].what, map_why(m));
		assert_int_equal(MAP_FRESH, map_state(m));
		map_end(m);
		map_close(m);
		/* each is kept, though all are of one second */
		assert_int_equal(1, count("state.bad-2026-11-21T00:00:00Z"));
		assert_int_equal((int)i, count("state.bad-*Z-*"));
	}
}

static void
each_bit_of_the_head(void **state)
{
	struct map *m = ready();
	unsigned char c;
	size_t bit;
	int fd;

	(void)state;
	log_level(LOG_ERROR);
	for (bit = 0; bit < sizeof(struct map_head) * 8; bit++) {
		map_close(m);
		fd = open(path, O_RDWR);
		assert_int_equal(1, pread(fd, &c, 1, (off_t)bit / 8));
		c ^= (unsigned char)(1 << bit % 8);
		assert_int_equal(1, pwrite(fd, &c, 1, (off_t)bit / 8));
		close(fd);
		m = open_as(1, false);
		assert_null(map_why(m));
		assert_int_equal(MAP_FRESH, map_state(m));
		map_ready(m);
		map_end(m);
	}
	map_close(m);
}

static void
another_layout(void **state)
{
	struct map *m = ready(), *n;

	(void)state;
	log_level(LOG_ERROR);
	map_claim(m);
	/* in use: left alone */
	n = open_as(2, false);
	assert_non_null(strstr(map_why(n), "other processes use it"));
	map_end(n);
	map_close(n);
	assert_int_equal(0, count("state.bad*"));
	map_close(m);
	n = open_as(2, false);
	assert_null(map_why(n));
	assert_int_equal(1, count("state.bad*"));
	map_end(n);
	map_close(n);
}

static void
refuse(const char *sentence)
{
	struct map *m = open_as(1, false);

	assert_non_null(map_why(m));
	assert_non_null(strstr(map_why(m), sentence));
	/* memory does the same */
	map_ready(m);
	map_end(m);
	put(m, 8, 3);
	assert_int_equal(3, value(m, 8));
	map_close(m);
}

static void
refuses_what_is_not_a_private_file(void **state)
{
	char other[96];
	struct map *m;
	int fd;

	(void)state;
	snprintf(other, sizeof(other), "%s/other", dir);
	fd = open(other, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(3, write(fd, "abc", 3));
	close(fd);
	assert_int_equal(0, symlink(other, path));
	refuse("symbolic link");
	unlink(path);
	assert_int_equal(0, link(other, path));
	refuse("hard link");
	unlink(path);
	assert_int_equal(0, mkfifo(path, 0600));
	refuse("not a regular file");
	unlink(path);
	assert_int_equal(0, mkdir(path, 0700));
	refuse("directory");
	rmdir(path);
	m = ready();
	map_close(m);
	assert_int_equal(0, chmod(path, 0640));
	refuse("open to others");
	assert_int_equal(0, chmod(path, 0602));
	refuse("open to others");
	unlink(path);
	assert_int_equal(0, chmod(dir, 0500));
	if (geteuid() != 0)
		refuse("Permission denied");
	assert_int_equal(0, chmod(dir, 0700));
	/* the target was not touched */
	assert_int_equal(0, truncate(other, 3));
	fd = open(other, O_RDONLY);
	assert_int_equal(3, lseek(fd, 0, SEEK_END));
	close(fd);
}

/* A limit of the file's size stands for a disk that is full. */
static void
disk_full(void **state)
{
	struct rlimit small = { 10000, 10000 };
	struct stat sb;
	struct map *m;
	pid_t pid;
	int st;

	(void)state;
	if ((pid = fork()) == 0) {
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &small);
		m = open_as(1, false);
		_exit(map_why(m) != NULL && stat(path, &sb) == 0 &&
		    sb.st_size == 0 ? 0 : 1);
	}
	waitpid(pid, &st, 0);
	assert_int_equal(0, st);
	m = ready();		/* there is room again */
	assert_null(map_why(m));
	map_close(m);
}

static void
one_of_many_makes_it(void **state)
{
	pid_t pid[12];
	struct map *m;
	int i, st;

	(void)state;
	for (i = 0; i < 12; i++) {
		if ((pid[i] = fork()) == 0) {
			struct map_want w = { .path = path, .layout = 1,
			    .size = 65536 };
			uint64_t *p;

			m = map_open(&w, &now);
			if (m == NULL || map_why(m) != NULL)
				_exit(1);
			p = map_stage(m, 8, 8);
			*p += map_state(m) == MAP_FRESH;
			map_commit(m);
			map_ready(m);
			map_end(m);
			_exit(0);
		}
	}
	for (i = 0; i < 12; i++) {
		waitpid(pid[i], &st, 0);
		assert_int_equal(0, st);
	}
	m = open_as(1, false);
	assert_int_equal(MAP_SAME, map_state(m));
	assert_int_equal(1, value(m, 8));
	map_end(m);
	map_close(m);
}

static void
workers_are_known_by_their_locks(void **state)
{
	struct map *m = ready();
	int to[2], from[2], theirs, st;
	char c = 'x';
	pid_t pid;

	(void)state;
	assert_int_equal(0, pipe(to));
	assert_int_equal(0, pipe(from));
	if ((pid = fork()) == 0) {
		struct map *n = open_as(1, false);

		map_end(n);
		theirs = map_claim(n);
		if (write(from[1], &theirs, sizeof(theirs)) < 0)
			_exit(1);
		(void)!read(to[0], &c, 1);
		_exit(0);
	}
	assert_int_equal(sizeof(theirs), read(from[0], &theirs,
	    sizeof(theirs)));
	assert_true(theirs >= 0);
	assert_true(map_alive(m, theirs));
	assert_int_not_equal(theirs, map_claim(m));
	assert_false(map_last(m));
	kill(pid, SIGKILL);
	waitpid(pid, &st, 0);
	assert_false(map_alive(m, theirs));
	assert_true(map_last(m));
	assert_false(map_alive(m, -1));
	assert_false(map_alive(m, MAP_WORKERS));
	map_close(m);
}

static void
all_numbers_taken(void **state)
{
	struct map *m[MAP_WORKERS + 1];
	int i;

	(void)state;
	for (i = 0; i <= MAP_WORKERS; i++) {
		m[i] = ready();
		assert_int_equal(i < MAP_WORKERS, map_claim(m[i]) >= 0);
	}
	for (i = 0; i <= MAP_WORKERS; i++)
		map_close(m[i]);
}

static void
save_it(struct map *m, const struct text_time *t)
{
	struct save_range r = { 0, 4096 };

	assert_int_equal(0, map_begin(m));
	assert_int_equal(0, map_save(m, t, &r, 1));
	map_end(m);
	assert_int_equal(0, map_flush(m));
}

/* By a thread it is the same checkpoint. One at a time; what was changed in the
 * meantime is stale still; to close the map is to wait for it. */
static void
saved_aside(void **state)
{
	struct save_range r = { 0, 4096 };
	struct map *m = ready();

	(void)state;
	assert_int_equal(MAP_IDLE, map_saving(m, true));
	assert_int_equal(-1, map_flush_aside(m));	/* nothing was copied */
	put(m, 8, 1);
	assert_int_equal(0, map_begin(m));
	assert_int_equal(0, map_save(m, &now, &r, 1));
	map_end(m);
	assert_int_equal(0, map_flush_aside(m));
	assert_int_equal(-1, map_flush_aside(m));
	assert_int_equal(-1, map_flush(m));
	put(m, 8, 2);
	assert_int_equal(MAP_SAVED, map_saving(m, true));
	assert_int_equal(MAP_IDLE, map_saving(m, true));
	assert_true(map_stale(m, &now) == 0);
	assert_int_equal(0, map_begin(m));
	assert_int_equal(0, map_save(m, &now, &r, 1));
	map_end(m);
	assert_int_equal(0, map_flush_aside(m));
	map_close(m);
	set_boot("after");
	m = open_as(1, false);
	assert_int_equal(MAP_RESTORED, map_state(m));
	assert_int_equal(2, value(m, 8));
	map_ready(m);
	map_end(m);
	map_close(m);
}

static void
after_a_reboot(void **state)
{
	struct text_time later = { now.wall + 9000, now.mono + 9000 };
	struct map *m = ready();

	(void)state;
	assert_true(map_stale(m, &now) == -1);
	put(m, 8, 1);
	assert_true(map_stale(m, &now) >= 0);
	save_it(m, &now);
	assert_true(map_stale(m, &later) == -1);
	put(m, 8, 2);
	assert_true(map_stale(m, &later) == 9000);
	save_it(m, &later);
	put(m, 8, 3);
	map_close(m);
	set_boot("two");
	m = open_as(1, false);
	assert_int_equal(MAP_RESTORED, map_state(m));
	assert_int_equal(2, value(m, 8));
	assert_true(map_then(m)->wall == later.wall);
	assert_true(map_then(m)->mono == later.mono);
	map_ready(m);
	map_end(m);
	put(m, 8, 4);
	save_it(m, &now);
	map_close(m);
	/* the newest is damaged: the one before it */
	assert_int_equal(2, count("state.[01]"));
	{
		char name[128];

		snprintf(name, sizeof(name), "%s.1", path);
		assert_int_equal(0, truncate(name, 1000));
	}
	set_boot("three");
	m = open_as(1, false);
	assert_int_equal(MAP_RESTORED, map_state(m));
	assert_int_equal(2, value(m, 8));
	map_end(m);
	map_close(m);
}

static void
same_boot_by_another_name(void **state)
{
	struct map_want look = { .path = path, .layout = 1, .size = 65536,
	    .look = true };
	struct map *m = ready(), *n;
	char name[128];

	(void)state;
	assert_int_equal(0, map_begin(m));
	assert_true(map_claim(m) >= 0);
	map_end(m);
	put(m, 8, 1);
	save_it(m, &now);
	put(m, 8, 2);
	set_boot("the container's");
	n = map_open(&look, &now);
	assert_int_equal(MAP_SAME, map_state(n));
	assert_int_equal(2, value(n, 8));
	map_close(n);
	n = ready();
	assert_int_equal(MAP_SAME, map_state(n));
	assert_int_equal(2, value(n, 8));
	assert_int_equal(0, map_check(n));
	assert_int_equal(0, map_check(m));
	map_close(n);
	/* a copy: locks of a server, and clocks of another machine */
	n = open_as(1, true);
	assert_non_null(map_why(n));
	map_close(n);
	map_close(m);
	/* Its files need not be what a server insists on. */
	strcat(strcpy(name, path), ".0");
	(void)chmod(name, 0644);
	strcat(strcpy(name, path), ".1");
	(void)chmod(name, 0644);
	n = map_open(&look, &now);
	assert_int_equal(MAP_RESTORED, map_state(n));
	assert_int_equal(1, value(n, 8));
	map_close(n);
}

/* A file that was made anew does not inherit, one that was damaged does. */
static void
inherits_after_damage_only(void **state)
{
	struct map *m = ready();

	(void)state;
	log_level(LOG_ERROR);
	put(m, 8, 5);
	save_it(m, &now);
	map_close(m);
	assert_int_equal(0, truncate(path, 100));
	m = open_as(1, false);
	assert_int_equal(MAP_RESTORED, map_state(m));
	assert_int_equal(5, value(m, 8));
	map_ready(m);
	map_end(m);
	map_close(m);
	assert_int_equal(0, unlink(path));
	m = open_as(1, false);
	assert_int_equal(MAP_FRESH, map_state(m));
	map_end(m);
	map_close(m);
}

static void
truncated_under_us(void **state)
{
	struct map *m = ready(), *n = ready();

	(void)state;
	put(m, 60000, 5);
	assert_int_equal(0, map_check(m));
	assert_int_equal(0, truncate(path, 4096));
	assert_int_equal(-1, map_check(m));
	assert_int_equal(-1, map_begin(m));
	assert_false(map_busy(m));
	assert_int_equal(0, value(m, 60000));
	assert_int_equal(-1, map_begin(m));
	/* in the middle of a change */
	assert_int_equal(0, truncate(path, (off_t)n->im.len));
	assert_int_equal(0, value(n, 60000));
	map_close(m);
	map_close(n);
}

static void
replaced_or_deleted(void **state)
{
	struct map *m = ready(), *n;
	char other[96];

	(void)state;
	snprintf(other, sizeof(other), "%s/gone", dir);
	assert_int_equal(0, map_check(m));
	assert_int_equal(0, rename(path, other));
	assert_int_equal(-1, map_check(m));
	n = ready();
	assert_int_equal(-1, map_check(m));
	assert_int_equal(0, map_check(n));
	assert_int_equal(0, rename(other, path));
	assert_int_equal(0, map_check(m));
	map_close(m);
	map_close(n);
}

static void
grows_under_another(void **state)
{
	struct map *m = ready(), *n = ready();

	(void)state;
	put(n, 8, 1);
	assert_int_equal(0, map_begin(m));
	assert_int_equal(0, map_grow(m, 200000));
	assert_int_equal(0, map_grow(m, 100));
	map_end(m);
	put(m, 199992, 42);
	assert_int_equal(65536, map_size(n));
	assert_true(map_peek(n) == 0);
	assert_int_equal(0, map_begin(n));
	assert_int_equal(200000, map_size(n));
	map_end(n);
	assert_int_equal(42, value(n, 199992));
	map_close(n);
	map_close(m);
	m = open_as(1, false);
	assert_int_equal(42, value(m, 199992));
	map_end(m);
	map_close(m);
}

/* What lies behind a size that was damaged is not believed. */
static void
grows_by_zeros(void **state)
{
	struct map *m = ready();

	(void)state;
	put(m, 800, 42);
	image_store(&m->im, &live(m)->size, 64);
	map_close(m);
	m = open_as(1, false);
	assert_int_equal(64, map_size(m));
	assert_int_equal(0, map_grow(m, 4096));
	assert_int_equal(0, value(m, 800));
	map_end(m);
	map_close(m);
}

/* As on NFS: the same promises by pread and pwrite. */
static void
by_copy(void **state)
{
	struct map *m = open_as(1, true), *n;

	(void)state;
	map_ready(m);
	map_end(m);
	put(m, 8, 11);
	assert_int_equal(0, map_add(m, 4096, 2));
	n = open_as(1, true);
	assert_int_equal(MAP_SAME, map_state(n));
	assert_int_equal(11, value(n, 8));
	map_end(n);
	put(n, 8, 12);
	assert_int_equal(2, map_add(n, 4096, 1));
	assert_int_equal(0, map_begin(m));
	assert_int_equal(12, value(m, 8));
	assert_int_equal(3, value(m, 4096));
	map_end(m);
	map_close(m);
	map_close(n);
}

/* A remote file system keeps what it was given when this machine starts anew,
 * and there is no checkpoint: the data stays, and is of another boot. */
static void
by_copy_after_a_reboot(void **state)
{
	struct map_want look = { .path = path, .layout = 1, .size = 65536,
	    .copy = true, .look = true };
	struct map *m = open_as(1, true);
	int i;

	(void)state;
	map_ready(m);
	map_end(m);
	put(m, 8, 11);
	map_close(m);
	set_boot("two");
	m = map_open(&look, &now);
	assert_null(map_why(m));
	assert_int_equal(MAP_RESTORED, map_state(m));
	assert_int_equal(11, value(m, 8));
	map_close(m);
	/* whoever does not get as far as map_ready leaves it as it was */
	for (i = 0; i < 2; i++) {
		m = open_as(1, true);
		assert_int_equal(MAP_RESTORED, map_state(m));
		assert_int_equal(11, value(m, 8));
		assert_true(map_then(m)->wall == now.wall);
		if (i == 1)
			map_ready(m);
		map_end(m);
		map_close(m);
	}
	m = open_as(1, true);
	assert_int_equal(MAP_SAME, map_state(m));
	assert_int_equal(11, value(m, 8));
	map_end(m);
	map_close(m);
}

/* A change that was under way when the machine went down is finished. */
static void
by_copy_after_a_cut(void **state)
{
	struct map *m = open_as(1, true);
	struct redo r = { .val[0] = 77, .off[0] = 8 };

	(void)state;
	map_ready(m);
	image_store(&m->im, &live(m)->n, 1);
	image_store(&m->im, &live(m)->sum, save_sum(save_sum(1, r.val, 8),
	    r.off, 4));
	memcpy(m->im.base + 4096, &r, sizeof(r));
	image_pass(&m->im, 4096, sizeof(r));
	image_store(&m->im, &live(m)->mark, 5);
	map_end(m);
	map_close(m);
	set_boot("two");
	m = open_as(1, true);
	assert_int_equal(77, value(m, 8));
	map_end(m);
	map_close(m);
}

/* Two machines have two clocks: the second one counts for itself, and says
 * so, as long as the first is there. */
static void
by_copy_of_two_machines(void **state)
{
	struct map *m = open_as(1, true), *n;

	(void)state;
	map_ready(m);
	assert_true(map_claim(m) >= 0);
	map_end(m);
	put(m, 8, 11);
	set_boot("two");
	n = open_as(1, true);
	assert_non_null(map_why(n));
	assert_non_null(strstr(map_why(n), "another machine uses it"));
	map_close(n);
	map_close(m);
	n = open_as(1, true);
	assert_null(map_why(n));
	assert_int_equal(11, value(n, 8));
	map_end(n);
	map_close(n);
}

static void
peeks(void **state)
{
	struct map *m = ready(), *n = ready();
	uint64_t a;

	(void)state;
	a = map_peek(m);
	assert_true(a != 0);
	assert_true(map_peeked(m, a));
	put(n, 8, 1);
	assert_false(map_peeked(m, a));
	assert_false(map_peeked(m, 0));
	image_store(&m->im, &live(m)->mark, 1);
	assert_true(map_peek(m) == 0);
	image_store(&m->im, &live(m)->mark, 0);
	map_close(m);
	map_close(n);
}

static void
a_record_that_is_damaged(void **state)
{
	struct map *m = ready();

	(void)state;
	log_level(LOG_ERROR);
	put(m, 8, 1);
	image_store(&m->im, &live(m)->n, IMAGE_RECORD + 1);
	image_store(&m->im, &live(m)->mark, 9);
	assert_int_equal(-1, map_begin(m));
	map_close(m);
	m = open_as(1, false);
	assert_null(map_why(m));
	assert_int_equal(1, count("state.bad*"));
	map_end(m);
	map_close(m);
}

static void
a_lock_that_is_held(void **state)
{
	struct map *m = ready(), *n = ready();

	(void)state;
	assert_int_equal(0, map_begin(n));
	assert_int_equal(-1, map_begin(m));
	assert_true(map_busy(m));
	map_end(n);
	assert_int_equal(0, map_begin(m));
	assert_false(map_busy(m));
	map_end(m);
	map_close(m);
	map_close(n);
}

static void
looked_at_only(void **state)
{
	struct map_want w = { .path = path, .layout = 1, .size = 65536,
	    .look = true };
	struct map *m, *mine = ready();
	uint64_t *p;

	(void)state;
	assert_int_equal(0, map_begin(mine));
	put(mine, 64, 7);
	map_end(mine);
	m = map_open(&w, &now);
	assert_null(map_why(m));
	assert_int_equal(MAP_SAME, map_state(m));
	assert_int_equal(7, ((const uint64_t *)map_data(m))[8]);
	/* What is changed in the copy stays there, and the reverse. */
	assert_int_equal(0, map_begin(m));
	p = map_stage(m, 64, 8);
	*p = 9;
	map_commit(m);
	map_end(m);
	assert_int_equal(7, ((const uint64_t *)map_data(mine))[8]);
	assert_int_equal(-1, map_stale(m, &now));
	map_close(m);
	/* Another layout is left where it is, and so is what cannot be read. */
	w.layout = 2;
	m = map_open(&w, &now);
	assert_non_null(strstr(map_why(m), "made by another version"));
	assert_int_equal(MAP_FRESH, map_state(m));
	map_close(m);
	assert_int_equal(0, map_check(mine));
	map_close(mine);
	assert_int_equal(0, unlink(path));
	assert_int_equal(0, mkdir(path, 0700));
	m = map_open(&w, &now);
	assert_non_null(strstr(map_why(m), "not a regular file"));
	map_close(m);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(made_and_found_again), T(made_but_not_ready),
		T(stages_and_drops), T(unlike_a_state_file),
		T(each_bit_of_the_head), T(another_layout),
		T(refuses_what_is_not_a_private_file), T(disk_full),
		T(one_of_many_makes_it), T(workers_are_known_by_their_locks),
		T(all_numbers_taken), T(after_a_reboot),
		T(same_boot_by_another_name), T(inherits_after_damage_only),
		T(truncated_under_us),
		T(replaced_or_deleted), T(grows_under_another),
		T(grows_by_zeros), T(by_copy), T(by_copy_after_a_reboot),
		T(by_copy_after_a_cut), T(by_copy_of_two_machines),
		T(looked_at_only), T(saved_aside),
		T(peeks), T(a_record_that_is_damaged), T(a_lock_that_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
