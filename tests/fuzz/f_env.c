/* A `.env` file: what is wrong is told by its place and never by its text,
 * which may be a key; what is set has a name that a shell takes; written anew
 * in quotes, or with the line ends of Windows, it says the same. The last
 * part: a credential, which is its file's text. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "env.h"
#include "share.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define VARIABLES	64	/* more are not looked at */

struct vars {
	size_t	n;
	char	*name[VARIABLES], *value[VARIABLES];
};

static struct vars *vars;	/* where setenv puts them */

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* In place of libc's, which keeps every string for ever (glibc 2.36,
 * stdlib/setenv.c): a run of minutes would fill the memory. */
int
setenv(const char *name, const char *value, int overwrite)
{
	static const char word[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
	size_t i;

	must(overwrite == 0);
	must(*name != '\0' && (*name < '0' || *name > '9'));
	must(name[strspn(name, word)] == '\0');
	for (i = 0; i < vars->n; i++)
		if (strcmp(vars->name[i], name) == 0)
			return 0;
	if (i == VARIABLES)
		return 0;
	vars->name[i] = strdup(name);
	vars->value[i] = strdup(value);
	must(vars->name[i] != NULL && vars->value[i] != NULL);
	vars->n++;
	return 0;
}

static void
forget(struct vars *v)
{
	while (v->n > 0) {
		v->n--;
		free(v->name[v->n]);
		free(v->value[v->n]);
	}
}

static void
same(const struct vars *a, const struct vars *b)
{
	size_t i;

	must(a->n == b->n);
	for (i = 0; i < a->n; i++) {
		must(strcmp(a->name[i], b->name[i]) == 0);
		must(strcmp(a->value[i], b->value[i]) == 0);
	}
}

static bool
known(const char *p, size_t n)
{
	static const char *const whys[] = { "the file holds a NUL byte",
	    "NAME=value is expected", "the quote is not closed on this line",
	    "text after the closing quote", "the value is too long", NULL };
	size_t i;

	for (i = 0; whys[i] != NULL; i++)
		if (strlen(whys[i]) == n && memcmp(whys[i], p, n) == 0)
			return true;
	return false;
}

/* "e:LINE: why", LINE ever higher. The count of them. */
static size_t
check_errors(struct buf *errors, long lines)
{
	const char *p = buf_str(errors), *eol;
	long line = 0, before;
	size_t count = 0;
	char *end;

	for (; *p != '\0'; p = eol + 1, count++) {
		eol = strchr(p, '\n');
		must(eol != NULL && strncmp(p, "e:", 2) == 0);
		before = line;
		line = strtol(p + 2, &end, 10);
		must(line > before && line <= lines);
		must(strncmp(end, ": ", 2) == 0);
		must(known(end + 2, (size_t)(eol - end - 2)));
	}
	return count;
}

/* Read p[0..n) into v. The number of errors. */
static size_t
read_into(struct vars *v, const char *p, size_t n)
{
	struct buf errors;
	long lines = 1;
	size_t i, count;
	int rc;

	for (i = 0; i < n; i++)
		lines += p[i] == '\n';
	buf_init(&errors, 1 << 20);
	vars = v;
	rc = env_text("e", p, n, &errors);
	must((rc == 0) == (errors.len == 0));
	count = check_errors(&errors, lines);
	buf_release(&errors);
	return count;
}

static void
put_quoted(struct buf *b, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\n' || *value == '\r') {
			buf_puts(b, *value == '\n' ? "\\n" : "\\r");
			continue;
		}
		if (*value == '"' || *value == '\\')
			buf_puts(b, "\\");
		buf_put(b, value, 1);
	}
}

static void
check_quoted(const struct vars *v)
{
	struct vars again = { .n = 0 };
	struct buf b;
	size_t i;

	buf_init(&b, 1 << 20);
	for (i = 0; i < v->n; i++) {
		buf_printf(&b, "export %s = \"", v->name[i]);
		put_quoted(&b, v->value[i]);
		buf_puts(&b, "\" # as it was\n");
	}
	must(read_into(&again, buf_str(&b), b.len) == 0);
	same(v, &again);
	forget(&again);
	buf_release(&b);
}

static void
check_windows(const struct vars *v, const char *p, size_t n, size_t errors)
{
	struct vars again = { .n = 0 };
	struct buf b;
	size_t i;

	buf_init(&b, 2 * n + 1);
	for (i = 0; i < n; i++) {
		if (p[i] == '\n')
			buf_puts(&b, "\r");
		buf_put(&b, p + i, 1);
	}
	must(read_into(&again, buf_str(&b), b.len) == errors);
	same(v, &again);
	forget(&again);
	buf_release(&b);
}

static char dir[128], path[160];

static void
clean(void)
{
	unlink(path);
	rmdir(dir);
}

static void
prepare(void)
{
	const char *tmp = getenv("TMPDIR");

	must(snprintf(dir, sizeof(dir), "%s/relevo-fuzz-XXXXXX",
	    tmp != NULL ? tmp : "/tmp") < (int)sizeof(dir));
	must(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/A_KEY", dir);
	atexit(clean);
}

/* A file whose name is that of a variable, in a folder of its own. */
static void
check_credential(const char *p, size_t n)
{
	struct vars v = { .n = 0 };
	struct buf errors;
	FILE *f;

	if (dir[0] == '\0')
		prepare();
	f = fopen(path, "w");
	must(f != NULL && fwrite(p, 1, n, f) == n && fclose(f) == 0);
	buf_init(&errors, 4096);
	vars = &v;
	if (env_folder(dir, &errors) == 0) {
		while (n > 0 && (p[n - 1] == '\n' || p[n - 1] == '\r'))
			n--;
		must(v.n == 1 && strcmp(v.name[0], "A_KEY") == 0);
		must(strlen(v.value[0]) == n &&
		    memcmp(v.value[0], p, n) == 0);
	} else {
		must(memchr(p, '\0', n) != NULL && v.n == 0);
		must(strstr(buf_str(&errors), "no plain text") != NULL);
	}
	buf_release(&errors);
	forget(&v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct vars v = { .n = 0 };
	const char *p = (const char *)data;
	size_t errors;

	if (n > 4096)
		return 0;
	errors = read_into(&v, p, n);
	check_quoted(&v);
	check_windows(&v, p, n, errors);
	forget(&v);
	if (share(data, n, 16))		/* the only one that writes a file */
		check_credential(p, n);
	return 0;
}
