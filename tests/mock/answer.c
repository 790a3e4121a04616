#include "answer.h"

#include <string.h>
#include <time.h>

#include "plain.h"

static const char *
either(const char *scripted, const char *usual)
{
	return scripted ? scripted : usual;
}

/* The parts of an answer's text, between one space and the next. */
static int64_t
count_words(const char *text)
{
	int64_t n = 0;

	while (*text) {
		text += strcspn(text, " ");
		text += *text == ' ';
		n++;
	}
	return n;
}

void
answer_open(struct answer *a, const struct question *q)
{
	const struct script *s = &a->s;
	struct blob *pre = &a->pre;
	int64_t text = s->text ? count_words(s->text) : s->tokens;

	if (s->tools)
		text = s->tools * 4;
	else if (s->bigline && !text)
		text = 1;
	a->phase = PHASE_START;
	a->wait = 0;
	a->sent = 0;
	a->asked = q->now;
	a->total = s->reasoning + text;
	a->rest = s->text;
	a->plain = q->plain;
	a->stream = q->stream && !s->json;
	a->chunked = !s->nochunk;
	a->keep = q->keep && a->chunked;
	a->want_usage = !s->nousage &&
	    (q->usage || s->usage_always || !a->stream);
	a->head_n = 0;
	pre->n = 0;
	blob_fmt(pre, "{\"id\":\"chatcmpl-mock-%lld\",\"object\":"
	    "\"chat.completion%s\",\"created\":%lld,\"model\":\"%s\",%s"
	    "\"choices\":[", q->id, a->stream ? ".chunk" : "", q->now,
	    q->model, s->usagenull && a->stream ? "\"usage\":null," : "");
}

void
answer_free(struct answer *a)
{
	blob_free(&a->pre);
}

/* -- Framing ------------------------------------------------------------ */

static void
chunk_open(struct answer *a, struct blob *o)
{
	a->chunk = o->n;
	if (a->chunked)
		blob_str(o, "0000\r\n");
}

static void
chunk_close(struct answer *a, struct blob *o)
{
	size_t n = o->n - a->chunk - 6, width = 4, i;
	char *p;

	if (!a->chunked)
		return;
	if (n > 0xffff) {
		blob_room(o, 4);
		p = o->p + a->chunk;
		memmove(p + 10, p + 6, n);
		o->n += 4;
		width = 8;
	}
	p = o->p + a->chunk;
	memcpy(p + width, "\r\n", 2);
	for (i = width; i--; n >>= 4)
		p[i] = "0123456789abcdef"[n & 15];
	blob_str(o, "\r\n");
}

static void
eol(const struct answer *a, struct blob *o)
{
	blob_str(o, a->s.cr ? "\r" : a->s.crlf ? "\r\n" : "\n");
}

static void
comment(struct answer *a, struct blob *o)
{
	chunk_open(a, o);
	blob_str(o, ": MOCK PROCESSING");
	eol(a, o);
	eol(a, o);
	chunk_close(a, o);
}

static void
event_open(struct answer *a, struct blob *o)
{
	chunk_open(a, o);
	if (a->s.fields) {
		blob_str(o, "event: message");
		eol(a, o);
		blob_str(o, "id: 7");
		eol(a, o);
		blob_str(o, "retry: 1000");
		eol(a, o);
		blob_str(o, "unknown: x");
		eol(a, o);
	}
	blob_str(o, a->s.nospace ? "data:" : "data: ");
}

static void
event_close(struct answer *a, struct blob *o)
{
	eol(a, o);
	eol(a, o);
	chunk_close(a, o);
}

/* An event up to its choices. A line break between JSON tokens changes
 * nothing once the lines of `data` are joined (WHATWG HTML, 9.2.6). */
static void
event_choices(struct answer *a, struct blob *o)
{
	event_open(a, o);
	if (!a->s.multiline) {
		blob_put(o, a->pre.p, a->pre.n);
		return;
	}
	blob_put(o, a->pre.p, 1);
	eol(a, o);
	blob_str(o, a->s.nospace ? "data:" : "data: ");
	blob_put(o, a->pre.p + 1, a->pre.n - 1);
}

