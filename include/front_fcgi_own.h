/* front_fcgi_own: what the parts of front_fcgi share, and nobody else. */
#ifndef FRONT_FCGI_OWN_H
#define FRONT_FCGI_OWN_H

#include <fcgiapp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "buf.h"
#include "front_fcgi.h"
#include "http.h"
#include "loop.h"
#include "record.h"

#define FRONT_PEEK	(64 * 1024)	/* a request this small is not copied */
#define FRONT_LARGE	(256 * 1024)	/* room for the body of one that is not:
					 * else it moves as it grows */

enum state { IDLE, BUSY, GONE };

struct conn {
	struct loop_io		 io;
	struct front		*f;
	struct conn		*next, **prev;
	enum state		 state;
	struct record_walk	 walk;
	struct buf		 in;		/* bigger than a peek */
	struct buf		 body;		/* ... and its body */
	FCGX_Request		 fcgi;
	struct http		 http;
	struct relay		*relay;		/* the chat, or NULL */
	struct sink		 sink;
	struct buf		 out;		/* bytes for the web server */
	size_t			 out_at;	/* of them written */
	size_t			 open;		/* a record that may grow */
	bool			 ended;		/* the answer is in out */
	bool			 whole;
	bool			 full;		/* the relay waits for room */
	bool			 lost;		/* a part of the answer is */
	bool			 cut;		/* to be cut when timer fires */
	struct loop_task	 flush;
	struct loop_timer	 timer;		/* body or stall deadline */
};

struct front {
	struct loop		*loop;
	const struct config	*cfg;
	struct api		*api;
	struct loop_io		 listen;
	struct loop_timer	 again;		/* accept once more */
	struct conn		*conns;
	unsigned char		*peek;
	struct http_ids		 ids;
	bool			(*welcome)(int fd);	/* or NULL */
	bool			 used;
	bool			 draining;
	int64_t			 grace;		/* steady ms, while draining */
	void			(*done)(void *);
	void			*done_arg;
};

/* When a connection has had its time; INT64_MAX: never. Its timer has a place on
 * the loop from the first to the last, so that this cannot fail. */
static inline void
front_fcgi_due(struct conn *c, int64_t due)
{
	(void)loop_timer_set(c->f->loop, &c->timer, due);
}

/* End a connection in any state: its chat too, which is told. */
void	front_fcgi_close(struct conn *c);

/* Take in what came of a request, and begin its answer when that was all. c
 * may be gone after it. */
void	front_fcgi_readable(struct conn *c);

#endif
