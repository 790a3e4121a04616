#include "demo.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "chat.h"
#include "chunk.h"
#include "fault.h"
#include "fetch.h"
#include "json.h"
#include "loop.h"
#include "text.h"

#define ECHO_MAX	400		/* bytes of the question shown */
#define TEXT_MAX	4096
#define FAR_MS		(3600 * 1000)	/* where a paused timer waits */

/* What comes next. Each is one call of body, but for HEAD and END. */
enum step { HEAD, ROLE, WORDS, FINISH, USAGE, LAST, WHOLE, END };

struct demo {
	struct loop	*loop;
	struct loop_timer timer;
	const struct fetch_events *events;
	void		*arg;
	const struct pace *pace;
	bool		 stream;
	bool		 paused;
	bool		 inside;	/* a callback is under way ... */
	bool		 cancelled;	/* ... and cancelled the call */
	enum step	 step;
	size_t		 at;		/* in text: the next word */
	int64_t		 prompt, completion;	/* tokens */
	int64_t		 created;	/* s */
	uint64_t	 hash;		/* of the text: the answer's id */
	struct buf	 text;		/* the whole answer */
	struct buf	 out;		/* what goes to body */
};

/* The models: a quick one, and one slow enough to see a fallback by time or
 * to leave in the middle. */
static const struct pace {
	const char	*id;
	int		 first_ms, word_ms;
} paces[] = {
	{ "echo", 150, 25 },
	{ "tortoise", 1500, 150 }
};

/* ---- the answer's text ---- */

static const struct speech {
	const char	*intro, *quote, *advice, *sample;
} english = {
	"This is relevo's demo provider: no model is answering.",
	" You wrote:\n\n> ",
	"\n\nThe stream that you see is real: the same path, the same chunks "
	"and the same limits as with a provider. For real answers put a key "
	"into .env (GROQ_API_KEY=...) and restart relevo.",
	" Here is a sample of *markdown* to try a page with.\n\n"
	"## A table\n\n"
	"| window | limit | used |\n|---|---:|---:|\n"
	"| minute | 30 | 12 |\n| day | 1000 | 345 |\n\n"
	"## Code\n\n"
	"```c\nint\nmain(void)\n{\n\tputs(\"hello, relevo\");\n"
	"\treturn 0;\n}\n```\n\n"
	"## A list\n\n"
	"1. `inline code` and **bold**\n2. a [link](https://example.org/)\n"
	"   - a point below it\n"
}, spanish = {
	"Este es el proveedor de demostración de relevo: no responde ningún "
	"modelo.",
	" Has escrito:\n\n> ",
	"\n\nLo que ves es un stream real: el mismo camino, los mismos "
	"fragmentos y los mismos límites que con un proveedor. Para tener "
	"respuestas de verdad, pon una clave en .env (GROQ_API_KEY=...) y "
	"reinicia relevo.",
	" Aquí tienes una muestra de *markdown* para probar una página.\n\n"
	"## Una tabla\n\n"
	"| ventana | límite | usado |\n|---|---:|---:|\n"
	"| minuto | 30 | 12 |\n| día | 1000 | 345 |\n\n"
	"## Código\n\n"
	"```c\nint\nmain(void)\n{\n\tputs(\"hola, relevo\");\n"
	"\treturn 0;\n}\n```\n\n"
	"## Una lista\n\n"
	"1. `código` y **negrita**\n2. un [enlace](https://example.org/)\n"
	"   - un punto debajo\n"
};

/* A message, after its '{': its content's place, if it is a user's. */
static int
user_content(struct json *j, struct chunk_span *found)
{
	struct chunk_span content = { 0 };
	bool user = false, role, value;
	enum json_token t;
	size_t at;

	while ((t = json_next(j)) == JSON_KEY) {
		role = json_is(j, "role");
		value = json_is(j, "content");
		t = json_next(j);
		at = j->tok;
		if (role && t == JSON_STRING)
			user = json_is(j, "user");
		if (json_skip(j) < 0)
			return -1;
		if (value && (t == JSON_STRING || t == JSON_ARRAY))
			content = (struct chunk_span){ at, j->at - at };
	}
	if (user)
		*found = content;
	return t == JSON_CLOSE ? 0 : -1;
}

/* Where the last user message's content lies; len 0: nowhere. */
static struct chunk_span
last_user(const char *body, size_t n)
{
	struct chunk_span found = { 0 };
	enum json_token t;
	struct json j;

	json_begin(&j, body, n);
	if (json_next(&j) != JSON_OBJECT)
		return found;
	while (json_next(&j) == JSON_KEY) {
		bool messages = json_is(&j, "messages");

		t = json_next(&j);
		if (!messages || t != JSON_ARRAY) {
			if (json_skip(&j) < 0)
				break;
			continue;
		}
		while (json_next(&j) == JSON_OBJECT)
			if (user_content(&j, &found) < 0)
				return found;
		break;
	}
	return found;
}

/* The next word at p[*at..n): letters of ASCII and all that is above it.
 * NULL at the end. */
