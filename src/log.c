#include "log.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "buf.h"
#include "text.h"

#define LINE		4096	/* PIPE_BUF: such a write to a pipe is atomic */
#define SECRET_MIN	8

struct secret {
	char	*text;
	size_t	 len;
};

/* The one module with state of its own. The log is reached from every layer,
 * also when memory is out and when no object is at hand that could carry a
 * handle; and a process has one stderr and one thread. line.data is the array
 * below and never grows, so that logging allocates nothing. */
static char bytes[LINE + 1];
static struct buf line;
static bool active;
static enum log_level grade;	/* of the line */
static enum { UNKNOWN, OTHER, JOURNAL } sink;
static int64_t dropped;		/* lines that could not be written */
static bool torn;		/* the last one could in part */
static enum log_level limit = LOG_INFO;
static struct secret *secrets;
static size_t secret_count;
static bool first[256];		/* bytes that a secret begins with */
static bool (*taker)(void *arg, const char *p, size_t n);
static void *taker_arg;

void
log_level(enum log_level level)
{
	limit = level;
}

void
log_to(bool (*put)(void *arg, const char *p, size_t n), void *arg)
{
	taker = put;
	taker_arg = arg;
}

static int
remember(const char *secret, size_t len)
{
	struct secret *more;
	char *copy;
	size_t i;

	for (i = 0; i < secret_count; i++)
		if (text_is(secret, len, secrets[i].text))
			return 0;
	copy = strdup(secret);
	if (copy == NULL)
		return -1;
	more = realloc(secrets, (secret_count + 1) * sizeof(*secrets));
	if (more == NULL) {
		free(copy);
		return -1;
	}
	secrets = more;
	secrets[secret_count++] = (struct secret){ copy, len };
	first[(unsigned char)copy[0]] = true;
	return 0;
}

/* As it stands in a URL (RFC 3986 2.1), which a message may quote. */
static int
remember_coded(const char *secret, bool lower)
{
	size_t len = strlen(secret);
	struct buf b;
	int rc;

	buf_init(&b, 3 * len);
	for (; *secret != '\0'; secret++)
		if (isalnum((unsigned char)*secret) ||
		    strchr("-._~", *secret) != NULL)
			(void)buf_put(&b, secret, 1);
		else
			(void)buf_printf(&b, lower ? "%%%02x" : "%%%02X",
			    (unsigned char)*secret);
	rc = b.failed ? -1 : remember(buf_str(&b), b.len);
	buf_release(&b);
	return rc;
}

int
log_secret(const char *secret)
{
	size_t len = strlen(secret);

	if (len < SECRET_MIN || remember(secret, len) < 0 ||
	    remember_coded(secret, false) < 0)
		return -1;
	return remember_coded(secret, true);
}

/* The longest secret that stands at p, or 0. One that the end of the text cuts
 * off counts from SECRET_MIN bytes on: a message of others that was cut to fit
 * may end inside a key. */
static size_t
secret_at(const char *p, size_t n)
{
	size_t i, len, longest = 0;

	for (i = 0; i < secret_count; i++) {
		len = secrets[i].len < n ? secrets[i].len : n;
		if (len > longest && len >= SECRET_MIN &&
		    memcmp(p, secrets[i].text, len) == 0)
			longest = len;
	}
	return longest;
}

void
log_redact(char *p, size_t n)
{
	size_t i, len, until = 0;

	/* A byte is overwritten only when no later match can need it, so
	 * secrets that overlap or contain each other all go. */
	for (i = 0; i < n; i++) {
		if (first[(unsigned char)p[i]]) {
			len = secret_at(p + i, n - i);
			if (i + len > until)
				until = i + len;
		}
		if (i < until)
			p[i] = '*';
	}
}

/* A comma and the name: never by printf, which was four fifths of what a line
 * costs. */
static void
name_put(const char *name)
{
	buf_put(&line, ",\"", 2);
	buf_puts(&line, name);
	buf_put(&line, "\":", 2);
}

/* Append a member: a value that does not fit is cut at a character, one for
 * which not even a name fits is left out. */
static void
member(const char *name, const char *value, size_t n)
{
	size_t start = line.len;

	name_put(name);
	if (line.failed)
		n = 0;
	while (text_quote(&line, value, n) < 0 && n > 0) {
		n -= n / 8 + 1;
		while (n > 0 && ((unsigned char)value[n] & 0xc0) == 0x80)
			n--;
		line.failed = false;
	}
	if (line.failed)
		line.len = start;
	line.failed = false;
}

