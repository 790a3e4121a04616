#include "record.h"

#include <string.h>

#include "buf.h"

#define BEGIN_REQUEST	1
#define PARAMS		4
#define STDIN		5
#define RESPONDER	1
#define HEADER		8

void
record_start(struct record_walk *w, size_t max_body)
{
	memset(w, 0, sizeof(*w));
	w->max_body = max_body;
}

/* Account for one record by its header. */
static enum record_answer
step(struct record_walk *w, const unsigned char *h)
{
	unsigned type = h[1], id = h[2] << 8 | h[3];
	size_t len = (size_t)(h[4] << 8 | h[5]);

	w->drop = false;
	if (h[0] != 1 || id == 0 || (w->stage > 0 && id != w->id))
		return RECORD_BAD;
	switch (w->stage) {
	case 0:
		if (type != BEGIN_REQUEST || len != HEADER)
			return RECORD_BAD;
		w->id = id;
		w->stage = 1;
		return RECORD_MORE;
	case 1:
		w->params += len;
		if (type != PARAMS || w->params > RECORD_PARAMS)
			return RECORD_BAD;
		w->stage += len == 0;
		return RECORD_MORE;
	case 2:
		if (type != STDIN)
			return RECORD_BAD;
		if (len == 0) {
			w->stage = 3;
			return RECORD_WHOLE;
		}
		w->body += len;
		w->too_big |= w->body > w->max_body;
		w->drop = w->too_big;
		return RECORD_MORE;
	default:
		return RECORD_BAD;	/* something after the end */
	}
}

enum record_answer
record_whole(struct record_walk *w, const unsigned char *p, size_t n)
{
	while (n - w->at >= HEADER) {
		const unsigned char *h = p + w->at;
		enum record_answer a = step(w, h);
		size_t size = HEADER + (size_t)(h[4] << 8 | h[5]) + h[6];

		if (a == RECORD_BAD)
			return a;
		if (n - w->at < size)
			return RECORD_MORE;
		if (w->stage == 1 && w->params == 0 && h[1] == BEGIN_REQUEST &&
		    (h[HEADER] << 8 | h[HEADER + 1]) != RESPONDER)
			return RECORD_BAD;
		w->at += size;
		if (a == RECORD_WHOLE)
			return a;
	}
	return RECORD_MORE;
}

enum record_answer
record_collect(struct record_walk *w, const unsigned char *p, size_t n,
    struct buf *in)
{
	w->at += n;
	while (n > 0) {
		size_t k;

		if (w->left > 0) {
			k = n < w->left ? n : w->left;
			if (!w->drop && buf_put(in, p, k) != 0)
				return RECORD_BAD;
			w->left -= k;
			p += k;
			n -= k;
			continue;
		}
		k = HEADER - w->have < n ? HEADER - w->have : n;
		memcpy(w->head + w->have, p, k);
		w->have += k;
		p += k;
		n -= k;
		if (w->have < HEADER)
			break;
		w->have = 0;
		if (step(w, w->head) == RECORD_BAD)
			return RECORD_BAD;
		w->left = (size_t)(w->head[4] << 8 | w->head[5]) + w->head[6];
		if (!w->drop && buf_put(in, w->head, HEADER) != 0)
			return RECORD_BAD;
	}
	if (w->stage >= 1 && in->len >= HEADER + 2 &&
	    ((unsigned char)in->data[HEADER] << 8 |
	    (unsigned char)in->data[HEADER + 1]) != RESPONDER)
		return RECORD_BAD;
	return w->stage == 3 && w->left == 0 ? RECORD_WHOLE : RECORD_MORE;
}
