#include "env.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"

#define ENV_MAX_FILE	(256 * 1024)
#define ENV_MAX_VALUE	(64 * 1024)

static const char *
skip_blank(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
		p++;
	return p;
}

static bool
is_name(char c, bool first)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
	    (!first && c >= '0' && c <= '9');
}

/* A value without quotes: to the end of the line or to a '#' after a blank,
 * blanks at its end cut. There is a byte before p: the = or a blank. */
static void
plain_value(const char *p, const char *end, struct buf *out)
{
	const char *q = p;

	while (q < end && !(*q == '#' && (q[-1] == ' ' || q[-1] == '\t')))
		q++;
	while (q > p && strchr(" \t\r", q[-1]) != NULL)
		q--;
	buf_put(out, p, (size_t)(q - p));
}

static const char *
escape(const char *p, const char *end, struct buf *out)
{
	static const char from[] = "ntr\"\\$'", to[] = "\n\t\r\"\\$'";
	const char *at;

	if (p + 1 < end && p[1] != '\0' &&
	    (at = strchr(from, p[1])) != NULL) {
		buf_put(out, &to[at - from], 1);
		return p + 2;
	}
	buf_put(out, p, 1);		/* any other backslash is itself */
	return p + 1;
}

static const char *
quoted_value(const char *p, const char *end, struct buf *out)
{
	char quote = *p++;

	while (p < end && *p != quote) {
		if (quote == '"' && *p == '\\') {
			p = escape(p, end, out);
		} else {
			buf_put(out, p, 1);
			p++;
		}
	}
	if (p >= end)
		return "the quote is not closed on this line";
	p = skip_blank(p + 1, end);
	if (p < end && *p != '#')
		return "text after the closing quote";
	return NULL;
}

/* NULL, or what is wrong with the line; never its text, which may be a key. */
static const char *
read_line(const char *p, const char *end, struct buf *value)
{
	char name[256];
	const char *start, *why = NULL;
	size_t n;

	p = skip_blank(p, end);
	if (p == end || *p == '#')
		return NULL;
	if (end - p > 7 && memcmp(p, "export", 6) == 0 &&
	    (p[6] == ' ' || p[6] == '\t'))
		p = skip_blank(p + 6, end);
	for (start = p; p < end && is_name(*p, p == start); p++)
		;
	n = (size_t)(p - start);
	p = skip_blank(p, end);
	if (n == 0 || n >= sizeof(name) || p == end || *p != '=')
		return "NAME=value is expected";
	memcpy(name, start, n);
	name[n] = '\0';
	p = skip_blank(p + 1, end);
	if (p < end && (*p == '"' || *p == '\''))
		why = quoted_value(p, end, value);
	else
		plain_value(p, end, value);
	if (why == NULL && value->failed)
		why = "the value is too long";
	if (why == NULL && setenv(name, buf_str(value), 0) != 0)
		why = "it cannot be put into the environment";
	return why;
}

int
env_text(const char *path, const char *p, size_t n, struct buf *errors)
{
	const char *end = p + n, *eol, *why;
	struct buf value;
	int line, rc = 0;

	if (memchr(p, '\0', n) != NULL) {
		buf_printf(errors, "%s:1: the file holds a NUL byte\n", path);
		return -1;
	}
	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	buf_init(&value, ENV_MAX_VALUE);
	for (line = 1; p < end; line++, p = eol + 1) {
		eol = memchr(p, '\n', (size_t)(end - p));
		if (eol == NULL)
			eol = end;
		buf_clear(&value);
		if ((why = read_line(p, eol, &value)) != NULL) {
			buf_printf(errors, "%s:%d: %s\n", path, line, why);
			rc = -1;
		}
	}
	buf_release(&value);
	return rc;
}

int
env_path(const char *path, struct buf *errors)
{
	struct file_owner owner;
	struct buf text;
	const char *why;
	int rc = -1;

	buf_init(&text, ENV_MAX_FILE + 1);
	if (file_read(path, ENV_MAX_FILE, &text, &owner) != 0) {
		if (errno == ENOENT)
			rc = 0;
		else
			buf_printf(errors, "%s: %s\n", path,
			    file_why(errno));
	} else if ((why = file_exposed(&owner)) != NULL) {
		buf_printf(errors, "%s: it holds keys and %s: chmod 600 "
		    "%s\n", path, why, path);
	} else {
		rc = env_text(path, buf_str(&text), text.len, errors);
	}
	buf_release(&text);
	return rc;
}

static int
read_file(const char *path, const char *name, struct buf *errors)
{
	struct file_owner owner;
	struct buf text;
	int rc = -1;

	buf_init(&text, ENV_MAX_VALUE + 1);
	if (file_read(path, ENV_MAX_VALUE, &text, &owner) != 0) {
		buf_printf(errors, "%s: %s\n", path, file_why(errno));
		goto out;
	}
	while (text.len > 0 && (text.data[text.len - 1] == '\n' ||
	    text.data[text.len - 1] == '\r'))
		text.len--;
	if (setenv(name, buf_str(&text), 0) == 0)
		rc = 0;
	else
		buf_printf(errors, "%s: %s\n", path, strerror(errno));
out:
	buf_release(&text);
	return rc;
}

int
env_folder(const char *dir, struct buf *errors)
{
	DIR *d = dir != NULL ? opendir(dir) : NULL;
	char path[PATH_MAX];
	struct dirent *e;
	int rc = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		size_t n = 0;

		while (is_name(e->d_name[n], n == 0))
			n++;
		if (n == 0 || e->d_name[n] != '\0' || snprintf(path,
		    sizeof(path), "%s/%s", dir, e->d_name) >=
		    (int)sizeof(path))
			continue;
		rc |= read_file(path, e->d_name, errors);
	}
	if (d != NULL) {
		closedir(d);
	} else if (dir != NULL) {
		buf_printf(errors, "%s: %s\n", dir, strerror(errno));
		rc = -1;
	}
	return rc;
}

int
env_restore(void)
{
	/* The one thing that has to outlive a load: which variables were there
	 * before any. The strings are the process's own and never freed. */
	static char **born;
	size_t n = 0;

	if (born != NULL) {
		if (clearenv() != 0)
			return -1;
		for (size_t i = 0; born[i] != NULL; i++)
			if (putenv(born[i]) != 0)
				return -1;
		return 0;
	}
	while (environ != NULL && environ[n] != NULL)
		n++;
	born = calloc(n + 1, sizeof(*born));
	if (born == NULL)
		return -1;
	if (n > 0)
		memcpy(born, environ, n * sizeof(*born));
	return 0;
}
