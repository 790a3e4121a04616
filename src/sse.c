#include "sse.h"

#include <string.h>

#include "text.h"

/* One sse_feed: where it is, and the data line that it has not copied. */
struct feed {
	struct sse	*s;
	sse_fn		*fn;
	void		*arg;
	const char	*data;		/* NULL: the data is in s->data */
	size_t		 len;
};

#define SSE_FIELD	16	/* bytes that tell a data line from others */

void
sse_init(struct sse *s, size_t max, bool parts)
{
	*s = (struct sse){ .parts = parts };
	buf_init(&s->line, max);
	buf_init(&s->data, max);
}

void
sse_release(struct sse *s)
{
	buf_release(&s->line);
	buf_release(&s->data);
}

void
sse_runs(struct sse *s, size_t (*run)(void *, const char *, size_t))
{
	s->run = run;
}

/* The empty line: tell the event, if it has data. */
static int
dispatch(struct feed *f)
{
	struct sse *s = f->s;
	struct sse_event ev;
	int result = 0;

	if (s->has_data) {
		ev.part = s->open ? SSE_END : SSE_WHOLE;
		ev.event = s->event;
		ev.data = f->data != NULL ? f->data : buf_str(&s->data);
		ev.len = f->data != NULL ? f->len : s->data.len;
		result = f->fn(f->arg, &ev);
	}
	s->has_data = s->open = false;
	s->event[0] = '\0';
	buf_clear(&s->data);
	f->data = NULL;
	return result;
}

static int
tell(struct feed *f, const char *p, size_t n)
{
	struct sse_event ev = { f->s->event, p, n, SSE_PART };

	return n > 0 ? f->fn(f->arg, &ev) : 0;
}

/* A data line of an event that is told in parts begins. If it was not so
 * until now, the lines before it are told first, and their memory goes. */
static int
tell_on(struct feed *f)
{
	struct sse *s = f->s;
	bool second = s->has_data;
	int result = 0;

	if (!s->open && second)
		result = f->data != NULL ? tell(f, f->data, f->len) :
		    tell(f, buf_str(&s->data), s->data.len);
	s->open = s->has_data = true;
	f->data = NULL;
	buf_release(&s->data);
	return result == 0 && second ? tell(f, "\n", 1) : result;
}

/* Copy the data line that was only pointed at. 0 or -1. */
static int
keep(struct feed *f)
{
	int result = 0;

	if (f->data != NULL)
		result = buf_put(&f->s->data, f->data, f->len);
	f->data = NULL;
	return result;
}

/* A data field. The first of an event is pointed at; with the second they
 * have to be joined, and so copied. */
static int
data(struct feed *f, const char *p, size_t n)
{
	struct sse *s = f->s;
	size_t had = f->data != NULL ? f->len : s->data.len;
	int result;

	if (s->open || (s->parts && s->has_data &&
	    n >= s->data.max - had)) {
		result = tell_on(f);
		return result != 0 ? result : tell(f, p, n);
	}
	if (!s->has_data) {
		s->has_data = true;
		f->data = p;
		f->len = n;
		return 0;
	}
	if (keep(f) < 0 || buf_put(&s->data, "\n", 1) < 0)
		return -1;
	return buf_put(&s->data, p, n);
}

/* A line that is not empty: "name:value", "name: value" or "name". id and
 * retry serve a reconnection, which a POST cannot make. */
static int
field(struct feed *f, const char *p, size_t n)
{
	const char *colon = memchr(p, ':', n);
	size_t name = colon != NULL ? (size_t)(colon - p) : n;
	const char *value = colon != NULL ? colon + 1 : p + n;
	size_t len = (size_t)(p + n - value);

	if (len > 0 && *value == ' ') {
		value++;
		len--;
	}
	if (text_is(p, name, "data"))
		return data(f, value, len);
	if (text_is(p, name, "event")) {
		if (len >= sizeof(f->s->event))
			len = sizeof(f->s->event) - 1;
		memcpy(f->s->event, value, len);
		f->s->event[len] = '\0';
	}
	return 0;
}

static int
refuse(struct sse *s)
{
	s->too_big = true;
	return -1;
}

/* Go past the mark that may stand before the first line. */
static void
past_bom(struct sse *s, const char **p, size_t *n)
{
	if (!s->started && *n >= 3 && memcmp(*p, "\xef\xbb\xbf", 3) == 0) {
		*p += 3;
		*n -= 3;
	}
	s->started = true;
}