static const char *
word(const char *p, size_t n, size_t *at, size_t *len)
{
	size_t i = *at;
	const char *start;

	while (i < n && (unsigned char)p[i] < 0x80 &&
	    ((p[i] | 0x20) < 'a' || (p[i] | 0x20) > 'z'))
		i++;
	if (i == n)
		return NULL;
	start = p + i;
	while (i < n && ((unsigned char)p[i] >= 0x80 ||
	    ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'z')))
		i++;
	*len = (size_t)(p + i - start);
	*at = i;
	return start;
}

static bool
listed(const char *p, size_t n, const char *const *list)
{
	for (; *list != NULL; list++)
		if (text_isi(p, n, *list))
			return true;
	return false;
}

/* Words that the other language does not have, on both sides. */
static bool
is_spanish(const char *p, size_t n)
{
	static const char *const ours[] = { "el", "los", "las", "que", "qué",
	    "de", "en", "un", "una", "por", "para", "con", "del", "es",
	    "cómo", "como", "cuál", "¿qué", "¿cómo", "¿cuál", "hola",
	    "¡hola", "gracias", "dime", "haz", "explica", "escribe", "y", "más",
	    NULL };
	static const char *const theirs[] = { "the", "is", "are", "of", "and",
	    "to", "what", "how", "you", "hello", "hi", "please", "in", "for",
	    "write", "show", "this", "it", "with", NULL };
	int score = 0;
	const char *w;
	size_t at = 0, len;

	while ((w = word(p, n, &at, &len)) != NULL)
		score += listed(w, len, ours) - listed(w, len, theirs);
	return score > 0;
}

static bool
asks_markdown(const char *p, size_t n)
{
	size_t at = 0, len;
	const char *w;

	while ((w = word(p, n, &at, &len)) != NULL)
		if (text_isi(w, len, "markdown"))
			return true;
	return false;
}

/* The question on one line, cut at a character. */
static void
put_echo(struct buf *out, const char *p, size_t n)
{
	size_t i, len = n < ECHO_MAX ? n : ECHO_MAX;

	while (len < n && len > 0 && ((unsigned char)p[len] & 0xc0) == 0x80)
		len--;
	for (i = 0; i < len; i++)
		buf_put(out, (unsigned char)p[i] < 0x20 ? " " : p + i, 1);
	if (len < n)
		buf_puts(out, "...");
}

/* 0, or -1 out of memory. */
static int
speak(struct buf *out, const char *body, size_t n)
{
	struct chunk_span user = last_user(body, n);
	const struct speech *s = &english;
	struct buf q;
	int result;

	buf_init(&q, n);
	result = user.len > 0 ? chunk_text(body, user, &q) : 0;
	if (q.len > 0 && is_spanish(q.data, q.len))
		s = &spanish;
	buf_puts(out, s->intro);
	if (q.len > 0 && asks_markdown(q.data, q.len)) {
		buf_puts(out, s->sample);
	} else if (q.len > 0) {
		buf_puts(out, s->quote);
		put_echo(out, q.data, q.len);
	}
	buf_puts(out, s->advice);
	if (out->failed || q.failed)
		result = -1;
	buf_release(&q);
	return result;
}

/* ---- what goes out ---- */

static void
put_form(struct demo *d, const char *object)
{
	buf_printf(&d->out, "{\"id\":\"chatcmpl-demo%016" PRIx64 "\","
	    "\"object\":\"%s\",\"created\":%" PRId64 ",\"model\":\"%s\",",
	    d->hash, object, d->created, d->pace->id);
}

/* One event with one choice. content NULL: none, but the reason to finish. */
static void
put_choice(struct demo *d, const char *role, const char *content, size_t n)
{
	buf_puts(&d->out, "data: ");
	put_form(d, "chat.completion.chunk");
	buf_puts(&d->out, "\"choices\":[{\"index\":0,\"delta\":{");
	buf_puts(&d->out, role);
	if (content != NULL) {
		buf_puts(&d->out, "\"content\":");
		text_quote(&d->out, content, n);
	}
	buf_printf(&d->out, "},\"finish_reason\":%s}]}\n\n",
	    content != NULL ? "null" : "\"stop\"");
}

static void
put_usage(struct demo *d)
{
	buf_printf(&d->out, "\"usage\":{\"prompt_tokens\":%" PRId64
	    ",\"completion_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64
	    "}}", d->prompt, d->completion, d->prompt + d->completion);
}

/* A word with the white space before it. */
static void
put_word(struct demo *d)
{
	const char *p = d->text.data;
	size_t i = d->at, n = d->text.len;

	while (i < n && (p[i] == ' ' || p[i] == '\n' || p[i] == '\t'))
		i++;
	while (i < n && p[i] != ' ' && p[i] != '\n' && p[i] != '\t')
		i++;
	put_choice(d, "", p + d->at, i - d->at);
	d->at = i;
}

static void
put_whole(struct demo *d)
{
	put_form(d, "chat.completion");
	buf_puts(&d->out, "\"choices\":[{\"index\":0,\"message\":{"
	    "\"role\":\"assistant\",\"content\":");
	text_quote(&d->out, d->text.data, d->text.len);
	buf_puts(&d->out, "},\"finish_reason\":\"stop\"}],");
	put_usage(d);
}

