/* Linked into relevo with the linker's --wrap: every call of ours that can
 * fail, fails when the page says so. What libraries call among themselves is
 * not wrapped: their failures reach us as results of theirs. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail.h"

/* The order is that of faults.c's table. */
enum { MEMORY, READ, WRITE, SEND, RECV, ACCEPT, EPOLL_CTL, EPOLL_WAIT, MEMFD,
    FCNTL, OPEN, PREAD, PWRITE, FDATASYNC, GETRANDOM, MMAP };

static struct fail_page *page;

static void __attribute__((constructor))
fail_map(void)
{
	const char *path = getenv(FAIL_FILE);
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	    0);
	close(fd);
	if (p != MAP_FAILED)
		page = p;
}

static bool
fails(int call)
{
	long seen;
	int on;

	if (page == NULL || (on = atomic_load(&page->on)) == 0 ||
	    atomic_load(&page->call) != call)
		return false;
	seen = atomic_fetch_add(&page->seen, 1) + 1;
	if (on == 2 ? seen < atomic_load(&page->at) :
	    seen != atomic_load(&page->at))
		return false;
	errno = atomic_load(&page->error);
	return true;
}

#define WRAP(type, name, params, args, call, failure)			\
type __real_##name params;						\
type __wrap_##name params;						\
type									\
__wrap_##name params							\
{									\
	return fails(call) ? (failure) : __real_##name args;		\
}

WRAP(void *, malloc, (size_t n), (n), MEMORY, NULL)
WRAP(void *, calloc, (size_t n, size_t k), (n, k), MEMORY, NULL)
WRAP(void *, realloc, (void *p, size_t n), (p, n), MEMORY, NULL)
WRAP(void *, reallocarray, (void *p, size_t n, size_t k), (p, n, k), MEMORY,
    NULL)
WRAP(char *, strdup, (const char *s), (s), MEMORY, NULL)
WRAP(char *, strndup, (const char *s, size_t n), (s, n), MEMORY, NULL)
/* Error 0: a short count. */
#define SHORT(name, params, args, args_one, call)		\
ssize_t __real_##name params;						\
ssize_t __wrap_##name params;						\
ssize_t									\
__wrap_##name params							\
{									\
	if (!fails(call))						\
		return __real_##name args;				\
	return errno == 0 && n > 1 ? __real_##name args_one : -1;	\
}

SHORT(read, (int fd, void *p, size_t n), (fd, p, n), (fd, p, 1), READ)
SHORT(write, (int fd, const void *p, size_t n), (fd, p, n),
    (fd, p, 1), WRITE)
SHORT(send, (int fd, const void *p, size_t n, int flags),
    (fd, p, n, flags), (fd, p, 1, flags), SEND)
SHORT(recv, (int fd, void *p, size_t n, int flags), (fd, p, n, flags),
    (fd, p, 1, flags), RECV)
WRAP(int, accept4, (int fd, struct sockaddr *a, socklen_t *n, int flags),
    (fd, a, n, flags), ACCEPT, -1)
WRAP(int, epoll_ctl, (int e, int op, int fd, struct epoll_event *ev),
    (e, op, fd, ev), EPOLL_CTL, -1)
WRAP(int, epoll_wait, (int e, struct epoll_event *ev, int n, int ms),
    (e, ev, n, ms), EPOLL_WAIT, -1)
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags),
    MEMFD, -1)
WRAP(ssize_t, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at),
    PREAD, -1)
WRAP(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at),
    (fd, p, n, at), PWRITE, -1)
WRAP(int, fdatasync, (int fd), (fd), FDATASYNC, -1)
WRAP(ssize_t, getrandom, (void *p, size_t n, unsigned flags), (p, n, flags),
    GETRANDOM, -1)
WRAP(void *, mmap, (void *p, size_t n, int prot, int flags, int fd, off_t at),
    (p, n, prot, flags, fd, at), MMAP, MAP_FAILED)

int	__real_open(const char *path, int flags, ...);
int	__wrap_open(const char *path, int flags, ...);
int
__wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return fails(OPEN) ? -1 : __real_open(path, flags, mode);
}

/* Every command that we use takes a pointer or an int, which a pointer's
 * register holds as well. */
int	__real_fcntl(int fd, int cmd, ...);
int	__wrap_fcntl(int fd, int cmd, ...);
int
__wrap_fcntl(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	return fails(FCNTL) ? -1 : __real_fcntl(fd, cmd, arg);
}
