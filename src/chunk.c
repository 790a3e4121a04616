#include "chunk.h"

#include <string.h>

#include "json.h"
#include "text.h"

#define TOKENS_MAX	((uint64_t)1 << 40)

struct walk {
	struct json	 j;
	struct chunk	*c;
	struct chunk_choice ch;
	chunk_fn	*fn;
	void		*arg;
	int64_t		 thought;	/* bytes of the choice's reasoning */
	int64_t		 total;		/* usage.total_tokens */
};

/* A member that is looked at. read is called when the value's first token was
 * taken, and goes on past the value; `at` is where the key began. */
struct row {
	const char	*name;
	size_t		 len;
	int		(*read)(struct walk *w, enum json_token t, size_t at);
};
#define ROW(name, read)	{ name, sizeof(name) - 1, read }
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static bool
is(const struct json *j, const char *word, size_t len)
{
	if (j->escaped)
		return json_is(j, word);
	return j->tok_len == len + 2 &&
	    memcmp(j->p + j->tok + 1, word, len) == 0;
}
#define IS(w, word)	is(&(w)->j, word, sizeof(word) - 1)

/* Go through an object whose '{' was taken. */
static int
members(struct walk *w, const struct row *rows, size_t n)
{
	const struct row *r;
	enum json_token t;
	size_t at;

	while ((t = json_next(&w->j)) == JSON_KEY) {
		at = w->j.tok;
		for (r = rows; r < rows + n; r++)
			if (is(&w->j, r->name, r->len))
				break;
		t = json_next(&w->j);
		if (t == JSON_BAD)
			return -1;
		if (r < rows + n ? r->read(w, t, at) < 0 :
		    json_skip(&w->j) < 0)
			return -1;
	}
	return t == JSON_CLOSE ? 0 : -1;
}

static struct chunk_span
token(const struct walk *w)
{
	return (struct chunk_span){ w->j.tok, w->j.tok_len };
}

/* The span from `at` to where the scan is. */
static struct chunk_span
since(const struct walk *w, size_t at)
{
	return (struct chunk_span){ at, w->j.at - at };
}

/* The bytes that the four hex digits at p stand for in UTF-8; half of a
 * surrogate pair is two of four. */
static int64_t
unit_length(const char *p)
{
	if (p[0] == '0' && p[1] == '0')
		return p[2] < '8' ? 1 : 2;
	if ((p[0] == '0' && p[1] < '8') || ((p[0] | 0x20) == 'd' &&
	    p[1] >= '8'))
		return 2;
	return 3;
}

int64_t
chunk_length(const struct json *j)
{
	size_t i, end = j->tok + j->tok_len - 1;
	int64_t n = 0;

	if (!j->escaped)
		return (int64_t)j->tok_len - 2;
	for (i = j->tok + 1; i < end;) {
		if (j->p[i] != '\\') {
			n++;
			i++;
		} else if (j->p[i + 1] != 'u') {
			n++;
			i += 2;
		} else {
			n += unit_length(j->p + i + 2);
			i += 6;
		}
	}
	return n;
}

/* Past a container whose bracket was taken. The bytes of what a model wrote
 * in it, wherever that stands; *some: whether it holds anything. -1: bad. */
static int64_t
written(struct walk *w, bool *some)
{
	unsigned depth = w->j.depth;
	enum json_token t = json_next(&w->j);
	bool text = false;
	int64_t n = 0;

	*some = t != JSON_CLOSE;
	for (; t != JSON_BAD && w->j.depth >= depth; t = json_next(&w->j)) {
		if (t == JSON_STRING && text)
			n += chunk_length(&w->j);
		text = t == JSON_KEY && (IS(w, "text") || IS(w, "arguments") ||
		    IS(w, "name"));
	}
	return t == JSON_BAD ? -1 : n;
}

/* ---- delta ---- */

/* content: a string, or an array of parts with text or thinking (Mistral's
 * reasoning models, seen 2026-11). */
static int
read_content(struct walk *w, enum json_token t, size_t at)
{
	bool some;
	int64_t n;

	(void)at;
	if (t == JSON_STRING) {
		w->ch.text = token(w);
		n = chunk_length(&w->j);
	} else if (t == JSON_ARRAY) {
		at = w->j.tok;
		n = written(w, &some);
		if (n < 0)
			return -1;
		w->ch.text = since(w, at);
	} else {
		return json_skip(&w->j);
	}
	w->ch.bytes += n;
	w->ch.said = w->ch.said || n > 0;
	return 0;
}

/* reasoning, reasoning_content: some send both, with the same text. */
static int
read_thought(struct walk *w, enum json_token t, size_t at)
{
	int64_t n;

	(void)at;
	if (t != JSON_STRING)
		return json_skip(&w->j);
	n = chunk_length(&w->j);
	w->ch.said = w->ch.said || n > 0;
	if (n > w->thought)
		w->thought = n;
	return 0;
}

static int
read_refusal(struct walk *w, enum json_token t, size_t at)
{
	int64_t n;

	(void)at;
	if (t != JSON_STRING)
		return json_skip(&w->j);
	n = chunk_length(&w->j);
	w->ch.bytes += n;
	w->ch.said = w->ch.said || n > 0;
	return 0;
}

