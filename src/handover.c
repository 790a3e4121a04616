#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "record.h"

#define HANDOVER_READ	(64 * 1024)

enum end { GOING, WHOLE, CLIENT_LEFT, BROKEN };

struct pass {
	int			 fd;
	const struct handover_ask *ask;
	struct record_reply	 reply;
	bool			 hello;
	bool			 begun;		/* bytes are on stdout */
	sigset_t		 signals;	/* let through while it waits */
};

static void
on_signal(int sig)
{
	(void)sig;
}

/* They come through while we wait, and only then: a server that has the whole
 * answer may end us before its log line is written. */
static void
signals_wait(sigset_t *before)
{
	static const int sigs[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(*sigs); i++) {
		(void)sigaddset(&set, sigs[i]);
		(void)sigaction(sigs[i], &sa, NULL);
	}
	(void)sigprocmask(SIG_BLOCK, &set, before);
	/* Who started us may have had them blocked. */
	for (size_t i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		(void)sigdelset(before, sigs[i]);
}

/* As poll; a signal is an EINTR. */
static int
wait_ms(const struct pass *s, struct pollfd *p, nfds_t n, int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	return ppoll(p, n, ms < 0 ? NULL : &ts, &s->signals);
}

/* Wait for the responder. Of stdout only its end counts: mod_cgid gives one
 * socket as stdin and stdout and half-closes it after the body. */
static enum end
wait_for(const struct pass *s, short events, int ms)
{
	struct pollfd p[2] = { { .fd = s->fd, .events = events },
	    { .fd = STDOUT_FILENO } };
	int n = wait_ms(s, p, 2, ms);

	if (n < 0 && errno == EINTR)
		return CLIENT_LEFT;
	if (n <= 0)
		return BROKEN;
	return p[1].revents & (POLLERR | POLLHUP) ? CLIENT_LEFT : GOING;
}

/* All of it to stdout, which may be a pipe that is not read. */
static enum end
give(struct pass *s, const unsigned char *p, size_t n)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
	ssize_t k;

	while (n > 0) {
		k = write(STDOUT_FILENO, p, n);
		if (k < 0 && errno == EAGAIN) {
			if (wait_ms(s, &out, 1, s->ask->stall_ms) <= 0)
				return CLIENT_LEFT;
			continue;
		}
		if (k < 0 && errno != EINTR)
			return CLIENT_LEFT;
		if (k > 0) {
			s->begun = true;
			p += k;
			n -= (size_t)k;
		}
	}
	return GOING;
}

/* As the log itself: a pipe whose reader stopped must not stop us. */
static void
note(const unsigned char *p, size_t n)
{
	struct pollfd err = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (poll(&err, 1, 0) > 0 && write(STDERR_FILENO, p, n) < 0)
		return;
}

static enum end
take(struct pass *s, const unsigned char *p, size_t n)
{
	struct record_piece piece;
	enum end end = GOING;
	size_t k;

	for (; n > 0 && end == GOING; p += k, n -= k) {
		k = record_reply(&s->reply, p, n, &piece);
		switch (piece.kind) {
		case RECORD_NOTHING:
			break;
		case RECORD_HELLO:
			s->hello = true;
			break;
		case RECORD_STDOUT:
			end = give(s, piece.p, piece.n);
			break;
		case RECORD_STDERR:
			note(piece.p, piece.n);
			break;
		case RECORD_END:
			end = WHOLE;
			break;
		case RECORD_BROKEN:
			end = BROKEN;
			break;
		}
	}
	return end;
}

/* What has come from the responder, if anything has. */
static enum end
receive(struct pass *s)
{
	unsigned char p[HANDOVER_READ];
	ssize_t n = recv(s->fd, p, sizeof(p), 0);

	if (n > 0)
		return take(s, p, (size_t)n);
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? GOING : BROKEN;
}

/* Send all of p[0..n), and until the responder has said hello. */
static enum end
send_all(struct pass *s, const char *p, size_t n)
{
	enum end end = GOING;
	ssize_t k;

	while (end == GOING && (n > 0 || !s->hello)) {
		k = n == 0 ? 0 : send(s->fd, p, n, MSG_NOSIGNAL);
		if (k > 0) {
			p += k;
			n -= (size_t)k;
			continue;
		}
		if (k < 0 && errno != EAGAIN && errno != EINTR)
			return BROKEN;
		end = wait_for(s, n > 0 ? POLLIN | POLLOUT : POLLIN,
		    s->ask->patience_ms);
		if (end == GOING)
			end = receive(s);
	}
	return end;
}

static enum end
answer(struct pass *s)
{
	enum end end = GOING;

	while (end == GOING) {
		end = wait_for(s, POLLIN, -1);
		if (end == GOING)
			end = receive(s);
	}
	return end;
}

enum handover
handover(int fd, const struct handover_ask *ask)
{
	static const char cut[] = "\n[relevo: the answer was cut short]\n";
	struct pass s = { .fd = fd, .ask = ask };
	int flags = fcntl(STDOUT_FILENO, F_GETFL);
	struct buf out;
	enum end end;

	buf_init(&out, ask->len + ask->len / 1024 + RECORD_PARAMS + 1024);
	if (record_request(&out, ask->envp, ask->body, ask->len) != 0) {
		buf_release(&out);
		return HANDOVER_NOT;
	}
	signals_wait(&s.signals);
	(void)fcntl(STDOUT_FILENO, F_SETFL, flags | O_NONBLOCK);
	end = send_all(&s, out.data, out.len);
	buf_release(&out);
	if (end == GOING)
		end = send_all(&s, (const char *)record_last, RECORD_LAST);
	if (end == BROKEN && !s.begun)
		return HANDOVER_NOT;
	if (end == GOING)
		end = answer(&s);
	if (end != BROKEN)
		return HANDOVER_DONE;
	if (!s.begun)
		return HANDOVER_LOST;
	(void)give(&s, (const unsigned char *)cut, sizeof(cut) - 1);
	return HANDOVER_DONE;
}
