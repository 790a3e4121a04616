/* faults: every call of relevo's that can fail, fails once, in each kind of
 * request, with each errno that it plausibly has.
 *
 *	faults SOCKET PAGE SUPERVISOR FORGET	(faults.sh starts what it needs)
 *
 * For the first call, the second ... until a request no longer makes so many:
 * the request must be answered whole, or with a clean error, or be told as
 * broken, or have its connection closed; never a lie (an end that looks whole
 * and is not), never a hang, never a fault of the provider, and the worker must
 * live and answer the next one. Memory fails in a second way too: for ever from
 * the n-th on. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "fail.h"

#define ANSWER		(4 << 20)
#define MOST		3000		/* calls of one kind in one request */
#define HANG_S		15
#define BIG		(300 * 1024)	/* a body that does not fit a socket */

static const struct call {
	const char	*name;
	int		 errors[6];	/* -1 last */
	bool		 for_ever;	/* also from then on */
} calls[] = {				/* in the order of fail.c */
	{ "memory", { ENOMEM, -1 }, true },
	{ "read", { EINTR, EIO, 0, -1 }, false },
	{ "write", { EAGAIN, EPIPE, 0, -1 }, false },
	{ "send", { EAGAIN, EINTR, EPIPE, ENOBUFS, 0, -1 }, false },
	{ "recv", { EAGAIN, EINTR, ECONNRESET, 0, -1 }, false },
	{ "accept4", { EMFILE, ECONNABORTED, EINTR, -1 }, false },
	{ "epoll_ctl", { ENOMEM, ENOSPC, -1 }, false },
	{ "epoll_wait", { EINTR, -1 }, false },
	{ "memfd_create", { EMFILE, ENOMEM, -1 }, true },
	{ "fcntl", { EINTR, ENOLCK, -1 }, false },
	{ "open", { EMFILE, EACCES, -1 }, true },
	{ "pread", { EIO, EINTR, -1 }, false },
	{ "pwrite", { ENOSPC, EINTR, -1 }, false },
	{ "fdatasync", { EIO, -1 }, true },
	{ "getrandom", { EINTR, EAGAIN, -1 }, true },
	{ "mmap", { ENOMEM, -1 }, true },
};
#define CALLS	(int)(sizeof(calls) / sizeof(calls[0]))

/* What a request asks, and what its whole answer ends with; words: the five
 * that the mock says must be there, each once, in their order. */
static const struct asked {
	const char	*name, *method, *path, *body, *end;
	bool		 words, big, leaves;
} requests[] = {
	{ "/chat stream", "POST", "/chat", "{\"model\":\"m1\",\"messages\":"
	  "[{\"role\":\"user\",\"content\":\"q\"}]}", "data: [DONE]\n\n",
	  true, false, false },
	{ "/v1 object", "POST", "/v1/chat/completions", "{\"model\":\"m1\","
	  "\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}", "}",
	  true, false, false },
	{ "/v1 stream by the second lane", "POST", "/v1/chat/completions",
	  "{\"model\":\"pair\",\"stream\":true,\"messages\":[{\"role\":"
	  "\"user\",\"content\":\"q\"}]}", "data: [DONE]\n\n", true, false,
	  false },
	{ "/chat, a big body", "POST", "/chat", "{\"model\":\"m1\",\"messages\""
	  ":[{\"role\":\"user\",\"content\":\"q\"}]}", "data: [DONE]\n\n",
	  true, true, false },
	{ "/chat, a new connection", "POST", "/chat", "{\"model\":\"m3\","
	  "\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}",
	  "data: [DONE]\n\n", true, false, false },
	{ "/chat, who leaves", "POST", "/chat", "{\"model\":\"m1\",\"messages\""
	  ":[{\"role\":\"user\",\"content\":\"q\"}]}", "", true, false, true },
	{ "/models", "GET", "/models", NULL, "}", false, false, false },
	{ "/usage", "GET", "/usage?history=1", NULL, "}", false, false,
	  false },
	{ "/route", "GET", "/route?model=pair", NULL, "}", false, false,
	  false },
	{ "/metrics", "GET", "/metrics", NULL, "\n", false, false, false },
	{ "a wrong body", "POST", "/chat", "{\"model\":\"m1\",", "}", false,
	  false, false },
};
#define REQUESTS	(int)(sizeof(requests) / sizeof(requests[0]))

enum ending { WHOLE, REFUSED, TOLD, CLOSED, LEFT, LIE, HANG, ENDINGS };
static const char *const ending_word[] = { "whole", "refused", "told",
    "closed", "left", "A LIE", "A HANG" };

static const char *path;
static struct fail_page *page;
static const char *forget;	/* a command that lifts all bars */
static int supervisor;
static char answer[ANSWER + 1];
static size_t answer_len;
static long count[ENDINGS];

/* ---- FastCGI, as a web server speaks it ---- */

