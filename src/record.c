#include "record.h"

#include <string.h>
#include <sys/types.h>

#include "buf.h"

#define BEGIN_REQUEST	1
#define END_REQUEST	3
#define PARAMS		4
#define STDIN		5
#define STDOUT		6
#define STDERR		7
#define VALUES_RESULT	10
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
		if (w->sum > RECORD_MOST)
			return -1;
		w->too_long |= w->sum > RECORD_PARAMS;
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
		if (type != PARAMS || w->params > RECORD_MOST)
			return RECORD_BAD;
		w->too_long |= w->params > RECORD_PARAMS;
		if (len == 0 && (w->value || w->more > 0 || w->skip > 0))
			return RECORD_BAD;
		w->stage += len == 0;
		w->drop = w->too_long && len > 0;
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
		w->drop = w->too_big || w->too_long;
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

/* Of parameters that are too long nothing is kept: what is left is the first
 * record, the ends of both streams, and so a request without any. */
static void
forget(struct record_walk *w, struct buf *in)
{
	if (!w->too_long || w->stage != 1)
		return;
	w->drop = true;
	if (in->len > 2 * HEADER)
		in->len = 2 * HEADER;
}

/* Keep bytes of a record whose header was taken, content or padding. */
static int
keep(const struct record_walk *w, bool pad, const unsigned char *p, size_t n,
    struct buf *in, struct buf *body)
{
	if (w->drop)
		return 0;
	if (w->head[1] != STDIN)
		return buf_put(in, p, n);
	return pad ? 0 : buf_put(body, p, n);
}

enum record_answer
record_collect(struct record_walk *w, const unsigned char *p, size_t n,
    struct buf *in, struct buf *body)
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
			forget(w, in);
			if (keep(w, of == &w->pad, p, k, in, body) != 0)
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
		forget(w, in);
		w->left = (size_t)(w->head[4] << 8 | w->head[5]);
		w->pad = w->head[6];
		if (!w->drop && (w->head[1] != STDIN || w->left == 0) &&
		    buf_put(in, w->head, HEADER) != 0)
			return RECORD_BAD;
	}
	if (w->stage >= 1 && in->len >= HEADER + 2 &&
	    ((unsigned char)in->data[HEADER] << 8 |
	    (unsigned char)in->data[HEADER + 1]) != RESPONDER)
		return RECORD_BAD;
	return w->stage == 3 && w->left + w->pad == 0 ?
	    RECORD_WHOLE : RECORD_MORE;
}

static int
put(struct buf *out, unsigned type, unsigned id, const char *p, size_t n)
{
	const unsigned char head[HEADER] = { 1, (unsigned char)type,
	    (unsigned char)(id >> 8), (unsigned char)id,
	    (unsigned char)(n >> 8), (unsigned char)n, 0, 0 };
	size_t at = out->len;

	if (buf_put(out, head, sizeof(head)) == 0 && buf_put(out, p, n) == 0)
		return 0;
	out->len = at;		/* no header without its content */
	return -1;
}

/* Put as much of p[0..n) into the record at `at` of out, its last, as it takes.
 * How much, or -1. */
static ssize_t
extend(struct buf *out, size_t at, const char *p, size_t n)
{
	size_t len = out->len - at - HEADER, k = MOST - len;

	if (k > n)
		k = n;
	if (buf_put(out, p, k) != 0)
		return -1;
	len += k;
	out->data[at + 4] = (char)(len >> 8);
	out->data[at + 5] = (char)len;
	return (ssize_t)k;
}

static int
stream(struct buf *out, size_t *open, unsigned type, unsigned id,
    const char *p, size_t n)
{
	size_t at;

	for (size_t k; n > 0; p += k, n -= k) {
		k = n < MOST ? n : MOST;
		at = out->len;
		if (put(out, type, id, p, k) != 0)
			return -1;
		*open = at;
	}
	return 0;
}

/* What comes in pieces between two flushes is one record: the web server takes
 * each by itself, too. */
int
record_output(struct buf *out, size_t *open, unsigned id, const char *p,
    size_t n)
{
	ssize_t k = 0;

	if (*open != RECORD_NONE && (k = extend(out, *open, p, n)) < 0)
		return -1;
	return stream(out, open, STDOUT, id, p + k, n - (size_t)k);
}

int
record_error(struct buf *out, size_t *open, unsigned id, const char *p,
    size_t n)
{
	size_t none;

	*open = RECORD_NONE;		/* it is not the last any more */
	return stream(out, &none, STDERR, id, p, n);
}

int
record_end(struct buf *out, unsigned id)
{
	static const char complete[HEADER];	/* status 0, complete */

	if (put(out, STDOUT, id, "", 0) != 0)
		return -1;
	return put(out, END_REQUEST, id, complete, sizeof(complete));
}

