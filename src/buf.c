#include "buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST	64	/* the smallest allocation of a growing buf */

void
buf_init(struct buf *b, size_t max)
{
	/* One byte is kept for the NUL of buf_str, so max + 1 must exist. */
	if (max > PTRDIFF_MAX - 1)
		max = PTRDIFF_MAX - 1;
	*b = (struct buf){ .max = max };
}

void
buf_release(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = b->starved = false;
}

/* Make cap larger than len + n: the byte over is the NUL of buf_str, which
 * therefore never allocates. cap is taken exactly; or doubled, or if that is
 * not enough an eighth more, for after a large piece mostly a little follows.
 * It never passes what max can use. */
static int
grow(struct buf *b, size_t n, bool exact)
{
	size_t need, cap;
	char *p;

	if (b->failed || n > b->max - b->len)
		goto fail;
	need = b->len + n + 1;
	if (need <= b->cap)
		return 0;
	cap = need;
	if (!exact) {
		if (cap < BUF_FIRST)
			cap = BUF_FIRST;
		if (cap < b->cap || cap - b->cap < b->cap)
			cap = b->cap <= b->max / 2 ? b->cap * 2 : b->max + 1;
		else if (b->cap > 0 && cap <= b->max - cap / 8)
			cap += cap / 8;
		if (cap > b->max + 1)
			cap = b->max + 1;
	}
	p = realloc(b->data, cap);
	if (p == NULL) {
		b->starved = true;
		goto fail;
	}
	b->data = p;
	b->cap = cap;
	return 0;
fail:
	b->failed = true;
	return -1;
}

int
buf_reserve(struct buf *b, size_t n)
{
	return grow(b, n, true);
}

int
buf_more(struct buf *b, size_t n)
{
	return grow(b, n, false);
}

int
buf_puts(struct buf *b, const char *s)
{
	return buf_put(b, s, strlen(s));
}

int
buf_int(struct buf *b, int64_t v)
{
	uint64_t left = v < 0 ? -(uint64_t)v : (uint64_t)v;
	char s[20];			/* 2^63 has 19 digits */
	size_t i = sizeof(s);

	do
		s[--i] = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (v < 0)
		s[--i] = '-';
	return buf_put(b, s + i, sizeof(s) - i);
}

int
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	bool fits;
	int n;

	if (grow(b, 0, false) < 0)
		return -1;
	va_start(ap, fmt);
	n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return -1;
	}
	fits = (size_t)n < b->cap - b->len;
	if (grow(b, (size_t)n, false) < 0)
		return -1;
	if (!fits) {
		va_start(ap, fmt);
		vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
	return 0;
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n > 0 && n < b->len)
		memmove(b->data, b->data + n, b->len - n);
	b->len = n < b->len ? b->len - n : 0;
}

const char *
buf_str(struct buf *b)
{
	if (b->cap == 0)
		return "";
	b->data[b->len] = '\0';
	return b->data;
}