static int
read_call(struct walk *w, enum json_token t, size_t at)
{
	bool some;
	int64_t n;

	(void)at;
	if (t != JSON_ARRAY && t != JSON_OBJECT)
		return 0;
	at = w->j.tok;
	n = written(w, &some);
	if (n < 0)
		return -1;
	if (t == JSON_ARRAY && some)
		w->ch.tools = since(w, at);
	w->ch.bytes += n;
	w->ch.said = w->ch.said || some;
	return 0;
}

/* Things whose size says nothing of their tokens, or was counted. */
static int
read_thing(struct walk *w, enum json_token t, size_t at)
{
	bool some;

	(void)at;
	if (t != JSON_ARRAY && t != JSON_OBJECT)
		return 0;
	if (written(w, &some) < 0)
		return -1;
	w->ch.said = w->ch.said || some;
	return 0;
}

static bool
space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* role "" is kept with the comma that has to go with it. */
static int
read_role(struct walk *w, enum json_token t, size_t at)
{
	const char *p = w->j.p;
	size_t end = w->j.at, before = at;

	if (t != JSON_STRING || w->j.tok_len != 2)
		return json_skip(&w->j);
	while (end < w->j.n && space(p[end]))
		end++;
	while (space(p[before - 1]))
		before--;
	if (end < w->j.n && p[end] == ',')
		w->ch.role = (struct chunk_span){ at, end + 1 - at };
	else if (p[before - 1] == ',')
		w->ch.role = since(w, before - 1);
	else
		w->ch.role = since(w, at);
	return 0;
}

static int
read_delta(struct walk *w, enum json_token t, size_t at)
{
	static const struct row rows[] = {
		ROW("content", read_content),
		ROW("reasoning", read_thought),
		ROW("reasoning_content", read_thought),
		ROW("role", read_role),
		ROW("tool_calls", read_call),
		ROW("function_call", read_call),
		ROW("refusal", read_refusal),
		ROW("reasoning_details", read_thing),
		ROW("images", read_thing),
		ROW("audio", read_thing)
	};

	w->ch.message = w->j.p[at + 1] == 'm';
	at = w->j.tok;
	w->ch.null = t == JSON_NULL;
	w->thought = 0;
	if (t == JSON_OBJECT) {
		if (members(w, rows, COUNT(rows)) < 0)
			return -1;
	} else if (json_skip(&w->j) < 0) {
		return -1;
	}
	w->ch.bytes += w->thought;
	if (t == JSON_OBJECT || t == JSON_NULL)
		w->ch.delta = since(w, at);
	return 0;
}

/* ---- choices ---- */

static int
read_index(struct walk *w, enum json_token t, size_t at)
{
	uint64_t v;

	(void)at;
	if (t == JSON_NUMBER && text_uint(w->j.p + w->j.tok, w->j.tok_len,
	    INT32_MAX, &v) == 0)
		w->ch.index = (int64_t)v;
	return json_skip(&w->j);
}

static int
read_finish(struct walk *w, enum json_token t, size_t at)
{
	(void)at;
	if (t != JSON_STRING)
		return json_skip(&w->j);
	w->ch.finish = token(w);
	w->ch.blank = w->j.tok_len == 2;
	w->ch.finished = !w->ch.blank;
	w->ch.error = IS(w, "error");
	w->ch.spent = IS(w, "length") || IS(w, "content_filter");
	return 0;
}

static int
read_choices(struct walk *w, enum json_token t, size_t at)
{
	static const struct row rows[] = {
		ROW("delta", read_delta),
		ROW("index", read_index),
		ROW("finish_reason", read_finish),
		ROW("message", read_delta)
	};

	(void)at;
	if (t != JSON_ARRAY)
		return json_skip(&w->j);
	w->c->choices = true;
	while ((t = json_next(&w->j)) != JSON_CLOSE) {
		if (t == JSON_BAD)
			return -1;
		w->ch = (struct chunk_choice){ .index = (int64_t)w->c->count };
		if (t != JSON_OBJECT) {
			if (json_skip(&w->j) < 0)
				return -1;
			continue;
		}
		if (members(w, rows, COUNT(rows)) < 0)
			return -1;
		w->c->count++;
		w->fn(w->arg, &w->ch);
	}
	return 0;
}

/* ---- usage ---- */

static void
tokens(struct walk *w, enum json_token t, int64_t *out)
{
	uint64_t v;

	if (t == JSON_NUMBER && text_uint(w->j.p + w->j.tok, w->j.tok_len,
	    TOKENS_MAX, &v) == 0)
		*out = (int64_t)v;
}

static int
read_prompt(struct walk *w, enum json_token t, size_t at)
{
	(void)at;
	tokens(w, t, &w->c->prompt);
	return json_skip(&w->j);
}

static int
read_completion(struct walk *w, enum json_token t, size_t at)
{
	(void)at;
	tokens(w, t, &w->c->completion);
	return json_skip(&w->j);
}

