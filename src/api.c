#include "api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "buf.h"
#include "chat.h"
#include "client.h"
#include "config.h"
#include "explain.h"
#include "http.h"
#include "ledger.h"
#include "log.h"
#include "metrics.h"
#include "relay.h"
#include "report.h"
#include "text.h"

#define API_ANSWER	(4 * 1024 * 1024)	/* bytes of a small answer */
#define API_HEAD	(128 * 1024)	/* it may repeat a client's list of
					 * headers, 64 KB of it */

struct api {
	const struct config	*cfg;
	struct ledger		*ledger;
	struct relays		*relays;
};

struct call {
	struct api		*a;
	const struct http	*h;
	const char		*rest;		/* what "*" matched */
	size_t			 client;
	struct text_time	 now;
	const char		*sent;		/* the request's body */
	size_t			 len;
	struct buf		*body;		/* a small answer */
	const char		*type;		/* of the body; NULL: JSON */
	char			 etag[24];	/* of the body; "" none */
};

/* One row of the route table. A pattern matches the end of the path, so that
 * the program works below any mount point; "/" alone matches only the root.
 * A '*' at the end matches one or more segments. */
struct endpoint {
	enum http_method method;
	const char	*pattern;
	bool		 open;		/* needs no token */
	bool		 openai;	/* the OpenAI dialect, not our own */
	int		(*answer)(struct call *c, struct fault *f);
					/* NULL: a chat */
};

static struct report
report_of(const struct call *c)
{
	struct report r = { .cfg = c->a->cfg, .ledger = c->a->ledger,
	    .now = &c->now };

	if (c->client != LEDGER_NOBODY) {
		const struct config_client *is = &r.cfg->clients[c->client];

		r.allowed = is->models;
		r.own = is->sees_all ? NULL : is;
	}
	return r;
}

/* client_admit, and what a wrong token costs the address that it came from.
 * None at all is no attempt: a page that was just opened asks without. */
static int
admit(struct call *c, struct fault *f)
{
	bool tell;
	int64_t ms;

	if (client_admit(c->a->cfg, c->h, c->now.wall, &c->client, f) == 0)
		return 0;
	if (c->h->token == NULL)
		return -1;
	ms = ledger_failed(c->a->ledger, &c->now, client_address(c->h), &tell);
	if (tell)
		log_msg(LOG_WARN, "too_many_attempts", "many wrong or expired "
		    "tokens from %.60s: more of them are answered with 429",
		    c->h->remote);
	if (ms > 0) {
		fault_set(f, FAULT_ATTEMPTS, NULL, "this token is not known "
		    "here either: too many such tokens came from your "
		    "address");
		f->retry_ms = ms;
	}
	return -1;
}

static int
root(struct call *c, struct fault *f)
{
	struct report r;

	/* Without a token only what everybody may know. */
	if (admit(c, f) != 0)
		return buf_puts(c->body, "{\"status\":\"ok\",\"message\":"
		    "\"AI API running\",\"models\":[]}");
	r = report_of(c);
	return report_root(&r, c->body);
}

static int
models(struct call *c, struct fault *f)
{
	struct report r = report_of(c);

	(void)f;
	return report_models(&r, c->body);
}

/* An entity tag for what /usage says, weak (RFC 9110 8.8.1): the first member,
 * "now", and where a rolling day begins move with the clock while nothing else
 * does, so both are left out. */
static void
usage_tag(struct call *c)
{
	static const char start[] = "\"dayStart\":";
	const char *p = buf_str(c->body), *to;
	uint64_t h = TEXT_HASH;

	for (p += strcspn(p, ","); (to = strstr(p, start)) != NULL;
	    p = to + strcspn(to, ","))
		h = text_hash(h, p, (size_t)(to - p));
	h = text_hash(h, p, strlen(p));
	snprintf(c->etag, sizeof(c->etag), "W/\"%016" PRIx64 "\"", h);
}

static int
usage(struct call *c, struct fault *f)
{
	struct report r = report_of(c);
	char history[8];

	(void)f;
	r.history = http_query(c->h, "history", history,
	    sizeof(history)) == 0 && strcmp(history, "1") == 0;
	if (report_usage(&r, c->body) != 0)
		return -1;
	usage_tag(c);
	return 0;
}

static int
health(struct call *c, struct fault *f)
{
	struct report r = report_of(c);

	(void)f;
	return report_health(&r, relays_live(c->a->relays), c->body);
}

