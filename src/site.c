#include "site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

static int
sane(int fd, const char *path, struct stat *st, char *why, size_t n)
{
	if (fstat(fd, st) < 0)
		snprintf(why, n, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st->st_mode))
		snprintf(why, n, "%s is not a regular file", path);
	else if (st->st_uid != geteuid())
		snprintf(why, n, "%s belongs to another user: %u, and this is "
		    "%u", path, (unsigned)st->st_uid, (unsigned)geteuid());
	else if (st->st_nlink > 1)
		snprintf(why, n, "%s has another name (a hard link)", path);
	else if ((st->st_mode & 077) != 0)
		snprintf(why, n, "%s is open to others (mode %04o, want"
		    " 0600)", path, (unsigned)(st->st_mode & 07777));
	else
		return 0;
	return -1;
}

int
site_open(const char *path, int flags, struct stat *st, char *why, size_t n)
{
	int fd;

	/* O_NONBLOCK: a FIFO must not hang us. */
	fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK |
	    O_NOCTTY | flags, 0600);
	if (fd < 0) {
		if (errno == ELOOP)
			snprintf(why, n, "%s is a symbolic link", path);
		else
			snprintf(why, n, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (sane(fd, path, st, why, n) == 0)
		return fd;
	close(fd);
	return -1;
}

int
site_read(int fd, void *p, size_t n, off_t at)
{
	ssize_t k;

	for (; n > 0; n -= (size_t)k, at += k, p = (char *)p + k) {
		k = pread(fd, p, n, at);
		if (k < 0 && errno == EINTR)
			k = 0;
		else if (k <= 0)
			return -1;
	}
	return 0;
}

int
site_write(int fd, const void *p, size_t n, off_t at)
{
	ssize_t k;

	for (; n > 0; n -= (size_t)k, at += k, p = (const char *)p + k) {
		k = pwrite(fd, p, n, at);
		if (k < 0 && errno == EINTR)
			k = 0;
		else if (k <= 0)
			return -1;
	}
	return 0;
}

bool
site_remote(int fd)
{
	/* statfs(2): NFS, SMB, CIFS, SMB2, FUSE, 9p, Ceph, AFS */
	static const uint32_t types[] = { 0x6969, 0x517b, 0xff534d42,
	    0xfe534d42, 0x65735546, 0x01021997, 0x00c36400, 0x5346414f };
	struct statfs fs;
	size_t i;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if ((uint32_t)fs.f_type == types[i])
			return true;
	}
	return false;
}

int
site_dir(const char *path)
{
	char dir[4096];
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash - path) + 1;

	if (n >= sizeof(dir)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(dir, path, n);
	dir[n] = '\0';
	return open(n == 0 ? "." : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void
site_sync(const char *path)
{
	int fd = site_dir(path);

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}