/* Make the bytes of the present step and go to the next. */
static void
make(struct demo *d)
{
	switch (d->step) {
	case ROLE:
		put_choice(d, "\"role\":\"assistant\",", "", 0);
		d->step = WORDS;
		break;
	case WORDS:
		put_word(d);
		if (d->at == d->text.len)
			d->step = FINISH;
		break;
	case FINISH:
		put_choice(d, "", NULL, 0);
		d->step = USAGE;
		break;
	case USAGE:
		buf_puts(&d->out, "data: ");
		put_form(d, "chat.completion.chunk");
		buf_puts(&d->out, "\"choices\":[],");
		put_usage(d);
		buf_puts(&d->out, "\n\n");
		d->step = LAST;
		break;
	case LAST:
		buf_puts(&d->out, "data: [DONE]\n\n");
		d->step = END;
		break;
	default:
		put_whole(d);
		d->step = END;
	}
}

/* ---- the call ---- */

static void
demo_free(struct demo *d)
{
	loop_timer_cancel(d->loop, &d->timer);
	buf_release(&d->text);
	buf_release(&d->out);
	free(d);
}

static void
end(struct demo *d, enum fetch_result result)
{
	const struct fetch_events *events = d->events;
	void *arg = d->arg;

	demo_free(d);
	events->done(arg, result, result == FETCH_OK ? "" : "out of memory");
}

/* Milliseconds until the present step is due. */
static int
wait_of(const struct demo *d)
{
	switch (d->step) {
	case ROLE:
		return d->pace->first_ms;
	case WORDS:
		return d->at == 0 ? 0 : d->pace->word_ms;
	case WHOLE:
		return d->pace->first_ms + 10 * d->pace->word_ms;
	default:
		return 0;
	}
}

static void
tell_head(struct demo *d)
{
	static const char events[] = "HTTP/1.1 200 OK\r\n"
	    "Content-Type: text/event-stream\r\n";
	static const char json[] = "HTTP/1.1 200 OK\r\n"
	    "Content-Type: application/json\r\n";

	d->step = d->stream ? ROLE : WHOLE;
	if (d->stream)
		d->events->head(d->arg, 200, events, sizeof(events) - 1);
	else
		d->events->head(d->arg, 200, json, sizeof(json) - 1);
}

static void
fire(struct loop_timer *t)
{
	struct demo *d = LOOP_OWNER(t, struct demo, timer);
	int64_t due;

	if (d->step == END) {
		end(d, FETCH_OK);
		return;
	}
	d->inside = true;
	if (d->step == HEAD) {
		tell_head(d);
	} else {
		buf_clear(&d->out);
		make(d);
		if (d->out.failed) {
			end(d, FETCH_MEMORY);
			return;
		}
		d->paused = d->events->body(d->arg, d->out.data, d->out.len);
	}
	d->inside = false;
	if (d->cancelled) {
		demo_free(d);
		return;
	}
	/* A paused call keeps its timer, far away, so that to resume it is to
	 * move the timer, which cannot fail. */
	due = loop_now(d->loop) + (d->paused ? FAR_MS : wait_of(d));
	if (loop_timer_set(d->loop, &d->timer, due) < 0)
		end(d, FETCH_MEMORY);
}

struct demo *
demo_fetch(struct loop *l, const char *id, const char *body, size_t n,
    bool stream, const struct fetch_events *events, void *arg)
{
	struct demo *d = calloc(1, sizeof(*d));
	struct text_time now;
	struct fault f;
	struct chat c;
	size_t i;

	if (d == NULL)
		return NULL;
	d->loop = l;
	d->timer.fire = fire;
	d->events = events;
	d->arg = arg;
	d->stream = stream;
	d->pace = &paces[0];
	for (i = 0; i < sizeof(paces) / sizeof(paces[0]); i++)
		if (strcmp(id, paces[i].id) == 0)
			d->pace = &paces[i];
	buf_init(&d->text, TEXT_MAX);
	buf_init(&d->out, 8 * TEXT_MAX);
	if (speak(&d->text, body, n) < 0)
		goto fail;
	text_clock(&now);
	d->created = now.wall / 1000;
	d->hash = text_hash(TEXT_HASH, d->text.data, d->text.len);
	d->prompt = chat_scan(&c, body, n, &f) == 0 ? c.prompt : 1;
	d->completion = (chat_estimate(d->text.data, d->text.len) + 999) /
	    1000;
	if (loop_timer_set(l, &d->timer, loop_now(l)) < 0)
		goto fail;
	return d;
fail:
	demo_free(d);
	return NULL;
}

void
demo_cancel(struct demo *d)
{
	d->cancelled = true;
	loop_timer_cancel(d->loop, &d->timer);
	if (!d->inside)
		demo_free(d);
}

void
demo_resume(struct demo *d)
{
	if (!d->paused)
		return;
	d->paused = false;
	if (!d->inside)
		(void)loop_timer_set(d->loop, &d->timer,
		    loop_now(d->loop) + wait_of(d));
}
