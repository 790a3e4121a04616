/* json: a strict scanner (RFC 8259) that gives offsets and copies nothing; a
 * writer; and, for small bodies, a tree by cJSON.
 *
 * The scanner is the gate for every byte from outside. It refuses what lax
 * parsers let through: bytes after the value, raw control bytes, invalid
 * UTF-8, lone surrogate escapes, leading zeros, NaN, a BOM, too much depth.
 * Pure; no function blocks. */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

#define JSON_DEPTH	128	/* nesting that the scanner allows */

enum json_token {
	JSON_END,		/* the whole text was one value */
	JSON_BAD,		/* json->why and json->at say what and where */
	JSON_OBJECT,		/* '{': keys and values until JSON_CLOSE */
	JSON_ARRAY,		/* '[': values until JSON_CLOSE */
	JSON_CLOSE,		/* '}' or ']' */
	JSON_KEY,		/* a member's name; its value comes next */
	JSON_STRING,
	JSON_NUMBER,
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL
};

/* A scan of one text. Members are to be read, not written, outside json.c. */
struct json {
	const char	*p;		/* the text, borrowed */
	size_t		 n;
	size_t		 at;		/* next byte; on JSON_BAD the culprit */
	size_t		 tok;		/* where the last token began ... */
	size_t		 tok_len;	/* ... and its length, with quotes */
	unsigned	 depth;		/* open objects and arrays */
	bool		 escaped;	/* last string held a backslash */
	const char	*why;		/* after JSON_BAD */
	unsigned char	 state;
	unsigned char	 kind[JSON_DEPTH / 8];	/* bit: 1 object, 0 array */
};

/* Begin to scan p[0..n), which must live as long as the scan. */
void	json_begin(struct json *j, const char *p, size_t n);

/* The next token. After JSON_END or JSON_BAD: the same again. */
enum json_token json_next(struct json *j);

/* After JSON_OBJECT or JSON_ARRAY: go on past its JSON_CLOSE; after JSON_KEY:
 * past its value. Anything else: nothing. 0, or -1 on JSON_BAD. */
int	json_skip(struct json *j);

/* Whether the last key or string is exactly word, escapes resolved. */
bool	json_is(const struct json *j, const char *word);

/* Append the last key or string without quotes, escapes resolved. 0 or -1. */
int	json_text(const struct json *j, struct buf *out);

/* Append p[0..n), the inside of a valid JSON string, escapes resolved. */
int	json_unescape(const char *p, size_t n, struct buf *out);

/* Scan all of p[0..n). 0, or -1 with *at and *why (constant text) filled. */
int	json_check(const char *p, size_t n, size_t *at, const char **why);

/* ---- a tree, for small bodies (errors, usage) ---- */

struct json_tree;

/* Gate p[0..n) by the scanner, then parse. The caller frees the result by
 * json_free (which takes NULL). NULL when it is not JSON or memory is out. */
struct json_tree *json_parse(const char *p, size_t n);
void	json_free(struct json_tree *t);

/* The value at a path of member names, "error.metadata.code"; a number is an
 * array's index, "choices.0.delta". NULL when t is NULL or there is none; the
 * result belongs to t. Case matters. */
const struct json_tree *json_at(const struct json_tree *t, const char *path);

enum json_token json_kind(const struct json_tree *t);	/* NULL: JSON_BAD */
const char *json_string(const struct json_tree *t);	/* NULL: none; ends
							 * at a \u0000 */
int	json_number(const struct json_tree *t, double *out);	/* 0 or -1 */
size_t	json_count(const struct json_tree *t);	/* members of an array */

/* The version of the library in use, constant text. */
const char *json_version(void);

/* ---- writing ---- */

/* Writes members in order and puts the commas. name NULL inside an array.
 * Errors stick in out->failed. */
struct json_out {
	struct buf	*out;
	bool		 comma;
};

void	json_open(struct json_out *w, const char *name, char bracket);
void	json_close(struct json_out *w, char bracket);
void	json_put(struct json_out *w, const char *name, const char *s);
			/* s NULL writes null */
void	json_put_int(struct json_out *w, const char *name, int64_t v);
void	json_put_bool(struct json_out *w, const char *name, bool v);
void	json_put_null(struct json_out *w, const char *name);
void	json_put_raw(struct json_out *w, const char *name, const char *p,
	    size_t n);

#endif
