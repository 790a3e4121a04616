#include "scan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "buf.h"
#include "token.h"

#define SCAN_MAX_FILE	(1024 * 1024)
#define SCAN_MAX_DEPTH	8
#define SCAN_MAX_FILES	256		/* or one that includes itself twice on
					 * each level is read without end */
#define SCAN_MAX_ERRORS	100
#define SCAN_MAX_SECTIONS 4096	/* what follows is quadratic in them */

struct cursor {
	struct token_reader r;
	struct scan	*scan;
	const struct scan_file *file;
	int		 depth;		/* of includes */
	bool		 quiet;		/* skipping: errors were told */
};

static int	scan_open(struct scan *, const char *, int);

void
scan_init(struct scan *s, struct buf *errors)
{
	memset(s, 0, sizeof(*s));
	s->errors = errors;
}

static void
option_release(struct scan_option *o)
{
	size_t i;

	for (i = 0; i < o->n; i++) {
		free(o->raw[i]);
		if (o->value != NULL)
			free(o->value[i]);
	}
	free(o->raw);
	free(o->value);
	free(o->name);
}

static void
section_release(struct scan_section *sec)
{
	size_t i;

	for (i = 0; i < sec->noptions; i++)
		option_release(&sec->options[i]);
	free(sec->options);
	free(sec->kind);
	free(sec->title);
}

void
scan_release(struct scan *s)
{
	size_t i;

	for (i = 0; i < s->nsections; i++)
		section_release(&s->sections[i]);
	free(s->sections);
	for (i = 0; i < s->nfiles; i++) {
		free(s->files[i]->path);
		free(s->files[i]);
	}
	free(s->files);
	scan_init(s, s->errors);
}

void
scan_error(struct scan *s, const char *file, int line, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	char *c;

	if (++s->nerrors > SCAN_MAX_ERRORS)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Text from the file must not start lines or move a terminal. */
	for (c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	if (line > 0)
		buf_printf(s->errors, "%s:%d: %s\n", file, line, text);
	else
		buf_printf(s->errors, "%s: %s\n", file, text);
}

#define complain(c, at, ...) do {					\
	if (!(c)->quiet)						\
		scan_error((c)->scan, (c)->file->path, (at), __VA_ARGS__); \
} while (0)

static void
next(struct cursor *c, struct token *t)
{
	token_next(&c->r, t);
	if (t->kind == TOKEN_BAD)
		complain(c, t->line, "%s", t->why);
}

static void
skip_line(struct cursor *c)
{
	token_skip(&c->r);
}

/* ---- arrays that grow by one ---- */

static void *
grown(void *array, size_t n, size_t size)
{
	/* Doubling: n is a power of two exactly when the array is full. */
	if (n != 0 && (n & (n - 1)) != 0)
		return array;
	return reallocarray(array, n == 0 ? 1 : n * 2, size);
}

/* ---- options ---- */

static int
add_raw(struct cursor *c, struct scan_option *o, const struct token *t)
{
	char **raw = grown(o->raw, o->n, sizeof(*raw));

	if (raw != NULL) {
		o->raw = raw;
		if ((raw[o->n] = strndup(t->p, t->n)) != NULL) {
			o->n++;
			return 0;
		}
	}
	complain(c, t->line, "out of memory");
	return -1;
}

/* Leave a list that is broken: up to its closing brace. */
static void
skip_list(struct cursor *c)
{
	struct token t;
	bool quiet = c->quiet;

	c->quiet = true;
	do {
		next(c, &t);
	} while (t.kind != TOKEN_CLOSE && t.kind != TOKEN_END);
	c->quiet = quiet;
}

/* The list after its opening brace: values, commas (one may be left at the
 * end), the closing brace. */
static int
read_list(struct cursor *c, struct scan_option *o)
{
	struct token t;

	for (;;) {
		next(c, &t);
		if (t.kind == TOKEN_CLOSE)
			return 0;
		if (t.kind != TOKEN_WORD && t.kind != TOKEN_STRING)
			break;
		if (add_raw(c, o, &t) != 0)
			return -1;
		next(c, &t);
		if (t.kind == TOKEN_CLOSE)
			return 0;
		if (t.kind != TOKEN_COMMA)
			break;
	}
	if (t.kind != TOKEN_BAD)
		complain(c, t.line, "the list of '%s' wants values with "
		    "commas between and a } at its end", o->name);
	if (t.kind != TOKEN_END)
		skip_list(c);
	return -1;
}

static int
read_value(struct cursor *c, struct scan_option *o)
{
	struct token t;

	next(c, &t);
	if (t.kind == TOKEN_OPEN) {
		o->list = true;
		return read_list(c, o);
	}
	if (t.kind == TOKEN_WORD || t.kind == TOKEN_STRING)
		return add_raw(c, o, &t);
	if (t.kind == TOKEN_BAD)
		return -1;
	complain(c, t.line, "'%s' has no value", o->name);
	if (t.kind == TOKEN_CLOSE)
		c->r.p = t.p;		/* it closes the section */
	else if (t.kind != TOKEN_END)
		skip_line(c);
	return -1;
}

