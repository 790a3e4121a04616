/* buf: growing bytes with a maximum that is fixed at birth.
 *
 * A buf is plain data: copy the pointer, not the struct. No function blocks.
 * Failure is sticky: after the first put that did not fit (maximum reached,
 * or no memory) `failed` stays set and every later put fails, so a run of
 * puts is checked once at its end. `starved` then tells which it was. */
#ifndef BUF_H
#define BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	char	*data;		/* not NUL-terminated; NULL while cap is 0 */
	size_t	 len;
	size_t	 cap;
	size_t	 max;		/* len never passes it */
	bool	 failed;
	bool	 starved;	/* for want of memory, not of room */
};

/* Make b empty, able to grow to max bytes. Allocates nothing. */
void	buf_init(struct buf *b, size_t max);

/* Free what b holds and make it empty again with the same maximum. */
void	buf_release(struct buf *b);

/* Forget the content and the failure, keep the memory. */
void	buf_clear(struct buf *b);

/* Make room for n more bytes in one allocation, for a length known before.
 * 0, or -1 and b->failed. */
int	buf_reserve(struct buf *b, size_t n);

/* As buf_reserve, but more than is asked for, so that many puts of a few bytes
 * cost few allocations. */
int	buf_more(struct buf *b, size_t n);

/* Append. 0, or -1 with b->failed set and the content unchanged. Most puts are
 * of a few bytes, a constant, and fit: inlined, such a one is a store. */
static inline int
buf_put(struct buf *b, const void *p, size_t n)
{
	if ((b->failed || n > b->max - b->len || n >= b->cap - b->len) &&
	    buf_more(b, n) < 0)
		return -1;
	if (n > 0)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	return 0;
}
int	buf_puts(struct buf *b, const char *s);
int	buf_int(struct buf *b, int64_t v);	/* in decimal */
int	buf_printf(struct buf *b, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

/* Remove the first n bytes; n <= b->len. */
void	buf_drop(struct buf *b, size_t n);

/* The content as a C string, valid until the next call on b; "" when memory
 * for the terminator cannot be had. */
const char *buf_str(struct buf *b);

#endif