/* ---- the web server's side ---- */

#define ID		1	/* the one request of a connection */

const unsigned char record_last[RECORD_LAST] = { 1, STDIN, 0, ID };
const unsigned char record_hello[RECORD_HELLO_LEN] = { 1, VALUES_RESULT };

/* Whether a variable is the request's, not the process's: no key that a web
 * server sets for us needs to travel. */
static bool
meta_variable(const char *v)
{
	static const char *const begins[] = { "REQUEST_", "HTTP_",
	    "REDIRECT_HTTP_", "CONTENT_", "QUERY_STRING=", "SCRIPT_NAME=",
	    "PATH_INFO=", "REMOTE_", "SERVER_", "GATEWAY_INTERFACE=" };

	for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++)
		if (strncmp(v, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

static int
put_length(struct buf *out, size_t n)
{
	const unsigned char four[4] = { (unsigned char)(n >> 24 | 0x80),
	    (unsigned char)(n >> 16), (unsigned char)(n >> 8),
	    (unsigned char)n };

	return n < 0x80 ? buf_put(out, four + 3, 1) : buf_put(out, four, 4);
}

static int
put_variables(struct buf *out, char *const *envp)
{
	for (; *envp != NULL; envp++) {
		const char *value = strchr(*envp, '=');
		size_t n;

		if (value == NULL || !meta_variable(*envp))
			continue;
		n = strlen(++value);
		(void)put_length(out, (size_t)(value - 1 - *envp));
		(void)put_length(out, n);
		(void)buf_put(out, *envp, (size_t)(value - 1 - *envp));
		(void)buf_put(out, value, n);
	}
	return out->failed ? -1 : 0;
}

int
record_request(struct buf *out, char *const *envp, const char *body, size_t n)
{
	static const char begin[HEADER] = { 0, RESPONDER };
	struct buf params;
	size_t any;
	int rc = -1;

	buf_init(&params, RECORD_PARAMS);
	if (put_variables(&params, envp) == 0 &&
	    put(out, BEGIN_REQUEST, ID, begin, sizeof(begin)) == 0 &&
	    stream(out, &any, PARAMS, ID, params.data, params.len) == 0 &&
	    put(out, PARAMS, ID, "", 0) == 0)
		rc = stream(out, &any, STDIN, ID, body, n);
	buf_release(&params);
	return rc;
}

/* What a record is by its header. */
static enum record_kind
kind_of(const unsigned char *h)
{
	size_t len = (size_t)(h[4] << 8 | h[5]);

	if (h[0] != 1)
		return RECORD_BROKEN;
	if (h[1] == VALUES_RESULT)
		return len == 0 && h[6] == 0 ? RECORD_HELLO : RECORD_BROKEN;
	if ((h[2] << 8 | h[3]) != ID)
		return RECORD_BROKEN;
	if (h[1] == END_REQUEST)
		return len == HEADER ? RECORD_END : RECORD_BROKEN;
	return h[1] == STDOUT ? RECORD_STDOUT :
	    h[1] == STDERR ? RECORD_STDERR : RECORD_BROKEN;
}

static size_t
reply_head(struct record_reply *r, const unsigned char *p, size_t n,
    struct record_piece *piece)
{
	size_t k = HEADER - r->have < n ? HEADER - r->have : n;

	memcpy(r->head + r->have, p, k);
	r->have += k;
	if (r->have < HEADER)
		return k;
	r->have = 0;
	r->left = (size_t)(r->head[4] << 8 | r->head[5]);
	r->pad = r->head[6];
	switch (kind_of(r->head)) {
	case RECORD_HELLO:
		piece->kind = RECORD_HELLO;
		break;
	case RECORD_BROKEN:
		piece->kind = RECORD_BROKEN;
		break;
	default:
		break;			/* with the content that follows */
	}
	return k;
}

size_t
record_reply(struct record_reply *r, const unsigned char *p, size_t n,
    struct record_piece *piece)
{
	enum record_kind kind;
	size_t k;

	*piece = (struct record_piece){ RECORD_NOTHING, p, 0 };
	if (r->left == 0 && r->pad == 0)
		return reply_head(r, p, n, piece);
	if (r->left == 0) {
		k = n < r->pad ? n : r->pad;
		r->pad -= k;
		return k;
	}
	kind = kind_of(r->head);
	k = n < r->left ? n : r->left;
	r->left -= k;
	if (kind != RECORD_END)
		*piece = (struct record_piece){ kind, p, k };
	else if (r->left == 0)
		piece->kind = RECORD_END;
	return k;
}