static bool
has_option(const struct scan_section *sec, const char *name, int *line)
{
	size_t i;

	for (i = 0; i < sec->noptions; i++)
		if (strcmp(sec->options[i].name, name) == 0) {
			*line = sec->options[i].line;
			return true;
		}
	return false;
}

static void
keep_option(struct cursor *c, struct scan_section *sec, struct scan_option *o)
{
	struct scan_option *grow;
	int line;

	if (has_option(sec, o->name, &line)) {
		complain(c, o->line, "'%s' is given twice (also in line %d)",
		    o->name, line);
		option_release(o);
		return;
	}
	grow = grown(sec->options, sec->noptions, sizeof(*grow));
	if (grow == NULL) {
		complain(c, o->line, "out of memory");
		option_release(o);
		return;
	}
	sec->options = grow;
	sec->options[sec->noptions++] = *o;
}

/* NAME has been read; "= value" follows. */
static void
read_option(struct cursor *c, struct scan_section *sec,
    const struct token *name)
{
	struct scan_option o = { .line = name->line };
	struct token t;

	if ((o.name = strndup(name->p, name->n)) == NULL) {
		complain(c, name->line, "out of memory");
		return;
	}
	next(c, &t);
	if (t.kind == TOKEN_EQUAL) {
		if (read_value(c, &o) == 0) {
			keep_option(c, sec, &o);
			return;
		}
	} else {
		if (t.kind != TOKEN_BAD)
			complain(c, t.line, "'%s' wants a = and a value",
			    o.name);
		if (t.kind == TOKEN_CLOSE)
			c->r.p = t.p;
		else if (t.kind != TOKEN_END)
			skip_line(c);
	}
	option_release(&o);
}

/* ---- sections ---- */

/* Whether the words at the cursor are the head of a section: "word {" or
 * "word title {". In a body that means the section before was left open. */
static bool
is_head(struct cursor c)
{
	struct token t;

	c.quiet = true;
	next(&c, &t);
	if (t.kind == TOKEN_WORD || t.kind == TOKEN_STRING)
		next(&c, &t);
	return t.kind == TOKEN_OPEN;
}

static void
read_body(struct cursor *c, struct scan_section *sec)
{
	struct token t;

	for (;;) {
		next(c, &t);
		if (t.kind == TOKEN_CLOSE)
			return;
		if (t.kind == TOKEN_BAD)
			continue;
		if (t.kind == TOKEN_END ||
		    (t.kind == TOKEN_WORD && is_head(*c)))
			break;
		if (t.kind == TOKEN_WORD) {
			read_option(c, sec, &t);
			continue;
		}
		complain(c, t.line, "an option's name was expected in "
		    "section '%s'", sec->kind);
		skip_line(c);
	}
	complain(c, sec->line, "section '%s%s%s' is not closed by a }",
	    sec->kind, sec->title ? " " : "", sec->title ? sec->title : "");
	c->r.p = t.p;			/* it begins the next one */
}

/* A title stands for itself: no ${}, no escapes, so that the name in the
 * file, in errors and in the state is one. */
static char *
read_title(struct cursor *c, const struct token *t)
{
	const char *p = t->p;
	size_t n = t->n;

	if (t->kind == TOKEN_STRING) {
		if (*p == '$' || memchr(p, '\\', n) || memchr(p, '$', n)) {
			complain(c, t->line, "a section's name can hold no "
			    "${} and no backslash");
			return NULL;
		}
		p++;
		n -= 2;
	}
	return strndup(p, n);
}

static struct scan_section *
add_section(struct cursor *c, const struct token *kind)
{
	struct scan *s = c->scan;
	struct scan_section *grow, *sec;

	if (s->nsections == SCAN_MAX_SECTIONS)
		return NULL;
	grow = grown(s->sections, s->nsections, sizeof(*grow));
	if (grow == NULL)
		return NULL;
	s->sections = grow;
	sec = &grow[s->nsections];
	memset(sec, 0, sizeof(*sec));
	sec->file = c->file;
	sec->line = kind->line;
	if ((sec->kind = strndup(kind->p, kind->n)) == NULL)
		return NULL;
	s->nsections++;
	return sec;
}

static void
read_section(struct cursor *c, const struct token *kind)
{
	struct scan_section *sec;
	struct token t;

	if ((sec = add_section(c, kind)) == NULL) {
		complain(c, kind->line, "out of memory, or more than %d "
		    "sections", SCAN_MAX_SECTIONS);
		c->r.p = c->r.end;
		return;
	}
	next(c, &t);
	if (t.kind == TOKEN_WORD || t.kind == TOKEN_STRING) {
		sec->title = read_title(c, &t);
		sec->bad = sec->title == NULL;
		next(c, &t);
	}
	if (t.kind == TOKEN_OPEN) {
		read_body(c, sec);
		return;
	}
	if (t.kind != TOKEN_BAD)
		complain(c, t.line, "'%s' wants a { here", sec->kind);
	section_release(sec);
	c->scan->nsections--;
	if (t.kind != TOKEN_END)
		skip_line(c);
}

