#include "provider.h"

#include <stdio.h>
#include <string.h>

#include "config.h"
#include "day.h"
#include "hint.h"
#include "log.h"
#include "text.h"
#include "verdict.h"

#define SECOND		INT64_C(1000)
#define HOUR		3600		/* seconds */

/* ---- who it is ---- */

/* The known providers: a block of any name with one of these hosts gets the
 * provider's rows, and so does a block of this name whose host is unknown (a
 * proxy in front of it). */
static const struct { const char *host, *kind; } hosts[] = {
	{ "api.groq.com", "groq" },
	{ "generativelanguage.googleapis.com", "gemini" },
	{ "openrouter.ai", "openrouter" },
	{ "api.mistral.ai", "mistral" },
	{ "integrate.api.nvidia.com", "nvidia" },
	{ "api.cloudflare.com", "cloudflare" },
	{ "api.z.ai", "zai" },
	{ "open.bigmodel.cn", "zai" },
	{ "ollama.com", "ollama-cloud" },
	{ "api.cohere.ai", "cohere" },
	{ "api.cohere.com", "cohere" },
	{ "api.cerebras.ai", "cerebras" },
	{ "api.x.ai", "xai" },
	{ "api.sambanova.ai", "sambanova" },
	{ "api.openai.com", "openai" },
	{ "api.anthropic.com", "anthropic" },
};