struct out {
	unsigned char	*p;
	size_t		 n;
};

static void
record(struct out *o, int type, const void *p, size_t n)
{
	unsigned char head[8] = { 1, (unsigned char)type, 0, 1,
	    (unsigned char)(n >> 8), (unsigned char)n, 0, 0 };

	memcpy(o->p + o->n, head, 8);
	if (n > 0)
		memcpy(o->p + o->n + 8, p, n);
	o->n += 8 + n;
}

static size_t
pair(unsigned char *p, const char *name, const char *value)
{
	size_t n = strlen(name), v = strlen(value);

	p[0] = (unsigned char)n;
	p[1] = (unsigned char)v;
	memcpy(p + 2, name, n);
	memcpy(p + 2 + n, value, v);
	return 2 + n + v;
}

static void
put_request(struct out *o, const struct asked *a, const char *body, size_t len)
{
	static const unsigned char begin[8] = { 0, 1, 0 };
	unsigned char params[4096];
	char length[24];
	size_t n = 0, at, k;

	snprintf(length, sizeof(length), "%zu", len);
	n += pair(params + n, "REQUEST_METHOD", a->method);
	n += pair(params + n, "REQUEST_URI", a->path);
	n += pair(params + n, "SERVER_PROTOCOL", "HTTP/1.1");
	n += pair(params + n, "REMOTE_ADDR", "127.0.0.1");
	n += pair(params + n, "HTTP_HOST", "localhost");
	n += pair(params + n, "HTTP_ACCEPT", "*/*");
	if (a->body != NULL) {
		n += pair(params + n, "CONTENT_TYPE", "application/json");
		n += pair(params + n, "CONTENT_LENGTH", length);
	}
	record(o, 1, begin, sizeof(begin));
	record(o, 4, params, n);
	record(o, 4, NULL, 0);
	for (at = 0; at < len; at += k) {
		k = len - at < 32768 ? len - at : 32768;
		record(o, 5, body + at, k);
	}
	record(o, 5, NULL, 0);
}

static int
dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval tv = { HANG_S, 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		perror(path);
		exit(1);
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	return fd;
}

static bool
get(int fd, void *p, size_t n, bool *hangs)
{
	size_t at = 0;
	ssize_t k;

	while (at < n) {
		k = read(fd, (char *)p + at, n - at);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0) {
			*hangs = k < 0 && errno == EAGAIN;
			return false;
		}
		at += (size_t)k;
	}
	return true;
}

/* The answer into `answer`. 1: it ended, 0: closed before, -1: a hang. */
static int
receive(int fd, bool leaves)
{
	unsigned char head[8], rest[65536 + 256];
	size_t n;
	bool hangs = false;

	answer_len = 0;
	while (get(fd, head, sizeof(head), &hangs)) {
		n = (size_t)head[4] << 8 | head[5];
		if (!get(fd, rest, n + head[6], &hangs))
			break;
		if (head[1] == 3)
			return 1;
		if (head[1] != 6)
			continue;
		if (answer_len + n > ANSWER)
			return 0;
		memcpy(answer + answer_len, rest, n);
		answer_len += n;
		answer[answer_len] = '\0';
		if (leaves && strstr(answer, "w1 ") != NULL)
			return 0;
	}
	return hangs ? -1 : 0;
}

/* ---- what came ---- */

/* w1 to w5, each once and in their order, and no w6. */
static bool
all_words(void)
{
	const char *p = answer;
	char word[8];

	for (int i = 1; i <= 5; i++) {
		snprintf(word, sizeof(word), "w%d", i);
		p = strstr(p, word);
		if (p == NULL)
			return false;
		p += 2;
		if (strstr(p, word) != NULL)
			return false;
	}
	return strstr(p, "w6") == NULL;
}

static bool
ends(const char *word)
{
	size_t n = strlen(word);

	return answer_len >= n && memcmp(answer + answer_len - n, word, n) == 0;
}

static enum ending
judge(const struct asked *a, int ended)
{
	const char *status = strstr(answer, "Status: ");
	int code = status != NULL ? atoi(status + 8) : 200;
	bool error, done;

	if (ended < 0)
		return HANG;
	if (a->leaves)
		return LEFT;
	if (ended == 0)
		return strstr(answer, "[DONE]") != NULL &&
		    !all_words() ? LIE : CLOSED;
	if (status != answer || strstr(answer, "\r\n\r\n") == NULL)
		return LIE;
	error = strstr(answer, "\"error\":{") != NULL;
	done = strstr(answer, "[DONE]") != NULL;
	/* Without the memory for its words the status alone has to do. */
	if (code >= 400)
		return (error || ends("\r\n\r\n")) && !done ? REFUSED : LIE;
	if (error)
		return !done ? TOLD : LIE;
	return ends(a->end) && (!a->words || all_words()) ? WHOLE : LIE;
}

