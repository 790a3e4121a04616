#include "http.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool
span_is(struct span s, const char *text)
{
	return s.n == strlen(text) && !memcmp(s.p, text, s.n);
}

bool
span_ends(struct span s, const char *text)
{
	size_t n = strlen(text);

	return s.n >= n && !memcmp(s.p + s.n - n, text, n);
}

struct span
http_header(const struct request *r, const char *name)
{
	const char *p = r->head.p, *end = p + r->head.n, *nl;
	size_t n = strlen(name);

	while ((nl = memchr(p, '\n', (size_t)(end - p)))) {
		const char *v = p + n + 1, *e = nl;

		if ((size_t)(nl - p) > n && p[n] == ':' &&
		    !strncasecmp(p, name, n)) {
			while (v < e && (*v == ' ' || *v == '\t'))
				v++;
			while (e > v && isspace((unsigned char)e[-1]))
				e--;
			return (struct span){ v, (size_t)(e - v) };
		}
		p = nl + 1;
	}
	return (struct span){ NULL, 0 };
}

static int
read_line(struct request *r)
{
	const char *p = r->head.p, *end = memchr(p, '\r', r->head.n);
	const char *target, *space, *mark;

	target = end ? memchr(p, ' ', (size_t)(end - p)) : NULL;
	if (!target)
		return -1;
	r->method = (struct span){ p, (size_t)(target - p) };
	target++;
	space = memchr(target, ' ', (size_t)(end - target));
	if (!space || end - space != 9 || memcmp(space, " HTTP/1.", 8))
		return -1;
	r->keep = end[-1] == '1';
	mark = memchr(target, '?', (size_t)(space - target));
	r->path = (struct span){ target,
	    (size_t)((mark ? mark : space) - target) };
	r->query = (struct span){ NULL, 0 };
	if (mark)
		r->query = (struct span){ mark + 1,
		    (size_t)(space - mark - 1) };
	return 0;
}

int
http_read(struct request *r, const char *p, size_t n)
{
	const char *blank = n ? memmem(p, n, "\r\n\r\n", 4) : NULL;
	struct span v;
	size_t length = 0, i;

	r->expect = false;
	if (!blank)
		return n > HTTP_HEAD_MAX ? -1 : 0;
	r->head = (struct span){ p, (size_t)(blank + 4 - p) };
	if (r->head.n > HTTP_HEAD_MAX || read_line(r) < 0)
		return -1;
	v = http_header(r, "content-length");
	for (i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9' || length > HTTP_BODY_MAX)
			return -1;
		length = length * 10 + (size_t)(v.p[i] - '0');
	}
	/* What we test always knows its length; a chunked request would be
	 * news, so it is refused loudly. */
	if (length > HTTP_BODY_MAX || http_header(r, "transfer-encoding").p)
		return -1;
	v = http_header(r, "connection");
	if (v.n == 5 && !strncasecmp(v.p, "close", 5))
		r->keep = false;
	r->expect = http_header(r, "expect").p != NULL;
	r->body = (struct span){ r->head.p + r->head.n, length };
	return n - r->head.n >= length;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t
http_decode(char *p, size_t n)
{
	size_t i, k = 0;

	for (i = 0; i < n; i++) {
		if (p[i] == '+') {
			p[k++] = ' ';
		} else if (p[i] == '%' && i + 2 < n && hex(p[i + 1]) >= 0 &&
		    hex(p[i + 2]) >= 0) {
			p[k++] = (char)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
			i += 2;
		} else {
			p[k++] = p[i];
		}
	}
	return k;
}

bool
http_query(const struct request *r, const char *name, char *out, size_t cap)
{
	const char *p = r->query.p, *end = p ? p + r->query.n : NULL;
	size_t n = strlen(name);

	while (p && p < end) {
		const char *amp = memchr(p, '&', (size_t)(end - p));
		const char *stop = amp ? amp : end;

		if ((size_t)(stop - p) > n && p[n] == '=' &&
		    !memcmp(p, name, n)) {
			size_t k = (size_t)(stop - p) - n - 1;

			if (k >= cap)
				k = cap - 1;
			memcpy(out, p + n + 1, k);
			out[http_decode(out, k)] = '\0';
			return true;
		}
		p = stop + 1;
	}
	return false;
}

/* -- The chat body ------------------------------------------------------ */

struct scan {
	const char *p, *end;
};

static void
scan_space(struct scan *s)
{
	while (s->p < s->end && memchr(" \t\r\n", *s->p, 4))
		s->p++;
}

static bool
scan_eat(struct scan *s, char c)
{
	scan_space(s);
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static int
scan_string(struct scan *s, struct span *out)
{
	if (!scan_eat(s, '"'))
		return -1;
	out->p = s->p;
	for (; s->p < s->end; s->p++) {
		if (*s->p == '\\' && s->p + 1 < s->end) {
			s->p++;
		} else if (*s->p == '"') {
			out->n = (size_t)(s->p++ - out->p);
			return 0;
		}
	}
	return -1;
}

/* One value of any kind; nesting is counted, not matched by kind. */
static int
scan_value(struct scan *s, struct span *out)
{
	struct span ignored;
	int depth = 0;

	scan_space(s);
	out->p = s->p;
	while (s->p < s->end) {
		if (*s->p == '"') {
			if (scan_string(s, &ignored) < 0)
				return -1;
		} else if (*s->p == '{' || *s->p == '[') {
			depth++;
			s->p++;
		} else if (*s->p == '}' || *s->p == ']') {
			if (!depth)
				break;
			depth--;
			s->p++;
		} else if (*s->p == ',' && !depth) {
			break;
		} else {
			s->p++;
		}
	}
	out->n = (size_t)(s->p - out->p);
	while (out->n && memchr(" \t\r\n", out->p[out->n - 1], 4))
		out->n--;
	return depth || !out->n ? -1 : 0;
}

/* The next member of an object whose '{' is behind us: 1 one, 0 end, -1. */
static int
scan_member(struct scan *s, bool first, struct span *key, struct span *value)
{
	if (scan_eat(s, '}'))
		return 0;
	if (!first && !scan_eat(s, ','))
		return -1;
	if (scan_string(s, key) < 0 || !scan_eat(s, ':') ||
	    scan_value(s, value) < 0)
		return -1;
	return 1;
}

static void
scan_options(struct chat *c, struct span object)
{
	struct scan s = { object.p, object.p + object.n };
	struct span key, value;
	bool first = true;

	if (!scan_eat(&s, '{'))
		return;
	for (; scan_member(&s, first, &key, &value) == 1; first = false)
		if (span_is(key, "include_usage"))
			c->usage = span_is(value, "true");
}

int
http_chat(struct chat *c, struct span body)
{
	struct scan s = { body.p, body.p + body.n };
	struct span key, value;
	bool first = true;
	int got;

	*c = (struct chat){ 0 };
	if (!scan_eat(&s, '{'))
		return -1;
	while ((got = scan_member(&s, first, &key, &value)) == 1) {
		first = false;
		if (span_is(key, "model") && value.n >= 2 && *value.p == '"')
			c->model = (struct span){ value.p + 1, value.n - 2 };
		else if (span_is(key, "stream"))
			c->stream = span_is(value, "true");
		else if (span_is(key, "stream_options"))
			scan_options(c, value);
	}
	scan_space(&s);
	return got < 0 || s.p != s.end || !c->model.n ? -1 : 0;
}
