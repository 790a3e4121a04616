#include "parse.h"

#include <confuse.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "raw.h"
#include "text.h"

/* ---- errors ---- */

static int
line_of(const struct scan_section *sec, const char *name)
{
	const struct scan_option *o = NULL;

	if (name != NULL)
		o = parse_find(sec, name);
	return o != NULL ? o->line : sec->line;
}

void
parse_error(struct parse *p, const struct scan_section *sec, const char *name,
    const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	scan_error(&p->scan, sec->file->path, line_of(sec, name), "%s", text);
}

void
parse_warn(struct parse *p, const struct scan_section *sec, const char *name,
    const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (p->warnings == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(p->warnings, "%s:%d: %s\n", sec->file->path,
	    line_of(sec, name), text);
}

/* ---- values by libconfuse ---- */

/* Its own message goes to stderr and could quote a key: it is dropped, the
 * caller tells the place. */
static void
no_message(cfg_t *cfg, const char *fmt, va_list ap)
{
	(void)cfg;
	(void)fmt;
	(void)ap;
}

static unsigned
put_raws(const struct scan_section *sec, size_t n, struct buf *text)
{
	const struct scan_option *o;
	unsigned all = 0;
	size_t i, k, v;

	for (i = 0; i < n; i++)
		for (k = 0; k < sec[i].noptions; k++) {
			o = &sec[i].options[k];
			for (v = 0; v < o->n; v++) {
				raw_unset_empty(o->raw[v]);
				buf_puts(text, all++ ? ", " : "v = {");
				buf_puts(text, o->raw[v]);
			}
		}
	buf_puts(text, "}\n");
	return all;
}

/* The next o->n of all values, from *at on. Again, when memory was out. */
static int
take_values(struct scan_option *o, cfg_opt_t *all, unsigned *at)
{
	const char *v;
	size_t i;

	if (o->value == NULL &&
	    (o->value = calloc(o->n + 1, sizeof(*o->value))) == NULL)
		return -1;
	for (i = 0; i < o->n; i++) {
		v = cfg_opt_getnstr(all, (*at)++);
		if (o->value[i] == NULL &&
		    (o->value[i] = strdup(v != NULL ? v : "")) == NULL)
			return -1;
	}
	return 0;
}

static int
take_all(struct scan_section *sec, size_t n, cfg_opt_t *all)
{
	unsigned at = 0;
	size_t i, k;

	for (i = 0; i < n; i++)
		for (k = 0; k < sec[i].noptions; k++)
			if (take_values(&sec[i].options[k], all, &at) != 0)
				return -1;
	return 0;
}

/* The values of n sections, as one list: a text of its own for each option is
 * mostly what libconfuse begins with, a stream and a buffer of 16 KiB. */
static int
read_values(struct scan_section *sec, size_t n)
{
	cfg_opt_t opts[] = {
		CFG_STR_LIST("v", NULL, CFGF_NONE),
		CFG_END()
	};
	struct buf text;
	cfg_t *cfg = NULL;
	unsigned all;
	int rc = -1;

	buf_init(&text, 4 * 1024 * 1024);
	all = put_raws(sec, n, &text);
	if (all == 0) {
		rc = take_all(sec, n, NULL);
		goto out;
	}
	if (text.failed || (cfg = cfg_init(opts, CFGF_NONE)) == NULL)
		goto out;
	cfg_set_error_function(cfg, no_message);
	if (cfg_parse_buf(cfg, buf_str(&text)) == CFG_SUCCESS &&
	    cfg_size(cfg, "v") == all)
		rc = take_all(sec, n, cfg_getopt(cfg, "v"));
out:
	if (cfg != NULL)
		cfg_free(cfg);
	buf_release(&text);
	return rc;
}

/* Halves of what is too long for one text, or is refused, down to a section, so
 * that one does not hide the errors of others. */
static void
read_sections(struct parse *p, struct scan_section *sec, size_t n)
{
	if (read_values(sec, n) == 0)
		return;
	if (n > 1) {
		read_sections(p, sec, n / 2);
		read_sections(p, sec + n / 2, n - n / 2);
		return;
	}
	parse_error(p, sec, NULL, "the values of section '%s' cannot be read",
	    sec->kind);
	sec->bad = true;
}

static void
check_values(struct parse *p, const struct scan_section *sec,
    const struct scan_option *o)
{
	const char *v;
	size_t i;

	for (i = 0; i < o->n; i++)
		for (v = o->value[i]; *v != '\0'; v++)
			if ((unsigned char)*v < 0x20 || *v == 0x7f) {
				parse_error(p, sec, o->name,
				    "'%s' holds a control byte", o->name);
				return;
			}
}

/* ---- names ---- */

static bool
knows(const struct parse_spec *spec, const char *name)
{
	size_t i;

	for (i = 0; spec->options[i] != NULL; i++)
		if (strcmp(spec->options[i], name) == 0)
			return true;
	return false;
}

static const struct parse_spec *
find_spec(const struct parse_spec *specs, size_t n, const char *kind)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(specs[i].section, kind) == 0)
			return &specs[i];
	return NULL;
}