static int
metrics(struct call *c, struct fault *f)
{
	/* They are of the whole, and a time series that leaves some out by who
	 * asks would be no use. */
	if (c->client != LEDGER_NOBODY &&
	    !c->a->cfg->clients[c->client].sees_all) {
		fault_set(f, FAULT_FORBIDDEN, NULL, "/metrics shows the "
		    "figures of all: that takes a client with usage = all");
		return -1;
	}
	if (metrics_put(c->a->cfg, c->a->ledger, &c->now, c->body) != 0)
		return -1;
	c->type = METRICS_TYPE;
	return 0;
}

static int
openai_models(struct call *c, struct fault *f)
{
	struct report r = report_of(c);

	(void)f;
	return report_openai(&r, c->body);
}

static int
openai_model(struct call *c, struct fault *f)
{
	struct report r = report_of(c);

	if (report_openai_one(&r, c->rest, c->body) == 0)
		return 0;
	fault_set(f, FAULT_MODEL_NOT_FOUND, "model", "there is no model "
	    "\"%.200s\"; GET /models lists them", c->rest);
	return -1;
}

/* The alias that a request's model names; NULL and f: there is none. */
static const struct config_alias *
alias_of(const struct config *cfg, const char *model, struct fault *f)
{
	const struct config_alias *a = config_find(cfg, model);

	if (a == NULL)
		fault_set(f, FAULT_MODEL_NOT_FOUND, "model", "there is no "
		    "model \"%.200s\"; GET /models lists them", model);
	return a;
}

static int
explain(struct call *c, const struct chat *chat, struct fault *f)
{
	struct explain e = { c->a->cfg, c->a->ledger, NULL, chat, c->client,
	    &c->now, (uint64_t)c->now.mono };

	e.alias = alias_of(c->a->cfg, chat->model, f);
	return e.alias == NULL ? -1 : explain_json(&e, c->body);
}

/* A dry run for any question of that size, or of the least. */
static int
dry_get(struct call *c, struct fault *f)
{
	char model[CHAT_MODEL], number[24];
	uint64_t tokens = 0;
	struct chat chat;

	if (http_query(c->h, "model", model, sizeof(model)) != 0)
		model[0] = '\0';
	if (http_query(c->h, "tokens", number, sizeof(number)) == 0 &&
	    text_uint(number, strlen(number), UINT32_MAX, &tokens) != 0) {
		fault_set(f, FAULT_INVALID_REQUEST, "tokens", "tokens has to "
		    "be a number, those of the prompt");
		return -1;
	}
	explain_plain(&chat, model, (int64_t)tokens);
	return explain(c, &chat, f);
}

static bool
json_sent(const struct call *c, struct fault *f)
{
	if (http_is_json(c->h))
		return true;
	fault_set(f, FAULT_MEDIA_TYPE, NULL, "the body has to be JSON: "
	    "send \"Content-Type: application/json\"");
	return false;
}

/* A dry run for this question. */
static int
dry_post(struct call *c, struct fault *f)
{
	struct chat chat;

	if (!json_sent(c, f) || chat_scan(&chat, c->sent, c->len, f) != 0)
		return -1;
	return explain(c, &chat, f);
}

/* The Cerebras SDK asks for it when it starts, to open a connection. */
static int
warming(struct call *c, struct fault *f)
{
	(void)f;
	return buf_puts(c->body, "{}");
}

static const struct endpoint table[] = {
	{ HTTP_GET,  "/",		true,  false, root },
	{ HTTP_POST, "/chat",		false, false, NULL },
	{ HTTP_GET,  "/models",		false, false, models },
	{ HTTP_GET,  "/usage",		false, false, usage },
	{ HTTP_GET,  "/health",		true,  false, health },
	{ HTTP_GET,  "/metrics",	false, false, metrics },
	{ HTTP_GET,  "/route",		false, false, dry_get },
	{ HTTP_POST, "/route",		false, false, dry_post },
	/* the prefixes that the OpenAI, Groq and OpenRouter SDKs use */
	{ HTTP_POST, "/v1/chat/completions", false, true,  NULL },
	{ HTTP_GET,  "/v1/models",	false, true,  openai_models },
	{ HTTP_GET,  "/v1/models/*",	false, true,  openai_model },
	{ HTTP_GET,  "/v1/tcp_warming",	true,  true,  warming },
};