static const char *
kind_of(const struct config_provider *p)
{
	const char *host = strstr(p->url, "://"), *at;
	size_t i, n;

	host = host != NULL ? host + 3 : p->url;
	n = strcspn(host, "/?#");
	at = memchr(host, '@', n);
	if (at != NULL) {
		n -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	at = memchr(host, ':', n);
	if (at != NULL)
		n = (size_t)(at - host);
	for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (text_isi(host, n, hosts[i].host))
			return hosts[i].kind;
	for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (strcmp(p->name, hosts[i].kind) == 0)
			return hosts[i].kind;
	return "";
}

/* ---- what a class of failure means ---- */

enum clock { C_FIXED, C_HINT, C_DAY, C_MONTH };

struct class {
	const char	*words;		/* for the client, after the title */
	enum provider_action action;
	enum provider_scope scope;
	enum quota_reason reason;
	enum clock	 clock;
	int		 seconds;	/* of the bar when nothing tells it */
	bool		 breaker;
	enum fault_code	 fault;
	bool		 quotes;	/* the provider's words say more */
};

/* Rates take their scope from rate_scopes. Of the failures that may repeat
 * the seconds are the first step: whoever keeps the count doubles them. */
static const struct class classes[VERDICT_CLASSES] = {
	[VERDICT_BAD_KEY] = { "the key is not accepted; the operator has to "
	    "replace it", PROVIDER_NEXT, PROVIDER_KEY, QUOTA_BAD_KEY,
	    C_FIXED, 6 * HOUR, false, FAULT_UPSTREAM_STATUS, false },
	[VERDICT_KEY_REFUSED] = { "the key or this address is refused for "
	    "now", PROVIDER_NEXT, PROVIDER_KEY, QUOTA_KEY_REFUSED,
	    C_HINT, 900, false, FAULT_UPSTREAM_STATUS, false },
	[VERDICT_NO_CREDIT] = { "the account has no credit left",
	    PROVIDER_NEXT, PROVIDER_KEY, QUOTA_NO_CREDIT,
	    C_FIXED, 24 * HOUR, false, FAULT_UPSTREAM_STATUS, false },
	[VERDICT_NOT_ENTITLED] = { "the account's plan does not have this "
	    "model", PROVIDER_NEXT, PROVIDER_LANE, QUOTA_NOT_ENTITLED,
	    C_FIXED, 24 * HOUR, false, FAULT_UPSTREAM_STATUS, false },
	[VERDICT_ACCOUNT_SETTING] = { "a setting of the account (data policy "
	    "or country) forbids it; the operator has to change it",
	    PROVIDER_NEXT, PROVIDER_KEY, QUOTA_ACCOUNT_SETTING,
	    C_FIXED, 6 * HOUR, false, FAULT_UPSTREAM_STATUS, false },
	[VERDICT_MODEL_GONE] = { "this model is no longer there",
	    PROVIDER_NEXT, PROVIDER_MODEL, QUOTA_MODEL_GONE,
	    C_FIXED, 24 * HOUR, false, FAULT_UPSTREAM_STATUS, false },
	[VERDICT_RATE_MINUTE] = { "its rate limit is reached",
	    PROVIDER_NEXT, PROVIDER_LANE, QUOTA_RATE_MINUTE,
	    C_HINT, 60, false, FAULT_RATE_LIMITED, false },
	[VERDICT_RATE_DAY] = { "its daily limit is reached",
	    PROVIDER_NEXT, PROVIDER_LANE, QUOTA_RATE_DAY,
	    C_DAY, 0, false, FAULT_RATE_LIMITED, false },
	[VERDICT_RATE_MONTH] = { "its monthly limit is reached",
	    PROVIDER_NEXT, PROVIDER_KEY, QUOTA_RATE_MONTH,
	    C_MONTH, 0, false, FAULT_RATE_LIMITED, false },
	[VERDICT_CAPACITY] = { "the model is overloaded at the moment",
	    PROVIDER_NEXT, PROVIDER_MODEL, QUOTA_CAPACITY,
	    C_HINT, 10, true, FAULT_UPSTREAM_STATUS, false },
	[VERDICT_DOWN] = { "it is failing at the moment",
	    PROVIDER_NEXT, PROVIDER_ACCOUNT, QUOTA_DOWN,
	    C_HINT, 5, true, FAULT_UPSTREAM_STATUS, false },
	[VERDICT_NET] = { "it cannot be reached",
	    PROVIDER_NEXT, PROVIDER_ACCOUNT, QUOTA_DOWN,
	    C_FIXED, 30, true, FAULT_UPSTREAM_REFUSED, false },
	[VERDICT_TIMEOUT] = { "it did not answer in time",
	    PROVIDER_NEXT, PROVIDER_MODEL, QUOTA_TIMEOUT,
	    C_HINT, 10, true, FAULT_UPSTREAM_TIMEOUT, false },
	[VERDICT_TRUNCATED] = { "its answer broke off before the end",
	    PROVIDER_NEXT, PROVIDER_MODEL, QUOTA_DOWN,
	    C_FIXED, 10, true, FAULT_UPSTREAM_CUT, false },
	[VERDICT_EMPTY] = { "it answered without any content",
	    PROVIDER_NEXT, PROVIDER_NONE, QUOTA_OPEN,
	    C_FIXED, 0, true, FAULT_UPSTREAM_EMPTY, false },
	[VERDICT_MALFORMED] = { "its answer cannot be understood",
	    PROVIDER_NEXT, PROVIDER_MODEL, QUOTA_DOWN,
	    C_FIXED, 10, true, FAULT_UPSTREAM_MALFORMED, false },
	[VERDICT_TOO_LARGE_CTX] = { "the request is longer than the model's "
	    "context", PROVIDER_LARGER, PROVIDER_NONE, QUOTA_OPEN,
	    C_FIXED, 0, false, FAULT_CONTEXT_LENGTH, true },
	[VERDICT_TOO_LARGE_QUOTA] = { "the request has more tokens than the "
	    "plan admits in a minute; shorten it", PROVIDER_NEXT,
	    PROVIDER_NONE, QUOTA_OPEN,
	    C_FIXED, 0, false, FAULT_CONTEXT_LENGTH, false },
	[VERDICT_GEN_FAILED] = { "the model made an answer that does not fit "
	    "the request's tools or schema", PROVIDER_SAME, PROVIDER_NONE,
	    QUOTA_OPEN, C_FIXED, 0, false, FAULT_UPSTREAM_STATUS, false },
	[VERDICT_UNSUPPORTED] = { "the model does not know a parameter of "
	    "the request", PROVIDER_STRIP, PROVIDER_NONE, QUOTA_OPEN,
	    C_FIXED, 0, false, FAULT_INVALID_REQUEST, true },
	[VERDICT_BAD_REQUEST] = { "the request is not accepted",
	    PROVIDER_FAIL, PROVIDER_NONE, QUOTA_OPEN,
	    C_FIXED, 0, false, FAULT_INVALID_REQUEST, true },
	[VERDICT_BLOCKED] = { "the content was blocked by a filter",
	    PROVIDER_FAIL, PROVIDER_NONE, QUOTA_OPEN,
	    C_FIXED, 0, false, FAULT_CONTENT_BLOCKED, false },
	[VERDICT_LOADING] = { "the model is still loading",
	    PROVIDER_SAME, PROVIDER_NONE, QUOTA_OPEN,
	    C_FIXED, 0, false, FAULT_UPSTREAM_STATUS, false },
	[VERDICT_INTERNAL] = { "the call could not be made",
	    PROVIDER_NEXT, PROVIDER_NONE, QUOTA_OPEN,
	    C_FIXED, 0, false, FAULT_INTERNAL, false },
};

#define LOADING_MS	2000	/* llama.cpp loads for seconds to minutes */
#define MINUTE_MOST	(900 * SECOND)	/* beyond: a daily limit after all */

/* Whom a rate limit hits; by key and model where there is no row. OpenRouter
 * counts all `:free` models of an account together (openrouter.ai/docs/
 * api-reference/limits, 2026-08-22); its paid models would go on, but then
 * the account is not a free one. The others: their pages on rate limits,
 * 2026-08; NVIDIA's as seen live. */
static const struct { const char *kind; enum provider_scope scope; }
rate_scopes[] = {
	{ "openrouter", PROVIDER_ACCOUNT },
	{ "nvidia", PROVIDER_KEY },
	{ "cloudflare", PROVIDER_KEY },
	{ "zai", PROVIDER_KEY },
	{ "cohere", PROVIDER_KEY },
};

/* Whose day ends by a calendar, whatever the hints of a refusal say: Gemini
 * adds a retryDelay of seconds to a daily 429 (ai.google.dev/gemini-api/docs/
 * rate-limits, 2026-08: midnight Pacific; the others' pages: 00:00 UTC). */
static const struct { const char *kind; enum config_day day; } calendars[] = {
	{ "gemini", CONFIG_DAY_PACIFIC },
	{ "cloudflare", CONFIG_DAY_UTC },
	{ "openrouter", CONFIG_DAY_UTC },
};

/* ---- judging ---- */

static enum provider_scope
scope_of(const struct verdict_row *w, const char *kind)
{
	static const enum provider_scope scopes[] = {
		[VERDICT_LANE] = PROVIDER_LANE, [VERDICT_KEY] = PROVIDER_KEY,
		[VERDICT_ACCOUNT] = PROVIDER_ACCOUNT,
	};
	size_t i;

	if (w->scope != VERDICT_OF_CLASS)
		return scopes[w->scope];
	if (w->class == VERDICT_RATE_MINUTE || w->class == VERDICT_RATE_DAY)
		for (i = 0; i < sizeof(rate_scopes) / sizeof(rate_scopes[0]);
		    i++)
			if (strcmp(kind, rate_scopes[i].kind) == 0)
				return rate_scopes[i].scope;
	return classes[w->class].scope;
}

/* When the next day or month begins. */
static int64_t
next_start(enum config_day day, bool month, int64_t now)
{
	return day_end(day, month, day_begin(day, month, now));
}

/* The end of a day's bar. A rolling day gives room back all the time: an hour
 * without a word from the provider is a fair time to ask again. */
static int64_t
until_day(const struct config_provider *p, const char *kind,
    const struct hint_text *t, int64_t now)
{
	int64_t ms;
	size_t i;

	for (i = 0; i < sizeof(calendars) / sizeof(calendars[0]); i++)
		if (strcmp(kind, calendars[i].kind) == 0)
			return next_start(calendars[i].day, false, now);
	if (hint_wait(t, now, &ms) == 0)
		return now + ms;
	if (day_calendar(p->day))
		return next_start(p->day, false, now);
	return now + HOUR * SECOND;
}

static void
set_until(const struct config_provider *p, const char *kind,
    const struct verdict_row *w, const struct hint_text *t, int64_t now,
    struct provider_verdict *v)
{
	const struct class *c = &classes[w->class];
	int seconds = w->seconds != 0 ? w->seconds : c->seconds;
	int64_t ms = seconds * SECOND;

	switch (c->clock) {
	case C_DAY:
		v->until = until_day(p, kind, t, now);
		return;
	case C_MONTH:
		v->until = next_start(CONFIG_DAY_UTC, true, now);
		return;
	case C_HINT:
		v->guess = hint_wait(t, now, &ms) != 0 && c->breaker;
		break;
	case C_FIXED:
		v->guess = c->breaker;
		break;
	}
	v->until = ms > 0 && v->scope != PROVIDER_NONE ? now + ms : 0;
	if (w->class == VERDICT_RATE_MINUTE && ms > MINUTE_MOST)
		v->reason = QUOTA_RATE_DAY;
}

/* Members that make the request what it is: without them the answer would be
 * one to another question. */
static const char *const vital[] = { "model", "messages", "stream", "tools",
    "tool_choice", "response_format", "functions", "function_call",
    "modalities", "audio" };

static bool
may_strip(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < sizeof(vital) / sizeof(vital[0]); i++)
		if (text_is(p, n, vital[i]))
			return false;
	return n > 1 && n < sizeof(((struct provider_verdict *)0)->strip) &&
	    strspn(p, "abcdefghijklmnopqrstuvwxyz_") >= n;
}

