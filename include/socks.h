/* socks: the sockets of a library that opens and closes them itself, watched
 * on the loop.
 *
 * A connection stays watched while the library has no use for it between two
 * requests, which saves two epoll_ctl for each. Only sockets that are opened
 * and closed here may: others are closed behind our back, and their numbers
 * come back at once. */
#ifndef SOCKS_H
#define SOCKS_H

#include <stdbool.h>
#include <stddef.h>

struct loop;
struct sock;

struct socks {
	struct loop	*loop;
	void		(*ready)(void *arg, int fd, unsigned events);
	bool		(*used)(void *arg, int fd);
	void		*arg;
	struct sock	**by_fd;
	size_t		 n;
	size_t		 idle;	/* connections that nothing is wanted of */
	size_t		 ended;	/* those of them that ended while kept */
};

/* ready hears of what is wanted; used tells whether a request is on fd, which
 * is kept, all the same. Allocates nothing. */
void	socks_init(struct socks *s, struct loop *loop,
	    void (*ready)(void *arg, int fd, unsigned events),
	    bool (*used)(void *arg, int fd), void *arg);

/* Forget all; the descriptors stay open. */
void	socks_release(struct socks *s);

/* A new connection's socket, or -1. */
int	socks_open(struct socks *s, int family, int type, int protocol);

/* Close one that socks_open made. As close(2). */
int	socks_close(struct socks *s, int fd);

/* Watch fd for events (EPOLLIN ...); 0: for nothing now. 0 or -1. */
int	socks_want(struct socks *s, int fd, unsigned events);

/* The same for nothing, and until it is wanted or used again nothing may come:
 * what does ends the connection. 0 or -1. */
int	socks_keep(struct socks *s, int fd);

#endif
