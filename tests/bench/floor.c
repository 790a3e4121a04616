/* floor: what the FastCGI hop costs at least. Answers every request at once,
 * as a provider would, with libfcgi and one epoll loop, and asks nobody.
 *
 *	floor SOCKET TOKENS
 *
 * For a web server that sends a request in one piece; nothing here is meant
 * to withstand another. */
#include <fcgiapp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char answer[8192];

static void
make_answer(long tokens)
{
	char text[4096] = "";
	size_t n = 0;

	for (long i = 1; i <= tokens && n < sizeof(text) - 32; i++)
		n += (size_t)sprintf(text + n, "w%ld ", i);
	snprintf(answer, sizeof(answer), "Status: 200 OK\r\n"
	    "Content-Type: application/json\r\n\r\n"
	    "{\"id\":\"chatcmpl-floor-1\",\"object\":\"chat.completion\","
	    "\"created\":1795312388,\"model\":\"unary\",\"choices\":[{"
	    "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
	    "\"%s\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":"
	    "{\"prompt_tokens\":7,\"completion_tokens\":20,"
	    "\"total_tokens\":27}}", text);
}

/* One request of a connection that has something to read. */
static void
serve(int fd)
{
	FCGX_Request r;
	char body[4096];
	int keep;

	/* No listening socket: libfcgi shall read this one, and not accept. */
	if (FCGX_InitRequest(&r, -1, 0) != 0)
		exit(1);
	r.ipcFd = fd;
	r.keepConnection = 1;
	if (FCGX_Accept_r(&r) < 0)
		return;				/* gone, and closed */
	while (FCGX_GetStr(body, sizeof(body), r.in) == sizeof(body))
		;
	FCGX_PutS(answer, r.out);
	FCGX_FClose(r.err);
	FCGX_FClose(r.out);
	keep = r.keepConnection;
	FCGX_Free(&r, 0);
	if (!keep)
		close(fd);
}

int
main(int argc, char **argv)
{
	struct epoll_event ev[64], want = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC), listener, n, fd;

	if (argc != 3 || epoll < 0 || FCGX_Init() != 0)
		return 2;
	make_answer(atol(argv[2]));
	listener = FCGX_OpenSocket(argv[1], 511);
	want.data.fd = listener;
	if (listener < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &want) != 0)
		return 2;
	for (;;) {
		n = epoll_wait(epoll, ev, 64, -1);
		for (int i = 0; i < n; i++) {
			if (ev[i].data.fd != listener) {
				serve(ev[i].data.fd);
				continue;
			}
			fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
			want.data.fd = fd;
			if (fd >= 0)
				epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &want);
		}
	}
}
