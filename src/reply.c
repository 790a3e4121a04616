#include "reply.h"

#include <string.h>

#include "json.h"

#define TEXTS		16	/* contents of one choice in one event */

/* What one event, or one JSON answer, would change, until it is known to be
 * valid as a whole. */
struct pass {
	struct reply	*r;
	const char	*p;		/* its bytes */
	size_t		 n;
	uint64_t	 open, closed;
	int64_t		 bytes;
	bool		 said;		/* a choice has content */
	bool		 again;		/* a choice finished once more */
	bool		 error;		/* finish_reason "error" */
	bool		 part;		/* a choice lacks its message or end */
	bool		 full;		/* more than there is room for */
	bool		 passed;	/* its bytes are out already */
	struct chunk_edits edits;
	size_t		 texts;
	struct chunk_span text[TEXTS];	/* of choice 0 */
};

static size_t	on_run(void *arg, const char *p, size_t n);

void
reply_init(struct reply *r, const struct reply_spec *spec)
{
	bool sse = spec->mode == REPLY_SSE;

	*r = (struct reply){ .spec = *spec, .prompt = -1, .completion = -1 };
	/* Bare text has to be read before it can go on, so what is too large
	 * for it is what is too large for an object. */
	sse_init(&r->sse, sse ? spec->max_event : spec->max_json, sse);
	if (sse)
		sse_runs(&r->sse, on_run);
	skim_init(&r->skim, spec->max_event);
	buf_init(&r->json, spec->max_json);
	buf_init(&r->error, spec->max_json > spec->max_event ?
	    spec->max_json : spec->max_event);
}

void
reply_release(struct reply *r)
{
	sse_release(&r->sse);
	skim_release(&r->skim);
	r->part = false;
	buf_release(&r->json);
	buf_release(&r->error);
}

/* ---- looking at choices ---- */

/* Not by an initializer: the arrays, 1.5 KiB, need no clearing. */
static void
begin(struct pass *ps, struct reply *r, const char *p, size_t n)
{
	ps->r = r;
	ps->p = p;
	ps->n = n;
	ps->open = ps->closed = 0;
	ps->bytes = 0;
	ps->said = ps->again = ps->error = ps->part = ps->full = false;
	ps->passed = false;
	ps->edits.n = 0;
	ps->texts = 0;
}

/* A choice beyond 63 has no bit: it is passed on, and its end not awaited. */
static uint64_t
bit(const struct chunk_choice *ch)
{
	return ch->index < 64 ? (uint64_t)1 << ch->index : 0;
}

static void
look(struct pass *ps, const struct chunk_choice *ch)
{
	uint64_t b = bit(ch);

	ps->open |= b;
	ps->bytes += ch->bytes;
	ps->said = ps->said || ch->said;
	ps->error = ps->error || ch->error;
	if (ch->index == 0 && ch->text.len > 2) {
		if (ps->texts == TEXTS)
			ps->full = true;
		else
			ps->text[ps->texts++] = ch->text;
	}
}

/* A choice of an event, with the rewrites: SDKs break on role "" and on a
 * null delta, and take finish_reason "" for an end (measured 2026-11);
 * OpenRouter says finish_reason twice (recorded, 9 of 9 streams). */
static void
on_choice(void *arg, const struct chunk_choice *ch)
{
	struct pass *ps = arg;
	struct chunk_edits *e = &ps->edits;
	uint64_t b = bit(ch);
	bool again = ch->finished && ((ps->r->closed | ps->closed) & b) != 0;
	int result = 0;

	look(ps, ch);
	ps->said = ps->said || (ch->spent && !again);
	ps->again = ps->again || again;
	if (ch->finished)
		ps->closed |= b;
	if (ch->role.len > 0)
		result = chunk_edit(e, ch->role, "");
	if (ch->null && result == 0)
		result = chunk_edit(e, ch->delta, "{}");
	if ((ch->blank || again) && result == 0)
		result = chunk_edit(e, ch->finish, "null");
	ps->full = ps->full || result < 0;
}

/* ---- writing ---- */

