#include "provider.h"

#include <string.h>

#include "buf.h"
#include "chat.h"
#include "config.h"
#include "json.h"
#include "text.h"

/* The outgoing body: the client's bytes with some members replaced, put in
 * front, taken out or renamed. First the edits are gathered, in the order of
 * the body, with their new text in one scratch; then all is copied once into
 * room of exactly the right size. */

#define EDITS	64	/* members touched; the chat API has some 40 */

struct edit {
	size_t	at, len;	/* these bytes give way ... */
	size_t	text, text_len;	/* ... to this part of the scratch */
};

struct splice {
	const struct config_provider *p;
	const struct chat *c;
	const char	*body;
	size_t		 n;
	bool		 stream, options;	/* as they are to be */
	const char	*without;	/* one more member to leave out */
	struct edit	 edits[EDITS];
	size_t		 nedits;
	struct buf	 text;
	bool		 failed;
	bool		 kept;		/* a member of the client's stays */
	bool		 found;		/* without was there */
};

/* The bytes [at, at + len) give way to what stands in the scratch from
 * `text`. */
static void
edit(struct splice *s, size_t at, size_t len, size_t text)
{
	if (s->nedits == EDITS) {
		s->failed = true;
		return;
	}
	s->edits[s->nedits++] = (struct edit){ at, len, text,
	    s->text.len - text };
}

static void
replace(struct splice *s, size_t at, size_t len, const char *text)
{
	size_t begin = s->text.len;

	buf_puts(&s->text, text);
	edit(s, at, len, begin);
}

/* Make stream_options (the value at body[at..at + len)) ask for the usage,
 * and keep what else it says: in its own place if it is an object. */
static void
ask_usage(struct splice *s, size_t at, size_t len)
{
	bool has = false, any = false, value = false;
	enum json_token tok;
	struct json j;
	size_t from;

	json_begin(&j, s->body + at, len);
	if (json_next(&j) != JSON_OBJECT) {
		replace(s, at, len, "{\"include_usage\":true}");
		return;
	}
	while (json_next(&j) == JSON_KEY) {
		any = true;
		value = json_is(&j, "include_usage");
		tok = json_next(&j);
		from = j.tok;
		json_skip(&j);
		has = has || value;
		if (value && tok != JSON_TRUE)
			replace(s, at + from, j.at - from, "true");
	}
	if (!has)
		replace(s, at + 1, 0, any ? "\"include_usage\":true," :
		    "\"include_usage\":true");
}

/* ---- the members where chat_scan found them ---- */

static void
set_stream(struct splice *s, size_t at, size_t len)
{
	const char *word = s->stream ? "true" : "false";

	if (!text_is(s->body + at, len, word))
		replace(s, at, len, word);
}

/* Where the value of a span ends, and so how long it is. */
static size_t
value_len(const struct chat_span *m)
{
	return m->at + m->len - m->value;
}

static void
sort(struct splice *s)
{
	struct edit e;
	size_t i, k;

	for (i = 1; i < s->nedits; i++) {
		e = s->edits[i];
		for (k = i; k > 0 && s->edits[k - 1].at > e.at; k--)
			s->edits[k] = s->edits[k - 1];
		s->edits[k] = e;
	}
}

static void
from_spans(struct splice *s, size_t model)
{
	const struct chat *c = s->c;

	s->kept = !c->empty;
	if (c->model_at.len > 0)
		s->edits[s->nedits++] = (struct edit){ c->model_at.value,
		    value_len(&c->model_at), 0, model };
	if (c->stream_at.len > 0)
		set_stream(s, c->stream_at.value, value_len(&c->stream_at));
	if (c->options_at.len > 0 && !c->want_usage)
		ask_usage(s, c->options_at.value, value_len(&c->options_at));
	sort(s);
}

/* ---- the members by a scan, when some must go ---- */

static bool
listed(char *const *list, const struct json *j)
{
	for (; list != NULL && *list != NULL; list++)
		if (json_is(j, *list))
			return true;
	return false;
}

/* Whether the body has a top-level member of this name. */
static bool
has_member(const struct splice *s, const char *name)
{
	struct json j;

	json_begin(&j, s->body, s->n);
	if (json_next(&j) != JSON_OBJECT)
		return false;
	while (json_next(&j) == JSON_KEY) {
		if (json_is(&j, name))
			return true;
		json_skip(&j);
	}
	return false;
}

static const struct config_pair *
renamed(const struct splice *s, const struct json *j)
{
	const struct config_pair *r = s->p != NULL ? s->p->rename : NULL;

	for (; r != NULL && r->name != NULL; r++)
		if (json_is(j, r->name))
			return r;
	return NULL;
}

enum fate { STAYS, GOES, IS_MODEL, IS_STREAM, IS_OPTIONS };

static enum fate
fate_of(struct splice *s, const struct json *j)
{
	const struct config_pair *r;

	if (s->without != NULL) {
		if (!json_is(j, s->without))
			return STAYS;
		s->found = true;
		return GOES;
	}
	if (json_is(j, "model"))
		return IS_MODEL;
	if (json_is(j, "stream"))
		return IS_STREAM;
	if (json_is(j, "stream_options"))
		return s->options ? IS_OPTIONS : GOES;
	if (listed(s->p->drop, j))
		return GOES;
	/* Both names there: the provider's own one is what was meant for it,
	 * and a member may not stand there twice. */
	r = renamed(s, j);
	return r != NULL && has_member(s, r->value) ? GOES : STAYS;
}