/* RFC 9110, 5.6.7; the mock has no locale. */
static void
put_date(const struct answer *a, struct blob *o)
{
	time_t t = (time_t)a->asked;
	char date[64];
	struct tm tm;

	if (gmtime_r(&t, &tm) != NULL && strftime(date, sizeof(date),
	    "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
		blob_fmt(o, "Date: %s\r\n", date);
}

static void
head(struct answer *a, struct blob *o, int64_t status, const char *type,
    int64_t length)
{
	const struct script *s = &a->s;
	int64_t i;

	blob_fmt(o, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n"
	    "x-request-id: req_mock_%lld\r\n", (int)status,
	    plain_reason(status), either(s->ctype, type),
	    (long long)a->entry.seq);
	for (i = 0; i < s->nheader; i++)
		blob_fmt(o, "%s\r\n", s->header[i]);
	for (i = 0; i < s->headers; i++)
		blob_fmt(o, "x-mock-%lld: filler\r\n", (long long)i);
	if (s->bigheader) {
		blob_str(o, "x-mock-big: ");
		blob_fill(o, 'h', (size_t)s->bigheader);
		blob_str(o, "\r\n");
	}
	if (s->date)
		put_date(a, o);
	if (s->retry_after)
		blob_fmt(o, "Retry-After: %s\r\n", s->retry_after);
	if (s->redirect)
		blob_fmt(o, "Location: %s\r\n", s->redirect);
	if (s->gzip)
		blob_str(o, "Content-Encoding: gzip\r\n");
	if (length >= 0)
		blob_fmt(o, "Content-Length: %lld\r\n", (long long)length);
	else if (a->chunked)
		blob_str(o, "Transfer-Encoding: chunked\r\n");
	if (!a->keep)
		blob_str(o, "Connection: close\r\n");
	blob_str(o, "\r\n");
	a->head_n = o->n;
}

/* -- Contents ----------------------------------------------------------- */

static void
put_usage(const struct answer *a, struct blob *o)
{
	const struct script *s = &a->s;
	int64_t in = s->usage_in < 0 ? 7 : s->usage_in;
	int64_t out = s->usage_out < 0 ? a->total : s->usage_out;

	blob_fmt(o, "\"usage\":{\"prompt_tokens\":%lld,"
	    "\"completion_tokens\":%lld,\"total_tokens\":%lld}",
	    (long long)in, (long long)out, (long long)(in + out));
}

static void
put_finish(const struct answer *a, struct blob *o)
{
	const char *word = either(a->s.finish,
	    a->s.tools ? "tool_calls" : "stop");

	blob_str(o, ",\"logprobs\":null,\"finish_reason\":");
	if (!strcmp(word, "null"))
		blob_str(o, word);
	else
		blob_fmt(o, "\"%s\"", word);
}

/* The n-th part of the text, 1-based; s.text is read once from the front. */
static void
put_word(struct answer *a, struct blob *o, int64_t n)
{
	size_t k;

	if (n == 1 && a->s.bigline) {
		blob_fill(o, 'x', (size_t)a->s.bigline);
	} else if (a->rest) {
		k = strcspn(a->rest, " ");
		k += a->rest[k] == ' ';
		blob_json(o, a->rest, k);
		a->rest += k;
	} else {
		blob_str(o, "w");
		blob_num(o, n);
		blob_str(o, " ");
	}
}

/* A tool call comes in four parts: its name, and the arguments in three. */
static void
put_tool(struct blob *o, int64_t n)
{
	static const char *const part[] = {
	    "", "{\\\"city\\\":", "\\\"Os", "lo\\\"}"
	};
	int64_t call = (n - 1) / 4, k = (n - 1) % 4;

	blob_fmt(o, "\"tool_calls\":[{\"index\":%lld,", (long long)call);
	if (!k)
		blob_fmt(o, "\"id\":\"call_%lld\",\"type\":\"function\",",
		    (long long)call + 1);
	blob_fmt(o, "\"function\":{%s\"arguments\":\"%s\"}}]",
	    k ? "" : "\"name\":\"get_weather\",", part[k]);
}

static void
put_unit(struct answer *a, struct blob *o)
{
	int64_t n = ++a->sent;

	event_choices(a, o);
	blob_str(o, "{\"index\":0,\"delta\":{");
	if (n <= a->s.reasoning) {
		blob_fmt(o, "\"%s\":\"r%lld \"", a->s.rkey, (long long)n);
	} else if (a->s.tools) {
		put_tool(o, n - a->s.reasoning);
	} else {
		blob_str(o, "\"content\":\"");
		put_word(a, o, n - a->s.reasoning);
		blob_str(o, "\"");
	}
	blob_str(o, "},\"logprobs\":null,\"finish_reason\":null}]}");
	event_close(a, o);
}

static void
put_role(struct answer *a, struct blob *o)
{
	event_choices(a, o);
	blob_str(o, "{\"index\":0,\"delta\":{\"role\":\"assistant\","
	    "\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]}");
	event_close(a, o);
}

static void
put_error_event(struct answer *a, struct blob *o)
{
	const struct script *s = &a->s;
	const char *code = either(s->errcode, "502");
	bool bare = strspn(code, "0123456789") == strlen(code);

	event_open(a, o);
	blob_str(o, "{\"error\":{");
	plain_string(o, "message", either(s->message,
	    "mock: provider returned error"));
	blob_str(o, ",");
	plain_string(o, "type", either(s->type, "server_error"));
	blob_fmt(o, ",\"code\":%s%s%s}}", bare ? "" : "\"", code,
	    bare ? "" : "\"");
	event_close(a, o);
}

static void
put_end(struct answer *a, struct blob *o)
{
	event_choices(a, o);
	blob_str(o, "{\"index\":0,\"delta\":{}");
	put_finish(a, o);
	blob_str(o, "}]");
	if (a->want_usage && a->s.usagefinish) {
		blob_str(o, ",");
		put_usage(a, o);
	}
	blob_str(o, "}");
	event_close(a, o);
}

static void
put_done(struct answer *a, struct blob *o)
{
	if (a->want_usage && !a->s.usagefinish) {
		event_choices(a, o);
		blob_str(o, "],");
		put_usage(a, o);
		blob_str(o, "}");
		event_close(a, o);
	}
	if (a->s.nodone)
		return;
	event_open(a, o);
	blob_str(o, "[DONE]");
	event_close(a, o);
}

/* An event that is not JSON. */
static void
put_junk(struct answer *a, struct blob *o)
{
	event_open(a, o);
	blob_str(o, "{\"choices\":[{\"index\":0,");
	event_close(a, o);
}

/* The message of an answer that is no stream. */
static void
put_message(struct answer *a, struct blob *o)
{
	int64_t i, text = a->total - a->s.reasoning;

	blob_put(o, a->pre.p, a->pre.n);
	blob_str(o, "{\"index\":0,\"message\":{\"role\":\"assistant\",");
	if (a->s.reasoning) {
		blob_fmt(o, "\"%s\":\"", a->s.rkey);
		for (i = 1; i <= a->s.reasoning; i++)
			blob_fmt(o, "r%lld ", (long long)i);
		blob_str(o, "\",");
	}
	if (a->s.tools) {
		blob_str(o, "\"content\":null,\"tool_calls\":[");
		for (i = 1; i <= a->s.tools; i++)
			blob_fmt(o, "%s{\"id\":\"call_%lld\",\"type\":"
			    "\"function\",\"function\":{\"name\":"
			    "\"get_weather\",\"arguments\":"
			    "\"{\\\"city\\\":\\\"Oslo\\\"}\"}}",
			    i > 1 ? "," : "", (long long)i);
		blob_str(o, "]");
	} else {
		blob_str(o, "\"content\":\"");
		for (i = 1; i <= text; i++)
			put_word(a, o, i);
		blob_str(o, "\"");
	}
	blob_str(o, "}");
	put_finish(a, o);
	blob_str(o, "}]");
	if (a->want_usage) {
		blob_str(o, ",");
		put_usage(a, o);
	}
	blob_str(o, "}");
	a->sent = a->total;
}

/* -- Phases ------------------------------------------------------------- */

static enum next
ended(const struct answer *a)
{
	return a->keep && !a->s.hangup ? NEXT_KEEP : NEXT_FIN;
}

static enum next
whole(struct answer *a, struct blob *o, int64_t status, const char *type,
    struct blob *body)
{
	const struct script *s = &a->s;
	enum next next = ended(a);
	size_t n = body->n;

	head(a, o, status, type, (int64_t)n);
	if (s->cut >= 0 || s->fin >= 0 || s->silence >= 0) {
		if (s->cut != AT_DONE && s->fin != AT_DONE &&
		    s->silence != AT_DONE)
			n /= 2;
		next = s->cut >= 0 ? NEXT_RST : s->fin >= 0 ? NEXT_FIN :
		    NEXT_SILENT;
	}
	blob_put(o, body->p, n);
	blob_free(body);
	return next;
}

/* The connection is closed behind a fixture: the heads of ours say so. */
static enum next
step_fixture(struct answer *a, const char *dir, struct blob *o)
{
	const char *blank;

	plain_fixture(o, dir, a->s.body);
	blank = memmem(o->p, o->n, "\r\n\r\n", 4);
	if (blank)
		a->head_n = (size_t)(blank + 4 - o->p);
	return NEXT_FIN;
}

static enum next
step_head(struct answer *a, const char *fixtures, struct blob *o)
{
	const struct script *s = &a->s;
	struct blob body = { 0 };

	if (s->body)
		return step_fixture(a, fixtures, o);
	if (s->status && s->status != 200) {
		plain_error(&body, s->status, s);
		return whole(a, o, s->status, "application/json", &body);
	}
	if (s->redirect)
		return whole(a, o, 302, "text/html", &body);
	if (s->html) {
		blob_str(&body, "<!doctype html><title>mock</title>"
		    "<p>This is a page, not an answer.\n");
		return whole(a, o, 200, "text/html", &body);
	}
	if (!a->stream) {
		if (a->plain)
			blob_put(&body, a->plain->p, a->plain->n);
		else
			put_message(a, &body);
		return whole(a, o, 200, "application/json", &body);
	}
	head(a, o, 200, "text/event-stream; charset=utf-8", -1);
	a->phase = PHASE_OPEN;
	a->wait = s->headdelay;
	return a->wait ? NEXT_WAIT : NEXT_GO;
}

static enum next
step_start(struct answer *a, struct ledger *l)
{
	const struct script *s = &a->s;
	int64_t whole_gate = a->stream ? 0 : a->total;

	if (s->close || s->reset)
		return s->close ? NEXT_FIN : NEXT_RST;
	if (s->first && !a->wait) {
		a->wait = s->first;
		return NEXT_WAIT;
	}
	if (s->gatehead && ledger_gate(l, s->gatehead) < 1)
		return NEXT_HOLD;
	if (s->gate && ledger_gate(l, s->gate) < whole_gate)
		return NEXT_HOLD;
	a->phase = PHASE_HEAD;
	return NEXT_GO;
}

static enum next
step_open(struct answer *a, struct blob *o)
{
	const struct script *s = &a->s;
	int64_t i;

	if (s->bom) {
		chunk_open(a, o);
		blob_str(o, "\xef\xbb\xbf");
		chunk_close(a, o);
	}
	for (i = 0; i < s->precomments; i++)
		comment(a, o);
	a->phase = PHASE_UNITS;
	if (s->empty || s->errorfirst)
		a->phase = PHASE_END;
	if (s->errorfirst)
		put_error_event(a, o);
	if (s->comments)
		a->phase = PHASE_COMMENTS;
	if (!s->role0 || a->phase != PHASE_UNITS)
		return NEXT_GO;
	put_role(a, o);
	a->wait = s->pace;
	return a->wait ? NEXT_WAIT : NEXT_GO;
}

/* A fault that is asked for behind the end comes at the end: never is no
 * answer to "after 9 chunks". */
static bool
due(const struct answer *a, int64_t at, int64_t place)
{
	if (place == AT_FINISH || place == AT_DONE)
		return at == place;
	return at >= 0 && at < AT_FINISH &&
	    (a->sent >= at || a->sent == a->total);
}

/* What is scripted for this place, if anything. */
static bool
strike(struct answer *a, struct blob *o, int64_t place, enum next *next)
{
	const struct script *s = &a->s;

	*next = NEXT_GO;
	if (due(a, s->cut, place)) {
		*next = NEXT_RST;
	} else if (due(a, s->fin, place)) {
		*next = NEXT_FIN;
	} else if (due(a, s->silence, place)) {
		*next = NEXT_SILENT;
	} else if (due(a, s->badchunk, place)) {
		blob_str(o, "not a length\r\n");
		*next = NEXT_FIN;
	} else if (due(a, s->error, place)) {
		put_error_event(a, o);
		a->phase = PHASE_END;
	} else if (due(a, s->junk, place)) {
		put_junk(a, o);
		a->phase = PHASE_END;
	} else if (due(a, s->hush, place)) {
		a->phase = PHASE_COMMENTS;
	} else {
		return false;
	}
	return true;
}

static enum next
step_units(struct answer *a, struct ledger *l, struct blob *o)
{
	const struct script *s = &a->s;
	enum next next;

	if (strike(a, o, a->sent, &next))
		return next;
	if (a->sent == a->total) {
		a->phase = PHASE_FINISH;
		return NEXT_GO;
	}
	if (s->gate && a->sent >= ledger_gate(l, s->gate))
		return NEXT_HOLD;
	put_unit(a, o);
	ledger_token(l, &a->entry);
	a->wait = s->pace;
	return a->wait ? NEXT_WAIT : NEXT_GO;
}

enum next
answer_step(struct answer *a, struct ledger *l, const char *fixtures,
    struct blob *o)
{
	enum next next;

	switch (a->phase) {
	case PHASE_START:
		return step_start(a, l);
	case PHASE_HEAD:
		return step_head(a, fixtures, o);
	case PHASE_OPEN:
		return step_open(a, o);
	case PHASE_COMMENTS:
		comment(a, o);
		a->wait = a->s.pace ? a->s.pace : 50 * 1000;
		return NEXT_WAIT;
	case PHASE_UNITS:
		return step_units(a, l, o);
	case PHASE_FINISH:
		a->phase = PHASE_END;
		if (a->s.nofinish)
			return NEXT_GO;
		put_end(a, o);
		a->phase = PHASE_DONE;
		(void)strike(a, o, AT_FINISH, &next);
		return next;
	case PHASE_DONE:
		put_done(a, o);
		a->phase = PHASE_END;
		(void)strike(a, o, AT_DONE, &next);
		return next;
	case PHASE_END:
		break;
	}
	if (a->chunked)
		blob_str(o, "0\r\n\r\n");
	return ended(a);
}
