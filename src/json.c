#include "json.h"

#include <inttypes.h>
#include <string.h>

#include "buf.h"
#include "text.h"

/* What the scan waits for. */
enum state {
	WANT_VALUE,		/* at the start, after ',' in an array */
	WANT_KEY,		/* after ',' in an object */
	WANT_FIRST_KEY,		/* after '{': or its '}' */
	WANT_FIRST_VALUE,	/* after '[': or its ']' */
	WANT_COLON,		/* after a key: then the value */
	WANT_NEXT,		/* after a value: ',' or the close */
	WANT_NOTHING,		/* the one value is over */
	FAILED
};

void
json_begin(struct json *j, const char *p, size_t n)
{
	*j = (struct json){ .p = p, .n = n, .state = WANT_VALUE };
}

static enum json_token
bad(struct json *j, size_t at, const char *why)
{
	j->at = at;
	j->why = why;
	j->state = FAILED;
	return JSON_BAD;
}

/* The next byte that is no white space, not taken; -1 at the end. */
static int
peek(struct json *j)
{
	char c;

	for (; j->at < j->n; j->at++) {
		c = j->p[j->at];
		if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
			return (unsigned char)c;
	}
	return -1;
}

/* ---- strings ---- */

/* The code unit of the four hex digits at p, or -1. */
static long
unit(const char *p, size_t n)
{
	long v = 0;
	size_t i;
	char c;

	if (n < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		c = p[i];
		v *= 16;
		if (c >= '0' && c <= '9')
			v += c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v += (c | 0x20) - 'a' + 10;
		else
			return -1;
	}
	return v;
}

/* Encode a code point in UTF-8. Its length. */
static size_t
encode(long v, char *out)
{
	size_t len = v < 0x80 ? 1 : v < 0x800 ? 2 : v < 0x10000 ? 3 : 4, i;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (i = len; i-- > 1; v >>= 6)
		out[i] = (char)(0x80 | (v & 0x3f));
	out[0] = (char)(lead[len] | v);
	return len;
}