static bool
same_title(const struct scan_section *a, const struct scan_section *b)
{
	const char *s = a->title ? a->title : "";
	const char *t = b->title ? b->title : "";

	return strcmp(a->kind, b->kind) == 0 && strcmp(s, t) == 0;
}

/* Quadratic in the sections, of which there are hundreds at most. */
static void
check_twins(struct parse *p, size_t i)
{
	const struct scan_section *sec = p->scan.sections;
	size_t k;

	for (k = 0; k < i; k++) {
		if (!same_title(&sec[k], &sec[i]))
			continue;
		parse_error(p, &sec[i], NULL,
		    "section '%s%s%s' is there twice (also %s:%d)",
		    sec[i].kind, sec[i].title ? " " : "",
		    sec[i].title ? sec[i].title : "", sec[k].file->path,
		    sec[k].line);
		p->scan.sections[i].bad = true;
		return;
	}
}

static void
check_section(struct parse *p, struct scan_section *sec,
    const struct parse_spec *spec)
{
	const struct scan_option *o;
	size_t i;

	if (spec->title == PARSE_TITLED && sec->title == NULL) {
		parse_error(p, sec, NULL, "section '%s' wants a name: %s "
		    "NAME { ... }", sec->kind, sec->kind);
		sec->bad = true;
	}
	if (spec->title == PARSE_UNTITLED && sec->title != NULL)
		parse_error(p, sec, NULL, "section '%s' has no name",
		    sec->kind);
	for (i = 0; i < sec->noptions; i++) {
		o = &sec->options[i];
		if (!knows(spec, o->name))
			parse_error(p, sec, o->name,
			    "'%s' is no option of a %s section", o->name,
			    sec->kind);
		check_values(p, sec, o);
	}
}

int
parse_path(struct parse *p, const char *path, const struct parse_spec *specs,
    size_t n, struct buf *errors, struct buf *warnings)
{
	const struct parse_spec *spec;
	size_t i;

	scan_init(&p->scan, errors);
	p->warnings = warnings;
	scan_path(&p->scan, path);
	read_sections(p, p->scan.sections, p->scan.nsections);
	for (i = 0; i < p->scan.nsections; i++) {
		struct scan_section *sec = &p->scan.sections[i];

		if (sec->bad)
			continue;
		spec = find_spec(specs, n, sec->kind);
		if (spec == NULL) {
			parse_error(p, sec, NULL,
			    "'%s' is no section", sec->kind);
			sec->bad = true;
			continue;
		}
		check_twins(p, i);
		check_section(p, sec, spec);
	}
	return p->scan.nerrors == 0 ? 0 : -1;
}

void
parse_release(struct parse *p)
{
	scan_release(&p->scan);
}

/* ---- getters ---- */

const struct scan_section *
parse_each(const struct parse *p, const char *kind, size_t *i)
{
	const struct scan_section *sec;

	while (*i < p->scan.nsections) {
		sec = &p->scan.sections[(*i)++];
		if (!sec->bad && strcmp(sec->kind, kind) == 0)
			return sec;
	}
	return NULL;
}

size_t
parse_count(const struct parse *p, const char *kind)
{
	size_t i = 0, n = 0;

	while (parse_each(p, kind, &i) != NULL)
		n++;
	return n;
}

