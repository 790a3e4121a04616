#include "verdict.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "buf.h"
#include "json.h"
#include "text.h"

/* Reading an error body: every provider has its own shape for it. */

/* Members that echo what a user or a model wrote. */
static const char *const echoes[] = { "failed_generation", "flagged_input",
    "input", "prompt", "messages", "content" };

enum key { K_OTHER, K_ERROR, K_ERRORS, K_METADATA, K_MESSAGE, K_MSG, K_CODE,
    K_STATUS, K_PARAM, K_LOC, K_DETAIL, K_TITLE,
    K_DELAY, K_RESET };

static const struct { const char *word; enum key key; } keys[] = {
	{ "error", K_ERROR }, { "errors", K_ERRORS },
	{ "metadata", K_METADATA }, { "message", K_MESSAGE },
	{ "msg", K_MSG }, { "code", K_CODE }, { "status", K_STATUS },
	{ "status_code", K_STATUS }, { "raw_status_code", K_STATUS },
	{ "param", K_PARAM },
	{ "loc", K_LOC }, { "detail", K_DETAIL }, { "title", K_TITLE },
	{ "retrydelay", K_DELAY }, { "x-ratelimit-reset", K_RESET },
};

/* What an open object is: the answer, its error, or something inside. */
enum place { P_OTHER, P_ANSWERS, P_ANSWER, P_ERRORS, P_ERROR };

struct fields {
	char	code[64], message[512];
	int	status;
};

struct reader {
	struct verdict_error *e;
	struct fields	 top, err, rest;
	char		 title[64];
	bool		 answer, error;	/* one was seen: others are lists */
};

static void
put_low(struct verdict_error *e, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && e->text_len + 2 < sizeof(e->text); i++)
		e->text[e->text_len++] = (unsigned char)p[i] < 0x20 ||
		    p[i] == 0x7f ? ' ' : (char)tolower((unsigned char)p[i]);
	e->text[e->text_len] = '\0';
}

/* "name:value\n"; what does not fit is cut, but not the newline: put_low
 * leaves room for it. */
static void
put_line(struct verdict_error *e, const char *name, size_t n, const char *p,
    size_t len)
{
	if (e->text_len + 2 > sizeof(e->text))
		return;
	put_low(e, name, n);
	put_low(e, ":", 1);
	put_low(e, p, len);
	e->text[e->text_len++] = '\n';
	e->text[e->text_len] = '\0';
}

/* Copy once, control bytes as spaces, cut at a character. */
static void
keep(char *out, size_t size, const char *p, size_t n)
{
	size_t i, k;

	if (out[0] != '\0')
		return;
	for (i = 0; i < n && i + 1 < size; i += k) {
		k = text_utf8(p + i, n - i);
		if (k == 0)
			k = 1;
		if (i + k + 1 > size)
			break;
		memcpy(out + i, p + i, k);
		if ((unsigned char)out[i] < 0x20 || out[i] == 0x7f)
			out[i] = ' ';
	}
	out[i] = '\0';
}

static void
keep_status(int *out, const char *p, size_t n)
{
	uint64_t v;

	if (*out == 0 && text_uint(p, n, 599, &v) == 0 && v >= 400)
		*out = (int)v;
}

/* A scalar of the answer or of its error. */
static void
field(struct reader *r, enum place place, enum key key, const char *p,
    size_t n)
{
	struct fields *f = place == P_ERROR ? &r->err : &r->top;

	switch (key) {
	case K_MESSAGE:
		keep(f->message, sizeof(f->message), p, n);
		break;
	case K_CODE:
		keep(f->code, sizeof(f->code), p, n);
		break;
	case K_STATUS:
		keep_status(&f->status, p, n);
		break;
	case K_PARAM:
		keep(r->e->param, sizeof(r->e->param), p, n);
		break;
	case K_ERROR:		/* xAI, Hugging Face: a string */
		keep(r->err.message, sizeof(r->err.message), p, n);
		break;
	case K_DETAIL:
		keep(r->rest.message, sizeof(r->rest.message), p, n);
		break;
	case K_TITLE:
		keep(r->title, sizeof(r->title), p, n);
		break;
	default:
		break;
	}
}

/* A scalar that is meant wherever it stands. */
static void
anywhere(struct reader *r, enum key key, const char *p, size_t n)
{
	struct verdict_error *e = r->e;

	if (key == K_DELAY)
		keep(e->delay, sizeof(e->delay), p, n);
	else if (key == K_RESET)
		keep(e->reset, sizeof(e->reset), p, n);
	else if (key == K_MSG)
		keep(r->rest.message, sizeof(r->rest.message), p, n);
	else if (key == K_LOC && !text_is(p, n, "body"))
		keep(e->param, sizeof(e->param), p, n);
}

/* What the object or array that opens under key inside `in` is. */
static enum place
enter(struct reader *r, enum json_token tok, unsigned depth, enum place in,
    enum key key)
{
	if (tok == JSON_ARRAY)
		return depth == 1 ? P_ANSWERS : in == P_ANSWER &&
		    key == K_ERRORS ? P_ERRORS : P_OTHER;
	if (depth == 1 || (in == P_ANSWERS && !r->answer)) {
		r->answer = true;
		return P_ANSWER;
	}
	if ((in == P_ANSWER && key == K_ERROR) ||
	    (in == P_ERRORS && !r->error)) {
		r->error = true;
		return P_ERROR;
	}
	return P_OTHER;
}