void
log_open(enum log_level level, const char *event)
{
	static const char *const names[] = {
		"error", "warn", "info", "debug"
	};
	struct text_time now;
	char time[24];

	active = level <= limit;
	if (!active)
		return;
	grade = level;
	line = (struct buf){
		.data = bytes, .cap = sizeof(bytes), .max = LINE - 2
	};
	text_clock(&now);
	text_iso(time, now.wall);
	buf_puts(&line, "{\"time\":");
	text_quote(&line, time, strlen(time));
	member("level", names[level], strlen(names[level]));
	member("event", event, strlen(event));
}

void
log_str(const char *name, const char *value)
{
	if (active && value != NULL)
		member(name, value, strlen(value));
}

static void
number(const char *name, int64_t value)
{
	size_t start = line.len;

	name_put(name);
	if (buf_int(&line, value) < 0) {
		line.len = start;
		line.failed = false;
	}
}

void
log_int(const char *name, int64_t value)
{
	if (active)
		number(name, value);
}

/* Whether stderr takes a line without waiting: a pipe whose reader stopped
 * must not stop us. A pipe that polls writable takes PIPE_BUF bytes. */
static bool
writable(void)
{
	static enum { UNSEEN, WAITS, NEVER } kind;
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	struct stat st;

	if (kind == UNSEEN)
		kind = fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode) ?
		    NEVER : WAITS;
	return kind == NEVER || poll(&p, 1, 0) != 0;
}

/* systemd.exec(5): JOURNAL_STREAM is DEVICE:INODE of the journal's end. The
 * variable alone says nothing: stderr may lead elsewhere since. */
static bool
to_journal(void)
{
	const char *want = getenv("JOURNAL_STREAM");
	struct stat st;
	char is[48];

	if (sink == UNKNOWN) {
		sink = OTHER;
		if (want != NULL && fstat(STDERR_FILENO, &st) == 0) {
			snprintf(is, sizeof(is), "%ju:%ju",
			    (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
			if (strcmp(want, is) == 0)
				sink = JOURNAL;
		}
	}
	return sink == JOURNAL;
}

/* By one write, or the lines of two processes would mix. On a full disk it may
 * take a part of it, or nothing: counted as lost, and what comes next begins a
 * line of its own. */
static void
put_line(int64_t lost)
{
	/* sd-daemon(3): for `journalctl -p warning`; it is not kept. */
	static const char *const ranks[] = { "<3>", "<4>", "<6>", "<7>" };
	size_t rank = to_journal() ? 3 : 0;
	struct iovec v[3] = { { "\n", torn }, { (char *)ranks[grade], rank },
	    { line.data, line.len } };
	ssize_t n;

	do
		n = writev(STDERR_FILENO, v, 3);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)(torn + rank + line.len)) {
		torn = false;
		return;
	}
	dropped = lost + 1;
	if (n > 0)
		torn = n > (ssize_t)torn;
}

void
log_close(void)
{
	int saved = errno;
	int64_t lost;

	if (!active)
		return;
	active = false;
	if (taker != NULL) {
		line.max = LINE;
		buf_puts(&line, "}\n");
		if (taker(taker_arg, line.data, line.len)) {
			errno = saved;
			return;
		}
		line.len -= 2;
	}
	if (!writable()) {
		dropped++;
		errno = saved;
		return;
	}
	if (dropped > 0)
		number("dropped", dropped);
	lost = dropped;
	dropped = 0;
	line.max = LINE;
	buf_puts(&line, "}\n");
	put_line(lost);
	errno = saved;
}

void
log_msg(enum log_level level, const char *event, const char *fmt, ...)
{
	int saved = errno, n;
	char *message;
	va_list ap;

	if (level > limit)
		return;
	/* All of it is formatted, then searched, then cut: half a secret at a
	 * cut would not be found. */
	va_start(ap, fmt);
	n = vasprintf(&message, fmt, ap);
	va_end(ap);
	log_open(level, event);
	if (n < 0) {
		log_str("message", "(out of memory)");
	} else {
		log_redact(message, (size_t)n);
		member("message", message, (size_t)n);
		free(message);
	}
	log_close();
	errno = saved;
}