/* All of what was appended since `start`, or nothing. */
static void
whole(struct reply *r, struct buf *out, size_t start)
{
	if (!out->failed)
		return;
	out->len = start;
	reply_give_up(r, FAULT_INTERNAL, "The answer outgrew its buffer.");
}

/* The event or the answer, edited; the first one with the member "relevo". */
static void
put_told(struct pass *ps, size_t brace, struct buf *out)
{
	struct reply *r = ps->r;

	chunk_put(ps->p, ps->n, &ps->edits, brace,
	    r->told ? NULL : r->spec.relevo, out);
	r->told = true;
}

static void
put_event(struct pass *ps, size_t brace, struct buf *out)
{
	size_t start = out->len, from;

	buf_puts(out, "data: ");
	from = out->len;
	put_told(ps, brace, out);
	chunk_one_line(out, from);
	buf_puts(out, "\n\n");
	whole(ps->r, out, start);
}

static void
put_texts(struct pass *ps, struct buf *out)
{
	size_t start = out->len, i;

	for (i = 0; i < ps->texts; i++)
		(void)chunk_text(ps->p, ps->text[i], out);
	if (out->len > start)
		ps->r->content = true;
	whole(ps->r, out, start);
}

/* ---- events ---- */

struct feed {
	struct reply	*r;
	struct buf	*out;
};

/* Every choice that began has finished. */
static bool
closed(const struct reply *r)
{
	return r->open != 0 && (r->open & ~r->closed) == 0;
}

/* The stream is over, by [DONE] or because the connection is. */
static void
complete(struct reply *r, struct buf *out)
{
	size_t start = out->len;

	if (!r->content) {
		reply_empty(r);
		return;
	}
	if (!r->finished) {
		reply_cut(r);
		return;
	}
	if (r->spec.mode == REPLY_SSE) {
		reply_break(r, out);
		reply_usage(r, out);
		buf_puts(out, "data: [DONE]\n\n");
		whole(r, out, start);
	}
	r->done = !r->failed;
}

/* Whether an event that is valid goes to the client. Without choices it would
 * break the SDKs that index choices[0] (measured 2026-11); an empty array
 * belongs to the usage chunk alone. */
static bool
passes(const struct pass *ps, const struct chunk *c)
{
	bool usage = ps->r->spec.want_usage && c->usage.len > 0;

	if (!c->choices)
		return false;
	if (c->count == 0)
		return usage;
	return !ps->again || ps->said || usage;
}

/* After an event of nothing but text others of its shape may follow. */
static void
learn(struct pass *ps, const struct chunk *c)
{
	struct reply *r = ps->r;

	if (c->count == 1 && ps->texts == 1 && ps->closed == 0 &&
	    ps->edits.n == 0 && c->prompt < 0 &&
	    ps->bytes == (int64_t)ps->text[0].len - 2)
		chunk_shape(&r->shape, ps->p, ps->n, ps->text[0]);
}

/* An event that differs from one that was looked at in its text alone, which
 * most do: measured 0.1 us instead of 0.33. Whether it was this one. */
static bool
known(struct feed *f, const struct sse_event *ev)
{
	struct reply *r = f->r;
	size_t start = f->out->len;
	struct chunk_span t;
	int64_t bytes;

	if (ev->event[0] != '\0' ||
	    !chunk_fits(&r->shape, ev->data, ev->len, &t, &bytes))
		return false;
	r->bytes += bytes;
	if (r->spec.mode == REPLY_TEXT) {
		(void)chunk_text(ev->data, t, f->out);
	} else {
		buf_puts(f->out, "data: ");
		buf_put(f->out, ev->data, ev->len);
		buf_puts(f->out, "\n\n");
	}
	whole(r, f->out, start);
	return true;
}

/* As many of those as follow each other, framed as we frame them: they go on
 * in one piece. */
static size_t
on_run(void *arg, const char *p, size_t n)
{
	struct feed *f = arg;
	struct reply *r = f->r;
	size_t start = f->out->len;
	size_t at = chunk_leads(&r->shape, p, n, r->spec.max_event + 2,
	    &r->bytes);

	buf_put(f->out, p, at);
	whole(r, f->out, start);
	return at;
}