static bool
is_echo(const struct json *j)
{
	size_t i;

	for (i = 0; i < sizeof(echoes) / sizeof(echoes[0]); i++)
		if (json_is(j, echoes[i]))
			return true;
	return false;
}

static enum key
key_of(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (text_isi(p, n, keys[i].word))
			return keys[i].key;
	return K_OTHER;
}

static void walk(struct reader *r, const char *p, size_t n, bool inner);

/* The last string of j without quotes: resolved into scratch if it must be
 * (and can be). */
static const char *
string(const struct json *j, struct buf *scratch, size_t *n)
{
	if (j->escaped) {
		buf_clear(scratch);
		if (json_text(j, scratch) == 0 && scratch->len > 0) {
			*n = scratch->len;
			return scratch->data;
		}
	}
	*n = j->tok_len - 2;
	return j->p + j->tok + 1;
}

/* A text that is JSON itself (OpenRouter's metadata.raw is the answer of the
 * provider behind it) is read as such, so that its echoes are blanked too. */
static void
scalar(struct reader *r, enum place place, enum key key, const char *name,
    size_t name_len, const char *p, size_t n, bool inner)
{
	if (n > 1 && (p[0] == '{' || p[0] == '[')) {
		if (!inner)
			walk(r, p, n, true);
		return;
	}
	put_line(r->e, name, name_len, p, n);
	if (inner)
		return;
	if (place == P_ANSWER || place == P_ERROR)
		field(r, place, key, p, n);
	anywhere(r, key, p, n);
}

struct level {
	enum place	 place;
	enum key	 key;
	size_t		 name, len;	/* of the key, in the text */
};

/* Goes on until the text ends or is broken: a body that was cut still told
 * something before. */
static void
walk(struct reader *r, const char *p, size_t n, bool inner)
{
	struct level at[JSON_DEPTH + 1] = { { P_OTHER, K_OTHER, 0, 0 } }, cur;
	struct buf scratch;
	enum json_token tok;
	struct json j;
	const char *s;
	size_t len;

	buf_init(&scratch, 1 << 16);
	json_begin(&j, p, n);
	cur = at[0];
	while ((tok = json_next(&j)) != JSON_END && tok != JSON_BAD) {
		switch (tok) {
		case JSON_KEY:
			cur.name = j.tok + 1;
			cur.len = j.tok_len - 2;
			cur.key = key_of(p + cur.name, cur.len);
			if (!is_echo(&j))
				break;
			/* that it is there may mean something */
			put_line(r->e, p + cur.name, cur.len, "", 0);
			if (json_skip(&j) < 0)
				goto out;
			break;
		case JSON_OBJECT:
		case JSON_ARRAY:
			cur.place = enter(r, tok, j.depth, cur.place, cur.key);
			at[j.depth] = cur;
			break;
		case JSON_CLOSE:
			cur = at[j.depth];
			break;
		case JSON_NULL:
			break;
		default:
			s = p + j.tok;
			len = j.tok_len;
			if (tok == JSON_STRING)
				s = string(&j, &scratch, &len);
			scalar(r, cur.place, cur.key, p + cur.name, cur.len,
			    s, len, inner);
		}
	}
out:
	buf_release(&scratch);
}

/* One out of what was found: the error before the answer around it. */
static void
settle(struct reader *r, int status)
{
	struct verdict_error *e = r->e;
	const struct fields *from[] = { &r->err, &r->top, &r->rest };
	size_t i;

	for (i = 0; i < 3; i++) {
		keep(e->code, sizeof(e->code), from[i]->code,
		    strlen(from[i]->code));
		keep(e->message, sizeof(e->message), from[i]->message,
		    strlen(from[i]->message));
		if (e->status == 0)
			e->status = from[i]->status;
	}
	keep(e->message, sizeof(e->message), r->title, strlen(r->title));
	for (i = 0; e->code[i] != '\0'; i++)
		e->code[i] = (char)tolower((unsigned char)e->code[i]);
	keep_status(&e->status, e->code, strlen(e->code));
	if (status != 0 && status != 200)
		e->status = status;
}

void
verdict_read(struct verdict_error *e, int status, const char *body, size_t n)
{
	struct reader r = { .e = e };

	memset(e, 0, offsetof(struct verdict_error, text));
	e->text[0] = '\n';
	e->text[1] = '\0';
	e->text_len = 1;
	while (n > 0 && isspace((unsigned char)body[0])) {
		body++;
		n--;
	}
	if (n > 0 && (body[0] == '{' || body[0] == '[')) {
		walk(&r, body, n, false);
	} else if (n > 0) {
		n = n < 300 ? n : 300;
		put_line(e, "body", 4, body, n);
		if (body[0] != '<')
			keep(r.rest.message, sizeof(r.rest.message), body, n);
	}
	settle(&r, status);
}
