#include "socks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"

struct sock {
	struct loop_io	 io;
	struct socks	*s;
	bool		 ours;		/* made by socks_open */
	bool		 idle;		/* watched, but nothing is wanted */
	bool		 kept;		/* between two requests */
	bool		 ended;		/* then, by us */
};

void
socks_init(struct socks *s, struct loop *loop,
    void (*ready)(void *, int, unsigned), bool (*used)(void *, int), void *arg)
{
	memset(s, 0, sizeof(*s));
	s->loop = loop;
	s->ready = ready;
	s->used = used;
	s->arg = arg;
}

static void
drop(struct socks *s, int fd)
{
	if ((size_t)fd >= s->n || s->by_fd[fd] == NULL)
		return;
	loop_forget(s->loop, &s->by_fd[fd]->io);
	s->idle -= s->by_fd[fd]->idle;
	s->ended -= s->by_fd[fd]->ended;
	free(s->by_fd[fd]);
	s->by_fd[fd] = NULL;
}

void
socks_release(struct socks *s)
{
	for (size_t i = 0; i < s->n; i++)
		drop(s, (int)i);
	free(s->by_fd);
	s->by_fd = NULL;
	s->n = 0;
}

/* End a connection, and leave nothing to read: whoever looks whether it lives
 * by peeking for a byte (libcurl 7.88) would find one. */
static void
hang_up(int fd)
{
	char p[4096];
	int most = 64;

	(void)shutdown(fd, SHUT_RDWR);
	while (recv(fd, p, sizeof(p), MSG_DONTWAIT) > 0 && --most > 0)
		continue;
}

/* An event may be from before the connection was kept: of the same batch. */
static bool
quiet(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void
on_ready(struct loop_io *io, unsigned events)
{
	struct sock *k = LOOP_OWNER(io, struct sock, io);

	if (!k->idle) {
		k->s->ready(k->s->arg, io->fd, events);
		return;
	}
	/* We only must not spin on it. Between two requests it is the end, or
	 * bytes that are nobody's, and the next answer would begin with them;
	 * the library looks whether it hung up before it uses it again. */
	if (k->kept && quiet(io->fd))
		return;
	if (k->kept && !k->s->used(k->s->arg, io->fd)) {
		hang_up(io->fd);
		k->s->ended += !k->ended;
		k->ended = true;
	}
	loop_forget(k->s->loop, io);
}

static struct sock *
get(struct socks *s, int fd)
{
	size_t room = s->n ? s->n : 64;
	struct sock **p;

	while (room <= (size_t)fd)
		room *= 2;
	if (room > s->n) {
		p = reallocarray(s->by_fd, room, sizeof(*p));
		if (p == NULL)
			return NULL;
		memset(p + s->n, 0, (room - s->n) * sizeof(*p));
		s->by_fd = p;
		s->n = room;
	}
	if (s->by_fd[fd] == NULL) {
		struct sock *k = calloc(1, sizeof(*k));

		if (k == NULL)
			return NULL;
		k->io.fd = fd;
		k->io.ready = on_ready;
		k->s = s;
		s->by_fd[fd] = k;
	}
	return s->by_fd[fd];
}

int
socks_open(struct socks *s, int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);
	struct sock *k;

	if (fd < 0)
		return -1;
	drop(s, fd);
	k = get(s, fd);
	if (k == NULL) {
		close(fd);
		return -1;
	}
	k->ours = true;
	return fd;
}

int
socks_close(struct socks *s, int fd)
{
	drop(s, fd);
	return close(fd);
}

int
socks_want(struct socks *s, int fd, unsigned events)
{
	struct sock *k = get(s, fd);

	if (k == NULL)
		return -1;
	s->idle -= k->idle;
	k->idle = events == 0;
	s->idle += k->idle;
	s->ended -= k->ended;
	k->kept = k->ended = false;
	if (events != 0)
		return loop_watch(s->loop, &k->io, events);
	if (!k->ours)
		drop(s, fd);
	return 0;
}

int
socks_keep(struct socks *s, int fd)
{
	int result = socks_want(s, fd, 0);

	if (result != 0 || s->by_fd[fd] == NULL)
		return result;
	s->by_fd[fd]->kept = true;
	/* An answer that was there at once leaves it watched for room, of which
	 * there is always some. */
	(void)loop_watch(s->loop, &s->by_fd[fd]->io, EPOLLIN);
	return 0;
}