static void
judge(struct feed *f, struct pass *ps, const struct chunk *c)
{
	struct reply *r = f->r;

	reply_absorb(r, c, ps->p);
	r->open |= ps->open;
	r->closed |= ps->closed;
	/* One choice may come after the other. */
	r->finished = closed(r) &&
	    __builtin_popcountll(r->open) >= r->spec.choices;
	r->bytes += ps->bytes;
	if (r->spec.mode == REPLY_TEXT) {
		put_texts(ps, f->out);
		learn(ps, c);
		return;
	}
	if (ps->said)
		r->content = true;
	if (ps->passed) {
		r->usage_told |= c->usage.len > 0;
		return;
	}
	if (!passes(ps, c))
		return;
	if (c->usage.len > 0)
		r->usage_told = true;
	put_event(ps, c->top.at, f->out);
	learn(ps, c);
}

static bool
blank(const char *p, size_t n)
{
	while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t' ||
	    p[n - 1] == '\n'))
		n--;
	return n == 0;
}

/* [DONE], whatever white space stands around it. */
static bool
is_done(const char *p, size_t n)
{
	while (n > 0 && (*p == ' ' || *p == '\t')) {
		p++;
		n--;
	}
	return n >= 6 && memcmp(p, "[DONE]", 6) == 0 && blank(p + 6, n - 6);
}

/* Something is wrong. Whether that is no matter, because all of the text and
 * each finish_reason came before it: the answer is then whole. */
static bool
too_late(struct reply *r, struct buf *out)
{
	if (!r->content || !r->finished)
		return false;
	complete(r, out);
	return true;
}

/* An event's data; passed: what a skim left of it. */
static int
examine(struct feed *f, const struct sse_event *ev, bool passed)
{
	struct reply *r = f->r;
	struct pass ps;
	struct chunk c;
	bool bad, error;

	begin(&ps, r, ev->data, ev->len);
	ps.passed = passed;
	bad = chunk_scan(&c, ev->data, ev->len, on_choice, &ps) < 0;
	error = c.error.len > 0 || ps.error || strcmp(ev->event, "error") == 0;
	/* Pictures and sound are no tokens by their size. */
	if (passed && ps.bytes > 0)
		ps.bytes += r->skim.left;
	if ((bad || error || ps.full) && too_late(r, f->out))
		return 1;
	if (bad)
		reply_malformed(r, "The provider's stream holds an event that "
		    "is not valid JSON.");
	else if (error)
		reply_upstream(r, &c, ev->data, ev->len);
	else if (ps.full && !passed)
		reply_malformed(r, "The provider's stream holds an event that "
		    "cannot be mended.");
	else
		judge(f, &ps, &c);
	return r->failed;
}

/* An event too large to be held goes on as it comes. That it is content, one
 * has to believe; what else it says is looked at when it is over. */
static int
on_part(struct feed *f, const struct sse_event *ev)
{
	struct reply *r = f->r;
	size_t start = f->out->len, from;

	if (!r->part)
		buf_puts(f->out, "data: ");
	r->part = r->content = true;
	from = f->out->len;
	buf_put(f->out, ev->data, ev->len);
	chunk_one_line(f->out, from);
	skim_put(&r->skim, ev->data, ev->len);
	whole(r, f->out, start);
	return r->failed;
}

static int
on_last_part(struct feed *f, const struct sse_event *ev)
{
	struct reply *r = f->r;
	struct buf *text = &r->skim.text;
	struct sse_event all = { ev->event, buf_str(text), text->len,
	    SSE_WHOLE };
	size_t start = f->out->len;

	reply_break(r, f->out);
	whole(r, f->out, start);
	if (text->starved)
		reply_full(r, true, NULL);
	else if (!text->failed)
		(void)examine(f, &all, true);
	skim_clear(&r->skim);
	return r->failed || r->done;
}

