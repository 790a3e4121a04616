/* A configuration from text, for the tests of the modules that read one. */
#ifndef LOADED_H
#define LOADED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "config.h"

#define ACCESS "server { access = open }\n"
#define ONE ACCESS							\
	"provider p { url = https://p.example/v1 key = ${T_KEY} }\n"	\
	"model p/m { }\n"

struct loaded {
	char		 dir[64];
	char		 path[96];
	struct buf	 errors;
	struct buf	 warnings;
	struct config	*c;
};

static inline void
loaded_write(const char *dir, const char *name, const char *text, mode_t mode)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static inline void
loaded_dir(struct loaded *l)
{
	memset(l, 0, sizeof(*l));
	strcpy(l->dir, "/tmp/relevo-test-XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	snprintf(l->path, sizeof(l->path), "%s/c", l->dir);
	buf_init(&l->errors, 1 << 20);
	buf_init(&l->warnings, 1 << 20);
}

static inline void
loaded_read(struct loaded *l)
{
	config_free(l->c);
	buf_clear(&l->errors);
	buf_clear(&l->warnings);
	l->c = config_load(l->path, &l->errors, &l->warnings);
}

static inline void
loaded_text(struct loaded *l, const char *text)
{
	loaded_dir(l);
	loaded_write(l->dir, "c", text, 0600);
	loaded_read(l);
	/* Either a configuration or a reason, never both or none. */
	assert_true((l->c == NULL) == (l->errors.len != 0));
}

static inline void
loaded_free(struct loaded *l)
{
	char cmd[100];

	config_free(l->c);
	buf_release(&l->errors);
	buf_release(&l->warnings);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", l->dir);
	assert_int_equal(system(cmd), 0);
}

/* The text has exactly one line "...c:LINE: ... what ..."; 0: without LINE. */
static inline void
loaded_says(struct buf *b, int line, const char *what)
{
	char place[32];
	const char *p = buf_str(b), *eol, *hit;
	int found = 0;

	if (line == 0)
		strcpy(place, "/c: ");
	else
		snprintf(place, sizeof(place), "/c:%d: ", line);
	for (; *p != '\0'; p = eol + 1) {
		eol = strchr(p, '\n');
		hit = strstr(p, what);
		found += hit != NULL && hit < eol && strstr(p, place) != NULL &&
		    strstr(p, place) < hit;
	}
	if (found != 1)
		fail_msg("%d times line %d '%s' in:\n%s", found, line, what,
		    buf_str(b));
}

static inline int
loaded_lines(struct buf *b)
{
	const char *p = buf_str(b);
	int n = 0;

	for (; *p != '\0'; p++)
		n += *p == '\n';
	return n;
}

/* The text fails with this one error. */
static inline void
loaded_fails(const char *text, int line, const char *what)
{
	struct loaded l;

	loaded_text(&l, text);
	assert_null(l.c);
	loaded_says(&l.errors, line, what);
	if (loaded_lines(&l.errors) != 1)
		fail_msg("more than one error:\n%s", buf_str(&l.errors));
	loaded_free(&l);
}

#endif
