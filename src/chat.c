#include "chat.h"

#include <string.h>

#include "buf.h"
#include "chat_walk.h"
#include "config.h"
#include "fault.h"
#include "json.h"
#include "text.h"

#define TOKENS_MAX	((uint64_t)1 << 40)

/* What a message and a request cost beside their text. */
enum { T_MESSAGE = 4, T_REQUEST = 3 };

static int
model(struct chat_walk *s)
{
	static const char rule[] = "model must be a string of less than 256 "
	    "bytes; GET /models lists the names";
	enum json_token t = chat_next(s);
	/* It never grows: it has all the room that it may use. */
	struct buf b = { .data = s->c->model, .cap = CHAT_MODEL,
	    .max = CHAT_MODEL - 1 };

	if (t == JSON_BAD)
		return -1;
	if (t != JSON_STRING || json_text(&s->j, &b) < 0 ||
	    memchr(b.data, 0, b.len) != NULL)
		return chat_invalid(s, "model", rule);
	(void)buf_str(&b);
	return 0;
}

static int
stream(struct chat_walk *s)
{
	enum json_token t = chat_next(s);

	if (t == JSON_BAD)
		return -1;
	if (t != JSON_TRUE && t != JSON_FALSE && t != JSON_NULL)
		return chat_invalid(s, "stream",
		    "stream must be true or false");
	s->c->has_stream = true;
	s->c->stream = t == JSON_TRUE;
	return 0;
}

static int
stream_options(struct chat_walk *s)
{
	enum json_token t = chat_next(s);
	bool seen = false;

	if (t == JSON_BAD)
		return -1;
	if (t == JSON_NULL)
		return 0;
	if (t != JSON_OBJECT)
		return chat_invalid(s, "stream_options", "stream_options must "
		    "be an object, such as {\"include_usage\":true}");
	while ((t = chat_next(s)) == JSON_KEY) {
		bool usage = CHAT_IS(s, "include_usage");

		/* Each would take one of provider_body's edits. */
		if (usage && seen)
			return chat_invalid(s, "stream_options",
			    "stream_options has include_usage twice");
		seen = seen || usage;
		t = chat_next(s);
		if (usage && t != JSON_TRUE && t != JSON_FALSE &&
		    t != JSON_NULL && t != JSON_BAD)
			return chat_invalid(s, "stream_options",
			    "stream_options.include_usage must be true or "
			    "false");
		if (usage)
			s->c->want_usage = t == JSON_TRUE;
		if (chat_past(s, t) < 0)
			return -1;
	}
	return t == JSON_BAD ? -1 : 0;
}

static int
tools(struct chat_walk *s)
{
	enum json_token t = chat_next(s);
	size_t at = s->j.tok;

	if (chat_count(s, t, false) < 0)
		return -1;
	/* Not empty: something stands between the brackets. */
	if (t == JSON_ARRAY) {
		at += 1 + strspn(s->j.p + at + 1, " \t\r\n");
		if (s->j.p[at] != ']')
			s->c->needs |= CONFIG_CAN_TOOLS;
	}
	return 0;
}

static int
response_format(struct chat_walk *s)
{
	enum json_token t = chat_next(s);

	if (t != JSON_OBJECT)
		return chat_past(s, t);
	while ((t = chat_next(s)) == JSON_KEY) {
		bool type = CHAT_IS(s, "type");

		t = chat_next(s);
		if (type && t == JSON_STRING) {
			if (CHAT_IS(s, "json_schema"))
				s->c->needs |= CONFIG_CAN_JSON;
		} else if (chat_count(s, t, false) < 0) {
			return -1;
		}
	}
	return t == JSON_BAD ? -1 : 0;
}

/* ---- the whole ---- */

/* What a body may hold that the gateway acts on. After the key, `read` takes
 * the value; without it the value is a whole number of min to max, or null. */
static const struct member {
	struct chat_word	 name;
	int		(*read)(struct chat_walk *s);
	size_t		 place;		/* read: of its span in struct chat, 0
					 * for none; else in struct chat_walk */
	uint64_t	 min, max;
	const char	*rule;
} members[] = {
	{ .name = CHAT_WORD("model"), .read = model,
	    .place = offsetof(struct chat, model_at) },
	{ .name = CHAT_WORD("messages"), .read = chat_messages },
	{ .name = CHAT_WORD("stream"), .read = stream,
	    .place = offsetof(struct chat, stream_at) },
	{ .name = CHAT_WORD("stream_options"), .read = stream_options,
	    .place = offsetof(struct chat, options_at) },
	{ .name = CHAT_WORD("tools"), .read = tools },
	{ .name = CHAT_WORD("functions"), .read = tools },
	{ .name = CHAT_WORD("response_format"), .read = response_format },
	{ .name = CHAT_WORD("max_tokens"), .max = TOKENS_MAX,
	    .place = offsetof(struct chat_walk, max_tokens),
	    .rule = "max_tokens must be a whole number, 0 or more" },
	{ .name = CHAT_WORD("max_completion_tokens"), .max = TOKENS_MAX,
	    .place = offsetof(struct chat_walk, max_completion),
	    .rule = "max_completion_tokens must be a whole number, 0 or "
	    "more" },
	{ .name = CHAT_WORD("n"), .min = 1, .max = 128,
	    .place = offsetof(struct chat_walk, n),
	    .rule = "n must be a whole number from 1 to 128" },
};