static int
on_event(void *arg, const struct sse_event *ev)
{
	struct feed *f = arg;

	if (ev->part == SSE_PART)
		return on_part(f, ev);
	if (ev->part == SSE_END)
		return on_last_part(f, ev);
	if (f->r->failed || known(f, ev))
		return f->r->failed;
	if (blank(ev->data, ev->len))
		return 0;
	if (is_done(ev->data, ev->len)) {
		/* Not all providers know n. */
		f->r->finished = closed(f->r);
		complete(f->r, f->out);
		return 1;
	}
	return examine(f, ev, false);
}

void
reply_break(struct reply *r, struct buf *out)
{
	if (r->part)
		buf_puts(out, "\n\n");
	r->part = false;
}

void
reply_feed(struct reply *r, const char *p, size_t n, struct buf *out)
{
	struct feed f = { r, out };

	if (r->failed || r->done)
		return;
	if (r->is_json) {
		if (buf_put(&r->json, p, n) < 0)
			reply_full(r, r->json.starved, "It is too large.");
		return;
	}
	if (sse_feed(&r->sse, p, n, on_event, &f) < 0 && !r->failed &&
	    !too_late(r, out))
		reply_full(r, sse_starved(&r->sse), "The provider's stream "
		    "holds an event that is too large.");
}

/* ---- a JSON answer ---- */

static void
on_answer(void *arg, const struct chunk_choice *ch)
{
	struct pass *ps = arg;

	look(ps, ch);
	ps->said = ps->said || ch->spent;
	if (!ch->message || ch->delta.len == 0 || ch->null)
		ps->part = true;
	if (ch->finished)
		ps->closed |= bit(ch);
}

static void
answer_out(struct reply *r, struct pass *ps, struct chunk *c, struct buf *out)
{
	size_t start = out->len;

	switch (r->spec.mode) {
	case REPLY_TEXT:
		put_texts(ps, out);
		break;
	case REPLY_SSE:
		r->content = true;
		chunk_split(ps->p, ps->n, r->spec.want_usage, r->spec.relevo,
		    out);
		buf_puts(out, "data: [DONE]\n\n");
		break;
	case REPLY_JSON:
		r->content = true;
		put_told(ps, c->top.at, out);
	}
	whole(r, out, start);
	if (r->failed)
		return;
	if (r->content)
		r->done = true;
	else
		reply_empty(r);
}

/* The whole body is there. Some providers answer so although a stream was
 * asked for. */
static void
answer(struct reply *r, struct buf *out)
{
	struct pass ps;
	struct chunk c;

	begin(&ps, r, r->json.data, r->json.len);
	if (chunk_scan(&c, ps.p, ps.n, on_answer, &ps) < 0) {
		reply_malformed(r, "The provider's answer is not valid JSON.");
		return;
	}
	if (c.error.len > 0 || ps.error) {
		reply_upstream(r, &c, ps.p, ps.n);
		return;
	}
	if (!c.choices || ps.part || ps.full) {
		reply_malformed(r, "The answer is no chat completion.");
		return;
	}
	reply_absorb(r, &c, ps.p);
	r->open = ps.open;
	r->closed = ps.closed;
	r->finished = (ps.open & ~ps.closed) == 0;
	r->bytes = ps.bytes;
	if (!ps.said)
		reply_empty(r);
	else if (!r->finished)
		reply_cut(r);
	else
		answer_out(r, &ps, &c, out);
}

/* ---- the end ---- */

void
reply_end(struct reply *r, bool clean, struct buf *out)
{
	if (r->failed || r->done)
		return;
	if (!r->is_json) {
		/* A finish_reason proves more than a clean end does: who has
		 * seen it has all of the text, and an error would make his
		 * client ask once more. */
		if (clean)
			r->finished = closed(r);
		complete(r, out);
		return;
	}
	if (!clean)
		reply_cut(r);
	else if (r->json.len == 0)
		reply_empty(r);
	else
		answer(r, out);
}

/* Four bytes for each token: right for code, a fifth too much for English,
 * and no table has to be kept for a whole stream. */
int64_t
reply_estimate(const struct reply *r)
{
	return (r->bytes + 3) / 4;
}
