/* front_cgi: one request by plain CGI (RFC 3875): the environment, stdin,
 * stdout. */
#ifndef FRONT_CGI_H
#define FRONT_CGI_H

struct api;
struct config;
struct loop;

/* Serve the one request of this process. Blocks until it is answered, the
 * client left or SIGTERM came; all three are an ordinary end. 0, or -1 when
 * there was no way to answer. */
int	front_cgi(struct loop *l, const struct config *cfg, struct api *api);

#endif
