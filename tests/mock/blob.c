#include "blob.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *
blob_room(struct blob *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 256;
	char *p;

	while (cap - b->n < more)
		cap *= 2;
	if (cap != b->cap) {
		p = realloc(b->p, cap);
		if (!p) {
			fputs("mock: out of memory\n", stderr);
			exit(70);
		}
		b->p = p;
		b->cap = cap;
	}
	return b->p + b->n;
}

void
blob_put(struct blob *b, const void *p, size_t n)
{
	if (!n)
		return;
	memcpy(blob_room(b, n), p, n);
	b->n += n;
}

void
blob_str(struct blob *b, const char *s)
{
	blob_put(b, s, strlen(s));
}

void
blob_fill(struct blob *b, char c, size_t n)
{
	memset(blob_room(b, n), c, n);
	b->n += n;
}

void
blob_num(struct blob *b, long long v)
{
	char text[24], *p = text + sizeof(text);
	unsigned long long u = v < 0 ? 0 - (unsigned long long)v :
	    (unsigned long long)v;

	/* By hand: every chunk has a number in it, and snprintf was a third
	 * of the mock's time. */
	do
		*--p = (char)('0' + u % 10);
	while (u /= 10);
	if (v < 0)
		*--p = '-';
	blob_put(b, p, (size_t)(text + sizeof(text) - p));
}

void
blob_fmt(struct blob *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	blob_room(b, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

void
blob_json(struct blob *b, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c == '"' || c == '\\') {
			blob_put(b, "\\", 1);
			blob_put(b, p + i, 1);
		} else if (c < 0x20) {
			blob_fmt(b, "\\u%04x", c);
		} else {
			blob_put(b, p + i, 1);
		}
	}
}

void
blob_drop(struct blob *b, size_t n, size_t keep)
{
	b->n -= n;
	if (b->n)
		memmove(b->p, b->p + n, b->n);
	else if (b->cap > keep)
		blob_free(b);
}

void
blob_free(struct blob *b)
{
	free(b->p);
	*b = (struct blob){ 0 };
}