/* The first quoted word of a message that could be a member. */
static const char *
quoted(const char *p, size_t *n)
{
	const char *end;

	while ((p = strpbrk(p, "'`\"")) != NULL) {
		end = strchr(p + 1, *p);
		if (end == NULL)
			return NULL;
		*n = (size_t)(end - p - 1);
		if (may_strip(p + 1, *n))
			return p + 1;
		p = end + 1;
	}
	return NULL;
}

/* The word after "supplied: ", as in OpenAI's "Unrecognized request argument
 * supplied: seed", which quotes nothing. */
static const char *
supplied(const char *p, size_t *n)
{
	static const char mark[] = "supplied: ";

	p = strstr(p, mark);
	if (p == NULL)
		return NULL;
	p += sizeof(mark) - 1;
	*n = strspn(p, "abcdefghijklmnopqrstuvwxyz_");
	return may_strip(p, *n) ? p : NULL;
}

/* The member that the provider does not know: from the field for it, from
 * what a wording is known to mean, from a quoted word. A wrong guess harms
 * nobody: a member that the body does not have is not stripped. */
static void
find_member(const struct verdict_error *e, char *out, size_t size)
{
	static const struct { const char *text, *member; } known[] = {
		{ "only supports single tool-calls", "parallel_tool_calls" },
		{ "reasoning_effort", "reasoning_effort" },
		{ "reasoning effort", "reasoning_effort" },
		{ "effort level", "reasoning_effort" },
	};
	const char *p = e->param;
	size_t i, n = strlen(p);

	if (!may_strip(p, n)) {
		p = NULL;
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strstr(e->text, known[i].text) != NULL) {
				p = known[i].member;
				n = strlen(p);
				break;
			}
		if (p == NULL)
			p = quoted(e->message, &n);
		if (p == NULL)
			p = supplied(e->message, &n);
	}
	if (p != NULL)
		snprintf(out, size, "%.*s", (int)n, p);
}

