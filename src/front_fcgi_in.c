#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api.h"
#include "config.h"
#include "fault.h"
#include "front_fcgi_own.h"
#include "log.h"

/* Taking a request in: whole in one look, or collected piece by piece. */

/* The body that was collected, no larger than it has to be. */
static char *
body_take(struct conn *c, size_t *n)
{
	char *p = realloc(c->body.data, c->body.len + 1);

	if (p == NULL)
		return NULL;
	*n = c->body.len;
	buf_init(&c->body, c->body.max);
	return p;
}

static char *
body_read(struct conn *c, size_t *n)
{
	size_t want = c->walk.too_big || c->walk.too_long ? 0 : c->walk.body;
	char *p;
	int got;

	/* One byte more than there is: libfcgi has then read the record that
	 * ends the input, which would poison the next request otherwise. */
	p = malloc(want + 1);
	if (p == NULL)
		return NULL;
	got = FCGX_GetStr(p, (int)want + 1, c->fcgi.in);
	if (c->walk.too_big) {
		char skip[4096];

		while (FCGX_GetStr(skip, sizeof(skip), c->fcgi.in) ==
		    sizeof(skip))
			;
		got = 0;
	}
	if (got < 0 || (size_t)got != want || FCGX_GetError(c->fcgi.in) != 0) {
		free(p);
		return NULL;
	}
	*n = want;
	return p;
}

/* The whole request is at fd (the socket, or a memfd with its records). false:
 * libfcgi closed fd, as it does with what it refuses. */
static bool
conn_begin(struct conn *c, int fd)
{
	struct api_request rq = { .http = &c->http, .fault.retry_ms = -1 };

	if (FCGX_InitRequest(&c->fcgi, -1, 0) != 0)
		goto fail;
	c->fcgi.ipcFd = fd;
	c->fcgi.keepConnection = 1;
	if (FCGX_Accept_r(&c->fcgi) < 0) {
		if (fd == c->io.fd)
			c->io.fd = -1;
		front_fcgi_close(c);
		return false;
	}
	c->state = BUSY;
	if (FCGX_GetError(c->fcgi.in) != 0)
		goto fail;
	rq.body = c->body.len > 0 && !c->walk.too_big ?
	    body_take(c, &rq.len) : body_read(c, &rq.len);
	if (rq.body == NULL)
		goto fail;
	front_fcgi_due(c, INT64_MAX);
	/* Only its parameters are still needed: 17 KB for each stream. */
	FCGX_FreeStream(&c->fcgi.in);
	FCGX_FreeStream(&c->fcgi.out);
	FCGX_FreeStream(&c->fcgi.err);
	buf_release(&c->in);
	buf_release(&c->body);
	if (http_read(&c->http, c->fcgi.envp, &c->f->ids, &rq.fault) == 0 &&
	    c->walk.too_big)
		fault_set(&rq.fault, FAULT_BODY_TOO_LARGE, NULL,
		    "the body is larger than max-body (%zu bytes)",
		    c->f->cfg->max_body);
	if (c->walk.too_long)
		http_too_long(&rq.fault);
	c->ended = false;
	c->relay = api_start(c->f->api, &rq, &c->sink);
	return true;
fail:
	front_fcgi_close(c);
	return true;
}

/* The parameters of a request that was collected reach libfcgi through a
 * memfd. The body could too, but would be written, read by 8 KB and copied. */
static void
conn_collected(struct conn *c)
{
	int fd = memfd_create("request", MFD_CLOEXEC);

	if (fd < 0 || write(fd, c->in.data, c->in.len) !=
	    (ssize_t)c->in.len || lseek(fd, 0, SEEK_SET) != 0) {
		log_msg(LOG_ERROR, "memfd", "a request of %zu bytes could not "
		    "be taken in: %s", c->in.len, strerror(errno));
		if (fd >= 0)
			close(fd);
		front_fcgi_close(c);
		return;
	}
	if (conn_begin(c, fd))
		close(fd);
}

/* Receive what is there and walk its records. */
static void
conn_collect(struct conn *c)
{
	struct front *f = c->f;
	ssize_t n;

	while ((n = recv(c->io.fd, f->peek, FRONT_PEEK, MSG_DONTWAIT)) > 0) {
		switch (record_collect(&c->walk, f->peek, (size_t)n, &c->in,
		    &c->body)) {
		case RECORD_WHOLE:
			conn_collected(c);
			return;
		case RECORD_BAD:
			front_fcgi_close(c);
			return;
		case RECORD_MORE:
			break;
		}
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		front_fcgi_close(c);
}

void
front_fcgi_readable(struct conn *c)
{
	struct front *f = c->f;
	ssize_t n;

	if (c->walk.at > 0) {
		conn_collect(c);
		return;
	}
	n = recv(c->io.fd, f->peek, FRONT_PEEK, MSG_PEEK | MSG_DONTWAIT);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			front_fcgi_close(c);
		return;
	}
	switch (record_whole(&c->walk, f->peek, (size_t)n)) {
	case RECORD_WHOLE:
		/* What follows, an abort say, libfcgi would read and forget.
		 * No web server asks again before it has its answer. */
		if (c->walk.at < (size_t)n)
			front_fcgi_close(c);
		else
			(void)conn_begin(c, c->io.fd);
		break;
	case RECORD_BAD:
		front_fcgi_close(c);
		break;
	case RECORD_MORE:
		front_fcgi_due(c, loop_now(f->loop) + f->cfg->body_ms);
		record_start(&c->walk, f->cfg->max_body);
		if (n == FRONT_PEEK && c->body.max >= FRONT_LARGE)
			(void)buf_reserve(&c->body, FRONT_LARGE);
		conn_collect(c);
		break;
	}
}
