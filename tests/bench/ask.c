/* ask: the load of the benchmark. Asks the same question over and over, and
 * checks every answer to its last byte.
 *
 *	ask [-c CONNECTIONS] [-n REQUESTS] [-r RAMP_MS] [-t TOKEN]
 *	    (-s CHUNKS | -u TOKENS) [-w SOCKET] PORT PATH <body
 *	ask -a MOCKPORT [-f COUNT] [-m MODEL] ... PORT PATH <body
 *
 * Closed loop: each connection, kept open as long as the server likes, asks
 * again as soon as it has its answer. -s: the answer is a stream of that many
 * chunks, -u: one object. -r spreads the begin of the connections over that
 * time. -w waits until the unix socket is there, and asks then.
 *
 * -a: begin a stream, leave after its first content, and take the time until
 * the mock says that it has lost its peer; -f are those that it lost before.
 *
 * Prints a line of JSON, times in microseconds: `first` is the time to the
 * first content, `whole` to the end, or for -a to the loss; `late` counts those
 * of `first` that took 35 ms or more, `at` is when all was done on
 * CLOCK_MONOTONIC. Status 1 and the first wrong answer on stderr if one was. */
#include "answer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define QUIET_MS	30000	/* nothing at all for so long: given up */
#define LATE_US		35000	/* a delayed ACK is 40 ms */

struct options {
	long	 connections, requests, ramp_ms;
	bool	 stream;
	size_t	 tokens;
	const char *token, *socket, *model, *path;
	int	 port, mock;
	long	 lost;
};

struct conn {
	int	 fd;
	size_t	 sent;
	int64_t	 asked, first;
	struct answer in;
};

