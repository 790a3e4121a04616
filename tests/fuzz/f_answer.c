/* What a lingering responder sends: read in any two pieces it is the same
 * bytes, and none of them is from elsewhere. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/record.c"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Read p[0..n) on; whether to go on. */
static bool
more(struct record_reply *r, const uint8_t *p, size_t n, struct buf *out)
{
	struct record_piece piece;
	size_t k;

	for (; n > 0; p += k, n -= k) {
		k = record_reply(r, p, n, &piece);
		if (k == 0 || k > n || piece.p < p || piece.p + piece.n > p + k)
			abort();
		if (piece.n > 0)
			(void)buf_put(out, piece.p, piece.n);
		if (piece.kind == RECORD_BROKEN || piece.kind == RECORD_END)
			return false;
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct record_reply one = { .have = 0 }, two = { .have = 0 };
	size_t cut = n > 0 ? p[n - 1] % n : 0;
	struct buf x, y;
	bool a, b;

	buf_init(&x, 1 << 20);
	buf_init(&y, 1 << 20);
	a = more(&one, p, n, &x);
	b = more(&two, p, cut, &y) && more(&two, p + cut, n - cut, &y);
	if (a != b || x.len != y.len ||
	    (x.len > 0 && memcmp(x.data, y.data, x.len) != 0))
		abort();
	buf_release(&x);
	buf_release(&y);
	return 0;
}
