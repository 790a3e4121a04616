#include "chunk.h"

#include "buf.h"
#include "json.h"

/* ---- text ---- */

/* A part of a content array, after its '{'. 0 or -1. */
static int
put_part(struct json *j, struct buf *out)
{
	bool plain = true, text, type;
	size_t at = 0, len = 0;
	enum json_token t;

	while ((t = json_next(j)) == JSON_KEY) {
		text = json_is(j, "text");
		type = json_is(j, "type");
		t = json_next(j);
		if (text && t == JSON_STRING) {
			at = j->tok + 1;
			len = j->tok_len - 2;
		} else if (type && t == JSON_STRING) {
			plain = json_is(j, "text");
		}
		json_skip(j);
	}
	if (t != JSON_CLOSE)
		return -1;
	return plain ? json_unescape(j->p + at, len, out) : 0;
}

int
chunk_text(const char *p, struct chunk_span v, struct buf *out)
{
	enum json_token t;
	struct json j;

	json_begin(&j, p + v.at, v.len);
	t = json_next(&j);
	if (t == JSON_STRING)
		return json_text(&j, out);
	while ((t = json_next(&j)) != JSON_CLOSE) {
		if (t == JSON_BAD || t == JSON_END)
			return -1;
		if (t == JSON_OBJECT ? put_part(&j, out) < 0 :
		    json_skip(&j) < 0)
			return -1;
	}
	return 0;
}

/* ---- an answer as a stream ---- */

struct split {
	const char	*p;
	struct chunk	 c;
	const char	*relevo;	/* until it is out */
	struct buf	*out;
};

/* Append part of the text. */
static void
put(struct split *s, size_t at, size_t len)
{
	size_t start = s->out->len;

	buf_put(s->out, s->p + at, len);
	chunk_one_line(s->out, start);
}

static void
put_member(struct split *s, const char *name, struct chunk_span v,
    const char *missing)
{
	buf_printf(s->out, "\"%s\":", name);
	if (v.len > 0)
		put(s, v.at, v.len);
	else
		buf_puts(s->out, missing);
	buf_puts(s->out, ",");
}

/* A chunk up to the value of choices. */
static void
put_chunk(struct split *s)
{
	buf_puts(s->out, "data: {");
	if (s->relevo != NULL)
		buf_printf(s->out, "\"relevo\":%s,", s->relevo);
	s->relevo = NULL;
	put_member(s, "id", s->c.id, "\"chatcmpl-relevo\"");
	buf_puts(s->out, "\"object\":\"chat.completion.chunk\",");
	put_member(s, "created", s->c.created, "0");
	put_member(s, "model", s->c.model, "\"\"");
	buf_puts(s->out, "\"choices\":");
}

/* The array tool_calls, each call with the index that it must have in a
 * delta: SDKs put the pieces of calls together by it. */
static void
put_tools(struct split *s, struct chunk_span v)
{
	size_t done = 0, k, brace;
	struct json j;
	bool has, some;

	json_begin(&j, s->p + v.at, v.len);
	json_next(&j);
	for (k = 0; json_next(&j) == JSON_OBJECT; k++) {
		brace = j.tok;
		has = some = false;
		while (json_next(&j) == JSON_KEY) {
			some = true;
			has = has || json_is(&j, "index");
			json_skip(&j);
		}
		if (has)
			continue;
		put(s, v.at + done, brace + 1 - done);
		done = brace + 1;
		buf_printf(s->out, "\"index\":%zu%s", k, some ? "," : "");
	}
	put(s, v.at + done, v.len - done);
}

static void
on_choice(void *arg, const struct chunk_choice *ch)
{
	struct split *s = arg;
	size_t end = ch->delta.at + ch->delta.len, after;

	put_chunk(s);
	buf_printf(s->out, "[{\"index\":%lld,\"delta\":",
	    (long long)ch->index);
	if (ch->tools.len > 0) {
		put(s, ch->delta.at, ch->tools.at - ch->delta.at);
		put_tools(s, ch->tools);
		after = ch->tools.at + ch->tools.len;
		put(s, after, end - after);
	} else {
		put(s, ch->delta.at, ch->delta.len);
	}
	buf_puts(s->out, ",\"finish_reason\":null}]}\n\n");
	put_chunk(s);
	buf_printf(s->out, "[{\"index\":%lld,\"delta\":{},"
	    "\"finish_reason\":", (long long)ch->index);
	put(s, ch->finish.at, ch->finish.len);
	buf_puts(s->out, "}]}\n\n");
}

static void
nothing(void *arg, const struct chunk_choice *ch)
{
	(void)arg;
	(void)ch;
}

void
chunk_split(const char *p, size_t n, bool usage, const char *relevo,
    struct buf *out)
{
	struct split s = { .p = p, .relevo = relevo, .out = out };
	struct chunk c;

	/* Twice: id and model may stand behind choices. */
	if (chunk_scan(&s.c, p, n, nothing, NULL) < 0)
		return;
	(void)chunk_scan(&c, p, n, on_choice, &s);
	if (usage && s.c.usage.len > 0) {
		put_chunk(&s);
		buf_puts(out, "[],\"usage\":");
		put(&s, s.c.usage.at, s.c.usage.len);
		buf_puts(out, "}\n\n");
	}
}