static bool
ends(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

/* Whether path ends in pattern, which begins a segment. */
static bool
match(const char *path, const char *pattern, const char **rest)
{
	size_t k = strlen(pattern);
	const char *p;

	if (pattern[k - 1] != '*')
		return ends(path, pattern);
	p = strstr(path, "/v1/models/");
	if (p == NULL)
		return false;
	*rest = p + k - 1;
	return true;
}

/* "/" is the root of the mount only: of the server, of the configured prefix,
 * or of the script itself in plain CGI. (SCRIPT_NAME does not tell: nginx puts
 * the whole path there.) */
static bool
is_root(const struct config *cfg, const struct http *h)
{
	size_t n = strlen(cfg->prefix);

	if (n > 0 && strncmp(h->path, cfg->prefix, n) == 0 &&
	    h->path[n] == '\0')
		return true;
	return strcmp(h->path, "/") == 0 || ends(h->path, ".cgi") ||
	    ends(h->path, ".fcgi");
}

/* The methods that a pattern takes. */
static const char *
methods(const struct endpoint *e)
{
	bool get = false, post = false;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (strcmp(table[i].pattern, e->pattern) == 0) {
			get |= table[i].method == HTTP_GET;
			post |= table[i].method == HTTP_POST;
		}
	return get && post ? "GET, HEAD, POST, OPTIONS" :
	    post ? "POST, OPTIONS" : "GET, HEAD, OPTIONS";
}

/* The endpoint of h. NULL and f: no such path (404), or another method (405,
 * whose name goes to allow). */
static const struct endpoint *
find(const struct config *cfg, struct call *c, const char **allow,
    struct fault *f)
{
	enum http_method method = c->h->method == HTTP_HEAD ? HTTP_GET :
	    c->h->method;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		const struct endpoint *e = &table[i];

		if (strcmp(e->pattern, "/") == 0 ? !is_root(cfg, c->h) :
		    !match(c->h->path, e->pattern, &c->rest))
			continue;
		/* "/v1/models" ends in "/models" too. */
		if (!e->openai && strstr(c->h->path, "/v1/") != NULL)
			continue;
		if (method == e->method || method == HTTP_OPTIONS)
			return e;
		*allow = methods(e);
		fault_set(f, FAULT_METHOD, NULL, e->method == HTTP_POST ?
		    "%s takes POST with a JSON body such as {\"messages\":"
		    "[{\"role\":\"user\",\"content\":\"Hello\"}]}" :
		    "%s takes GET", e->pattern);
	}
	if (*allow == NULL)
		fault_set(f, FAULT_UNKNOWN_URL, NULL, "there is nothing at "
		    "this path; try POST /chat, GET /models, GET /usage, "
		    "GET /health, GET /route?model=auto or POST "
		    "/v1/chat/completions (an SDK's base URL ends in /v1)");
	return NULL;
}

/* ---- small answers ---- */

/* Whether an If-None-Match names etag, by the weak comparison (RFC 9110 8.8.3.2
 * and 13.1.2). What is no entity tag names nothing from there on. */
static bool
has_tag(const char *list, const char *etag)
{
	size_t n;

	etag += strcspn(etag, "\"");
	if (strcmp(list, "*") == 0)
		return true;
	for (;;) {
		list += strspn(list, ", \t");
		if (strncmp(list, "W/", 2) == 0)
			list += 2;
		if (*list != '"')
			return false;
		n = strcspn(list + 1, "\"") + 2;
		if (strncmp(list, etag, n) == 0 && etag[n] == '\0')
			return true;
		if (n > strlen(list))
			return false;
		list += n;
	}
}

/* What the client has already: the same head, no body. */
static bool
unchanged(const struct call *c)
{
	return c->etag[0] != '\0' && c->h->etag != NULL &&
	    has_tag(c->h->etag, c->etag);
}

static void
log_small(const struct call *c, const char *route, int status,
    const struct fault *f)
{
	struct text_time end;

	text_clock(&end);
	log_open(LOG_INFO, "request");
	log_str("id", c->h->id);
	log_str("route", route);
	if (c->client != LEDGER_NOBODY)
		log_str("client", c->a->cfg->clients[c->client].name);
	log_int("status", status);
	if (f != NULL && f->code != FAULT_NONE)
		log_str("code", fault_word(f->code));
	log_int("ms", end.mono - c->now.mono);
	log_close();
}

static void
answer(const struct call *c, struct sink *sink, int status, const char *route,
    const char *allow, const struct fault *f)
{
	char length[24];
	struct buf head;

	buf_init(&head, API_HEAD);
	http_head(&head, c->h, status, c->body->len == 0 ? NULL :
	    c->type != NULL ? c->type : "application/json");
	http_header(&head, "Cache-Control", "no-store");
	if (allow != NULL)
		http_header(&head, "Allow", allow);
	if (f != NULL)
		answer_retry(&head, f);
	if (status == 401)
		http_header(&head, "WWW-Authenticate", "Bearer");
	if (c->etag[0] != '\0')
		http_header(&head, "ETag", c->etag);
	if (status != 204 && status != 304) {
		snprintf(length, sizeof(length), "%zu", c->body->len);
		http_header(&head, "Content-Length", length);
	}
	(void)http_cors(&head, c->h, c->a->cfg->origins);
	http_end(&head);
	/* Half a head would take the body for its other half. */
	if (!head.failed)
		(void)sink->put(sink, head.data, head.len);
	if (!head.failed && c->h->method != HTTP_HEAD && c->body->len > 0)
		(void)sink->put(sink, c->body->data, c->body->len);
	log_small(c, route, status, f);
	sink->end(sink, !head.failed);
	buf_release(&head);
}

