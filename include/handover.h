/* handover: a CGI process gives its request to the responder that lingers, and
 * its answer to the web server.
 *
 * The request is sent whole but for its last record; that goes when the
 * responder has said that it is there. Before it nothing can have begun, and
 * the caller may serve the request itself; after it only what may be asked
 * twice. */
#ifndef HANDOVER_H
#define HANDOVER_H

#include <stddef.h>

enum handover {
	HANDOVER_NOT,		/* nothing was begun, nothing was written */
	HANDOVER_DONE,		/* answered, or the client left */
	HANDOVER_LOST		/* begun, but there will be no answer; nothing
				 * was written */
};

/* Give envp's request with its body to the responder behind fd (non-blocking,
 * stays the caller's) and copy the answer to stdout, its log to stderr. An
 * answer that breaks off is cut short as front_cgi does it. Blocks until the
 * end, but not for a responder that does nothing for patience_ms before it
 * begins, nor for a client that takes nothing for stall_ms. SIGTERM, SIGINT and
 * SIGHUP say that the client left, and are blocked from here on; the responder
 * hears of it by the end of the connection. */
struct handover_ask {
	char *const	*envp;
	const char	*body;
	size_t		 len;
	int		 patience_ms, stall_ms;
};
enum handover handover(int fd, const struct handover_ask *ask);

#endif