static enum ending
ask(const struct asked *a)
{
	static unsigned char bytes[BIG * 2 + 65536];
	static char body[BIG + 4096];
	struct out o = { bytes, 0 };
	size_t len = 0, at;
	ssize_t k;
	int fd = dial(), ended;

	if (a->body != NULL) {
		len = strlen(a->body);
		memset(body, ' ', a->big ? BIG : 0);
		memcpy(body + (a->big ? BIG : 0), a->body, len);
		len += a->big ? BIG : 0;
	}
	put_request(&o, a, body, len);
	for (at = 0; at < o.n; at += (size_t)k) {
		k = send(fd, bytes + at, o.n - at, MSG_NOSIGNAL);
		if (k <= 0)
			break;		/* it was closed: so be it */
	}
	answer[0] = '\0';
	ended = receive(fd, a->leaves);
	close(fd);
	return judge(a, ended);
}

/* ---- the walk ---- */

/* The pids of the supervisor's children, as the kernel tells them. */
static void
workers(char *out, size_t size)
{
	char name[64];
	ssize_t n = -1;
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/task/%d/children", supervisor,
	    supervisor);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, out, size - 1);
		close(fd);
	}
	out[n > 0 ? n : 0] = '\0';
}

static void
arm(int call, int error, long at, int on)
{
	atomic_store(&page->on, 0);
	atomic_store(&page->call, call);
	atomic_store(&page->error, error);
	atomic_store(&page->at, at);
	atomic_store(&page->seen, 0);
	atomic_store(&page->on, on);
}

static bool
healthy(void)
{
	static const struct asked health = { "/health", "GET", "/health",
	    NULL, "}", false, false, false };

	for (int i = 0; i < 50; i++) {
		if (ask(&health) == WHOLE &&
		    strstr(answer, "\"status\":\"ok\"") != NULL &&
		    ask(&requests[0]) == WHOLE)
			return true;
		usleep(100000);		/* after EMFILE it waits a little */
	}
	return false;
}

/* One call, one errno, one request: the first, the second, ... */
static bool
walk(int call, int error, int on, const struct asked *a)
{
	char before[256], after[256];
	enum ending e;
	long n, seen;

	workers(before, sizeof(before));
	for (n = 1; n < MOST; n++) {
		arm(call, error, n, on);
		e = ask(a);
		atomic_store(&page->on, 0);
		seen = atomic_load(&page->seen);
		count[e]++;
		if (e == LIE || e == HANG || (a->leaves && e != LEFT)) {
			printf("not ok - %s %ld (errno %d%s), %s: %s\n"
			    "%.2000s\n", calls[call].name, n, error,
			    on == 2 ? ", for ever" : "", a->name,
			    ending_word[e], answer);
			return false;
		}
		/* Only we failed. */
		if (strstr(answer, "\"code\":\"upstream_") != NULL) {
			printf("not ok - %s %ld%s, %s: the provider is "
			    "blamed\n%.2000s\n", calls[call].name, n,
			    on == 2 ? ", for ever" : "", a->name, answer);
			return false;
		}
		/* What is done for a client that left comes after it. */
		if (a->leaves)
			usleep(3000);
		/* A lane that failed is barred: the next one would not get
		 * as far as that. */
		if (a->words && e != WHOLE && !a->leaves &&
		    system(forget) != 0)
			return false;
		if (seen < n && (!a->leaves || n > 40))
			break;
	}
	workers(after, sizeof(after));
	if (strcmp(before, after) != 0 || !healthy()) {
		printf("not ok - %s (errno %d%s), %s: workers %s, then %s\n",
		    calls[call].name, error, on == 2 ? ", for ever" : "",
		    a->name, before, after);
		return false;
	}
	return true;
}

static bool
one(int call, const struct asked *a)
{
	bool good = true;

	for (int i = 0; calls[call].errors[i] >= 0; i++)
		good &= walk(call, calls[call].errors[i], 1, a);
	if (calls[call].for_ever)
		good &= walk(call, calls[call].errors[0], 2, a);
	return good;
}

int
main(int argc, char **argv)
{
	int fd, bad = 0;

	if (argc != 5) {
		fprintf(stderr, "usage: faults SOCKET PAGE SUPERVISOR "
		    "FORGET\n");
		return 2;
	}
	path = argv[1];
	supervisor = atoi(argv[3]);
	forget = argv[4];
	fd = open(argv[2], O_RDWR | O_CLOEXEC);
	page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*page),
	    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		perror(argv[2]);
		return 1;
	}
	for (int r = 0; r < REQUESTS; r++)
		for (int c = 0; c < CALLS; c++)
			bad += !one(c, &requests[r]);
	for (int e = 0; e < ENDINGS; e++)
		printf("# %s: %ld\n", ending_word[e], count[e]);
	return bad > 0 || !healthy();
}