/* The length of s, at most max, cut between characters. */
static int
cut(const char *s, size_t max)
{
	size_t n = strnlen(s, max);

	while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return (int)n;
}

/* What the client hears. The provider's own words only where they are about
 * the client's request; the rest may name the operator's account. */
static void
set_fault(const struct config_provider *p, const struct verdict_row *w,
    const struct provider_answer *a, const struct verdict_error *e,
    int64_t now, struct provider_verdict *v)
{
	const struct class *c = &classes[w->class];
	enum fault_code code = c->fault;
	bool quote = c->quotes && e->message[0] != '\0' && (e->status == 400 ||
	    e->status == 413 || e->status == 422);

	if (code == FAULT_UPSTREAM_STATUS && a->net == FAULT_UPSTREAM_ERROR)
		code = FAULT_UPSTREAM_ERROR;
	if (quote)
		fault_set(&v->fault, code, NULL, "%s: %s%s%s: %.*s", p->title,
		    c->words, v->strip[0] != '\0' ? ", " : "", v->strip,
		    cut(e->message, 300), e->message);
	else if (v->strip[0] != '\0')
		fault_set(&v->fault, code, NULL, "%s: %s: %s.", p->title,
		    c->words, v->strip);
	else
		fault_set(&v->fault, code, NULL, "%s: %s.", p->title,
		    c->words);
	if (v->until > now && (code == FAULT_RATE_LIMITED || c->breaker))
		v->fault.retry_ms = v->until - now;
}

void
provider_judge(const struct config_provider *p,
    const struct provider_answer *a, int64_t now, struct provider_verdict *v)
{
	const char *kind = kind_of(p);
	const struct verdict_row *w;
	struct verdict_error e;
	struct hint_text t;

	memset(v, 0, sizeof(*v));
	v->fault.retry_ms = -1;
	v->row = "ok";
	if (a->net == FAULT_NONE && a->status == 200)
		return;
	if (a->net == FAULT_NONE || a->net == FAULT_UPSTREAM_ERROR) {
		verdict_read(&e, a->status, a->body, a->body != NULL ?
		    a->body_len : 0);
		w = verdict_find(kind, &e, a->head, a->head_len);
	} else {
		verdict_read(&e, a->status, NULL, 0);
		w = verdict_net(a->net);
	}
	t = (struct hint_text){ .head = a->head, .head_len = a->head_len,
	    .delay = e.delay, .reset = e.reset, .message = e.text };
	v->row = w->id;
	v->action = classes[w->class].action;
	v->scope = scope_of(w, kind);
	v->reason = classes[w->class].reason;
	v->breaker = classes[w->class].breaker;
	if (w->class == VERDICT_LOADING)
		v->wait_ms = LOADING_MS;
	set_until(p, kind, w, &t, now, v);
	if (w->class == VERDICT_UNSUPPORTED) {
		find_member(&e, v->strip, sizeof(v->strip));
		if (v->strip[0] == '\0')
			v->action = PROVIDER_NEXT;
	}
	/* Before it is cut: half a key would be no secret that is known. */
	log_redact(e.message, strlen(e.message));
	set_fault(p, w, a, &e, now, v);
}

size_t
provider_observe(const struct config_provider *p, const char *head, size_t n,
    int64_t now, struct quota_seen *seen, size_t max)
{
	return hint_limits(kind_of(p), head, n, now, seen, max);
}
