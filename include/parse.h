/* parse: the options of a configuration with their values: libconfuse undoes
 * the quotes and fills in ${NAME}, and typed getters check what they give.
 *
 * Every error is "file:line: text", appended and counted; a getter that finds
 * one gives its default, so a caller goes on and all errors are told. May
 * block on files while loading. */
#ifndef PARSE_H
#define PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scan.h"

struct buf;

enum parse_title { PARSE_UNTITLED, PARSE_TITLED, PARSE_EITHER };

/* What a section may hold: names of options, NULL last. */
struct parse_spec {
	const char		*section;
	enum parse_title	 title;
	const char *const	*options;
};

struct parse {
	struct scan	 scan;		/* sections, files, errors, nerrors */
	struct buf	*warnings;	/* may be NULL */
};

/* Read the file and check names, titles and duplicates against specs[0..n).
 * 0, or -1 when there were errors; p holds what was understood either way and
 * is to be released. errors and warnings are borrowed until then. */
int	parse_path(struct parse *p, const char *path,
	    const struct parse_spec *specs, size_t n, struct buf *errors,
	    struct buf *warnings);
void	parse_release(struct parse *p);

/* Errors and warnings about an option (its line), or with name NULL, or one
 * that is not there, about its section. */
void	parse_error(struct parse *p, const struct scan_section *sec,
	    const char *name, const char *fmt, ...)
	    __attribute__((format(printf, 4, 5)));
void	parse_warn(struct parse *p, const struct scan_section *sec,
	    const char *name, const char *fmt, ...)
	    __attribute__((format(printf, 4, 5)));

/* The next section of a kind at or after *i, which moves behind it; NULL: no
 * more. One that wants a title and has none, or a second one of its kind and
 * title (both told already), is passed over. */
const struct scan_section *parse_each(const struct parse *p,
	    const char *kind, size_t *i);
size_t	parse_count(const struct parse *p, const char *kind);

/* The option, or NULL when the section does not have it. sec may be NULL in
 * all that follow: nothing is set then. */
const struct scan_option *parse_find(const struct scan_section *sec,
	    const char *name);

/* The value, borrowed from p, or def. A list is an error. */
const char *parse_str(struct parse *p, const struct scan_section *sec,
	    const char *name, const char *def);

/* yes or no (also on/off, true/false). */
bool	parse_bool(struct parse *p, const struct scan_section *sec,
	    const char *name, bool def);

/* Plain digits, lo to hi. */
int64_t	parse_int(struct parse *p, const struct scan_section *sec,
	    const char *name, int64_t lo, int64_t hi, int64_t def);

/* A duration with its unit, lo to hi ms. */
int	parse_ms(struct parse *p, const struct scan_section *sec,
	    const char *name, int lo, int hi, int def);

/* A size such as 8M, lo to hi bytes. */
size_t	parse_size(struct parse *p, const struct scan_section *sec,
	    const char *name, size_t lo, size_t hi, size_t def);

/* The index of the value in words[0..n). */
int	parse_word(struct parse *p, const struct scan_section *sec,
	    const char *name, const char *const *words, int n, int def);

/* Copies of the values, NULL last, the caller's; NULL when the option is not
 * there or, told as an error, memory is out. */
char	**parse_list(struct parse *p, const struct scan_section *sec,
	    const char *name);
void	parse_list_free(char **list);	/* takes NULL */

#endif