/* Change a member that stays; its value is body[at..at + len). */
static void
change(struct splice *s, enum fate fate, const struct json *key, size_t at,
    size_t len, size_t model)
{
	const struct config_pair *r;
	size_t begin = s->text.len;

	if (fate == IS_STREAM)
		set_stream(s, at, len);
	else if (fate == IS_OPTIONS)
		ask_usage(s, at, len);
	else if (fate == IS_MODEL && s->nedits < EDITS)
		s->edits[s->nedits++] = (struct edit){ at, len, 0, model };
	else if (fate == IS_MODEL)
		s->failed = true;
	else if (s->without == NULL && (r = renamed(s, key)) != NULL) {
		text_quote(&s->text, r->value, strlen(r->value));
		edit(s, key->tok, key->tok_len, begin);
	}
}

/* A member that goes takes a comma along: the one before it, or, while none
 * has stayed, the one after it, up to the next key. */
static void
from_scan(struct splice *s, size_t model)
{
	size_t at, end = 0, head = 0;	/* of the last value; of those gone */
	bool open = false;
	enum fate fate;
	struct json j, key;

	json_begin(&j, s->body, s->n);
	s->failed = json_next(&j) != JSON_OBJECT;
	while (!s->failed && json_next(&j) == JSON_KEY) {
		key = j;
		fate = fate_of(s, &key);
		json_next(&j);
		at = j.tok;
		s->failed = json_skip(&j) < 0;
		if (fate != GOES) {
			if (open)
				edit(s, head, key.tok - head, s->text.len);
			change(s, fate, &key, at, j.at - at, model);
			s->kept = true;
			open = false;
		} else if (s->kept) {
			edit(s, end, j.at - end, s->text.len);
		} else if (!open) {
			open = true;
			head = key.tok;
		}
		end = j.at;
	}
	if (open)
		edit(s, head, end - head, s->text.len);
}

/* ---- copying ---- */

/* out gets the body with its edits, and `front` bytes from the scratch's end
 * behind the opening brace. */
static int
copy(struct splice *s, size_t front, struct buf *out)
{
	const char *brace = memchr(s->body, '{', s->n);
	size_t i, at, total = s->n + front;
	const struct edit *e;

	if (brace == NULL || s->failed || s->text.failed)
		return -1;
	for (i = 0; i < s->nedits; i++)
		total = total + s->edits[i].text_len - s->edits[i].len;
	if (buf_reserve(out, total) < 0)
		return -1;
	at = (size_t)(brace - s->body) + 1;
	buf_put(out, s->body, at);
	if (front > 0)
		buf_put(out, s->text.data + s->text.len - front, front);
	for (i = 0; i < s->nedits; i++) {
		e = &s->edits[i];
		if (e->at > at)
			buf_put(out, s->body + at, e->at - at);
		if (e->text_len > 0)
			buf_put(out, s->text.data + e->text, e->text_len);
		at = e->at + e->len;
	}
	return buf_put(out, s->body + at, s->n - at);
}

/* The members that the client did not send, each with its comma. */
static size_t
put_front(struct splice *s, const char *id)
{
	const struct chat *c = s->c;
	size_t begin = s->text.len;

	if (c->model_at.len == 0) {
		buf_puts(&s->text, "\"model\":");
		text_quote(&s->text, id, strlen(id));
		buf_puts(&s->text, ",");
	}
	if (c->stream_at.len == 0)
		buf_puts(&s->text, s->stream ? "\"stream\":true," :
		    "\"stream\":false,");
	if (s->options && c->options_at.len == 0)
		buf_puts(&s->text,
		    "\"stream_options\":{\"include_usage\":true},");
	if (!s->kept && s->text.len > begin)
		s->text.len--;		/* nothing comes after the comma */
	return s->text.len - begin;
}

static bool
drops_options(const struct config_provider *p)
{
	char *const *d;

	for (d = p->drop; d != NULL && *d != NULL; d++)
		if (strcmp(*d, "stream_options") == 0)
			return true;
	return false;
}

int
provider_body(const struct config_provider *p, const struct config_model *m,
    const struct chat *c, const char *body, size_t n, bool stream,
    struct buf *out)
{
	struct splice s = { .p = p, .c = c, .body = body, .n = n,
	    .stream = stream };
	size_t model;
	int rc;

	buf_init(&s.text, 1 << 16);
	text_quote(&s.text, m->id, strlen(m->id));
	model = s.text.len;
	s.options = stream && p->stream_usage && !drops_options(p);
	if ((p->drop != NULL && p->drop[0] != NULL) ||
	    (p->rename != NULL && p->rename[0].name != NULL) ||
	    (!s.options && c->options_at.len > 0))
		from_scan(&s, model);
	else
		from_spans(&s, model);
	rc = copy(&s, put_front(&s, m->id), out);
	buf_release(&s.text);
	return rc;
}

int
provider_strip(const char *body, size_t n, const char *member,
    struct buf *out)
{
	struct splice s = { .body = body, .n = n, .without = member };
	int rc = -1;

	buf_init(&s.text, 0);
	from_scan(&s, 0);
	if (s.found)
		rc = copy(&s, 0, out);
	buf_release(&s.text);
	return rc;
}