const struct scan_option *
parse_find(const struct scan_section *sec, const char *name)
{
	size_t i;

	for (i = 0; sec != NULL && i < sec->noptions; i++)
		if (strcmp(sec->options[i].name, name) == 0)
			return &sec->options[i];
	return NULL;
}

const char *
parse_str(struct parse *p, const struct scan_section *sec, const char *name,
    const char *def)
{
	const struct scan_option *o = parse_find(sec, name);

	if (o == NULL || (o->n == 0 && !o->list))
		return def;
	if (o->list) {
		parse_error(p, sec, name, "'%s' takes one value, no list",
		    name);
		return def;
	}
	return o->value[0];
}

bool
parse_bool(struct parse *p, const struct scan_section *sec, const char *name,
    bool def)
{
	static const char *const words[] = { "no", "yes", "off", "on",
	    "false", "true" };
	const char *v = parse_str(p, sec, name, NULL);
	int i;

	if (v == NULL)
		return def;
	for (i = 0; i < 6; i++)
		if (strcmp(v, words[i]) == 0)
			return i & 1;
	parse_error(p, sec, name, "%s = %s: yes or no is expected", name, v);
	return def;
}

int64_t
parse_int(struct parse *p, const struct scan_section *sec, const char *name,
    int64_t lo, int64_t hi, int64_t def)
{
	const char *v = parse_str(p, sec, name, NULL);
	uint64_t n;

	if (v == NULL)
		return def;
	if (text_uint(v, strlen(v), (uint64_t)hi, &n) == 0 &&
	    (int64_t)n >= lo)
		return (int64_t)n;
	parse_error(p, sec, name, "%s = %s: a number from %" PRId64
	    " to %" PRId64 " is expected", name, v, lo, hi);
	return def;
}

int
parse_ms(struct parse *p, const struct scan_section *sec, const char *name,
    int lo, int hi, int def)
{
	const char *v = parse_str(p, sec, name, NULL);
	char from[32], to[32];
	int64_t ms;

	if (v == NULL)
		return def;
	if (text_duration(v, strlen(v), 0, &ms) == 0 && ms >= lo && ms <= hi)
		return (int)ms;
	text_ago(from, lo);
	text_ago(to, hi);
	parse_error(p, sec, name, "%s = %s: a time with its unit (10s, "
	    "250ms, 2m) from %s to %s is expected", name, v, from, to);
	return def;
}

size_t
parse_size(struct parse *p, const struct scan_section *sec, const char *name,
    size_t lo, size_t hi, size_t def)
{
	const char *v = parse_str(p, sec, name, NULL);
	uint64_t n;

	if (v == NULL)
		return def;
	if (text_size(v, strlen(v), hi, &n) == 0 && n >= lo)
		return (size_t)n;
	parse_error(p, sec, name, "%s = %s: a size (8M, 512K) from %zu to "
	    "%zu bytes is expected", name, v, lo, hi);
	return def;
}

int
parse_word(struct parse *p, const struct scan_section *sec, const char *name,
    const char *const *words, int n, int def)
{
	const char *v = parse_str(p, sec, name, NULL);
	char all[200] = "";
	size_t used = 0;
	int i;

	if (v == NULL)
		return def;
	for (i = 0; i < n; i++) {
		if (strcmp(v, words[i]) == 0)
			return i;
		if (used + strlen(words[i]) + 2 < sizeof(all))
			used += (size_t)snprintf(all + used,
			    sizeof(all) - used, " %s", words[i]);
	}
	parse_error(p, sec, name, "%s = %s: one of these is expected:%s",
	    name, v, all);
	return def;
}

void
parse_list_free(char **list)
{
	size_t i;

	for (i = 0; list != NULL && list[i] != NULL; i++)
		free(list[i]);
	free(list);
}

char **
parse_list(struct parse *p, const struct scan_section *sec, const char *name)
{
	const struct scan_option *o = parse_find(sec, name);
	char **list;
	size_t i;

	if (o == NULL)
		return NULL;
	if ((list = calloc(o->n + 1, sizeof(*list))) == NULL)
		goto fail;
	for (i = 0; i < o->n; i++)
		if ((list[i] = strdup(o->value[i])) == NULL)
			goto fail;
	return list;
fail:
	parse_list_free(list);
	parse_error(p, sec, name, "out of memory");
	return NULL;
}