struct run {
	struct options o;
	int	 epoll;
	char	*question;
	size_t	 nquestion;
	struct conn *conns;
	long	 asked, done, wrong;
	int64_t	*first, *whole;
};

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int
dial(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void
complain(struct run *r, const struct conn *c, const char *why)
{
	if (r->wrong++ > 0)
		return;
	fprintf(stderr, "ask: %s\n%.600s%.600s\n", why,
	    c->in.nhead > 0 ? c->in.head : "",
	    c->in.nbody > 0 ? c->in.body : "");
}

/* -- Many at once ------------------------------------------------------- */

static void
hang_up(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static int
watch(struct run *r, struct conn *c, int how, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	return epoll_ctl(r->epoll, how, c->fd, &ev);
}

/* Send what is left of the question; big ones need room. */
static int
send_more(struct run *r, struct conn *c)
{
	ssize_t n = send(c->fd, r->question + c->sent,
	    r->nquestion - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN)
		return -1;
	if (n > 0)
		c->sent += (size_t)n;
	return watch(r, c, EPOLL_CTL_MOD,
	    c->sent < r->nquestion ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* Ask the next question, if there is one left. */
static void
ask(struct run *r, struct conn *c)
{
	if (r->asked == r->o.requests) {
		hang_up(c);
		return;
	}
	r->asked++;
	c->sent = 0;
	c->first = 0;
	answer_clear(&c->in);
	c->asked = now_us();
	if (c->fd < 0) {
		c->fd = dial(r->o.port);
		if (c->fd < 0 || watch(r, c, EPOLL_CTL_ADD, EPOLLIN) != 0) {
			complain(r, c, "cannot connect");
			hang_up(c);
			r->done++;
			return;
		}
	}
	if (send_more(r, c) != 0) {
		complain(r, c, "cannot send");
		hang_up(c);
		r->done++;
	}
}

static void
answered(struct run *r, struct conn *c, int whole, bool closed)
{
	int64_t now = now_us();

	if (whole < 0)
		complain(r, c, "the answer was cut");
	else if (!answer_right(&c->in, r->o.stream, r->o.tokens))
		complain(r, c, "a wrong answer");
	r->first[r->done] = (c->first ? c->first : now) - c->asked;
	r->whole[r->done++] = now - c->asked;
	if (whole < 0 || closed || c->in.close)
		hang_up(c);
	ask(r, c);
}

static void
receive(struct run *r, struct conn *c)
{
	char p[65536];
	ssize_t n = recv(c->fd, p, sizeof(p), MSG_DONTWAIT);
	int whole;

	if (n < 0 && errno == EAGAIN)
		return;
	whole = n > 0 ? answer_take(&c->in, p, (size_t)n) :
	    answer_end(&c->in);
	if (c->first == 0 && c->in.nbody > 0 &&
	    strstr(c->in.body, "\"content\":\"w") != NULL)
		c->first = now_us();
	if (whole != 0)
		answered(r, c, whole, n <= 0);
}

/* How long until connection number i begins; 0: now. */
static int64_t
begin_in(const struct run *r, int64_t start, long i)
{
	int64_t due = start + r->o.ramp_ms * 1000 * i / r->o.connections;
	int64_t now = now_us();

	return due > now ? due - now : 0;
}

static void
ask_all(struct run *r)
{
	struct epoll_event ev[256];
	int64_t start = now_us(), wait;
	long begun = 0;
	int got;

	while (r->done < r->o.requests) {
		wait = QUIET_MS * 1000;
		while (begun < r->o.connections &&
		    (wait = begin_in(r, start, begun)) == 0)
			ask(r, &r->conns[begun++]);
		if (begun == r->o.connections)
			wait = QUIET_MS * 1000;
		got = epoll_wait(r->epoll, ev, 256, (int)(wait / 1000) + 1);
		if (got == 0 && begun == r->o.connections) {
			fprintf(stderr, "ask: %ld of %ld answers never came\n",
			    r->o.requests - r->done, r->o.requests);
			r->wrong += r->o.requests - r->done;
			return;
		}
		for (int i = 0; i < got; i++) {
			struct conn *c = ev[i].data.ptr;

			if ((ev[i].events & EPOLLOUT) != 0 &&
			    send_more(r, c) != 0)
				answered(r, c, -1, true);
			else if ((ev[i].events & ~EPOLLOUT) != 0)
				receive(r, c);
		}
	}
}

/* -- Leaving in mid stream ------------------------------------------------ */

static int
until_content(struct run *r, struct conn *c)
{
	char p[65536];
	ssize_t n;

	answer_clear(&c->in);
	c->asked = now_us();
	c->fd = dial(r->o.port);
	if (c->fd < 0 || send(c->fd, r->question, r->nquestion,
	    MSG_NOSIGNAL) != (ssize_t)r->nquestion)
		return -1;
	for (;;) {
		n = recv(c->fd, p, sizeof(p), 0);
		if (n <= 0 || answer_take(&c->in, p, (size_t)n) != 0)
			return -1;
		if (c->in.nbody > 0 &&
		    strstr(c->in.body, "\"content\":\"w") != NULL)
			return 0;
	}
}

/* Leave, and hear from the mock when it has noticed; -1 if it does not. */
static int
leave(struct run *r, struct conn *c, int mock, long lost)
{
	char p[4096];
	struct answer a = { 0 };
	int n = snprintf(p, sizeof(p), "GET /_mock/wait?model=%s&what=aborted"
	    "&count=%ld&ms=10000 HTTP/1.1\r\nHost: mock\r\n\r\n", r->o.model,
	    lost), whole = 0;
	ssize_t got = send(mock, p, (size_t)n, MSG_NOSIGNAL);
	int64_t left;

	usleep(2000);		/* it has read that by now, and waits */
	left = now_us();
	hang_up(c);
	answer_clear(&a);
	while (got > 0 && whole == 0) {
		got = recv(mock, p, sizeof(p), 0);
		if (got > 0)
			whole = answer_take(&a, p, (size_t)got);
	}
	r->whole[r->done] = now_us() - left;
	whole = whole == 1 && strstr(a.head, " 200 ") != NULL ? 0 : -1;
	free(a.head);
	free(a.body);
	return whole;
}

static void
leave_all(struct run *r)
{
	struct conn *c = &r->conns[0];
	int mock = dial(r->o.mock);

	for (; mock >= 0 && r->done < r->o.requests; r->done++) {
		if (until_content(r, c) != 0) {
			complain(r, c, "no stream to leave");
			break;
		}
		r->first[r->done] = now_us() - c->asked;
		if (leave(r, c, mock, r->o.lost + r->done + 1) != 0) {
			complain(r, c, "the mock still streams");
			break;
		}
	}
	hang_up(c);
	if (mock >= 0)
		close(mock);
	r->wrong += r->done < r->o.requests && r->wrong == 0;
}

/* -- From and to the outside -------------------------------------------- */

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void
print_times(const char *name, int64_t *v, long n)
{
	qsort(v, (size_t)n, sizeof(*v), by_size);
	printf(",\"%s\":{\"p50\":%lld,\"p99\":%lld,\"max\":%lld}", name,
	    (long long)v[n / 2], (long long)v[n * 99 / 100],
	    (long long)v[n - 1]);
}

static void
report(struct run *r, int64_t took)
{
	long late = 0;

	for (long i = 0; i < r->done; i++)
		late += r->first[i] >= LATE_US;
	printf("{\"n\":%ld,\"wrong\":%ld,\"us\":%lld,\"at\":%lld,\"late\":%ld",
	    r->done, r->wrong, (long long)took, (long long)now_us(), late);
	if (r->done > 0) {
		print_times("first", r->first, r->done);
		print_times("whole", r->whole, r->done);
	}
	printf("}\n");
}

static int
read_question(struct run *r)
{
	size_t room = 1 << 20, n, head;
	char *body = malloc(room);

	r->question = malloc(room + 1024);
	if (body == NULL || r->question == NULL)
		return -1;
	n = fread(body, 1, room, stdin);
	head = (size_t)snprintf(r->question, 1024, "POST %s HTTP/1.1\r\n"
	    "Host: 127.0.0.1\r\nContent-Type: application/json\r\n"
	    "Authorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n",
	    r->o.path, r->o.token, n);
	memcpy(r->question + head, body, n);
	r->nquestion = head + n;
	free(body);
	return head < 1024 ? 0 : -1;
}

static int
read_options(struct options *o, int argc, char **argv)
{
	int c;

	*o = (struct options){ .connections = 1, .requests = 1, .token = "x",
	    .model = "" };
	while ((c = getopt(argc, argv, "c:n:r:t:s:u:w:a:f:m:")) != -1) {
		switch (c) {
		case 'c': o->connections = atol(optarg); break;
		case 'n': o->requests = atol(optarg); break;
		case 'r': o->ramp_ms = atol(optarg); break;
		case 't': o->token = optarg; break;
		case 's': /* as 'u', but in events */
		case 'u':
			o->stream = c == 's';
			o->tokens = (size_t)atol(optarg);
			break;
		case 'w': o->socket = optarg; break;
		case 'a': o->mock = atoi(optarg); break;
		case 'f': o->lost = atol(optarg); break;
		case 'm': o->model = optarg; break;
		default: return -1;
		}
	}
	if (argc - optind != 2 || o->connections < 1 ||
	    o->requests < o->connections)
		return -1;
	o->port = atoi(argv[optind]);
	o->path = argv[optind + 1];
	return 0;
}

/* Until somebody listens there; the file alone is there a little earlier. */
static void
await_socket(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int64_t end = now_us() + 10000000;
	int fd, up = -1;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	while (up != 0 && now_us() < end) {
		usleep(200);
		if (access(path, F_OK) != 0)
			continue;
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		up = connect(fd, (struct sockaddr *)&to, sizeof(to));
		close(fd);
	}
}

static int
make_room(struct run *r)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	r->conns = calloc((size_t)r->o.connections, sizeof(*r->conns));
	r->first = calloc((size_t)r->o.requests, sizeof(*r->first));
	r->whole = calloc((size_t)r->o.requests, sizeof(*r->whole));
	if (r->epoll < 0 || r->conns == NULL || r->first == NULL ||
	    r->whole == NULL)
		return -1;
	for (long i = 0; i < r->o.connections; i++)
		r->conns[i].fd = -1;
	return 0;
}

int
main(int argc, char **argv)
{
	struct run r = { 0 };
	int64_t start;

	if (read_options(&r.o, argc, argv) != 0) {
		fprintf(stderr, "usage: see the head of tests/bench/ask.c\n");
		return 2;
	}
	if (read_question(&r) != 0 || make_room(&r) != 0) {
		perror("ask");
		return 2;
	}
	if (r.o.socket != NULL)
		await_socket(r.o.socket);
	start = now_us();
	if (r.o.mock > 0)
		leave_all(&r);
	else
		ask_all(&r);
	report(&r, now_us() - start);
	return r.wrong > 0;
}
