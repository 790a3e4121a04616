#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

enum kind { FLAG, NUM, AT, MS, STR, HEADER, USAGE };

static const struct key {
	const char *name;
	enum kind kind;
	size_t	 at;
} keys[] = {
#define K(name, kind, field) { name, kind, offsetof(struct script, field) }
	K("tokens", NUM, tokens),
	K("reasoning", NUM, reasoning),
	K("tools", FLAG, tools),
	K("bigline", NUM, bigline),
	K("status", NUM, status),
	K("precomments", NUM, precomments),
	K("bigheader", NUM, bigheader),
	K("headers", NUM, headers),
	K("cut", AT, cut),
	K("fin", AT, fin),
	K("error", AT, error),
	K("silence", AT, silence),
	K("junk", AT, junk),
	K("badchunk", AT, badchunk),
	K("hush", AT, hush),
	K("split", NUM, split),
	K("splitat", NUM, splitat),
	K("pace", MS, pace),
	K("first", MS, first),
	K("headdelay", MS, headdelay),
	K("splitgap", MS, splitgap),
	K("json", FLAG, json),
	K("nofinish", FLAG, nofinish),
	K("nodone", FLAG, nodone),
	K("errorfirst", FLAG, errorfirst),
	K("empty", FLAG, empty),
	K("html", FLAG, html),
	K("comments", FLAG, comments),
	K("crlf", FLAG, crlf),
	K("cr", FLAG, cr),
	K("nospace", FLAG, nospace),
	K("bom", FLAG, bom),
	K("fields", FLAG, fields),
	K("multiline", FLAG, multiline),
	K("nochunk", FLAG, nochunk),
	K("nousage", FLAG, nousage),
	K("usagenull", FLAG, usagenull),
	K("usagefinish", FLAG, usagefinish),
	K("gzip", FLAG, gzip),
	K("date", FLAG, date),
	K("close", FLAG, close),
	K("reset", FLAG, reset),
	K("stale", FLAG, stale),
	K("hangup", FLAG, hangup),
	K("role0", FLAG, role0),
	K("text", STR, text),
	K("body", STR, body),
	K("retry-after", STR, retry_after),
	K("redirect", STR, redirect),
	K("finish", STR, finish),
	K("gate", STR, gate),
	K("gatehead", STR, gatehead),
	K("message", STR, message),
	K("type", STR, type),
	K("code", STR, code),
	K("errcode", STR, errcode),
	K("rkey", STR, rkey),
	K("ctype", STR, ctype),
	K("header", HEADER, header),
	K("usage", USAGE, usage_in),
#undef K
};

void
script_init(struct script *s)
{
	*s = (struct script){
		.tokens = 5, .cut = AT_NEVER, .fin = AT_NEVER,
		.error = AT_NEVER, .silence = AT_NEVER, .junk = AT_NEVER,
		.badchunk = AT_NEVER, .hush = AT_NEVER,
		.splitgap = 100, .role0 = 1, .usage_in = -1, .usage_out = -1,
		.rkey = "reasoning_content",
	};
}

static int
number(const char *text, int64_t *out)
{
	char *end;

	*out = strtoll(text, &end, 10);
	return end == text || *end || *out < 0 ? -1 : 0;
}

static int
read_at(const char *value, int64_t *out)
{
	if (strcmp(value, "finish") && strcmp(value, "done"))
		return number(value, out);
	*out = *value == 'f' ? AT_FINISH : AT_DONE;
	return 0;
}

static int
read_flag(const char *value, int64_t *out)
{
	*out = 1;
	if (!value || !strcmp(value, "yes"))
		return 0;
	if (!strcmp(value, "no")) {
		*out = 0;
		return 0;
	}
	return number(value, out);
}

static int
read_ms(const char *value, int64_t *out)
{
	char *end;
	double ms = strtod(value, &end);

	if (end == value || *end || !(ms >= 0 && ms < 1e12))
		return -1;
	*out = (int64_t)(ms * 1000);
	return 0;
}

static int
read_usage(struct script *s, char *value)
{
	char *colon = strchr(value, ':');

	if (!strcmp(value, "always")) {
		s->usage_always = true;
		return 0;
	}
	if (!colon)
		return -1;
	*colon = '\0';
	return number(value, &s->usage_in) < 0 ||
	    number(colon + 1, &s->usage_out) < 0 ? -1 : 0;
}

static int
read_value(struct script *s, const struct key *k, char *value)
{
	int64_t *n = (int64_t *)((char *)s + k->at);

	if (k->kind == FLAG)
		return read_flag(value, n);
	if (!value)
		return -1;
	if (k->kind == NUM)
		return number(value, n);
	if (k->kind == AT)
		return read_at(value, n);
	if (k->kind == MS)
		return read_ms(value, n);
	if (k->kind == USAGE)
		return read_usage(s, value);
	value[http_decode(value, strlen(value))] = '\0';
	if (k->kind == STR) {
		*(const char **)((char *)s + k->at) = value;
		return 0;
	}
	if (s->nheader == SCRIPT_HEADERS)
		return -1;
	s->header[s->nheader++] = value;
	return 0;
}

static const struct key *
find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

int
script_read(struct script *s, char *text)
{
	char *item, *value;
	const struct key *k;

	while ((item = strsep(&text, ","))) {
		if (!*item)
			continue;
		value = strchr(item, '=');
		if (value)
			*value++ = '\0';
		k = find(item);
		if (!k) {
			snprintf(s->wrong, sizeof(s->wrong),
			    "unknown script key %.40s", item);
			return -1;
		}
		if (read_value(s, k, value) < 0) {
			snprintf(s->wrong, sizeof(s->wrong),
			    "bad value for script key %s", k->name);
			return -1;
		}
	}
	return 0;
}

size_t
script_name(const char *model, size_t n)
{
	size_t i;

	for (i = 1; i < n; i++)
		if (model[i] == '@' || model[i] == ';')
			return i;
	return n;
}