static void
refuse(const struct call *c, struct sink *sink, const char *route,
    const char *allow, const struct fault *f)
{
	buf_clear(c->body);
	(void)fault_put(f, c->body);
	answer(c, sink, f->status, route, allow, f);
}

/* ---- chats ---- */

/* The text form is for the first clients of this API, on its own route. */
static bool
wants_text(const struct config *cfg, const struct endpoint *e,
    const struct http *h, const struct chat *chat)
{
	if (e->openai || (chat->has_stream && !chat->stream))
		return false;
	if (http_prefers(h, "text/plain", "text/event-stream"))
		return true;
	return cfg->chat_text &&
	    !http_prefers(h, "text/event-stream", "text/plain");
}

static struct relay *
chat_start(struct call *c, const struct endpoint *e, struct api_request *rq,
    struct sink *sink, struct fault *f)
{
	const struct config *cfg = c->a->cfg;
	struct relay_ask ask = { .http = c->h, .route = e->pattern,
	    .client = c->client, .len = rq->len };
	struct relay *r;

	if (!json_sent(c, f))
		return NULL;
	if (ledger_crowded(c->a->ledger)) {
		fault_set(f, FAULT_OVERLOADED, NULL, "more processes than the "
		    "gateway can count answer requests");
		f->retry_ms = 1000;
		return NULL;
	}
	if (chat_scan(&ask.chat, rq->body, rq->len, f) != 0)
		return NULL;
	ask.alias = alias_of(cfg, ask.chat.model, f);
	if (ask.alias == NULL)
		return NULL;
	if (ask.alias->retired)
		log_msg(LOG_WARN, "retired_model", "%s is retired: %s answers "
		    "in its place", ask.alias->name, ask.alias->nlanes > 0 ?
		    cfg->models[cfg->lanes[ask.alias->lanes[0]].model].name :
		    "nothing");
	ask.text = wants_text(cfg, e, c->h, &ask.chat);
	/* /chat streams unless told otherwise, OpenAI's API the reverse. */
	if (ask.text || (!e->openai && !ask.chat.has_stream))
		ask.chat.stream = true;
	ask.tell = !e->openai;
	ask.body = rq->body;
	rq->body = NULL;
	r = relay_start(c->a->relays, &ask, sink);
	if (r == NULL)
		fault_set(f, FAULT_OVERLOADED, NULL, "out of memory");
	return r;
}

struct relay *
api_start(struct api *a, struct api_request *rq, struct sink *sink)
{
	const struct config *cfg = a->cfg;
	struct buf body;
	struct call c = { .a = a, .h = rq->http, .rest = "", .body = &body,
	    .client = LEDGER_NOBODY, .sent = rq->body, .len = rq->len };
	const char *allow = NULL, *route = "none";
	const struct endpoint *e;
	struct fault f = rq->fault;
	struct relay *r = NULL;

	text_clock(&c.now);
	buf_init(&body, API_ANSWER);
	if (f.code != FAULT_NONE || client_host(cfg, c.h, &f) != 0)
		goto refused;
	e = find(cfg, &c, &allow, &f);
	if (e == NULL)
		goto refused;
	route = e->pattern;
	if (c.h->method == HTTP_OPTIONS) {
		answer(&c, sink, 204, route, methods(e), NULL);
		goto out;
	}
	if (!e->open && admit(&c, &f) != 0)
		goto refused;
	if (e->answer == NULL) {
		r = chat_start(&c, e, rq, sink, &f);
		if (r == NULL)
			goto refused;
		goto out;
	}
	if (e->answer(&c, &f) != 0) {
		if (f.code == FAULT_NONE)
			fault_set(&f, FAULT_INTERNAL, NULL,
			    "the answer could not be made");
		goto refused;
	}
	if (unchanged(&c)) {
		buf_clear(&body);
		answer(&c, sink, 304, route, NULL, NULL);
	} else {
		answer(&c, sink, 200, route, NULL, NULL);
	}
	goto out;
refused:
	refuse(&c, sink, route, allow, &f);
out:
	free(rq->body);
	rq->body = NULL;
	buf_release(&body);
	return r;
}

struct api *
api_new(const struct config *cfg, struct ledger *ledger,
    struct relays *relays)
{
	struct api *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->cfg = cfg;
	a->ledger = ledger;
	a->relays = relays;
	return a;
}

void
api_free(struct api *a)
{
	free(a);
}
