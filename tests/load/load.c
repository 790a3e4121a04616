/* load: many event streams at once, each checked to its last byte.
 *
 *	cc -std=gnu11 -D_GNU_SOURCE -O2 -o load tests/load/load.c
 *	load PORT PATH STREAMS CHUNKS <body
 *
 * Opens that many connections to 127.0.0.1, sends the body from stdin as a
 * POST on each, and reads until each is closed. Prints how many streams held
 * exactly CHUNKS content chunks and ended in [DONE]; status 0 if all did.
 * HTTP/1.0, so that no chunked coding stands between the events. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define AT_ONCE		128	/* connecting; nginx's backlog is 511 */
#define WAIT_MS		60000	/* without any event: given up */
#define NEEDLE		"\"content\":\"w"
#define LAST		"data: [DONE]\n\n"

struct stream {
	int	fd;
	size_t	sent;
	size_t	chunks;
	size_t	have;			/* bytes of tail */
	char	tail[sizeof(LAST) - 1];	/* the last that came; LAST is longer
					 * than NEEDLE, so it also carries a
					 * needle that a read cut in two */
};

_Static_assert(sizeof(LAST) > sizeof(NEEDLE), "the tail holds a needle");

static char	request[1 << 20];
static size_t	request_len;

static size_t
count(const char *p, size_t n)
{
	const char *end = p + n;
	size_t found = 0;

	while ((p = memmem(p, (size_t)(end - p), NEEDLE,
	    sizeof(NEEDLE) - 1)) != NULL) {
		found++;
		p += sizeof(NEEDLE) - 1;
	}
	return found;
}

/* Count the needles that end in the new bytes, and keep the tail. */
static void
take(struct stream *s, const char *p, size_t n)
{
	char seam[sizeof(s->tail) + 65536];
	size_t keep;

	memcpy(seam, s->tail, s->have);
	memcpy(seam + s->have, p, n);
	s->chunks += count(seam, s->have + n) - count(s->tail, s->have);
	keep = s->have + n < sizeof(s->tail) ? s->have + n : sizeof(s->tail);
	memcpy(s->tail, seam + s->have + n - keep, keep);
	s->have = keep;
}

static int
start(int epoll, struct stream *s, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = s };

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || (connect(s->fd, (struct sockaddr *)&to,
	    sizeof(to)) != 0 && errno != EINPROGRESS))
		return -1;
	return epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &ev);
}

/* false: the stream is at its end. */
static bool
ready(int epoll, struct stream *s, size_t *connecting)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };
	char p[65536];
	ssize_t n;

	if (s->sent < request_len) {
		n = send(s->fd, request + s->sent, request_len - s->sent,
		    MSG_NOSIGNAL);
		if (n > 0)
			s->sent += (size_t)n;
		if (s->sent < request_len)
			return n > 0 || errno == EAGAIN;
		(*connecting)--;
		return epoll_ctl(epoll, EPOLL_CTL_MOD, s->fd, &ev) == 0;
	}
	while ((n = recv(s->fd, p, sizeof(p), 0)) > 0)
		take(s, p, (size_t)n);
	return n < 0 && errno == EAGAIN;
}

static size_t
run(int epoll, struct stream *all, size_t n, int port)
{
	struct epoll_event ev[256];
	size_t begun = 0, open = 0, connecting = 0;
	int got;

	while (begun < n || open > 0) {
		for (; begun < n && connecting < AT_ONCE; begun++) {
			if (start(epoll, &all[begun], port) != 0)
				return begun;
			open++;
			connecting++;
		}
		got = epoll_wait(epoll, ev, 256, WAIT_MS);
		if (got <= 0)
			return begun;
		for (int i = 0; i < got; i++) {
			struct stream *s = ev[i].data.ptr;

			if (ready(epoll, s, &connecting))
				continue;
			if (s->sent < request_len)
				connecting--;
			close(s->fd);
			open--;
		}
	}
	return begun;
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	static char body[1 << 19];
	struct stream *all;
	size_t n, chunks, len, good = 0;
	int epoll;

	if (argc != 5) {
		fprintf(stderr, "usage: load PORT PATH STREAMS CHUNKS <body\n");
		return 2;
	}
	n = strtoul(argv[3], NULL, 10);
	chunks = strtoul(argv[4], NULL, 10);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	len = fread(body, 1, sizeof(body), stdin);
	request_len = (size_t)snprintf(request, sizeof(request),
	    "POST %s HTTP/1.0\r\nHost: 127.0.0.1\r\n"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n"
	    "%.*s", argv[2], len, (int)len, body);
	all = calloc(n, sizeof(*all));
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (all == NULL || epoll < 0)
		return 2;
	(void)run(epoll, all, n, atoi(argv[1]));
	for (size_t i = 0; i < n; i++)
		good += all[i].chunks == chunks &&
		    all[i].have == sizeof(all[i].tail) &&
		    memcmp(all[i].tail, LAST, sizeof(all[i].tail)) == 0;
	printf("%zu of %zu streams whole\n", good, n);
	free(all);
	return good == n ? 0 : 1;
}
