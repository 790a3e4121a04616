/* Answers: what the client gets does not depend on how the upstream's bytes
 * were cut, nor on the short way for events of a known shape; and what goes
 * out as an event stream is one. The first bytes say what is asked for and
 * where to cut. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "json.h"
#include "reply.h"
#include "share.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MAX_EVENT	512	/* small: the bounds have to be hit */
#define MAX_JSON	1024

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* Each event is one line of valid JSON or [DONE], which is the last. What is
 * above the maximum, a mark before the first line included, is as the
 * provider made it, but for the line. */
static void
check_events(const char *p, size_t n, bool done)
{
	const char *end = n > 0 ? p + n : p, *eol;
	bool last = false;
	const char *why;
	size_t at;

	while (p < end) {
		must(!last);
		must(end - p >= 8 && memcmp(p, "data: ", 6) == 0);
		p += 6;
		eol = memchr(p, '\n', (size_t)(end - p));
		must(eol != NULL && eol + 1 < end && eol[1] == '\n');
		last = eol - p == 6 && memcmp(p, "[DONE]", 6) == 0;
		must(last || eol - p + 9 > MAX_EVENT ||
		    json_check(p, (size_t)(eol - p), &at, &why) == 0);
		p = eol + 2;
	}
	must(last == done);
}

struct ask {
	const struct reply_spec	*spec;
	const char		*head;
	const uint8_t		*p;
	size_t			 n;
	const uint8_t		*cuts;
	size_t			 count;
	bool			 slow, clean;
};

static void
run(const struct ask *a, struct reply *r, struct buf *out)
{
	size_t i = 0, c = 0, k;
	char *copy, byte;

	buf_init(out, 1 << 20);
	reply_init(r, a->spec);
	reply_head(r, a->head, strlen(a->head));
	while (i < a->n) {
		k = a->count > 0 ? a->cuts[c++ % a->count] : 0;
		if (k == 0 || k > a->n - i)
			k = a->n - i;
		/* Single bytes share a block: one for each took most of the
		 * time, and the pieces of a->cuts show reads beyond the end. */
		copy = k == 1 ? &byte : malloc(k);
		must(copy != NULL);
		memcpy(copy, a->p + i, k);
		if (a->slow)
			r->shape.head = 0;
		reply_feed(r, copy, k, out);
		if (copy != &byte)
			free(copy);
		i += k;
	}
	must(!(r->failed && r->done));
	must(r->content || r->failed || a->spec->mode != REPLY_TEXT ||
	    out->len == 0);
	reply_end(r, a->clean, out);
	must(r->failed != r->done);
	must(!r->done || (r->content && r->finished));
	must(!r->part || r->failed);
	if (a->spec->mode == REPLY_SSE)
		reply_break(r, out);
	must(!r->part);
	if (a->spec->mode == REPLY_SSE)
		check_events(out->data, out->len, r->done);
}

static void
same(const struct reply *a, const struct buf *x, const struct reply *b,
    const struct buf *y)
{
	must(x->len == y->len);
	must(x->len == 0 || memcmp(x->data, y->data, x->len) == 0);
	must(a->failed == b->failed && a->content == b->content);
	must(!a->failed || (a->fault.code == b->fault.code &&
	    strcmp(a->fault.message, b->fault.message) == 0));
	must(a->prompt == b->prompt && a->completion == b->completion);
	must(a->bytes == b->bytes && a->status == b->status);
	must(a->open == b->open && a->closed == b->closed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const heads[] = {
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	};
	static const uint8_t one = 1;
	struct reply_spec spec = {
		.max_event = MAX_EVENT, .max_json = MAX_JSON
	};
	struct ask a = { .spec = &spec };
	struct buf want, got;
	struct reply r, s;
	uint8_t how;

	if (n < 4)
		return 0;
	how = data[0];
	spec.mode = how % 3 == 0 ? REPLY_SSE : how % 3 == 1 ? REPLY_TEXT :
	    REPLY_JSON;
	spec.want_usage = (how & 0x10) != 0;
	spec.relevo = (how & 0x20) != 0 ? "{\"provider\":\"p\"}" : NULL;
	a.head = heads[spec.mode == REPLY_JSON || (how & 0x40) != 0];
	a.clean = (how & 0x80) == 0;
	a.p = data + 4;
	a.n = n - 4;
	run(&a, &r, &want);
	a.cuts = data + 1;
	a.count = 3;
	run(&a, &s, &got);
	same(&r, &want, &s, &got);
	reply_release(&s);
	buf_release(&got);
	/* Byte by byte costs as much for each as a piece: a fourth of the
	 * inputs. The long way, in one piece, all of them. */
	a.cuts = &one;
	a.count = share(data, n, 4);
	a.slow = true;
	run(&a, &s, &got);
	same(&r, &want, &s, &got);
	reply_release(&s);
	buf_release(&got);
	reply_release(&r);
	buf_release(&want);
	return 0;
}