/* A line above the maximum, as far as it came, at least SSE_FIELD bytes. */
static int
large(struct feed *f, const char *p, size_t n)
{
	struct sse *s = f->s;
	size_t skip;
	int result;

	if (!s->parts)
		return refuse(s);
	past_bom(s, &p, &n);
	s->rest = SSE_DROP;
	if (n < 6 || memcmp(p, "data:", 5) != 0)
		return 0;
	s->rest = SSE_TELL;
	result = tell_on(f);
	skip = 5 + (p[5] == ' ');
	return result != 0 ? result : tell(f, p + skip, n - skip);
}

/* A whole line without its end. 0, -1 with s->too_big, or what fn said. */
static int
whole(struct feed *f, const char *p, size_t n)
{
	struct sse *s = f->s;
	int result;

	/* What holds for a line in pieces holds for one that came whole: the
	 * events do not depend on the chunking. */
	if (n > s->line.max) {
		result = large(f, p, n);
		s->rest = SSE_NEW;
		return result;
	}
	past_bom(s, &p, &n);
	if (n == 0)
		return dispatch(f);
	result = field(f, p, n);
	return result < 0 ? refuse(s) : result;
}

/* More of a line that is not at its end. */
static int
more(struct feed *f, const char *p, size_t n)
{
	struct sse *s = f->s;
	size_t k = 0;
	int result;

	if (s->rest != SSE_NEW)
		return s->rest == SSE_TELL ? tell(f, p, n) : 0;
	if (n <= s->line.max - s->line.len)
		return buf_put(&s->line, p, n) == 0 ? 0 : refuse(s);
	if (s->line.len == 0)
		return large(f, p, n);
	/* Its beginning in one piece, to see what it is. */
	if (s->line.len < SSE_FIELD)
		k = SSE_FIELD - s->line.len;
	if (buf_put(&s->line, p, k) < 0)
		return refuse(s);
	result = large(f, s->line.data, s->line.len);
	buf_release(&s->line);
	return result != 0 || s->rest != SSE_TELL ? result :
	    tell(f, p + k, n - k);
}

/* The end of the line that begins at p, or NULL when it has none yet. lf is
 * the first LF from p on, or NULL: it is searched once, not anew for each
 * line of a stream that has only CR. */
static const char *
end_of_line(const char *p, const char *end, const char *lf)
{
	const char *to = lf != NULL ? lf : end;
	const char *cr = memchr(p, '\r', (size_t)(to - p));

	return cr != NULL ? cr : lf;
}

static const char *
next_lf(const char *p, const char *end)
{
	return p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
}

/* End the line that lies in s->line and goes on in p[0..n). */
static int
joined(struct feed *f, const char *p, size_t n)
{
	struct sse *s = f->s;
	int result;

	if (s->line.len == 0 && s->rest == SSE_NEW)
		return whole(f, p, n);
	result = more(f, p, n);
	if (result != 0 || s->rest != SSE_NEW) {
		s->rest = SSE_NEW;
		return result;
	}
	n = s->line.len;
	/* Only the length goes: f->data may point into the bytes, until the
	 * end of this feed, and nothing is put there before. */
	buf_clear(&s->line);
	return whole(f, s->line.data, n);
}

/* Whether an event begins here: nothing of one was seen. */
static bool
fresh(const struct sse *s)
{
	return s->started && !s->has_data && s->event[0] == '\0' &&
	    s->line.len == 0 && s->rest == SSE_NEW;
}

int
sse_feed(struct sse *s, const char *p, size_t n, sse_fn *fn, void *arg)
{
	struct feed f = { .s = s, .fn = fn, .arg = arg };
	const char *end = p + n, *lf, *eol;
	int result;

	if (s->too_big)
		return -1;
	if (n == 0)
		return 0;
	if (s->after_cr && *p == '\n')
		p++;
	s->after_cr = false;
	lf = next_lf(p, end);
	while (p < end) {
		if (s->run != NULL && fresh(s)) {
			p += s->run(arg, p, (size_t)(end - p));
			if (p == end)
				break;
			if (lf != NULL && lf < p)
				lf = next_lf(p, end);
		}
		eol = end_of_line(p, end, lf);
		if (eol == NULL)
			break;
		result = joined(&f, p, (size_t)(eol - p));
		if (result != 0)
			return result;
		p = eol + 1;
		if (*eol == '\r') {
			s->after_cr = p == end;
			if (p < end && *p == '\n')
				p++;
		}
		if (lf != NULL && lf < p)
			lf = next_lf(p, end);
	}
	return keep(&f) == 0 ? more(&f, p, (size_t)(end - p)) : refuse(s);
}

bool
sse_starved(const struct sse *s)
{
	return s->line.starved || s->data.starved;
}

bool
sse_pending(const struct sse *s)
{
	return s->has_data || (s->line.len > 0 && s->line.data[0] != ':');
}
