/* linger: the responder that a CGI process leaves behind, so that the next
 * ones need not begin from nothing (`cgi-linger`).
 *
 * It listens on a unix socket beside the state file, and only its own user may
 * speak to it, nor does he speak to anybody else's. The socket's name holds a
 * digest of the whole configuration as it was understood and of the binary: who
 * has another configuration, environment or version does not find it, and
 * starts his own; the old one ends when nobody asks it any more. */
#ifndef LINGER_H
#define LINGER_H

#include <stdbool.h>

struct config;

#define LINGER_PATH	108		/* sun_path */

/* The name of the socket for cfg. 0, or -1: it would be too long. */
int	linger_name(const struct config *cfg, char out[LINGER_PATH]);

/* See to it that somebody listens at path: unless there is a socket, a process
 * of no terminal, no group and no descriptor of this one's runs serve with a
 * listening socket until it returns. One is started, however many ask at once.
 * Blocks for two forks. 0, or -1: there is none and there will be none, the
 * host does not allow it or another process is just starting it. */
int	linger_start(const struct config *cfg, const char *path,
	    int (*serve)(const struct config *cfg, int fd, const char *path));

/* A connection to it, non-blocking; a socket that nobody listens on is removed.
 * -1: none. */
int	linger_connect(const char *path);

/* For front_fcgi_new: whether fd's peer is of our user, who is then greeted
 * with record_hello. */
bool	linger_welcome(int fd);

#endif
