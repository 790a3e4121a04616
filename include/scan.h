/* scan: the block syntax of a configuration file as sections and options, each
 * with the place where it stands.
 *
 *	server { workers = 2 }
 *	model groq/some-id { can = {tools, "json"} }
 *	include("more.conf")
 *
 * This is the gate before libconfuse, which gives the values their meaning
 * but (3.3) stops at the first error, forgets lines, takes the last of two
 * equal options, accepts a section that is never closed, and drops a '*' or
 * a '+' outside quotes. Here all of that is an error with file and line, and
 * what passes holds none of it. May block on files. */
#ifndef SCAN_H
#define SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "file.h"

struct buf;

struct scan_file {
	char	*path;
	struct file_owner owner;
};

struct scan_option {
	char	*name;
	char	**raw;		/* the values as written, quotes and ${} kept */
	char	**value;	/* filled by parse; NULL before */
	size_t	 n;		/* how many; 1 unless it is a list */
	bool	 list;		/* written in braces */
	int	 line;
};

struct scan_section {
	char	*kind;		/* "server" */
	char	*title;		/* NULL: none */
	const struct scan_file *file;
	int	 line;
	struct scan_option *options;
	size_t	 noptions;
	bool	 bad;		/* told why: not to be read */
};

struct scan {
	struct scan_file **files;
	size_t	 nfiles;
	struct scan_section *sections;	/* in the order of the file */
	size_t	 nsections;
	struct buf *errors;	/* "file:line: text" and a newline, each */
	size_t	 nerrors;
};

/* Make s empty; errors is borrowed until scan_release. */
void	scan_init(struct scan *s, struct buf *errors);
void	scan_release(struct scan *s);

/* Add the file and what it includes (relative to the including file, eight
 * deep, 256 files in all). Goes on after an error, as far as that can be done.
 * 0, or -1 when anything was wrong; s then holds what was understood. */
int	scan_path(struct scan *s, const char *path);

/* The same for text that is already here; path names it in errors. */
int	scan_text(struct scan *s, const char *path, const char *p, size_t n);

/* Append one error. */
void	scan_error(struct scan *s, const char *file, int line,
	    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
