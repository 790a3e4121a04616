/* floor: what relevo's way costs at least, with libfcgi and one epoll loop.
 *
 *	floor SOCKET TOKENS	answers at once, as a provider would, and asks
 *				nobody: the FastCGI hop
 *	floor SOCKET URL	asks URL by libcurl, one question after the
 *				other, and passes on what comes as it comes,
 *				looking at nothing: the hop and libcurl
 *
 * For a web server that sends a request in one piece; nothing here is meant
 * to withstand another. */
#include <curl/curl.h>
#include <fcgiapp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char answer[8192];
static CURL *easy;		/* NULL: asks nobody */

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

static size_t
pass_on(char *p, size_t one, size_t n, void *out)
{
	(void)one;
	return FCGX_PutStr(p, (int)n, out) == (int)n &&
	    FCGX_FFlush(out) == 0 ? n : 0;
}

static int
make_call(const char *url)
{
	struct curl_slist *head = curl_slist_append(curl_slist_append(NULL,
	    "Content-Type: application/json"), "Authorization: Bearer x");

	if (curl_global_init(CURL_GLOBAL_ALL) != 0 || head == NULL ||
	    (easy = curl_easy_init()) == NULL)
		return -1;
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, head);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, pass_on);
	return 0;
}

static void
ask(FCGX_Request *r, const char *body, int n)
{
	FCGX_PutS("Status: 200 OK\r\nContent-Type: ", r->out);
	FCGX_PutS(memmem(body, (size_t)n, "\"stream\":true", 13) != NULL ?
	    "text/event-stream\r\n\r\n" : "application/json\r\n\r\n", r->out);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)n);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, r->out);
	(void)curl_easy_perform(easy);
}

/* One request of a connection that has something to read. */
static void
serve(int fd)
{
	static char body[1 << 20];
	FCGX_Request r;
	int keep, n;

	/* No listening socket: libfcgi shall read this one, and not accept. */
	if (FCGX_InitRequest(&r, -1, 0) != 0)
		exit(1);
	r.ipcFd = fd;
	r.keepConnection = 1;
	if (FCGX_Accept_r(&r) < 0)
		return;				/* gone, and closed */
	n = FCGX_GetStr(body, sizeof(body), r.in);
	if (easy != NULL)
		ask(&r, body, n);
	else
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
	if (strncmp(argv[2], "http", 4) == 0 && make_call(argv[2]) != 0)
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