/* ---- files ---- */

static char *
beside(const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');
	char *path;

	if (*name == '/' || slash == NULL)
		return strdup(name);
	if (asprintf(&path, "%.*s/%s", (int)(slash - file), file, name) < 0)
		return NULL;
	return path;
}

/* Too many files: the rest of this one is not read. */
static void
stop(struct cursor *c, int line)
{
	complain(c, line, "include: more than %d files in all",
	    SCAN_MAX_FILES);
	c->r.p = c->r.end;
}

static void
read_include(struct cursor *c, int line)
{
	struct token t, name;
	char *text = NULL, *path = NULL;

	next(c, &t);
	next(c, &name);
	if (t.kind == TOKEN_LPAR && name.kind == TOKEN_STRING)
		next(c, &t);
	if (t.kind != TOKEN_RPAR || (text = read_title(c, &name)) == NULL) {
		if (t.kind != TOKEN_BAD && name.kind != TOKEN_BAD)
			complain(c, line, "include wants one file name: "
			    "include(\"more.conf\")");
		skip_line(c);
		goto out;
	}
	if ((path = beside(c->file->path, text)) == NULL)
		complain(c, line, "out of memory");
	else if (c->depth + 1 >= SCAN_MAX_DEPTH)
		complain(c, line, "include: files include each other more "
		    "than %d deep", SCAN_MAX_DEPTH);
	else if (c->scan->nfiles == SCAN_MAX_FILES)
		stop(c, line);
	else if (scan_open(c->scan, path, c->depth + 1) != 0 && errno != 0)
		complain(c, line, "include: %s: %s", path, file_why(errno));
out:
	free(text);
	free(path);
}

static void
read_file(struct cursor *c)
{
	struct token t;

	if (c->r.end - c->r.p >= 3 && memcmp(c->r.p, "\xef\xbb\xbf", 3) == 0)
		c->r.p += 3;
	for (;;) {
		next(c, &t);
		if (t.kind == TOKEN_END)
			return;
		if (t.kind == TOKEN_BAD)
			continue;
		if (t.kind == TOKEN_WORD && t.n == 7 &&
		    memcmp(t.p, "include", 7) == 0) {
			read_include(c, t.line);
		} else if (t.kind == TOKEN_WORD) {
			read_section(c, &t);
		} else {
			complain(c, t.line, t.kind == TOKEN_CLOSE ?
			    "this } closes nothing" :
			    "a section's name was expected");
			if (t.kind != TOKEN_CLOSE)
				skip_line(c);
		}
	}
}

static struct scan_file *
add_file(struct scan *s, const char *path)
{
	struct scan_file **grow, *f;

	grow = grown(s->files, s->nfiles, sizeof(*grow));
	if (grow == NULL)
		return NULL;
	s->files = grow;
	if ((f = calloc(1, sizeof(*f))) == NULL)
		return NULL;
	if ((f->path = strdup(path)) == NULL) {
		free(f);
		return NULL;
	}
	f->owner.mode = S_IRUSR | S_IWUSR;
	s->files[s->nfiles++] = f;
	return f;
}

static int
scan_bytes(struct scan *s, const struct scan_file *f, const char *p, size_t n,
    int depth)
{
	struct cursor c = { { p, p + n, 1 }, s, f, depth, false };
	size_t before = s->nerrors;

	read_file(&c);
	return s->nerrors == before ? 0 : -1;
}

int
scan_text(struct scan *s, const char *path, const char *p, size_t n)
{
	struct scan_file *f;
	const char *nul = memchr(p, '\0', n);

	if ((f = add_file(s, path)) == NULL) {
		scan_error(s, path, 0, "out of memory");
		return -1;
	}
	if (nul != NULL) {
		scan_error(s, path, 1, "the file holds a NUL byte");
		return -1;
	}
	return scan_bytes(s, f, p, n, 0);
}

/* -1 with errno when the file could not be read; errno 0 when its errors
 * have been told. */
static int
scan_open(struct scan *s, const char *path, int depth)
{
	struct buf text;
	struct file_owner owner;
	struct scan_file *f;
	int rc = -1, error = 0;

	buf_init(&text, SCAN_MAX_FILE + 1);
	if (file_read(path, SCAN_MAX_FILE, &text, &owner) != 0) {
		error = errno;
		goto out;
	}
	if ((f = add_file(s, path)) == NULL) {
		error = ENOMEM;
		goto out;
	}
	f->owner = owner;
	rc = scan_bytes(s, f, buf_str(&text), text.len, depth);
out:
	buf_release(&text);
	errno = error;
	return rc;
}

int
scan_path(struct scan *s, const char *path)
{
	if (scan_open(s, path, 0) == 0)
		return 0;
	if (errno != 0)
		scan_error(s, path, 0, "%s", file_why(errno));
	return -1;
}
