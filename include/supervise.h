/* supervise: the listening socket, the workers, the signals.
 *
 * The supervisor owns the socket and serves nothing. A worker that dies is
 * replaced, with a growing pause if it dies at once. SIGHUP: new workers with
 * the new configuration, then the old ones take no new connection, finish
 * their streams and go; a configuration with errors is refused and the old one
 * stays. When the binary was replaced meanwhile the supervisor becomes the new
 * one first; one that does not run is refused as well. SIGUSR2: new workers
 * with the configuration in use. SIGTERM, SIGINT, SIGUSR1: all workers finish,
 * at most drain-time. */
#ifndef SUPERVISE_H
#define SUPERVISE_H

#include <sys/types.h>

struct config;
struct upgrade_estate;

/* The listening FastCGI socket that this process was started with: fd 0 (web
 * server, spawn-fcgi, systemd's StandardInput=socket) or fd 3 (LISTEN_FDS for
 * this process). -1: none. */
int	supervise_inherited(void);

/* From now on signals wait for supervise(), which calls this, too. For who
 * makes the socket: whoever sees it may end us, and finds it gone then. 0, or
 * -1. */
int	supervise_signals(void);

/* Make a private unix socket at path with the given mode. A socket file that
 * nobody listens on is replaced; anything else that stands there is not. The
 * descriptor, or -1 with a sentence on stderr. */
int	supervise_socket(const char *path, mode_t mode);

/* Run until told to stop; takes cfg. file: to load again on SIGHUP. path: of
 * the socket when supervise_socket made it (it is removed when the stop begins,
 * so that a successor can make its own), else NULL. old: what the binary before
 * this one left. 0, or -1 when the first worker could not be made. */
int	supervise(int fd, struct config *cfg, const char *file,
	    const char *path, const struct upgrade_estate *old);

#endif
