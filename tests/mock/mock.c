/* mock: a scripted stand-in for an LLM provider. README.md beside this file
 * tells how to drive it. One thread, one epoll loop, no files but fixtures. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "conn.h"
#include "script.h"

struct options {
	int	 port;
	bool	 free_port;
	const char *port_file, *fixtures, *fallback, *models;
};

static int
usage(void)
{
	fputs("usage: mock [--port N] [--port-file FILE] [--fixtures DIR]\n"
	    "            [--default SCRIPT] [--models ID,ID]\n"
	    "       mock --free-port\n", stderr);
	return -1;
}

static int
read_options(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "port-file", required_argument, NULL, 'f' },
		{ "fixtures", required_argument, NULL, 'x' },
		{ "default", required_argument, NULL, 'd' },
		{ "models", required_argument, NULL, 'm' },
		{ "free-port", no_argument, NULL, 'F' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*o = (struct options){ .models = "m1,m2" };
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'p')
			o->port = atoi(optarg);
		else if (c == 'f')
			o->port_file = optarg;
		else if (c == 'x')
			o->fixtures = optarg;
		else if (c == 'd')
			o->fallback = optarg;
		else if (c == 'm')
			o->models = optarg;
		else if (c == 'F')
			o->free_port = true;
		else
			return usage();
	}
	return optind == argc ? 0 : usage();
}

/* A listener on 127.0.0.1; *port is set to what it became. */
static int
listen_on(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)*port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int on = 1, fd;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) < 0) {
		close(fd);
		return -1;
	}
	*port = ntohs(a.sin_port);
	return fd;
}

/* The file appears whole or not at all: a test polls for it. */
static int
write_port(const char *path, int port)
{
	char temporary[4096];
	FILE *f;
	int bad;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	f = fopen(temporary, "w");
	if (!f)
		return -1;
	bad = fprintf(f, "%d\n", port) < 0;
	if (fclose(f) || bad)
		return -1;
	return rename(temporary, path);
}

static int
check_fallback(const char *text)
{
	struct script s;
	char *copy = strdup(text);
	int bad = -1;

	script_init(&s);
	if (copy)
		bad = script_read(&s, copy);
	if (bad)
		fprintf(stderr, "mock: --default: %s\n", s.wrong);
	free(copy);
	return bad;
}

static void
list_models(struct blob *out, const char *ids)
{
	size_t n;

	blob_str(out, "{\"object\":\"list\",\"data\":[");
	for (; *ids; ids += n + (ids[n] == ',')) {
		n = strcspn(ids, ",");
		blob_str(out, "{\"id\":\"");
		blob_json(out, ids, n);
		blob_fmt(out, "\",\"object\":\"model\",\"created\":0,"
		    "\"owned_by\":\"mock\"}%s", ids[n] ? "," : "");
	}
	blob_str(out, "]}");
}

static void
watch(const struct mock *m, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(m->ep, EPOLL_CTL_ADD, fd, &ev) < 0) {
		perror("mock: epoll_ctl");
		exit(71);
	}
}

/* Let the clock wake us for the earliest deadline. */
static void
arm(const struct mock *m, int clock, int64_t *armed)
{
	const struct timer *t = timer_first(&m->timers);
	int64_t due = t ? t->due : 0;
	struct itimerspec at = { .it_value = { .tv_sec = due / 1000000,
	    .tv_nsec = due % 1000000 * 1000 } };

	if (due == *armed)
		return;
	*armed = due;
	timerfd_settime(clock, TFD_TIMER_ABSTIME, &at, NULL);
}

static void
serve(struct mock *m, int listener, int clock, int signals)
{
	struct epoll_event ev[256];
	int64_t armed = 0;
	uint64_t ticks;
	int i, n;

	watch(m, listener);
	watch(m, clock);
	watch(m, signals);
	for (;;) {
		n = epoll_wait(m->ep, ev, 256, -1);
		for (i = 0; i < n; i++) {
			int fd = ev[i].data.fd;

			if (fd == signals)
				return;
			if (fd == listener) {
				conn_accept(m, listener);
			} else if (fd == clock) {
				armed = 0;
				if (read(clock, &ticks, sizeof(ticks)) < 0)
					continue;
				conn_timers(m);
			} else {
				conn_event(m, fd, ev[i].events);
			}
		}
		conn_batch(m);
		arm(m, clock, &armed);
	}
}

static int
open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void
raise_files(void)
{
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

int
main(int argc, char **argv)
{
	struct options o;
	struct mock m = { 0 };
	int listener, clock, signals;

	if (read_options(&o, argc, argv) < 0)
		return 64;
	if (o.fallback && check_fallback(o.fallback) < 0)
		return 64;
	raise_files();
	listener = listen_on(&o.port);
	clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	signals = open_signals();
	m.ep = epoll_create1(EPOLL_CLOEXEC);
	if (listener < 0 || clock < 0 || signals < 0 || m.ep < 0) {
		perror("mock");
		return 71;
	}
	if (o.port_file && write_port(o.port_file, o.port) < 0) {
		perror(o.port_file);
		return 73;
	}
	printf("%d\n", o.port);
	fflush(stdout);
	if (o.free_port)
		return 0;
	m.fixtures = o.fixtures;
	m.fallback = o.fallback;
	list_models(&m.models, o.models);
	ledger_init(&m.ledger);
	serve(&m, listener, clock, signals);
	conn_free_all(&m);
	close(listener);
	close(clock);
	close(signals);
	close(m.ep);
	return 0;
}
