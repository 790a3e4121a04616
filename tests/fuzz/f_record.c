/* FastCGI records: collected in any two pieces, a request is judged as it is
 * in one, and what was kept of it is a request without input, and that. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/record.c"

int	LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct record_walk one, two, again;
	enum record_answer a, b;
	struct buf x, y, body, other;
	size_t cut = n > 0 ? p[0] % n : 0;

	buf_init(&x, 1 << 20);
	buf_init(&y, 1 << 20);
	buf_init(&body, 1 << 20);
	buf_init(&other, 1 << 20);
	record_start(&one, 4096);
	record_start(&two, 4096);
	a = record_collect(&one, p, n, &x, &body);
	b = record_collect(&two, p, cut, &y, &other);
	if (b == RECORD_MORE)
		b = record_collect(&two, p + cut, n - cut, &y, &other);
	/* The first piece may already be a whole request, or bad. */
	if (a == RECORD_WHOLE && b == RECORD_WHOLE && one.body == two.body) {
		if (x.len != y.len || memcmp(x.data, y.data, x.len) != 0)
			abort();
		if (body.len != other.len || (body.len > 0 &&
		    memcmp(body.data, other.data, body.len) != 0) ||
		    (!one.too_big && !one.too_long && body.len != one.body))
			abort();
		record_start(&again, 4096);
		if (record_whole(&again, (unsigned char *)x.data, x.len) !=
		    RECORD_WHOLE || again.body != 0)
			abort();
	}
	buf_release(&x);
	buf_release(&y);
	buf_release(&body);
	buf_release(&other);
	return 0;
}
