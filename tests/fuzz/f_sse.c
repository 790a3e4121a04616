/* Event streams: any cut of the bytes gives the events of the whole, and the
 * same refusal, or the same bytes in parts. The first bytes say where to
 * cut. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "share.h"
#include "sse.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MAX_EVENT	64	/* small: the bound has to be hit */

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static int
hear(void *arg, const struct sse_event *ev)
{
	struct buf *b = arg;
	uint32_t len = (uint32_t)ev->len;

	if (ev->part == SSE_PART) {
		must(ev->len > 0);
		buf_put(b, ev->data, ev->len);
		return 0;
	}
	must(ev->len <= MAX_EVENT && (ev->part == SSE_WHOLE || ev->len == 0));
	buf_put(b, ev->part == SSE_END ? "." : "!", 1);
	must(strlen(ev->event) < sizeof(((struct sse *)0)->event));
	buf_put(b, ev->event, strlen(ev->event) + 1);
	buf_put(b, &len, sizeof(len));
	buf_put(b, ev->data, ev->len);
	return 0;
}

/* Feed p[0..n) in pieces of the lengths in cuts (0: all that is left), over
 * and over. Each piece is its own block, gone after the feed. */
static int
run(const uint8_t *p, size_t n, const uint8_t *cuts, size_t count,
    bool parts, struct buf *out, bool *pending)
{
	size_t i = 0, c = 0, k;
	int result = 0;
	struct sse s;
	char *copy, byte;

	sse_init(&s, MAX_EVENT, parts);
	while (i < n && result == 0) {
		k = count > 0 ? cuts[c++ % count] : 0;
		if (k == 0 || k > n - i)
			k = n - i;
		/* Single bytes share a block: one for each took most of the
		 * time. */
		copy = k == 1 ? &byte : malloc(k);
		must(copy != NULL);
		memcpy(copy, p + i, k);
		result = sse_feed(&s, copy, k, hear, out);
		if (copy != &byte)
			free(copy);
		i += k;
	}
	must(s.too_big == (result != 0));
	must(result == 0 || !parts);
	*pending = sse_pending(&s);
	sse_release(&s);
	return result;
}

/* Byte by byte costs as much for each as a piece: a fourth of the inputs. */
static void
check(const uint8_t *data, size_t n, size_t count, bool parts)
{
	static const uint8_t one = 1;
	bool single = share(data, n, 4);
	struct buf want, got;
	bool pending, same;
	int result;

	buf_init(&want, 100 * n);
	buf_init(&got, 100 * n);
	result = run(data + count, n - count, NULL, 0, parts, &want, &pending);
	must(run(data + count, n - count, data, count, parts, &got, &same) ==
	    result);
	must(want.len == got.len && (want.len == 0 ||
	    memcmp(want.data, got.data, want.len) == 0));
	must(result != 0 || same == pending);
	buf_clear(&got);
	if (single) {
		must(run(data + count, n - count, &one, 1, parts, &got,
		    &same) == result);
		must(want.len == got.len && (want.len == 0 ||
		    memcmp(want.data, got.data, want.len) == 0));
		must(result != 0 || same == pending);
	}
	buf_release(&want);
	buf_release(&got);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t count;

	if (n == 0)
		return 0;
	count = data[0] % 8 < n - 1 ? data[0] % 8 : n - 1;
	check(data + 1, n - 1, count, false);
	check(data + 1, n - 1, count, true);
	return 0;
}
