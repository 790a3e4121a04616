#include "record.h"

#include <string.h>

#include "buf.h"

#define BEGIN_REQUEST	1
#define END_REQUEST	3
#define PARAMS		4
#define STDIN		5
#define STDOUT		6
#define RESPONDER	1
#define HEADER		8
#define MOST		65528		/* content of a record: 8 * 8191 */

void
record_start(struct record_walk *w, size_t max_body)
{
	memset(w, 0, sizeof(*w));
	w->max_body = max_body;
}

/* Bytes of parameters: lengths of one or four bytes, then the pair itself. */
static int
pairs(struct record_walk *w, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		if (w->skip > 0) {
			size_t k = n - i < w->skip ? n - i : w->skip;

			w->skip -= k;
			i += k;
			continue;
		}
		if (w->more == 0 && p[i] & 0x80) {
			w->length = p[i++] & 0x7f;
			w->more = 3;
			continue;
		}
		w->length = w->more > 0 ? w->length << 8 | p[i] : p[i];
		i++;
		if (w->more > 0 && --w->more > 0)
			continue;
		w->sum += w->length;
		if (w->sum > RECORD_PARAMS)
			return -1;
		if (w->value) {
			w->skip = w->sum;
			w->sum = 0;
		}
		w->value = !w->value;
	}
	return 0;
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
	/* libfcgi forgets padding where one stream ends and the next begins,
	 * reads on out of step and waits for ever (SetReaderType, 2.4.2). */
	if (h[6] != 0 && (len == 0 || type == BEGIN_REQUEST))
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
		if (len == 0 && (w->value || w->more > 0 || w->skip > 0))
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
		if (h[1] == PARAMS && pairs(w, h + HEADER,
		    (size_t)(h[4] << 8 | h[5])) != 0)
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

		if (w->left + w->pad > 0) {
			size_t *of = w->left > 0 ? &w->left : &w->pad;

			k = n < *of ? n : *of;
			if (of == &w->left && w->head[1] == PARAMS &&
			    pairs(w, p, k) != 0)
				return RECORD_BAD;
			if (!w->drop && buf_put(in, p, k) != 0)
				return RECORD_BAD;
			*of -= k;
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
		w->left = (size_t)(w->head[4] << 8 | w->head[5]);
		w->pad = w->head[6];
		if (!w->drop && buf_put(in, w->head, HEADER) != 0)
			return RECORD_BAD;
	}
	if (w->stage >= 1 && in->len >= HEADER + 2 &&
	    ((unsigned char)in->data[HEADER] << 8 |
	    (unsigned char)in->data[HEADER + 1]) != RESPONDER)
		return RECORD_BAD;
	return w->stage == 3 && w->left + w->pad == 0 ? RECORD_WHOLE : RECORD_MORE;
}

static int
put(struct buf *out, unsigned type, unsigned id, const char *p, size_t n)
{
	const unsigned char head[HEADER] = { 1, (unsigned char)type,
	    (unsigned char)(id >> 8), (unsigned char)id,
	    (unsigned char)(n >> 8), (unsigned char)n, 0, 0 };

	if (buf_put(out, head, sizeof(head)) != 0)
		return -1;
	return buf_put(out, p, n);
}

int
record_output(struct buf *out, unsigned id, const char *p, size_t n)
{
	for (size_t k; n > 0; p += k, n -= k) {
		k = n < MOST ? n : MOST;
		if (put(out, STDOUT, id, p, k) != 0)
			return -1;
	}
	return 0;
}

int
record_end(struct buf *out, unsigned id)
{
	static const char complete[HEADER];	/* status 0, complete */

	if (put(out, STDOUT, id, "", 0) != 0)
		return -1;
	return put(out, END_REQUEST, id, complete, sizeof(complete));
}
