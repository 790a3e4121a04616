/* front_cgi: one request by plain CGI (RFC 3875): the environment, stdin,
 * stdout. */
#ifndef FRONT_CGI_H
#define FRONT_CGI_H

#include "buf.h"
#include "fault.h"
#include "http.h"

struct api;
struct config;
struct loop;

/* The one request of this process. */
struct front_request {
	struct http	http;
	struct buf	body;		/* buf_release it */
	struct fault	fault;		/* found while it was taken in;
					 * FAULT_NONE: none */
};

/* Read it: its head from the environment, then its body from stdin, which
 * blocks, at most body-timeout. */
void	front_cgi_head(struct front_request *rq);
void	front_cgi_body(struct front_request *rq, const struct config *cfg);

/* Serve it; takes its body. Blocks until it is answered, the client left or
 * SIGTERM came; all three are an ordinary end. 0, or -1 when there was no way
 * to answer. */
int	front_cgi(struct loop *l, const struct config *cfg, struct api *api,
	    struct front_request *rq);

#endif