/* What a one-letter escape means; 0 for a letter that is none. */
static const char meaning[256] = {
	['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b',
	['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'
};

/* The escape at p, its backslash first: what it means goes to out (4 bytes)
 * and *len. How long it is, or 0 when it is none. RFC 8259 8.2 lets a
 * lone surrogate stand; nothing that is UTF-8 can say it, so it is refused. */
static size_t
escape(const char *p, size_t n, char *out, size_t *len)
{
	long v, low;

	if (n < 2)
		return 0;
	out[0] = meaning[(unsigned char)p[1]];
	if (out[0] != 0) {
		*len = 1;
		return 2;
	}
	v = p[1] == 'u' ? unit(p + 2, n - 2) : -1;
	if (v < 0 || (v >= 0xdc00 && v <= 0xdfff))
		return 0;
	if (v < 0xd800 || v > 0xdbff) {
		*len = encode(v, out);
		return 6;
	}
	if (n < 8 || p[6] != '\\' || p[7] != 'u')
		return 0;
	low = unit(p + 8, n - 8);
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	*len = encode(0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00), out);
	return 12;
}

/* text_utf8, with most told without a call: two bytes, and three that begin
 * with E1 to EC, need no look at the second's range. */
static size_t
high(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;

	if (n >= 2 && u[0] - 0xc2u < 30 && (u[1] & 0xc0) == 0x80)
		return 2;
	if (n >= 3 && u[0] - 0xe1u < 12 && (u[1] & 0xc0) == 0x80 &&
	    (u[2] & 0xc0) == 0x80)
		return 3;
	return text_utf8(p, n);
}

/* The string at j->at, its quote first. */
static enum json_token
string(struct json *j, enum json_token what)
{
	size_t i = j->at + 1, k, len;
	unsigned char c;
	char out[4];

	j->tok = j->at;
	j->escaped = false;
	for (;;) {
		i = text_plain(j->p, i, j->n);
		if (i == j->n)
			return bad(j, i, "the text ends inside a string");
		c = (unsigned char)j->p[i];
		if (c == '"')
			break;
		if (c == '\\') {
			k = escape(j->p + i, j->n - i, out, &len);
			if (k == 0)
				return bad(j, i, "not a valid escape");
			j->escaped = true;
			i += k;
			continue;
		}
		if (c < 0x20)
			return bad(j, i, "a control byte in a string");
		/* Text that is not English comes in runs: stay here. */
		do {
			k = high(j->p + i, j->n - i);
			if (k == 0)
				return bad(j, i, "not valid UTF-8");
			i += k;
		} while (i < j->n && (unsigned char)j->p[i] >= 0x80);
	}
	j->at = i + 1;
	j->tok_len = j->at - j->tok;
	return what;
}

/* ---- the other values ---- */

/* Past the digits at i. */
static size_t
digits(const struct json *j, size_t i)
{
	while (i < j->n && j->p[i] >= '0' && j->p[i] <= '9')
		i++;
	return i;
}

static enum json_token
number(struct json *j)
{
	size_t i = j->at, start;
	char c;

	j->tok = i;
	if (j->p[i] == '-')
		i++;
	start = i;
	i = digits(j, i);
	if (i == start)
		return bad(j, i, "a number without digits");
	if (j->p[start] == '0' && i - start > 1)
		return bad(j, start, "a number with a leading zero");
	if (i < j->n && j->p[i] == '.') {
		start = i + 1;
		i = digits(j, start);
		if (i == start)
			return bad(j, i, "no digit after the point");
	}
	if (i < j->n && (j->p[i] | 0x20) == 'e') {
		c = ++i < j->n ? j->p[i] : '\0';
		start = c == '+' || c == '-' ? i + 1 : i;
		i = digits(j, start);
		if (i == start)
			return bad(j, i, "no digit in the exponent");
	}
	j->at = i;
	j->tok_len = i - j->tok;
	return JSON_NUMBER;
}

static enum json_token
word(struct json *j, const char *w, enum json_token what)
{
	size_t len = strlen(w);

	if (j->n - j->at < len || memcmp(j->p + j->at, w, len) != 0)
		return bad(j, j->at, "not a value");
	j->tok = j->at;
	j->tok_len = len;
	j->at += len;
	return what;
}

static bool
in_object(const struct json *j)
{
	unsigned d = j->depth - 1;

	return (j->kind[d / 8] >> d % 8 & 1) != 0;
}

static enum json_token
bracket(struct json *j, bool object)
{
	unsigned d = j->depth;
	unsigned char bit = (unsigned char)(1u << d % 8);

	if (d == JSON_DEPTH)
		return bad(j, j->at, "nested too deep");
	if (object)
		j->kind[d / 8] |= bit;
	else
		j->kind[d / 8] &= (unsigned char)~bit;
	j->depth++;
	j->tok = j->at++;
	j->tok_len = 1;
	j->state = object ? WANT_FIRST_KEY : WANT_FIRST_VALUE;
	return object ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_token
closing(struct json *j)
{
	j->depth--;
	j->tok = j->at++;
	j->tok_len = 1;
	j->state = j->depth > 0 ? WANT_NEXT : WANT_NOTHING;
	return JSON_CLOSE;
}

static enum json_token
value(struct json *j, int c)
{
	/* A scalar ends in the same state as a close. */
	j->state = j->depth > 0 ? WANT_NEXT : WANT_NOTHING;
	switch (c) {
	case '{':
	case '[':
		return bracket(j, c == '{');
	case '"':
		return string(j, JSON_STRING);
	case 't':
		return word(j, "true", JSON_TRUE);
	case 'f':
		return word(j, "false", JSON_FALSE);
	case 'n':
		return word(j, "null", JSON_NULL);
	case -1:
		return bad(j, j->at, "the text ends where a value must come");
	case 0xef:
		return bad(j, j->at, "a byte order mark or other byte that "
		    "is no value");
	default:
		if (c == '-' || (c >= '0' && c <= '9'))
			return number(j);
		return bad(j, j->at, "not a value");
	}
}

static enum json_token
key(struct json *j, int c)
{
	if (c != '"')
		return bad(j, j->at, "a member's name must come here");
	j->state = WANT_COLON;
	return string(j, JSON_KEY);
}

enum json_token
json_next(struct json *j)
{
	int c;

	if (j->state == FAILED)
		return JSON_BAD;
	c = peek(j);
	switch ((enum state)j->state) {
	case WANT_KEY:
		return key(j, c);
	case WANT_FIRST_KEY:
		return c == '}' ? closing(j) : key(j, c);
	case WANT_FIRST_VALUE:
		return c == ']' ? closing(j) : value(j, c);
	case WANT_COLON:
		if (c != ':')
			return bad(j, j->at, "a colon must come here");
		j->at++;
		return value(j, peek(j));
	case WANT_NEXT:
		if (c == (in_object(j) ? '}' : ']'))
			return closing(j);
		if (c != ',')
			return bad(j, j->at, "a comma or the closing bracket "
			    "must come here");
		j->at++;
		c = peek(j);
		return in_object(j) ? key(j, c) : value(j, c);
	case WANT_NOTHING:
		if (c >= 0)
			return bad(j, j->at, "bytes after the value");
		return JSON_END;
	default:
		return value(j, c);
	}
}

int
json_skip(struct json *j)
{
	enum json_token t;
	unsigned depth;

	if (j->state == WANT_COLON)
		json_next(j);
	if (j->state != WANT_FIRST_KEY && j->state != WANT_FIRST_VALUE)
		return j->state == FAILED ? -1 : 0;
	depth = j->depth;
	do
		t = json_next(j);
	while (t != JSON_BAD && j->depth >= depth);
	return t == JSON_BAD ? -1 : 0;
}

bool
json_is(const struct json *j, const char *w)
{
	const char *p = j->p + j->tok + 1;
	size_t n = j->tok_len - 2, i, k, len;
	char out[4];

	if (!j->escaped)
		return text_is(p, n, w);
	for (i = 0; i < n; i += k, w += len) {
		k = len = 1;
		out[0] = p[i];
		if (p[i] == '\\')
			k = escape(p + i, n - i, out, &len);
		/* strnlen: \u0000 must not match the end of w. */
		if (k == 0 || strnlen(w, len) < len ||
		    memcmp(w, out, len) != 0)
			return false;
	}
	return *w == '\0';
}

int
json_text(const struct json *j, struct buf *out)
{
	const char *p = j->p + j->tok + 1;
	size_t n = j->tok_len - 2;

	return j->escaped ? json_unescape(p, n, out) : buf_put(out, p, n);
}

int
json_unescape(const char *p, size_t n, struct buf *out)
{
	size_t start = out->len, i = 0, k, len;
	const char *back;
	char c[4];

	while (i < n) {
		back = memchr(p + i, '\\', n - i);
		k = back != NULL ? (size_t)(back - p) - i : n - i;
		if (buf_put(out, p + i, k) < 0)
			goto fail;
		i += k;
		if (i == n)
			break;
		k = escape(p + i, n - i, c, &len);
		if (k == 0 || buf_put(out, c, len) < 0)
			goto fail;
		i += k;
	}
	return out->failed ? -1 : 0;
fail:
	out->len = start;
	return -1;
}

int
json_check(const char *p, size_t n, size_t *at, const char **why)
{
	enum json_token t;
	struct json j;

	json_begin(&j, p, n);
	do
		t = json_next(&j);
	while (t != JSON_END && t != JSON_BAD);
	*at = j.at;
	*why = j.why;
	return t == JSON_END ? 0 : -1;
}

/* ---- writing ---- */

static void
begin(struct json_out *w, const char *name)
{
	if (w->comma)
		buf_put(w->out, ",", 1);
	w->comma = true;
	if (name != NULL) {
		text_quote(w->out, name, strlen(name));
		buf_put(w->out, ":", 1);
	}
}

void
json_open(struct json_out *w, const char *name, char c)
{
	begin(w, name);
	buf_put(w->out, &c, 1);
	w->comma = false;
}

void
json_close(struct json_out *w, char c)
{
	buf_put(w->out, &c, 1);
	w->comma = true;
}

void
json_put(struct json_out *w, const char *name, const char *s)
{
	if (s == NULL) {
		json_put_null(w, name);
		return;
	}
	begin(w, name);
	text_quote(w->out, s, strlen(s));
}

void
json_put_int(struct json_out *w, const char *name, int64_t v)
{
	begin(w, name);
	buf_printf(w->out, "%" PRId64, v);
}

void
json_put_bool(struct json_out *w, const char *name, bool v)
{
	json_put_raw(w, name, v ? "true" : "false", v ? 4 : 5);
}

void
json_put_null(struct json_out *w, const char *name)
{
	json_put_raw(w, name, "null", 4);
}

void
json_put_raw(struct json_out *w, const char *name, const char *p, size_t n)
{
	begin(w, name);
	buf_put(w->out, p, n);
}
