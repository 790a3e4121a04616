#include "top.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "buf.h"
#include "config.h"
#include "ledger.h"
#include "text.h"

#define OUT		(4 * 1024 * 1024)
#define WIDTH		100		/* columns where there is no terminal */

/* The other screen, no cursor, no wrapping at the margin; and back. */
#define ENTER		"\033[?1049h\033[?25l\033[?7l"
#define LEAVE		"\033[?7h\033[?25h\033[?1049l"
#define HOME		"\033[H"
#define CLEAR_LINE	"\033[K"
#define CLEAR_REST	"\033[J"

struct top {
	const struct config *cfg;
	int64_t	 delay;			/* ms between pictures */
	uint64_t count;			/* pictures; 0: until told to end */
	struct termios before;		/* the terminal as it was found */
	bool	 entered;
};

static int
write_all(const char *p, size_t n)
{
	ssize_t k;

	for (; n > 0; p += k, n -= (size_t)k) {
		k = write(STDOUT_FILENO, p, n);
		if (k < 0 && errno == EINTR)
			k = 0;
		else if (k < 0)
			return -1;
	}
	return 0;
}

static struct top_size
size_of_terminal(void)
{
	struct top_size size = { WIDTH, 0 };
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0) {
		size.width = w.ws_col;
		size.rows = w.ws_row;
	}
	return size;
}

/* One picture of the file as it is now. */
static int
picture(const struct config *cfg, const struct top_size *size,
    struct buf *out)
{
	struct text_time now;
	struct ledger *l;
	int rc;

	text_clock(&now);
	if ((l = ledger_snapshot(cfg, &now)) == NULL)
		return -1;
	rc = top_frame(cfg, l, &now, size, out);
	ledger_close(l);
	return rc;
}

/* ---- without control of the terminal ---- */

static int
print(const struct top *t)
{
	struct top_size size = size_of_terminal();
	struct buf out;
	int rc = 0;

	size.rows = 0;
	buf_init(&out, OUT);
	for (uint64_t i = 0; i < t->count && rc == 0; i++) {
		if (i > 0)
			(void)poll(NULL, 0, (int)t->delay);
		buf_clear(&out);
		if (i > 0)
			buf_puts(&out, "\n");
		/* By stdio: its caller looks whether it could be said. */
		if (picture(t->cfg, &size, &out) != 0 ||
		    fwrite(out.data, 1, out.len, stdout) != out.len ||
		    fflush(stdout) != 0)
			rc = 1;
	}
	buf_release(&out);
	return rc;
}

/* ---- live ---- */

/* Keys come one by one and are not shown; ^C stays a signal. */
static int
enter(struct top *t)
{
	struct termios raw = t->before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	t->entered = true;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0)
		return -1;
	return write_all(ENTER, sizeof(ENTER) - 1);
}

static void
leave(struct top *t)
{
	if (!t->entered)
		return;
	t->entered = false;
	(void)write_all(LEAVE, sizeof(LEAVE) - 1);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &t->before);
}

/* A line is emptied before it is written, and the last has no line feed, which
 * would move the picture up. */
static int
draw(const struct top *t)
{
	struct top_size size = size_of_terminal();
	struct buf lines, out;
	const char *p, *end;
	int rc = -1;

	buf_init(&lines, OUT);
	buf_init(&out, 2 * OUT);
	if (size.rows == 0)
		size.rows = 24;
	if (picture(t->cfg, &size, &lines) != 0)
		goto end;
	buf_puts(&out, HOME);
	for (p = buf_str(&lines); (end = strchr(p, '\n')) != NULL;
	    p = end + 1) {
		buf_puts(&out, CLEAR_LINE);
		buf_put(&out, p, (size_t)(end - p));
		if (end[1] != '\0')
			buf_puts(&out, "\r\n");
	}
	buf_puts(&out, CLEAR_REST);
	if (!out.failed)
		rc = write_all(out.data, out.len);
end:
	buf_release(&lines);
	buf_release(&out);
	return rc;
}

/* 0: go on, with *redraw; the signal to end by; -1: the terminal is gone. */
static int
on_signal(struct top *t, int fd, bool *redraw)
{
	struct signalfd_siginfo si;

	if (read(fd, &si, sizeof(si)) != sizeof(si))
		return 0;
	switch (si.ssi_signo) {
	case SIGWINCH:
		*redraw = true;
		return 0;
	case SIGTSTP:
		leave(t);
		(void)raise(SIGSTOP);
		return 0;
	case SIGCONT:
		*redraw = true;
		return enter(t);
	default:
		return (int)si.ssi_signo;
	}
}

/* Whether the user wants to leave: q, or nobody is there to type it. */
static bool
on_key(void)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	if (n < 0)
		return errno != EINTR && errno != EAGAIN;
	return n == 0 || memchr(keys, 'q', (size_t)n) != NULL ||
	    memchr(keys, 'Q', (size_t)n) != NULL;
}

/* Draw, and wait for what comes first: 0 when the user left, else as
 * on_signal. */
static int
watch(struct top *t, int fd)
{
	struct pollfd p[] = { { STDIN_FILENO, POLLIN, 0 }, { fd, POLLIN, 0 } };
	struct text_time now;
	int64_t due = 0;
	bool redraw = true, done = false;
	int rc = 0;

	while (rc == 0 && !done) {
		text_clock(&now);
		if (redraw || now.mono >= due) {
			if (draw(t) != 0)
				return -1;
			due = now.mono + t->delay;
			redraw = false;
			continue;
		}
		if (poll(p, 2, (int)(due - now.mono)) < 0 && errno != EINTR)
			return -1;
		if (p[1].revents != 0)
			rc = on_signal(t, fd, &redraw);
		else if (p[0].revents != 0)
			done = on_key();
	}
	return rc;
}

/* End by the signal, as who waits for us has to know. */
static void
die(int sig, const sigset_t *set)
{
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
	(void)sigprocmask(SIG_UNBLOCK, set, NULL);
}

static int
live(struct top *t)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT,
	    SIGWINCH, SIGTSTP, SIGCONT };
	sigset_t set;
	int fd, rc = -1;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaddset(&set, signals[i]);
	/* Blocked before the terminal is changed: from there on each of them
	 * comes by the descriptor, and there is one way out. */
	if (tcgetattr(STDIN_FILENO, &t->before) != 0 ||
	    sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
	    (fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		return 1;
	if (enter(t) == 0)
		rc = watch(t, fd);
	leave(t);
	close(fd);
	if (rc > 0)
		die(rc, &set);
	return rc == 0 ? 0 : 1;
}

/* ---- the command ---- */

int
top_run(const struct config *cfg, int64_t delay, uint64_t count)
{
	struct top t = { .cfg = cfg, .delay = delay, .count = count };

	if (t.count == 0 && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		t.count = 1;
	return t.count > 0 ? print(&t) : live(&t);
}
