/* Secrets: whatever stands around them, however they overlap and wherever a
 * text was cut, none is left of them, neither as they are nor percent-encoded;
 * nothing else is touched; and a line of the log is JSON without them.
 *
 * The first byte says how many secrets, each is a length byte and so many
 * bytes. In the text behind them the bytes 0x80 to 0x8f stand for secrets, and
 * 0x90 to 0x9f for their percent-encoded form. */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../src/log.c"
#include "forget.h"
#include "json.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define SECRETS	4
#define CUT	8		/* a beginning of this length is one too many */

static char plain[SECRETS][32], coded[SECRETS][96];
static size_t count;
static struct buf logged;
static bool listen;

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* What goes to stderr while a line is written. */
ssize_t
writev(int fd, const struct iovec *v, int n)
{
	size_t start = logged.len;

	if (!listen || fd != STDERR_FILENO)
		return syscall(SYS_writev, fd, v, n);
	for (int i = 0; i < n; i++)
		must(buf_put(&logged, v[i].iov_base, v[i].iov_len) == 0);
	return (ssize_t)(logged.len - start);
}

/* RFC 3986 2.1, all but the unreserved ones. */
static void
encode(char *out, const char *p, bool lower)
{
	for (; *p != '\0'; p++)
		if (isalnum((unsigned char)*p) || strchr("-._~", *p) != NULL)
			*out++ = *p;
		else
			out += sprintf(out, lower ? "%%%02x" : "%%%02X",
			    (unsigned char)*p);
	*out = '\0';
}

static bool
has(const char *p, size_t n, const char *s)
{
	return memmem(p, n, s, strlen(s)) != NULL;
}

/* No secret inside, and none that was cut off at the end. */
static void
check_clean(const char *p, size_t n)
{
	char lower[96];
	size_t i, k;

	for (i = 0; i < count; i++) {
		encode(lower, plain[i], true);
		must(!has(p, n, plain[i]) && !has(p, n, coded[i]) &&
		    !has(p, n, lower));
		for (k = CUT; k < strlen(plain[i]) && k <= n; k++)
			must(memcmp(p + n - k, plain[i], k) != 0);
	}
}

/* Each byte is as it was or '*', and one that no secret can reach is as it
 * was: none of the text was one. */
static void
check_rest(const char *was, const char *is, size_t n)
{
	bool any = false;
	char lower[96];
	size_t i, k;

	for (i = 0; i < n; i++)
		must(is[i] == was[i] || is[i] == '*');
	for (i = 0; i < count; i++) {
		encode(lower, plain[i], true);
		any |= has(was, n, plain[i]) || has(was, n, coded[i]) ||
		    has(was, n, lower);
		for (k = CUT; k < strlen(coded[i]) && k <= n; k++)
			any |= memcmp(was + n - k, coded[i], k) == 0 ||
			    memcmp(was + n - k, lower, k) == 0;
		for (k = CUT; k < strlen(plain[i]) && k <= n; k++)
			any |= memcmp(was + n - k, plain[i], k) == 0;
	}
	must(any || n == 0 || memcmp(was, is, n) == 0);
}

static void
check_line(const char *text)
{
	enum json_token t;
	const char *why;
	struct json j;
	struct buf b;
	size_t where;

	buf_clear(&logged);
	listen = true;
	log_msg(LOG_ERROR, "e", "%s", text);
	listen = false;
	must(logged.len > 2 && logged.len <= 4096);
	must(logged.data[logged.len - 1] == '\n');
	must(memchr(logged.data, '\n', logged.len - 1) == NULL);
	must(json_check(logged.data, logged.len, &where, &why) == 0);
	json_begin(&j, logged.data, logged.len);
	while ((t = json_next(&j)) != JSON_END) {
		must(t != JSON_BAD);
		if (t != JSON_STRING)
			continue;
		buf_init(&b, j.tok_len);
		must(json_text(&j, &b) == 0);
		for (size_t i = 0; i < count; i++)
			must(!has(buf_str(&b), b.len, plain[i]));
		buf_release(&b);
	}
}

static const uint8_t *
learn(const uint8_t *p, const uint8_t *end)
{
	size_t most = p < end ? *p++ % (SECRETS + 1) : 0, len, i;
	char *s;

	for (count = 0; count < most && p < end; ) {
		len = *p++ % 32;
		if (len > (size_t)(end - p))
			len = (size_t)(end - p);
		s = plain[count];
		/* A key is printable, as those of providers are; and what is
		 * blanked by '*' has to be told from it. */
		for (i = 0; i < len; i++)
			s[i] = p[i] <= ' ' || p[i] >= 0x7f || p[i] == '*' ?
			    'k' : (char)p[i];
		s[len] = '\0';
		p += len;
		must((log_secret(s) == 0) == (len >= SECRET_MIN));
		if (len < SECRET_MIN)
			continue;
		encode(coded[count], s, false);
		count++;
	}
	return p;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *end = data + n, *p = learn(data, end);
	struct buf text;
	char *copy;

	if (logged.max == 0)
		buf_init(&logged, 1 << 16);
	buf_init(&text, 1 << 20);
	must(buf_puts(&text, "") == 0);
	for (; p < end; p++)
		if ((*p & 0xe0) == 0x80 && count > 0)
			must(buf_puts(&text, *p & 0x10 ? coded[*p % count] :
			    plain[*p % count]) == 0);
		else
			must(buf_put(&text, p, 1) == 0);
	copy = malloc(text.len + 1);
	must(copy != NULL);
	memcpy(copy, buf_str(&text), text.len + 1);
	log_redact(copy, text.len);
	check_clean(copy, text.len);
	check_rest(buf_str(&text), copy, text.len);
	free(copy);
	check_line(buf_str(&text));
	buf_release(&text);
	forget();
	return 0;
}