static int
read_total(struct walk *w, enum json_token t, size_t at)
{
	(void)at;
	tokens(w, t, &w->total);
	return json_skip(&w->j);
}

/* xAI's and Gemini's completion_tokens leave the reasoning out, but the total
 * has it (recorded streams, 2026); it is charged, so the larger one counts. */
static void
add_up(struct walk *w)
{
	struct chunk *c = w->c;

	if (c->prompt >= 0 && w->total >= c->prompt &&
	    w->total - c->prompt > c->completion)
		c->completion = w->total - c->prompt;
	/* Half of it is of no use, and some send zeros before the end. */
	if (c->prompt < 0 || c->completion < 0 ||
	    (c->prompt == 0 && c->completion == 0))
		c->prompt = c->completion = -1;
}

static int
read_usage(struct walk *w, enum json_token t, size_t at)
{
	static const struct row rows[] = {
		ROW("prompt_tokens", read_prompt),
		ROW("completion_tokens", read_completion),
		ROW("total_tokens", read_total)
	};
	int64_t prompt = w->c->prompt, completion = w->c->completion;
	bool top = w->j.depth == 2;

	if (t != JSON_OBJECT)
		return json_skip(&w->j);
	at = w->j.tok;
	w->c->prompt = w->c->completion = w->total = -1;
	if (members(w, rows, COUNT(rows)) < 0)
		return -1;
	if (top)
		w->c->usage = since(w, at);
	add_up(w);
	if (w->c->prompt < 0) {
		w->c->prompt = prompt;
		w->c->completion = completion;
	}
	return 0;
}

/* Groq's own place for it, the only one in 2025 (recorded 2025-09). */
static int
read_groq(struct walk *w, enum json_token t, size_t at)
{
	static const struct row rows[] = { ROW("usage", read_usage) };

	(void)at;
	if (t != JSON_OBJECT)
		return json_skip(&w->j);
	return members(w, rows, COUNT(rows));
}

/* ---- errors ---- */

static int
read_status(struct walk *w, enum json_token t, size_t at)
{
	uint64_t v;

	(void)at;
	if (t == JSON_NUMBER && text_uint(w->j.p + w->j.tok, w->j.tok_len,
	    599, &v) == 0 && v >= 400)
		w->c->status = (int)v;
	return json_skip(&w->j);
}

static int
read_message(struct walk *w, enum json_token t, size_t at)
{
	(void)at;
	if (t == JSON_STRING)
		w->c->message = (struct chunk_span){ w->j.tok + 1,
		    w->j.tok_len - 2 };
	return json_skip(&w->j);
}

static int
read_error(struct walk *w, enum json_token t, size_t at)
{
	static const struct row rows[] = {
		ROW("message", read_message),
		ROW("code", read_status),
		ROW("status_code", read_status)
	};

	(void)at;
	if (t == JSON_NULL || t == JSON_FALSE ||
	    (t == JSON_STRING && w->j.tok_len == 2))
		return 0;
	at = w->j.tok;
	if (t == JSON_OBJECT) {
		if (members(w, rows, COUNT(rows)) < 0)
			return -1;
	} else if (read_message(w, t, at) < 0) {
		return -1;
	}
	w->c->error = since(w, at);
	return 0;
}

/* ---- the top ---- */

static int
read_id(struct walk *w, enum json_token t, size_t at)
{
	(void)at;
	if (t == JSON_STRING)
		w->c->id = token(w);
	return json_skip(&w->j);
}

static int
read_created(struct walk *w, enum json_token t, size_t at)
{
	(void)at;
	if (t == JSON_NUMBER)
		w->c->created = token(w);
	return json_skip(&w->j);
}

static int
read_model(struct walk *w, enum json_token t, size_t at)
{
	(void)at;
	if (t == JSON_STRING)
		w->c->model = token(w);
	return json_skip(&w->j);
}

static int
top(struct walk *w)
{
	static const struct row rows[] = {
		ROW("choices", read_choices),
		ROW("usage", read_usage),
		ROW("error", read_error),
		ROW("x_groq", read_groq),
		ROW("status_code", read_status),
		ROW("id", read_id),
		ROW("created", read_created),
		ROW("model", read_model)
	};
	enum json_token t = json_next(&w->j);
	size_t at;

	/* Gemini wraps its errors in an array (seen 2026-11). */
	if (t == JSON_ARRAY)
		t = json_next(&w->j);
	at = w->j.tok;
	if (t == JSON_OBJECT) {
		w->c->object = true;
		if (members(w, rows, COUNT(rows)) < 0)
			return -1;
		w->c->top = since(w, at);
	}
	while (t != JSON_END && t != JSON_BAD)
		t = json_next(&w->j);
	return t == JSON_END ? 0 : -1;
}

int
chunk_scan(struct chunk *c, const char *p, size_t n, chunk_fn *fn, void *arg)
{
	struct walk w = { .c = c, .fn = fn, .arg = arg };

	*c = (struct chunk){ .prompt = -1, .completion = -1 };
	json_begin(&w.j, p, n);
	if (top(&w) == 0)
		return 0;
	c->bad = w.j.at;
	c->why = w.j.why;
	return -1;
}
