/* worker: one process that serves: the loop, the ledger and a front put
 * together. */
#ifndef WORKER_H
#define WORKER_H

#include <sys/types.h>

struct config;

/* Serve the FastCGI connections of the listening socket fd until SIGTERM,
 * SIGINT or SIGUSR1 (which must be blocked by the caller), then finish what is
 * open: for drain-time, then what is left is broken off and told so. It shuts
 * itself in (see sandbox.h), as worker_cgi does. web: a process without which
 * there is no point in going on when the parent is gone; 0: none. The exit
 * status. */
int	worker_fcgi(const struct config *cfg, int fd, pid_t web);

/* Serve the one CGI request of this process. The exit status. */
int	worker_cgi(const struct config *cfg);

#endif
