/* What comes over a FastCGI connection: it is answered, closed or waited for by
 * the loop, never a crash and never a wait inside libfcgi; and what goes back
 * is FastCGI.
 * The first byte cuts the rest into three pieces; between them the loop turns.
 * The answer is ours, a head and the body given back, for the API is no part
 * of this. */
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../src/front_fcgi.c"
#include "../../src/front_fcgi_in.c"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MAX_BODY	4096
#define STDOUT_RECORD	6
#define END_RECORD	3

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* libfcgi's way to wait, for 2 s, when it closes a connection that it refuses
 * (OS_IpcClose, fcgi2 2.4.2): it must not come to that. */
int
poll(struct pollfd *fds, nfds_t n, int timeout)
{
	must(timeout == 0);
	return (int)syscall(SYS_poll, fds, n, timeout);
}

/* It reads from a socket that blocks: only what is there. */
ssize_t
read(int fd, void *p, size_t n)
{
	struct pollfd f = { .fd = fd, .events = POLLIN };

	must(poll(&f, 1, 0) == 1);
	return syscall(SYS_read, fd, p, n);
}

struct relay *
api_start(struct api *a, struct api_request *rq, struct sink *sink)
{
	static const char head[] = "Status: 200 OK\r\n\r\n";
	const struct conn *c = LOOP_OWNER(sink, struct conn, sink);
	size_t i;

	(void)a;
	must(rq->http == &c->http && rq->http->path[0] == '/');
	must(rq->body != NULL && rq->len <= MAX_BODY);
	must(c->walk.too_big || c->walk.too_long || rq->len == c->walk.body);
	must(!c->walk.too_big || rq->fault.code != FAULT_NONE);
	must(!c->walk.too_long || (rq->fault.code == FAULT_HEADERS &&
	    rq->len == 0));
	sink->put(sink, head, sizeof(head) - 1);
	for (i = 0; i < 20; i++)
		sink->put(sink, rq->body, rq->len);
	free(rq->body);
	rq->body = NULL;
	/* A path of one character is one whose answer is cut short. */
	sink->end(sink, strlen(rq->http->path) != 2);
	return NULL;
}

/* There is no relay here: nobody may ask for one. */
void
relay_gone(struct relay *r)
{
	must(r == NULL);
}

void
relay_stop(struct relay *r)
{
	must(r == NULL);
}

void
relay_drained(struct relay *r)
{
	must(r == NULL);
}

static void
hear(int fd, struct buf *b)
{
	char chunk[65536];
	ssize_t k;

	while ((k = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
		must(buf_put(b, chunk, (size_t)k) == 0);
}

/* What the peer heard: whole records of the kinds that a responder sends, but
 * for the last, which a closed connection may cut, and which is of no version
 * when the answer is to be cut. */
static void
check_answer(const struct buf *b)
{
	const unsigned char *p = (const unsigned char *)b->data;
	size_t i, len;

	for (i = 0; i + 8 <= b->len; i += 8 + len) {
		if (p[i] != 1) {
			must(i + 8 == b->len);
			break;
		}
		must(p[i + 1] == STDOUT_RECORD || p[i + 1] == END_RECORD);
		must((p[i + 2] << 8 | p[i + 3]) != 0);
		len = (size_t)(p[i + 4] << 8 | p[i + 5]) + p[i + 6];
		must(p[i + 1] != END_RECORD || len == 8);
	}
}

static struct loop *loop;

static void
stop(struct loop_timer *t)
{
	(void)t;
	loop_stop(loop);
}

/* Let everything happen that can without more from the peer. */
static void
turn(struct front *f, int fd, struct buf *heard)
{
	struct loop_timer t = { .fire = stop };
	int i;

	for (i = 0; i < 3 && f->conns != NULL; i++) {
		must(loop_timer_set(loop, &t, 0) == 0);
		must(loop_run(loop) == 0);
		hear(fd, heard);
	}
}

static void
converse(const uint8_t *p, size_t n, size_t a, size_t b)
{
	static unsigned char peek[FRONT_PEEK];
	static const struct config cfg = { .max_body = MAX_BODY,
	    .stall_ms = 1000, .body_ms = 1000, .prefix = "" };
	struct front f = { .loop = loop, .cfg = &cfg, .peek = peek };
	const size_t cut[] = { 0, a, b, n };
	struct buf heard;
	int fd[2], i;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
	buf_init(&heard, 64 << 20);
	for (i = 0; i < 3; i++) {
		/* EPIPE: the front has closed it. */
		(void)!send(fd[1], p + cut[i], cut[i + 1] - cut[i],
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (i == 0)
			conn_new(&f, fd[0]);
		turn(&f, fd[1], &heard);
	}
	shutdown(fd[1], SHUT_WR);
	turn(&f, fd[1], &heard);
	close(fd[1]);
	/* Without a peer nothing can be left to wait for. */
	turn(&f, -1, &heard);
	must(f.conns == NULL);
	check_answer(&heard);
	buf_release(&heard);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t a, b;

	if (n < 1 || n > 60000)
		return 0;
	if (loop == NULL)
		must((loop = loop_new()) != NULL && FCGX_Init() == 0);
	n--;
	a = n > 0 ? n * (data[0] & 15) / 15 : 0;
	b = a + (n - a) * (data[0] >> 4) / 15;
	converse(data + 1, n, a, b);
	return 0;
}