static int
number(struct chat_walk *s, const struct member *m)
{
	enum json_token t = chat_next(s);
	uint64_t v;

	if (t == JSON_BAD)
		return -1;
	if (t == JSON_NULL)
		return 0;
	if (t != JSON_NUMBER || text_uint(s->j.p + s->j.tok, s->j.tok_len,
	    m->max, &v) < 0 || v < m->min)
		return chat_invalid(s, m->name.word, m->rule);
	*(int64_t *)(void *)((char *)s + m->place) = (int64_t)v;
	return 0;
}

/* Remember the key, unless it was there before. By its hash alone: who makes
 * two names collide gets his own request refused, nothing else. */
static int
once(struct chat_walk *s)
{
	const char *key = s->j.p + s->j.tok + 1;
	size_t n = s->j.tok_len - 2, i;
	struct buf b;
	uint64_t h;

	if (s->keys == CHAT_KEYS)
		return chat_invalid(s, NULL,
		    "body has more than 256 top-level members");
	buf_init(&b, s->j.tok_len);
	if (s->j.escaped) {
		if (json_text(&s->j, &b) < 0) {
			buf_release(&b);
			fault_set(s->f, FAULT_INTERNAL, NULL, "out of memory");
			return -1;
		}
		key = b.data;
		n = b.len;
	}
	h = text_hash(TEXT_HASH, key, n);
	buf_release(&b);
	for (i = 0; i < s->keys && s->key[i] != h; i++)
		continue;
	s->key[i] = h;
	if (i == s->keys++)
		return 0;
	fault_set(s->f, FAULT_INVALID_REQUEST, NULL, "body has the member "
	    "%.*s twice", s->j.tok_len < 80 ? (int)s->j.tok_len : 80,
	    s->j.p + s->j.tok);
	return -1;
}

/* One top-level member, its key being the last token. */
static int
member(struct chat_walk *s)
{
	struct chat_span span = { .at = s->j.tok };
	const struct member *m = members, *end = members + CHAT_COUNT(members);

	if (once(s) < 0)
		return -1;
	while (m < end && !chat_is(s, m->name.word, m->name.len))
		m++;
	if (m == end)
		return chat_past(s, chat_next(s));
	if (m->read == NULL)
		return number(s, m);
	span.value = s->j.at;
	if (m->read(s) < 0)
		return -1;
	/* The scanner takes colon and value in one step. */
	span.value += strspn(s->j.p + span.value, " \t\r\n") + 1;
	span.value += strspn(s->j.p + span.value, " \t\r\n");
	span.len = s->j.at - span.at;
	if (m->place != 0)
		memcpy((char *)s->c + m->place, &span, sizeof(span));
	return 0;
}

/* Output that may be asked for: the larger of both names, for a client may
 * send one small and one large, and a provider reads either. */
static void
finish(struct chat_walk *s)
{
	int64_t most = s->max_tokens > s->max_completion ? s->max_tokens :
	    s->max_completion;

	s->c->output = most < 0 ? -1 : most * s->n;
	s->c->choices = (int)s->n;
	s->c->prompt = (s->milli + 999) / 1000 + s->images +
	    T_MESSAGE * (int64_t)s->c->messages + T_REQUEST;
}

int
chat_scan(struct chat *c, const char *body, size_t n, struct fault *f)
{
	struct chat_walk s;
	enum json_token t;

	memset(c, 0, sizeof(*c));
	c->output = -1;
	/* The keys, 2 KiB of it, need no clearing. */
	s.c = c;
	s.f = f;
	s.milli = 0;
	s.images = 0;
	s.max_tokens = s.max_completion = -1;
	s.n = 1;
	s.keys = 0;
	json_begin(&s.j, body, n);
	t = chat_next(&s);
	if (t == JSON_BAD)
		return -1;
	if (t != JSON_OBJECT)
		return chat_invalid(&s, NULL, "body must be a JSON object with "
		    "messages");
	while ((t = chat_next(&s)) == JSON_KEY)
		if (member(&s) < 0)
			return -1;
	if (t == JSON_BAD || chat_next(&s) == JSON_BAD)
		return -1;
	c->empty = s.keys == 0;
	if (c->messages == 0)
		return chat_invalid(&s, "messages", "messages is missing; it "
		    "must be a non-empty array");
	finish(&s);
	return 0;
}
