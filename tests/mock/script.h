/* script: what an answer is to be, as `key=value,key=value`. README.md lists
 * the keys; the table in script.c is the law. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRIPT_HEADERS	16

/* Where a fault is: after so many chunks, or at one of these. */
#define AT_NEVER	(-1)
#define AT_FINISH	(INT64_MAX - 1)	/* behind the finish_reason */
#define AT_DONE		INT64_MAX	/* behind all of it */

struct script {
	int64_t	 tokens, reasoning, tools, bigline;
	int64_t	 status, precomments, bigheader, headers;
	int64_t	 cut, fin, error, silence, junk, badchunk, hush; /* AT_... */
	int64_t	 split, splitat;
	int64_t	 pace, first, headdelay, splitgap;	/* microseconds */
	int64_t	 json, nofinish, nodone, errorfirst, empty, html, comments;
	int64_t	 crlf, cr, nospace, bom, fields, multiline, nochunk;
	int64_t	 nousage, usagenull, usagefinish, gzip, date;
	int64_t	 close, reset, stale, hangup, role0;
	const char *text, *body, *retry_after, *redirect, *finish, *gate;
	const char *gatehead, *message, *type, *code, *errcode, *rkey, *ctype;
	const char *header[SCRIPT_HEADERS];
	int	 nheader;
	int64_t	 usage_in, usage_out;		/* -1: by count */
	bool	 usage_always;
	char	 wrong[80];			/* why script_read refused */
};

void	script_init(struct script *s);

/* Read text over what s already says. text is changed, and s points into it
 * afterwards. -1: an unknown key or a bad value, named in s->wrong. */
int	script_read(struct script *s, char *text);

/* Where a model's name ends and its script begins: the length of the name.
 * A leading '@' belongs to the name, as in Cloudflare's "@cf/...". */
size_t	script_name(const char *model, size_t n);

#endif
