/* load: many event streams at once, each checked to its last byte.
 *
 *	cc -std=gnu11 -D_GNU_SOURCE -O2 -o load tests/load/load.c
 *	load PORT PATH STREAMS CHUNKS [LEAVE] <body
 *
 * Opens that many connections to 127.0.0.1, sends the body from stdin as a
 * POST on each, and reads until each is closed; every LEAVE-th leaves in the
 * middle. The content is to be the mock's: "w1 ", "w2 " ... in their order.
 * A stream is whole (CHUNKS of them, then [DONE]), told (an error event and no
 * [DONE]), cut (neither), left (by us), or a lie: a chunk twice, or missing,
 * or anything behind the end. Prints how many of each; status 0 if all were
 * whole or left. HTTP/1.0, so that no chunked coding stands between the
 * events. */

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

enum ending { WHOLE, TOLD, CUT, LEFT, LIE, ENDINGS };

struct stream {
	int	fd;
	size_t	sent;
	size_t	chunks;
	size_t	leave;			/* after so many; 0: never */
	bool	done, error, lie, left;
	size_t	len;
	char	line[1024];		/* the one that is not whole yet */
};

static char	request[1 << 20];
static size_t	request_len;

/* One line of the event stream; what was too long for it is cut. */
static void
line(struct stream *s)
{
	const char *word = strstr(s->line, NEEDLE);

	if (strncmp(s->line, "data:", 5) != 0)
		return;
	s->lie |= s->done || s->error;
	s->done |= strncmp(s->line, "data: [DONE]", 12) == 0;
	s->error |= strstr(s->line, "\"error\":") != NULL;
	if (word == NULL)
		return;
	s->chunks++;
	s->lie |= strtoul(word + sizeof(NEEDLE) - 1, NULL, 10) != s->chunks;
}

/* false: it leaves. */
static bool
take(struct stream *s, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != '\n') {
			if (s->len + 1 < sizeof(s->line))
				s->line[s->len++] = p[i];
			continue;
		}
		s->line[s->len] = '\0';
		line(s);
		s->len = 0;
		s->left |= s->leave > 0 && s->chunks >= s->leave;
	}
	return !s->left;
}

static enum ending
ending(const struct stream *s, size_t chunks)
{
	if (s->lie || (s->done && (s->chunks != chunks || s->error)))
		return LIE;
	return s->left ? LEFT : s->done ? WHOLE : s->error ? TOLD : CUT;
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
		if (!take(s, p, (size_t)n))
			return false;
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
	size_t n, chunks, leave, len, count[ENDINGS] = { 0 };
	static char body[1 << 19];
	struct rlimit files;
	struct stream *all;
	int epoll;

	if (argc != 5 && argc != 6) {
		fprintf(stderr, "usage: load PORT PATH STREAMS CHUNKS [LEAVE] "
		    "<body\n");
		return 2;
	}
	n = strtoul(argv[3], NULL, 10);
	chunks = strtoul(argv[4], NULL, 10);
	leave = argc == 6 ? strtoul(argv[5], NULL, 10) : 0;
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
	for (size_t i = 0; leave > 0 && i < n; i++)
		if (i % leave == leave - 1)
			all[i].leave = i * 7 % chunks + 1;
	(void)run(epoll, all, n, atoi(argv[1]));
	for (size_t i = 0; i < n; i++)
		count[ending(&all[i], chunks)]++;
	printf("%zu of %zu streams whole\n", count[WHOLE], n);
	if (count[WHOLE] < n)
		printf("%zu told, %zu cut, %zu left, %zu lies\n",
		    count[TOLD], count[CUT], count[LEFT], count[LIE]);
	free(all);
	return count[WHOLE] + count[LEFT] == n ? 0 : 1;
}
