/* front_fcgi: FastCGI connections on the loop. The only module that knows
 * libfcgi.
 *
 * libfcgi takes requests apart, but never waits: one is given to it when all of
 * it is there. Records that no web server sends never reach it (a GET_VALUES
 * record with repeated names overflows a buffer in it, up to 2.4.7). The answer
 * is framed here and sent as far as the socket takes it: libfcgi can only
 * block, and over TCP it did. */
#ifndef FRONT_FCGI_H
#define FRONT_FCGI_H

#include <stdbool.h>
#include <stddef.h>

struct api;
struct config;
struct front;
struct loop;

/* Serve the listening socket fd, which is non-blocking and stays the caller's.
 * welcome, unless NULL, is asked about each new connection; false: it is
 * closed. NULL: out of memory. */
struct front *front_fcgi_new(struct loop *l, const struct config *cfg,
    struct api *api, int fd, bool (*welcome)(int fd));
void	front_fcgi_free(struct front *f);	/* drops what is open */

/* Whether a connection is open, or was since the last call of this. */
bool	front_fcgi_used(struct front *f);

/* For log_to, arg is f: a line into the answer of a request that is being
 * served, as its FCGI_STDERR. false: there is none. */
bool	front_fcgi_log(void *arg, const char *p, size_t n);

/* Take no new connection, close the kept ones when they have been silent for a
 * moment, and call done when the last stream has ended. done may be called
 * before this returns. */
void	front_fcgi_drain(struct front *f, void (*done)(void *arg), void *arg);

/* While it drains: break off every chat that is open, and tell its client. The
 * connections end when that is sent. */
void	front_fcgi_stop(struct front *f);

#endif
