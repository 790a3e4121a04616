/* inside: loaded into the program under test (LD_PRELOAD), so that a test sees
 * from within what it could not from outside.
 *
 * INSIDE_NAMES="a.example=127.0.0.1,b.example="	names that resolve to
 *	that address, or not at all; others as ever.
 * INSIDE_TRY=FOLDER	when a process waits for the first time, which it does
 *	once its sandbox is up, it tries what it must not be able to, and says
 *	of each in FOLDER/own/tried, which it may write: "PID NAME: ok" or the
 *	error's number.
 * INSIDE_LISTEN=FILE	listen(2) has done its work, and returns when FILE is
 *	gone. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int resolver(const char *, const char *, const struct addrinfo *,
    struct addrinfo **);
typedef int waiter(int, struct epoll_event *, int, int);

/* Taken at once: a process that lingers has no environment. */
static char *names, *folder, *listening;

__attribute__((constructor)) static void
take(void)
{
	const char *n = getenv("INSIDE_NAMES"), *f = getenv("INSIDE_TRY");
	const char *l = getenv("INSIDE_LISTEN");

	names = n != NULL ? strdup(n) : NULL;
	folder = f != NULL ? strdup(f) : NULL;
	listening = l != NULL ? strdup(l) : NULL;
}

/* The address of a name in INSIDE_NAMES; NULL: not there. */
static const char *
lookup(const char *name, char *out, size_t size)
{
	const char *p = names;
	size_t n = strlen(name);

	for (; p != NULL && *p != '\0'; p += strspn(p, ",")) {
		size_t len = strcspn(p, ",");

		if (len > n && strncmp(p, name, n) == 0 && p[n] == '=') {
			snprintf(out, size, "%.*s", (int)(len - n - 1),
			    p + n + 1);
			return out;
		}
		p += len;
	}
	return NULL;
}

int
getaddrinfo(const char *name, const char *service,
    const struct addrinfo *hints, struct addrinfo **out)
{
	resolver *real = (resolver *)dlsym(RTLD_NEXT, "getaddrinfo");
	char address[64];

	if (name != NULL && lookup(name, address, sizeof(address)) != NULL) {
		if (address[0] == '\0')
			return EAI_NONAME;
		name = address;
	}
	return real(name, service, hints, out);
}

int
listen(int fd, int backlog)
{
	int (*real)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "listen");
	int rc = real(fd, backlog);

	while (listening != NULL && access(listening, F_OK) == 0)
		usleep(10000);
	return rc;
}

static int told = -1;

static void
say(const char *name, int rc)
{
	int e = rc >= 0 ? 0 : errno;

	if (e == 0)
		dprintf(told, "%d %s: ok\n", (int)getpid(), name);
	else
		dprintf(told, "%d %s: %d\n", (int)getpid(), name, e);
}

static void
try_open(const char *what, const char *in, const char *name, int flags)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", in, name);
	fd = open(path, flags | O_CLOEXEC, 0600);
	say(what, fd);
	if (fd >= 0)
		close(fd);
}

/* Refused at once by the sandbox; else there is nobody, or a free port. */
static void
try_port(const char *what, int (*call)(int, const struct sockaddr *,
    socklen_t), int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	say(what, call(fd, (void *)&a, sizeof(a)));
	close(fd);
}

static void
try_run(void)
{
	char *argv[] = { "true", NULL };
	pid_t pid = fork();

	if (pid == 0) {
		execv("/bin/true", argv);
		say("run", -1);
		_exit(0);
	}
	(void)waitpid(pid, NULL, 0);
}

static void
try_all(void)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/own/tried", folder);
	told = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	try_open("shadow", "/etc", "shadow", O_RDONLY);
	try_open("read", folder, "private", O_RDONLY);
	try_open("write", folder, "private", O_WRONLY);
	try_open("truncate", folder, "private", O_WRONLY | O_TRUNC);
	try_open("make", folder, "made", O_WRONLY | O_CREAT);
	try_open("environ", "/proc/1", "environ", O_RDONLY);
	snprintf(path, sizeof(path), "%s/doomed", folder);
	say("remove", unlink(path));
	try_port("bind", bind, 0);
	try_port("connect", connect, 1);
	try_run();
	say("end", 0);
	close(told);
}

int
epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
	static int tried;
	waiter *real = (waiter *)dlsym(RTLD_NEXT, "epoll_wait");

	if (folder != NULL && !tried) {
		tried = 1;
		try_all();
	}
	return real(fd, events, n, timeout);
}
